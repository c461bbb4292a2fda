"""The lightness of colour pictures as gray pictures, piece by piece."""

from typing import Any

import numpy as np

from napari_colorgan.arrays import Array
from napari_colorgan.errors import Stopped
from napari_colorgan.inference.axes import LEADING
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.tiling import rectangles
from napari_colorgan.job import STOP, Job, Progress

_SIDE = 512  # px of a piece, of which several float64 copies are made


def lightness_job(array: Any, name: str = "the array") -> Job[Array]:
    """Take the lightness of RGB planes.

    Parameters
    ----------
    array : (..., Y, X, 3 or 4) of any real type; numpy, dask or zarr
    name : what errors call it

    Returns
    -------
    (..., Y, X) float32 in [0, 1]; of a scan of gray its values, of their own type.

    Raises
    ------
    BadArray
        It cannot be read, or has no range of colours.
    Stopped
        On STOP.
    """
    letters = LEADING[: len(array.shape) - 3] + "YXS"
    source = Source.of(array, axes=letters, from_color=True, name=name)
    alike = source.channels == "equal"
    gray = np.empty(source.shape, source.array.dtype if alike else np.float32)
    pieces = [
        (plane, region)
        for plane in source.planes()
        for region in rectangles(plane.whole, _SIDE)
    ]
    for done, (plane, region) in enumerate(pieces, 1):
        where: tuple[int | slice, ...] = (*plane.index, *region)
        gray[where] = source.read(plane.index, region) if alike else plane.gray(region)
        if (yield Progress(done, len(pieces))) is STOP and done < len(pieces):
            raise Stopped(f"Stopped; no lightness was taken of {name}.")
    return gray
