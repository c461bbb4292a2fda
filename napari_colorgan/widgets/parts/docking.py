"""What every dock of ours does: it is a tab among the others, and serves keys, too.

Docks below each other need more height than small screens have, and napari's own
entries in the Plugins menu ignore what the manifest says about tabs.
"""

from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QEvent, QObject, QTimer
from qtpy.QtWidgets import QApplication, QDockWidget, QMainWindow, QWidget

from napari_colorgan.widgets.parts.keyboard import name_controls
from napari_colorgan.widgets.parts.layout import show_focus

_OURS = "colorgan_dock"
"""Property by which the docks of this plugin know each other."""


def make_dock(dock: QWidget) -> None:
    """Make a widget a dock of ours, once all that is in it is there.

    It joins those in its place when it is first shown, and comes to the front whenever
    it is shown. Where the user moves it is left to them.
    """
    show_focus(dock)
    name_controls(dock)
    _Shown(dock)


class _Shown(QObject):
    """Sees a dock come up: before that, it has no frame that could be a tab."""

    def __init__(self, dock: QWidget) -> None:
        super().__init__(dock)
        self._dock = dock
        self._joined = False
        dock.setProperty(_OURS, True)
        dock.installEventFilter(self)
        app = QApplication.instance()
        if isinstance(app, QApplication):
            app.focusChanged.connect(self._on_focus)

    def eventFilter(self, _: Any, event: Any) -> bool:
        """Wait until Qt has laid out what is shown; windows come back spontaneously.

        Behind another tab a dock is not hidden for Qt, and gets the focus by keys.
        """
        if event.type() == QEvent.Type.Show and not event.spontaneous():
            QTimer.singleShot(0, self._come_up)
        return False

    def _on_focus(self, _: Any, now: QWidget | None) -> None:
        """Come to the front where a control behind another tab gets the focus."""
        try:
            frame = self._dock.parentWidget()
        except RuntimeError:  # it is being destroyed, and loses the focus
            return
        if now is None or not isinstance(frame, QDockWidget):
            return
        if self._dock.isAncestorOf(now) and frame.visibleRegion().isEmpty():
            frame.raise_()

    def _come_up(self) -> None:
        frame = self._dock.parentWidget()
        if not isinstance(frame, QDockWidget):  # closed meanwhile, or in no viewer
            return
        if not self._joined:
            self._joined = True
            for sibling in _siblings(frame):
                frame.parentWidget().tabifyDockWidget(sibling, frame)
        frame.raise_()


def _siblings(frame: QDockWidget) -> Iterator[QDockWidget]:
    """Other docks of ours on the same side of the window; none where it floats."""
    window = frame.parentWidget()
    if not isinstance(window, QMainWindow) or frame.isFloating():
        return
    for other in window.findChildren(QDockWidget):
        inside = other.widget()
        ours = inside is not None and inside.property(_OURS)
        alike = window.dockWidgetArea(other) == window.dockWidgetArea(frame)
        if other is not frame and ours and alike and not other.isFloating():
            yield other
