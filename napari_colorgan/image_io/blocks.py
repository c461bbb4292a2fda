"""Arrays of files that are read block by block, when they are needed."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array
from napari_colorgan.image_io.parts import InParts, positions

Parts = tuple[slice, ...]
"""One slice per dimension, with explicit start and stop."""

KEPT = 24 << 20
"""Bytes of decoded blocks that an array keeps: neighbouring windows share them."""
_LEAST = 512  # px; smaller chunks are read several at once
_MOST = 1 << 26  # bytes of several chunks
_LEADING = 2  # axes at most that a block is made larger along: the last ones


class Blocks(InParts):
    """An array with shape, dtype and numpy's basic indexing, read block by block.

    A few of the blocks that were used last are kept. Safe to use from several threads;
    what is pickled is how to open it again.

    Parameters
    ----------
    sides : of a block, one per dimension; those at the far ends are smaller
    read : reads a block as it is stored
    reopen : a function and its arguments that give the same array in another process
    path : of the file, or of the folder of the array in a store
    """

    def __init__(
        self,
        shape: Sequence[int],
        dtype: np.dtype[Any],
        sides: Sequence[int],
        read: Callable[[Parts], Array],
        reopen: tuple[Callable[..., "Blocks"], tuple[Any, ...]],
        path: Path | None = None,
    ) -> None:
        self.path = path
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype)
        self.sides = tuple(int(n) for n in sides)
        self._read = read
        self._reopen = reopen
        self._kept: OrderedDict[tuple[int, ...], Array] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Callable[..., "Blocks"], tuple[Any, ...]]:
        return self._reopen

    def __getitem__(self, index: Any) -> Array:
        wanted, single = positions(index, self.shape)
        ahead = [each if each.step > 0 else each[::-1] for each in wanted]
        out = np.empty([len(each) for each in ahead], self.dtype)
        touched = [
            list(_touched(each, side))
            for each, side in zip(ahead, self.sides, strict=True)
        ]
        for group in product(*touched):
            block = self._block(tuple(number for number, _, _ in group))
            out[tuple(into for _, into, _ in group)] = block[
                tuple(inner for _, _, inner in group)
            ]
        turned = tuple(slice(None, None, 1 if r.step > 0 else -1) for r in wanted)
        result: Array = out[turned]
        return result.reshape(
            [n for n, one in zip(out.shape, single, strict=True) if not one]
        )

    def arranged(self, kept: Sequence[int]) -> "Blocks":
        """Return the same with its axes in another order.

        Parameters
        ----------
        kept : of its axes; of those that are left out, only the first position is used
        """
        kept = tuple(kept)
        if kept == tuple(range(self.ndim)):
            return self
        order = (*kept, *(axis for axis in range(self.ndim) if axis not in kept))

        def read(parts: Parts) -> Array:
            stored = [slice(0, 1)] * self.ndim
            for axis, part in zip(kept, parts, strict=True):
                stored[axis] = part
            block = self._read(tuple(stored)).transpose(order)
            return block.reshape(block.shape[: len(kept)])

        return Blocks(
            [self.shape[axis] for axis in kept],
            self.dtype,
            [self.sides[axis] for axis in kept],
            read,
            (_arranged, (self, kept)),
            self.path,
        )

    transpose = arranged

    def _block(self, numbers: tuple[int, ...]) -> Array:
        with self._lock:
            if (kept := self._kept.get(numbers)) is not None:
                self._kept.move_to_end(numbers)
                return kept
        block = self._read(
            tuple(
                slice(number * side, min((number + 1) * side, length))
                for number, side, length in zip(
                    numbers, self.sides, self.shape, strict=True
                )
            )
        )
        with self._lock:
            self._kept[numbers] = block
            held = sum(each.nbytes for each in self._kept.values())
            while held > KEPT and len(self._kept) > 1:
                held -= self._kept.popitem(last=False)[1].nbytes
        return block


def block_sides(
    chunks: Sequence[int], shape: Sequence[int], itemsize: int
) -> tuple[int, ...]:
    """Sides of blocks of whole chunks, of which few have to be read.

    Where chunks hold so many planes that no blocks of them could be kept, blocks hold
    one plane of a chunk.

    Parameters
    ----------
    itemsize : bytes of a value
    """
    ahead = len(chunks) - _LEADING
    sides = [
        min(length, side if place < ahead else -(-_LEAST // side) * side)
        for place, (side, length) in enumerate(zip(chunks, shape, strict=True))
    ]
    if math.prod(sides) * itemsize > KEPT // 4:
        sides[:ahead] = [1] * ahead
    if sides and (size := math.prod(sides) * itemsize) > _MOST:
        # strips of wide pictures: fewer of them at once
        strips = max(1, sides[ahead] // chunks[ahead] * _MOST // size)
        sides[ahead] = min(sides[ahead], strips * chunks[ahead])
    return tuple(sides)


def _arranged(blocks: Blocks, kept: tuple[int, ...]) -> Blocks:
    return blocks.arranged(kept)


def _touched(wanted: range, side: int) -> Iterator[tuple[int, slice, slice]]:
    """Numbers of blocks with wanted positions; where these go, and where they are."""
    first = 0
    while first < len(wanted):
        number = wanted[first] // side
        start = number * side
        last = len(range(wanted.start, min(wanted.stop, start + side), wanted.step))
        inner = slice(wanted[first] - start, wanted[last - 1] - start + 1, wanted.step)
        yield number, slice(first, last), inner
        first = last
