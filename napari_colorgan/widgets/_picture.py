"""A small picture in a dock."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel


class Picture(QLabel):
    """A label for a picture of at most `side` px; hidden until there is one."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setVisible(False)

    def show_rgb(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Show an RGB picture (Y, X, 3)."""
        rgb = np.ascontiguousarray(rgb)
        height, width = rgb.shape[:2]
        image = QImage(
            rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888
        ).copy()  # Qt does not own the array
        self._show(QPixmap.fromImage(image))

    def show_file(self, path: Path | None) -> None:
        """Show a picture file; nothing if there is none, or if it cannot be read."""
        pixmap = QPixmap() if path is None else QPixmap(str(path))
        if pixmap.isNull():
            self.setVisible(False)
        else:
            self._show(pixmap)

    def _show(self, pixmap: QPixmap) -> None:
        self.setPixmap(
            pixmap.scaled(
                self._side,
                self._side,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        )
        self.setVisible(True)
