"""Windows on a fixed grid, and how much of each is kept.

Along one side of a plane, windows start every ``window - 2 * halo - blend`` px or less,
as evenly as their number and the strides of the network allow:

    read    halo | blend |  core  | blend | halo
    weight   0   | ramp  |   1    | ramp  |  0

Ramps of neighbours sum to 1. At the plane's own border a window reads only `BORDER` px
of reflection and keeps everything. The grid depends on the plane's size alone, so a
region coloured alone uses the very windows that the whole plane uses.

Windows start whole strides of the network apart, or it would see one place in several
phases, and its windows differ twice as much.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from napari_colorgan.arrays import Region
from napari_colorgan.errors import BadSetting, TileTooSmall

BORDER = 32
"""Px of reflection around a plane: there is nothing to know beyond it, but a network's
zero padding at the very edge would show."""

# Windows of networks with large strides advance by so many strides, or px if that is
# less, even where a window is then larger than asked for: else most of each is halo.
_STRIDES = 3
_ADVANCE = 1024


@dataclass(frozen=True, slots=True)
class Tiling:
    """Size of windows in px: what is read, discarded at each side, and cross-faded."""

    window: int = 1152
    halo: int = 128
    blend: int = 64
    at_once: int = 1
    """How many windows are predicted together."""

    def __post_init__(self) -> None:
        if self.halo < 0 or self.blend < 0:
            raise BadSetting("halo or blend", (self.halo, self.blend), "0 px or more")
        if self.window < self.minimum:
            raise TileTooSmall(self.window, self.minimum)

    @property
    def minimum(self) -> int:
        """Smallest possible window with this halo and blend."""
        return max(2 * (self.halo + self.blend), 32) + 32

    def overlap(self, stride: int) -> int:
        """Px that neighbours both read, for a network of this stride."""
        return -(-(2 * self.halo + self.blend) // stride) * stride

    def step(self, stride: int) -> int:
        """Largest distance between windows in px, for a network of this stride."""
        wanted = (self.window - self.overlap(stride)) // stride * stride
        return max(wanted, self.least_step(stride))

    def least_step(self, stride: int) -> int:
        """Smallest distance between windows in px, for a network of this stride.

        Never less than a blend, or three windows would fade at one place.
        """
        least = max(min(_STRIDES * stride, _ADVANCE), self.blend)
        return -(-least // stride) * stride

    def shrunk(self) -> Self | None:
        """Return a tiling that needs less memory, or None if this is the smallest.

        One window at once, and then windows of about half the core.
        """
        if self.at_once > 1:
            return replace(self, at_once=1)
        fixed = 2 * (self.halo + self.blend)
        window = max(self.minimum, fixed + (self.window - fixed) // 64 * 32)
        if window >= self.window:
            return None
        return replace(self, window=window)


@dataclass(frozen=True, slots=True)
class Span:
    """One window along one side of a plane; positions in px of the plane."""

    read: range
    """What the network sees; may reach beyond the plane."""
    keep: slice
    """Where its weight is above zero."""
    final: slice
    """What no later window touches once this one is done."""
    weight: npt.NDArray[np.float32]
    """Of every px of `keep`, in (0, 1]."""


def spans(length: int, tiling: Tiling, stride: int) -> list[Span]:
    """All windows along a side of `length` px; they read multiples of `stride` px.

    Neighbours fade in the middle of what they both read.
    """
    overlap, blend = tiling.overlap(stride), tiling.blend
    halo = (overlap - blend) // 2
    advanced = length + BORDER + min(halo, BORDER) - overlap  # by all windows
    count = max(1, -(-advanced // tiling.step(stride)))
    step = max(tiling.least_step(stride), -(-advanced // count // stride) * stride)
    result = []
    for k in range(count):
        first, last = k == 0, k == count - 1
        start = k * step - BORDER
        stop = length + BORDER if last else start + step + overlap
        keep = slice(
            0 if first else start + halo,
            length if last else start + step + halo + blend,
        )
        result.append(
            Span(
                read=range(start, start - (start - stop) // stride * stride),
                keep=keep,
                final=slice(keep.start, length if last else keep.stop - blend),
                weight=_weight(keep, 0 if first else blend, 0 if last else blend),
            )
        )
    return result


def touching(all_spans: list[Span], part: slice) -> list[Span]:
    """Those spans that decide about any px of `part`."""
    return [
        s for s in all_spans if s.keep.start < part.stop and part.start < s.keep.stop
    ]


def rectangles(region: Region, side: int) -> Iterator[Region]:
    """Cut `region` along a grid of `side` px that starts at the plane's origin."""
    rows, columns = region
    for top in range(rows.start // side * side, rows.stop, side):
        for left in range(columns.start // side * side, columns.stop, side):
            yield (
                slice(max(top, rows.start), min(top + side, rows.stop)),
                slice(max(left, columns.start), min(left + side, columns.stop)),
            )


def intersection(a: slice, b: slice) -> slice:
    """Px that are in both; empty slices start at their stop."""
    start, stop = max(a.start, b.start), min(a.stop, b.stop)
    return slice(min(start, stop), stop)


def within(region: Region, part: Region) -> Region:
    """Where a part of a region is, counted from the region's first px."""
    y, x = (
        slice(inner.start - outer.start, inner.stop - outer.start)
        for outer, inner in zip(region, part, strict=True)
    )
    return y, x


def _weight(keep: slice, ramp_in: int, ramp_out: int) -> npt.NDArray[np.float32]:
    """Ramps that with those of the neighbouring windows sum to exactly 1."""
    x = np.arange(keep.stop - keep.start)
    weight = np.ones(len(x))
    if ramp_in:
        weight = np.minimum(weight, (x + 1) / (ramp_in + 1))
    if ramp_out:
        weight = np.minimum(weight, (x[::-1] + 1) / (ramp_out + 1))
    return weight.astype(np.float32)
