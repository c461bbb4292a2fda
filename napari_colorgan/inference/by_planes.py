"""Arrays of colours with numpy's basic indexing, whose planes are read part by part."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array, Region


class ByPlanes(ABC):
    """Colours (..., samples) uint8 with the dimensions of a layer.

    Parameters
    ----------
    lengths : of the gray array (..., Y, X)
    order : dimensions of this array as (leading..., Y, X)
    """

    samples = 3
    cuts = True
    """Whether several planes may be read at once."""
    dtype = np.dtype(np.uint8)

    def __init__(self, lengths: Sequence[int], order: Sequence[int]) -> None:
        self.order = tuple(order)
        shape = [0] * len(lengths)
        for axis, length in zip(order, lengths, strict=True):
            shape[axis] = int(length)
        self.shape = (*shape, self.samples)

    @abstractmethod
    def part(self, index: tuple[int, ...], region: Region) -> Array:
        """Return colours (y, x, samples) of a region of one plane."""

    @property
    def ndim(self) -> int:
        """How many dimensions there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many values there are."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """How much memory all of it would take."""
        return self.size

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[...], dtype)

    def __getitem__(self, index: Any) -> Array:
        wanted, single = _positions(index, self.shape)
        *planes, rows, columns = (wanted[axis] for axis in self.order)
        out = np.zeros((*map(len, (*planes, rows, columns)), self.samples), np.uint8)
        if out.size and (self.cuts or all(len(plane) == 1 for plane in planes)):
            for place in np.ndindex(*map(len, planes)):
                at = tuple(each[n] for each, n in zip(planes, place, strict=True))
                out[place] = self._plane(at, rows, columns)
        back = map(int, np.argsort(self.order))
        result = out.transpose(*back, len(self.order))[..., wanted[-1]]
        kept = [n for n, one in zip(result.shape, single, strict=True) if not one]
        return result.reshape(kept)

    def _plane(self, index: tuple[int, ...], rows: range, columns: range) -> Array:
        region = _span(rows), _span(columns)
        y, x = (
            np.asarray(each) - side.start
            for each, side in zip((rows, columns), region, strict=True)
        )
        picked: Array = self.part(index, region)[np.ix_(y, x)]
        return picked


def _span(positions: range) -> slice:
    """Return the px from the first to the last of some positions."""
    return slice(min(positions), max(positions) + 1)


def _positions(index: Any, shape: Sequence[int]) -> tuple[list[range], list[bool]]:
    """Positions along every dimension, and whether it vanishes, of a basic index."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if gaps := [n for n, each in enumerate(parts) if each is Ellipsis]:
        filling = [slice(None)] * (len(shape) - len(parts) + 1)
        parts[gaps[0] : gaps[0] + 1] = filling
    parts += [slice(None)] * (len(shape) - len(parts))
    single = [not isinstance(each, slice) for each in parts]
    wanted = [
        range(*each.indices(length))
        if isinstance(each, slice)
        else range(length)[int(each) : int(each) + 1 or None]
        for each, length in zip(parts, shape, strict=True)
    ]
    return wanted, single
