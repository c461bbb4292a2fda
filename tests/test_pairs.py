"""Pairs are made from arrays of any kind, checked, and divided without overlap."""

import dataclasses

import dask
import dask.array
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.color import gray2rgb, rgb2gray, rgb2lab

from napari_colorgan import sample_data
from napari_colorgan.errors import BadArray, BadPair, BadSetting, PairMismatch
from napari_colorgan.inference.intensity import color_to_gray
from napari_colorgan.inference.source import Source
from napari_colorgan.training.pairs import (
    Pair,
    Placement,
    check,
    common_regions,
    decide_task,
    digest,
    gray_of,
    pairs_of,
    split,
)

GRAY_STACK, STACK = (layer[0] for layer in sample_data.pair())
TISSUE = STACK[0]


def names(pairs) -> list[str]:
    return [pair.name for pair in pairs]


# from arrays


def test_gray_from_colour_has_its_lightness(photo) -> None:
    (pair,) = pairs_of(photo, name="face")
    assert (pair.name, pair.from_color, pair.mask) == ("face", True, None)
    assert pair.shape == photo.shape[:2]
    np.testing.assert_array_equal(pair.color, photo)
    lightness = rgb2lab(gray2rgb(pair.gray))[..., 0]
    assert np.abs(lightness - rgb2lab(photo)[..., 0]).max() < 0.02
    wide = np.tile(photo, (1, 9, 1))[:5000]  # more than is converted at once
    np.testing.assert_array_equal(
        gray_of(np.tile(wide, (3, 1, 1)))[:256, :320], pair.gray
    )


@pytest.mark.parametrize(
    "convert",
    [
        lambda rgb: rgb.astype(np.uint16) * 257,
        lambda rgb: (rgb.astype(int) * 257 - 32768).astype(np.int16),
        lambda rgb: rgb / 255,
        lambda rgb: (rgb / 255).astype(np.float32),
        lambda rgb: rgb.astype(np.uint32) * 0x01010101,
        lambda rgb: rgb.astype(int),
        lambda rgb: rgb.astype(float),
        lambda rgb: np.dstack([rgb, np.full(rgb.shape[:2], 7, np.uint8)]),
        lambda rgb: dask.array.from_array(rgb, chunks=100),
        lambda rgb: (rgb / 255).tolist(),
    ],
    ids=[
        "uint16",
        "int16",
        "float64",
        "float32",
        "uint32",
        "int",
        "255",
        "alpha",
        "dask",
        "list",
    ],
)
def test_colour_of_any_type_is_the_same_picture(convert) -> None:
    rgb = TISSUE[:64, :80]
    color = convert(rgb)
    (pair,) = pairs_of(color)
    np.testing.assert_array_equal(pair.color, rgb)


def test_boolean_colour_is_black_and_white_per_channel() -> None:
    (pair,) = pairs_of(TISSUE > 128)
    assert set(np.unique(pair.color)) == {0, 255}


def test_a_stack_gives_a_pair_per_plane() -> None:
    color, gray = STACK.reshape(2, 2, 240, 240, 3), GRAY_STACK.reshape(2, 2, 240, 240)
    pairs = pairs_of(color, gray, name="slide")
    assert names(pairs) == [f"slide [{i}, {j}]" for i in (0, 1) for j in (0, 1)]
    np.testing.assert_array_equal(pairs[2].color, STACK[2])
    np.testing.assert_array_equal(pairs[2].gray, GRAY_STACK[2] / np.float32(255))
    assert not any(pair.from_color for pair in pairs)
    assert names(pairs_of(STACK[:2], name="slide")) == ["slide [0]", "slide [1]"]


def test_gray_is_scaled_as_a_source_is() -> None:
    gray = GRAY_STACK.astype(np.uint16) * 13
    source = Source.of(gray)
    for index, pair in enumerate(pairs_of(STACK, gray)):
        plane = source.plane((index,))
        np.testing.assert_array_equal(pair.gray, plane.gray(plane.whole))
    (pair,) = pairs_of(TISSUE, gray[0], limits=(0, 3315))
    np.testing.assert_allclose(pair.gray, GRAY_STACK[0] / 255, atol=1e-6)


def test_gray_with_three_equal_channels_is_gray() -> None:
    (pair,) = pairs_of(TISSUE, gray2rgb(GRAY_STACK[0]))
    np.testing.assert_array_equal(pair.gray, GRAY_STACK[0] / np.float32(255))


def test_pairs_are_copies() -> None:
    color, gray = STACK.copy(), (GRAY_STACK / 255).astype(np.float32)
    mask = GRAY_STACK > 100
    pairs = pairs_of(color, gray, mask=mask, limits=(0, 1))
    before = digest(pairs)
    color[:], gray[:], mask[:] = 0, 0, False
    assert digest(pairs) == before


def test_a_mask_counts_for_one_plane_or_for_all() -> None:
    labels = np.zeros((240, 240), int)
    labels[50:90, 60:200] = 3
    for pair in pairs_of(STACK, mask=labels):
        np.testing.assert_array_equal(pair.mask, labels == 3)
    each = np.stack([np.roll(labels, 20 * i, 0) for i in range(4)])
    for index, pair in enumerate(pairs_of(STACK, mask=each)):
        np.testing.assert_array_equal(pair.mask, each[index] == 3)
    assert pairs_of(TISSUE, mask=np.ones((240, 240)))[0].mask is None


def holed(array, count, value=np.nan):
    array = array / 255
    array.reshape(-1)[:: array.size // count][:count] = value
    return array


SMALL = TISSUE[:40, :48]
BAD = {
    "no channels": ((GRAY_STACK[0],), r"no colour channels: .*\(240, 240\)"),
    "five channels": ((np.zeros((40, 48, 5)),), "no colour channels"),
    "empty": ((np.zeros((0, 48, 3)),), r"is empty: its shape is \(0, 48, 3\)"),
    "one pixel": ((TISSUE[:1, :1],), "'a' is 1 x 1 px; .* at least 16 px"),
    "narrow": ((TISSUE[:, :15],), "240 x 15 px; .* at least 16 px"),
    "complex": ((SMALL * 1j,), "complex128"),
    "ragged": (([[1, 2], [3]],), "cannot be read as an array"),
    "gray colour": ((gray2rgb(GRAY_STACK[0]),), "'a' is gray: .* channels are alike"),
    "a gray plane": (
        (np.stack([TISSUE, gray2rgb(GRAY_STACK[1])]),),
        r"'a \[1\]' is gray",
    ),
    "NaN in colour": ((holed(SMALL, 1),), "at 1 pixel of the colour picture of 'a'"),
    "infinite colour": ((holed(SMALL, 7, np.inf),), "at 7 pixels of the colour"),
    "NaN in gray": (
        (STACK, holed(GRAY_STACK, 9)),
        r"at 3 pixels of the gray picture of 'a \[0\]'",
    ),
    "no range": ((SMALL / 25 - 9,), r"-\d.* \.\.\. .* lie in 0 \.\.\. 1"),
    "masked colour": (
        (np.ma.masked_where(SMALL < 99, SMALL),),
        r"has \d+ masked values",
    ),
    "colour as gray": ((TISSUE, TISSUE), "'a' has colour itself"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_makes_no_pair_is_refused(case: str) -> None:
    arrays, message = BAD[case]
    with pytest.raises(BadPair, match=message):
        pairs_of(*arrays, name="a")


def test_other_pixels_are_refused() -> None:
    with pytest.raises(PairMismatch, match=r"'a' is 240 x 239 px .* is 240 x 240 px"):
        pairs_of(TISSUE, GRAY_STACK[0, :, 1:], name="a")
    with pytest.raises(PairMismatch, match=r"4 x 240 x 240 px but .* is 240 x 240 px"):
        pairs_of(TISSUE, GRAY_STACK)
    with pytest.raises(PairMismatch, match="mask of 'a' is 256 x 240 px"):
        pairs_of(TISSUE, mask=np.ones((256, 240)), name="a")


def test_an_empty_region_is_refused() -> None:
    mask = np.zeros(GRAY_STACK.shape, bool)
    mask[0, :20, :20] = True
    with pytest.raises(BadPair, match=r"region of 'a \[1\]' holds no pixel"):
        pairs_of(STACK, mask=mask, name="a")


def test_a_region_without_colour_is_refused() -> None:
    color = TISSUE.copy()
    color[:30, :30] = 200
    mask = np.zeros(color.shape[:2], bool)
    mask[:30, :30] = True
    assert pairs_of(color)
    with pytest.raises(BadPair, match="is gray"):
        pairs_of(color, mask=mask)


def test_what_no_source_can_be_is_refused() -> None:
    with pytest.raises(BadArray, match="gray picture of 'pair' holds complex"):
        pairs_of(TISSUE, GRAY_STACK[0] * 1j)
    with pytest.raises(BadSetting, match="limits"):
        pairs_of(TISSUE, limits=(0, 1))
    with pytest.raises(BadSetting, match="limits"):
        pairs_of(TISSUE, GRAY_STACK[0], limits=(1, 0))


# checks


def test_a_good_pair_has_no_warnings(photo) -> None:
    for color in (photo, TISSUE):
        (pair,) = pairs_of(color)
        found = check(pair)
        assert (found.warnings, found.shift, found.task) == ((), None, "colorization")


def test_what_is_of_little_use_is_said() -> None:
    gray = GRAY_STACK[0]
    faint = gray2rgb(gray // 2)
    faint[:60, :, 1] += 9
    bordered = TISSUE.copy()
    bordered[:60] = 0
    dark = TISSUE // 5
    flat = np.full_like(gray, 77)
    cases = [
        ((faint,), "nearly gray"),
        ((bordered,), "25 % of 'a' are pure black or white"),
        ((dark,), "uses only 18 % of the range"),
        ((TISSUE, flat), "gray picture of 'a' has the same value everywhere"),
    ]
    for arrays, message in cases:
        (pair,) = pairs_of(*arrays, name="a")
        (warning,) = check(pair).warnings
        assert message in warning


def test_a_region_leaves_out_what_would_be_warned_of() -> None:
    bordered = TISSUE.copy()
    bordered[:60] = 0
    mask = np.ones(bordered.shape[:2], bool)
    mask[:60] = False
    (pair,) = pairs_of(bordered, mask=mask)
    assert check(pair).warnings == ()


def test_a_shift_above_a_pixel_is_reported_and_does_not_hide_the_task() -> None:
    gray = GRAY_STACK[0]
    pair = Pair("a", gray[8:, 8:] / np.float32(255), TISSUE[2:-6, 8:])
    found = check(pair)
    assert found.shift is not None
    assert (found.shift.y, found.shift.x) == pytest.approx((-6, 0), abs=0.1)
    assert found.task == decide_task([pair]) == "colorization"
    one = Pair("a", gray[8:, 8:] / np.float32(255), TISSUE[8:, 8:])
    assert check(one).shift is None


COLORIZATION = {
    "exact": lambda rgb: color_to_gray(rgb),
    "gamma 0.7": lambda rgb: color_to_gray(rgb) ** 0.7,
    "gamma 1.4": lambda rgb: color_to_gray(rgb) ** 1.4,
    "contrast": lambda rgb: 0.2 + 0.5 * color_to_gray(rgb),
    "noise": lambda rgb: _noisy(color_to_gray(rgb), 0.02),
    "rgb2gray": rgb2gray,
    "mean": lambda rgb: rgb.mean(axis=-1) / 255,
}
TRANSLATION = {
    "inverted": lambda rgb: 1 - color_to_gray(rgb),
    "channel": lambda rgb: _noisy(gaussian_filter((rgb[..., 2] / 255) ** 2, 2), 0.05),
    "phase contrast": lambda rgb: (
        0.5 + 3 * gaussian_filter(color_to_gray(rgb), 1, order=(0, 1))
    ),
    "band": lambda rgb: np.sin(9 * color_to_gray(rgb)) / 2 + 0.5,
    "other tissue": lambda rgb: color_to_gray(rgb[::-1, ::-1]),
}


def _noisy(picture, sigma):
    return picture + np.random.default_rng(0).normal(0, sigma, picture.shape)


@pytest.mark.parametrize("kind", [*COLORIZATION, *TRANSLATION])
def test_the_task_follows_from_what_explains_the_gray(kind: str, photo) -> None:
    make = (COLORIZATION | TRANSLATION)[kind]
    for color in (*STACK, photo, data.immunohistochemistry()):
        gray = np.clip(make(color), 0, 1)
        expected = "colorization" if kind in COLORIZATION else "translation"
        assert decide_task(pairs_of(color, gray)) == expected


def test_the_task_of_a_region_is_that_of_its_pixels() -> None:
    gray = GRAY_STACK[0].copy()
    gray[:, :160] = 255 - gray[:, :160]
    mask = np.zeros(gray.shape, bool)
    mask[:, 160:] = True
    assert decide_task(pairs_of(TISSUE, gray, mask=mask)) == "colorization"
    assert decide_task(pairs_of(TISSUE, gray, mask=~mask)) == "translation"


def test_one_odd_pair_does_not_decide() -> None:
    gray = GRAY_STACK.copy()
    gray[1] = 255 - gray[1]
    assert decide_task(pairs_of(STACK, gray)) == "colorization"
    with pytest.raises(BadPair, match="no pairs"):
        decide_task([])


# splitting


def different(count: int) -> list[Pair]:
    """Pairs of pictures that differ in one pixel, called "0", "1", ..."""
    pairs = []
    for number in range(count):
        picture = SMALL.copy()
        picture[5, 6] = number
        pairs += pairs_of(picture, name=str(number))
    return pairs


@pytest.mark.parametrize(
    ("count", "share", "held_out"),
    [(2, 0.2, 1), (2, 0.9, 1), (4, 0.2, 1), (10, 0.2, 2), (10, 0.25, 2), (5, 0.9, 4)],
)
def test_whole_pairs_are_held_out(count: int, share: float, held_out: int) -> None:
    pairs = different(count)
    parts = split(pairs, share, seed=3)
    assert len(parts.held_out) == held_out
    chosen = np.random.default_rng(3).permutation(count)[:held_out]  # as in old states
    assert names(parts.held_out) == [str(number) for number in sorted(chosen)]
    assert sorted(names(parts.train + parts.held_out), key=int) == names(pairs)
    assert names(split(pairs, share, seed=3).held_out) == names(parts.held_out)
    chosen = {tuple(names(split(pairs, share, seed).held_out)) for seed in range(20)}
    assert len(chosen) > 1


@pytest.mark.parametrize("seed", range(5))
def test_equal_pictures_stay_together(seed: int) -> None:
    pairs = different(4)
    copies = [dataclasses.replace(pair, name=f"{pair.name}b") for pair in pairs[:3]]
    copies[0] = dataclasses.replace(copies[0], gray=1 - copies[0].gray)  # its colours
    parts = split([*pairs, *copies], 0.5, seed)
    held_out = {name[0] for name in names(parts.held_out)}
    assert len(held_out) == 2
    assert not held_out & {name[0] for name in names(parts.train)}
    assert len(parts.train) + len(parts.held_out) == 7


def test_a_picture_that_is_given_twice_is_cut_once() -> None:
    left, right = np.zeros((2, 200, 400), bool)
    left[:, :300], right[:, 150:] = True, True
    pairs = [numbered(200, 400, mask) for mask in (left, right)]
    parts = split(pairs, 0.2, seed=0)
    assert names(parts.train) == ["slide (left 75 %)"] * 2
    assert names(parts.held_out) == ["slide (right 20 %)"]  # `left` ends before
    assert max(places(pair)[1].max() for pair in parts.train) == 299
    assert places(parts.held_out[0])[1].min() == 320
    assert split(pairs[:1], 0.2, seed=0).held_out[0].shape == (200, 160)


def numbered(height: int, width: int, mask=None) -> Pair:
    """Pair whose pixels tell where they come from."""
    y, x = np.mgrid[:height, :width]
    color = np.stack([y // 256 * 16 + x // 256, y % 256, x % 256], -1).astype(np.uint8)
    return Pair("slide", np.zeros((height, width), np.float32), color, mask)


def places(pair: Pair):
    first, y, x = (pair.color[..., i].astype(int) for i in range(3))
    return first // 16 * 256 + y, first % 16 * 256 + x


@given(
    height=st.integers(16, 700),
    width=st.integers(16, 700),
    share=st.floats(0.01, 0.9),
)
def test_a_single_pair_is_cut_with_a_gap(height: int, width: int, share: float) -> None:
    pair = numbered(height, width)
    longer = max(height, width)
    try:
        parts = split([pair], share, seed=0)
    except BadPair:
        assert longer < 34 or (1 - share) * longer < 16 + 32 + 1
        return
    (train,), (held_out,) = parts.train, parts.held_out
    axis = int(width >= height)
    learned, judged = places(train)[axis], places(held_out)[axis]
    gap = judged.min() - learned.max() - 1
    assert min(32, round(0.05 * longer)) <= gap <= 32
    assert (learned.min(), judged.max()) == (0, longer - 1)
    assert train.shape[1 - axis] == held_out.shape[1 - axis] == min(height, width)
    assert min(*train.shape, *held_out.shape) >= 16
    wanted = max(16, share * longer)
    assert wanted - 1e-3 <= held_out.shape[axis] < wanted + 1
    assert not np.shares_memory(train.color, pair.color)
    assert not np.shares_memory(held_out.gray, pair.gray)


def test_parts_say_which_they_are() -> None:
    parts = split([numbered(200, 400)], 0.2, seed=0)
    assert names(parts.train) == ["slide (left 75 %)"]
    assert names(parts.held_out) == ["slide (right 20 %)"]
    parts = split([numbered(400, 200)], 0.2, seed=0)
    assert names(parts.train) == ["slide (top 75 %)"]
    assert names(parts.held_out) == ["slide (bottom 20 %)"]


def test_a_region_is_cut_by_its_own_pixels() -> None:
    mask = np.zeros((300, 600), bool)
    mask[20:280, 100:200] = True  # tall, in a wide picture
    mask[200:280, 150:160] = False
    parts = split([numbered(300, 600, mask)], 0.25, seed=0)
    (train,), (held_out,) = parts.train, parts.held_out
    assert train.mask is not None and held_out.mask is not None
    assert train.shape[1] == held_out.shape[1] == 600
    assert held_out.mask.sum() == pytest.approx(0.25 * mask.sum(), rel=0.02)
    used = [places(part)[0][part.mask] for part in (train, held_out)]
    assert used[1].min() - used[0].max() - 1 == 13
    assert names(parts.held_out) == ["slide (bottom 25 %)"]


@pytest.mark.parametrize("share", [0.0, -0.1, 0.91, float("nan")])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(BadSetting, match=r"above 0 and at most 0\.9"):
        split(pairs_of(TISSUE), share, seed=0)


def test_what_cannot_be_split_is_refused() -> None:
    with pytest.raises(BadPair, match="no pairs"):
        split([], 0.2, seed=0)
    with pytest.raises(BadPair, match=r"'a' is too small .* 30 px .* second pair"):
        split(pairs_of(TISSUE[:20, :30], name="a"), 0.2, seed=0)
    mask = np.zeros(TISSUE.shape[:2], bool)
    mask[100, 100] = True
    with pytest.raises(BadPair, match="1 px along its longer side"):
        split(pairs_of(TISSUE, mask=mask), 0.2, seed=0)


# placement


@given(
    offset=st.tuples(st.integers(-90, 90), st.integers(-90, 90)),
    scale=st.floats(1e-3, 1e3),
    origin=st.floats(-100, 100),
    error=st.floats(-0.2, 0.2),
)
def test_layers_at_different_places_show_the_same_pixels(
    offset: tuple[int, int], scale: float, origin: float, error: float
) -> None:
    world = numbered(400, 400).color
    dy, dx = offset
    gray, color = (
        world[100:250, 100:300],
        world[100 + dy : 220 + dy, 100 + dx : 300 + dx],
    )
    placed = [
        Placement(gray.shape[:2], (scale, scale), (origin * scale, origin * scale)),
        Placement(
            color.shape[:2],
            (scale, scale),
            ((origin + dy + error) * scale, (origin + dx + error) * scale),
        ),
    ]
    if offset == (0, 0):
        with pytest.raises(PairMismatch, match=r"150 x 200 px .* 120 x 200 px"):
            common_regions(*placed)
        return
    on_gray, on_color = common_regions(*placed)
    np.testing.assert_array_equal(gray[on_gray], color[on_color])
    rows = min(150, 120 + dy) - max(0, dy)
    assert gray[on_gray].shape == (rows, 200 - abs(dx), 3)


@pytest.mark.parametrize(
    ("placement", "message"),
    [
        (Placement((64, 64), (1, 2), (0, 0)), "1 long along X, .* picture 2"),
        (Placement((64, 64), (1.01, 1), (0, 0)), "pixels of one size"),
        (Placement((64, 64), (1, 1), (3, 0.5)), r"0\.50 px along X"),
        (Placement((64, 64), (1, 1), (0, 64)), "64 x 0 px in common"),
        (Placement((64, 64), (1, 1), (-60, 9)), "4 x 55 px in common"),
        (Placement((64, 64), (1, 1), (float("nan"), 0)), "nan px along Y"),
    ],
)
def test_layers_that_cannot_be_matched_are_refused(placement, message: str) -> None:
    with pytest.raises(BadPair, match=message):
        common_regions(Placement((64, 64), (1, 1), (0, 0)), placement)


def test_sizes_of_pixels_may_differ_by_rounding() -> None:
    first = Placement((64, 64), (0.65, 0.65), (0, 0))
    second = Placement((64, 64), (0.650001, 0.65), (1e-5, 6.5))
    assert common_regions(first, second) == (
        (slice(0, 64), slice(10, 64)),
        (slice(0, 64), slice(0, 54)),
    )


# digest


def test_a_digest_tells_pairs_apart() -> None:
    (pair,) = pairs_of(SMALL)
    mask = np.zeros(pair.shape, bool)
    mask[0] = True
    gray, color = pair.gray.copy(), pair.color.copy()
    gray[3, 4] += 1e-6
    color[3, 4, 1] ^= 1
    others = [
        [],
        [pair, pair],
        *(
            [dataclasses.replace(pair, **change)]
            for change in (
                {"name": "other"},
                {"gray": gray},
                {"color": color},
                {"mask": mask},
                {"mask": ~mask},
            )
        ),
        [dataclasses.replace(pair, gray=pair.gray.T, color=pair.color.swapaxes(0, 1))],
    ]
    digests = {digest(pairs) for pairs in [[pair], *others]}
    assert len(digests) == 1 + len(others)
    (again,) = pairs_of(SMALL.copy())
    assert digest([again]) == digest([pair])


@pytest.mark.parametrize("which", ["colour", "gray"])
def test_lazy_pictures_that_cannot_be_read_are_named(tmp_path, photo, which):
    array = photo if which == "colour" else photo[..., 1].astype(np.float32)
    np.save(tmp_path / "gone.npy", array)
    read = dask.delayed(np.load)(tmp_path / "gone.npy")
    lazy = dask.array.from_delayed(read, array.shape, array.dtype)
    (tmp_path / "gone.npy").unlink()
    pair = {"color": photo, "gray": None} | {
        "color" if which == "colour" else "gray": lazy
    }
    with pytest.raises(
        BadArray, match=rf"^The {which} picture .* cannot be read: .*gone"
    ):
        pairs_of(**pair, name="scan")
