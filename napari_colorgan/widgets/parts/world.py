"""Where layers lie in the world of a viewer, and which of their planes it shows."""

import contextlib
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from napari.layers import Layer

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer's dimension sliders say; taken in the GUI thread."""

    point: tuple[float, ...]
    """Of the sliders, in the world's units."""
    order: tuple[int, ...]
    """Of the world's dimensions; the last ones are displayed."""
    ndisplay: int
    units: tuple[Any, ...] | None
    """Of the world; None where layers have units that no other can be compared with."""
    labels: tuple[str, ...]
    """Of the world's dimensions."""

    @classmethod
    def of(cls, viewer: Any) -> Self:
        """Look at a viewer."""
        dims = viewer.dims
        units = None if dims.units is None else tuple(dims.units)
        return cls(
            point=tuple(dims.point),
            order=tuple(dims.order),
            ndisplay=int(dims.ndisplay),
            units=units,
            labels=tuple(dims.axis_labels),
        )

    def displayed(self, layer: Layer) -> tuple[int, ...]:
        """Dimensions of a layer's array that are shown, vertical before horizontal.

        As napari does it: a layer lies along the last dimensions of the world.
        """
        before = len(self.order) - layer.ndim
        order = [axis - before for axis in self.order if axis >= before]
        return tuple(order[-self.ndisplay :])

    def position(self, layer: Layer) -> npt.NDArray[np.float64]:
        """Where the sliders are, in pixels of a layer.

        While napari adds a layer, the sliders may not know its dimensions and units.
        """
        point = np.zeros(layer.ndim)
        known = min(layer.ndim, len(self.point))
        point[-known:] = self.point[-known:]
        if self.units is not None:
            with contextlib.suppress(ValueError):
                units = self.units[-known:]
                point[-known:] *= factors(units, layer.units[-known:])
        return np.asarray(layer.world_to_data(point), float)


@dataclass(frozen=True, slots=True)
class PlaneAxes:
    """Which dimensions of an array are Y and X; the others are stepped through."""

    ndim: int
    y: int
    x: int

    @classmethod
    def last(cls, ndim: int) -> Self:
        """Return the last two."""
        return cls(ndim, ndim - 2, ndim - 1)

    @property
    def leading(self) -> tuple[int, ...]:
        """Dimensions that are stepped through."""
        return tuple(a for a in range(self.ndim) if a not in (self.y, self.x))

    @property
    def order(self) -> tuple[int, ...]:
        """Permutation of the dimensions to (leading..., Y, X)."""
        return (*self.leading, self.y, self.x)

    @property
    def back(self) -> tuple[int, ...]:
        """Permutation of (leading..., Y, X) to the dimensions as they were."""
        return tuple(map(int, np.argsort(self.order)))

    def index(self, layer: Layer, view: View) -> tuple[int, ...]:
        """Index along the leading dimensions of the plane where the sliders are."""
        position, extent = view.position(layer), layer.extent.data
        return tuple(
            round(float(np.clip(position[a], extent[0][a], extent[1][a])))
            for a in self.leading
        )


def labelled_axes(layer: Layer, view: View) -> PlaneAxes | None:
    """Y and X by the labels of a layer, or of its viewer; None without such labels."""
    for names in (layer.axis_labels, view.labels[-layer.ndim :]):
        labels = [str(name).strip().lower() for name in names]
        named = labels.count("y") == labels.count("x") == 1
        if named and len(labels) == layer.ndim:
            return PlaneAxes(layer.ndim, labels.index("y"), labels.index("x"))
    return None


def axis_labels(layer: Layer, view: View) -> tuple[str, ...]:
    """Return names of a layer's dimensions: its own, or else those of its viewer."""
    own = tuple(str(name).strip() for name in layer.axis_labels)
    if any(map(str.isalpha, own)):
        return own
    viewers = tuple(str(name).strip() for name in view.labels[-layer.ndim :])
    return viewers if len(viewers) == layer.ndim else own


def displayed_axes(layer: Layer, view: View) -> PlaneAxes | None:
    """Y and X as they are displayed; None in 3D, where all planes are."""
    return PlaneAxes(layer.ndim, *view.displayed(layer)) if view.ndisplay == 2 else None


def plane_axes(layer: Layer, view: View, *, shown: bool = False) -> PlaneAxes:
    """Which dimensions of a layer are its pictures.

    Parameters
    ----------
    shown : whether the plane that is seen counts more than what the axes are called
    """
    labelled = labelled_axes(layer, view)
    displayed = displayed_axes(layer, view)
    if shown and labelled and displayed and labelled.leading != displayed.leading:
        return displayed
    return labelled or displayed or PlaneAxes.last(layer.ndim)


def pixels_to_pixels(layer: Layer, other: Layer) -> Matrix:
    """Affine matrix from pixels of a layer to those of another, of as many dimensions.

    Raises
    ------
    ValueError
        Their units cannot be converted.
    """
    scale = np.diag([*factors(layer.units, other.units), 1.0])
    placed = scale @ pixels_to_world(layer)
    return np.asarray(np.linalg.solve(pixels_to_world(other), placed))


def factors(units: Any, others: Any) -> npt.NDArray[np.float64]:
    """Numbers that convert lengths of some units, an axis each, to those of others.

    Raises
    ------
    ValueError
        They measure different things, such as px and um.
    """
    pairs = list(zip(units, others, strict=True))
    if not all(unit.is_compatible_with(other) for unit, other in pairs):
        raise ValueError("units cannot be converted")
    return np.array([float((1 * a).to(b).magnitude) for a, b in pairs])


def pixels_to_world(layer: Layer) -> Matrix:
    """Affine matrix from pixels of a layer to the world, in the layer's units."""
    origin = np.asarray(layer.data_to_world(np.zeros(layer.ndim)), float)
    steps = [np.asarray(layer.data_to_world(u)) - origin for u in np.eye(layer.ndim)]
    matrix = np.eye(layer.ndim + 1)
    matrix[:-1] = np.column_stack([*steps, origin])
    return matrix
