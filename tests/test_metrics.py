"""Figures that compare a coloured picture with the true one."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from napari_colorgan.metrics import ciede2000, colorfulness, psnr, ssim


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
