"""Hear that a dock is closed, or the viewer with it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QWidget


class _CloseFilter(QObject):
    """Calls a slot once, when a widget is taken out of its dock or destroyed."""

    def __init__(self, widget: QWidget, slot: Callable[[], object]) -> None:
        super().__init__()
        self._slot: Callable[[], object] | None = slot
        widget.installEventFilter(self)
        # the viewer's window takes its docks with it; not bound to the widget, or Qt
        # would disconnect it first
        widget.destroyed.connect(self._on_destroyed)

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """See the widget lose its parent: napari's dock was closed."""
        if event.type() == QEvent.Type.ParentChange and watched.parent() is None:
            self._call()
        return False

    def _on_destroyed(self, *_: object) -> None:
        """Call the slot; at the end of a process, what it touches may be gone first."""
        with suppress(RuntimeError):
            self._call()

    def _call(self) -> None:
        slot, self._slot = self._slot, None
        if slot is None:
            return
        try:
            slot()
        except RuntimeError as error:  # a program that ends deletes in any order
            if "deleted" not in str(error):
                raise


def on_close(widget: QWidget, slot: Callable[[], object]) -> QObject:
    """Call `slot` when napari closes the dock of `widget` or the viewer.

    Closing a dock only takes the widget out of it; hiding a dock does neither. Keep the
    returned object for as long as the widget lives.
    """
    return _CloseFilter(widget, slot)
