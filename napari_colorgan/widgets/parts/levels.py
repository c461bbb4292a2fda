"""Large results in several sizes, so that no more is drawn than a screen shows."""

from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.layers._multiscale_data import MultiScaleData  # there is no public name

from napari_colorgan.arrays import Array

AT_ONCE = 2048 * 2048
"""px of a plane that are drawn in some ms, on their way to the screen without a GPU."""
LARGE = 4096 * 4096
"""px of a plane that keep the window waiting for about 0.1 s."""


class Levels(MultiScaleData):
    """Sizes of a picture that, as an array, is its largest.

    napari's own is its smallest, and that is what its writers would save.
    """

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Return the largest."""
        whole = np.asarray(self._data[0], dtype)
        return whole.copy() if copy else whole

    def __getitem__(self, key: Any) -> Any:
        """Return a size by its number; or part of the largest, by several indices."""
        return self._data[0][key] if isinstance(key, tuple) else self._data[key]


def in_levels(canvas: Array, y: int = -3, x: int = -2) -> Array | Levels:
    """Return views of an array, each with every second px of the one before it.

    They are drawn as the array would be, for napari draws the nearest px, and what is
    written into the array is in all of them. Up to 4096 x 4096 px it stays one array.

    Parameters
    ----------
    canvas : picture(s) of any kind
    y, x : which of its axes are Y and X; default those of RGB (..., Y, X, 3)
    """
    levels = [canvas]
    if canvas.shape[y] * canvas.shape[x] <= LARGE:
        return canvas
    while levels[-1].shape[y] * levels[-1].shape[x] > AT_ONCE:
        every: list[slice] = [slice(None)] * canvas.ndim
        every[y] = every[x] = slice(None, None, 2)
        levels.append(levels[-1][tuple(every)])
    return Levels(levels)


def full_resolution(layer: Image) -> Any:
    """Array of a layer, the finest one of a multiscale layer."""
    return layer.data[0] if layer.multiscale else layer.data


def corners(layer: Image) -> npt.NDArray[np.intp]:
    """Return what is seen of a layer, (2, ndim) in px of its full resolution."""
    seen = np.asarray(layer.corner_pixels)
    if layer.multiscale:
        factors = np.asarray(layer.downsample_factors[layer.data_level])
        seen = np.stack([seen[0] * factors, (seen[1] + 1) * factors - 1])
    return seen.astype(np.intp)


def expect_corners(layer: Image, seen: npt.NDArray[np.intp]) -> None:
    """Let a layer that was not drawn yet be seen as another one that lies there."""
    factors = np.ones(layer.ndim)
    if layer.multiscale:
        factors = np.asarray(layer.downsample_factors[layer.data_level])
    layer.corner_pixels = np.floor_divide(seen, factors).astype(np.intp)
