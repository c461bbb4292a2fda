"""The two ways a generator sees a plane: all of it at once, or window by window.

`prepare` finds out what all of a plane decides, once; `paint` colours any part of it. A
part painted alone is that part of the whole.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.color import spread
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hinted import View, kriging_of
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.kriging import Kriging
from napari_colorgan.inference.source import Plane, reflect
from napari_colorgan.inference.statistics import Statistics
from napari_colorgan.inference.tiling import (
    Span,
    Tiling,
    intersection,
    rectangles,
    spans,
    touching,
)

_MOST_SQUARES = 4  # input of `whole`, in squares of the working size: bounds its memory
_LONGEST = 16  # sides of that square: around a thin strip, the border is what costs
_GRID = 32  # px; stride of the compact generator
_MOST_ENLARGED = 4.0  # beyond that, a tiny plane would only become a blur
_BAND = 512  # px; side of the pieces in which `whole` decodes
_MEASURED_WINDOWS = 16
_MEASURED_SIDE = 512  # px; they are this small, to fit into memory together
_CELL = 192  # px; places in such a square are looked at together ...
_SURROUNDINGS = 384  # px; ... in its surroundings

Predictions: TypeAlias = Iterator[tuple[Region, Tensor]]
"""Pieces of a region, each px in one of them, and predictions (1, C, H, W) for them."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The plane, resized once, decides all colours; its own L keeps the detail."""

    prediction: Tensor
    """(1, C, h, w), for the plane at about its working size."""
    tiling: None = None
    """There are no windows."""

    def predictions(
        self, plane: Plane, region: Region, _: Colorizer
    ) -> tuple[int, Predictions]:
        """Return how many pieces a region has, and the prediction enlarged to each."""
        pieces = list(rectangles(region, _BAND))
        enlarged = (resample(self.prediction, plane.shape, piece) for piece in pieces)
        return len(pieces), zip(pieces, enlarged, strict=True)


@dataclass(frozen=True, slots=True)
class Local:
    """The plane in windows at its own resolution, blended before they are decoded."""

    statistics: Statistics | None
    """Of the plane, for networks that normalise by it."""
    tiling: Tiling
    hinted: Kriging | None = None
    """What hints tell of the plane."""

    def predictions(
        self, plane: Plane, region: Region, colorizer: Colorizer
    ) -> tuple[int, Predictions]:
        """Return how many pieces a region has, and the blend of windows for each."""
        rows, columns = (
            touching(spans(length, self.tiling, colorizer.stride), part)
            for length, part in zip(plane.shape, region, strict=True)
        )
        blended = self._blended(plane, rows, columns, region, colorizer)
        return len(rows) * len(columns), blended

    def _blended(
        self,
        plane: Plane,
        rows: list[Span],
        columns: list[Span],
        region: Region,
        colorizer: Colorizer,
    ) -> Predictions:
        """Blend windows; a piece is what a window is the last to touch.

        One row of windows is held in memory, plus the strip it shares with the next.
        """
        left, right = columns[0].keep.start, columns[-1].keep.stop
        channels = colorizer.codec.out_channels
        shared = torch.zeros(channels, 0, right - left)  # strip of the row above
        for row in rows:
            top = row.keep.start
            band = torch.zeros(channels, row.keep.stop - top, right - left)
            band[:, : shared.shape[1]] = shared
            for column, prediction in self._windows(plane, row, columns, colorizer):
                place = slice(column.keep.start - left, column.keep.stop - left)
                weight = np.outer(row.weight, column.weight)
                band[..., place] += prediction * torch.from_numpy(weight)
                y = intersection(row.final, region[0])
                x = intersection(column.final, region[1])
                inside = band[:, y.start - top : y.stop - top]
                yield (y, x), inside[None, ..., x.start - left : x.stop - left]
            shared = band[:, row.final.stop - top :].clone()

    def _windows(
        self, plane: Plane, row: Span, columns: list[Span], colorizer: Colorizer
    ) -> Iterator[tuple[Span, Tensor]]:
        """Predictions (C, h, w) for the kept part of the windows of one row."""
        at_once = self.tiling.at_once
        for _, group in groupby(columns, key=lambda span: len(span.read)):
            equal = list(group)
            for i in range(0, len(equal), at_once):
                batch = equal[i : i + at_once]
                gray = torch.from_numpy(
                    np.stack([plane.reflected(row.read, each.read) for each in batch])
                )
                if self.hinted is None:
                    predicted = colorizer.predict(gray[:, None], self.statistics)
                else:
                    said = colorizer.look(gray[:, None])
                    views = (
                        View(shown, ab, features, row.read, each.read, plane.shape)
                        for shown, ab, features, each in zip(
                            gray, *said, batch, strict=True
                        )
                    )
                    corrected = [v.corrected(self.hinted) for v in views]
                    predicted = torch.stack(corrected)
                for column, prediction in zip(batch, predicted, strict=True):
                    yield column, prediction[:, _kept(row), _kept(column)]


Prepared: TypeAlias = Whole | Local
"""What all of a plane decides; small and picklable, without the plane or a network."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A coloured piece of a region: the `number`-th of `count`."""

    number: int
    count: int
    region: Region
    rgb: RGB
    """(Y, X, 3)."""
    invalid: int
    """Px without a value, which are black."""
    tiling: Tiling | None
    """Of the windows that it was made of; None in `whole` context."""


def prepare(
    plane: Plane,
    colorizer: Colorizer,
    tiling: Tiling | None = None,
    hints: Hints | None = None,
) -> Prepared:
    """Find out what all of a plane decides about its colours.

    Parameters
    ----------
    tiling : of `local` context; default the colorizer's
    hints : colours that the user gave for this plane, checked

    Raises
    ------
    NoColors
    """
    told = None if hints is None else learned_from(hints, plane, colorizer)
    if colorizer.context == "whole":
        if told is None:
            return Whole(_predicted(plane, colorizer)[1])
        return Whole(view_around(plane, (0, 0), colorizer).corrected(told)[None])
    statistics = colorizer.measure(lambda: _sample(plane, colorizer.stride))
    return Local(statistics, tiling or colorizer.tiling, told)


def paint(
    plane: Plane, prepared: Prepared, region: Region, colorizer: Colorizer
) -> Iterator[Piece]:
    """Colour any region of a plane, each px exactly once.

    Parameters
    ----------
    prepared : what `prepare` has made of this plane, in this process or another
    colorizer : like the one that `prepared` was made with

    Raises
    ------
    NoColors
    """
    count, predictions = prepared.predictions(plane, region, colorizer)
    for number, (piece, prediction) in enumerate(predictions, 1):
        gray, mask = plane.read(piece)
        decoded = colorizer.decode(torch.from_numpy(gray)[None, None], prediction)
        rgb: RGB = decoded[0].numpy()
        invalid = 0
        if mask is not None:
            rgb[mask] = 0
            invalid = int(mask.sum())
        yield Piece(number, count, piece, rgb, invalid, prepared.tiling)


def _predicted(plane: Plane, colorizer: Colorizer) -> tuple[Tensor, Tensor, Tensor]:
    """Gray (1, 1, h, w) of a plane at about its working size, prediction and features.

    The picture's border is the border of what the generator sees, as in training: where
    the sky begins tells that it is sky. So sides are stretched to a multiple of 32 px
    instead of padded; only strides above that need reflection.
    """
    gray = _seen(plane, colorizer)
    stride = colorizer.stride
    size = gray.shape[-2:]
    y, x = (reflect(range(-(-length // stride) * stride), length) for length in size)
    prediction, features = colorizer.look_once(gray[..., y[:, None], x])
    return gray, prediction[..., : size[0], : size[1]], features


def view_around(plane: Plane, place: tuple[int, int], colorizer: Colorizer) -> View:
    """View of all of a plane, or in `local` context of the surroundings of a place.

    These are one square of a grid, so that places beside each other share them. Of a
    colorizer that takes hints.
    """
    if colorizer.context == "whole":
        gray, prediction, features = _predicted(plane, colorizer)
        rows, columns = (range(length) for length in plane.shape)
    else:
        tops = (at // _CELL * _CELL - (_SURROUNDINGS - _CELL) // 2 for at in place)
        rows, columns = (range(top, top + _SURROUNDINGS) for top in tops)
        gray = torch.from_numpy(plane.reflected(rows, columns))[None, None]
        prediction, features = colorizer.look_once(gray)
    return View(gray[0, 0], prediction[0], features[0], rows, columns, plane.shape)


def learned_from(hints: Hints, plane: Plane, colorizer: Colorizer) -> Kriging:
    """Find out what hints tell of a plane, whatever the region that is coloured."""
    cells = np.zeros((len(hints), 2), int)
    if colorizer.context == "local":
        last = np.array(plane.shape) - 1
        cells = np.rint(hints.points).astype(int).clip(0, last) // _CELL
    found, which = np.unique(cells, axis=0, return_inverse=True)
    known = []
    for number, (row, column) in enumerate(found.tolist()):
        view = view_around(plane, (row * _CELL, column * _CELL), colorizer)
        known.append(view.known(hints.only(which.ravel() == number)))
    return kriging_of(known)


def _seen(plane: Plane, colorizer: Colorizer) -> Tensor:
    """Return a plane as `whole` sees it, (1, 1, h, w)."""
    height, width = working_shape(plane.shape, colorizer.working_size)
    size = (_on_grid(height), _on_grid(width))
    factor = max(1, min(p // s for p, s in zip(plane.shape, size, strict=True)))
    gray = torch.from_numpy(plane.reduced(factor))[None, None]
    gray = F.interpolate(gray, size, mode="bilinear", antialias=True).clamp(0, 1)
    if colorizer.checkpoint.metadata.levels == "spread":
        gray = spread(gray)
    return gray


def _sample(plane: Plane, stride: int) -> Tensor:
    """All of a plane, or up to 16 windows spread over it, (N, 1, H, W)."""
    side = max(stride, _MEASURED_SIDE // stride * stride)
    height, width = (
        -(-max(length, _GRID) // stride) * stride for length in plane.shape
    )
    if height * width <= _MEASURED_WINDOWS * side**2:
        gray = plane.reflected(range(height), range(width))
        return torch.from_numpy(gray)[None, None]
    across = math.isqrt(_MEASURED_WINDOWS)
    places = [_spread(length, side, across) for length in plane.shape]
    windows = [
        plane.reflected(range(y, y + side), range(x, x + side))
        for y in places[0]
        for x in places[1]
    ]
    return torch.from_numpy(np.stack(windows)[:, None])


def working_shape(shape: tuple[int, int], working_size: int) -> tuple[int, int]:
    """Height and width in px at which a `whole` generator sees a plane."""
    factor = min(
        working_size / min(shape),
        working_size * math.sqrt(_MOST_SQUARES / (shape[0] * shape[1])),
        working_size * _LONGEST / max(shape),
        _MOST_ENLARGED,
    )
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def resample(small: Tensor, shape: tuple[int, int], piece: Region) -> Tensor:
    """Part of `small` (1, C, h, w) enlarged to `shape`, bilinear at pixel centres.

    Position by position, so that a piece equals the same piece of the whole.
    """
    for dim, full, part in zip((2, 3), shape, piece, strict=True):
        length = small.shape[dim]
        at = (torch.arange(part.start, part.stop, dtype=torch.float64) + 0.5) * length
        at = (at / full - 0.5).clamp(0, length - 1)
        before = at.floor().long()
        after = (before + 1).clamp(max=length - 1)
        weight = (at - before).float().view(-1, *[1] * (3 - dim))
        small = small.index_select(dim, before) * (1 - weight) + (
            small.index_select(dim, after) * weight
        )
    return small


def _on_grid(length: int) -> int:
    """Return the multiple of 32 px that is nearest to a length."""
    return max(_GRID, round(length / _GRID) * _GRID)


def _kept(span: Span) -> slice:
    return slice(span.keep.start - span.read.start, span.keep.stop - span.read.start)


def _spread(length: int, side: int, count: int) -> list[int]:
    """Return starts of up to `count` windows of `side` px, spread over `length`."""
    count = min(count, max(1, length // side))
    if count == 1:
        return [(length - side) // 2]
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
