"""How much room the parts of a dock take: texts, pickers, buttons, panels, folds."""

from typing import Any

from magicgui.widgets import ComboBox, Container, Label, PushButton, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QFrame,
    QGraphicsOpacityEffect,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_colorgan.widgets.parts.notices import cut, plain

_LETTERS = 12  # that a picker has room for at least
_LEAST_WIDTH = 330  # px, of a dock
_DIM = 0.4  # opacity of what is disabled


def wrap(label: Label) -> Label:
    """Make a label as wide as the dock and as high as its text takes; return it.

    Its text is shown as it is, whatever it contains.
    """
    label.native.setTextFormat(Qt.TextFormat.PlainText)
    label.native.setWordWrap(True)
    label.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Maximum)
    return label


def shorten(picker: ComboBox) -> None:
    """Let a picker be narrower than its longest choice."""
    native = picker.native
    policy = type(native).SizeAdjustPolicy
    native.setSizeAdjustPolicy(policy.AdjustToMinimumContentsLengthWithIcon)
    native.setMinimumContentsLength(_LETTERS)


def line_up(*buttons: PushButton) -> Container[Any]:
    """Put buttons beside each other; the caller owns the row."""
    result = Container(widgets=list(buttons), layout="horizontal", labels=False)
    result.margins = (0, 0, 0, 0)
    return result


def scroll(dock: QWidget, inside: QWidget) -> QScrollArea:
    """Fill a dock with what scrolls up and down where there is too little room."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(inside)
    outer = QVBoxLayout(dock)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(area)
    dock.setMinimumWidth(_LEAST_WIDTH)
    return area


def keep_low(widget: QWidget) -> None:
    """Let a part of a dock be no higher than what is in it."""
    widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)


def enable(widget: QWidget, enabled: bool) -> None:
    """Enable a widget; napari's themes give no hint that a slider is not, so dim it."""
    widget.setEnabled(enabled)
    if enabled:
        widget.setGraphicsEffect(None)
    else:
        widget.setGraphicsEffect(QGraphicsOpacityEffect(widget, opacity=_DIM))


def heading(text: str) -> QLabel:
    """Make the heading of a part of a dock."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def fold(title: str, content: QWidget) -> QCollapsible:
    """Hide what seldom needs a change behind a title that opens it."""
    result = QCollapsible(title)
    result.setDuration(0)
    result.setCollapsedIcon("\N{BLACK RIGHT-POINTING SMALL TRIANGLE}")
    result.setExpandedIcon("\N{BLACK DOWN-POINTING SMALL TRIANGLE}")
    result.setContent(content)
    result.collapse(animate=False)
    result.layout().setContentsMargins(0, 0, 0, 0)
    result.layout().setSpacing(0)
    return result


def say(label: Label, text: str) -> None:
    """Show a text, or nothing."""
    text = cut(text)
    if label.value != text:
        label.value = text
    if label.visible != bool(text):
        label.visible = bool(text)


def explain(widget: Widget, text: str) -> None:
    """Give a widget a tooltip, which is shown as it is, whatever it contains."""
    widget.tooltip = plain(text)
