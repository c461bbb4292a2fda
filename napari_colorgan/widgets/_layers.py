"""Between napari's layers and arrays: reading gray layers, making results."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from napari.layers import Image

from napari_colorgan.inference.axes import LEADING
from napari_colorgan.inference.intensity import Limits, full_range
from napari_colorgan.inference.source import Source
from napari_colorgan.widgets._pace import Pace

LimitsChoice = Literal["as displayed", "full range", "percentiles"]
Planes = Literal["whole stack", "current plane"]

_GEOMETRY = (
    "affine",
    "axis_labels",
    "rotate",
    "scale",
    "shear",
    "translate",
    "units",
)
_DRAW_SECONDS = 1e-8  # of one px, on its way to the screen without a GPU


@dataclass(frozen=True, slots=True)
class LayerSource:
    """What of a gray layer is to be coloured; taken in the GUI thread, used in any."""

    name: str
    array: Any
    """(..., Y, X); full resolution of a multiscale layer."""
    limits: Limits | None
    """None: percentiles, to be measured by the job."""
    index: tuple[int, ...]
    """Of the displayed plane, along the leading axes."""
    plane_only: bool

    def source(self) -> Source:
        """Return all of it or its plane; limits are those of the whole array."""
        name = f"the layer '{self.name}'"
        whole = Source.of(self.array, axes=self.axes, limits=self.limits, name=name)
        if not self.plane_only:
            return whole
        # length-1 leading axes keep the layer's dimensions and geometry
        part = self.array[tuple(slice(i, i + 1) for i in self.index)]
        return replace(whole, array=part)

    @property
    def axes(self) -> str:
        """Letters for the dimensions; a layer names none that we know."""
        return LEADING[: len(self.index)] + "YX"

    @property
    def first(self) -> tuple[int, ...]:
        """Index of the displayed plane within `source()`."""
        return (0,) * len(self.index) if self.plane_only else self.index


def is_gray(layer: object) -> bool:
    """Whether a layer is an image without colour channels."""
    return isinstance(layer, Image) and not layer.rgb


def is_color(layer: object) -> bool:
    """Whether a layer is an RGB image."""
    return isinstance(layer, Image) and bool(layer.rgb)


def read_source(
    layer: Image, point: tuple[float, ...], limits: LimitsChoice, planes: Planes
) -> LayerSource:
    """Take a gray layer's data, limits and displayed plane.

    Parameters
    ----------
    point : where the viewer is, in world coordinates
    """
    array = full_resolution(layer)
    low, high = map(float, layer.contrast_limits)
    fixed = {
        "as displayed": Limits(low, high, float(layer.gamma)),
        "full range": full_range(np.dtype(array.dtype)),
        "percentiles": None,
    }
    return LayerSource(
        name=layer.name,
        array=array,
        limits=fixed[limits],
        index=_displayed_index(layer, point),
        plane_only=planes == "current plane" and array.ndim > 2,
    )


def full_resolution(layer: Image) -> Any:
    """Array of a layer, the finest one of a multiscale layer."""
    return layer.data[0] if layer.multiscale else layer.data


def result_options(layer: Image, taken: LayerSource) -> dict[str, Any]:
    """Name and geometry of the result of colouring `layer`, for `viewer.add_image`."""
    options = {name: getattr(layer, name) for name in _GEOMETRY}
    options["name"] = f"{layer.name} colorized"
    if taken.plane_only:
        # the plane's origin, before the layer's affine is applied
        origin = np.array([*taken.index, 0, 0], float)
        affine = np.linalg.inv(layer.affine.affine_matrix)
        world = np.append(layer.data_to_world(origin), 1)
        options["translate"] = (affine @ world)[:-1]
    return options


def add_result(
    viewer: Any, canvas: npt.NDArray[np.uint8], options: dict[str, Any]
) -> Image:
    """Show a canvas (..., Y, X, 3) as a new RGB layer with a name of its own.

    It has one level, however large it is: napari tiles what is too large for a texture,
    and its own writer saves only the coarsest level of several.
    """
    return viewer.add_image(canvas, rgb=True, multiscale=False, **options)


def gray_from_color(layer: Image) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8]:
    """Gray (..., Y, X) with the lightness of an RGB layer."""
    array = np.asarray(full_resolution(layer))
    source = Source.of(array, from_color=True, axes=LEADING[: array.ndim - 3] + "YXS")
    if source.channels == "equal":
        return array[..., 0]
    gray = [plane.gray(plane.whole) for plane in source.planes()]
    return np.stack(gray).reshape(source.shape)


class Refresher:
    """Redraws a result layer while it fills, but never at the cost of the viewer.

    At most five times a second, for at most a tenth of the time (drawing, which Qt does
    later, is estimated), and only when the plane that changed is the one that is shown.
    """

    def __init__(
        self, layer: Image, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._layer = layer
        self._clock = clock
        plane = sorted(layer.data.shape[: layer.ndim])[-2:]  # or larger than it
        self._drawing = _DRAW_SECONDS * math.prod(plane)
        self._pace = Pace(0.2)

    def changed(self, index: tuple[int, ...], point: tuple[float, ...]) -> bool:
        """Redraw if it is time: a plane changed while the viewer was at `point`."""
        now = self._clock()
        shown = index == _displayed_index(self._layer, point)
        if not shown or not self._pace.due(now):
            return False
        self._layer.refresh(extent=False, thumbnail=False, highlight=False)
        end = self._clock()
        self._pace.done(end, end - now + self._drawing)
        return True


def _displayed_index(layer: Image, point: tuple[float, ...]) -> tuple[int, ...]:
    """Index along the leading axes of the plane of `layer` at a world position."""
    lengths = full_resolution(layer).shape[: layer.ndim - 2]
    position = layer.world_to_data(np.asarray(point[-layer.ndim :]))
    return tuple(
        int(np.clip(round(float(p)), 0, n - 1))
        for p, n in zip(position, lengths, strict=False)
    )


def gray_layers(viewer: Any) -> Iterator[Image]:
    """Gray image layers of a viewer, the topmost first."""
    return (layer for layer in reversed(viewer.layers) if is_gray(layer))
