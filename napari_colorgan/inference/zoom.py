"""Colours of a picture at several sizes, which are the same at each of them.

`whole` context: a generator sees all of a plane once, at the smallest size that is
large enough, and every size gets its prediction. `local`: a smaller size is made of the
windows at full size. That takes long where there are many, so such a size is first
predicted as it is, and what it says is corrected by what windows at full size say at
some places. Mean CIEDE2000 to full size at an eighth, as it is and corrected: of brown
stain 23 and 2.4, of blood 4.0 and 4.4; at a sixteenth, of blood, 7.1 and 5.3.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_colorgan.arrays import RGB, Array, Gray, Region
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.looking import working_shape
from napari_colorgan.inference.source import Plane, Source
from napari_colorgan.inference.steady import plane_in_stack
from napari_colorgan.inference.tiling import rectangles, within
from napari_colorgan.inference.views import (
    Local,
    Predictions,
    Prepared,
    painted,
    prepare,
)
from napari_colorgan.job import STOP, Job, Progress

_QUICK = 2.5  # times smaller at most: made of windows at full size at once ...
_EXACT = 8.5  # ... and so much: when there is time; 20 MP for a block of 512 px
_PIECE = 1024  # px at full size that are painted without looking up
_PLACES = 9  # where sizes are compared ...
_SIDE = 512  # px; ... in squares at full size
_MARGIN = 64  # px around these, at either size
_CELLS = 8  # along a side of a plane, in some of which places are
_TRUST = 0.02  # in what a size says itself, per pixel compared
_LARGE = 2048  # px
_KEPT = 32  # of what whole planes decide


@dataclass(frozen=True, slots=True)
class Corrected(Local):
    """Windows at a smaller size, whose predictions become those of full size."""

    matrix: Tensor | None = None
    """(C, C + 3): of a prediction, gray, its square, and 1."""

    def predictions(
        self, plane: Plane, region: Region, colorizer: Colorizer
    ) -> tuple[int, Predictions]:
        """Return how many pieces a region has, and the blend of windows for each."""
        count, predictions = Local.predictions(self, plane, region, colorizer)
        return count, self._corrected(plane, predictions)

    def _corrected(self, plane: Plane, predictions: Predictions) -> Predictions:
        assert self.matrix is not None
        for piece, prediction in predictions:
            gray = torch.from_numpy(plane.gray(piece))
            said = _features(prediction[0], gray)
            yield piece, torch.einsum("cf,fyx->cyx", self.matrix, said)[None]


def _features(prediction: Tensor, gray: Tensor) -> Tensor:
    return torch.stack([*prediction, gray, gray**2, torch.ones_like(gray)])


class ZoomedColors:
    """Colours of one picture, or stack, at several sizes; for one thread at a time.

    Parameters
    ----------
    levels : the same planes from full size to the smallest, with the same limits
    hints : checked, in px of full size
    """

    def __init__(
        self, levels: Sequence[Source], colorizer: Colorizer, hints: Hints | None = None
    ) -> None:
        self.levels = list(levels)
        self.colorizer = colorizer
        self.hints = hints
        self._prepared: OrderedDict[tuple[int, tuple[int, ...]], Prepared] = (
            OrderedDict()
        )

    def is_rough(self, level: int) -> bool:
        """Whether `paint` is not yet the best that can be made of a size."""
        factor = max(self._factors(level))
        return self.colorizer.context == "local" and _QUICK < factor <= _EXACT

    def paint(self, level: int, index: tuple[int, ...], region: Region) -> RGB:
        """Return colours (y, x, 3) of a region of a plane, in px of its size, soon.

        Raises
        ------
        NoColors, OutOfMemory, BadArray
        """
        plane = plane_in_stack(self.levels[level], index)
        if self.colorizer.context == "whole":
            prepared = self._known(-1, index, self._whole)
        elif max(self._factors(level)) <= _QUICK:
            return self._reduced(level, index, region)
        else:
            prepared = self._known(level, index, self._corrected)
        return painted(plane, prepared, region, self.colorizer)

    def exact_job(
        self, level: int, index: tuple[int, ...], region: Region
    ) -> Job[RGB | None]:
        """Make the same of windows at full size; on STOP nothing."""
        rgb = np.zeros((*(side.stop - side.start for side in region), 3), np.uint8)
        pieces = list(rectangles(region, int(_PIECE / max(self._factors(level)))))
        for done, piece in enumerate(pieces, 1):
            rgb[within(region, piece)] = self._reduced(level, index, piece)
            if (yield Progress(done, len(pieces))) is STOP:
                return None
        return rgb

    def _reduced(self, level: int, index: tuple[int, ...], region: Region) -> RGB:
        """Return the means of what is painted at full size."""
        full = plane_in_stack(self.levels[0], index)
        edges = [
            _edges(side, factor, length)
            for side, factor, length in zip(
                region, self._factors(level), full.shape, strict=True
            )
        ]
        whole = (
            slice(int(edges[0][0]), int(edges[0][-1])),
            slice(int(edges[1][0]), int(edges[1][-1])),
        )
        prepared = self._known(0, index, self._local)
        rgb = painted(full, prepared, whole, self.colorizer)
        if level == 0:
            return rgb
        means = _means(rgb, [side - side[0] for side in edges])
        return means.round().astype(np.uint8)

    def _known(
        self,
        level: int,
        index: tuple[int, ...],
        make: Callable[[int, tuple[int, ...]], Prepared],
    ) -> Prepared:
        key = level, index
        if key not in self._prepared:
            self._prepared[key] = make(level, index)
            while len(self._prepared) > _KEPT:
                self._prepared.popitem(last=False)
        self._prepared.move_to_end(key)
        return self._prepared[key]

    def _whole(self, _: int, index: tuple[int, ...]) -> Prepared:
        sizes = [source.plane_shape for source in self.levels]
        needed = working_shape(sizes[0], self.colorizer.working_size)
        enough = [
            n
            for n, size in enumerate(sizes)
            if all(a >= b for a, b in zip(size, needed, strict=True))
        ]
        return self._local(enough[-1] if enough else 0, index)

    def _local(self, level: int, index: tuple[int, ...]) -> Prepared:
        """Find out what all of a plane decides at one size."""
        plane = plane_in_stack(self.levels[level], index)
        told = None if self.hints is None else self.hints.of_plane(index)
        if told is not None and level:
            factors = np.array(self._factors(level))
            points = (told.points + 0.5) / factors - 0.5
            told = Hints(points, told.colors, np.asarray(told.radius) / factors.mean())
        return prepare(plane, self.colorizer, hints=told)

    def _corrected(self, level: int, index: tuple[int, ...]) -> Prepared:
        prepared = self._local(level, index)
        assert isinstance(prepared, Local)
        full = self._known(0, index, self._local)
        assert isinstance(full, Local)
        said, wanted = zip(*self._compared(level, index, prepared, full), strict=True)
        x = torch.cat([each.flatten(1) for each in said], 1)
        y = torch.cat([each.flatten(1) for each in wanted], 1)
        own = torch.eye(*[len(y), len(x)])
        trust = _TRUST * x.shape[1] * torch.eye(len(x))
        matrix = torch.linalg.solve(x @ x.T + trust, (y @ x.T + own @ trust).T).T
        return Corrected(prepared.statistics, prepared.tiling, prepared.hinted, matrix)

    def _compared(
        self, level: int, index: tuple[int, ...], small: Local, full: Local
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Features (C + 3, h, w) at a smaller size, and predictions at full size."""
        fine, coarse = (self.levels[n].plane(index) for n in (0, level))
        factors = self._factors(level)
        for y, x in _places(coarse):
            starts = [
                int(min(max(0, at), max(0, length - _SIDE / factor)))
                for at, length, factor in zip(
                    (y, x), coarse.shape, factors, strict=True
                )
            ]
            sides = [
                slice(start, min(start + max(4, round(_SIDE / factor)), length))
                for start, length, factor in zip(
                    starts, coarse.shape, factors, strict=True
                )
            ]
            edges = [
                _edges(side, factor, length)
                for side, factor, length in zip(sides, factors, fine.shape, strict=True)
            ]
            wide = [slice(int(side[0]), int(side[-1])) for side in edges]
            there = self._said(fine, (wide[0], wide[1]), full)
            means = _means(
                there.movedim(0, -1).numpy(), [side - side[0] for side in edges]
            )
            here = self._said(coarse, (sides[0], sides[1]), small)
            gray = torch.from_numpy(coarse.gray((sides[0], sides[1])))
            wanted = torch.from_numpy(means).movedim(-1, 0).float()
            yield _features(here, gray), wanted

    def _said(self, plane: Plane, region: Region, prepared: Local) -> Tensor:
        """Predict one region (C, y, x) with a margin, without hints."""
        stride = self.colorizer.stride
        rows, columns = (
            range(
                side.start - _MARGIN,
                side.start
                - _MARGIN
                + -(-(side.stop - side.start + 2 * _MARGIN) // stride) * stride,
            )
            for side in region
        )
        gray = torch.from_numpy(plane.reflected(rows, columns))[None, None]
        said = self.colorizer.predict(gray, prepared.statistics)[0]
        height, width = (side.stop - side.start for side in region)
        return said[:, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]

    def _factors(self, level: int) -> tuple[float, float]:
        """How many times smaller rows and columns are than at full size."""
        height, width = (
            a / b
            for a, b in zip(
                self.levels[0].plane_shape, self.levels[level].plane_shape, strict=True
            )
        )
        return height, width


def _edges(side: slice, factor: float, length: int) -> npt.NDArray[np.intp]:
    """Where px of a smaller size begin at full size, and where the last one ends."""
    edges = np.rint(np.arange(side.start, side.stop + 1) * factor)
    return edges.clip(0, length).astype(np.intp)


def _means(
    values: npt.NDArray[np.generic], edges: Sequence[npt.NDArray[np.intp]]
) -> Gray:
    """Means (y, x, ...) over the rectangles between edges of rows and of columns."""
    sums = np.add.reduceat(values.astype(np.float32), edges[0][:-1], axis=0)
    sums = np.add.reduceat(sums, edges[1][:-1], axis=1)
    sizes = np.outer(np.diff(edges[0]), np.diff(edges[1]))
    means: Gray = sums / sizes[..., None]
    return means


def _places(plane: Plane) -> list[tuple[int, int]]:
    """Return starts of cells of a plane, px: from those that vary most to the least."""
    height, width = plane.shape
    step = max(1, max(height, width) // 1024)
    gray = plane.reduced(step)
    tall, wide = (max(1, length // _CELLS) for length in gray.shape)
    cells = [
        (float(gray[y : y + tall, x : x + wide].std()), y * step, x * step)
        for y in range(0, gray.shape[0] - tall + 1, tall)
        for x in range(0, gray.shape[1] - wide + 1, wide)
    ]
    cells.sort(reverse=True)
    ranks = np.linspace(0, len(cells) - 1, min(_PLACES, len(cells)))
    return [cells[round(rank)][1:] for rank in ranks]


class Averaged:
    """Planes (..., Y, X) that are a number of times smaller, read when needed."""

    dtype = np.dtype(np.float32)

    def __init__(self, array: Any, factor: int) -> None:
        self._array, self._factor = array, factor
        self._full = tuple(int(length) for length in array.shape[-2:])
        small = (-(-length // factor) for length in self._full)
        self.shape = (*array.shape[:-2], *small)

    def __getitem__(self, part: Any) -> Array:
        """Return a region of one plane, by its index and two slices."""
        *index, rows, columns = part
        edges = [
            _edges(slice(*side.indices(short)), self._factor, length)
            for side, short, length in zip(
                (rows, columns), self.shape[-2:], self._full, strict=True
            )
        ]
        wide = [slice(int(side[0]), int(side[-1])) for side in edges]
        values = np.asarray(self._array[(*index, *wide)])
        return _means(values[..., None], [side - side[0] for side in edges])[..., 0]


def levels_of(source: Source) -> list[Source]:
    """Return a source and, of large planes, smaller ones down to about 1024 px."""
    levels, factor = [source], 2
    if max(source.plane_shape) <= _LARGE:
        return levels
    while max(levels[-1].plane_shape) > _LARGE // 2:
        levels.append(replace(source, array=Averaged(source.array, factor)))
        factor *= 2
    return levels
