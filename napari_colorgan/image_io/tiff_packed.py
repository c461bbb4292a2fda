"""Strips and tiles of TIFFs are unpacked to no more than the page has room for."""

import functools
import math
from pathlib import Path
from typing import Any

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.bounds import check_claim, too_long
from napari_colorgan.image_io.packed_sides import sides_of

_ROOM = 1 << 24
"""Values that a strip or tile may have, however small its picture is; and how many more
than those that were expected may be unpacked."""
_PICTURES = frozenset([6, 7, 33003, 33004, 33005, 33007, 34712, 34887, 34892, 34927])
_PICTURES |= {34933, 34934, 50001, 50002, 22610, 52546}
"""Compressions whose decoders believe the header of what is packed. Those of bytes are
told how many they may give."""


def bound_decoding(path: Path, series: Any) -> None:
    """Refuse strips and tiles that need far more memory than their page.

    Parameters
    ----------
    series : of a `tifffile.TiffFile`; its pages raise `BadImageFile` from now on where
        what is packed is larger than its place

    Raises
    ------
    BadImageFile
        A tile is larger than all of the page.
    """
    for page in {id(each): each for each in _keyframes(series)}.values():
        samples = page.samplesperpixel if page.planarconfig == 1 else 1
        expected = _tile(page) * samples
        needed = expected * page.dtype.itemsize if page.dtype else 0
        check_claim(path, needed, path.stat().st_size)
        if expected > _ROOM and expected > 4 * math.prod(page.shape):
            raise BadImageFile(
                f"'{path}' has tiles that are far larger than its {page.imagewidth} x "
                f"{page.imagelength} px. It is damaged, or made to do harm: fetch it "
                "again."
            )
        if page.compression in _PICTURES:
            page.decode = functools.partial(_decode, path, page.decode, expected)


def _keyframes(series: Any) -> list[Any]:
    """Pages of a series by which its strips and tiles are decoded."""
    others = [page.keyframe for page in series.pages if page is not None]
    return [series.keyframe, *others]


def _tile(page: Any) -> int:
    if page.is_tiled:
        return int(page.tilelength * page.tilewidth * page.tiledepth)
    return int(min(page.rowsperstrip, page.imagelength) * page.imagewidth)


def _decode(
    path: Path, decode: Any, expected: int, data: bytes | None, index: int, **how: Any
) -> Any:
    """Decode a strip or tile of so many values, once its own header was looked at."""
    sides = None if data is None else sides_of(bytes(data))
    if sides is not None and math.prod(sides) > 4 * expected + _ROOM:
        raise too_long(path, expected)
    return decode(data, index, **how)
