"""The curves of a training."""

import math

import numpy as np
from qtpy.QtGui import QImage, QPainter

from napari_colorgan.widgets.fine_tune.loss_plot import Curve, LossPlot
from napari_colorgan.widgets.parts.pace import Pace


def test_a_long_curve_has_few_points_and_keeps_its_shape():
    curve = Curve()
    steps = 100_000
    for step in range(steps):
        curve.add(step, math.sin(step / steps * 6))
    assert 250 <= len(curve) <= 500
    x, y = np.array(curve.points).T
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(y, np.sin(x / steps * 6), atol=0.01)
    assert x[0] < steps / 250 and x[-1] > steps * 0.99


def test_values_that_are_no_numbers_are_left_out():
    curve = Curve()
    for value in (1.0, math.nan, math.inf, 2.0):
        curve.add(len(curve), value)
    assert [y for _, y in curve.points] == [1.0, 2.0]


def painted(plot: LossPlot) -> np.ndarray:
    """RGB of the plot as it is drawn."""
    plot.resize(360, 240)
    image = QImage(360, 240, QImage.Format.Format_RGB888)
    image.fill(0)
    painter = QPainter(image)
    plot.render(painter)
    painter.end()
    data = image.constBits().asarray(image.sizeInBytes())
    return np.frombuffer(data, np.uint8).reshape(240, -1)[:, : 3 * 360].copy()


def test_curves_are_drawn(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    empty = painted(plot)
    for step in range(1, 50):
        plot.add_loss(step, 100, 1 / step)
    half = painted(plot)
    assert (half[:120] != empty[:120]).any()
    np.testing.assert_array_equal(half[140:215], empty[140:215])  # no text
    for step in (10, 20, 30):
        plot.add_quality(step, 20 + step, gray=15.0, before=24.0, best=step == 30)
    full = painted(plot)
    assert (full[140:215] != empty[140:215]).any()
    assert plot.quality.best == (30, 50.0)
    plot.clear()
    np.testing.assert_array_equal(painted(plot), empty)


def test_one_point_equal_values_and_infinite_baselines_can_be_drawn(qtbot):
    plot = LossPlot()
    qtbot.addWidget(plot)
    plot.add_loss(1, 1, 0.0)
    plot.add_loss(2, 1, 0.0)
    plot.add_quality(1, math.inf, gray=math.inf, before=20.0, best=True)
    painted(plot)
    assert plot.quality.best is None
    assert plot.quality.levels == {"before": 20.0}


def test_redraws_are_seldom_and_take_little_of_the_time():
    pace = Pace(0.5, 0.1)
    assert pace.due(0.0)
    pace.done(0.01, took=0.01)
    assert not pace.due(0.5) and pace.due(0.52)
    pace.done(1.0, took=0.2)  # slow: nine tenths of the time are for the viewer
    assert not pace.due(2.9) and pace.due(3.1)


def test_the_plot_asks_for_a_redraw_at_most_twice_a_second(qtbot, monkeypatch):
    now = [0.0]
    plot = LossPlot(clock=lambda: now[0])
    qtbot.addWidget(plot)
    asked = []
    monkeypatch.setattr(plot, "update", lambda: asked.append(now[0]))
    for step in range(1000):
        now[0] = step / 100
        plot.add_loss(step, 1000, 1.0)
    assert len(asked) <= 20
