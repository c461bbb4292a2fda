"""Between napari's layers and arrays: reading gray layers, making results."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from napari.layers import Image

from napari_colorgan.arrays import RGB
from napari_colorgan.inference.axes import LEADING, Axes
from napari_colorgan.inference.intensity import Limits, color_to_gray, full_range
from napari_colorgan.inference.planes import (
    Planes,
    only_planes,
    planes_within,
    record_of_planes,
)
from napari_colorgan.inference.source import Source
from napari_colorgan.widgets.parts.levels import (
    AT_ONCE,
    Levels,
    full_resolution,
    in_levels,
)
from napari_colorgan.widgets.parts.pace import Pace
from napari_colorgan.widgets.parts.world import PlaneAxes, View, axis_labels, plane_axes

LimitsChoice = Literal["as displayed", "full range", "percentiles"]
PlanesChoice = Literal["whole stack", "current plane", "range of planes"]

GEOMETRY = (
    "affine",
    "axis_labels",
    "rotate",
    "scale",
    "shear",
    "translate",
    "units",
)
"""Attributes of a layer that say where it lies."""
_DRAW_SECONDS = 1e-8  # of one px, on its way to the screen without a GPU
_SAMPLED = 32  # places along an axis
_COMPARED = 1 << 21  # px, in 10 ms
_COLORS = 65  # of a colormap that are looked at


@dataclass(frozen=True, slots=True)
class LayerSource:
    """What of a gray layer is to be coloured; taken in the GUI thread, used in any."""

    name: str
    array: Any
    """Full resolution of a multiscale layer, with its dimensions as they are."""
    axes: PlaneAxes
    """Which of the dimensions are Y and X."""
    limits: Limits | None
    """None: percentiles, to be measured by the job."""
    index: tuple[int, ...]
    """Of the displayed plane, along the leading axes."""
    planes: Planes
    """Which are to be coloured; axes of length 1 keep dimensions and geometry."""
    labels: tuple[str, ...]
    """Of the dimensions."""

    def source(self) -> Source:
        """Return what is to be coloured; limits are those of the whole array."""
        return only_planes(self.whole(), self.planes)

    def whole(self) -> Source:
        """Return all planes."""
        name = f"the layer '{self.name}'"
        return Source.of(self.array, axes=self.letters, limits=self.limits, name=name)

    @property
    def letters(self) -> str:
        """Letters for the dimensions: those of labels that are letters we know."""
        known = {self.axes.y: "Y", self.axes.x: "X"}
        for axis in self.axes.leading:
            letter = self.labels[axis].strip().upper()
            if letter in tuple(LEADING) and letter not in known.values():
                known[axis] = letter
        free = (letter for letter in LEADING if letter not in known.values())
        return "".join(known.get(axis) or next(free) for axis in range(self.axes.ndim))

    @property
    def can_be_steady(self) -> bool:
        """Whether there are planes before or after that can steady the colours."""
        axis = Axes(self.letters).steady
        return axis is not None and self.leading[axis] > 1

    @property
    def is_part(self) -> bool:
        """Whether there are planes that are not to be coloured."""
        return self.planes != planes_within(None, self.leading)

    @property
    def first(self) -> tuple[int, ...] | None:
        """Index of the displayed plane within `source()`; None if it is not there."""
        inside = all(i in part for i, part in zip(self.index, self.planes, strict=True))
        return self.within(self.index) if inside else None

    @property
    def said(self) -> dict[str, Any]:
        """What a record says of the planes."""
        return record_of_planes(self.planes, self.leading)

    @property
    def starts(self) -> tuple[int, ...]:
        """Index of the first plane that is to be coloured."""
        return tuple(each.start for each in self.planes)

    def within(self, index: tuple[int, ...]) -> tuple[int, ...]:
        """Return the index of a plane as `source()` counts it."""
        return tuple(i - at for i, at in zip(index, self.starts, strict=True))

    def shows_as(self, other: "LayerSource") -> bool:
        """Whether the displayed plane of another is the same, in the same gray."""
        return self.array is other.array and all(
            getattr(self, name) == getattr(other, name)
            for name in ("axes", "limits", "index")
        )

    def place_of(self, point: Any) -> tuple[int, int] | None:
        """Row and column of a point along the last dimensions; None if outside."""
        place = []
        for axis in (self.axes.y, self.axes.x):
            at = round(float(point[axis - (self.axes.ndim - len(point))]))
            if not 0 <= at < self.array.shape[axis]:
                return None
            place.append(at)
        return place[0], place[1]

    def point_of(self, place: tuple[int, int]) -> tuple[float, ...]:
        """Return the point along all dimensions of a place in the displayed plane."""
        point = [0.0] * self.axes.ndim
        for axis, at in zip(self.axes.order, (*self.index, *place), strict=True):
            point[axis] = float(at)
        return tuple(point)

    @property
    def leading(self) -> tuple[int, ...]:
        """How many planes there are along each dimension before Y and X."""
        return tuple(int(self.array.shape[axis]) for axis in self.axes.leading)

    def in_layer(self, canvas: RGB) -> RGB:
        """View a result (..., Y, X, 3) with its dimensions as the layer has them."""
        return canvas.transpose(*self.axes.back, self.axes.ndim)


def is_gray(layer: object) -> bool:
    """Whether a layer is an image without colour channels."""
    return isinstance(layer, Image) and not layer.rgb


def looks_gray(layer: object) -> bool:
    """Whether a layer is gray, or RGB whose channels are equal, as scanners save it."""
    if not isinstance(layer, Image) or not layer.rgb:
        return is_gray(layer)
    return _has_equal_channels(full_resolution(layer))


def is_color(layer: object) -> bool:
    """Whether a layer is an RGB image."""
    return isinstance(layer, Image) and bool(layer.rgb)


def read_source(
    layer: Image,
    view: View,
    limits: LimitsChoice,
    planes: PlanesChoice,
    between: Sequence[tuple[int, int]] = (),
) -> LayerSource:
    """Take a gray layer's data, limits and planes.

    Parameters
    ----------
    between : first and last plane along the leading axes, of a range of them; a layer
        that has no such planes gives those that are nearest
    """
    array = gray_values(layer)
    axes = plane_axes(layer, view, shown=planes == "current plane" and layer.ndim > 2)
    index = axes.index(layer, view)
    lengths = [int(array.shape[axis]) for axis in axes.leading]
    chosen = planes_within(None, lengths)
    if planes == "current plane":
        chosen = tuple(range(i, i + 1) for i in index)
    elif planes == "range of planes":
        nearest = [
            _clipped(first, last, length)
            for (first, last), length in zip(between, lengths, strict=False)
        ]
        chosen = (*nearest, *chosen[len(nearest) :])
    fixed = {
        "as displayed": displayed_limits(layer),
        "full range": full_range(np.dtype(array.dtype)),
        "percentiles": None,
    }
    return LayerSource(
        name=layer.name,
        array=array,
        axes=axes,
        limits=fixed[limits],
        index=index,
        planes=chosen,
        labels=axis_labels(layer, view),
    )


def _clipped(first: int, last: int, length: int) -> range:
    """Return those of some planes that there are, or the nearest."""
    start, stop = min(first, length - 1), min(last, length - 1) + 1
    return range(start, max(start + 1, stop))


def stepped_axes(source: LayerSource) -> list[tuple[str, int]]:
    """Return names and lengths of the axes before Y and X."""
    labels = [source.labels[axis] for axis in source.axes.leading]
    names = [
        label if any(map(str.isalpha, label)) else f"Axis {axis}"
        for label, axis in zip(labels, source.axes.leading, strict=True)
    ]
    if len(names) == 1 and names[0].startswith("Axis"):
        names = ["Planes"]
    return list(zip(names, source.leading, strict=True))


def displayed_limits(layer: Image) -> Limits:
    """Gray values that a layer shows as its darkest and its lightest."""
    low, high = map(float, layer.contrast_limits)
    return Limits(low, high, float(layer.gamma), inverted=falls(layer.colormap))


def falls(colormap: Any) -> bool:
    """Whether a colormap runs from light to dark, as `gray_r` does.

    Maps that rise and fall again, such as diverging ones, are taken as they are.
    """
    colors = colormap.map(np.linspace(0, 1, _COLORS, dtype=np.float32))
    gray = color_to_gray(np.asarray(colors, np.float64)[:, :3])
    return bool(gray[0] - gray[-1] > np.ptp(gray) / 2)


def gray_values(layer: Image) -> Any:
    """Array (..., Y, X) of a layer that looks gray."""
    array = full_resolution(layer)
    return array[..., 0] if layer.rgb else array


def _has_equal_channels(array: Any) -> bool:
    """Whether all channels of RGB in memory are the same, in some ms.

    A sample is asked first. Of what is large the rest is only looked at closely: a run,
    which reads all of it, tells of colours that are smaller.
    """
    if not isinstance(array, np.ndarray):
        return False
    few = tuple(slice(None, None, max(1, n // _SAMPLED)) for n in array.shape[:-1])
    every = math.ceil((array[..., 0].size / _COMPARED) ** (1 / (array.ndim - 1)))
    many = (slice(None, None, every),) * (array.ndim - 1)
    return all(
        np.array_equal(part[..., 0], part[..., channel])
        for part in (array[few], array[many])
        for channel in (1, 2)
    )


def geometry(layer: Image) -> dict[str, Any]:
    """Where a layer lies, as options of a layer that shall lie over it."""
    return {name: getattr(layer, name) for name in GEOMETRY}


def result_options(layer: Image, source: LayerSource) -> dict[str, Any]:
    """Name and geometry of the result of colouring `layer`, for `viewer.add_image`."""
    options = geometry(layer) | {"name": f"{layer.name} colorized"}
    if any(source.starts):
        # the first plane's origin, before the layer's affine is applied
        origin = np.zeros(layer.ndim)
        origin[list(source.axes.leading)] = source.starts
        affine = np.linalg.inv(layer.affine.affine_matrix)
        world = np.append(layer.data_to_world(origin), 1)
        options["translate"] = (affine @ world)[:-1]
    return options


def add_result(
    viewer: Any,
    canvas: RGB,
    options: dict[str, Any],
    axes: PlaneAxes | None = None,
) -> Image:
    """Show a canvas as a new RGB layer with a name of its own.

    Parameters
    ----------
    canvas : with its dimensions as the layer shall have them, and samples
    axes : which of them are Y and X; default the last before the samples
    """
    y, x = (-3, -2) if axes is None else (axes.y, axes.x)
    levels = in_levels(canvas, y, x)
    several = isinstance(levels, Levels)
    return viewer.add_image(levels, rgb=True, multiscale=several, **options)


class Refresher:
    """Redraws a result layer while it fills, but never at the cost of the viewer.

    At most five times a second, for at most a tenth of the time (drawing, which Qt does
    later, is estimated), and only when what changed is shown.
    """

    def __init__(
        self,
        layer: Image,
        axes: PlaneAxes,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._layer = layer
        self._axes = axes
        self._clock = clock
        plane = sorted(layer.data.shape[: layer.ndim])[-2:]  # or larger than it
        drawn = math.prod(plane)
        if layer.multiscale:  # as much as a screen shows
            drawn = min(drawn, AT_ONCE)
        self._drawing = _DRAW_SECONDS * drawn
        self._pace = Pace(0.2)

    def changed(self, index: tuple[int, ...], view: View) -> bool:
        """Redraw if it is time: the plane at `index` of the leading axes changed."""
        now = self._clock()
        if not self._shows(index, view) or not self._pace.due(now):
            return False
        self._layer.refresh(extent=False, thumbnail=False, highlight=False)
        end = self._clock()
        self._pace.done(end, end - now + self._drawing)
        return True

    def _shows(self, index: tuple[int, ...], view: View) -> bool:
        """Whether a viewer shows the plane, or a line of it."""
        across = view.displayed(self._layer)
        here = self._axes.index(self._layer, view)
        return all(
            axis in across or i == shown
            for axis, i, shown in zip(self._axes.leading, index, here, strict=True)
        )


def gray_layers(viewer: Any) -> Iterator[Image]:
    """Gray image layers of a viewer, the topmost first."""
    return (layer for layer in reversed(viewer.layers) if is_gray(layer))
