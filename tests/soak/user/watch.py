"""What no user may meet: exceptions, warnings of Qt, surprises in the log."""

import faulthandler
import logging
import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import Any

from napari.utils.notifications import ErrorNotification, notification_manager
from qtpy.QtCore import QtMsgType, qInstallMessageHandler

_HARMLESS = (
    "QStandardPaths",  # of this machine, not of ours
    "propagateSizeHints",
    "DBus",
    "XDG_RUNTIME_DIR",
)
_OURS = "napari_colorgan"


class Watch:
    """Collects what was seen since it was last asked, in all threads."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    def begin(self) -> None:
        """Hear everything, in this process."""
        faulthandler.enable()  # a crash tells where
        sys.excepthook = self._on_exception
        threading.excepthook = lambda it: self._on_exception(
            it.exc_type, it.exc_value, it.exc_traceback
        )
        sys.unraisablehook = lambda it: self._on_exception(
            it.exc_type, it.exc_value, it.exc_traceback
        )
        qInstallMessageHandler(self._on_qt)
        notification_manager.notification_ready.connect(self._on_note)
        handler = logging.Handler(logging.ERROR)
        handler.emit = self._on_log
        logging.getLogger(_OURS).addHandler(handler)
        warnings.showwarning = self._on_warning
        warnings.filterwarnings("always", module=_OURS)

    def end(self) -> None:
        """Hear no more of what Qt says: it does so until the very end."""
        qInstallMessageHandler(None)

    def taken(self) -> list[str]:
        """What was seen since this was asked last."""
        seen, self._seen = self._seen, []
        return seen

    def _on_exception(
        self,
        kind: type[BaseException],
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._seen.append(told_of(error or kind(), trace))

    def _on_qt(self, kind: QtMsgType, _: Any, message: str | None) -> None:
        text = message or ""
        grave = kind not in (QtMsgType.QtDebugMsg, QtMsgType.QtInfoMsg)
        if grave and not any(word in text for word in _HARMLESS):
            self._seen.append(f"Qt: {text}")

    def _on_note(self, event: Any) -> None:
        note = getattr(event, "value", event)
        if isinstance(note, ErrorNotification):
            error = note.exception
            self._seen.append(f"notification: {told_of(error)}")
        elif "Something unexpected" in str(note.message):
            self._seen.append(f"notification: {note.message}")

    def _on_log(self, record: logging.LogRecord) -> None:
        error = record.exc_info and record.exc_info[1]
        told = told_of(error) if error else record.getMessage()
        self._seen.append(f"log: {told}")

    def _on_warning(
        self, message: Any, category: Any, filename: str, lineno: int, *_: Any
    ) -> None:
        if f"/{_OURS}/" in filename:
            self._seen.append(f"{category.__name__}: {message} ({filename}:{lineno})")


def told_of(error: BaseException, trace: TracebackType | None = None) -> str:
    """Say in one line what happened, and the innermost places."""
    frames = traceback.extract_tb(trace or error.__traceback__)
    ours = [frame for frame in frames if f"/{_OURS}/" in frame.filename][-3:]
    places = [f"{each.filename.rpartition('/')[2]}:{each.lineno}" for each in ours]
    places += [f"{each.filename[-40:]}:{each.lineno}" for each in frames[-2:]]
    return f"{type(error).__name__}: {error} at {' > '.join(places)}"


def ours_at_work() -> list[str]:
    """Names of threads, but for this one, that run code of ours."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    working = []
    for ident, frame in sys._current_frames().items():
        if ident == threading.get_ident():
            continue
        files = [each.filename for each in traceback.extract_stack(frame)]
        if any(f"/{_OURS}/" in file for file in files):
            working.append(names.get(ident, str(ident)))
    return working
