"""A small picture in a dock."""

import numpy as np
import numpy.typing as npt
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel


class Picture(QLabel):
    """A label for an RGB picture of at most `side` px; hidden until there is one."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self._side = side
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setVisible(False)

    def show_rgb(self, rgb: npt.NDArray[np.uint8]) -> None:
        """Show a picture (Y, X, 3)."""
        rgb = np.ascontiguousarray(rgb)
        height, width = rgb.shape[:2]
        image = QImage(
            rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888
        ).copy()  # Qt does not own the array
        self.setPixmap(
            QPixmap.fromImage(image).scaled(
                self._side,
                self._side,
                Qt.AspectRatioMode.KeepAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        )
        self.setVisible(True)
