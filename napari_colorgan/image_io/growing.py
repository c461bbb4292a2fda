"""Coloured pictures of any size, written chunk by chunk, which can be gone on with."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from napari_colorgan.arrays import RGB, Array, Region
from napari_colorgan.drafts import remove_folder
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.progress import Cell, Finished
from napari_colorgan.image_io.tags import Record

CHUNK = 512
"""Side of chunks in px."""
_MOST_LEVELS = 12

Index = tuple[int, ...]
"""Of a plane, along the leading axes."""


class Levels(Protocol):
    """A picture and its pyramid in a file or folder; level 0 is the picture."""

    def read(self, level: int, index: Index, region: Region) -> RGB:
        """RGB (Y, X, 3) of a part, black where nothing was written."""

    def write(self, level: int, index: Index, region: Region, rgb: RGB) -> None:
        """Write whole chunks; they are on the disk when this returns."""

    def complete(self, made: Record) -> None:
        """Say how the picture was made, now that it is."""

    def close(self) -> None:
        """Close what is open."""


class GrowingFile:
    """A coloured picture whose chunks are written in any order, by one process.

    Parts are whole chunks: they start at multiples of `chunk` px, and end at such or at
    the border of the plane. What is recorded as finished survives whatever happens to
    the process, and to the machine.

    Used as a context; `complete` is called when nothing is missing. Of a file to which
    nothing was written nothing is left.

    Attributes
    ----------
    shape : of the gray array, (..., Y, X)
    chunk : side of a chunk in px
    remedy : what to do where the disk is full; default for who can go on with it

    Raises
    ------
    BadImageFile
        It cannot be written, for the disk is full, for example.
    """

    def __init__(
        self, path: Path, levels: Levels, shape: Sequence[int], finished: Finished
    ) -> None:
        self.path = path
        self.shape = tuple(shape)
        self.chunk = CHUNK
        self.remedy = (
            "What is finished stays: make room or mend the disk, and go on with "
            "--resume."
        )
        self._levels = levels
        self._finished = finished
        self._pixels = sum(self._area(cell) for cell in np.argwhere(finished.done))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._finished.close()
        self._levels.close()
        if not self._pixels:  # nothing to go on with
            remove(self.path)
            self._finished.delete()

    @property
    def pixels(self) -> int:
        """How many px are finished."""
        return self._pixels

    def missing(self, index: Index) -> list[Region]:
        """Regions of a plane, each of whole chunks, that are not finished; in order.

        Rows of chunks that lack the same columns are one region.
        """
        done = self._finished.done[self._number(index)]
        regions: list[tuple[int, int, int, int]] = []
        for row in map(int, np.flatnonzero(~done.all(1))):
            lacking = np.flatnonzero(~done[row])
            left, right = int(lacking[0]), int(lacking[-1]) + 1
            if regions and regions[-1][1:] == (row, left, right):
                regions[-1] = (regions[-1][0], row + 1, left, right)
            else:
                regions.append((row, row + 1, left, right))
        height, width = self.shape[-2:]
        return [
            (
                slice(top * CHUNK, min(bottom * CHUNK, height)),
                slice(left * CHUNK, min(right * CHUNK, width)),
            )
            for top, bottom, left, right in regions
        ]

    @property
    def is_finished(self) -> bool:
        """Whether no chunk is missing."""
        return bool(self._finished.done.all())

    def lacks(self, index: Index, region: Region) -> bool:
        """Whether a chunk of those that make up a region is not finished."""
        done = self._finished.done
        return not all(done[cell] for cell in self._cells(index, region))

    def write(self, index: Index, region: Region, rgb: RGB) -> None:
        """Write and record whole chunks of one plane, (Y, X, 3)."""
        cells = list(self._cells(index, region))
        with self._told():
            self._levels.write(0, index, region, rgb)
            self._pixels += sum(
                self._area(cell) for cell in cells if not self._finished.done[cell]
            )
            self._finished.add(cells)

    def write_pyramid(self) -> None:
        """Write the lower levels of what was written since the last time."""
        with self._told():
            cells, shape = set(self._finished.unsummed), self.shape
            for level in range(1, len(level_shapes(self.shape[-2:]))):
                smaller = level_shapes(shape[-2:])[1]
                cells = {(plane, row // 2, column // 2) for plane, row, column in cells}
                for cell in sorted(cells):
                    region = _region(cell, smaller)
                    index = self._index(cell[0])
                    double = _doubled(region, (shape[-2], shape[-1]))
                    below = self._levels.read(level - 1, index, double)
                    self._levels.write(level, index, region, halved(below))
                shape = smaller
            self._finished.add_pyramid()

    def complete(self, made: Record) -> None:
        """Write what is left of the pyramid, and how the picture was made."""
        self.write_pyramid()
        with self._told():
            self._levels.complete(made)
            self._finished.delete()

    def _cells(self, index: Index, region: Region) -> Iterator[Cell]:
        sides = zip(region, self.shape[-2:], strict=True)
        if any(
            part.start % CHUNK or (part.stop % CHUNK and part.stop != length)
            for part, length in sides
        ):
            raise ValueError(f"{region} is not made of whole chunks of {CHUNK} px")
        number = self._number(index)
        for row in range(region[0].start // CHUNK, -(-region[0].stop // CHUNK)):
            for column in range(region[1].start // CHUNK, -(-region[1].stop // CHUNK)):
                yield number, row, column

    def _area(self, cell: Sequence[int] | Array) -> int:
        region = _region((cell[0], cell[1], cell[2]), self.shape[-2:])
        return math.prod(part.stop - part.start for part in region)

    def _number(self, index: Index) -> int:
        return int(np.ravel_multi_index(index, self.shape[:-2])) if index else 0

    def _index(self, number: int) -> Index:
        leading = self.shape[:-2]
        return tuple(map(int, np.unravel_index(number, leading))) if leading else ()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Say what the disk says, in words."""
        try:
            yield
        except OSError as error:
            raise BadImageFile(
                f"'{self.path}' cannot be written: {error.strerror or error}. "
                f"{self.remedy}"
            ) from error


def remove(path: Path) -> None:
    """Remove a file, or a store with all that is in it, if it is there."""
    if path.is_dir():
        remove_folder(path)
    else:
        path.unlink(missing_ok=True)


def grid_of(shape: Sequence[int]) -> tuple[int, int, int]:
    """Planes, rows and columns of chunks of a picture (..., Y, X)."""
    height, width = shape[-2:]
    return math.prod(shape[:-2]), -(-height // CHUNK), -(-width // CHUNK)


def level_shapes(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Heights and widths of a pyramid, each half of the one before; the last fits."""
    height, width = (int(length) for length in shape)
    shapes = [(height, width)]
    while max(shapes[-1]) > CHUNK and len(shapes) < _MOST_LEVELS:
        height, width = shapes[-1]
        shapes.append((-(-height // 2), -(-width // 2)))
    return shapes


def halved(rgb: RGB) -> RGB:
    """Means of 2 x 2 px, rounded; a last row or column alone counts twice."""
    height, width = rgb.shape[:2]
    if height % 2 or width % 2:
        rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    rows = rgb[::2].astype(np.uint16) + rgb[1::2]
    return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)


def _region(cell: Cell, shape: Sequence[int]) -> Region:
    rows, columns = (
        slice(number * CHUNK, min((number + 1) * CHUNK, length))
        for number, length in zip(cell[1:], shape, strict=True)
    )
    return rows, columns


def _doubled(region: Region, shape: tuple[int, int]) -> Region:
    rows, columns = (
        slice(2 * part.start, min(2 * part.stop, length))
        for part, length in zip(region, shape, strict=True)
    )
    return rows, columns
