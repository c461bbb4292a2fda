"""A field of tints: green to red, and blue to yellow."""

from typing import Any

import numpy as np
from qtpy.QtCore import QPointF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPen, QPixmap
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_colorgan.widgets.parts.notices import plain
from napari_colorgan.widgets.parts.picture import pixmap_of

REACH = 30.0
"""Units of ab from the middle to a side; means of photographs stay within."""
_SIDE = 96  # px
_STEP = 1.0  # units of ab, of an arrow key
_LIGHTNESS = 70.0


class TintPad(QWidget):
    """Set a mean colour with the mouse or the arrow keys; Escape sets none."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.value: tuple[float, float] | None = None
        """a (green to red) and b (blue to yellow) in units of ab; None if not set."""
        self._picture = QPixmap()
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._describe()

    def sizeHint(self) -> QSize:
        """Return the size of the field."""
        return QSize(_SIDE, _SIDE)

    def set_value(self, value: tuple[float, float] | None) -> None:
        """Set a tint, or none; one beyond the sides becomes one at them."""
        if value is not None:
            a, b = np.clip(np.round(value, 1), -REACH, REACH).tolist()
            value = (a, b)
        if value != self.value:
            self.value = value
            self._describe()
            self.update()
            self.changed.emit()

    def mousePressEvent(self, event: Any) -> None:
        """Set the tint that is clicked on."""
        self._on_mouse(event)

    def mouseMoveEvent(self, event: Any) -> None:
        """Follow the mouse while it drags."""
        self._on_mouse(event)

    def mouseDoubleClickEvent(self, event: Any) -> None:
        """Set no tint."""
        self.set_value(None)

    def keyPressEvent(self, event: Any) -> None:
        """Move the tint by arrow keys."""
        keys = Qt.Key
        steps = {
            keys.Key_Left: (-_STEP, 0.0),
            keys.Key_Right: (_STEP, 0.0),
            keys.Key_Up: (0.0, _STEP),
            keys.Key_Down: (0.0, -_STEP),
        }
        if event.key() in (keys.Key_Escape, keys.Key_Delete):
            self.set_value(None)
        elif event.key() in steps:
            (a, b), (da, db) = self.value or (0.0, 0.0), steps[event.key()]
            self.set_value((a + da, b + db))
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: Any) -> None:
        """Draw the field and where the tint is."""
        if self._picture.isNull():
            self._picture = _field()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setOpacity(1.0 if self.isEnabled() else 0.3)
        painter.drawPixmap(self.rect(), self._picture)
        if self.value is not None:
            a, b = self.value
            center = QPointF(
                (a / REACH + 1) / 2 * self.width(), (1 - b / REACH) / 2 * self.height()
            )
            for color, radius in ((QColor("black"), 6), (QColor("white"), 5)):
                painter.setPen(QPen(color, 2))
                painter.drawEllipse(center, radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def _on_mouse(self, event: Any) -> None:
        at = event.position()
        self.set_value(
            (
                (at.x() / self.width() * 2 - 1) * REACH,
                (1 - at.y() / self.height() * 2) * REACH,
            )
        )

    def _describe(self) -> None:
        set_to = (
            "none" if self.value is None else "{:+.0f}, {:+.0f}".format(*self.value)
        )
        self.setAccessibleName(f"Tint: {set_to}")
        self.setToolTip(
            plain(
                f"Mean colour of the result, {set_to}: green to red, blue to yellow. "
                "Click or use the arrow keys; double-click or Escape for none"
            )
        )


def _field() -> QPixmap:
    """Colours of one lightness."""
    from skimage.color import lab2rgb

    steps = np.linspace(-REACH, REACH, _SIDE // 2)
    a, b = np.meshgrid(steps, -steps)
    lab = np.stack([np.full_like(a, _LIGHTNESS), a, b], axis=-1)
    return pixmap_of((lab2rgb(lab) * 255).round().astype(np.uint8))
