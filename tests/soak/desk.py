"""A napari with our three docks on a screen that nobody sees, and its user."""

import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

MODEL, LISTENS = "tiny", "listening"
ENOUGH = 60.0  # s; for what takes a second on an idle machine


def open_display() -> None:
    """Start a screen where there is none."""
    from tests.conftest import has_display, start_xvfb

    if sys.platform.startswith("linux") and not has_display():
        start_xvfb()


class Planes:
    """Gray planes that are read one by one in a thread, which may take time or fail.

    Attributes
    ----------
    hold : number of the plane whose second reading waits for `go`; the first makes the
        gray canvas
    error : raised by that reading, or by all where nothing is held
    """

    def __init__(
        self,
        values: np.ndarray,
        hold: int | None = None,
        error: BaseException | None = None,
    ) -> None:
        self.values, self.hold, self.error = values, hold, error
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim
        self.size = values.size
        self.reads: dict[Any, int] = {}
        self.go, self.held = threading.Event(), threading.Event()

    def __getitem__(self, part: Any) -> np.ndarray:
        """Read, as a lazy array does."""
        if threading.current_thread() is threading.main_thread():
            return self.values[part]  # napari shows it
        plane = part[0] if isinstance(part, tuple) else part
        if isinstance(plane, int):
            self.reads[plane] = self.reads.get(plane, 0) + 1
        if self.hold is None or (plane == self.hold and self.reads[plane] > 1):
            if self.hold is not None:
                self.held.set()
                self.go.wait(ENOUGH)
            if self.error is not None:
                raise self.error
        return self.values[part]


class Desk:
    """A viewer, its docks, and what was said and went wrong meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble: list[str] = []
        """Exceptions that nobody caught, and those told as unexpected."""
        self.said: list[str] = []
        """Notifications."""
        self.viewer: Any = None
        self._docks: dict[str, Any] = {}

    def open(self) -> None:
        """Open a viewer, unless there is one."""
        import napari

        if self.viewer is None:
            self.viewer = napari.Viewer()

    def dock(self, name: str) -> Any:
        """Return one of our docks, opened at the first call."""
        from napari_colorgan import widgets

        if name not in self._docks:
            self.open()
            kinds = {
                "Colorize": widgets.ColorizeWidget,
                "Fine-tune": widgets.FineTuneWidget,
                "Model manager": widgets.ModelManagerWidget,
            }
            dock = kinds[name](self.viewer)
            shown = self.viewer.window.add_dock_widget(dock, name=name, tabify=True)
            shown.show()
            self._docks[name] = dock
            if name == "Colorize":
                dock.show_preview.value = False
                dock.model.value = MODEL
                dock.form.device.value = "cpu"
        return self._docks[name]

    @property
    def colorize(self) -> Any:
        """The Colorize dock."""
        return self.dock("Colorize")

    @property
    def fine_tune(self) -> Any:
        """The Fine-tune dock."""
        return self.dock("Fine-tune")

    @property
    def models(self) -> Any:
        """The Model manager dock."""
        return self.dock("Model manager")

    def wait(self, until: Callable[[], object], seconds: float = ENOUGH) -> None:
        """Let Qt work until something holds.

        Raises
        ------
        AssertionError
            It does not in time.
        """
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"waits for ever: {self.state()}"
            QApplication.processEvents()
            time.sleep(0.001)

    def rest(self, seconds: float = 0.05) -> None:
        """Let Qt work for a while."""
        end = time.monotonic() + seconds
        self.wait(lambda: time.monotonic() > end)

    def quiet(self) -> bool:
        """Whether no job of ours is left, nor a thread that runs one."""
        from qtpy.QtCore import QThreadPool
        from superqt.utils._qthreading import WorkerBase

        pool = QThreadPool.globalInstance()
        return not WorkerBase._worker_set and pool.activeThreadCount() == 0

    def state(self) -> str:
        """What the docks say, for a fault."""
        parts = [f"said {self.said[-2:]}"]
        if "Colorize" in self._docks:
            parts.append(f"status {self.colorize.status.value!r}")
        return "; ".join([*parts, *self.trouble])

    def clear(self) -> None:
        """Make room for the next trial: no job, no layer, nothing said."""
        for name, dock in self._docks.items():
            if name == "Colorize":
                dock.show_preview.value = False
                dock.running.stop.native.click()
                dock.folder.stop.native.click()
                dock.save._jobs.stop()
            elif name == "Fine-tune":
                dock.controls.stop_best.native.click()
                dock.pairs._rows = []
                dock.pairs._changed()
        self.wait(self.quiet)
        if self.viewer is not None:
            self.viewer.layers.clear()
        self.wait(self.quiet)
        if "Colorize" in self._docks:
            self.colorize.form.choose_model(MODEL)
        self.rest()
        self.said.clear()
        self.trouble.clear()

    def close(self) -> None:
        """Close the viewer."""
        if self.viewer is not None:
            self.viewer.close()
        self.viewer, self._docks = None, {}


@contextmanager
def open_desk(folder: Path) -> Iterator[Desk]:
    """Open a display, with models in the user's folder; hear all that goes wrong."""
    open_display()
    from napari.utils.notifications import notification_manager
    from qtpy.QtWidgets import QApplication

    app = QApplication.instance() or QApplication([])
    put_models()
    desk = Desk(folder)

    def caught(kind: Any, error: Any, trace: Any) -> None:
        lines = traceback.format_exception(kind, error, trace)
        desk.trouble.append("".join(lines)[-1500:])

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info and record.exc_info[0] is not None:
                caught(*record.exc_info)

    def note(event: Any) -> None:
        desk.said.append(str(getattr(event, "value", event).message))

    log, heard = logging.getLogger("napari_colorgan"), Heard()
    log.addHandler(heard)
    notification_manager.notification_ready.connect(note)
    engines = "napari_colorgan.inference.engines.possible_engines"
    # of two layers the lower is removed, the upper drawn twice: Mesa 22.3 without a
    # GPU ends the process, of plain napari, too, unless programs are never deleted
    programs = "vispy.gloo.glir.GlirProgram.delete"
    with (
        mock.patch(programs, lambda _: None),
        mock.patch.object(sys, "excepthook", caught),
        mock.patch.object(threading, "excepthook", lambda a: caught(*a[:3])),
        mock.patch.dict(os.environ, {"NAPARI_ENSURE_PLUGIN_MAIN_THREAD": "1"}),
        mock.patch(engines, lambda _: ["torch"]),
    ):
        try:
            yield desk
        finally:
            desk.close()
            notification_manager.notification_ready.disconnect(note)
            log.removeHandler(heard)
            app.processEvents()


def put_models() -> None:
    """Put a model into the user's folder, and one that listens to all that is said."""
    import torch

    from napari_colorgan.checkpoints import zoo
    from napari_colorgan.checkpoints.metadata import Metadata
    from napari_colorgan.checkpoints.store import Checkpoint
    from napari_colorgan.models.compact import Compact

    for name, more in ((MODEL, {}), (LISTENS, {"alternatives": True})):
        options = {"widths": [8, 8, 8, 8]} | more
        torch.manual_seed(3)
        network = Compact(**options)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        about = Metadata(
            generator="compact", options=options, context="local", name=name
        )
        if name not in [model.name for model in zoo.list_models()]:
            zoo.install(Checkpoint(about, network.state_dict()), name)
