"""How much room the parts of a dock take: texts, pickers, buttons, panels, folds."""

from typing import Any

from magicgui.widgets import ComboBox, Container, FloatSlider, Label, PushButton, Widget
from qtpy.QtCore import Qt
from qtpy.QtGui import QIcon
from qtpy.QtWidgets import (
    QFrame,
    QGraphicsOpacityEffect,
    QLabel,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)
from superqt import QCollapsible

from napari_colorgan.widgets.parts.notices import cut, plain

_LETTERS = 12  # that a picker has room for at least
_LEAST_WIDTH = 330  # px, of a dock
_DIM = 0.4  # opacity of what is disabled
_NO_LIMIT = 16_777_215  # px, Qt's own for sizes
_SHUT = "\N{BLACK RIGHT-POINTING SMALL TRIANGLE}"
_OPEN = "\N{BLACK DOWN-POINTING SMALL TRIANGLE}"
_PAGES = 10  # clicks on a slider's track from end to end
_FOCUS = "2px solid #2f7bf5"  # 3 : 1 or more against both of napari's themes
_FOCUSED = f"""
QPushButton:focus {{ border: {_FOCUS}; padding: 2px; }}
QToolButton {{ border: 2px solid transparent; }}
QToolButton:focus {{ border: {_FOCUS}; }}
QComboBox:focus {{ border: {_FOCUS}; padding: 3px 8px 3px 6px; }}
QLineEdit:focus {{ border: {_FOCUS}; padding: 0px; }}
QAbstractSpinBox:focus {{ border: {_FOCUS}; padding: 0px 8px; }}
QListWidget, QTreeWidget, QScrollArea {{ border: 2px solid transparent; }}
QListWidget:focus, QTreeWidget:focus, QScrollArea:focus {{ border: {_FOCUS}; }}
QCheckBox::indicator:focus {{ border: {_FOCUS}; width: 12px; height: 12px; }}
QSlider::handle:horizontal:focus {{ border: {_FOCUS}; width: 12px; }}
"""
"""What has the keyboard's focus, which napari's themes do not show."""
_FOLD = f"""
QPushButton {{ text-align: left; border: none; outline: none; }}
QPushButton:focus {{ border: {_FOCUS}; padding: 2px; }}
"""


def text_label(text: str = "") -> QLabel:
    """Make a label whose text is shown as it is, whatever it contains.

    All labels of ours are made here or by `wrap`: Qt would take a text that looks like
    HTML for HTML, and read the files that it names.
    """
    label = QLabel(cut(text))
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


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


def show_focus(dock: QWidget) -> None:
    """Frame what has the keyboard's focus in a dock, and in windows it opens."""
    dock.setStyleSheet(_FOCUSED)


def with_pages(slider: FloatSlider) -> FloatSlider:
    """Let a click on a slider's track move it by a tenth of its range; return it.

    magicgui leaves Qt's step for integers, which is a millionth of a float's range.
    """
    track = slider.native.findChild(QSlider)
    track.setPageStep((track.maximum() - track.minimum()) // _PAGES)
    return slider


def heading(text: str) -> QLabel:
    """Make the heading of a part of a dock."""
    label = text_label(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def fold(title: str, content: QWidget) -> QCollapsible:
    """Hide what seldom needs a change behind a title that opens it.

    Hidden, for what only has no height keeps the focus and changes unseen.
    """
    result = QCollapsible()
    result.toggleButton().setStyleSheet(_FOLD)
    for set_icon in (result.setCollapsedIcon, result.setExpandedIcon):
        set_icon(QIcon())  # superqt draws its own in black, also on a dark theme

    def on_toggled(is_open: bool) -> None:
        content.setVisible(is_open)
        content.setMaximumHeight(_NO_LIMIT)  # superqt's would cut rows that come later
        result.setText(f"{_OPEN if is_open else _SHUT} {title}")

    result.toggled.connect(on_toggled)
    result.setDuration(0)
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
