"""What arrays have in common of which only the parts that are needed are read."""

import math
import operator
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array


class InParts(ABC):
    """An array with numpy's basic indexing, which gives numpy arrays."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def __getitem__(self, index: Any) -> Array:
        """Read what a basic index says."""

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
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[...], dtype)


def positions(
    index: Any, shape: tuple[int, ...]
) -> tuple[list[range], tuple[bool, ...]]:
    """Positions along every axis, and whether the axis vanishes.

    Raises
    ------
    IndexError
        It is no basic index, or outside.
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    gaps = [place for place, part in enumerate(parts) if part is Ellipsis]
    if len(gaps) > 1 or len(parts) - len(gaps) > len(shape):
        raise IndexError(f"{len(shape)} dimensions cannot be indexed by {index!r}")
    filling = [slice(None)] * (len(shape) - len(parts) + len(gaps))
    place = gaps[0] if gaps else len(parts)
    parts[place : place + 1] = filling
    wanted, single = [], []
    for part, length in zip(parts, shape, strict=True):
        if isinstance(part, slice):
            wanted.append(range(*part.indices(length)))
        else:
            try:
                at = range(length)[operator.index(part)]
            except TypeError:
                raise IndexError(f"{part!r} is no basic index") from None
            wanted.append(range(at, at + 1))
        single.append(not isinstance(part, slice))
    return wanted, tuple(single)
