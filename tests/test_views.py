"""What a generator is shown of a plane, and how its colours come back to full size."""

import itertools
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from skimage import color, data

from napari_colorgan.inference.colorize import colorize, colorize_region
from napari_colorgan.inference.looking import working_shape
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.tiling import BORDER, Tiling
from napari_colorgan.inference.views import paint, prepare, resample

LENGTH = st.integers(1, 10**7)


@given(LENGTH, LENGTH, st.integers(64, 1024))
def test_what_whole_context_shows_is_bounded(height, width, size):
    shown = working_shape((height, width), size)
    padded = (shown[0] + 2 * BORDER) * (shown[1] + 2 * BORDER)
    assert padded <= 12 * (size + 2 * BORDER) ** 2
    assert min(shown) <= size + 1
    assert shown[0] <= 4 * height + 1 and shown[1] <= 4 * width + 1
    assert min(shown) >= 1


@given(st.integers(100, 4000), st.floats(1, 4), st.integers(64, 512))
def test_photographs_are_shown_at_their_working_size(short, aspect, size):
    shape = (short, round(short * aspect))
    if short * 4 >= size:
        shown = working_shape(shape, size)
        assert abs(min(shown) - size) <= 1 + size // 100
        assert shown[1] / shown[0] == pytest.approx(shape[1] / shape[0], rel=0.02)


@pytest.mark.parametrize("shape", [(64, 64), (100, 37), (31, 200), (1, 90), (90, 1)])
def test_resampling_enlarges_like_torch(shape):
    small = torch.rand(1, 2, 32, 32)
    piece = (slice(0, shape[0]), slice(0, shape[1]))
    expected = F.interpolate(small, shape, mode="bilinear")
    assert torch.allclose(resample(small, shape, piece), expected, atol=1e-4)


def test_a_resampled_piece_is_that_piece_of_the_whole():
    small = torch.rand(1, 2, 17, 23)
    shape = (301, 407)
    everything = resample(small, shape, (slice(0, 301), slice(0, 407)))
    for rows, columns in (
        ((0, 1), (0, 1)),
        ((300, 301), (5, 407)),
        ((60, 200), (7, 8)),
    ):
        piece = (slice(*rows), slice(*columns))
        alone = resample(small, shape, piece)
        assert torch.equal(alone, everything[..., piece[0], piece[1]])


def inputs(colorizer, monkeypatch):
    """Record what the generator is shown."""
    predict, seen = colorizer._predict, []

    def spy(gray, statistics):
        seen.append(gray)
        return predict(gray, statistics)

    monkeypatch.setattr(colorizer, "_predict", spy)
    return seen


@pytest.mark.parametrize("shape", [(1, 1), (5, 700), (300, 200), (512, 512)])
def test_whole_context_shows_a_plane_once(make_colorizer, monkeypatch, shape):
    colorizer = make_colorizer(context="whole", working_size=96)
    seen = inputs(colorizer, monkeypatch)
    colorize(np.resize(data.camera(), shape), colorizer)
    assert len(seen) == 1
    assert all(n % colorizer.stride == 0 for n in seen[0].shape[2:])
    assert (seen[0] >= 0).all() and (seen[0] <= 1).all()


def test_whole_context_costs_the_same_for_large_planes(make_colorizer, monkeypatch):
    colorizer = make_colorizer(context="whole", working_size=96)
    seen = inputs(colorizer, monkeypatch)
    camera = data.camera()
    colorize(camera, colorizer)
    colorize(np.kron(camera, np.ones((3, 3), np.uint8)), colorizer)
    assert seen[0].shape == seen[1].shape
    scene, same = seen  # whatever its size
    assert (scene - same).abs().mean() < 0.1 * (scene - scene.flip(3)).abs().mean()


@pytest.mark.parametrize("shape", [(701, 900), (190, 260)])
def test_whole_context_shows_the_plane_not_its_aliases(
    make_colorizer, monkeypatch, shape
):
    # a fine grid averages to middle gray however the plane is reduced
    colorizer = make_colorizer(context="whole", working_size=96)
    seen = inputs(colorizer, monkeypatch)
    grid = (np.indices(shape).sum(0) % 2 * 255).astype(np.uint8)
    colorize(grid, colorizer)
    inner = seen[0][..., 1:90, 1:90]
    assert (inner - 0.5).abs().max() < 0.05


def test_whole_context_shows_the_picture_to_its_border_and_no_further(
    make_colorizer, monkeypatch
):
    # where the picture ends is something to know: a sky begins at the top
    camera = data.camera()[:96, :128]
    colorizer = make_colorizer(context="whole", working_size=96)
    seen = inputs(colorizer, monkeypatch)
    colorize(camera, colorizer)
    assert np.allclose(seen[0][0, 0], camera / 255, atol=1e-6)


def test_whole_context_spreads_levels_if_the_checkpoint_says_so(
    make_colorizer, monkeypatch
):
    camera = data.camera()[100:196, 200:328].astype(np.float32)
    colorizer = make_colorizer(context="whole", working_size=96, levels="spread")
    seen = inputs(colorizer, monkeypatch)
    for picture in (60 + 0.5 * camera, 90 + 0.3 * camera):
        result = colorize(picture, colorizer, limits=(0, 255))
        lightness = color.rgb2lab(result)[..., 0].mean()
        # what comes out is as light as what came in
        assert lightness == pytest.approx(
            color.rgb2lab(color.gray2rgb(picture / 255))[..., 0].mean(), abs=1
        )
    assert np.allclose(seen[0], seen[1], atol=1e-5)
    darkest, lightest = float(seen[0].min()), float(seen[0].max())
    assert (darkest, lightest) == pytest.approx((0.1, 0.9), abs=1e-5)


def test_a_mirrored_border_surrounds_what_is_shown(make_colorizer, monkeypatch):
    colorizer = make_colorizer(context="local")
    seen = inputs(colorizer, monkeypatch)
    colorize(data.camera()[:96, :96], colorizer)
    window = seen[0][0, 0].numpy()
    inside = window[BORDER : BORDER + 96, BORDER : BORDER + 96]
    after = [n - BORDER - 96 for n in window.shape]
    padded = np.pad(inside, [(BORDER, after[0]), (BORDER, after[1])], mode="reflect")
    assert np.allclose(window, padded, atol=1e-6)


def test_local_context_shows_native_pixels_whatever_the_size(
    make_colorizer, monkeypatch
):
    camera = data.camera()
    colorizer = make_colorizer()
    seen = inputs(colorizer, monkeypatch)
    colorize(camera, colorizer)
    assert len(seen) == 5 * 5  # steps of 96 px; the ends need no halo
    levels = torch.cat([w.flatten() for w in seen]) * 255
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert max(w.numel() for w in seen) <= 256 * 256


def test_windows_that_disagree_fade_into_each_other(make_colorizer, monkeypatch):
    colorizer = make_colorizer()
    tones = itertools.cycle([-0.3, 0.3])  # of 110 units of a, well inside sRGB

    def disagree(gray, statistics):
        prediction = torch.zeros(1, 2, *gray.shape[2:])
        prediction[:, 0] = next(tones)
        return prediction

    monkeypatch.setattr(colorizer, "_predict", disagree)
    # five windows in a row: like a chessboard
    rgb = colorize(np.full((480, 480), 128, np.uint8), colorizer)
    a = color.rgb2lab(rgb)[..., 1]
    assert a.min() < -30 and a.max() > 30
    for axis in (0, 1):
        fading = 66 / (colorizer.tiling.blend + 1)
        assert np.abs(np.diff(a, axis=axis)).max() < fading + 1.5  # 8-bit rounding


def test_windows_that_agree_are_blended_to_what_they_say(make_colorizer, monkeypatch):
    camera = data.camera()
    colorizer = make_colorizer()

    def constant(gray, statistics):
        return torch.tensor([0.2, -0.3]).view(1, 2, 1, 1).expand(1, 2, *gray.shape[2:])

    monkeypatch.setattr(colorizer, "_predict", constant)
    tiled = colorize(camera, colorizer)
    colorizer.tiling = Tiling(1024)
    assert np.abs(tiled.astype(int) - colorize(camera, colorizer)).max() <= 1


def test_results_know_nothing_of_decoding_bands(make_colorizer, monkeypatch):
    colorizer = make_colorizer(context="whole", working_size=96)
    camera = data.camera()
    expected = colorize(camera, colorizer)
    monkeypatch.setattr("napari_colorgan.inference.views._BAND", 77)
    assert np.abs(colorize(camera, colorizer).astype(int) - expected).max() <= 1


def test_regions_of_a_plane_cost_one_prediction(make_colorizer, monkeypatch):
    colorizer = make_colorizer(context="whole", working_size=96)
    seen = inputs(colorizer, monkeypatch)
    camera = data.camera()
    regions = [np.s_[0:90, 0:300], np.s_[200:201, 7:500], np.s_[0:512, 0:512]]
    parts = [colorize_region(camera, colorizer, region) for region in regions]
    assert len(seen) == 1
    for region, part in zip(regions, parts, strict=True):
        assert np.array_equal(part, parts[-1][region])
    assert np.array_equal(colorize(camera, colorizer), parts[-1])
    assert len(seen) == 1


def test_what_was_predicted_for_other_data_is_not_used(make_colorizer, monkeypatch):
    colorizer = make_colorizer(context="whole", working_size=96)
    seen = inputs(colorizer, monkeypatch)
    picture, region = data.camera().copy(), np.s_[0:90, 0:300]
    source = Source.of(picture)
    colorizer.remember(5 * 96**2)
    for number in range(1, 13):
        picture[...] = np.roll(picture, 31, axis=1)  # in place, as a user may
        colorize_region(source, colorizer, region)
        assert len(seen) == number
    colorize_region(source, colorizer, region)
    assert len(seen) == 12
    picture[...] = np.roll(picture, -4 * 31, axis=1)
    colorize_region(source, colorizer, region)
    assert len(seen) == 12  # the fifth latest
    picture[...] = np.roll(picture, -31, axis=1)
    colorize_region(source, colorizer, region)
    assert len(seen) == 13


@pytest.mark.parametrize("context", ["whole", "local"])
@pytest.mark.parametrize("statistics", ["picture", "stored"])
def test_what_is_prepared_travels_without_the_picture_or_a_network(
    make_colorizer, context, statistics
):
    colorizer, elsewhere = (
        make_colorizer(context=context, statistics=statistics, working_size=96)
        for _ in range(2)
    )
    large = np.tile(data.camera(), (6, 6))
    sent = pickle.dumps(prepare(Source.of(large).plane(), colorizer))
    assert len(sent) < 300_000
    plane, region = Source.of(large).plane(), np.s_[1000:1200, 1020:1040]
    out = np.zeros((*large.shape, 3), np.uint8)
    for piece in paint(plane, pickle.loads(sent), region, elsewhere):
        out[piece.region] = piece.rgb
    assert np.array_equal(out[region], colorize_region(large, colorizer, region))


@pytest.mark.parametrize("context", ["whole", "local"])
def test_painting_promises_as_many_pieces_as_it_yields(make_colorizer, context):
    colorizer = make_colorizer(context=context, working_size=96)
    plane = Source.of(data.camera()).plane()
    prepared = prepare(plane, colorizer)
    for region in (
        plane.whole,
        (slice(0, 1), slice(0, 1)),
        (slice(100, 300), slice(511, 512)),
    ):
        pieces = list(paint(plane, prepared, region, colorizer))
        assert [piece.number for piece in pieces] == list(range(1, len(pieces) + 1))
        assert {piece.count for piece in pieces} == {len(pieces)}
