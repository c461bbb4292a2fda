"""A picture before and after, with a divider to drag."""

from typing import Any

from qtpy.QtCore import QPointF, QRect, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_colorgan.arrays import RGB
from napari_colorgan.widgets.parts.picture import pixmap_of

_GRIP = 7  # px
_STEP = 0.05  # of the width, of an arrow key


class SplitPicture(QWidget):
    """Before to the left of a divider, after to the right; takes its room at once.

    Parameters
    ----------
    height : px; pictures are as wide as there is room
    """

    def __init__(self, height: int) -> None:
        super().__init__()
        self._height = height
        self._before = QPixmap()
        self._after = QPixmap()
        self.text = ""
        """Why there is no picture."""
        self.split = 0.5
        """Where the divider is, as a part of the width."""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Preview: gray to the left, colour to the right")

    @property
    def has_picture(self) -> bool:
        """Whether there is something to see."""
        return not self._after.isNull()

    def show_pictures(self, before: RGB, after: RGB) -> None:
        """Show two pictures (Y, X, 3) of the same size."""
        self._before, self._after = map(pixmap_of, (before, after))
        self.text = ""
        self.update()

    def show_text(self, text: str) -> None:
        """Show why there is no picture; with none, what was there stays."""
        self._before = self._after = QPixmap()
        self.text = text
        self.update()

    def move_split(self, to: float) -> None:
        """Move the divider."""
        self.split = min(max(to, 0.0), 1.0)
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size that is kept free."""
        return QSize(self._height, self._height)

    def paintEvent(self, event: Any) -> None:
        """Draw both parts and the divider."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not self.has_picture:
            color = self.palette().text().color()
            color.setAlpha(128)
            painter.setPen(color)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(8, 8, -8, -8), int(flags), self.text)
            return
        area = self._area()
        painter.drawPixmap(area, self._after)
        at = area.left() + round(self.split * area.width())
        painter.setClipRect(
            QRect(area.left(), area.top(), at - area.left(), area.height())
        )
        painter.drawPixmap(area, self._before)
        painter.setClipping(False)
        painter.setPen(QPen(QColor("black"), 3))
        painter.drawLine(at, area.top(), at, area.bottom())
        painter.setPen(QPen(QColor("white"), 1))
        painter.drawLine(at, area.top(), at, area.bottom())
        painter.setBrush(QColor("white"))
        painter.drawEllipse(QPointF(at, area.center().y()), _GRIP, _GRIP)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawRect(area.adjusted(1, 1, -1, -1))

    def mousePressEvent(self, event: Any) -> None:
        """Move the divider to the mouse."""
        self._on_mouse(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """Drag the divider."""
        self._on_mouse(event)

    def keyPressEvent(self, event: Any) -> None:
        """Move the divider by arrow keys."""
        steps = {Qt.Key.Key_Left: -_STEP, Qt.Key.Key_Right: _STEP}
        if event.key() in steps:
            self.move_split(self.split + steps[event.key()])
        else:
            super().keyPressEvent(event)

    def _on_mouse(self, event: Any) -> None:
        area = self._area()
        if self.has_picture and area.width():
            self.move_split((event.position().x() - area.left()) / area.width())

    def _area(self) -> QRect:
        size = self._after.size().scaled(
            self.size(), Qt.AspectRatioMode.KeepAspectRatio
        )
        area = QRect(self.rect().topLeft(), size)
        area.moveCenter(self.rect().center())
        return area
