"""From layers to pairs: what is taken in the GUI thread, and read in a job."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Shapes

from napari_colorgan.arrays import Mask
from napari_colorgan.errors import ColorganError, Stopped
from napari_colorgan.inference.given import read_part
from napari_colorgan.inference.intensity import Limits
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.training.pairs import (
    Pair,
    PairCheck,
    Placement,
    check,
    common_regions,
    pairs_of,
)
from napari_colorgan.widgets.parts.layers import displayed_limits
from napari_colorgan.widgets.parts.levels import full_resolution
from napari_colorgan.widgets.parts.world import (
    Matrix,
    PlaneAxes,
    View,
    factors,
    pixels_to_pixels,
    pixels_to_world,
    plane_axes,
)

_WITHIN = 0.25  # px that pixels may be off, as `common_regions` has it


class UnfitLayers(ColorganError):
    """Two layers do not lie over each other in a way that makes a pair."""


@dataclass(frozen=True, slots=True)
class TakenPair:
    """What of two or three layers makes pairs; nothing is copied yet."""

    name: str
    color: Any
    """Of all dimensions, and 3 or 4 samples."""
    gray: Any | None
    """Of the same dimensions; None: the lightness of `color`."""
    gray_name: str
    axes: PlaneAxes
    """Which of the dimensions are Y and X."""
    limits: Limits | None
    """Gray values that become black and white; those that are displayed."""
    placements: tuple[Placement, Placement] | None
    """Of gray and colour, where they differ."""
    mask: Callable[[], Mask] | None
    """Makes the region, of the dimensions of `color`."""


def take_pair(
    color: Image, gray: Image | None, region: Layer | None, view: View
) -> TakenPair:
    """Take what makes a pair of these layers.

    Raises
    ------
    UnfitLayers
        They are turned, sheared or placed differently.
    """
    limits, placements = None, None
    axes = plane_axes(color, view)
    if gray is not None:
        limits = displayed_limits(gray)
        placements = _placements(gray, color, axes)
    return TakenPair(
        name=color.name,
        color=full_resolution(color),
        gray=None if gray is None else full_resolution(gray),
        gray_name="" if gray is None else gray.name,
        axes=axes,
        limits=limits,
        placements=placements,
        mask=None if region is None else _region(region, color, axes),
    )


def read_pairs_job(taken: TakenPair) -> Job[list[tuple[Pair, PairCheck]]]:
    """Copy and check the pairs, one per plane.

    Raises
    ------
    BadPair, BadArray, BadSetting
        They cannot be learned from.
    """
    yield Progress(0, 0)
    order = taken.axes.order
    color, gray = _loaded(taken.color, taken.name), taken.gray
    color = color.transpose(*order, len(order))
    if gray is not None and len(gray.shape) == len(order):
        gray = _loaded(gray, taken.gray_name).transpose(order)
    mask = None if taken.mask is None else taken.mask().transpose(order)
    if taken.placements is not None and gray is not None:
        gray_part, color_part = common_regions(*taken.placements)
        gray, color = gray[(..., *gray_part)], color[(..., *color_part, slice(None))]
        mask = None if mask is None else mask[(..., *color_part)]
    pairs = pairs_of(color, gray, name=taken.name, limits=taken.limits, mask=mask)
    checked = []
    for number, pair in enumerate(pairs):
        if (yield Progress(number, len(pairs))) is STOP:
            raise Stopped("Adding pairs was stopped.")
        checked.append((pair, check(pair)))
    return checked


def _loaded(array: Any, name: str) -> Any:
    """Read a layer, unless it is in memory: masks of arrays stay what they are."""
    if isinstance(array, np.ndarray):
        return array
    return read_part(array, ..., f"The layer '{name}'")


def _placements(
    gray: Image, color: Image, axes: PlaneAxes
) -> tuple[Placement, Placement] | None:
    """Where two layers lie, along axes of the gray one; None if in the same place.

    Whatever their units, scales and affines are: what counts is where their pixels are.
    """
    names = f"'{gray.name}' and '{color.name}'"
    if gray.ndim != color.ndim:
        return None  # `pairs_of` says what is wrong with their shapes
    steps, shift = _on_gray(gray, color)
    lengths = np.array(full_resolution(color).shape[: color.ndim])
    off = np.abs(steps - np.diag(np.diag(steps))) * lengths
    if off.max() > _WITHIN:
        raise UnfitLayers(
            f"{names} are turned or sheared against each other. A pair needs the same "
            "pixels in both: resample one of them onto the other, then add the pair."
        )
    drift = np.abs(np.diag(steps) - 1) * lengths
    if not np.all(np.maximum(drift, np.abs(shift))[list(axes.leading)] <= _WITHIN):
        raise UnfitLayers(
            f"{names} have different places along the stack. Place both stacks alike, "
            "then add the pair."
        )
    y, x = axes.y, axes.x
    if np.allclose([steps[y, y], steps[x, x]], 1) and np.allclose(shift[[y, x]], 0):
        return None
    pixel = _pixel(gray)
    placed = [
        Placement(
            shape=(int(shape[y]), int(shape[x])),
            scale=(float(size[y]), float(size[x])),
            translate=(float(place[y]), float(place[x])),
        )
        for shape, size, place in (
            (full_resolution(gray).shape, pixel, 0 * shift),
            (full_resolution(color).shape, pixel * np.diag(steps), pixel * shift),
        )
    ]
    return placed[0], placed[1]


def _on_gray(gray: Image, color: Image) -> tuple[Matrix, npt.NDArray[np.float64]]:
    """Find steps (columns) and first pixel of the colour layer on the gray one, px."""
    try:
        matrix = pixels_to_pixels(color, gray)
    except ValueError as error:
        raise UnfitLayers(
            f"'{gray.name}' and '{color.name}' have different units "
            f"({_words(gray.units)}; {_words(color.units)}), of which one cannot be "
            "converted to the other. Give both layers the same, then add the pair."
        ) from error
    return matrix[:-1, :-1], matrix[:-1, -1]


def _pixel(layer: Image) -> npt.NDArray[np.float64]:
    """Length of a pixel along each axis of an array, in the world."""
    return np.asarray(np.linalg.norm(pixels_to_world(layer)[:-1, :-1], axis=0))


def _region(region: Layer, color: Image, axes: PlaneAxes) -> Callable[[], Mask]:
    """Make the mask of a region; geometry is read now, pixels later."""
    shape = tuple(int(n) for n in full_resolution(color).shape[:-1])
    if region.ndim not in (2, len(shape)):
        raise UnfitLayers(
            f"The region '{region.name}' has {region.ndim} dimensions but "
            f"'{color.name}' has {len(shape)}. Draw the region in 2 or {len(shape)}."
        )
    if region.ndim == 2:  # it lies along the last two
        axes = PlaneAxes.last(len(shape))
    if isinstance(region, Shapes):
        paint = _shapes_mask(region, color, shape, axes)
    else:
        paint = _labels_mask(region, color, shape)
    return lambda: np.broadcast_to(paint(), shape)


def _to_pixels(
    layer: Layer, color: Image, point: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """From data coordinates of a layer to those of the colour layer."""
    world = np.zeros(color.ndim)
    world[-layer.ndim :] = layer.data_to_world(point)
    with contextlib.suppress(ValueError):  # napari does not convert these either
        world[-layer.ndim :] *= factors(layer.units, color.units[-layer.ndim :])
    return np.asarray(color.world_to_data(world), float)


def _shapes_mask(
    region: Shapes, color: Image, shape: tuple[int, ...], axes: PlaneAxes
) -> Callable[[], Mask]:
    flat = region.ndim == 2
    leading, plane = list(axes.leading), [axes.y, axes.x]
    size = tuple(shape[axis] for axis in plane)
    planes: dict[tuple[int, ...], list[tuple[Any, str]]] = {}
    for vertices, kind in zip(region.data, region.shape_type, strict=True):
        moved = np.array([_to_pixels(region, color, vertex) for vertex in vertices])
        index = () if flat else tuple(round(float(c)) for c in moved[0, leading])
        planes.setdefault(index, []).append((moved[:, plane], kind))

    def paint() -> Mask:
        mask = np.zeros(size if flat else [shape[a] for a in axes.order], bool)
        for index, drawn in planes.items():
            if all(0 <= i < n for i, n in zip(index, mask.shape, strict=False)):
                # a layer of its own: its coordinates are the picture's pixels
                shapes = Shapes([v for v, _ in drawn], shape_type=[k for _, k in drawn])
                mask[index] = shapes.to_labels(size) > 0
        return mask if flat else mask.transpose(axes.back)

    return paint


def _labels_mask(
    region: Labels, color: Image, shape: tuple[int, ...]
) -> Callable[[], Mask]:
    array = full_resolution(region)
    # where the labels' pixels lie in the picture: origin, and one step along each axis
    origin = _to_pixels(region, color, np.zeros(region.ndim))[-region.ndim :]
    steps = [
        _to_pixels(region, color, unit)[-region.ndim :] - origin
        for unit in np.eye(region.ndim)
    ]
    if not np.allclose(steps, np.diag(np.diag(steps)), atol=1e-6):
        raise UnfitLayers(
            f"The region '{region.name}' is turned against '{color.name}'. Draw it "
            "anew on a Labels layer that is placed like the picture."
        )

    def paint() -> Mask:
        mask = read_part(array, ..., f"The region '{region.name}'") != 0
        for axis, step in enumerate(np.diag(steps)):
            pixels = np.arange(shape[axis - region.ndim])
            indices = np.rint((pixels - origin[axis]) / step).astype(int)
            inside = (indices >= 0) & (indices < mask.shape[axis])
            mask = mask.take(np.where(inside, indices, 0), axis)
            mask &= np.expand_dims(inside, tuple(range(1, region.ndim - axis)))
        return np.asarray(mask)

    return paint


def _words(units: Any) -> str:
    return ", ".join(str(unit) for unit in units)
