"""Colour planes larger than memory into files, chunk by chunk."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.growing import GrowingFile
from napari_colorgan.image_io.places import stamp_of
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.events import InvalidPixels, TileDone
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.sampling import spread_planes
from napari_colorgan.inference.source import Plane, Source
from napari_colorgan.inference.steady import planes_in_order
from napari_colorgan.inference.tiling import Tiling, intersection, rectangles, within
from napari_colorgan.inference.views import Local, Prepared, paint, prepare
from napari_colorgan.job import STOP, Job

_WIDE = 1 << 14  # px; of wider planes one part is painted after the other
_PROBES, _PROBE = 4, 64  # parts along each side of a plane, and their side in px


def fill_job(
    source: Source,
    colorizer: Colorizer,
    file: GrowingFile,
    hints: Hints | None = None,
) -> Job[bool]:
    """Colour what is missing of `file`, and hold no plane in memory.

    Each window is predicted once for all chunks that it has a part in, but for those at
    the borders of stripes 16,384 px wide. Events of pieces count px of chunks that are
    finished; these are kept, whatever ends this.

    Returns
    -------
    Whether nothing is missing; not on STOP.

    Raises
    ------
    BadArray, BadImageFile, BadSetting, ColorSource, NoColors, OutOfMemory
    """
    hints = colorizer.checked(hints, source.shape)
    colorizer = colorizer.forgetful()
    invalid = 0
    tiling: Tiling | None = None
    for plane in planes_in_order(source):
        if not (missing := file.missing(plane.index)):
            continue
        told = None if hints is None else hints.of_plane(plane.index)
        prepared = prepare(plane, colorizer, tiling, told)
        for region in (stripe for part in missing for stripe in _stripes(part, file)):
            if isinstance(prepared, Local) and tiling is not None:
                prepared = replace(prepared, tiling=tiling)  # that memory has room for
            painted = yield from _region_job(plane, prepared, region, colorizer, file)
            if painted is None:
                return False
            invalid += painted[0]
            tiling = painted[1]
    file.write_pyramid()
    if invalid:
        yield InvalidPixels(file.pixels, file.pixels, invalid)
    return True


def digest_of(source: Source, path: Path | None = None) -> str:
    """Return what tells pictures apart: of their shape, type and some of their px.

    Parameters
    ----------
    path : of the file, or of the folder of the array in a store: sizes and times of its
        files count, too. Without, as for plain arrays, a change between the px that are
        looked at, 4 x 4 squares of 64 px of some planes, is not seen

    Raises
    ------
    BadImageFile
    """
    digest = hashlib.sha256()
    if path is not None:
        try:
            digest.update(stamp_of(path).encode())
        except OSError as error:
            raise BadImageFile(
                f"'{path}' cannot be read: {error.strerror or error}. Check whether it "
                "is still there, and its permissions."
            ) from error
    digest.update(f"{source.shape} {source.array.dtype} {source.axes.letters}".encode())
    for index in spread_planes(source.leading):
        rows, columns = (_probes(length) for length in source.plane_shape)
        for region in ((y, x) for y in rows for x in columns):
            digest.update(np.ascontiguousarray(source.read(index, region)).tobytes())
    return digest.hexdigest()


def _probes(length: int) -> list[slice]:
    last = max(0, length - _PROBE)
    starts = sorted({last * n // (_PROBES - 1) for n in range(_PROBES)})
    return [slice(start, min(start + _PROBE, length)) for start in starts]


def _stripes(region: Region, file: GrowingFile) -> Iterator[Region]:
    """Cut what is so wide that its blended strips would not fit into memory."""
    wide = max(1, _WIDE // file.chunk) * file.chunk
    rows, columns = region
    for left in range(columns.start, columns.stop, wide):
        yield rows, slice(left, min(left + wide, columns.stop))


def _region_job(
    plane: Plane,
    prepared: Prepared,
    region: Region,
    colorizer: Colorizer,
    file: GrowingFile,
) -> Job[tuple[int, Tiling | None] | None]:
    """Colour a region of whole chunks: px without a value, and the tiling; or None."""
    total = math.prod(file.shape)
    gathered = _Gathered(region, file.chunk)
    invalid, row, tiling = 0, region[0].start, prepared.tiling
    for piece in paint(plane, prepared, region, colorizer):
        if piece.number == 1:  # or begun again, in smaller windows
            gathered, invalid = _Gathered(region, file.chunk), 0
        for part, rgb in gathered.add(piece.region, piece.rgb):
            file.write(plane.index, part, rgb)
        if abs(piece.region[0].start - row) >= 2 * file.chunk:
            file.write_pyramid()  # one row after the other can be seen from afar
            row = piece.region[0].start
        invalid += piece.invalid
        tiling = piece.tiling
        event = TileDone(file.pixels, total, plane.index, piece.region, tiling)
        if (yield event) is STOP and file.pixels < total:
            file.write_pyramid()
            return None
    return invalid, tiling


class _Gathered:
    """Painted pieces of a region, until they make up whole chunks."""

    def __init__(self, region: Region, side: int) -> None:
        self._region = region
        self._side = side
        self._parts: dict[tuple[int, int], list[tuple[Region, RGB]]] = {}

    def add(self, region: Region, rgb: RGB) -> Iterator[tuple[Region, RGB]]:
        """Add a piece; yield the chunks that are complete with it."""
        for part in rectangles(region, self._side):
            key = part[0].start // self._side, part[1].start // self._side
            piece = rgb[within(region, part)]
            chunk = self._chunk(key)
            if part == chunk:
                yield chunk, piece
                continue
            parts = self._parts.setdefault(key, [])
            parts.append((part, piece.copy()))  # not to hold all of the window
            if sum(map(_area, (each for each, _ in parts))) == _area(chunk):
                yield chunk, _joined(chunk, self._parts.pop(key))

    def _chunk(self, key: tuple[int, int]) -> Region:
        rows, columns = (
            intersection(slice(n * self._side, (n + 1) * self._side), part)
            for n, part in zip(key, self._region, strict=True)
        )
        return rows, columns


def _joined(chunk: Region, parts: list[tuple[Region, RGB]]) -> RGB:
    rows, columns = chunk
    out = np.empty((rows.stop - rows.start, columns.stop - columns.start, 3), np.uint8)
    for part, rgb in parts:
        out[within(chunk, part)] = rgb
    return out


def _area(region: Region) -> int:
    return math.prod(part.stop - part.start for part in region)
