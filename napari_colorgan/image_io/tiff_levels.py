"""Tiled BigTIFF with a pyramid, whose tiles are written one by one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.image_io import color_spaces, growing, pixel_size
from napari_colorgan.image_io.pixel_size import PixelSize
from napari_colorgan.image_io.tags import Record, Tags, TiffKind, fill_in, for_tiff


class TiffLevels:
    """A TIFF with uncompressed tiles, all of which have their place from the beginning.

    See `growing.Levels`.
    """

    def __init__(self, path: Path, shape: Sequence[int], tags: Tags) -> None:
        self._path = path
        self._tags = tags
        self._leading = tuple(shape[:-2])
        self._shapes = growing.level_shapes(shape[-2:])
        with tifffile.TiffFile(path) as tiff:
            self._starts = [
                [int(page.dataoffsets[0]) for page in level.pages]
                for level in tiff.series[0].levels
            ]
        self._file: BinaryIO = path.open("r+b")

    @classmethod
    def create(
        cls,
        path: Path,
        shape: Sequence[int],
        leading: str,
        size: PixelSize | None,
        tags: Tags,
        made: Record,
    ) -> "TiffLevels":
        """Create a file that is black, for a gray picture (..., Y, X)."""
        named = path.name.lower().endswith((".ome.tif", ".ome.tiff"))
        is_ome = (
            named or "Z" in leading
        )  # whose pyramid has to shrink along Z otherwise
        kind: TiffKind = "ome" if is_ome else "plain"
        metadata, options = for_tiff(tags, made, kind)
        axes = {"axes": f"{leading}YXS"}
        if size is not None and is_ome:
            metadata |= pixel_size.for_ome(size)
        elif size is not None:
            options |= pixel_size.for_tags(size, convert=True)
        shapes = growing.level_shapes(shape[-2:])
        stored: dict[str, Any] = {
            "dtype": np.uint8,
            "tile": (growing.CHUNK, growing.CHUNK),
            "photometric": "rgb",
            "iccprofile": color_spaces.srgb_profile(),
        }
        with tifffile.TiffWriter(path, bigtiff=True, ome=is_ome) as tiff:
            for level, plane in enumerate(shapes):
                more = {"subfiletype": 1, "metadata": dict(axes)}  # it is changed
                if not level:
                    more = {"subifds": len(shapes) - 1, "metadata": metadata | axes}
                    more |= options
                tiff.write(shape=(*shape[:-2], *plane, 3), **stored, **more)
        return cls(path, shape, tags)

    def read(self, level: int, index: growing.Index, region: Region) -> RGB:
        """RGB (Y, X, 3) of a part, black where nothing was written."""
        rows, columns = region
        side = growing.CHUNK
        out = np.empty(
            (rows.stop - rows.start, columns.stop - columns.start, 3), np.uint8
        )
        for y in range(rows.start // side * side, rows.stop, side):
            for x in range(columns.start // side * side, columns.stop, side):
                self._file.seek(self._start(level, index, y, x))
                data = self._file.read(side * side * 3)
                tile = np.frombuffer(data, np.uint8).reshape(side, side, 3)
                place = out[y - rows.start :, x - columns.start :][:side, :side]
                place[:] = tile[: place.shape[0], : place.shape[1]]
        return out

    def write(self, level: int, index: growing.Index, region: Region, rgb: RGB) -> None:
        """Write whole tiles; they are on the disk when this returns."""
        rows, columns = region
        side = growing.CHUNK
        for y in range(rows.start, rows.stop, side):
            for x in range(columns.start, columns.stop, side):
                part = rgb[y - rows.start :, x - columns.start :][:side, :side]
                tile = np.zeros((side, side, 3), np.uint8)
                tile[: part.shape[0], : part.shape[1]] = part
                self._file.seek(self._start(level, index, y, x))
                self._file.write(tile.tobytes())
        self._file.flush()
        os.fsync(self._file.fileno())

    def complete(self, made: Record) -> None:
        """Say how the picture was made, now that it is."""
        self.close()
        fill_in(self._path, self._tags, made)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _start(self, level: int, index: growing.Index, y: int, x: int) -> int:
        """Where the tile at a px begins in the file."""
        side = growing.CHUNK
        across = -(-self._shapes[level][1] // side)
        number = int(np.ravel_multi_index(index, self._leading)) if index else 0
        tile = y // side * across + x // side
        return self._starts[level][number] + tile * side * side * 3
