"""Colours to click on."""

from collections.abc import Callable, Sequence

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_colorgan.arrays import RGB
from napari_colorgan.inference.hints import to_hex
from napari_colorgan.widgets.parts.keyboard import KeyButton, reach_after
from napari_colorgan.widgets.parts.layout import text_label
from napari_colorgan.widgets.parts.notices import plain
from napari_colorgan.widgets.parts.picture import pixmap_of

Color = tuple[int, int, int]

_SIDE = 24  # px
_THUMBNAIL = 68  # px


class Swatch(KeyButton):
    """A button with a colour, which a screen reader can name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.color: Color = (128, 128, 128)
        self._name = name
        self.setIconSize(QSize(_SIDE, _SIDE))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)

    def show_color(
        self, color: Color, shown_as: Color | None = None, text: str = ""
    ) -> None:
        """Show a colour, perhaps as it becomes where it is used."""
        self.color = color
        icon = QPixmap(_SIDE, _SIDE)
        icon.fill(QColor(*(shown_as or color)))
        self.setIcon(QIcon(icon))
        self.setText(text)
        if not text:
            self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        code = to_hex(color)
        becomes = (
            "" if shown_as in (None, color) else f", here {to_hex(shown_as or color)}"
        )
        said = f"{self._name}: {code}{becomes}" + (text and f", {text}")
        self.setAccessibleName(said)
        self.setToolTip(plain(said))


class SwatchRow(QWidget):
    """Colours beside each other; hidden while there are none.

    Parameters
    ----------
    on_click : gets the colour that is clicked on
    """

    def __init__(
        self, label: str, count: int, on_click: Callable[[Color], object]
    ) -> None:
        super().__init__()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(text_label(label))
        self.swatches = [Swatch(f"{label} {number}") for number in range(1, count + 1)]
        for swatch in self.swatches:
            swatch.clicked.connect(lambda _=False, it=swatch: on_click(it.color))
            layout.addWidget(swatch)
        layout.addStretch()
        self.show_colors([])

    def show_colors(self, colors: Sequence[tuple[Color, Color | None, str]]) -> None:
        """Show colours, what they are shown as, and a text for each."""
        for number, swatch in enumerate(self.swatches):
            swatch.setVisible(number < len(colors))
            if number < len(colors):
                swatch.show_color(*colors[number])
        self.setVisible(bool(colors))


class Thumbnails(QWidget):
    """Small pictures beside each other; hidden while there are none.

    Parameters
    ----------
    after : the control that they stand below
    """

    def __init__(self, after: QWidget) -> None:
        super().__init__()
        self._after = after
        self.pictures: list[KeyButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self.setVisible(False)

    def show_pictures(
        self, pictures: Sequence[tuple[RGB, str]], on_click: Callable[[int], object]
    ) -> None:
        """Show pictures (Y, X, 3) and a text for each.

        Parameters
        ----------
        on_click : gets the number of the picture that is clicked on, from 0
        """
        for button in self.pictures:
            self._row.removeWidget(button)
            button.deleteLater()
        self.pictures = []
        for number, (rgb, text) in enumerate(pictures):
            button = KeyButton()
            button.setIcon(QIcon(pixmap_of(rgb)))
            button.setIconSize(QSize(_THUMBNAIL, _THUMBNAIL))
            button.setText(text)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setAccessibleName(f"Alternative {number + 1}, {text}")
            button.clicked.connect(lambda _=False, at=number: on_click(at))
            self._row.addWidget(button)
            self.pictures.append(button)
        reach_after(self._after, self.pictures)
        self.setVisible(bool(pictures))
