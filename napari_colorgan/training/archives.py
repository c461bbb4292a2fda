"""Pictures packed into archives: kept as files in memory, decoded when one is drawn.

So a hundred thousand pictures need as much memory as disk, and a training begins at
once.
"""

import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image, ImageOps

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.folders import SUFFIXES
from napari_colorgan.image_io.pillow import FORMATS
from napari_colorgan.training.pictures import Picture, shrunk, to_lab

_SUFFIXES = [suffix for suffix in SUFFIXES if suffix not in (".tif", ".tiff")]


class Archive(Sequence[Picture]):
    """Colour pictures of a zip file, in the order of their names.

    Parameters
    ----------
    path : of the file
    side : px to which the shorter side of a picture is reduced
    as_lab : keep gray, a and b; see `read_pictures_job`

    Raises
    ------
    BadImageFile
        It is no zip file, or holds no pictures.
    """

    def __init__(self, path: Path, side: int, *, as_lab: bool = True) -> None:
        self._path = path
        self._side = side
        self._as_lab = as_lab
        try:
            with zipfile.ZipFile(path) as file:
                self._names = sorted(filter(_is_picture, file.namelist()))
                self._files = [file.read(name) for name in self._names]
        except (
            OSError,
            EOFError,
            RuntimeError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise BadImageFile(
                f"'{path}' cannot be read as an archive ({error}). Give a .zip file of "
                "colour pictures, or a folder."
            ) from error
        if not self._files:
            raise BadImageFile(
                f"'{path}' holds no pictures. Give an archive of files of one of the "
                f"types {', '.join(_SUFFIXES)}."
            )

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Picture]: ...
    def __getitem__(self, index: int | slice) -> Picture | Sequence[Picture]:
        """Decode a picture; safe to call from several threads.

        Raises
        ------
        BadImageFile
        """
        if isinstance(index, slice):
            return [self[number] for number in range(len(self))[index]]
        try:
            with Image.open(io.BytesIO(self._files[index]), formats=FORMATS) as image:
                color = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        except Exception as error:  # decoders raise a dozen types on damaged files
            raise BadImageFile(
                f"'{self._names[index]}' in '{self._path}' cannot be read ({error}). "
                "Take it out of the archive."
            ) from error
        picture = Picture(shrunk(color, self._side))
        return to_lab(picture) if self._as_lab else picture


def is_archive(path: Path) -> bool:
    """Whether a path is that of an archive, not of a folder."""
    return path.suffix.lower() == ".zip" and not path.is_dir()


def _is_picture(name: str) -> bool:
    return Path(name).suffix.lower() in _SUFFIXES
