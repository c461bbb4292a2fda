"""Gray values of any type become [0, 1] without a warning or a surprise."""

import io
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from skimage import color, data

from napari_colorgan.errors import BadArray, BadSetting
from napari_colorgan.inference.intensity import (
    Limits,
    check_dtype,
    color_to_gray,
    full_range,
    has_color,
    percentile_limits,
    scale,
)

REAL = ["?", *np.typecodes["AllInteger"], *np.typecodes["Float"]]
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("code", REAL)
def test_real_types_are_accepted_and_span_zero_to_one(code):
    dtype = np.dtype(code)
    check_dtype(dtype, "The array")
    limits = full_range(dtype)
    range_ = np.iinfo(dtype) if dtype.kind in "ui" else None
    ends = np.array([range_.min, range_.max] if range_ else [0, 1], dtype)
    assert scale(ends, limits).tolist() == [0, 1]
    assert scale(ends, limits).dtype == np.float32


@pytest.mark.parametrize(
    ("dtype", "message"),
    [
        ("c8", r"holds complex numbers.*magnitude"),
        ("c16", "complex"),
        ("O", "object"),
        ("U3", "gray pictures hold booleans"),
        ("M8[s]", "datetime"),
        ("V4", "void|V4"),
    ],
)
def test_other_types_are_refused(dtype, message):
    with pytest.raises(BadArray, match=message):
        check_dtype(np.dtype(dtype), "The array")


def test_8_bit_values_are_divided_by_255_exactly():
    levels = np.arange(256, dtype=np.uint8)
    expected = levels.astype(np.float32) / np.float32(255)
    assert np.array_equal(scale(levels, Limits(0.0, 255.0)), expected)
    assert np.array_equal(np.rint(scale(levels, Limits(0, 255)) * 255), levels)


@example(0.0, 5e-324, [0.0, 1.0])
@given(FINITE, FINITE, st.lists(FINITE, min_size=1, max_size=20))
def test_any_finite_floats_scale_in_order_and_range(a, b, values):
    limits = Limits(min(a, b), max(a, b))
    scaled = scale(np.sort(np.array(values)), limits)
    assert (scaled >= 0).all() and (scaled <= 1).all()
    assert (np.diff(scaled) >= 0).all()


@given(st.lists(FINITE, min_size=1, max_size=50))
@example([-np.finfo(np.float64).max, np.finfo(np.float64).max])
@example([0.0, 5e-324])
def test_limits_of_any_floats_are_floats_in_order(values):
    limits = percentile_limits(np.array(values))
    assert np.isfinite([limits.low, limits.high]).all()
    least = 1e-300  # below it, halves lose digits
    assert min(values) - least <= limits.low <= limits.high <= max(values) + least


def test_values_that_are_not_finite_scale_without_a_warning():
    values = np.array([np.nan, np.inf, -np.inf, 0.5])
    assert scale(values, Limits(0.0, 1.0)).tolist() == [0, 1, 0, 0.5]


def test_values_beyond_the_limits_are_clipped():
    scaled = scale(np.array([-5, 0, 5, 10, 500], np.int16), Limits(0.0, 10.0))
    assert scaled.tolist() == [0, 0, 0.5, 1, 1]


def test_a_constant_is_middle_gray():
    limits = percentile_limits(np.full(9, 7))
    assert scale(np.array([7]), limits).tolist() == [0.5]
    assert scale(np.array([6, 7, 8]), limits).tolist() == [0, 0.5, 1]


def test_gamma_bends_after_scaling():
    values = np.linspace(0, 20, 9)
    plain = scale(values, Limits(0.0, 20.0))
    bent = scale(values, Limits(0.0, 20.0, gamma=2.0))
    assert np.allclose(bent, plain**2)


def test_inversion_comes_after_gamma():
    values = np.linspace(0, 20, 9)
    bent = scale(values, Limits(0.0, 20.0, gamma=2.0))
    turned = scale(values, Limits(0.0, 20.0, gamma=2.0, inverted=True))
    assert np.allclose(turned, 1 - bent)
    levels = np.arange(256, dtype=np.uint8)
    assert np.allclose(
        scale(levels, Limits(0.0, 255.0, inverted=True)), levels[::-1] / 255
    )


def test_hot_pixels_do_not_decide_about_the_limits():
    camera = data.camera().astype(np.uint16) * 16
    clean = percentile_limits(camera)
    camera[::100, ::100] = 65535
    hot = percentile_limits(camera)
    assert hot.high < 1.1 * clean.high
    assert hot.low == pytest.approx(clean.low, abs=16)


def test_sparse_pictures_use_what_little_there_is():
    values = np.zeros(100_000)
    values[:20] = np.arange(1, 21)
    assert percentile_limits(values) == Limits(0.0, 20.0)


def test_limits_of_nothing_finite_are_zero_and_one():
    assert percentile_limits(np.array([np.nan, np.inf])) == Limits(0.0, 1.0)
    assert percentile_limits(np.array([])) == Limits(0.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high"), [(1, 1), (2, 1), (np.nan, 1), (0, np.inf), (-np.inf, 0)]
)
def test_impossible_limits_are_refused(low, high):
    with pytest.raises(BadSetting, match=r"two finite numbers, low before high"):
        Limits.of((low, high))


@pytest.mark.parametrize("gamma", [0, -1, np.nan, np.inf])
def test_impossible_gammas_are_refused(gamma):
    with pytest.raises(BadSetting, match=r"gamma is .* positive"):
        Limits.of((0, 1, gamma))


def test_lightness_of_a_picture_has_its_l(photo):
    gray = color_to_gray(photo)
    wanted = color.rgb2lab(photo)[..., 0]
    got = color.rgb2lab(np.repeat(gray[..., None], 3, axis=-1))[..., 0]
    assert np.abs(got - wanted).max() < 0.05


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "f4", "f8", ">u2"])
def test_lightness_of_gray_is_that_gray(gray, dtype):
    dtype = np.dtype(dtype)
    high = full_range(dtype).high
    rgb = np.repeat((gray[..., None] / 255 * high).astype(dtype), 3, axis=-1)
    assert np.allclose(color_to_gray(rgb), gray / 255, atol=1 / 200)


def test_alpha_does_not_change_the_lightness(photo):
    alpha = np.zeros((*photo.shape[:2], 1), np.uint8)
    rgba = np.concatenate([photo, alpha], axis=-1)
    assert np.array_equal(color_to_gray(rgba), color_to_gray(photo))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 30}),
        ("JPEG", {"quality": 90, "subsampling": 0}),
        ("WEBP", {"quality": 30}),
        ("WEBP", {"quality": 90}),
    ],
)
def test_a_gray_scan_saved_as_rgb_has_no_color(gray, photo, kind, options):
    for picture, colored in (
        (Image.fromarray(gray).convert("RGB"), False),
        (Image.fromarray(photo), True),
    ):
        file = io.BytesIO()
        picture.save(file, kind, **options)
        assert has_color(np.asarray(Image.open(file))) == colored


def test_one_red_cell_on_a_white_slide_is_color():
    slide = np.full((1000, 1000, 3), 250, np.uint8)
    assert not has_color(slide)
    slide[500:505, 500:505] = (246, 200, 210)
    assert has_color(slide)


@pytest.mark.parametrize("code", ["i1", "u2", "i2", "u4", "i4", "f4", "f8"])
def test_what_counts_as_color_follows_the_brightness(photo, gray, code):
    brightest = 1.0 if code[0] == "f" else np.iinfo(code).max
    for part in (1, 1 / 8):  # of 16 bits: 12 bits of a camera and less
        white = brightest * part
        scan = np.repeat(gray[..., None] / 255 * white, 3, axis=-1)
        scan[5, 5, 1] += 3 / 255 * white
        assert not has_color(scan.astype(code))
        assert has_color((photo / 255 * white).astype(code))


def test_color_is_seen_in_any_plane_beside_what_is_no_number(gray):
    stack = np.repeat(np.stack([gray] * 3)[..., None], 4, axis=-1) / 255
    stack[..., 3] = 0.5  # alpha
    stack[0, 3, 4], stack[1, 5, 6, 1] = np.nan, np.inf
    assert not has_color(stack)
    stack[2, 7, 8, 2] += 0.1
    assert has_color(stack)
    assert not has_color(np.full((4, 4, 3), np.nan))


def test_color_of_booleans_and_of_the_largest_numbers():
    assert has_color(np.array([[True, False, True]]))
    assert not has_color(np.ones((2, 2, 3), np.bool_))
    huge = np.finfo(np.float64).max
    assert has_color(np.array([[huge, -huge, 0]]))
    assert has_color(np.array([[127, -128, 0]], np.int8))


@pytest.mark.parametrize(
    "limits",
    [
        (0, 10**400),
        (math.nan, 1),
        (1, 0),
        "01",
        ("0", "1"),
        5,
        (0,),
        itertools.count(),
        (0, 1j),
        [[0, 1], [2, 3]],
        (0, 1, -1),
        np.array(3),
    ],
    ids=repr,
)
def test_what_is_no_limits_is_refused_in_a_sentence(limits):
    with pytest.raises(BadSetting, match=r"^(limits|gamma) is .*; it must be .*\.$"):
        Limits.of(limits)


def test_limits_are_numbers_of_any_library():
    limits = Limits.of(np.array([1, 7], np.uint16))
    assert limits == Limits(1.0, 7.0)
    assert Limits.of((Fraction(1, 2), True, np.float32(2))) == Limits(0.5, 1.0, 2.0)
