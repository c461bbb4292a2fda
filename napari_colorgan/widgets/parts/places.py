"""Free places for new layers, where they hide nothing and are seen."""

from typing import Any

import numpy as np
from napari.layers import Image

_GAP = 0.05  # of the width of all images


def below(layers: Any, shape: tuple[int, ...]) -> dict[str, Any]:
    """Options of a layer (Y, X, ...) as wide as all images together, and below them."""
    images = [layer for layer in layers if isinstance(layer, Image)]
    if not images:
        return {}
    _, left, bottom, right = _borders(layers, images)
    pixel = (right - left) / shape[1]
    corner = (bottom + _GAP * (right - left), left)
    return _options(images, pixel, corner)


def beside(layers: Any) -> dict[str, Any]:
    """Options of a layer with pixels as the largest image has, to the right of all."""
    images = [layer for layer in layers if isinstance(layer, Image)]
    if not images:
        return {}
    top, left, _, right = _borders(layers, images)
    pixel = _finest([max(images, key=_area)])
    return _options(images, pixel, (top, right + _GAP * (right - left)))


def show_all(viewer: Any) -> None:
    """Bring new layers into the view; a camera in 3D stays where the user has it."""
    if viewer.dims.ndisplay == 2:
        viewer.reset_view()


def _borders(layers: Any, images: list[Image]) -> tuple[float, ...]:
    """Return top, left, bottom and right in the world."""
    half = _finest(images) / 2  # napari's extent ends at the centres of pixels
    low, high = np.array(layers.extent.world)[:, -2:]
    return (*map(float, low - half), *map(float, high + half))


def _finest(images: list[Image]) -> float:
    return min(float(np.abs(layer.scale[-2:]).min()) for layer in images)


def _area(layer: Image) -> float:
    return float(np.prod(np.ptp(layer.extent.world[:, -2:], axis=0)))


def _options(
    images: list[Image], pixel: float, corner: tuple[float, float]
) -> dict[str, Any]:
    return {
        "scale": (pixel, pixel),
        "translate": (corner[0] + pixel / 2, corner[1] + pixel / 2),
        "units": images[0].units[-2:],
    }
