"""Coloured pictures as files, written whole or not at all."""

import math
import os
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import tifffile
from PIL import Image

from napari_colorgan.arrays import RGB
from napari_colorgan.drafts import Draft
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import color_spaces, pixel_size
from napari_colorgan.image_io.pixel_size import PixelSize
from napari_colorgan.image_io.tags import (
    Record,
    Tags,
    TiffKind,
    fill_in,
    for_exif,
    for_png,
    for_tiff,
)

_TYPES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
SUFFIXES = tuple(_TYPES)
"""Ends of names, in lower case, that a result may have."""

_ROOM_OF_TAGS = 1 << 20  # bytes; a profile, the record and what was kept
_JPEG_SIDE = 65500  # px; libjpeg's limit
_IMAGEJ_BYTES = (1 << 32) - (1 << 25)  # its TIFFs have 32-bit offsets; room for tags


def check_output(path: Path, shape: tuple[int, ...], *, force: bool = False) -> None:
    """Make sure that a result can be written to `path`, before it is computed.

    Parameters
    ----------
    shape : of the gray array, (..., Y, X); only TIFF holds more than one plane
    force : whether an existing file may be replaced

    Raises
    ------
    BadImageFile
    """
    kind = _TYPES.get(path.suffix.lower())
    planes = math.prod(shape[:-2])
    if kind is None:
        raise BadImageFile(
            f"'{path}' is of a type that cannot be written. Give a name that ends in "
            f"one of {', '.join(_TYPES)}."
        )
    if kind != "TIFF" and planes > 1:
        raise BadImageFile(
            f"'{path}' can hold one plane, but the result has {planes}. Give a name "
            "that ends in .tif."
        )
    if kind == "JPEG" and max(shape[-2:]) > _JPEG_SIDE:
        raise BadImageFile(
            f"'{path}' can be at most {_JPEG_SIDE} px wide and high, but the result is "
            f"{shape[-1]} x {shape[-2]} px. Give a name that ends in .tif."
        )
    if path.is_dir():
        raise BadImageFile(f"'{path}' is a folder. Give the name of a file in it.")
    if path.exists() and not force:
        raise BadImageFile(
            f"'{path}' exists already. Give another name, or --force to replace it."
        )
    draft = _draft_of(path)
    try:
        _reserve(path, draft.path, _bound(kind, shape))
    finally:
        draft.close()


def named_like(path: Path, planes: int = 1) -> Path:
    """Return the name of a result like its source's, with a type that can hold it."""
    suffix = path.suffix.lower()
    if suffix == ".zarr":
        return path
    if suffix == ".svs":  # a slide
        return path.with_suffix(".tif")
    kind = _TYPES.get(suffix)
    if kind == "TIFF" or (kind is not None and planes == 1):
        return path
    return path.with_suffix(".png" if planes == 1 else ".tif")


def make_folder(folder: Path) -> None:
    """Create a folder for results, unless it is there.

    Raises
    ------
    BadImageFile
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadImageFile(
            f"'{folder}' cannot be created: {error.strerror}. Choose a folder in a "
            "place that may be written to."
        ) from error


class ResultFile:
    """A picture file in the making; it appears under its name when it is complete.

    Used as a context: within, `array` is written to; at the end the file takes its
    place. If the block raises, an older file stays as it was. The array of a TIFF lies
    in the file itself, so that results may be larger than memory.

    Parameters
    ----------
    path : name that `check_output` has accepted
    shape : (..., Y, X)
    leading : a letter for each dimension before Y and X
    size : of a pixel, written as far as the format can hold it
    tags : what the file that was coloured says of itself, to be kept
    made : how it is coloured, or None if it is not coloured here. The attribute of this
        name may be replaced within the block, for the end is known last

    Raises
    ------
    BadImageFile
        The file cannot be created, written or replaced, or the disk has no room for it.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        leading: str = "",
        size: PixelSize | None = None,
        *,
        tags: Tags | None = None,
        made: Record | None = None,
    ) -> None:
        self.made = made
        self._path = path
        self._shape = (*shape, 3)
        self._leading = leading
        self._size = size
        self._tags = tags or Tags()
        self._kind = _TYPES[path.suffix.lower()]
        self._array: RGB | None = None

    @property
    def array(self) -> RGB:
        """What to write to, (..., Y, X, 3) uint8, black at first.

        Keep no reference to it beyond the block: Windows replaces no mapped files.
        """
        assert self._array is not None, "use `with ResultFile(...) as result`"
        return self._array

    def __enter__(self) -> Self:
        self._draft = _draft_of(self._path)
        try:
            if self._kind == "TIFF":
                self._array = self._create_tiff()
            else:
                most = _bound(self._kind, self._shape[:-1])
                _reserve(self._path, self._draft.path, most)
                self._array = np.zeros(self._shape, np.uint8)
        except BaseException as error:
            self._discard()
            if isinstance(error, BadImageFile) or not isinstance(error, Exception):
                raise
            raise _unwritable(self._path, error) from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._complete()
        except Exception as failure:
            raise _unwritable(self._path, failure) from failure
        finally:
            self._discard()

    def _create_tiff(self) -> RGB:
        kind = self._tiff_kind()
        metadata, options = for_tiff(self._tags, self.made, kind)
        metadata["axes"] = f"{self._leading}YXS"
        if self._size is not None and kind == "ome":
            metadata |= pixel_size.for_ome(self._size)
        elif self._size is not None:
            options |= pixel_size.for_tags(self._size, convert=kind == "plain")
            metadata |= pixel_size.for_imagej(self._size) if kind == "imagej" else {}
        array: RGB = tifffile.memmap(
            self._draft.path,
            shape=self._shape,
            dtype=np.uint8,
            photometric="rgb",
            ome=kind == "ome",
            imagej=kind == "imagej",
            metadata=metadata,
            iccprofile=color_spaces.srgb_profile(),
            **options,
        )
        # the file is sparse: without this a full disk would kill the process later
        _reserve(self._path, self._draft.path, self._draft.path.stat().st_size)
        return array

    def _tiff_kind(self) -> TiffKind:
        if self._path.name.lower().endswith((".ome.tif", ".ome.tiff")):
            return "ome"
        # ImageJ steps RGB through these only, and orders them like this
        steps = self._leading in ("", "T", "Z", "TZ")
        return "imagej" if steps and math.prod(self._shape) < _IMAGEJ_BYTES else "plain"

    def _complete(self) -> None:
        if isinstance(self._array, np.memmap):
            self._array.flush()
            self._array = None
            if self.made is not None:
                fill_in(self._draft.path, self._tags, self.made)
        else:
            self._save_with_pillow()
            self._array = None
        with self._draft.path.open("r+b") as file:
            os.fsync(file.fileno())
        self._draft.publish()

    def _save_with_pillow(self) -> None:
        picture = Image.fromarray(self.array.reshape(self._shape[-3:]))
        options: dict[str, Any] = {
            "icc_profile": color_spaces.srgb_profile(),
            "exif": for_exif(self._tags, self.made),
        }
        if self._kind == "PNG":
            options["pnginfo"] = for_png(self._tags, self.made)
        else:
            # chroma at half the resolution, JPEG's default, would blur what was made
            options |= {"quality": 95, "subsampling": 0}
        if self._size is not None and (dpi := pixel_size.for_dpi(self._size)):
            options["dpi"] = dpi
        # into the place that is reserved, or others could take it just now
        with self._draft.path.open("r+b", buffering=0) as file:
            picture.save(file, self._kind, **options)
            file.truncate(file.tell())

    def _discard(self) -> None:
        self._array = None
        self._draft.close()


def _bound(kind: str, shape: tuple[int, ...]) -> int:
    """Bytes that a result takes at most, for a gray array (..., Y, X)."""
    count = 3 * math.prod(shape) + _ROOM_OF_TAGS
    # rows of PNG take a byte more, and what cannot be packed grows by a 1000th; a JPEG
    # of noise is smaller
    return count if kind == "TIFF" else count + count // 1000 + shape[-2]


def _reserve(path: Path, draft: Path, count: int) -> None:
    """Make sure that the disk, and whoever limits files, has room for a result."""
    free = shutil.disk_usage(draft.parent).free
    if free < count:
        raise BadImageFile(
            f"'{path}' cannot be written: it may need {count / 1e6:.1f} MB, and there "
            f"are {free / 1e6:.1f} MB left. Make room, or choose another disk."
        )
    if hasattr(os, "posix_fallocate"):
        try:
            with draft.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, count)
        except OSError as error:
            raise _unwritable(path, error) from error


def _draft_of(path: Path) -> Draft:
    try:
        return Draft(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: Exception) -> BadImageFile:
    reason = getattr(error, "strerror", None) or str(error).rstrip(".")
    return BadImageFile(
        f"'{path}' cannot be written: {reason}. Choose a folder that exists and may be "
        "written to, on a disk with enough room."
    )
