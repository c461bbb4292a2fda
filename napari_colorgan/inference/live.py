"""One plane whose colours a person and a model find together: coloured again and again.

What is told about it changes from one request to the next; what was read and predicted
of it does not, and is kept.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_colorgan.arrays import RGB, Gray, Region
from napari_colorgan.color import rgb_to_lab
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.source import Plane
from napari_colorgan.inference.tiling import intersection, rectangles, within
from napari_colorgan.inference.views import (
    Prepared,
    Whole,
    paint,
    painted,
    prepare,
    resample,
)
from napari_colorgan.job import STOP, Job, Progress

LIVE_MEMORY = 12 << 20
"""Px of windows of which predictions are kept: about 400 MB."""
_MOST_LOADED = 1 << 26  # px of a lazy plane
_PIECE = 512  # px; side of what is painted at once
_PATCH = 9  # px; side of what is taken for a place
_NEAR = 192  # px; side of what is painted first, around what was changed
_AT_ONCE = 640 * 640  # px of a region that is painted once, for the small picture too


@dataclass(frozen=True)
class LivePlane(Plane):
    """A plane that is reduced only once; what it shows must not change meanwhile."""

    _reduced: dict[int, Gray] = field(default_factory=dict, compare=False)

    @classmethod
    def of(cls, plane: Plane) -> "LivePlane":
        """Keep a plane, in memory unless it is huge."""
        height, width = plane.shape
        if height * width <= _MOST_LOADED:
            plane = plane.loaded()
        around = tuple(
            (away, cls(other.source, other.index)) for away, other in plane.around
        )
        return cls(plane.source, plane.index, around)

    def reduced(self, factor: int) -> Gray:
        """Gray of the whole plane, averaged over blocks of `factor` px."""
        if factor not in self._reduced:
            self._reduced[factor] = super().reduced(factor)
        return self._reduced[factor]


@dataclass(frozen=True, slots=True)
class PreviewReady(Progress):
    """A small picture of the plane, and what it was made of."""

    gray: RGB
    """(Y, X, 3), like `rgb`, in gray."""
    rgb: RGB
    """(Y, X, 3)."""


@dataclass(frozen=True, slots=True)
class PiecePainted(Progress):
    """A part of the plane has new colours."""

    region: Region
    rgb: RGB
    """(Y, X, 3)."""


def live_job(
    plane: Plane,
    colorizer: Colorizer,
    hints: Hints | None = None,
    *,
    side: int,
    place: tuple[int, int] | None = None,
    region: Region | None = None,
) -> Job[None]:
    """Show a plane small, and then colour a region of it, from a place outwards.

    Parameters
    ----------
    plane : one that is kept between requests costs less, see `LivePlane`
    hints : of this plane
    side : of the small picture, px: all of a plane in `whole` context; in `local`, what
        is around the place
    place : row and column, px, of what changed; default the middle
    region : what is seen of the plane; default none of it
    """
    colorizer.checked(hints, plane.shape)
    y, x = place or tuple(length // 2 for length in plane.shape)
    prepared = prepare(plane, colorizer, hints=hints)
    shown = _seen(plane, prepared, side, (y, x))
    if region is not None and shown is not None and _holds(region, shown):
        rgb = painted(plane, prepared, region, colorizer)
        small = _as_rgb(plane.gray(shown)), rgb[within(region, shown)]
        if (yield PreviewReady(0, 1, *small)) is not STOP:
            yield PiecePainted(1, 1, region, rgb)
        return
    small = _small(plane, colorizer, prepared, side, (y, x))
    if (yield PreviewReady(0, 1, *small)) is STOP or region is None:
        return
    parts = list(_from_place(region, (y, x), prepared))
    for done, part in enumerate(parts, 1):
        for piece in paint(plane, prepared, part, colorizer):
            event = PiecePainted(done, len(parts), piece.region, piece.rgb)
            if (yield event) is STOP:
                return


def neutral_tint(
    plane: Plane,
    colorizer: Colorizer,
    hints: Hints | None,
    place: tuple[int, int],
) -> tuple[float, float]:
    """Return the mean (a, b) to ask for so that a place becomes neutral.

    A tint moves all colours alike, so it is what the mean is now, less what the place
    has, in units of ab. In `local` context the mean is of what is around the place.
    """
    prepared = prepare(plane, colorizer, hints=hints)
    _, small = _small(plane, colorizer, prepared, _NEAR, place)
    patch = painted(plane, prepared, around(plane, place, _PATCH), colorizer)
    now, there = (_mean_ab(rgb) for rgb in (small, patch))
    a, b = (now - there).tolist()
    return a, b


def _mean_ab(rgb: npt.NDArray[Any]) -> torch.Tensor:
    levels = torch.from_numpy(rgb.astype(np.float32)).movedim(-1, 0)[None]
    return rgb_to_lab(levels / 255)[0, 1:].mean((1, 2))


def _seen(
    plane: Plane, prepared: Prepared, side: int, place: tuple[int, int]
) -> Region | None:
    """Return what the small picture shows, px for px; None where it is reduced."""
    if isinstance(prepared, Whole):
        return plane.whole if _factor(plane, side) == 1 else None
    return around(plane, place, side)


def _holds(region: Region, part: Region) -> bool:
    """Whether a part lies in a region that is small enough to be painted at once."""
    height, width = (side.stop - side.start for side in region)
    inside = all(
        outer.start <= inner.start and inner.stop <= outer.stop
        for outer, inner in zip(region, part, strict=True)
    )
    return inside and height * width <= _AT_ONCE


def _factor(plane: Plane, side: int) -> int:
    """How many times smaller a plane is shown; also where it is long and narrow."""
    height, width = plane.shape
    return max(1, min(height, width) // side, math.isqrt(height * width) // (2 * side))


def _small(
    plane: Plane,
    colorizer: Colorizer,
    prepared: Prepared,
    side: int,
    place: tuple[int, int],
) -> tuple[RGB, RGB]:
    """Gray and colours of the small picture of a plane."""
    if isinstance(prepared, Whole):
        gray = plane.reduced(_factor(plane, side))
        height, width = gray.shape
        whole = (slice(0, height), slice(0, width))
        prediction = resample(prepared.prediction, (height, width), whole)
        decoded = colorizer.decode(torch.from_numpy(gray)[None, None], prediction)
        return _as_rgb(gray), decoded[0].numpy()
    part = around(plane, place, side)
    return _as_rgb(plane.gray(part)), painted(plane, prepared, part, colorizer)


def around(plane: Plane, place: tuple[int, int], side: int) -> Region:
    """Return a square around a place, moved to where it is inside a plane."""
    starts = (
        max(0, min(at - side // 2, length - side))
        for at, length in zip(place, plane.shape, strict=True)
    )
    y, x = (
        slice(start, min(start + side, length))
        for start, length in zip(starts, plane.shape, strict=True)
    )
    return y, x


def _from_place(
    region: Region, place: tuple[int, int], prepared: Prepared
) -> Iterator[Region]:
    """Parts of a region: those near a place come first.

    Windows of `local` context reach beyond any part, so that all but what is around the
    place is one part.
    """
    if not isinstance(prepared, Whole):
        y, x = (
            intersection(slice(at - _NEAR // 2, at + _NEAR // 2), part)
            for at, part in zip(place, region, strict=True)
        )
        if y.start < y.stop and x.start < x.stop:
            yield y, x
        yield region
        return
    yield from sorted(
        rectangles(region, _PIECE),
        key=lambda part: sum(
            max(side.start - at, at - side.stop, 0) ** 2
            for side, at in zip(part, place, strict=True)
        ),
    )


def _as_rgb(gray: Gray) -> RGB:
    levels = (gray * 255).round().astype(np.uint8)
    return np.repeat(levels[..., None], 3, axis=2)
