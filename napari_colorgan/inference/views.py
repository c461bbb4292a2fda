"""The two ways a generator sees a plane: all of it at once, or window by window.

`prepare` finds out what all of a plane decides, once; `paint` colours any part of it. A
part painted alone is that part of the whole.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.errors import OutOfMemory
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hinted import View
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.kriging import Kriging
from napari_colorgan.inference.looking import (
    GRID,
    learned_from,
    predicted,
    view_around,
    whole_in_stack,
    window_in_stack,
)
from napari_colorgan.inference.source import Plane
from napari_colorgan.inference.statistics import Statistics
from napari_colorgan.inference.tiling import (
    Span,
    Tiling,
    intersection,
    rectangles,
    spans,
    touching,
    within,
)
from napari_colorgan.job import is_out_of_memory

_BAND = 512  # px; side of the pieces in which `whole` decodes
_MEASURED_WINDOWS = 16
_MEASURED_SIDE = 512  # px; they are this small, to fit into memory together

Predictions: TypeAlias = Iterator[tuple[Region, Tensor]]
"""Pieces of a region, each px in one of them, and predictions (1, C, H, W) for them."""


@dataclass(frozen=True, slots=True)
class Whole:
    """The plane, resized once, decides all colours; its own L keeps the detail."""

    prediction: Tensor
    """(1, C, h, w) on the CPU, for the plane at about its working size."""
    tiling: None = None
    """There are no windows."""

    def predictions(
        self, plane: Plane, region: Region, colorizer: Colorizer
    ) -> tuple[int, Predictions]:
        """Return how many pieces a region has, and the prediction enlarged to each."""
        pieces = list(rectangles(region, _BAND))
        small = self.prediction.to(colorizer.device)
        enlarged = (resample(small, plane.shape, piece) for piece in pieces)
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

    def window(
        self, plane: Plane, row: Span, column: Span, colorizer: Colorizer
    ) -> Tensor:
        """Prediction (C, h, w) for all that one window keeps, not blended."""
        kept = row.keep, column.keep
        ((_, prediction),) = self.windows(plane, row, [column], kept, colorizer)
        return prediction

    def _blended(
        self,
        plane: Plane,
        rows: list[Span],
        columns: list[Span],
        region: Region,
        colorizer: Colorizer,
    ) -> Predictions:
        """Blend windows; a piece is what a window is the last to touch.

        Beside a window, only the strips are held that it shares with those to its left
        and above it.
        """
        left, right = columns[0].keep.start, columns[-1].keep.stop
        channels = colorizer.codec.out_channels
        empty = torch.zeros(channels, 0, right - left, device=colorizer.device)
        above = empty
        for row in rows:
            blend = row.keep.stop - row.final.stop
            below = empty.new_zeros(channels, blend, right - left)
            beside = empty.new_zeros(channels, row.keep.stop - row.keep.start, 0)
            for column, prediction in self.windows(
                plane, row, columns, region, colorizer
            ):
                weight = torch.from_numpy(np.outer(row.weight, column.weight))
                window = prediction * weight.to(prediction.device)
                shared = beside.shape[-1]  # which has what is above it already
                window[..., :shared] += beside
                new = slice(column.keep.start + shared - left, column.keep.stop - left)
                window[:, : above.shape[1], shared:] += above[..., new]
                final = within((row.keep, column.keep), (row.final, column.final))
                beside = window[..., final[1].stop :]
                done = slice(column.final.start - left, column.final.stop - left)
                below[..., done] = window[:, final[0].stop :, final[1]]
                y = intersection(row.final, region[0])
                x = intersection(column.final, region[1])
                part = within((row.keep, column.keep), (y, x))
                yield (y, x), window[None, :, part[0], part[1]]
            above = below

    def windows(
        self,
        plane: Plane,
        row: Span,
        columns: list[Span],
        region: Region,
        colorizer: Colorizer,
    ) -> Iterator[tuple[Span, Tensor]]:
        """Predictions (C, h, w) for the kept part of the windows of one row."""
        at_once = self.tiling.at_once
        for _, group in groupby(columns, key=lambda span: len(span.read)):
            equal = list(group)
            for i in range(0, len(equal), at_once):
                batch = equal[i : i + at_once]
                predicted = self._predicted(plane, row, batch, region, colorizer)
                for column, prediction in zip(batch, predicted, strict=True):
                    yield column, prediction[:, _kept(row), _kept(column)]

    def _predicted(
        self,
        plane: Plane,
        row: Span,
        columns: list[Span],
        region: Region,
        colorizer: Colorizer,
    ) -> Iterable[Tensor]:
        """Predictions (C, H, W) for windows, with what hints tell of the region."""
        gray = torch.from_numpy(
            np.stack([plane.reflected(row.read, each.read) for each in columns])
        )
        if self.hinted is None and not colorizer.remembers_windows:
            predictions = colorizer.predict(gray[:, None], self.statistics)
            return _in_stack(plane, row, columns, gray, predictions, colorizer)
        look = colorizer.look_once if colorizer.remembers_windows else colorizer.look
        predictions, features = look(gray[:, None])
        predictions = _in_stack(plane, row, columns, gray, predictions, colorizer)
        if self.hinted is None:
            return predictions
        device, told = predictions.device, []
        predictions, features = predictions.cpu(), features.cpu()
        for number, column in enumerate(columns):
            said = gray[number], predictions[number], features[number]
            view = View(*said, row.read, column.read, plane.shape)
            needed = _needed(row, region[0]), _needed(column, region[1])
            told.append(view.corrected(self.hinted, needed).to(device))
        return told


def _in_stack(
    plane: Plane,
    row: Span,
    columns: list[Span],
    gray: Tensor,
    predictions: Tensor,
    colorizer: Colorizer,
) -> Tensor:
    """Predictions (N, C, H, W) of windows, steadied by those of other planes."""
    if not plane.around or not colorizer.settings.steady:
        return predictions
    steady = [
        window_in_stack(
            plane,
            row.read,
            column.read,
            (gray[None, None, number], predictions[None, number]),
            colorizer,
            lambda other: _kept_statistics(other, colorizer),
        )
        for number, column in enumerate(columns)
    ]
    return torch.cat(steady)


def _kept_statistics(plane: Plane, colorizer: Colorizer) -> Statistics | None:
    """Statistics of a plane that steadies others, measured once."""
    if "statistics" not in plane.said:
        plane.said["statistics"] = _statistics(plane, colorizer)
    kept: Statistics | None = plane.said["statistics"]
    return kept


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
    NoColors, OutOfMemory
    """
    tiling = tiling or colorizer.tiling
    while True:
        try:
            return _prepared(plane, colorizer, tiling, hints)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = tiling.shrunk() if colorizer.context == "local" else None
            if smaller is None:
                raise _too_large(colorizer) from error
            tiling = smaller


def _prepared(
    plane: Plane, colorizer: Colorizer, tiling: Tiling, hints: Hints | None
) -> Prepared:
    if colorizer.context == "local":
        statistics = _statistics(plane, colorizer)
        told = None
        if hints is not None:
            told = learned_from(hints, plane, colorizer, tiling=tiling)
        return Local(statistics, tiling, told)
    if hints is None:
        gray, prediction, _ = predicted(plane, colorizer)
        return Whole(whole_in_stack(plane, (gray, prediction), colorizer).cpu())
    view = view_around(plane, (0, 0), colorizer)
    return Whole(view.corrected(learned_from(hints, plane, colorizer, view))[None])


def paint(
    plane: Plane, prepared: Prepared, region: Region, colorizer: Colorizer
) -> Iterator[Piece]:
    """Colour any region of a plane, each px exactly once unless memory runs out.

    The region is then begun again, in smaller windows.

    Parameters
    ----------
    prepared : what `prepare` has made of this plane, in this process or another
    colorizer : like the one that `prepared` was made with

    Raises
    ------
    NoColors, OutOfMemory
    """
    while True:
        try:
            yield from _painted(plane, prepared, region, colorizer)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            smaller = prepared.tiling and prepared.tiling.shrunk()
            if not isinstance(prepared, Local) or smaller is None:
                raise _too_large(colorizer) from error
            prepared = replace(prepared, tiling=smaller)


def painted(
    plane: Plane, prepared: Prepared, region: Region, colorizer: Colorizer
) -> RGB:
    """Colour a region at once, (Y, X, 3), as `paint` does piece by piece."""
    rgb = np.zeros((*(side.stop - side.start for side in region), 3), np.uint8)
    for piece in paint(plane, prepared, region, colorizer):
        rgb[within(region, piece.region)] = piece.rgb
    return rgb


def _painted(
    plane: Plane, prepared: Prepared, region: Region, colorizer: Colorizer
) -> Iterator[Piece]:
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


def _too_large(colorizer: Colorizer) -> OutOfMemory:
    return OutOfMemory(
        "The least that the model must see at once does not fit into the memory of "
        f"'{colorizer.device}'. Close other programs or use the CPU, then try again."
    )


def _statistics(plane: Plane, colorizer: Colorizer) -> Statistics | None:
    return colorizer.measure(lambda: _sample(plane, colorizer.stride))


def _sample(plane: Plane, stride: int) -> Tensor:
    """All of a plane, or up to 16 windows spread over it, (N, 1, H, W)."""
    windows = [plane.reflected(*each) for each in sampled(plane.shape, stride)]
    return torch.from_numpy(np.stack(windows)[:, None])


def sampled(shape: tuple[int, int], stride: int) -> list[tuple[range, range]]:
    """Rows and columns of the windows that statistics of a plane are measured on."""
    side = max(stride, _MEASURED_SIDE // stride * stride)
    height, width = (-(-max(length, GRID) // stride) * stride for length in shape)
    if height * width <= _MEASURED_WINDOWS * side**2:
        return [(range(height), range(width))]
    across = math.isqrt(_MEASURED_WINDOWS)
    places = [_spread(length, side, across) for length in shape]
    return [
        (range(y, y + side), range(x, x + side)) for y in places[0] for x in places[1]
    ]


def resample(small: Tensor, shape: tuple[int, int], piece: Region) -> Tensor:
    """Part of `small` (1, C, h, w) enlarged to `shape`, bilinear at pixel centres.

    Position by position, so that a piece equals the same piece of the whole.
    """
    (above, below, down), (left, right, across) = (
        _between(length, full, part, small.device)
        for length, full, part in zip(small.shape[2:], shape, piece, strict=True)
    )
    top = int(above[0])
    rows = small[:, :, top : int(below[-1]) + 1]  # columns are slow: of few rows
    wide = torch.lerp(rows[..., left], rows[..., right], across)
    upper = wide.index_select(2, above - top)
    return upper.lerp_(wide.index_select(2, below - top), down[:, None])


def _between(
    length: int, full: int, part: slice, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Neighbours, among `length`, of the positions of a part of `full`; and weights."""
    at = (torch.arange(part.start, part.stop, dtype=torch.float64) + 0.5) * length
    at = (at / full - 0.5).clamp(0, length - 1)
    before = at.floor().long()
    parts = before, (before + 1).clamp(max=length - 1), (at - before).float()
    return parts[0].to(device), parts[1].to(device), parts[2].to(device)


def _kept(span: Span) -> slice:
    return slice(span.keep.start - span.read.start, span.keep.stop - span.read.start)


def _needed(span: Span, part: slice) -> slice:
    """Px of what a window reads from which it colours a part of the plane."""
    kept = intersection(span.keep, part)
    return slice(kept.start - span.read.start, kept.stop - span.read.start)


def _spread(length: int, side: int, count: int) -> list[int]:
    """Return starts of up to `count` windows of `side` px, spread over `length`."""
    count = min(count, max(1, length // side))
    if count == 1:
        return [(length - side) // 2]
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
