"""A plane coloured again and again while what is said about it changes."""

import numpy as np
import pytest
from skimage import data

from napari_colorgan import Colorizer, Hints, colorize
from napari_colorgan.inference.alternatives import alternatives_job
from napari_colorgan.inference.live import (
    LIVE_MEMORY,
    LivePlane,
    PiecePainted,
    PreviewReady,
    around,
    live_job,
)
from napari_colorgan.inference.source import Source
from napari_colorgan.job import STOP, finish

RED = (200, 60, 40)
CONTEXTS = pytest.mark.parametrize("context", ["whole", "local"])


@pytest.fixture(scope="module")
def checkpoint(make_listening):
    return make_listening()


@pytest.fixture
def make(checkpoint):
    def make(context):
        return Colorizer(checkpoint, context=context, working_size=96)

    return make


@pytest.fixture
def plane():
    return LivePlane.of(Source.of(data.camera()[:300, :420]).plane())


def events_of(job):
    seen = []
    finish(job, seen.append)
    return seen


@CONTEXTS
@pytest.mark.parametrize(  # at once, or in parts
    ("side", "region"),
    [
        (100, np.s_[40:290, 100:400]),
        (400, np.s_[40:290, 100:400]),
        (300, np.s_[0:300, 0:420]),
    ],
)
def test_a_region_is_painted_as_it_would_be_in_the_whole(
    make, plane, context, side, region
):
    colorizer, told = make(context), Hints([[200, 300]], [RED])
    whole = colorize(plane.source.array, colorizer, hints=told)
    canvas = np.zeros_like(whole)
    job = live_job(plane, colorizer, told, side=side, place=(200, 300), region=region)
    small, *pieces = events_of(job)
    assert all(isinstance(piece, PiecePainted) for piece in pieces)
    y, x = pieces[0].region
    assert y.start <= 200 < y.stop and x.start <= 300 < x.stop  # what was clicked
    for piece in pieces:
        canvas[piece.region] = piece.rgb
    assert np.abs(canvas[region].astype(int) - whole[region]).max() <= 1
    canvas[region] = 0
    assert not canvas.any()
    alone, *_ = events_of(live_job(plane, colorizer, told, side=side, place=(200, 300)))
    assert np.abs(alone.rgb.astype(int) - small.rgb).max() <= 1
    assert np.array_equal(alone.gray, small.gray)


def test_a_long_and_narrow_picture_has_a_small_preview(make):
    plane = Source.of(np.tile(data.camera()[:40], (1, 40))).plane()
    [small] = events_of(live_job(plane, make("whole"), side=60))
    assert small.rgb.shape[0] * small.rgb.shape[1] < 5 * 60**2


def test_a_preview_shows_all_of_a_photograph(make, plane):
    [small] = events_of(live_job(plane, make("whole"), side=100))
    assert isinstance(small, PreviewReady)
    assert small.gray.shape == small.rgb.shape == (100, 140, 3)
    assert np.array_equal(small.gray[..., 0], small.gray[..., 1])


def test_a_preview_shows_a_place_of_a_micrograph_at_full_resolution(make, plane):
    colorizer = make("local")
    job = live_job(plane, colorizer, side=100, place=(10, 200))
    [small] = events_of(job)
    whole = colorize(plane.source.array, colorizer)
    assert np.abs(small.rgb.astype(int) - whole[:100, 150:250]).max() <= 1
    assert np.array_equal(small.gray[..., 0], plane.source.array[:100, 150:250])


def test_a_square_is_moved_inside(plane):
    assert around(plane, (0, 419), 50) == np.s_[0:50, 370:420]
    assert around(plane, (150, 5), 400) == np.s_[0:300, 0:400]


@CONTEXTS
def test_what_does_not_change_is_not_computed_again(make, plane, context, monkeypatch):
    # colours that a screen can show: of others, only hue and lightness are seen
    colorizer = make(context).asked_for(saturation=0.1)
    colorizer.remember(LIVE_MEMORY)
    look, seen = colorizer._look, []
    monkeypatch.setattr(colorizer, "_look", lambda x: seen.append(x.shape) or look(x))
    place = (200, 300)

    def shown(colorizer, told=None):
        job = live_job(
            plane, colorizer, told, side=100, place=place, region=plane.whole
        )
        return np.concatenate([e.rgb.ravel() for e in events_of(job)])

    first = shown(colorizer)
    told = Hints([place], [RED])
    hinted = shown(colorizer, told)
    known = len(seen)
    for changes in ({"vividness": 1.0}, {"saturation": 1.5}, {"warmth": -1}):
        assert (shown(colorizer.asked_for(**changes)) != first).any()
    assert (shown(colorizer, Hints([place], [(0, 0, 255)])) != hinted).any()
    assert np.array_equal(shown(colorizer), first)
    assert len(seen) == known


def test_smaller_windows_are_used_when_memory_runs_out(make, plane, monkeypatch):
    colorizer = make("local")
    look, sides = colorizer._look, []

    def limited(gray):
        sides.append(max(gray.shape[-2:]))
        if sides[-1] == sides[0]:
            raise MemoryError
        return look(gray)

    monkeypatch.setattr(colorizer, "_look", limited)
    seen = events_of(live_job(plane, colorizer, side=120, region=plane.whole))
    assert isinstance(seen[0], PreviewReady) and seen[-1].done == seen[-1].total
    assert max(sides) == sides[0] > min(sides)


def test_a_stop_is_heard_after_the_preview(make, plane):
    job = live_job(plane, make("whole"), side=100, region=plane.whole)
    next(job)
    with pytest.raises(StopIteration):
        job.send(STOP)


def test_a_tiny_picture_is_its_own_preview(make):
    tiny = LivePlane(Source.of(np.array([[3, 200], [90, 7]], np.uint8)), ())
    for context in ("whole", "local"):
        [small] = events_of(live_job(tiny, make(context), side=100))
        assert small.rgb.shape == (2, 2, 3)


@CONTEXTS
def test_alternatives_are_hints_that_lead_to_different_colours(make, plane, context):
    colorizer = make(context)
    seen = []
    found = finish(alternatives_job(plane, colorizer, side=64), seen.append)
    assert 2 <= len(found) == len(seen) <= 4
    likelihoods = [each.suggestion.likelihood for each in found]
    assert likelihoods == sorted(likelihoods, reverse=True)
    first, second = (each.rgb.astype(int) for each in found[:2])
    assert np.abs(first - second).max() > 20
    told = Hints([found[1].place], [found[1].suggestion.rgb], found[1].radius)
    [small] = events_of(live_job(plane, colorizer, told, side=64, place=found[1].place))
    assert np.array_equal(small.rgb, found[1].rgb)
