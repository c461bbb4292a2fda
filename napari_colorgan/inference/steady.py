"""Colours that stay from plane to plane where the gray does: no flicker in time.

The (a, b) of a plane are averaged with those of the planes before and after it, and
count the less the more the gray has changed at a place, so that what moves leaves no
trail. Lightness is not touched. A plane is averaged with the same ones whichever planes
and whatever region are coloured.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.planes import PlanesOf
from napari_colorgan.inference.source import Plane, Source

_REACH = 2
"""Planes before, and as many after: the mean of five has a fifth of the flicker."""
_CHANGED = 0.05
"""Of gray from black to white: where it has changed so much, a plane counts 1 / e. That
is thrice the noise of a poor camera (0.05) in the mean of a cell."""
_NEAR = 5
"""Cells, side of the square of which the mean square of the change counts: colours
reach a little beyond the gray that they are of. With single cells, those where a disk
had been were 2.7 instead of 2.3 units of ab from the truth (`flicker.py`, at 1)."""
_CELL = {"whole": 1, "local": 4}
"""Px that are compared together; colours of windows are predicted as coarsely."""

_MOST_KEPT = 1 << 26
"""Px of planes whose windows are kept, about 4 MB a megapixel for all five; those of
larger ones are looked at anew each time, which costs five times as much."""

Seen = tuple[Tensor, Tensor]
"""Gray (1, 1, h, w), and scaled (a, b) of it, (1, 2, h, w)."""


def planes_in_order(
    source: Source, first: tuple[int, ...] | None = None
) -> Iterator[Plane]:
    """All planes, each with those that steady it; `first` first.

    Neighbours follow each other, so that what was found out of one is there for the
    next, and for no longer.
    """
    axis, leading = source.axes.steady, source.leading
    last = len(leading) - 1
    inner = last if axis is None else axis
    order = [*(i for i in range(len(leading)) if i != inner), inner][: len(leading)]
    near: dict[tuple[int, ...], Plane] = {}
    if first is not None:
        yield plane_in_stack(source, first)
    for turned in product(*(range(leading[i]) for i in order)):
        index = tuple(turned[order.index(i)] for i in range(len(leading)))
        if index != first:
            plane = plane_in_stack(source, index, near)
            near = {other.index: other for _, other in plane.around}
            yield plane


def plane_in_stack(
    source: Source,
    index: tuple[int, ...],
    known: dict[tuple[int, ...], Plane] | None = None,
) -> Plane:
    """Return a plane with those that steady it, also if these are not coloured.

    Parameters
    ----------
    known : planes of before, by their index in the stack
    """
    plane, axis = source.plane(index), source.axes.steady
    if axis is None:
        return plane
    stack, here = source, index
    if isinstance(source.array, PlanesOf):
        stack = replace(source, array=source.array.stack)
        parts = zip(source.array.planes, index, strict=True)
        here = tuple(part[i] for part, i in parts)
    around = []
    for step in range(-_REACH, _REACH + 1):
        there = (*here[:axis], here[axis] + step, *here[axis + 1 :])
        if step and 0 <= there[axis] < stack.leading[axis]:
            other = (known or {}).get(there) or stack.plane(there)
            around.append((abs(step), other))
    return replace(plane, around=tuple(around))


def steadied(
    plane: Plane,
    seen: Seen,
    colorizer: Colorizer,
    place: object,
    look: Callable[[Plane], Seen],
) -> Tensor:
    """Prediction for a plane, or a window of it, steadied by the planes around it.

    Parameters
    ----------
    seen : gray of the plane and its own prediction
    place : what of a plane is seen
    look : sees the same of another plane
    """
    steady = colorizer.settings.steady
    prediction = seen[1]
    if not steady or not plane.around:
        return prediction
    cell = _CELL[colorizer.context]
    light, ab = _coarse(seen, cell)
    count, more = torch.ones_like(light), torch.zeros_like(ab)
    for away, other in plane.around:
        other_light, other_ab = _remembered(other, colorizer, place, look, cell)
        change = other_light - light
        change -= change.median()  # all became lighter: a lamp, not a thing that moves
        around = F.avg_pool2d(change**2, _NEAR, 1, _NEAR // 2, count_include_pad=False)
        weight = steady**away * torch.exp(-around / _CHANGED**2)
        more += weight * (other_ab - ab)
        count += weight
    more /= count
    return prediction + F.interpolate(more, prediction.shape[-2:], mode="bilinear")


def _remembered(
    plane: Plane,
    colorizer: Colorizer,
    place: object,
    look: Callable[[Plane], Seen],
    cell: int,
) -> Seen:
    known = plane.said.get(place)
    if known is None or known[0] is not colorizer.settings:
        known = colorizer.settings, _coarse(look(plane), cell)
        if math.prod(plane.shape) <= _MOST_KEPT:
            plane.said[place] = known
    result: Seen = known[1]
    return result


def _coarse(seen: Seen, cell: int) -> Seen:
    """Return means of cells, where predictions are computed."""
    gray, prediction = seen
    light = F.avg_pool2d(gray.to(prediction.device), cell, ceil_mode=True)
    return light, F.avg_pool2d(prediction, cell, ceil_mode=True)
