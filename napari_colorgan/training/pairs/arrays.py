"""Pairs from arrays of any type."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from napari_colorgan.arrays import RGB, Gray, Mask
from napari_colorgan.errors import (
    BadArray,
    BadPair,
    BadSetting,
    ColorSource,
    PairMismatch,
)
from napari_colorgan.inference.axes import LEADING, indices
from napari_colorgan.inference.given import read_part
from napari_colorgan.inference.intensity import (
    Limits,
    color_to_gray,
    has_color,
    scale,
)
from napari_colorgan.inference.source import Source, color_limits
from napari_colorgan.training.pairs.pair import MIN_SIDE, Pair

_BAND = 1 << 20  # px converted at once


def pairs_of(
    color: Any,
    gray: Any = None,
    *,
    name: str = "pair",
    limits: Limits | Sequence[float] | None = None,
    mask: Any = None,
) -> list[Pair]:
    """Copy arrays into pairs, one for each plane.

    Parameters
    ----------
    color : (..., Y, X, 3 or 4) of any integer, floating or boolean type, scaled by
        `color_limits`, the same for all planes; a fourth channel is dropped
    gray : (..., Y, X) of any such type, or with three equal channels; None: exactly the
        lightness of `color`
    name : of the pair; planes of a stack are called "name [3]" or "name [1, 3]"
    limits : gray values of black and white, and optionally gamma; default as for any
        gray source, the same for all planes
    mask : (Y, X) or (..., Y, X), not 0 where a pixel shall be used; default: everywhere

    Raises
    ------
    PairMismatch
        The arrays do not cover the same pixels.
    BadPair
        Empty, too small, without channels or colour, NaN or infinite; or an empty mask.
    BadArray, BadSetting
        `gray` or `limits` cannot be used for any gray source either.
    """
    color = _as_array(color, f"The colour picture of '{name}'")
    _check_color(color, name)
    _check_side(color, name)
    shape = tuple(int(n) for n in color.shape[:-1])
    source = None
    if gray is not None:
        source = _gray_source(gray, shape, name, limits)
    elif limits is not None:
        raise BadSetting("limits", limits, "left out where gray comes from the colour")
    masks = None if mask is None else _as_array(mask, f"The mask of '{name}'")
    if masks is not None and tuple(masks.shape) not in (shape, shape[-2:]):
        raise PairMismatch(f"The mask of '{name}'", "its picture", masks.shape, shape)
    colors = _limits_of_colors(color, name)
    pairs = []
    for index in indices(shape[:-2]):
        plane = _plane_name(name, index)
        used = None
        if masks is not None:
            used = _used(masks[index] if masks.ndim == len(shape) else masks, plane)
        rgb = _color_plane(color[index], plane, colors)
        _check_is_color(rgb, used, plane)
        if source is None:
            pairs.append(pair_of_color(plane, rgb, used))
        else:
            pairs.append(Pair(plane, _gray_plane(source, index, plane), rgb, used))
    return pairs


def color_planes(color: Any, name: str) -> list[tuple[str, RGB]]:
    """Name and copy, (Y, X, 3) uint8, of each plane of a colour picture.

    Parameters
    ----------
    color : as `pairs_of` takes it

    Raises
    ------
    BadPair
        See `pairs_of`.
    """
    _check_color(color, name)
    limits = _limits_of_colors(color, name)
    places = indices(tuple(int(n) for n in color.shape[:-3]))
    names = {index: _plane_name(name, index) for index in places}
    return [(n, _color_plane(color[index], n, limits)) for index, n in names.items()]


def pair_of_color(name: str, rgb: RGB, mask: Mask | None = None) -> Pair:
    """Return the pair of a colour picture (Y, X, 3) and exactly its own lightness."""
    return Pair(name, gray_of(rgb), rgb, mask, from_color=True)


def gray_of(rgb: RGB) -> Gray:
    """Gray (Y, X) in [0, 1] with exactly the L of RGB (Y, X, 3)."""
    gray = np.empty(rgb.shape[:2], np.float32)
    for rows in _bands(gray.shape):
        gray[rows] = color_to_gray(rgb[rows])
    return gray


def _plane_name(name: str, index: tuple[int, ...]) -> str:
    return f"{name} [{', '.join(map(str, index))}]" if index else name


def _as_array(array: Any, what: str) -> Any:
    """`array` itself if it is like numpy's; its masked values count as missing."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise BadPair(
            f"{what} has {np.ma.getmaskarray(array).sum()} masked values. Fill or crop "
            "them; `mask` says which pixels to use."
        )
    if hasattr(array, "shape") and isinstance(getattr(array, "dtype", None), np.dtype):
        return array
    try:
        return np.asarray(array)
    except (ValueError, TypeError) as error:
        raise BadPair(
            f"{what} cannot be read as an array: {error}. Give a numpy array."
        ) from error


def _check_color(color: Any, name: str) -> None:
    shape, dtype = tuple(color.shape), np.dtype(color.dtype)
    if len(shape) < 3 or shape[-1] not in (3, 4):
        raise BadPair(
            f"The colour picture of '{name}' has no colour channels: its shape is "
            f"{shape}, expected (..., Y, X, 3). Choose a picture in RGB."
        )
    if dtype.kind not in "buif":
        raise BadPair(
            f"The colour picture of '{name}' holds values of type {dtype}; give "
            "booleans, integers or real numbers."
        )
    if 0 in shape:
        raise BadPair(
            f"The colour picture of '{name}' is empty: its shape is {shape}. Every "
            "dimension needs at least one pixel."
        )


def _check_side(color: Any, name: str) -> None:
    height, width = color.shape[-3:-1]
    if min(height, width) < MIN_SIDE:
        raise BadPair(
            f"'{name}' is {height} x {width} px; a pair needs at least {MIN_SIDE} px a "
            "side. Choose a larger picture."
        )


def _gray_source(
    gray: Any,
    shape: tuple[int, ...],
    name: str,
    limits: Limits | Sequence[float] | None,
) -> Source:
    what = f"The gray picture of '{name}'"
    gray = _as_array(gray, what)
    has_samples = gray.ndim == len(shape) + 1 and gray.shape[-1] in (3, 4)
    plane = tuple(gray.shape[:-1] if has_samples else gray.shape)
    if plane != shape:
        raise PairMismatch(what, "its colour picture", plane, shape)
    # named, for a stack of gray pictures that are 3 px wide is no colour
    axes = LEADING[: len(shape) - 2] + "YX" + ("S" if has_samples else "")
    try:
        return Source.of(gray, axes=axes, limits=limits, name=what)
    except ColorSource as error:
        raise BadPair(
            f"{what} has colour itself: its channels differ. Choose a gray one, or "
            "none, to take the lightness of the colour picture."
        ) from error


def _gray_plane(source: Source, index: tuple[int, ...], name: str) -> Gray:
    plane = source.plane(index).loaded()
    _check_finite(plane.invalid(plane.whole), f"the gray picture of '{name}'")
    return np.ascontiguousarray(plane.gray(plane.whole))


def _limits_of_colors(color: Any, name: str) -> Limits:
    what = f"The colour picture of '{name}'"
    try:
        return color_limits(color, np.dtype(color.dtype), what)
    except BadArray as error:
        raise BadPair(str(error)) from error


def _color_plane(values: Any, name: str, limits: Limits) -> RGB:
    """Copy one plane (Y, X, 3 or 4) as uint8."""
    what = f"The colour picture of '{name}'"
    values = read_part(values, ..., what)[..., :3]
    if values.dtype == np.uint8:
        return np.array(values, order="C")
    if values.dtype.kind == "f":
        finite = np.isfinite(values).all(axis=-1)
        _check_finite(
            None if finite.all() else ~finite, f"the colour picture of '{name}'"
        )
    rgb = np.empty(values.shape, np.uint8)
    for rows in _bands(values.shape[:2]):
        rgb[rows] = np.rint(scale(values[rows], limits) * 255)
    return rgb


def _used(mask: Any, name: str) -> Mask | None:
    used: Mask = np.array(mask) != 0
    if not used.any():
        raise BadPair(
            f"The region of '{name}' holds no pixel, so nothing could be learned from "
            "it. Draw a region in it, or leave the picture out."
        )
    return None if used.all() else used


def _check_finite(invalid: Mask | None, what: str) -> None:
    if invalid is not None:
        count = int(invalid.sum())
        pixels = "1 pixel" if count == 1 else f"{count} pixels"
        raise BadPair(
            f"There is no number (NaN or infinity) at {pixels} of {what}. Fill or crop "
            "them, then add the pair again."
        )


def _check_is_color(rgb: RGB, used: Mask | None, name: str) -> None:
    pixels = rgb if used is None else rgb[used]
    if not has_color(pixels):
        raise BadPair(
            f"The colour picture of '{name}' is gray: its three channels are alike. "
            "Choose a picture with colour to learn from."
        )


def _bands(shape: tuple[int, ...]) -> Iterator[slice]:
    """Rows of a plane, few enough that a float copy of them is small."""
    height, width = shape
    step = max(1, _BAND // width)
    for start in range(0, height, step):
        yield slice(start, min(start + step, height))
