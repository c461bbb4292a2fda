"""Which tasks make which chunk of a lazy result, and what each of them is given."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from napari_colorgan.arrays import Region
from napari_colorgan.inference.axes import indices
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.lazy_tasks import (
    Block,
    Look,
    Paint,
    Place,
    PrepareLocal,
    PrepareWhole,
    Reading,
    Reduce,
    Work,
)
from napari_colorgan.inference.looking import pixels_of, seen_factor, window_of
from napari_colorgan.inference.source import reflect
from napari_colorgan.inference.tiling import Span, spans
from napari_colorgan.inference.views import Local, sampled

Key = tuple[Any, ...]
Graph = dict[Any, Any]


@dataclass(frozen=True)
class Chunks:
    """Chunks of a Dask array of gray pictures (..., Y, X)."""

    array: Any

    @cached_property
    def _starts(self) -> list[Any]:
        return [np.cumsum([0, *sizes]) for sizes in self.array.chunks]

    def touching(
        self, index: tuple[int, ...], region: Region
    ) -> tuple[Reading, list[Key]]:
        """Return the chunks that hold px of a region of a plane, and their keys."""
        leading = [
            int(np.searchsorted(starts, i, "right")) - 1
            for starts, i in zip(self._starts[:-2], index, strict=True)
        ]
        inside = tuple(
            int(i - starts[n])
            for starts, i, n in zip(self._starts[:-2], index, leading, strict=True)
        )
        rows, columns = (
            _overlapping(starts, side)
            for starts, side in zip(self._starts[-2:], region, strict=True)
        )
        blocks, keys = [], []
        for y, x in product(rows, columns):
            start = (int(self._starts[-2][y]), int(self._starts[-1][x]))
            blocks.append(Block(inside, start))
            keys.append((self.array.name, *leading, y, x))
        height, width = self.array.shape[-2:]
        return Reading((height, width), tuple(blocks)), keys


def _overlapping(starts: Any, side: slice) -> list[int]:
    """Numbers of the chunks along one axis that hold px of a side; none is empty."""
    first = int(np.searchsorted(starts, side.start, "right")) - 1
    last = int(np.searchsorted(starts, side.stop, "left"))
    return [n for n in range(first, last) if starts[n] < starts[n + 1]]


@dataclass(frozen=True)
class Painted:
    """A chunk of a result."""

    key: Key
    index: tuple[int, ...]
    """Of its plane."""
    region: Region


@dataclass(frozen=True)
class Planner:
    """Makes the graph of a result.

    Parameters
    ----------
    name : of the result; keys of all tasks contain it
    gray : what is coloured
    again : the same; what is read of a plane twice need not be kept in between
    sides : rows and columns of the result's chunks, px
    """

    name: str
    work: Work
    colorizer: Colorizer
    gray: Chunks
    again: Chunks
    hints: Hints | None
    sides: tuple[int, int]

    @property
    def chunks(self) -> tuple[tuple[int, ...], ...]:
        """Of the result, as Dask has them."""
        leading = ((1,) * length for length in self.gray.array.shape[:-2])
        return (*leading, *map(_cut, self._shape, self.sides), (3,))

    def painted(self) -> Iterator[Painted]:
        """All chunks, plane by plane and row by row."""
        rows, columns = map(_pieces, self._shape, self.sides)
        for index in indices(self.gray.array.shape[:-2]):
            for (y, row), (x, column) in product(enumerate(rows), enumerate(columns)):
                yield Painted((self.name, *index, y, x, 0), index, (row, column))

    def graph(self, chunks: Iterable[Painted]) -> Graph:
        """Return the tasks of some chunks, but for those of what is coloured."""
        graph: Graph = {self._key("work"): self.work}
        for chunk in chunks:
            if self._key("prepare", *chunk.index) not in graph:
                graph |= self._prepare(chunk.index)
            windows = self._windows(chunk.region)
            for window in windows:
                key = self._key("window", *chunk.index, *window)
                if key not in graph:
                    graph[key] = self._look(chunk.index, window)
            graph[chunk.key] = self._paint(chunk, windows)
        return graph

    def inputs(self, graph: Graph) -> set[Key]:
        """Return the keys of the chunks of what is coloured that tasks are given."""
        names = {self.gray.array.name, self.again.array.name}
        lists = (each if isinstance(each, list) else [each] for each in _given(graph))
        return {key for keys in lists for key in keys if key[0] in names}

    @property
    def _shape(self) -> tuple[int, int]:
        height, width = self.gray.array.shape[-2:]
        return height, width

    @cached_property
    def _spans(self) -> tuple[list[Span], list[Span]]:
        tiling, stride = self.colorizer.tiling, self.colorizer.stride
        rows, columns = (spans(length, tiling, stride) for length in self._shape)
        return rows, columns

    def _key(self, kind: str, *numbers: int) -> Key:
        return (f"{kind}-{self.name}", *numbers)

    def _told(self, index: tuple[int, ...]) -> Hints | None:
        return None if self.hints is None else self.hints.of_plane(index)

    def _prepare(self, index: tuple[int, ...]) -> Graph:
        """Tasks that find out what all of a plane decides."""
        if self.colorizer.context == "whole":
            return self._whole(index)
        return {self._key("prepare", *index): self._local(index)}

    def _whole(self, index: tuple[int, ...]) -> Graph:
        """One task for each chunk of a plane, and one for these."""
        graph: Graph = {}
        factor = seen_factor(self._shape, self.colorizer.working_size)
        everything = (slice(0, self._shape[0]), slice(0, self._shape[1]))
        reading, keys = self.gray.touching(index, everything)
        sums = []
        for number, (block, key) in enumerate(zip(reading.blocks, keys, strict=True)):
            sums.append(self._key("reduce", *index, number))
            reduce = Reduce(self._shape, block, factor)
            graph[sums[-1]] = (reduce, self._key("work"), key)
        prepare = PrepareWhole(self._shape, factor, self._told(index))
        graph[self._key("prepare", *index)] = (prepare, self._key("work"), sums)
        return graph

    def _look(self, index: tuple[int, ...], window: Place) -> Any:
        y, x = window
        read = (self._spans[0][y].read, self._spans[1][x].read)
        reading, keys = self._read(index, [read])
        prepare = self._key("prepare", *index)
        return (Look(reading, window), self._key("work"), prepare, keys)

    def _local(self, index: tuple[int, ...]) -> Any:
        told, tiling = self._told(index), self.colorizer.tiling
        windows: list[tuple[range, range]] = []
        if self.colorizer.normalises_by_picture:
            windows += sampled(self._shape, self.colorizer.stride)
        if told is not None:
            windows += [
                window_of(self._shape, place, self.colorizer, tiling)
                for place in pixels_of(told, self._shape)
            ]
        if not windows:
            return Local(None, tiling)
        reading, keys = self._read(index, windows)
        return (PrepareLocal(reading, tiling, told), self._key("work"), keys)

    def _read(
        self, index: tuple[int, ...], windows: list[tuple[range, range]]
    ) -> tuple[Reading, list[Key]]:
        """Return the chunks that windows read, each once, and their keys."""
        blocks: dict[Key, Block] = {}
        for window in windows:
            rows, columns = map(_reached, window, self._shape)
            reading, keys = self.gray.touching(index, (rows, columns))
            blocks |= dict(zip(keys, reading.blocks, strict=True))
        return Reading(self._shape, tuple(blocks.values())), list(blocks)

    def _windows(self, region: Region) -> list[Place]:
        """Return the windows that decide about a region."""
        if self.colorizer.context == "whole":
            return []
        rows, columns = map(_deciding, self._spans, region)
        return list(product(rows, columns))

    def _paint(self, chunk: Painted, windows: list[Place]) -> Any:
        reading, keys = self.again.touching(chunk.index, chunk.region)
        return (
            Paint(reading, chunk.region, tuple(windows), len(chunk.index)),
            self._key("work"),
            self._key("prepare", *chunk.index),
            keys,
            [self._key("window", *chunk.index, *window) for window in windows],
        )


def _given(graph: Graph) -> Iterator[Any]:
    """All that the tasks of a graph are given."""
    for task in graph.values():
        if isinstance(task, tuple):
            yield from task[1:]


def _cut(length: int, side: int) -> tuple[int, ...]:
    return tuple(piece.stop - piece.start for piece in _pieces(length, side))


def _pieces(length: int, side: int) -> list[slice]:
    return [slice(at, min(at + side, length)) for at in range(0, length, side)]


def _deciding(along: list[Span], part: slice) -> Iterator[int]:
    """Numbers of the windows along one axis that decide about a part of it."""
    for number, span in enumerate(along):
        if span.keep.start < part.stop and part.start < span.keep.stop:
            yield number


def _reached(side: range, length: int) -> slice:
    """Return what a window reads of an axis, also what it sees by reflection."""
    positions = reflect(side, length)
    return slice(int(positions.min()), int(positions.max()) + 1)
