"""What was read from a picture file."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array
from napari_colorgan.image_io.pixel_size import PixelSize
from napari_colorgan.image_io.tags import Tags

ORIENTATION = 274
"""Tag of TIFF and EXIF: how a stored picture is to be turned, 1 (not) to 8."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What was read from a picture file: gray as stored, colour as sRGB."""

    array: Any
    """Upright, 0 is black: numpy's, mapped for large uncompressed TIFFs, and masked
    where the file marks values as missing; or `Blocks`, which are read when needed."""
    axes: str
    """One letter per dimension: Y, X, leading ones, and S for RGB samples."""
    pixel_size: PixelSize | None = None
    notes: tuple[str, ...] = ()
    """Sentences about what of the file was left out."""
    tags: Tags = field(default_factory=Tags)
    """What the file says of itself in words."""


def upright(array: Array, orientation: int, places: tuple[int, int]) -> Array:
    """Return a view of stored pixels as they are to be seen.

    Parameters
    ----------
    orientation : value of that tag; what is not in 1 ... 8 is taken for 1
    places : of Y and X among the dimensions of `array`
    """
    y, x = places
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(y, x)
    if orientation in (3, 4, 7, 8):
        array = np.flip(array, y)
    if orientation in (2, 3, 6, 7):
        array = np.flip(array, x)
    return array
