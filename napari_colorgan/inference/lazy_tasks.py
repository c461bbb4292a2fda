"""What the tasks of a lazy result do; each is small, picklable and called by Dask.

Their results are what the next ones are given: sums of blocks, what all of a plane
decides, predictions of windows, and colours of chunks.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from napari_colorgan.arrays import RGB, Array, Gray, Region
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.source import Plane, Source, block_sums
from napari_colorgan.inference.tiling import Span, Tiling, intersection, spans, within
from napari_colorgan.inference.travelling import TravellingModel, computing
from napari_colorgan.inference.views import Local, Prepared, paint, prepare

Sums = npt.NDArray[np.float64]
"""Of gray in the cells of a plane that a block has a part in, (y, x)."""
Place = tuple[int, int]
"""Row and column; of a px, or of a window on its grid."""


@dataclass(frozen=True, slots=True)
class Work:
    """What all tasks of a result share."""

    model: TravellingModel
    source: Source
    """Without its array: limits, fill, name."""


@dataclass(frozen=True, slots=True)
class Block:
    """Where a chunk of the gray array lies, and which plane of it is meant."""

    index: tuple[int, ...]
    """Of the plane within the chunk."""
    start: Place
    """Px of the plane."""

    def of(self, chunk: Any) -> Array:
        """Return the part of a plane (y, x) that is in a chunk."""
        return np.asarray(chunk[self.index])


@dataclass(frozen=True, slots=True)
class Mosaic:
    """Blocks of a plane as one array, of which what they cover can be read."""

    shape: tuple[int, ...]
    parts: Sequence[tuple[Place, Array]]

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of its blocks."""
        return self.parts[0][1].dtype

    def __getitem__(self, region: Region) -> Array:
        """Values of a region (y, x)."""
        shape = tuple(side.stop - side.start for side in region)
        result, covered = np.empty(shape, self.dtype), 0
        for start, block in self.parts:
            whole = _covered(start, block)
            y, x = map(intersection, region, whole)
            if y.start < y.stop and x.start < x.stop:
                result[within(region, (y, x))] = block[within(whole, (y, x))]
                covered += (y.stop - y.start) * (x.stop - x.start)
        assert covered == math.prod(shape), "a task was not given all that it reads"
        return result


def _covered(start: Place, block: Array) -> Region:
    (y, x), (height, width) = start, block.shape
    return slice(y, y + height), slice(x, x + width)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of a plane: which blocks, and where they lie."""

    shape: tuple[int, int]
    """Of the plane, px."""
    blocks: tuple[Block, ...]

    def plane(self, work: Work, chunks: Sequence[Any]) -> Plane:
        """Return the plane, of which the blocks can be read."""
        parts = [
            (block.start, block.of(chunk))
            for block, chunk in zip(self.blocks, chunks, strict=True)
        ]
        return Plane(replace(work.source, array=Mosaic(self.shape, parts)), ())


@dataclass(frozen=True)
class ReducedPlane(Plane):
    """A plane that is known by its means alone."""

    means: dict[int, Gray] = field(default_factory=dict, compare=False)

    def reduced(self, factor: int) -> Gray:
        """Gray of the whole plane, averaged over blocks of `factor` px."""
        return self.means[factor]


@dataclass(frozen=True, slots=True)
class Reduce:
    """Sum one block over cells of `factor` px, which the plane's grid has."""

    shape: tuple[int, int]
    block: Block
    factor: int

    def __call__(self, work: Work, chunk: Any) -> tuple[Place, Sums]:
        """Return the first cell that the block has a part in, and sums."""
        plane = Reading(self.shape, (self.block,)).plane(work, [chunk])
        y, x = self.block.start
        gray = plane.gray(_covered(self.block.start, self.block.of(chunk)))
        before = (y % self.factor, x % self.factor)
        gray = np.pad(gray, [(before[0], 0), (before[1], 0)])
        sums = block_sums(block_sums(gray, self.factor).T, self.factor).T
        return (y // self.factor, x // self.factor), sums


@dataclass(frozen=True, slots=True)
class PrepareWhole:
    """Find out what all of a plane decides, from the sums of its blocks."""

    shape: tuple[int, int]
    factor: int
    hints: Hints | None

    def __call__(self, work: Work, sums: Sequence[tuple[Place, Sums]]) -> Prepared:
        """Return what `paint` is given."""
        height, width = (-(-length // self.factor) for length in self.shape)
        total = np.zeros((height, width))
        for (y, x), part in sums:
            total[y : y + part.shape[0], x : x + part.shape[1]] += part
        tall, wide = (
            np.diff([*range(0, length, self.factor), length]) for length in self.shape
        )
        means: Gray = (total / np.outer(tall, wide)).astype(np.float32)
        source = replace(work.source, array=Mosaic(self.shape, []))
        plane = ReducedPlane(source, (), means={self.factor: means})
        with computing():
            return prepare(plane, work.model.colorizer(), hints=self.hints)


@dataclass(frozen=True, slots=True)
class PrepareLocal:
    """Measure statistics of a plane, and learn from hints, from what these need."""

    reading: Reading
    tiling: Tiling
    hints: Hints | None

    def __call__(self, work: Work, chunks: Sequence[Any]) -> Prepared:
        """Return what `paint` is given."""
        plane = self.reading.plane(work, chunks)
        with computing():
            return prepare(plane, work.model.colorizer(), self.tiling, self.hints)


@dataclass(frozen=True, slots=True)
class Look:
    """Predict one window."""

    reading: Reading
    window: Place

    def __call__(self, work: Work, prepared: Local, chunks: Sequence[Any]) -> Tensor:
        """Return what the window says of all that it keeps, (C, h, w)."""
        plane, colorizer = self.reading.plane(work, chunks), work.model.colorizer()
        row, column = (
            spans(length, prepared.tiling, colorizer.stride)[number]
            for length, number in zip(plane.shape, self.window, strict=True)
        )
        with computing():
            return prepared.window(plane, row, column, colorizer)


@dataclass(frozen=True, slots=True)
class Looked(Local):
    """A plane whose windows were predicted by other tasks."""

    predictions_of: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    """By the px where what they keep starts."""

    def windows(
        self, plane: Plane, row: Span, columns: list[Span], region: Region, _: Colorizer
    ) -> Iterator[tuple[Span, Tensor]]:
        """Predictions (C, h, w) for the kept part of the windows of one row."""
        for column in columns:
            said = self.predictions_of[row.keep.start, column.keep.start]
            yield column, said


@dataclass(frozen=True, slots=True)
class Paint:
    """Colour one chunk."""

    reading: Reading
    region: Region
    windows: tuple[Place, ...]
    """That it is blended of; none in `whole` context."""
    leading: int
    """How many axes are before rows and columns."""

    def __call__(
        self,
        work: Work,
        prepared: Prepared,
        chunks: Sequence[Any],
        predictions: Sequence[Tensor],
    ) -> RGB:
        """Return colours, (1, ..., y, x, 3)."""
        plane, colorizer = self.reading.plane(work, chunks), work.model.colorizer()
        if isinstance(prepared, Local):
            prepared = self._looked(prepared, plane, colorizer, predictions)
        shape = tuple(side.stop - side.start for side in self.region)
        rgb = np.empty((*shape, 3), np.uint8)
        for piece in paint(plane, prepared, self.region, colorizer):
            rgb[within(self.region, piece.region)] = piece.rgb
        return rgb.reshape((1,) * self.leading + rgb.shape)

    def _looked(
        self,
        prepared: Local,
        plane: Plane,
        colorizer: Colorizer,
        predictions: Sequence[Tensor],
    ) -> Looked:
        rows, columns = (
            spans(length, prepared.tiling, colorizer.stride) for length in plane.shape
        )
        said = {
            (rows[y].keep.start, columns[x].keep.start): prediction
            for (y, x), prediction in zip(self.windows, predictions, strict=True)
        }
        return Looked(prepared.statistics, prepared.tiling, None, said)
