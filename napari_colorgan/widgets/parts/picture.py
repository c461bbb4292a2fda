"""Small pictures in a dock."""

from typing import Any

import numpy as np
from qtpy.QtCore import QRect, QSize, Qt
from qtpy.QtGui import QIcon, QImage, QPainter, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_colorgan.arrays import RGB
from napari_colorgan.checkpoints.pictures import decoded


class Picture(QWidget):
    """A picture of at most `side` px, or half of that; hidden until there is one."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._most = QSize(side, side)
        self._pixmap = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setVisible(False)

    def show_file(self, content: bytes) -> None:
        """Show what is in a picture file; nothing if it is empty, or no picture."""
        self._show(QPixmap.fromImage(read_picture(content)))

    def sizeHint(self) -> QSize:
        """Return the size that is wished for."""
        return self._fitted(self._most)

    def minimumSizeHint(self) -> QSize:
        """Return the size that is needed: small screens have no room for more."""
        return self.sizeHint() / 2

    def paintEvent(self, event: Any) -> None:
        """Draw the picture in the middle, as large as there is room."""
        area = QRect(self.rect().topLeft(), self._fitted(self.size()))
        area.moveCenter(self.rect().center())
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawPixmap(area, self._pixmap)

    def _fitted(self, room: QSize) -> QSize:
        size = self._pixmap.size()
        return size.scaled(
            room.boundedTo(self._most), Qt.AspectRatioMode.KeepAspectRatio
        )

    def _show(self, pixmap: QPixmap) -> None:
        self._pixmap = pixmap
        self.setVisible(not pixmap.isNull())
        self.updateGeometry()
        self.update()


def pixmap_of(rgb: RGB) -> QPixmap:
    """Make what Qt draws of a picture (Y, X, 3)."""
    rgb = np.ascontiguousarray(rgb)
    height, width = rgb.shape[:2]
    image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy())  # Qt does not own the array


def first_example(picture: bytes) -> QIcon:
    """Make an icon of the first example of a strip; an empty one without a picture."""
    strip = read_picture(picture)
    side = min(strip.width(), strip.height())
    return QIcon(QPixmap.fromImage(strip.copy(0, 0, side, side)))


def read_picture(content: bytes) -> QImage:
    """Decode a JPEG or PNG that came with a model, from anywhere; null if it is none.

    Qt itself would decode whatever its plugins can.
    """
    picture = decoded(content)
    if picture is None:
        return QImage()
    width, height = picture.size
    pixels = picture.convert("RGBA").tobytes()
    image = QImage(pixels, width, height, 4 * width, QImage.Format.Format_RGBA8888)
    return image.copy()  # Qt does not own the bytes
