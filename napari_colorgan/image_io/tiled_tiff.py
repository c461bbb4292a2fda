"""Large TIFFs, tiled or in strips, as arrays that are read by blocks."""

import math
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_colorgan.arrays import Array
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.blocks import Blocks, Parts, block_sides
from napari_colorgan.image_io.bounds import too_short
from napari_colorgan.image_io.tiff_packed import bound_decoding

_JPEGS = (6, 7, 34892, 33007)  # compressions whose tables may stand in the page

Decode = Callable[[Array], Array]


def open_series(
    path: Path, number: int, decode: Callable[[Any], Decode | None]
) -> Blocks | None:
    """Open a series of pages, (..., Y, X) or (..., Y, X, S), that is read by blocks.

    Parameters
    ----------
    number : of the series in the file
    decode : a function, known by its name, that says for a page how its stored values
        (Y, X, S) become what is meant, of the same or another number of samples; None
        if that needs all of them at once

    Returns
    -------
    None if its pages are stored in a way that is only read as a whole.
    """
    tiff = tifffile.TiffFile(path)
    try:
        series = tiff.series[number]
        page = series.keyframe
        meant = None if not _is_plain(series) else decode(page)
        bound_decoding(path, series)
    except BaseException:
        tiff.close()
        raise
    if meant is None:
        tiff.close()
        return None
    samples = meant(np.zeros((1, 1, page.samplesperpixel), page.dtype))
    count = samples.shape[-1] if samples.ndim == 3 else 0
    leading = tuple(series.shape[: series.axes.index("Y")])
    read = _Pages(path, tiff, series, leading, meant)
    tail = (count,) if count else ()
    chunks = (*(1 for _ in leading), *_segment(page))
    shape = (*leading, page.imagelength, page.imagewidth)
    sides = (*block_sides(chunks, shape, page.dtype.itemsize), *tail)
    reopen = _reopened, (path, number, decode)
    shape = (*shape, *tail)
    return Blocks(shape, samples.dtype, sides, read, reopen, path)


def _reopened(path: Path, number: int, decode: Any) -> Blocks:
    """Open in another process what could be opened in this one."""
    blocks = open_series(path, number, decode)
    if blocks is None:
        raise BadImageFile(
            f"'{path}' has changed since it was opened and cannot be read in parts "
            "any more. Open it again."
        )
    return blocks


class _Pages:
    """Reads parts of pages; several threads wait for each other."""

    def __init__(
        self,
        path: Path,
        tiff: Any,
        series: Any,
        leading: Sequence[int],
        decode: Decode,
    ) -> None:
        self._path = path
        self._tiff = tiff
        self._series = series
        self._leading = tuple(leading)
        self._decode = decode
        self._lock = threading.Lock()
        weakref.finalize(self, tiff.close)

    def __call__(self, parts: Parts) -> Array:
        steps, (rows, columns) = parts[: len(self._leading)], parts[-2:]
        if len(parts) > len(self._leading) + 2:
            rows, columns = parts[-3:-1]
        planes = np.ndindex(*(part.stop - part.start for part in steps))
        found = []
        for offset in planes:
            at = [part.start + n for part, n in zip(steps, offset, strict=True)]
            number = int(np.ravel_multi_index(at, self._leading)) if at else 0
            found.append(self._decode(self._stored(number, rows, columns)))
        lengths = [part.stop - part.start for part in steps]
        return np.stack(found).reshape(*lengths, *found[0].shape)

    def _stored(self, number: int, rows: slice, columns: slice) -> Array:
        """Values of a part of a page as they are stored, (Y, X, S)."""
        page, frame = self._series.pages[number], self._series.keyframe
        shape = rows.stop - rows.start, columns.stop - columns.start
        out = np.full((*shape, frame.samplesperpixel), frame.nodata, frame.dtype)
        if page is None:  # an OME-TIFF may lack some
            return out
        height, width = _segment(frame)
        across = -(-frame.imagewidth // width)
        with self._lock:
            for y in range(rows.start // height, -(-rows.stop // height)):
                for x in range(columns.start // width, -(-columns.stop // width)):
                    self._put(page, y * across + x, out, rows, columns)
        return out

    def _put(
        self, page: Any, segment: int, out: Array, rows: slice, columns: slice
    ) -> None:
        """Decode a strip or tile, and put what is wanted of it into `out`."""
        frame, file = self._series.keyframe, self._tiff.filehandle
        if not (length := page.databytecounts[segment]):
            return
        file.seek(page.dataoffsets[segment])
        encoded = file.read(length)  # first, for what follows may read, too
        if len(encoded) < length:
            raise too_short(self._path)
        options = {}
        if frame.compression in _JPEGS:
            options = {"jpegtables": page.jpegtables, "jpegheader": frame.jpegheader}
        data, place, shape = frame.decode(encoded, segment, **options)
        if data is None:
            return
        _, _, top, left, _ = place
        _, height, width, _ = shape  # a tile at the border stores more
        y = _intersection(slice(top, top + height), rows)
        x = _intersection(slice(left, left + width), columns)
        out[_moved(y, -rows.start), _moved(x, -columns.start)] = data[
            0, _moved(y, -top), _moved(x, -left)
        ]


def _intersection(part: slice, other: slice) -> slice:
    """Positions that are in both, of two slices that meet."""
    return slice(max(part.start, other.start), min(part.stop, other.stop))


def _moved(part: slice, by: int) -> slice:
    """Return a slice that begins somewhere else."""
    return slice(part.start + by, part.stop + by)


def _is_plain(series: Any) -> bool:
    """Whether pages of one file follow each other, and each is cut into parts."""
    page = series.keyframe
    tail = series.axes[series.axes.index("Y") :] if "Y" in series.axes else ""
    leading = series.shape[: series.axes.index("Y")] if tail else ()
    height, width = _segment(page)
    return (
        tail in ("YX", "YXS")
        and not series.is_multifile
        and series.dataoffset is None  # of one page, or mapped
        and page.imagedepth == 1
        and len(series.pages) == math.prod(leading)
        and (height < page.imagelength or width < page.imagewidth)
    )


def _segment(page: Any) -> tuple[int, int]:
    """Height and width of a tile or strip in px."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    return int(min(page.rowsperstrip, page.imagelength)), int(page.imagewidth)
