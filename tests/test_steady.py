"""Colours of a stack stay from plane to plane, where the gray does."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage import data

from napari_colorgan import Colorizer, Hints, colorize, colorize_lazy
from napari_colorgan.color import rgb_to_lab
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.axes import Axes
from napari_colorgan.inference.colorize import colorize_job, colorize_region
from napari_colorgan.inference.live import LivePlane, PiecePainted, live_job
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.steady import plane_in_stack, planes_in_order
from napari_colorgan.inference.zoom import ZoomedColors
from napari_colorgan.job import finish

CONTEXTS = pytest.mark.parametrize("context", ["whole", "local"])
COUNT = 7


@pytest.fixture(scope="module")
def checkpoint(make_listening):
    return make_listening()


@pytest.fixture
def make(checkpoint):
    def make(context, steady=1.0, model=checkpoint):
        options = {"tile": 192} if context == "local" else {"working_size": 96}
        # colours that a screen can show: of others, only hue and lightness are seen
        saturation = 0.2 if model is checkpoint else 1.0
        return Colorizer(
            model, context=context, steady=steady, saturation=saturation, **options
        )

    return make


@pytest.fixture(scope="module")
def film():
    """A photograph seven times, each with noise of its own, (T, Y, X) uint8."""
    picture = data.camera()[60:200, 100:260].astype(float)
    noise = np.random.default_rng(0).normal(0, 8, (COUNT, *picture.shape))
    return (picture + noise).clip(0, 255).round().astype(np.uint8)


def lab(rgb):
    """L, a and b of (T, Y, X, 3)."""
    levels = torch.from_numpy(np.ascontiguousarray(rgb)).movedim(-1, 1)
    return rgb_to_lab(levels / 255).numpy()


def flicker(rgb):
    return float(np.abs(np.diff(lab(rgb)[:, 1:], axis=0)).mean())


@CONTEXTS
def test_colours_flicker_less_and_lightness_stays(make, film, context):
    alone, some, steady = (
        colorize(film, make(context, steady, "micro")) for steady in (0.0, 0.5, 1.0)
    )
    assert flicker(steady) < 0.6 * flicker(alone)
    assert flicker(steady) < flicker(some) < flicker(alone)
    assert np.abs(lab(steady)[:, 0] - lab(alone)[:, 0]).max() < 1.5  # rounding


@CONTEXTS
def test_what_moves_leaves_no_trail(make, film, context):
    moving = film.copy()
    moving[3, 40:90, 40:90] = 255 - moving[3, 40:90, 40:90] // 2
    colorizer = make(context)
    still, moved = colorize(film, colorizer), colorize(moving, colorizer)
    alone = colorize(moving, make(context, 0.0))
    inside = np.s_[:, 56:76, 56:76]
    there = lab(moved[3:4])[(0, *inside)][1:] - lab(alone[3:4])[(0, *inside)][1:]
    assert np.abs(there).mean() < 1.5  # it has the colours of its own plane
    left = lab(moved[2:3])[(0, *inside)][1:] - lab(still[2:3])[(0, *inside)][1:]
    assert np.abs(left).mean() < 1.5 or context == "whole"  # which sees all at once


@CONTEXTS
def test_a_lamp_that_flickers_changes_no_colours(make, film, context):
    lamp = np.arange(COUNT) % 2 * 40.0
    bright = film[3] + lamp[:, None, None]
    alone, steady = (
        colorize(bright, make(context, steady, "micro"), limits=(0, 320))
        for steady in (0.0, 1.0)
    )
    assert flicker(steady) < 0.6 * flicker(alone)


@CONTEXTS
def test_a_part_has_the_colours_that_it_has_in_the_whole(make, film, context):
    colorizer = make(context)
    hints = Hints([[3, 60, 80]], [(200, 60, 40)], planes=[[[2, 4]]])
    whole = colorize(film, colorizer, hints=hints)

    some = colorize(film, colorizer, hints=hints, planes=range(3, 5))
    assert np.abs(some.astype(int) - whole[3:5]).max() <= 1

    source, region = Source.of(film, axes="TYX"), np.s_[20:100, 50:150]
    part = colorize_region(source, colorizer, region, (3,), hints)
    assert np.abs(part.astype(int) - whole[3][region]).max() <= 1

    plane = LivePlane.of(plane_in_stack(source, (4,)))
    canvas = np.zeros_like(whole[4])
    job = live_job(plane, colorizer, hints.of_plane((4,)), side=64, region=plane.whole)
    for event in job:
        if isinstance(event, PiecePainted):
            canvas[event.region] = event.rgb
    assert np.abs(canvas.astype(int) - whole[4]).max() <= 1

    seen = ZoomedColors([source], colorizer, hints).paint(0, (2,), region)
    assert np.abs(seen.astype(int) - whole[2][region]).max() <= 1

    first = finish(colorize_job(source, colorizer, first=(5,), hints=hints))
    assert np.abs(first.astype(int) - whole).max() <= 1


def test_each_plane_is_looked_at_no_more_often_than_needed(make, film, monkeypatch):
    seen = []

    def count(colorizer):
        for name in ("_look", "_predict"):
            plain = getattr(colorizer, name)

            def counted(*values, plain=plain):
                seen.append(1)
                return plain(*values)

            monkeypatch.setattr(colorizer, name, counted)
        colorize(film, colorizer)
        looks, seen[:] = len(seen), []
        return looks

    assert count(make("whole")) == COUNT
    assert count(make("local")) <= 2 * COUNT


def test_neighbours_are_those_in_time_and_not_all_are_kept():
    source = Source.of(np.zeros((2, 9, 4, 5), np.uint8), axes="CTYX")
    planes = list(planes_in_order(source, (1, 4)))
    assert planes[0].index == (1, 4)
    assert sorted(plane.index for plane in planes) == list(np.ndindex(2, 9))
    for plane in planes:
        channel, time = plane.index
        near = {(channel, t) for t in range(time - 2, time + 3) if 0 <= t < 9}
        assert {other.index for _, other in plane.around} == near - {plane.index}
    for before, after in pairwise(planes[1:]):
        shared = {id(other) for _, other in before.around} & {
            id(other) for _, other in after.around
        }
        assert before.index[0] != after.index[0] or shared


@pytest.mark.parametrize(
    ("letters", "axis"), [("ZTYX", 1), ("CZYX", 1), ("CYX", None), ("YX", None)]
)
def test_channels_are_no_neighbours(letters, axis):
    assert Axes(letters).steady == axis


def test_what_cannot_be_steady_says_so(make_checkpoint, film):
    with pytest.raises(BadSetting, match="makes its own lightness"):
        Colorizer(make_checkpoint(codec="rgb", options={"out_channels": 3}), steady=0.5)
    with pytest.raises(BadSetting, match="steady is 2"):
        colorize(film, steady=2)
    with pytest.raises(BadSetting, match="one by one"):
        colorize_lazy(film, steady=0.5)
