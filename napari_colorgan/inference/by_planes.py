"""Arrays of colours with numpy's basic indexing, whose planes are read part by part."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array, Region
from napari_colorgan.image_io.parts import InParts, positions


class ByPlanes(InParts):
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

    def __getitem__(self, index: Any) -> Array:
        wanted, single = positions(index, self.shape)
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
