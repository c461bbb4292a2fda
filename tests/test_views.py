"""What a generator is shown of a plane, and how its colours come back to full size."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from skimage import color, data

from napari_colorgan.inference.colorize import colorize
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.tiling import BORDER
from napari_colorgan.inference.views import resample, working_shape

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
    predict, seen = colorizer.predict, []

    def spy(gray, statistics):
        seen.append(gray)
        return predict(gray, statistics)

    monkeypatch.setattr(colorizer, "predict", spy)
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


def test_whole_context_shows_the_plane_not_its_aliases(make_colorizer, monkeypatch):
    # a fine grid averages to middle gray however the plane is reduced
    colorizer = make_colorizer(context="whole", working_size=96)
    seen = inputs(colorizer, monkeypatch)
    grid = (np.indices((701, 900)).sum(0) % 2 * 255).astype(np.uint8)
    colorize(grid, colorizer)
    inner = seen[0][..., BORDER + 1 : BORDER + 90, BORDER + 1 : BORDER + 90]
    assert (inner - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("context", ["whole", "local"])
def test_a_mirrored_border_surrounds_what_is_shown(
    make_colorizer, monkeypatch, context
):
    colorizer = make_colorizer(context=context, working_size=96)
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
    assert len(seen) == 6 * 6  # steps of 96 px
    levels = torch.cat([w.flatten() for w in seen]) * 255
    assert torch.allclose(levels, levels.round(), atol=1e-3)
    assert max(w.numel() for w in seen) <= 256 * 256


def test_tiles_cannot_be_seen(make_colorizer):
    # The network's view is far wider than halo and blend: what differs between windows
    # is cross-faded, so a step across their borders is no larger than one elsewhere.
    camera = data.camera()[:320, :320]
    colorizer = make_colorizer("unet", {"norm": "none"}, tiling=(192, 48, 32))
    ab = color.rgb2lab(colorize(camera, colorizer))[..., 1:]
    steps = np.abs(np.diff(ab, axis=1)).mean(axis=(0, 2))
    step = colorizer.tiling.step
    at_borders = [k * step - b - 1 for k in (1, 2, 3) for b in (0, 32)]
    others = np.delete(steps, at_borders)
    assert steps[at_borders].mean() < 1.1 * others.mean()


def test_results_know_nothing_of_decoding_bands(make_colorizer, monkeypatch):
    colorizer = make_colorizer(context="whole", working_size=96)
    camera = data.camera()
    expected = colorize(camera, colorizer)
    monkeypatch.setattr("napari_colorgan.inference.views._BAND", 77)
    assert np.abs(colorize(camera, colorizer).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("context", ["whole", "local"])
def test_a_view_promises_as_many_pieces_as_it_yields(make_colorizer, context):
    colorizer = make_colorizer(context=context, working_size=96)
    plane = Source.of(data.camera()).plane()
    view = colorizer.view(plane)
    for region in (
        plane.whole,
        (slice(0, 1), slice(0, 1)),
        (slice(100, 300), slice(511, 512)),
    ):
        assert len(list(view.finished(region))) == view.count(region)
