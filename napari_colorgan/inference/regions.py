"""Regions of a plane that have a colour, told by hints."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_PLACES = 6  # that a region is told by, at most
_REGION_SIDE = 512  # px; at which regions are looked at


def region_step(shape: Sequence[int]) -> int:
    """Return how many px apart the labels are that are looked at in a plane."""
    return max(1, max(shape) // _REGION_SIDE)


def hints_of_regions(
    labels: npt.NDArray[Any], colors: dict[int, tuple[int, int, int]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8], npt.NDArray[np.float64]]:
    """Points, colours and radii that tell the colours of regions of a plane.

    Each is told by the largest squares that lie in it, one after the other.

    Parameters
    ----------
    labels : (Y, X) of any integer type
    colors : sRGB of labels; others tell nothing
    """
    from scipy.ndimage import distance_transform_cdt

    step = region_step(labels.shape)
    small = np.pad(labels[::step, ::step], 1)
    points, told, radii = [], [], []
    for label, color in colors.items():
        left = small == label
        for _ in range(_PLACES):
            depth = distance_transform_cdt(left, "chessboard")
            y, x = np.unravel_index(int(depth.argmax()), depth.shape)
            if not (reach := int(depth[y, x])):
                break
            left[
                max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1
            ] = 0
            points.append(((y - 1) * step, (x - 1) * step))
            told.append(color)
            radii.append((reach - 1) * step)
    return (
        np.array(points, float).reshape(-1, 2),
        np.array(told, np.uint8).reshape(-1, 3),
        np.array(radii, float),
    )
