"""Which part of the pairs is learned from, and which is only judged by."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from napari_colorgan.arrays import Mask, Region
from napari_colorgan.errors import BadPair, BadSetting, NoPairs
from napari_colorgan.training.pairs.pair import MIN_SIDE, Pair

_GAP, _GAP_SHARE = 32, 0.05  # px, and part of the side; nuclei are 10 to 40 px wide
_LARGEST_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Split:
    """Pairs, or parts of one, that share no pixels."""

    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]


def split(pairs: Sequence[Pair], share: float, seed: int) -> Split:
    """Hold out a share of the pairs, or of the pixels of a single one.

    Of two or more pairs, whole ones are held out: ``share`` of them rounded, at least
    one, and at least one is left; `seed` chooses. Pairs of the same colour picture
    count as one. A single one is cut across its longer side (that of its mask), with
    its right or lower end held out, so that this holds `share` of the pixels used. A
    gap of 5 % of the side, at most 32 px, is left between, for neighbouring pixels show
    the same cell. Both parts are copies.

    Raises
    ------
    BadSetting
        `share` is not above 0 and at most 0.9.
    BadPair
        There are no pairs, or a single one is too small to be cut.
    """
    if not 0 < share <= _LARGEST_SHARE:
        raise BadSetting("validation", share, f"above 0 and at most {_LARGEST_SHARE}")
    if not pairs:
        raise NoPairs
    numbers = _pictures(pairs)  # the same one for the same picture
    pictures = max(numbers) + 1
    if pictures == 1:
        return _split_region(pairs, share)
    count = min(max(1, round(share * pictures)), pictures - 1)
    held_out = set(np.random.default_rng(seed).permutation(pictures)[:count].tolist())
    sides = [number in held_out for number in numbers]
    return Split(
        tuple(pair for pair, out in zip(pairs, sides, strict=True) if not out),
        tuple(pair for pair, out in zip(pairs, sides, strict=True) if out),
    )


def _pictures(pairs: Sequence[Pair]) -> list[int]:
    """Give each pair the number of its colour picture, equal ones the same."""
    numbers: list[int] = []
    known: dict[tuple[tuple[int, int], bytes], list[int]] = {}
    for pair in pairs:
        # few pixels tell most pictures apart, and all need not be hashed
        looks_like = known.setdefault(
            (pair.shape, pair.color[::16, ::16].tobytes()), []
        )
        same = (n for n in looks_like if np.array_equal(pairs[n].color, pair.color))
        first = next(same, None)
        numbers.append(
            max(numbers, default=-1) + 1 if first is None else numbers[first]
        )
        if first is None:
            looks_like.append(len(numbers) - 1)
    return numbers


def _split_region(pairs: Sequence[Pair], share: float) -> Split:
    """Cut pairs of one picture at the same place."""
    pair = pairs[0]
    used = np.logical_or.reduce([_used(pair) for pair in pairs])
    extents = [np.flatnonzero(used.any(axis=1 - axis)) for axis in (0, 1)]
    axis = int(np.ptp(extents[1]) >= np.ptp(extents[0]))
    first, last = int(extents[axis][0]), int(extents[axis][-1])
    gap = min(_GAP, max(1, round(_GAP_SHARE * (last + 1 - first))))
    weights = used.sum(axis=1 - axis) / used.sum()
    length = pair.shape[axis]
    cut = _cut(weights, share, last)
    stop = cut - gap
    learned, judged = float(weights[:stop].sum()), float(weights[cut:].sum())
    if min(stop, length - cut) < MIN_SIDE or not learned:
        raise BadPair(
            f"'{pair.name}' is too small to hold out a part of it: {last + 1 - first} "
            f"px along its longer side, where two parts of {MIN_SIDE} px and a gap of "
            f"{gap} px are needed. Add a second pair or a larger one."
        )
    before, after = (("top", "bottom"), ("left", "right"))[axis]
    return Split(
        _parts(pairs, axis, 0, stop, f"{before} {100 * learned:.0f} %"),
        _parts(pairs, axis, cut, length, f"{after} {100 * judged:.0f} %"),
    )


def _cut(weights: npt.NDArray[np.float64], share: float, last: int) -> int:
    """First row or column held out: `share` of the weight, and 16 px up to `last`."""
    beyond = np.cumsum(weights[::-1])[::-1]  # weight from each place on
    # a millionth: cumulative sums of 0.1 miss 0.2 by rounding
    cut = int(np.flatnonzero(beyond >= share - 1e-6)[-1])
    return min(cut, last + 1 - MIN_SIDE)


def _parts(
    pairs: Sequence[Pair], axis: int, start: int, stop: int, name: str
) -> tuple[Pair, ...]:
    """Cut a part out of those pairs that have pixels to use in it."""
    height, width = pairs[0].shape
    region: Region = (
        (slice(start, stop), slice(0, width))
        if axis == 0
        else (slice(0, height), slice(start, stop))
    )
    return tuple(
        replace(pair.cropped(region), name=f"{pair.name} ({name})")
        for pair in pairs
        if _used(pair)[region].any()
    )


def _used(pair: Pair) -> Mask:
    return np.ones(pair.shape, np.bool_) if pair.mask is None else pair.mask
