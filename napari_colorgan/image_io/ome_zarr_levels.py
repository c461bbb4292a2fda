"""OME-Zarr 0.5 whose chunks are written one by one."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import growing, pixel_size
from napari_colorgan.image_io.ome_zarr import RECORD, import_zarr
from napari_colorgan.image_io.pixel_size import PixelSize
from napari_colorgan.image_io.tags import Record

_AXES = "TCZYX"  # in the order of the standard; C are red, green and blue
_CHANNELS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))


def check_leading(path: Path, leading: str) -> None:
    """Refuse axes that OME-Zarr has no room for beside colours.

    Raises
    ------
    BadImageFile
    """
    if more := [letter for letter in leading if letter not in "TZ"]:
        raise BadImageFile(
            f"'{path}' cannot hold the axis {more[0]}: beside Y, X and its colours, an "
            "OME-Zarr image has room for T and Z. Say what the axes are, such as "
            "--axes ZYX, or give a name that ends in .tif."
        )


class OmeZarrLevels:
    """An image of OME-Zarr 0.5, valid from the beginning; see `growing.Levels`.

    Stored as (T, C, Z, Y, X), without T or Z if the picture has none.

    Parameters
    ----------
    leading : letters of the axes before Y and X, each T or Z
    """

    def __init__(self, path: Path, leading: str) -> None:
        zarr = import_zarr(path)
        self._group = zarr.open_group(str(path), mode="r+")
        self._root = path
        self._leading = leading
        self._stored = stored_axes(leading)
        count = len(self._group.attrs["ome"]["multiscales"][0]["datasets"])
        # black chunks, too, are files: what is there is done
        all_written = {"write_empty_chunks": True}
        self._arrays = [
            self._group[str(level)].with_config(all_written) for level in range(count)
        ]

    @classmethod
    def create(
        cls,
        path: Path,
        shape: Sequence[int],
        leading: str,
        size: PixelSize | None,
        made: Record,
    ) -> "OmeZarrLevels":
        """Create an image that is black, for a gray picture (..., Y, X)."""
        zarr = import_zarr(path)
        from zarr.codecs import BloscCodec

        stored = stored_axes(leading)
        lengths = dict(zip(leading, shape, strict=False)) | {"C": 3}
        chunks = {"C": 3, "Y": growing.CHUNK, "X": growing.CHUNK}
        planes = growing.level_shapes(shape[-2:])
        group = zarr.create_group(str(path), zarr_format=3)
        for level, plane in enumerate(planes):
            lengths |= dict(zip("YX", plane, strict=True))
            group.create_array(
                str(level),
                shape=[lengths[letter] for letter in stored],
                chunks=[chunks.get(letter, 1) for letter in stored],
                dtype=np.uint8,
                dimension_names=list(stored.lower()),
                compressors=BloscCodec(
                    cname="zstd", clevel=1, shuffle="bitshuffle", typesize=1
                ),
            )
        name = path.name.removesuffix(".zarr").removesuffix(".ome")
        about = _attributes(name, stored, size, len(planes))
        group.attrs.update({"ome": about, RECORD: made})
        return cls(path, leading)

    def read(self, level: int, index: growing.Index, region: Region) -> RGB:
        """RGB (Y, X, 3) of a part, black where nothing was written."""
        values: RGB = self._arrays[level][self._place(index, region)]
        return np.moveaxis(values.reshape(3, *values.shape[-2:]), 0, -1)

    def write(self, level: int, index: growing.Index, region: Region, rgb: RGB) -> None:
        """Write whole chunks; they are on the disk when this returns."""
        place, array = self._place(index, region), self._arrays[level]
        shape = [part.stop - part.start for part in place]
        array[place] = np.moveaxis(rgb, -1, 0).reshape(shape)
        numbers = [
            range(part.start // side, -(-part.stop // side))
            for part, side in zip(place, array.chunks, strict=True)
        ]
        for chunk in np.ndindex(*map(len, numbers)):
            at = tuple(each[n] for each, n in zip(numbers, chunk, strict=True))
            _sync(self._root / str(level) / array.metadata.encode_chunk_key(at))

    def complete(self, made: Record) -> None:
        """Say how the picture was made, now that it is."""
        self._group.attrs[RECORD] = made

    def close(self) -> None:
        """Nothing is open."""

    def _place(self, index: growing.Index, region: Region) -> tuple[slice, ...]:
        steps = {c: slice(n, n + 1) for c, n in zip(self._leading, index, strict=True)}
        steps |= {"C": slice(0, 3), "Y": region[0], "X": region[1]}
        return tuple(steps[letter] for letter in self._stored)


def stored_axes(leading: str) -> str:
    """Letters of the stored axes, in the order of the standard."""
    return "".join(letter for letter in _AXES if letter in leading + "CYX")


def _attributes(
    name: str, stored: str, size: PixelSize | None, levels: int
) -> dict[str, Any]:
    axes, scale = pixel_size.for_ome_zarr(size, stored)
    datasets = []
    for level in range(levels):
        factors = [2**level if letter in "YX" else 1 for letter in stored]
        transforms: list[dict[str, Any]] = [
            {"type": "scale", "scale": _times(scale, factors)}
        ]
        if level:  # the first px is the mean of several, whose middle lies further in
            shift = [(factor - 1) / 2 for factor in factors]
            transforms.append(
                {"type": "translation", "translation": _times(scale, shift)}
            )
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    channels = [
        {
            "label": label,
            "color": color,
            "active": True,
            "window": {"min": 0, "max": 255, "start": 0, "end": 255},
        }
        for label, color in _CHANNELS
    ]
    return {
        "version": "0.5",
        "multiscales": [
            {"name": name, "axes": axes, "datasets": datasets, "type": "mean"}
        ],
        "omero": {"channels": channels, "rdefs": {"model": "color"}},
    }


def _times(values: Sequence[float], factors: Sequence[float]) -> list[float]:
    return [value * factor for value, factor in zip(values, factors, strict=True)]


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())
