"""Layers that tell colours of places: points above all, and also labels and shapes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Labels, Layer, Points, Shapes

from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.hints import Hints, to_hex
from napari_colorgan.inference.regions import hints_of_regions, region_step
from napari_colorgan.widgets.colorize.hints_table import OF, colors_of, planes_of
from napari_colorgan.widgets.parts.layers import geometry
from napari_colorgan.widgets.parts.swatches import Color
from napari_colorgan.widgets.parts.world import PlaneAxes, pixels_to_pixels


@dataclass(frozen=True, slots=True)
class Told:
    """What a layer tells of an image."""

    hints: Hints | None
    note: str = ""
    """What of it is of no use, and why."""


def add_points(viewer: Any, image: Image, color: Color, size: float) -> Points:
    """Make a layer for hints that lies over an image as it does, in add mode."""
    layer = viewer.add_points(
        np.empty((0, image.ndim)),
        name=f"{image.name} hints",
        ndim=image.ndim,
        size=size,
        border_color="white",
        border_width=0.08,
        face_color=np.array([color]) / 255,
        metadata={OF: image.name},
        **geometry(image),
    )
    paint_with(layer, color, size)
    layer.mode = "add"
    return layer


def paint_with(layer: Points, color: Color, size: float | None = None) -> None:
    """Give the points to come a colour, and those that are selected, too."""
    layer.current_face_color = to_hex(color)
    if size is not None:
        layer.current_size = size


def selected_in(layer: Points) -> list[int]:
    """Numbers of the points that are selected, in order.

    napari goes on to name points that are gone once there are fewer.
    """
    return sorted(each for each in layer.selected_data if each < len(layer.data))


def told_by(
    layer: Layer, image: Image, axes: PlaneAxes, index: tuple[int, ...]
) -> Told:
    """Read what a layer tells of an image, in the image's pixels.

    Parameters
    ----------
    axes : which of the image's dimensions are Y and X; points are then
        (leading..., Y, X)
    index : of the displayed plane; labels and shapes tell of no other

    Raises
    ------
    BadSetting
        Their places cannot be compared, or there are too many.
    """
    if isinstance(layer, Points):
        return _told_by_points(layer, image, axes)
    if isinstance(layer, Labels | Shapes):
        return _told_by_regions(layer, image, axes, index)
    return Told(None)


def _told_by_points(layer: Points, image: Image, axes: PlaneAxes) -> Told:
    count = len(layer.data)
    if not count:
        return Told(None)
    points, scale = _in_image(layer, image, np.asarray(layer.data, float))
    flat = layer.ndim == 2 and image.ndim > 2
    order = [axis - (image.ndim - layer.ndim) for axis in axes.order]
    points = points[:, order[-2:] if flat else order]
    shape = [image.extent.data[1][axis] + 1 for axis in axes.order]
    colors = colors_of(layer)
    visible = np.isfinite(colors).all(1) & (colors[:, 3] > 0)
    sides = np.array(shape[-points.shape[1] :])
    inside = ((points >= -0.5) & (points <= sides - 0.5)).all(1)
    planes = None if flat else planes_of(layer, points)
    latest = _latest(points, planes)
    used = visible & inside & latest
    notes = [
        f"{number} {'hint' if number == 1 else 'hints'} {why}"
        for number, why in (
            (int((~visible).sum()), "without a colour"),
            (int((visible & ~inside).sum()), "outside the picture"),
            (int((visible & inside & ~latest).sum()), "under a later one"),
        )
        if number
    ]
    note = ", ".join(notes) and f"Left out: {', '.join(notes)}."
    if not used.any():
        return Told(None, note)
    radius = np.broadcast_to(np.asarray(layer.size, float), count) / 2 * scale
    rgb = np.rint(colors[used, :3] * 255).astype(np.uint8)
    kept = None if planes is None else planes[used]
    return Told(Hints(points[used], rgb, radius[used], kept), note)


def _told_by_regions(
    layer: Labels | Shapes, image: Image, axes: PlaneAxes, index: tuple[int, ...]
) -> Told:
    """Hints along the middle of regions, of the displayed plane."""
    extent = image.extent.data[1] + 1
    size = (round(extent[axes.y]), round(extent[axes.x]))
    leading = layer.ndim - 2
    at: tuple[int, ...] = ()
    if leading:
        place = np.zeros(image.ndim)
        place[list(axes.leading)] = index
        here, _ = _in_image(image, layer, place[None])
        at = tuple(np.rint(here[0, :leading]).astype(int).tolist())
    drawn = _labels_at if isinstance(layer, Labels) else _shapes_at
    labels, colors, step = drawn(layer, at)
    known = {
        label: _as_bytes(color)
        for label, color in colors.items()
        if color is not None and color[3] > 0
    }
    points, rgb, radii = hints_of_regions(labels, known)
    points, radii = points * step, radii * step
    if not len(points):
        return Told(None)
    in_layer = np.zeros((len(points), layer.ndim))
    in_layer[:, -2:] = points
    moved, scale = _in_image(layer, image, in_layer)
    moved = moved[:, [axes.y - (image.ndim - moved.shape[1]), axes.x - image.ndim]]
    inside = ((moved >= -0.5) & (moved <= np.array(size) - 0.5)).all(1)
    if not inside.any():
        return Told(None, "Its regions are outside the picture.")
    if leading:  # of this plane alone
        plane = np.broadcast_to(np.array(index, float), (len(moved), len(index)))
        moved = np.concatenate([plane, moved], axis=1)
    return Told(Hints(moved[inside], rgb[inside], radii[inside] * scale))


_Drawn = tuple[npt.NDArray[Any], dict[int, Any], int]
"""Labels (Y, X) of a plane, the colour of each, and how many px apart they are."""


def _labels_at(layer: Labels, at: tuple[int, ...]) -> _Drawn:
    """Return what is painted, with the colours of what is looked at."""
    labels = layer.data[0] if layer.multiscale else layer.data
    if any(not 0 <= i < n for i, n in zip(at, labels.shape, strict=False)):
        return np.zeros((1, 1), int), {}, 1
    here = np.asarray(labels[at])
    step = region_step(here.shape)
    numbers = np.unique(here[::step, ::step])  # of all it takes seconds
    return here, {n: layer.get_color(n) for n in numbers[numbers != 0].tolist()}, 1


def _shapes_at(layer: Shapes, at: tuple[int, ...]) -> _Drawn:
    """Return labels as the shapes of a plane draw them, no larger than looked at."""
    here = [
        number
        for number, corners in enumerate(layer.data)
        if (np.rint(corners[:, :-2]) == at).all()
    ]
    if not here:
        return np.zeros((1, 1), int), {}, 1
    corners = [layer.data[number][:, -2:] for number in here]
    kinds = [layer.shape_type[number] for number in here]
    bottom, right = np.ceil(np.concatenate(corners).max(0)).astype(int).tolist()
    sides = max(bottom, 0) + 1, max(right, 0) + 1
    step = region_step(sides)
    flat = Shapes([each / step for each in corners], shape_type=kinds)
    labels = flat.to_labels([-(-side // step) for side in sides])
    return labels, dict(enumerate(layer.face_color[here], 1)), step


def _latest(
    points: npt.NDArray[np.float64], planes: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.bool_]:
    """Whether points are the last ones of their place."""
    last: dict[Any, int] = {}
    for number, point in enumerate(np.rint(points)):
        ends = "" if planes is None else str(planes[number].tolist())
        last[(*point[-2:].tolist(), ends)] = number
    latest = np.zeros(len(points), bool)
    latest[list(last.values())] = True
    return latest


def _in_image(
    layer: Layer, image: Layer, points: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], float]:
    """Points of a layer in pixels of another, and how many of these one of its has.

    A layer of fewer dimensions lies along the last ones.
    """
    count = min(layer.ndim, image.ndim)
    try:
        if layer.ndim == image.ndim:
            matrix = pixels_to_pixels(layer, image)
        else:
            matrix = _last_axes(layer, image, count)
    except (ValueError, np.linalg.LinAlgError):
        raise BadSetting(
            "hints",
            f"the layer '{layer.name}'",
            f"where '{image.name}' is, in its units",
        ) from None
    part = points[:, -count:]
    moved = part @ matrix[:-1, :-1].T + matrix[:-1, -1]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[-3:-1, -3:-1]))))
    return moved, scale


def _last_axes(layer: Layer, image: Layer, count: int) -> npt.NDArray[np.float64]:
    """Matrix from the last axes of a layer to those of another, by scale and place."""
    matrix = np.eye(count + 1)
    scale = np.asarray(layer.scale[-count:]) / np.asarray(image.scale[-count:])
    shift = np.asarray(layer.translate[-count:]) - np.asarray(image.translate[-count:])
    matrix[:-1, :-1] = np.diag(scale)
    matrix[:-1, -1] = shift / np.asarray(image.scale[-count:])
    return matrix


def _as_bytes(color: Any) -> Color:
    red, green, blue = np.rint(np.asarray(color)[:3] * 255).astype(int).tolist()
    return red, green, blue


def hint_layers(layers: Iterable[Layer]) -> list[Layer]:
    """Layers that can tell colours, the topmost first."""
    return [each for each in layers if isinstance(each, Points | Labels | Shapes)][::-1]
