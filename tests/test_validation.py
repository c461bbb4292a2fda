"""The held-out part is judged always alike, beside two baselines."""

import math

import numpy as np
import pytest
from skimage import data

from napari_colorgan.inference.colorize import colorize
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training import validation as module
from napari_colorgan.training.pairs import Pair, pairs_of
from napari_colorgan.training.validation import Validation, goodness


@pytest.fixture(scope="module")
def colorizers(make_colorizer):
    """Two colorizers of different weights."""
    return [make_colorizer("compact", seed=seed) for seed in (0, 1)]


def figures(psnr=20.0, colorfulness=1.0):
    return Figures(psnr=psnr, ssim=0.5, ciede2000=5.0, colorfulness=colorfulness)


# -- what is better


def test_between_90_and_110_percent_of_the_color_only_psnr_counts():
    for colorfulness in (0.9, 0.95, 1.0, 1.1):
        assert goodness(figures(21.5, colorfulness)) == pytest.approx(21.5)


@pytest.mark.parametrize(("near", "far"), [(0.9, 0.7), (1.1, 1.3), (0.7, 0.0), (1, 3)])
def test_of_equal_psnr_the_colorfulness_nearer_to_the_truths_is_better(near, far):
    assert goodness(figures(20, near)) > goodness(figures(20, far))


def test_pale_and_vivid_are_priced_alike():
    assert goodness(figures(20, 0.7)) == pytest.approx(19.0)
    assert goodness(figures(20, 1.3)) == pytest.approx(19.0)
    assert goodness(figures(20.5, 0.85)) > goodness(figures(20, 1.0))


def test_where_the_truth_is_gray_psnr_decides():
    assert goodness(figures(20, math.nan)) == 20


# -- which pixels


def test_figures_are_those_of_coloring_the_pictures(photo, colorizers):
    before, now = colorizers
    pairs = pairs_of(photo[:96, :128], name="a") + pairs_of(photo[100:196, :96])
    validation = Validation.of_pairs(pairs, "local", before)
    expected = Figures.mean(
        [compare(colorize(pair.gray, now, limits=(0, 1)), pair.color) for pair in pairs]
    )
    found = validation.figures(now)
    assert found == validation.figures(now)
    for name in ("psnr", "ssim", "ciede2000", "colorfulness"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=0.02)
    assert validation.before == validation.figures(before)
    assert validation.before != found
    gray = [
        compare(np.repeat(np.uint8(np.rint(p.gray * 255))[..., None], 3, -1), p.color)
        for p in pairs
    ]
    assert validation.gray == Figures.mean(gray)
    assert validation.gray.colorfulness == pytest.approx(0, abs=0.01)


def test_of_a_large_pair_the_middle_is_judged_at_its_own_resolution(
    monkeypatch, colorizers
):
    monkeypatch.setattr(module, "_PIXELS", 64 * 64)
    picture = data.astronaut()[:192, :192].copy()
    (pair,) = pairs_of(picture)
    around = pairs_of(np.where(center(picture), picture, 255 - picture))[0]
    middle = pair.cropped(np.s_[64:128, 64:128])
    found = [
        Validation.of_pairs([p], "local", colorizers[0]).figures(colorizers[1])
        for p in (pair, around, middle)
    ]
    assert found[0] == found[1] == found[2]


def center(picture):
    inside = np.zeros((*picture.shape[:2], 1), bool)
    inside[64:128, 64:128] = True
    return inside


def test_of_a_large_pair_in_whole_context_all_is_judged_reduced(
    monkeypatch, colorizers
):
    monkeypatch.setattr(module, "_PIXELS", 48 * 48)
    seen = []
    original = module.score
    monkeypatch.setattr(
        module,
        "score",
        lambda pair, colorizer: seen.append(pair) or original(pair, colorizer),
    )
    picture = data.astronaut()[:192, :384]
    mask = np.zeros((192, 384), bool)
    mask[:, :192] = True
    (pair,) = pairs_of(picture, mask=mask)
    Validation.of_pairs([pair], "whole", colorizers[0])
    (small,) = seen
    height, width = small.shape
    assert height * width <= 48 * 48 and width == pytest.approx(2 * height, abs=1)
    assert small.mask.mean() == pytest.approx(0.5, abs=0.03)
    assert small.color.dtype == np.uint8 and small.gray.dtype == np.float32
    assert small.color.mean() == pytest.approx(picture.mean(), abs=2)
    assert small.gray.mean() == pytest.approx(pair.gray.mean(), abs=0.02)


def test_many_held_out_pairs_share_the_pixels(monkeypatch, colorizers, photo):
    monkeypatch.setattr(module, "_PIXELS", 4 * 32 * 32)
    seen = []
    original = module.score
    monkeypatch.setattr(
        module,
        "score",
        lambda pair, colorizer: seen.append(pair) or original(pair, colorizer),
    )
    pairs = [pairs_of(photo[n : n + 80, :120], name=str(n))[0] for n in range(4)]
    Validation.of_pairs(pairs, "local", colorizers[0])
    assert [pair.name for pair in seen] == ["0", "1", "2", "3"]
    assert all(pair.gray.size <= 32 * 32 for pair in seen)


@pytest.mark.parametrize("context", ["local", "whole"])
def test_only_what_the_mask_marks_is_judged(monkeypatch, colorizers, context):
    monkeypatch.setattr(module, "_PIXELS", 64 * 64)
    picture = data.astronaut()[:256, :256].copy()
    mask = np.zeros((256, 256), bool)
    mask[8:72, 168:240] = True  # far from the middle
    inside = pairs_of(picture, mask=mask)[0]
    painted = inside.color.copy()
    painted[~mask] = (255, 0, 255)
    other = Pair("p", inside.gray, painted, mask)
    a, b = (
        Validation.of_pairs([p], context, colorizers[0]).figures(colorizers[1])
        for p in (inside, other)
    )
    assert math.isfinite(a.psnr)
    if context == "local":
        for name in ("psnr", "ciede2000", "colorfulness"):
            assert getattr(a, name) == getattr(b, name)
    else:  # where it is reduced, pixels at the border mix
        assert a.psnr == pytest.approx(b.psnr, abs=1.5)


# -- the preview


@pytest.mark.parametrize("context", ["local", "whole"])
def test_a_preview_shows_four_pictures_of_one_place(photo, colorizers, context):
    before, now = colorizers
    pairs = pairs_of(photo, name="a") + pairs_of(photo[::-1])
    validation = Validation.of_pairs(pairs, context, before)
    shown = validation.preview(now)
    parts = (shown.gray, shown.before, shown.now, shown.truth)
    assert len({part.shape for part in parts}) == 1
    height, width, samples = shown.gray.shape
    assert samples == 3 and 64 * 64 < height * width <= 192 * 192
    assert {part.dtype for part in parts} == {np.dtype(np.uint8)}
    assert (shown.gray[..., :1] == shown.gray).all()
    assert not np.array_equal(shown.before, shown.now)
    truth = shown.truth.astype(float).mean(-1)
    assert np.corrcoef(truth.ravel(), shown.gray[..., 0].ravel())[0, 1] > 0.95
    again = validation.preview(now)
    assert np.array_equal(again.now, shown.now)
    if context == "local":  # of the first pair, at its own resolution
        top, left = (256 - height) // 2, (320 - width) // 2
        assert np.array_equal(
            shown.truth, photo[top : top + height, left : left + width]
        )


def test_a_small_pair_is_shown_whole(photo, colorizers):
    (pair,) = pairs_of(photo[:40, :60])
    shown = Validation.of_pairs([pair], "local", colorizers[0]).preview(colorizers[0])
    assert np.array_equal(shown.truth, photo[:40, :60])
    assert np.array_equal(shown.before, shown.now)
