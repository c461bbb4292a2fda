"""Parts of large arrays that stand for all of them."""

import math
from collections.abc import Iterator, Sequence

from napari_colorgan.arrays import Region
from napari_colorgan.inference.axes import indices

PLANES = 16
_PIXELS = 1 << 24  # looked at; what is no larger is seen as a whole
_SIDE = 512  # px


def is_all_seen(leading: Sequence[int], shape: tuple[int, int]) -> bool:
    """Whether `spread_parts` leaves nothing out."""
    return math.prod((*leading, *shape)) <= _PIXELS


def spread_planes(leading: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Index of at most 16 planes, evenly spread."""
    step = -(-math.prod(leading) // PLANES)
    return list(indices(leading))[::step]


def spread_parts(
    leading: tuple[int, ...], shape: tuple[int, int]
) -> Iterator[tuple[tuple[int, ...], Region]]:
    """Planes, or blocks of 512 px that are evenly spread over at most 16 planes."""
    everything = slice(0, shape[0]), slice(0, shape[1])
    if is_all_seen(leading, shape):
        yield from ((index, everything) for index in indices(leading))
        return
    chosen = spread_planes(leading)
    across = max(1, math.isqrt(_PIXELS // len(chosen) // _SIDE**2))
    rows, columns = (_spread(length, across) for length in shape)
    for index in chosen:
        yield from ((index, (y, x)) for y in rows for x in columns)


def _spread(length: int, count: int) -> list[slice]:
    """At most `count` parts of a side, apart from each other; all of a short one."""
    if length <= count * _SIDE:
        return [
            slice(start, min(start + _SIDE, length))
            for start in range(0, length, _SIDE)
        ]
    starts = [round(n * (length - _SIDE) / max(1, count - 1)) for n in range(count)]
    return [slice(start, start + _SIDE) for start in starts]
