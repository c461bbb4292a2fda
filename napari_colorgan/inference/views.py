"""The two ways a generator sees a plane: all of it at once, or window by window."""

import math
from collections.abc import Iterator
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.color import spread
from napari_colorgan.inference.source import Plane
from napari_colorgan.inference.statistics import Statistics
from napari_colorgan.inference.tiling import (
    Span,
    intersection,
    rectangles,
    spans,
    touching,
)

if TYPE_CHECKING:  # a colorizer makes views, a view asks its colorizer
    from napari_colorgan.inference.colorizer import Colorizer

_MOST_SQUARES = 4  # input of `whole`, in squares of the working size: bounds its memory
_LONGEST = 16  # sides of that square: around a thin strip, the border is what costs
_GRID = 32  # px; stride of the compact generator
_MOST_ENLARGED = 4.0  # beyond that, a tiny plane would only become a blur
_BAND = 512  # px; side of the pieces in which `whole` decodes
_MEASURED_WINDOWS = 16
_MEASURED_SIDE = 512  # px; they are this small, to fit into memory together


class View(Protocol):
    """A plane as a colorizer sees it."""

    def count(self, region: Region) -> int:
        """How many pieces `finished` will yield for `region`."""

    def finished(self, region: Region) -> Iterator[tuple[Region, RGB]]:
        """Pieces of `region` and their RGB (Y, X, 3) uint8; each px exactly once."""


class WholeView:
    """The plane, resized once, decides all colours; its own L keeps the detail."""

    def __init__(self, colorizer: "Colorizer", plane: Plane) -> None:
        self._colorizer = colorizer
        self._plane = plane

    def count(self, region: Region) -> int:
        """How many pieces `finished` will yield for `region`."""
        return sum(1 for _ in rectangles(region, _BAND))

    def finished(self, region: Region) -> Iterator[tuple[Region, RGB]]:
        """Pieces of `region` and their RGB (Y, X, 3) uint8."""
        for piece in rectangles(region, _BAND):
            prediction = resample(self._prediction, self._plane.shape, piece)
            yield piece, _decode(self._colorizer, self._plane, piece, prediction)

    @cached_property
    def _prediction(self) -> Tensor:
        """Prediction (1, C, h, w) for the plane at about its working size.

        The picture's border is the border of what the generator sees, as in training:
        where the sky begins tells that it is sky. So sides are stretched to a multiple
        of 32 px instead of padded; only strides above that need reflection.
        """
        shape = working_shape(self._plane.shape, self._colorizer.working_size)
        size = (_on_grid(shape[0]), _on_grid(shape[1]))
        factor = max(
            1, min(p // s for p, s in zip(self._plane.shape, size, strict=True))
        )
        gray = torch.from_numpy(self._plane.reduced(factor))[None, None]
        gray = F.interpolate(gray, size, mode="bilinear", antialias=True).clamp(0, 1)
        if self._colorizer.checkpoint.metadata.levels == "spread":
            gray = spread(gray)
        window = _reflected(gray, self._colorizer.stride)
        statistics = self._colorizer.measure(lambda: window)
        prediction = self._colorizer.predict(window, statistics)
        return prediction[..., : size[0], : size[1]]


class LocalView:
    """The plane in windows at its own resolution, blended before they are decoded."""

    def __init__(self, colorizer: "Colorizer", plane: Plane) -> None:
        self._colorizer = colorizer
        self._plane = plane
        height, width = plane.shape
        self._rows = spans(height, colorizer.tiling, colorizer.stride)
        self._columns = spans(width, colorizer.tiling, colorizer.stride)

    def count(self, region: Region) -> int:
        """How many pieces `finished` will yield for `region`."""
        rows, columns = self._touching(region)
        return len(rows) * len(columns)

    def finished(self, region: Region) -> Iterator[tuple[Region, RGB]]:
        """Pieces of `region` and their RGB: what each window is the last to touch.

        One row of windows is held in memory, plus the strip it shares with the next.
        """
        rows, columns = self._touching(region)
        left, right = columns[0].keep.start, columns[-1].keep.stop
        channels = self._colorizer.codec.out_channels
        shared = torch.zeros(channels, 0, right - left)  # strip of the row above
        for row in rows:
            band = torch.zeros(channels, row.keep.stop - row.keep.start, right - left)
            band[:, : shared.shape[1]] = shared
            for column, prediction in self._predicted(row, columns):
                place = slice(column.keep.start - left, column.keep.stop - left)
                weight = np.outer(row.weight, column.weight)
                band[..., place] += prediction * torch.from_numpy(weight)
                piece = (
                    intersection(row.final, region[0]),
                    intersection(column.final, region[1]),
                )
                y = slice(
                    piece[0].start - row.keep.start, piece[0].stop - row.keep.start
                )
                x = slice(piece[1].start - left, piece[1].stop - left)
                colors = band[None, :, y, x]
                yield piece, _decode(self._colorizer, self._plane, piece, colors)
            shared = band[:, row.final.stop - row.keep.start :].clone()

    def _touching(self, region: Region) -> tuple[list[Span], list[Span]]:
        return touching(self._rows, region[0]), touching(self._columns, region[1])

    def _predicted(
        self, row: Span, columns: list[Span]
    ) -> Iterator[tuple[Span, Tensor]]:
        """Predictions (C, h, w) for the kept part of the windows of one row."""
        at_once = self._colorizer.windows_at_once
        for _, group in groupby(columns, key=lambda span: len(span.read)):
            equal = list(group)
            for i in range(0, len(equal), at_once):
                batch = equal[i : i + at_once]
                gray = [
                    self._plane.reflected(row.read, column.read) for column in batch
                ]
                predicted = self._colorizer.predict(
                    torch.from_numpy(np.stack(gray)[:, None]), self._statistics
                )
                for column, prediction in zip(batch, predicted, strict=True):
                    yield column, prediction[:, _kept(row), _kept(column)]

    @cached_property
    def _statistics(self) -> Statistics | None:
        return self._colorizer.measure(self._sample)

    def _sample(self) -> Tensor:
        """All of the plane, or up to 16 windows spread over it, (N, 1, H, W)."""
        stride = self._colorizer.stride
        side = max(stride, _MEASURED_SIDE // stride * stride)
        height, width = (
            -(-max(length, _GRID) // stride) * stride for length in self._plane.shape
        )
        if height * width <= _MEASURED_WINDOWS * side**2:
            gray = self._plane.reflected(range(height), range(width))
            return torch.from_numpy(gray)[None, None]
        across = math.isqrt(_MEASURED_WINDOWS)
        places = [_spread(length, side, across) for length in self._plane.shape]
        windows = [
            self._plane.reflected(range(y, y + side), range(x, x + side))
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


def _decode(
    colorizer: "Colorizer", plane: Plane, piece: Region, prediction: Tensor
) -> RGB:
    gray = torch.from_numpy(plane.gray(piece))[None, None]
    rgb: RGB = colorizer.decode(gray, prediction)[0].numpy()
    if (invalid := plane.invalid(piece)) is not None:
        rgb[invalid] = 0
    return rgb


def _reflected(gray: Tensor, stride: int) -> Tensor:
    """Continue by reflection below and to the right, to multiples of `stride`."""
    for dim in (2, 3):
        length = gray.shape[dim]
        index = torch.arange(-(-length // stride) * stride) % (2 * length - 2)
        gray = gray.index_select(dim, torch.minimum(index, 2 * length - 2 - index))
    return gray


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
