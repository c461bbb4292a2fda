"""Coloured pictures as files, written whole or not at all."""

import contextlib
import math
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import pixel_size
from napari_colorgan.image_io.pixel_size import PixelSize

RGB = npt.NDArray[np.uint8]

_TYPES = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
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
    _create_beside(path).unlink()


def named_like(path: Path, planes: int = 1) -> Path:
    """Return the name of a result like its source's, with a type that can hold it."""
    kind = _TYPES.get(path.suffix.lower())
    if kind == "TIFF" or (kind is not None and planes == 1):
        return path
    return path.with_suffix(".png" if planes == 1 else ".tif")


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
    ) -> None:
        self._path = path
        self._shape = (*shape, 3)
        self._leading = leading
        self._size = size
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
        self._temporary = _create_beside(self._path)
        try:
            if self._kind == "TIFF":
                self._array = self._create_tiff()
            else:
                self._array = np.zeros(self._shape, np.uint8)
        except Exception as error:
            self._discard()
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
        ome = self._path.name.lower().endswith((".ome.tif", ".ome.tiff"))
        imagej = (
            not ome
            # ImageJ steps RGB through these only, and orders them like this
            and self._leading in ("", "T", "Z", "TZ")
            and math.prod(self._shape) < _IMAGEJ_BYTES
        )
        metadata: dict[str, Any] = {"axes": f"{self._leading}YXS"}
        tags: dict[str, Any] = {}
        if self._size is not None and ome:
            metadata |= pixel_size.for_ome(self._size)
        elif self._size is not None:
            tags = pixel_size.for_tags(self._size, convert=not imagej)
            metadata |= pixel_size.for_imagej(self._size) if imagej else {}
        array: RGB = tifffile.memmap(
            self._temporary,
            shape=self._shape,
            dtype=np.uint8,
            photometric="rgb",
            ome=ome,
            imagej=imagej,
            metadata=metadata,
            **tags,
        )
        if hasattr(os, "posix_fallocate"):
            # the file is sparse: without this a full disk would kill the process later
            with self._temporary.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, os.fstat(file.fileno()).st_size)
        return array

    def _complete(self) -> None:
        if isinstance(self._array, np.memmap):
            self._array.flush()
        else:
            picture = Image.fromarray(self.array.reshape(self._shape[-3:]))
            # chroma at half the resolution, JPEG's default, would blur what was made
            options: dict[str, Any] = {"quality": 95, "subsampling": 0}
            if self._kind == "PNG":
                options = {}
            if self._size is not None and (dpi := pixel_size.for_dpi(self._size)):
                options["dpi"] = dpi
            picture.save(self._temporary, self._kind, **options)
        self._array = None
        with self._temporary.open("r+b") as file:
            os.fsync(file.fileno())
        self._temporary.replace(self._path)

    def _discard(self) -> None:
        self._array = None
        with contextlib.suppress(OSError):  # mapped still, on Windows
            self._temporary.unlink(missing_ok=True)


def _create_beside(path: Path) -> Path:
    """Make an empty file beside `path`, with the permissions of any new file."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.open("xb").close()
    except OSError as error:
        raise _unwritable(path, error) from error
    return temporary


def _unwritable(path: Path, error: Exception) -> BadImageFile:
    reason = getattr(error, "strerror", None) or str(error).rstrip(".")
    return BadImageFile(
        f"'{path}' cannot be written: {reason}. Choose a folder that exists and may be "
        "written to, on a disk with enough room."
    )
