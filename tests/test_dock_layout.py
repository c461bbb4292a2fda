"""Parts of docks answer to mouse and keyboard, and show it."""

import pytest
from magicgui.widgets import Container, FloatSlider
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSlider,
    QSpinBox,
    QTreeWidget,
    QVBoxLayout,
    QWidget,
)

from napari_colorgan.widgets.parts.keyboard import KeyButton
from napari_colorgan.widgets.parts.layout import fold, show_focus, with_pages

FOCUSABLE = [
    QPushButton,
    QComboBox,
    QLineEdit,
    QSpinBox,
    QListWidget,
    QTreeWidget,
    QCheckBox,
    KeyButton,
    lambda: QSlider(Qt.Orientation.Horizontal),
]


@pytest.fixture
def dock(qtbot) -> QWidget:
    """A widget as large as docks are, with a first line that takes the focus."""
    dock = QWidget()
    qtbot.addWidget(dock)
    QVBoxLayout(dock).addWidget(QLineEdit())
    dock.resize(330, 400)
    return dock


def test_what_is_folded_cannot_have_the_focus(dock, qtbot) -> None:
    inside = QWidget()
    QVBoxLayout(inside).addWidget(QLineEdit())
    folded = fold("More settings", inside)
    dock.layout().addWidget(folded)
    dock.show()
    assert inside.isHidden()
    title = folded.toggleButton()
    QTest.mouseClick(title, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(inside.isVisible)
    later = QLabel()
    later.setFixedHeight(90)
    inside.layout().addWidget(later)
    qtbot.waitUntil(lambda: inside.height() > 90)
    assert title.text() == "\N{BLACK DOWN-POINTING SMALL TRIANGLE} More settings"
    QTest.mouseClick(title, Qt.MouseButton.LeftButton)
    assert inside.isHidden()


def test_a_click_on_the_track_moves_a_slider(qtbot) -> None:
    slider = with_pages(FloatSlider(label="x", min=0, max=1, step=0.05, value=0.5))
    row = Container(widgets=[slider])
    qtbot.addWidget(row.native)
    row.native.resize(330, 60)
    row.show()
    track = slider.native.findChild(QSlider)
    end = QPoint(track.width() - 4, track.height() // 2)
    QTest.mouseClick(track, Qt.MouseButton.LeftButton, pos=end)
    assert slider.value == pytest.approx(0.6)


@pytest.mark.parametrize("make", FOCUSABLE)
def test_the_focus_is_seen(dock, qtbot, make) -> None:
    widget = make()
    dock.layout().addWidget(widget)
    show_focus(dock)
    with qtbot.waitActive(dock):
        dock.show()
        dock.activateWindow()

    def is_framed() -> bool:
        image = widget.grab().toImage()
        across = [
            image.pixelColor(x, image.height() // 2) for x in range(image.width())
        ]
        return any(color.name() == "#2f7bf5" for color in across)

    assert not is_framed()
    widget.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(widget.hasFocus)
    assert is_framed()
