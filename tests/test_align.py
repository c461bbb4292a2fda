"""Shifts are found on real pictures, whatever made the gray one, and taken out."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift
from skimage import data

from napari_colorgan import sample_data
from napari_colorgan.errors import BadPair
from napari_colorgan.inference.intensity import color_to_gray
from napari_colorgan.training.align import Shift, correct, estimate_shift
from napari_colorgan.training.pairs import Pair

BORDER = 24
RGB = sample_data.pair()[1][0][2]


def lightness(rgb):
    return color_to_gray(rgb).astype(float)


def noisy(picture):
    return picture + np.random.default_rng(0).normal(0, 0.03, picture.shape)


GRAYS = {
    "lightness": lightness,
    "gamma": lambda rgb: lightness(rgb) ** 1.4,
    "inverted": lambda rgb: 1 - lightness(rgb),
    "noisy": lambda rgb: noisy(lightness(rgb)),
    "blurred": lambda rgb: gaussian_filter(lightness(rgb), 3),
    "high-passed": lambda rgb: lightness(rgb) - gaussian_filter(lightness(rgb), 4),
    "stain": lambda rgb: noisy(gaussian_filter((rgb[..., 1] / 255) ** 2, 1.5)),
}

PICTURES = {
    "immunohistochemistry": lambda: data.immunohistochemistry()[:300, :400],
    "retina": lambda: data.retina()[400:800, 300:700],
    "photo": lambda: data.astronaut()[:300, 60:400],
}


def shifted(rgb, make, y, x) -> Pair:
    """Pair whose colour lies (y, x) px away from where it belongs."""
    height, width = rgb.shape[:2]
    gray = np.clip(make(rgb), 0, 1).astype(np.float32)
    inner = np.s_[BORDER : height - BORDER, BORDER : width - BORDER]
    moved = np.s_[BORDER + y : height - BORDER + y, BORDER + x : width - BORDER + x]
    return Pair("slide", gray[inner], rgb[moved])


@pytest.mark.parametrize("gray", GRAYS)
@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("truth", [(0, 0), (4, -9), (-15, 2)])
def test_a_shift_is_found(picture: str, gray: str, truth: tuple[int, int]) -> None:
    pair = shifted(PICTURES[picture](), GRAYS[gray], *truth)
    found = estimate_shift(pair)
    assert found is not None
    assert np.hypot(found.y - truth[0], found.x - truth[1]) < 0.6


@pytest.mark.parametrize("gray", ["lightness", "inverted", "stain"])
def test_a_corrected_pair_lies_over_itself(gray: str) -> None:
    rgb = PICTURES["immunohistochemistry"]()
    pair = shifted(rgb, GRAYS[gray], 7, -5)
    found = estimate_shift(pair)
    assert found is not None
    corrected = correct(pair, found)
    assert corrected.shape == (pair.shape[0] - 7, pair.shape[1] - 5)
    truth = shifted(rgb, GRAYS[gray], 0, 0)
    np.testing.assert_array_equal(corrected.color, truth.color[7:, :-5])
    np.testing.assert_array_equal(corrected.gray, truth.gray[7:, :-5])
    again = estimate_shift(corrected)
    assert again is not None and again.length < 0.6


def test_parts_of_a_pixel_are_found() -> None:
    rgb = PICTURES["immunohistochemistry"]()
    moved = shift(rgb.astype(float), (1.4, -0.7, 0), order=3, mode="reflect")
    pair = Pair("slide", color_to_gray(rgb), moved.clip(0, 255).astype(np.uint8))
    found = estimate_shift(pair)
    assert found is not None
    assert (found.y, found.x) == pytest.approx((-1.4, 0.7), abs=0.15)
    assert found.length == pytest.approx(np.hypot(1.4, 0.7), abs=0.2)


def test_only_the_middle_of_a_large_picture_is_read() -> None:
    rgb = np.tile(data.immunohistochemistry(), (4, 4, 1))
    color = np.roll(rgb, (3, 4), (0, 1))
    gray = color_to_gray(rgb)
    gray[:400] = color[:400] = 0
    found = estimate_shift(Pair("slide", gray, color))
    assert found is not None and (found.y, found.x) == pytest.approx((-3, -4), abs=0.1)


def test_the_region_decides_where_a_pair_has_one() -> None:
    rgb = np.tile(PICTURES["immunohistochemistry"](), (2, 1, 1))
    color = rgb.copy()
    color[:256] = np.roll(rgb[:256], (6, 0), (0, 1))  # the upper half moved alone
    mask = np.zeros(rgb.shape[:2], bool)
    mask[10:250, 10:300] = True
    found = estimate_shift(Pair("slide", color_to_gray(rgb), color, mask))
    assert found is not None and (found.y, found.x) == pytest.approx((-6, 0), abs=0.3)


def flat():
    return Pair("flat", np.full((128, 128), 0.5, np.float32), RGB[:128, :128])


def noise():
    gray = np.random.default_rng(0).random((240, 240), np.float32)
    return Pair("noise", gray, RGB)


def derivative():
    edges = gaussian_filter(lightness(RGB), 1, order=(0, 1)) * 2 + 0.5
    return Pair("edges", edges.astype(np.float32), RGB)


def unrelated():
    return Pair("other", color_to_gray(sample_data.pair()[1][0][0]), RGB)


def far():
    """Shifted by more than a quarter of its side."""
    return Pair("far", color_to_gray(RGB[60:188, :128]), RGB[100:228, :128])


def tiny():
    return Pair("tiny", color_to_gray(RGB)[:64, :64], RGB[:64, :64])


def gray_color():
    return Pair("no", color_to_gray(RGB), np.full_like(RGB, 128))


@pytest.mark.parametrize(
    "make", [flat, noise, derivative, unrelated, far, tiny, gray_color]
)
def test_no_answer_where_none_is_reliable(make) -> None:
    assert estimate_shift(make()) is None


def test_a_mask_moves_with_the_gray_picture() -> None:
    mask = np.zeros((240, 240), bool)
    mask[100:140, 140:200] = True
    pair = Pair("slide", color_to_gray(RGB), RGB, mask)
    corrected = correct(pair, Shift(10.2, -20.4))
    assert corrected.shape == (230, 220)
    np.testing.assert_array_equal(corrected.gray, pair.gray[10:, :-20])
    np.testing.assert_array_equal(corrected.color, pair.color[:-10, 20:])
    np.testing.assert_array_equal(corrected.mask, mask[10:, :-20])
    assert not np.shares_memory(corrected.gray, pair.gray)


def test_what_cannot_be_corrected_is_refused() -> None:
    mask = np.zeros((240, 240), bool)
    mask[:5] = True
    pair = Pair("slide", color_to_gray(RGB), RGB, mask)
    with pytest.raises(BadPair, match=r"10\.0 px .* nothing of the region .*'slide'"):
        correct(pair, Shift(10, 0))
    with pytest.raises(BadPair, match=r"'slide' with 240 x 10 px .* 16 x 16 px"):
        correct(pair, Shift(0, -230))
