"""Figures that compare a coloured picture with the true one."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from napari_colorgan import metrics
from napari_colorgan.metrics import (
    Figures,
    ciede2000,
    colorfulness,
    compare,
    error_map,
    psnr,
    ssim,
)


@pytest.fixture(scope="module")
def noisy(photo):
    noise = np.random.default_rng(5).normal(0, 12, photo.shape)
    return np.clip(photo + noise, 0, 255).astype(np.uint8)


def test_psnr_equals_scikit_image(photo, noisy):
    assert psnr(noisy, photo) == pytest.approx(peak_signal_noise_ratio(photo, noisy))


def test_psnr_knows_that_255_levels_are_far_apart():
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr(black, white) == psnr(white, black) == 0


def test_equal_pictures_are_perfect(photo):
    assert psnr(photo, photo) == math.inf
    assert ssim(photo, photo) == pytest.approx(1)
    assert ciede2000(photo, photo) == 0


def test_more_noise_is_worse_in_every_measure(photo, noisy):
    noise = np.random.default_rng(6).normal(0, 40, photo.shape)
    worse = np.clip(photo + noise, 0, 255).astype(np.uint8)
    assert psnr(worse, photo) < psnr(noisy, photo)
    assert ssim(worse, photo) < ssim(noisy, photo) < 1
    assert ciede2000(worse, photo) > ciede2000(noisy, photo) > 0


def test_ssim_of_tiny_pictures_is_not_a_number():
    tiny = np.zeros((6, 40, 3), np.uint8)
    assert math.isnan(ssim(tiny, tiny))
    assert not math.isnan(ssim(np.zeros((7, 40, 3), np.uint8), tiny[[0] * 7]))


def test_colorfulness_is_zero_for_gray_and_grows_with_chroma(photo):
    gray = np.repeat(photo[..., :1], 3, axis=-1)
    muted = (gray / 2 + photo / 2).astype(np.uint8)
    assert colorfulness(gray) == 0
    assert 0 < colorfulness(muted) < colorfulness(photo)


def test_colorfulness_follows_the_published_formula():
    # half pure red, half pure blue: rg = 255 or 0, yb = 127.5 or -255
    image = np.zeros((2, 1, 3), np.uint8)
    image[0, 0, 0] = image[1, 0, 2] = 255
    spread = math.hypot(127.5, 191.25)
    mean = math.hypot(127.5, -63.75)
    assert colorfulness(image) == pytest.approx(spread + 0.3 * mean)


@pytest.fixture
def mask(photo):
    mask = np.zeros(photo.shape[:2], np.bool_)
    mask[20:200, 40:300] = True
    mask[100:110] = False
    return mask


def values(figures):
    return [getattr(figures, name) for name in Figures.__dataclass_fields__]


@pytest.mark.parametrize("size", [1, 777, 10_000])
@pytest.mark.parametrize("masked", [False, True])
def test_large_pictures_are_compared_in_parts(
    photo, noisy, mask, monkeypatch, size, masked
):
    here = np.s_[10:50, 30:90]
    part = mask[here] if masked else None
    whole = compare(noisy[here], photo[here], part)
    monkeypatch.setattr(metrics, "_AT_ONCE", size)
    in_parts = compare(noisy[here], photo[here], part)
    assert values(in_parts) == pytest.approx(values(whole))


def test_only_pixels_in_the_mask_count(photo, noisy, mask):
    spoiled = noisy.copy()
    spoiled[~mask] = 0
    without_neighbours = ("psnr", "ciede2000", "colorfulness", "vividness")
    spoiled_figures = compare(spoiled, photo, mask)
    for name in without_neighbours:
        assert getattr(spoiled_figures, name) == getattr(
            compare(noisy, photo, mask), name
        )
    # a mask of everything is no mask
    everything = np.ones_like(mask)
    assert values(compare(noisy, photo, everything)) == pytest.approx(
        values(compare(noisy, photo))
    )
    nothing = compare(noisy, photo, np.zeros_like(mask))
    assert all(math.isnan(value) for value in values(nothing))


def test_the_error_map_shows_where_colors_differ(photo):
    changed = photo.copy()
    changed[:50, :60] = 255 - changed[:50, :60]
    difference = error_map(changed, photo)
    assert difference.shape == photo.shape[:2] and difference.dtype == np.float32
    assert (difference[50:] == 0).all() and (difference[:50, 60:] == 0).all()
    assert difference[:50, :60].mean() > 10
    assert difference.mean() == pytest.approx(ciede2000(changed, photo))


def test_the_mean_of_one_is_that_one_and_of_two_lies_between(photo, noisy):
    one = compare(noisy[:100], photo[:100])
    other = compare(noisy[100:], photo[100:])
    assert values(Figures.mean([one])) == pytest.approx(values(one))
    mean = Figures.mean([one, other])
    for low, middle, high in zip(*map(values, (one, mean, other)), strict=True):
        assert min(low, high) <= middle <= max(low, high)


def test_mean_colorfulness_is_that_of_all_pictures_together(photo, noisy):
    gray = np.repeat(photo[..., :1], 3, axis=-1)
    pairs = [(noisy, photo), (photo, noisy), (gray, photo), (noisy, gray)]
    mean = Figures.mean([compare(image, truth) for image, truth in pairs])
    known = pairs[:3]  # there is no part of a gray truth's colourfulness
    expected = sum(colorfulness(image) for image, _ in known) / sum(
        colorfulness(truth) for _, truth in known
    )
    assert mean.colorfulness == pytest.approx(expected)
    assert math.isnan(Figures.mean([compare(noisy, gray)]).colorfulness)


def test_means_leave_out_what_is_not_known(photo, noisy):
    tiny = compare(noisy[:5], photo[:5])
    normal = compare(noisy, photo)
    assert math.isnan(tiny.ssim)
    assert Figures.mean([tiny, normal]).ssim == normal.ssim
    assert math.isnan(Figures.mean([tiny]).ssim)


def test_ssim_equals_scikit_image(photo, noisy):
    assert ssim(noisy, photo) == pytest.approx(
        structural_similarity(noisy, photo, channel_axis=-1)
    )
