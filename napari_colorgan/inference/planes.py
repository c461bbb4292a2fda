"""Which planes of a stack are coloured: all, or some that follow each other."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from napari_colorgan.arrays import Array
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.source import Source

Planes: TypeAlias = tuple[range, ...]
"""Indices along each leading axis of an array, without gaps."""
Wanted: TypeAlias = slice | range | Sequence[slice | range] | None
"""Planes as they are asked for; axes that are not named have all of theirs."""


class PlanesOf:
    """Some planes of an array, as an array of which only what is needed is read.

    Parameters
    ----------
    stack : all planes, (..., Y, X) or (..., Y, X, S)
    planes : those that there are
    """

    def __init__(self, stack: Any, planes: Planes) -> None:
        self.stack = stack
        self.planes = planes
        lengths = tuple(map(len, planes))
        self.shape = lengths + tuple(stack.shape[len(planes) :])
        self.dtype = stack.dtype
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> Any:
        given = index if isinstance(index, tuple) else (index,)
        if given == (...,):
            given = ()
        leading = [
            part[at] for part, at in zip(self.planes, given, strict=False)
        ]  # a range of a range is one, too
        leading += self.planes[len(leading) :]
        moved = [
            slice(each.start, each.stop, each.step) if isinstance(each, range) else each
            for each in leading
        ]
        return self.stack[(*moved, *given[len(self.planes) :])]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self[...], dtype)


def cut_out(source: Source) -> Source:
    """Return the same planes as an array that is numpy's or Dask's, if all of it is."""
    array = source.array
    if not (isinstance(array, PlanesOf) and hasattr(array.stack, "__array_ufunc__")):
        return source  # of files: a part of it would be read here
    part = tuple(slice(each.start, each.stop) for each in array.planes)
    return replace(source, array=array.stack[part])


def planes_within(wanted: Wanted, leading: Sequence[int]) -> Planes:
    """Return which planes are wanted of an array with these leading lengths.

    Parameters
    ----------
    wanted : along the first of these axes, or for several from the first one on

    Raises
    ------
    BadSetting
        There are no such planes, or others between them.
    """
    if wanted is None:
        return tuple(map(range, leading))
    parts = [wanted] if isinstance(wanted, slice | range) else _listed(wanted)
    if len(parts) > len(leading):
        expected = f"planes along {len(leading)} axes, for there are no others"
        raise BadSetting("planes", wanted, expected if leading else "left out")
    parts += [slice(None)] * (len(leading) - len(parts))
    return tuple(map(_along, parts, leading))


def only_planes(source: Source, planes: Planes) -> Source:
    """Return a source of some planes, with the limits of all."""
    if planes == planes_within(None, source.leading):
        return source
    return replace(source, array=PlanesOf(source.array, planes))


def hints_within(hints: Hints | None, planes: Planes) -> Hints | None:
    """Return hints of some planes, whose first ones are 0 there; None if none hold."""
    if hints is None or hints.points.shape[1] == 2:
        return hints
    first = np.array([each.start for each in planes])
    last = np.array([each.stop - 1 for each in planes])
    held = np.asarray(hints.planes)
    here = np.all((held[..., 0] <= last) & (held[..., 1] >= first), axis=1)
    if not here.any():
        return None
    told = hints.only(here)
    points = told.points.copy()
    points[:, :-2] = points[:, :-2].clip(first, last) - first
    moved = np.asarray(told.planes) - first[:, None]
    return Hints(points, told.colors, told.radius, moved)


def record_of_planes(planes: Planes, leading: Sequence[int]) -> dict[str, Any]:
    """Return what a record says of planes, if these are not all: first and last."""
    if planes == planes_within(None, leading):
        return {}
    if all(len(each) == 1 for each in planes):
        return {"plane": tuple(each.start for each in planes)}
    return {"planes": [(each.start, each.stop - 1) for each in planes]}


def _listed(wanted: Any) -> list[slice | range]:
    """Return what is wanted along several axes."""
    parts = list(wanted) if isinstance(wanted, Sequence) else []
    if not parts or not all(isinstance(each, slice | range) for each in parts):
        expected = "a range such as range(2, 5), a slice, or one for each leading axis"
        raise BadSetting("planes", wanted, expected)
    return parts


def _along(wanted: slice | range, length: int) -> range:
    if isinstance(wanted, slice):
        wanted = range(*wanted.indices(length))
    if wanted.step != 1 or not 0 <= wanted.start < wanted.stop <= length:
        expected = f"planes without gaps, within 0 to {length - 1}"
        raise BadSetting("planes", wanted, expected)
    return wanted
