"""Large TIFFs whose values follow each other as they are, read by seeking.

Not mapped: what is cut from a mapped file while it is used ends the process.
"""

import math
import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_colorgan.arrays import Array
from napari_colorgan.image_io.blocks import Blocks, Parts
from napari_colorgan.image_io.bounds import too_short

_ROWS, _COLUMNS = 512, 4096  # of a block


def open_flat(path: Path, number: int) -> Blocks:
    """Open a series of pages that lie behind each other without gaps, unpacked.

    Parameters
    ----------
    number : of the series in the file, whose `dataoffset` is known

    Raises
    ------
    BadImageFile
        The file is shorter than these values.
    """
    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[number]
        stored = np.dtype(f"{tiff.byteorder}{series.dtype.char}")
        read = _Values(path, int(series.dataoffset), series.shape, stored)
        shape = tuple(map(int, series.shape))
        if series.dataoffset + math.prod(shape) * stored.itemsize > path.stat().st_size:
            raise too_short(path)
        y, x = series.axes.index("Y"), series.axes.index("X")
    kept = {y: _ROWS, x: _COLUMNS, series.axes.find("S"): 4}
    sides = [min(n, kept.get(axis, 1)) for axis, n in enumerate(shape)]
    reopen = open_flat, (path, number)
    return Blocks(shape, stored.newbyteorder("="), sides, read, reopen, path)


class _Values:
    """Reads parts of an array that lies in a file; several threads wait for each other.

    Parameters
    ----------
    start : byte at which the values begin
    dtype : of the values as they are stored
    """

    def __init__(
        self, path: Path, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]
    ) -> None:
        self._path = path
        self._start = start
        self._shape = tuple(map(int, shape))
        self._dtype = dtype
        self._lock = threading.Lock()
        self._file = path.open("rb", buffering=0)
        weakref.finalize(self, self._file.close)

    def __call__(self, parts: Parts) -> Array:
        """Read what lies between the starts and stops of slices, one per axis."""
        lengths = [part.stop - part.start for part in parts]
        whole = len(parts)  # axes from here on are read from end to end
        while whole and lengths[whole - 1] == self._shape[whole - 1]:
            whole -= 1
        ahead = max(whole - 1, 0)  # of what lies in one piece
        out = np.empty(lengths, self._dtype)
        pieces = out.reshape(*lengths[:ahead], -1)
        steps = [math.prod(self._shape[axis + 1 :]) for axis in range(len(parts))]
        with self._lock:
            for place in np.ndindex(*lengths[:ahead]):
                at = (*place, *(0 for _ in parts[ahead:]))
                first = sum(
                    (part.start + n) * step
                    for part, n, step in zip(parts, at, steps, strict=True)
                )
                self._fill(pieces[place], self._start + first * self._dtype.itemsize)
        return out.astype(self._dtype.newbyteorder("="), copy=False)

    def _fill(self, values: Array, start: int) -> None:
        left = values.view(np.uint8).data
        self._file.seek(start)
        while left:
            count = self._file.readinto(left)
            if not count:
                raise too_short(self._path)
            left = left[count:]
