"""Arrays are read as gray planes with limits that are fixed once."""

import dask
import dask.array
import numpy as np
import pytest
import torch
import xarray
import zarr
from skimage import data

from napari_colorgan.errors import BadArray, BadAxes, BadSetting, ColorSource
from napari_colorgan.inference.intensity import Limits, full_range
from napari_colorgan.inference.source import Source

REAL = ["?", *np.typecodes["AllInteger"], *np.typecodes["Float"]]


def typed(gray, dtype):
    """The picture with about its look in another type."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        return gray > 127
    if dtype.kind == "f":
        return (gray / 255).astype(dtype)
    return (gray // 2).astype(dtype)


def whole(source, index=()):
    plane = source.plane(index)
    return plane.gray(plane.whole)


@pytest.mark.parametrize("code", REAL)
def test_every_real_type_becomes_the_same_gray(gray, code):
    array = typed(gray, code)
    source = Source.of(array)
    seen = whole(source)
    assert seen.dtype == np.float32
    assert (seen >= 0).all() and (seen <= 1).all()
    if array.dtype.kind == "b" or array.dtype == np.uint8:
        assert source.limits == full_range(array.dtype)
        assert np.allclose(seen, array / source.limits.high)
    else:
        low, high = np.percentile(array.astype(float), [0.1, 99.9])
        assert (source.limits.low, source.limits.high) == pytest.approx((low, high))
        order = np.argsort(array, axis=None, kind="stable")
        assert (np.diff(seen.ravel()[order]) >= 0).all()


@pytest.mark.parametrize("code", ["u2", "i4", "f4", "f8", "u8"])
def test_byte_order_strides_and_protection_change_nothing(gray, code):
    array = typed(gray, code)
    expected = Source.of(array)
    wide = np.zeros((2 * array.shape[0], 3 * array.shape[1]), array.dtype)
    wide[::2, ::3] = array
    protected = array.copy()
    protected.setflags(write=False)
    variants = {
        "big-endian": array.astype(array.dtype.newbyteorder(">")),
        "strided": wide[::2, ::3],
        "negative strides": array[::-1, ::-1].copy()[::-1, ::-1],
        "Fortran order": np.asfortranarray(array),
        "read-only": protected,
    }
    for name, variant in variants.items():
        source = Source.of(variant)
        assert source.limits == expected.limits, name
        assert np.array_equal(whole(source), whole(expected)), name


def test_lists_and_tensors_are_arrays(gray):
    assert np.array_equal(whole(Source.of([[0, 255]])), [[0, 1]])
    expected = whole(Source.of(gray))
    assert np.array_equal(whole(Source.of(torch.from_numpy(gray))), expected)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((4, 4), complex), "The array holds complex numbers"),
        (np.zeros((4, 4), object), "type object"),
        ("camera.png", "is a path"),
        (None, "type object"),
        (np.zeros((4, 4), "M8[s]"), "datetime64"),
        (np.zeros((0, 4)), r"The array is empty: its shape is \(0, 4\)"),
        (np.zeros((2, 0, 4)), "is empty"),
        ([[1, 2], [3]], "The array"),
    ],
)
def test_what_is_not_a_gray_picture_is_refused(array, message):
    with pytest.raises(BadArray, match=message):
        Source.of(array)


def test_errors_name_the_layer():
    with pytest.raises(BadArray, match="Layer 'cells' is empty"):
        Source.of(np.zeros((0, 4)), name="layer 'cells'")


def test_a_line_or_a_number_is_no_picture():
    for array in (np.zeros(5), np.float64(3), 7):
        with pytest.raises(BadAxes, match="at least the two dimensions"):
            Source.of(array)


# -- colour


def test_a_color_picture_offers_its_lightness(photo):
    with pytest.raises(ColorSource, match=r"--from-color.*from_color=True"):
        Source.of(photo)
    source = Source.of(photo, from_color=True)
    assert source.shape == photo.shape[:2]
    brightness = photo.mean(axis=-1)
    assert np.corrcoef(whole(source).ravel(), brightness.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("code", ["u1", "u2", "f4", "?"])
def test_equal_channels_are_gray(gray, code, samples):
    array = typed(gray, code)
    stacked = np.repeat(array[..., None], samples, axis=-1)
    stacked[..., 3:] = 0  # whatever alpha says
    source, expected = Source.of(stacked), Source.of(array)
    assert source.shape == array.shape
    assert source.limits == expected.limits
    assert np.array_equal(whole(source), whole(expected))


def test_one_differing_pixel_makes_a_stack_colored(gray):
    stack = np.repeat(np.stack([gray] * 4)[..., None], 3, axis=-1)
    assert Source.of(stack).shape == (4, *gray.shape)
    stack[3, 100, 100, 2] ^= 1  # of a scan of a gray picture
    assert Source.of(stack).channels == "equal"
    stack[3, 100, 100, 2] ^= 16
    with pytest.raises(ColorSource):
        Source.of(stack)


def test_channels_that_are_equal_but_for_nan_are_gray(gray):
    array = np.repeat(gray[..., None] / 255, 3, axis=-1)
    array[3, 4] = np.nan
    assert Source.of(array).channels == "equal"


def test_samples_may_come_first(photo):
    moved = np.moveaxis(photo, -1, 0)
    source = Source.of(moved, axes="SYX", from_color=True)
    assert np.array_equal(whole(source), whole(Source.of(photo, from_color=True)))
    assert Source.of(moved, axes="CYX").shape == moved.shape


# -- limits


def test_limits_are_those_of_the_whole_array(gray):
    stack = np.stack([gray // 8, gray]).astype(np.uint16)
    source = Source.of(stack)
    assert whole(source, (0,)).max() < 0.2
    assert whole(source, (1,)).max() == 1


@pytest.mark.parametrize("limits", [(50, 200), [50, 200], Limits(50, 200)])
def test_given_limits_are_used_and_recorded(gray, limits):
    source = Source.of(gray, limits=limits)
    assert source.limits == Limits(50.0, 200.0)
    assert (whole(source) == 0).sum() == (gray <= 50).sum()
    assert (whole(source) == 1).sum() == (gray >= 200).sum()


@pytest.mark.parametrize("limits", [(5, 5), (1,), (0, np.nan), (1, 2, 3, 4), "ab"])
def test_impossible_limits_are_refused(gray, limits):
    with pytest.raises(BadSetting, match="limits"):
        Source.of(gray, limits=limits)


@pytest.mark.parametrize("value", [0, 7, -3])
@pytest.mark.parametrize("code", ["i2", "f4", "f8"])
def test_a_constant_picture_is_middle_gray(value, code):
    array = np.full((5, 6), value, code)
    assert np.array_equal(whole(Source.of(array)), np.full((5, 6), 0.5))


def test_a_black_8_bit_picture_stays_black():
    assert not whole(Source.of(np.zeros((5, 6), np.uint8))).any()
    assert not whole(Source.of(np.zeros((5, 6), bool))).any()


@pytest.mark.parametrize("huge", [1e300, np.finfo(np.float64).max])
def test_the_largest_floats_are_only_numbers(gray, huge):
    array = (gray / 255 * 2 - 1) * huge
    seen = whole(Source.of(array))
    assert np.allclose(seen, whole(Source.of(gray / 255)), atol=1e-5)


class Counting:
    """An endless array that counts what is read of it."""

    def __init__(self, shape, dtype="u2"):
        self.shape, self.dtype, self.read, self.planes = (
            shape,
            np.dtype(dtype),
            0,
            set(),
        )

    def __getitem__(self, key):
        leading = len(self.shape) - 2
        sides = [
            len(range(*part.indices(length)))
            for part, length in zip(key[leading:], self.shape[leading:], strict=True)
        ]
        self.read += sides[0] * sides[1]
        self.planes.add(key[:leading])
        return np.zeros(sides, self.dtype)


@pytest.mark.parametrize(
    "shape",
    [
        (1 << 26, 1 << 26),
        (1, 10**8),
        (10**8, 1),
        (2, 10**7),
        (1448, 1449),
        (2047, 2047),
        (5000, 3000, 3001),
        (3, 5, 1025, 1025),
    ],
)
def test_limits_cost_a_bounded_sample(shape):
    array = Counting(shape)
    Source.of(array, axes="TZYX"[-len(shape) :])
    assert array.read <= 1 << 20
    assert len(array.planes) <= 16
    assert array.read > 1 << 18


def test_the_sample_is_spread_over_the_array():
    array = Counting((100, 300, 300))
    Source.of(array)
    visited = sorted(index for (index,) in array.planes)
    assert visited[0] < 10 and visited[-1] >= 90
    stack = np.zeros((40, 50, 50), np.float32)
    stack[-5:] = 1000
    assert Source.of(stack).limits.high == 1000


# -- pixels that are no numbers


@pytest.mark.parametrize("code", ["f2", "f4", "f8", ">f4"])
def test_pixels_that_are_not_finite_do_not_decide_about_limits(gray, code):
    array = (gray / 255).astype(code)
    expected = Source.of(array).limits
    array[100, 50:60] = np.nan
    array[101, 50:60] = np.inf
    array[102, 50:60] = -np.inf
    source = Source.of(array)
    assert source.limits.low == pytest.approx(expected.low, abs=0.01)
    assert source.limits.high == pytest.approx(expected.high, abs=0.01)
    plane = source.plane()
    mask = plane.invalid(plane.whole)
    assert mask.sum() == 30
    seen = plane.gray(plane.whole)
    assert np.unique(seen[mask]).tolist() == [np.float32(source.fill)]
    assert 0.2 < source.fill < 0.8
    assert plane.invalid((slice(0, 50), slice(0, 50))) is None


def test_a_picture_of_nothing_finite_is_gray_and_all_invalid():
    source = Source.of(np.full((4, 5), np.nan))
    plane = source.plane()
    assert plane.invalid(plane.whole).all()
    assert np.isfinite(plane.gray(plane.whole)).all()


def test_whole_numbers_are_never_invalid(gray):
    plane = Source.of(gray).plane()
    assert plane.invalid(plane.whole) is None


def test_masked_pixels_are_invalid_and_the_others_unchanged(gray):
    mask = np.zeros(gray.shape, bool)
    mask[10:20, 10:20] = True
    for code in ("u1", "u2", "f4", "?"):
        array = typed(gray, code)
        source = Source.of(np.ma.masked_array(array, mask))
        plane = source.plane()
        assert np.array_equal(plane.invalid(plane.whole), mask)
        if code in ("u1", "?"):
            assert source.limits == full_range(array.dtype)
        expected = Source.of(array, limits=source.limits)
        assert np.allclose(
            plane.gray(plane.whole)[~mask], whole(expected)[~mask], atol=1e-6
        )


def test_a_masked_array_without_masked_pixels_is_an_array(gray):
    source = Source.of(np.ma.masked_array(gray))
    assert source.limits == full_range(gray.dtype)
    assert np.array_equal(whole(source), whole(Source.of(gray)))


# -- axes


@pytest.mark.parametrize("letters", ["TYX", "YTX", "YXT", "XYT", "xty"])
def test_axes_in_any_order_give_the_same_planes(letters):
    stack = np.stack([data.camera()[:40, :60], data.camera()[40:80, :60]])
    order = ["TYX".index(c) for c in letters.upper()]
    source = Source.of(stack.transpose(order), axes=letters)
    assert source.shape == stack.shape
    for index in (0, 1):
        assert np.array_equal(whole(source, (index,)), stack[index] / np.float32(255))


@pytest.mark.parametrize("letters", ["TYX", "XTY"])
def test_lazy_arrays_are_read_like_numpy(tmp_path, letters):
    stack = data.camera()[:60, :80].reshape(2, 30, 80).astype(np.uint16) * 100
    expected = Source.of(stack, axes=letters)
    chunks = zarr.create_array(tmp_path / "a.zarr", data=stack, chunks=(1, 16, 16))
    for lazy in (dask.array.from_array(stack, chunks=(1, 16, 16)), chunks):
        source = Source.of(lazy, axes=letters)
        assert source.limits == expected.limits
        for plane, same in zip(source.planes(), expected.planes(), strict=True):
            assert np.array_equal(plane.gray(plane.whole), same.gray(same.whole))
            loaded = plane.loaded()
            assert np.array_equal(loaded.gray(loaded.whole), same.gray(same.whole))


@pytest.mark.parametrize("index", [(), (1,), (1, 1, 1), (2, 0), (0, -1), (0, 3)])
def test_a_plane_that_is_not_there_is_refused(index):
    source = Source.of(np.zeros((2, 3, 8, 8), np.uint8))
    with pytest.raises(BadSetting, match=r"index .*2 x 3"):
        source.plane(index)


# -- windows


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (2, 3), (5, 4)])
def test_windows_continue_a_plane_by_reflection(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    plane = Source.of(array).plane()
    window = plane.reflected(range(-9, shape[0] + 11), range(-13, shape[1] + 8))
    padded = np.pad(array, ((9, 11), (13, 8)), mode="reflect")
    assert np.array_equal(np.rint(window * 255), padded)


def test_windows_far_outside_are_still_reflections():
    array = np.arange(5, dtype=np.uint8)[None] * 10
    plane = Source.of(array).plane()
    assert np.rint(plane.reflected(range(1), range(16, 19)) * 255).tolist() == [
        [0, 10, 20]
    ]


@pytest.mark.parametrize("factor", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("shape", [(40, 60), (41, 59), (1, 30), (30, 1)])
def test_reducing_keeps_the_mean_of_every_block(shape, factor):
    array = data.camera()[100 : 100 + shape[0], 200 : 200 + shape[1]]
    reduced = Source.of(array).plane().reduced(factor)
    assert reduced.shape == tuple(-(-n // factor) for n in shape)
    first = array[:factor, :factor].mean() / 255
    last_rows = (shape[0] - 1) // factor * factor
    last_columns = (shape[1] - 1) // factor * factor
    last = array[last_rows:, last_columns:].mean() / 255
    assert reduced[0, 0] == pytest.approx(first, abs=1e-5)
    assert reduced[-1, -1] == pytest.approx(last, abs=1e-5)


def test_reducing_in_bands_changes_nothing(monkeypatch):
    plane = Source.of(data.camera()).plane()
    expected = plane.reduced(3)
    monkeypatch.setattr("napari_colorgan.inference.source._BAND", 5000)
    assert np.array_equal(plane.reduced(3), expected)


@pytest.mark.parametrize(
    "moved",
    [
        lambda rgb: rgb.astype(np.uint16) * 16,  # of a camera of 12 bits
        lambda rgb: rgb.astype(np.uint16) * 257,
        lambda rgb: rgb.astype(np.uint32),
        lambda rgb: rgb.astype(np.int16),
        lambda rgb: rgb.astype(np.float32),
        lambda rgb: rgb / 255,
        lambda rgb: np.ma.MaskedArray(rgb.astype(np.uint16), np.zeros(rgb.shape)),
    ],
)
def test_lightness_of_colour_of_any_range(photo, moved):
    truth = whole(Source.of(photo, from_color=True))
    lightness = whole(Source.of(moved(photo), from_color=True))
    assert np.abs(lightness - truth).max() < 0.005


def test_lightness_of_colour_between_limits(photo):
    source = Source.of(photo, from_color=True, limits=(50, 100))
    stretched = ((photo.astype(float) - 50) / 50).clip(0, 1)
    truth = whole(Source.of(stretched, from_color=True))
    np.testing.assert_allclose(whole(source), truth, atol=1e-6)
    with pytest.raises(BadArray, match=r"-9.* 0 \.\.\. 1"):
        Source.of(photo / 25 - 9, from_color=True)


def test_xarray_names_its_axes(gray):
    stack = np.stack([gray, gray // 2, gray // 3])
    named = xarray.DataArray(np.moveaxis(stack, 0, -1), dims=("y", "x", "time"))
    for source in (Source.of(named), Source.of(named, axes="YXT")):
        assert source.shape == stack.shape
        np.testing.assert_array_equal(
            source.read((1,), source.plane((1,)).whole), stack[1]
        )
    lazy = Source.of(named.chunk())
    np.testing.assert_array_equal(lazy.read((2,), lazy.plane((2,)).whole), stack[2])


def test_a_lazy_array_that_cannot_be_read_is_named(tmp_path, gray):
    np.save(tmp_path / "gone.npy", gray)
    read = dask.delayed(np.load)(tmp_path / "gone.npy")
    source = Source.of(dask.array.from_delayed(read, gray.shape, gray.dtype))
    (tmp_path / "gone.npy").unlink()
    with pytest.raises(BadArray, match=r"^The array cannot be read: .*gone\.npy"):
        source.plane().gray(source.plane().whole)
