"""What docks owe to those who use the keyboard or a screen reader."""

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QToolButton,
    QWidget,
)

CONTROLS = (QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit)
"""What has no text of its own that a screen reader could say."""
_ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class KeyButton(QToolButton):
    """A button that Enter presses as the space bar does; arrows go to the next one."""

    def __init__(self) -> None:
        super().__init__()
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def keyPressEvent(self, event: Any) -> None:
        """Press the button."""
        if event.key() in _ENTER:
            self.click()
        else:
            super().keyPressEvent(event)


def reach_after(before: QWidget, controls: Sequence[QWidget]) -> None:
    """Let Tab reach controls that were made later where they are: after another one."""
    for control in controls:
        QWidget.setTabOrder(before, control)
        before = control


def name_controls(root: QWidget) -> None:
    """Give all controls that have no name that of the label beside them.

    magicgui puts labels beside its widgets, but does not tell Qt whose they are.
    """
    for native in root.findChildren(QWidget):
        label = str(getattr(getattr(native, "_magic_widget", None), "label", "") or "")
        if not label or isinstance(native, QAbstractButton):
            continue
        inside = native.findChildren(QWidget) if type(native) is QWidget else []
        for part in (native, *inside):
            if isinstance(part, CONTROLS) and not part.accessibleName():
                part.setAccessibleName(label)
