"""From layers to pairs: what is taken in the GUI thread, and read in a job."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Shapes

from napari_colorgan.errors import ColorganError, Stopped
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
from napari_colorgan.widgets._layers import full_resolution

Mask = npt.NDArray[np.bool_]


class UnfitLayers(ColorganError):
    """Two layers do not lie over each other in a way that makes a pair."""


@dataclass(frozen=True, slots=True)
class TakenPair:
    """What of two or three layers makes pairs; nothing is copied yet."""

    name: str
    color: Any
    """(..., Y, X, 3 or 4)."""
    gray: Any | None
    """(..., Y, X); None: the lightness of `color`."""
    limits: Limits | None
    """Gray values that become black and white; those that are displayed."""
    placements: tuple[Placement, Placement] | None
    """Of gray and colour, where they differ."""
    mask: Callable[[], Mask] | None
    """Makes the region (Y, X) or (..., Y, X) in pixels of `color`."""


def take_pair(color: Image, gray: Image | None, region: Layer | None) -> TakenPair:
    """Take what makes a pair of these layers.

    Raises
    ------
    UnfitLayers
        They are turned, sheared or placed differently.
    """
    limits, placements = None, None
    if gray is not None:
        low, high = map(float, gray.contrast_limits)
        limits = Limits(low, high, float(gray.gamma))
        placements = _placements(gray, color)
    return TakenPair(
        name=color.name,
        color=full_resolution(color),
        gray=None if gray is None else full_resolution(gray),
        limits=limits,
        placements=placements,
        mask=None if region is None else _region(region, color),
    )


def read_pairs_job(taken: TakenPair) -> Job[list[tuple[Pair, PairCheck]]]:
    """Copy and check the pairs, one per plane.

    Raises
    ------
    BadPair, BadArray, BadSetting
        They cannot be learned from.
    """
    color, gray = taken.color, taken.gray
    mask = None if taken.mask is None else taken.mask()
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


def _placements(gray: Image, color: Image) -> tuple[Placement, Placement] | None:
    """Where two layers lie in the world; None if in the same place."""
    names = f"'{gray.name}' and '{color.name}'"
    if gray.ndim != color.ndim:
        return None  # `pairs_of` says what is wrong with their shapes
    if tuple(gray.units) != tuple(color.units):
        raise UnfitLayers(
            f"{names} have different units ({_words(gray.units)}; "
            f"{_words(color.units)}). Give both layers the same, then add the pair."
        )
    for what in ("rotate", "shear", "affine"):
        if not np.allclose(np.asarray(getattr(gray, what)), getattr(color, what)):
            raise UnfitLayers(
                f"{names} differ in '{what}'. A pair needs the same pixels in both: "
                "resample one of them onto the other, then add the pair."
            )
    same = {
        what: np.allclose(getattr(gray, what), getattr(color, what))
        for what in ("scale", "translate")
    }
    if all(same.values()):
        return None
    for what in same:
        if not np.allclose(getattr(gray, what)[:-2], getattr(color, what)[:-2]):
            raise UnfitLayers(
                f"{names} differ in '{what}' along the stack. Place both stacks alike, "
                "then add the pair."
            )
    turned = not np.allclose(gray.rotate, np.eye(gray.ndim)) or np.any(gray.shear)
    if turned:
        differing = " and ".join(what for what, equal in same.items() if not equal)
        raise UnfitLayers(
            f"{names} are turned or sheared and differ in '{differing}'. Place both "
            "alike, then add the pair."
        )
    return _placement(gray), _placement(color)


def _placement(layer: Image) -> Placement:
    shape = full_resolution(layer).shape
    height, width = shape[-3:-1] if layer.rgb else shape[-2:]
    y, x = map(float, layer.scale[-2:])
    top, left = map(float, layer.translate[-2:])
    return Placement((int(height), int(width)), (y, x), (top, left))


def _region(region: Layer, color: Image) -> Callable[[], Mask]:
    """Make the mask of a region; geometry is read now, pixels later."""
    shape = tuple(int(n) for n in full_resolution(color).shape[:-1])
    if region.ndim not in (2, len(shape)):
        raise UnfitLayers(
            f"The region '{region.name}' has {region.ndim} dimensions but "
            f"'{color.name}' has {len(shape)}. Draw the region in 2 or {len(shape)}."
        )
    make = _shapes_mask if isinstance(region, Shapes) else _labels_mask
    paint = make(region, color, shape)
    return lambda: np.broadcast_to(paint(), shape)


def _to_pixels(
    layer: Layer, color: Image, point: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """From data coordinates of a layer to those of the colour layer."""
    world = np.zeros(color.ndim)
    world[-layer.ndim :] = layer.data_to_world(point)
    return np.asarray(color.world_to_data(world), float)


def _shapes_mask(
    region: Shapes, color: Image, shape: tuple[int, ...]
) -> Callable[[], Mask]:
    flat = region.ndim == 2
    planes: dict[tuple[int, ...], list[tuple[Any, str]]] = {}
    for vertices, kind in zip(region.data, region.shape_type, strict=True):
        moved = np.array([_to_pixels(region, color, vertex) for vertex in vertices])
        index = () if flat else tuple(round(float(c)) for c in moved[0, :-2])
        planes.setdefault(index, []).append((moved[:, -2:], kind))

    def paint() -> Mask:
        mask = np.zeros(shape[-2:] if flat else shape, bool)
        for index, drawn in planes.items():
            if all(0 <= i < n for i, n in zip(index, shape, strict=False)):
                # a layer of its own: its coordinates are the picture's pixels
                shapes = Shapes([v for v, _ in drawn], shape_type=[k for _, k in drawn])
                mask[index] = shapes.to_labels(shape[-2:]) > 0
        return mask

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
        mask = np.asarray(array) != 0
        for axis, step in enumerate(np.diag(steps)):
            pixels = np.arange(shape[axis - region.ndim])
            chosen = np.rint((pixels - origin[axis]) / step).astype(int)
            inside = (chosen >= 0) & (chosen < mask.shape[axis])
            mask = mask.take(np.where(inside, chosen, 0), axis)
            mask &= np.expand_dims(inside, tuple(range(1, region.ndim - axis)))
        return np.asarray(mask)

    return paint


def _words(units: Any) -> str:
    return ", ".join(str(unit) for unit in units)
