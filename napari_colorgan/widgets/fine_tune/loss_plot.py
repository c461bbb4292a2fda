"""Curves of a training: the loss, and how close the held-out part comes.

Painted by Qt itself. With 450 points, software OpenGL and a window of 1400 x 1000 px,
a redraw of both panels takes 15 ms: 4 for them, the rest for Qt to put the window
together, as after any change of a dock. A canvas of vispy with one panel and its axes
took 22 ms.
"""

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from qtpy.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_colorgan.training.ticks import ticks_within
from napari_colorgan.widgets.parts.pace import Pace

_MOST_POINTS = 500
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 8, 17, 16  # px around a panel, for its text
_LOSS = QColor("#e08a3c")
_QUALITY = QColor("#3fa7d6")  # told from orange by the colour-blind, too
_PEN = 1.6  # px


@dataclass(slots=True)
class Curve:
    """Points by step; neighbours are averaged once there are more than 500."""

    points: list[tuple[float, float]] = field(default_factory=list)
    _each: int = 1
    """How many added points make one of `points`."""
    _waiting: list[tuple[float, float]] = field(default_factory=list)

    def add(self, step: float, value: float) -> None:
        """Add the next point; one that is not finite is left out."""
        if not math.isfinite(value):
            return
        self._waiting.append((step, value))
        if len(self._waiting) < self._each:
            return
        self.points.append(_mean(self._waiting))
        self._waiting = []
        if len(self.points) > _MOST_POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [_mean(list(pair)) for pair in pairs]
            self._each *= 2

    def __len__(self) -> int:
        return len(self.points)


@dataclass(slots=True)
class _Panel:
    title: str
    unit: str
    color: QColor
    curve: Curve = field(default_factory=Curve)
    levels: dict[str, float] = field(default_factory=dict)
    """Values to compare with, drawn as dashed lines."""
    best: tuple[float, float] | None = None

    @property
    def range(self) -> tuple[float, float]:
        values = [y for _, y in self.curve.points] + list(self.levels.values())
        if not values:
            return 0.0, 1.0
        low, high = min(values), max(values)
        margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
        return low - margin, high + margin


class LossPlot(QWidget):
    """Two panels over one axis of steps; redrawn at most twice a second."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        super().__init__()
        self._clock = clock
        self._pace = Pace(0.5)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Above: how far off the colours are that are trained on (lower is better). "
            "Below: how close the test part comes to its real colours (PSNR; higher is "
            "better), beside the model before training and the picture left gray."
        )
        self.clear()

    def clear(self) -> None:
        """Forget all points."""
        self.loss = _Panel("training loss", "", _LOSS)
        self.quality = _Panel("test score", " dB", _QUALITY)
        self.total = 1
        self.update()

    def add_loss(self, step: int, total: int, loss: float) -> None:
        """Add a training loss; `total` is where the axis of steps ends."""
        self.total = max(total, 1)
        self.loss.curve.add(step, loss)
        self._changed()

    def add_quality(
        self, step: int, psnr: float, *, gray: float, before: float, best: bool
    ) -> None:
        """Add a validation: PSNR in dB now, of the picture left gray, and at first."""
        quality = self.quality
        quality.curve.add(step, psnr)
        levels = {"gray": gray, "before": before}
        quality.levels = {k: v for k, v in levels.items() if math.isfinite(v)}
        if best and math.isfinite(psnr):
            quality.best = (step, psnr)
        self._changed()

    def sizeHint(self) -> QSize:
        """Two panels of readable height."""
        return QSize(320, 240)

    def paintEvent(self, _: object) -> None:
        """Draw both panels."""
        began = self._clock()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPointSizeF(max(6.5, 0.85 * font.pointSizeF()))
        painter.setFont(font)
        half = self.height() / 2
        for number, panel in enumerate((self.loss, self.quality)):
            top = number * half + _TOP
            width = self.width() - _LEFT - _RIGHT
            self._paint(
                painter, panel, QRectF(_LEFT, top, width, half - _TOP - _BOTTOM)
            )
        painter.end()
        now = self._clock()
        self._pace.done(now, now - began)

    def _changed(self) -> None:
        if self._pace.due(now := self._clock()):
            self._pace.done(now, 0.0)  # asked for; `paintEvent` notes what it took
            self.update()

    def _paint(self, painter: QPainter, panel: _Panel, area: QRectF) -> None:
        text = self.palette().windowText().color()
        faint = QColor(text)
        faint.setAlphaF(0.25)
        low, high = panel.range

        def place(step: float, value: float) -> QPointF:
            x = area.left() + area.width() * step / self.total
            part = (value - low) / (high - low)
            return QPointF(x, area.bottom() - area.height() * part)

        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.setPen(text)
        title = QRectF(area.left(), area.top() - _TOP, area.width(), _TOP - 2)
        painter.drawText(title, left | middle, panel.title)
        if panel.curve.points:
            value = panel.best[1] if panel.best else panel.curve.points[-1][1]
            word = "best" if panel.best else "now"
            painter.drawText(title, right | middle, f"{word} {value:.3g}{panel.unit}")
        for tick in ticks_within(low, high, 3):
            y = place(0, tick).y()
            painter.setPen(faint)
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(text)
            box = QRectF(0, y - 8, _LEFT - 4, 16)
            painter.drawText(box, right | middle, f"{tick:g}")
        below, center = Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignHCenter
        for tick in ticks_within(0, self.total, 4):
            x = place(tick, low).x()
            box = QRectF(x - 40, area.bottom() + 1, 80, _BOTTOM)
            if tick and x < area.right() - 45:
                painter.drawText(box, center | below, f"{tick:g}")
        corner = QRectF(area.right() - 80, area.bottom() + 1, 80, _BOTTOM)
        painter.drawText(corner, right | below, f"step {self.total}")
        painter.setPen(faint)
        painter.drawRect(area)
        self._paint_levels(painter, panel, area, place)
        painter.setPen(QPen(panel.color, _PEN))
        points = [place(*point) for point in panel.curve.points]
        # not drawPolyline: joining 450 noisy segments of this width took 19 ms, not 1
        painter.drawLines([QLineF(a, b) for a, b in itertools.pairwise(points)])
        if panel.best:
            painter.setBrush(panel.color)
            painter.drawEllipse(place(*panel.best), 3, 3)
            painter.setBrush(Qt.BrushStyle.NoBrush)

    def _paint_levels(
        self,
        painter: QPainter,
        panel: _Panel,
        area: QRectF,
        place: Callable[[float, float], QPointF],
    ) -> None:
        color = self.palette().windowText().color()
        painter.setPen(QPen(color, 1, Qt.PenStyle.DashLine))
        highest = max(panel.levels.values(), default=0.0)
        height = painter.fontMetrics().ascent()
        for name, value in panel.levels.items():
            y = place(0, value).y()
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            # the curve is mostly above the highest
            base = y + height + 1 if value == highest else y - 3
            painter.drawText(QPointF(area.left() + 4, base), f"{name} {value:.1f}")


def _mean(points: list[tuple[float, float]]) -> tuple[float, float]:
    return (
        sum(x for x, _ in points) / len(points),
        sum(y for _, y in points) / len(points),
    )
