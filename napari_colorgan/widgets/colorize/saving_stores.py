"""Colour layers to OME-Zarr, chunk by chunk: of any size."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.errors import Stopped
from napari_colorgan.image_io import PixelSize
from napari_colorgan.image_io.begun import (
    check_growing,
    discard,
    open_growing,
    replacing,
)
from napari_colorgan.image_io.growing import CHUNK
from napari_colorgan.inference.as_seen import SeenArray
from napari_colorgan.inference.axes import indices
from napari_colorgan.inference.by_planes import ByPlanes
from napari_colorgan.inference.given import read_part
from napari_colorgan.inference.tiling import rectangles
from napari_colorgan.job import STOP, Job, Progress

SUFFIX = ".zarr"


def save_store_job(
    path: Path,
    array: Any,
    order: Sequence[int],
    letters: str,
    size: PixelSize | None,
    made: Any,
) -> Job[list[str]]:
    """Save colours into a store that is new, or in the end takes the place of another.

    Parameters
    ----------
    array : (..., 3) uint8, or one that is coloured where it is looked at
    order : its dimensions as (leading..., Y, X)
    letters : of the leading ones

    Raises
    ------
    BadImageFile
        Nothing is kept then.
    Stopped
        On STOP; nothing is written then.
    """
    shape = tuple(int(array.shape[axis]) for axis in order)
    check_growing(path, letters, force=True)
    record = {"made": made} if not isinstance(made, dict) else made
    total = math.prod(shape[:-2]) * math.prod(-(-side // CHUNK) for side in shape[-2:])
    with replacing(path) as place:
        file = open_growing(place, shape, letters, size, made=record)
        assert file is not None  # it is new
        file.remedy = (
            "Nothing of it is kept: make room or mend the disk, then save it again."
        )
        stopped = False
        try:
            with file:
                parts = _parts(array, order, shape)
                for done, (index, region, rgb) in enumerate(parts, 1):
                    file.write(index, region, rgb)
                    answer = yield Progress(done, total)
                    if stopped := answer is STOP and done < total:
                        break
                else:
                    file.complete(record | {"complete": True})
        except BaseException:
            discard(place)  # only a terminal could go on with it
            raise
        if stopped:
            discard(place)
            raise Stopped(f"'{path}' was not saved.")
    return [str(path)]


def _parts(
    array: Any, order: Sequence[int], shape: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Region, RGB]]:
    """Chunks of all planes."""
    if not isinstance(array, ByPlanes):
        array = array.transpose(*order, len(order))
    for index in indices(tuple(shape[:-2])):
        for region in rectangles((slice(0, shape[-2]), slice(0, shape[-1])), CHUNK):
            if isinstance(array, SeenArray):
                yield index, region, array.seen.colors.paint(0, index, region)
            elif isinstance(array, ByPlanes):
                yield index, region, array.part(index, region)
            else:
                yield index, region, read_part(array, (*index, *region), "The layer")
