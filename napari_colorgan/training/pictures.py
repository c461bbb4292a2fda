"""Folders of colour pictures, decoded once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from napari_colorgan.arrays import RGB, Gray
from napari_colorgan.color import (
    AB_SCALE,
    WHITE,
    XYZ_OF_RGB,
    cube_root,
    decode_srgb,
    lightness_to_gray,
)
from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.image_io.folders import SUFFIXES
from napari_colorgan.job import STOP, Job
from napari_colorgan.training.left_out import LeftOut, PictureRead, is_color
from napari_colorgan.training.pairs import (
    Pair,
    match_folders,
    pair_of_color,
    read_color_file,
    read_pair_files,
)

AB_BYTES = 128  # levels of 8 bits from gray to an ab of `AB_SCALE`: 0.9 each
_BAND = 1 << 16  # px converted at once
_ROOTS = 1 << 15  # values of X, Y and Z whose cube roots are looked up: 0.06 of ab
_WHITES_OF_RGB = np.array(XYZ_OF_RGB, np.float32).T / np.array(WHITE, np.float32)
Floats = npt.NDArray[np.float32]
Kind = TypeVar("Kind", bound=np.generic)


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A colour picture on disk, and perhaps a gray one of the same pixels."""

    name: str
    """Path below its folder."""
    color: Path
    gray: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A colour picture in memory, and perhaps a gray one of the same pixels."""

    color: RGB
    """(Y, X, 3): RGB, or its gray, and its a and b as parts of `AB_SCALE`: 0 ... 256
    from -1 to 1."""
    gray: Gray | None = None
    """(Y, X) in [0, 1]; None: the lightness of `color`."""
    is_lab: bool = False
    """Whether `color` is gray, a and b."""


def list_files(
    folders: Sequence[Path],
    gray: Path | None = None,
    left_out: LeftOut | None = None,
) -> list[list[PictureFile]]:
    """Pictures below each folder; with `gray`, their partners of the same names.

    Parameters
    ----------
    left_out : is told of what is not used; default: a picture without partner is an
        error

    Raises
    ------
    BadImageFile, BadPair
        As `pairs.match_folders` does, of a gray folder.
    """
    left_out = left_out or LeftOut(strict=True)
    if gray is not None:
        (color,) = folders
        matched = match_folders(color, gray, left_out)
        return [[PictureFile(*names) for names in matched]]
    files = [
        [
            PictureFile(path.relative_to(folder).as_posix(), path)
            for path in left_out.find(folder)
        ]
        for folder in folders
    ]
    left_out.expect(sum(map(len, files)))
    return files


def read_pictures_job(
    folders: Sequence[Path],
    files: Sequence[Sequence[PictureFile]],
    side: int,
    *,
    left_out: LeftOut | None = None,
    apart: Sequence[PictureFile] = (),
    as_lab: bool = False,
) -> Job[list[list[Picture]]]:
    """Decode pictures, at most `side` px on the short side.

    Pictures without colour are left out: they would teach that nothing has one.

    Parameters
    ----------
    folders : are named in errors
    files : of each folder
    left_out : is told of what is not used; default: the first bad picture is an error
    apart : pictures of which no copy is read
    as_lab : keep gray, a and b of pictures without a gray one, from which crops are
        made seven times as fast

    Raises
    ------
    BadImageFile
        A folder holds no colour pictures, or too many files cannot be read.
    BadPair
        If `left_out` is strict: a gray picture does not fit its colour picture.
    Stopped
        On STOP; there is nothing to keep.
    """
    left_out = left_out or LeftOut(strict=True)
    total = len(apart) + sum(map(len, files))
    done = 0
    known: set[bytes] = set()
    for file in apart:
        known |= set(map(_digest, _read_learnable(file, side, left_out)))
        done += 1
        yield from _read_job(done, total)
    read: list[list[Picture]] = []
    for folder, of_folder in zip(folders, files, strict=True):
        read.append([])
        for file in of_folder:
            pictures = _read_learnable(file, side, left_out)
            others = [p for p in pictures if not known or _digest(p) not in known]
            if len(others) < len(pictures):
                left_out.add_copy(str(file.color))
            read[-1] += map(to_lab, others) if as_lab else others
            done += 1
            yield from _read_job(done, total)
        if not read[-1]:
            raise BadImageFile(
                f"'{folder}' holds no colour pictures. Give a folder with files of "
                f"one of the types {', '.join(SUFFIXES)}."
            )
    return read


def read_file(file: PictureFile, side: int) -> list[Picture]:
    """Pictures of a file, at most `side` px on the short side; a stack has several.

    Of those without a gray picture, only the ones with colour worth learning from.

    Raises
    ------
    BadImageFile, BadPair
    """
    if file.gray is None:
        planes = [rgb for _, rgb in read_color_file(file.name, file.color)]
        small = [shrunk(rgb, side) for rgb in planes]
        return [Picture(rgb) for rgb in small if is_color(rgb)]
    return [
        Picture(shrunk(pair.color, side), shrunk(pair.gray, side).clip(0, 1))
        for pair in read_pair_files(file.name, file.color, file.gray)
    ]


def read_pairs(file: PictureFile) -> list[Pair]:
    """Pairs of a file, at full size; a stack has several, one without colour none.

    Raises
    ------
    BadImageFile, BadPair
    """
    if file.gray is not None:
        return read_pair_files(file.name, file.color, file.gray)
    planes = read_color_file(file.name, file.color)
    return [pair_of_color(name, rgb) for name, rgb in planes if is_color(rgb)]


def to_lab(picture: Picture) -> Picture:
    """Keep gray, a and b instead of RGB, to the nearest level or the one beside it.

    By tables, in a tenth of the time that the formulas take; a picture with a gray side
    stays as it is.
    """
    if picture.gray is not None:
        return picture
    linear, gray, roots = _tables()
    coded = np.empty_like(picture.color)
    step = max(1, _BAND // picture.color.shape[1])
    for start in range(0, len(coded), step):
        rows = slice(start, start + step)
        xyz = linear[picture.color[rows]] @ _WHITES_OF_RGB
        index = (xyz * (_ROOTS - 1) + 0.5).astype(np.int32)
        x, y, z = np.moveaxis(roots[index], -1, 0)
        coded[rows, :, 0] = gray[index[..., 1]]
        coded[rows, :, 1] = (x - y) * (500 * AB_BYTES / AB_SCALE) + (AB_BYTES + 0.5)
        coded[rows, :, 2] = (y - z) * (200 * AB_BYTES / AB_SCALE) + (AB_BYTES + 0.5)
    return Picture(coded, is_lab=True)


@cache
def _tables() -> tuple[Floats, npt.NDArray[np.uint8], Floats]:
    """Linear light of 256 levels; gray level and cube root of `_ROOTS` levels of it."""
    levels = torch.arange(256).float().div(255)
    light = torch.linspace(0, 1, _ROOTS)
    # Lab of gray: L tells the cube root, and L of a linear Y its gray
    lightness = 116 * cube_root(light) - 16
    gray = lightness_to_gray(lightness).clamp(0, 1).mul(255).round().byte()
    return decode_srgb(levels).numpy(), gray.numpy(), cube_root(light).numpy()


def _read_job(done: int, total: int) -> Job[None]:
    if (yield PictureRead(done, total)) is STOP:
        raise Stopped("Stopped while reading the pictures; nothing has changed.")


def _read_learnable(file: PictureFile, side: int, left_out: LeftOut) -> list[Picture]:
    """Pictures of a file as `read_file`; none where it is left out."""
    with left_out.if_bad(str(file.color)):
        if not (pictures := read_file(file, side)):
            left_out.add_gray(str(file.color))
        return pictures
    return []


def _digest(picture: Picture) -> bytes:
    sha = hashlib.blake2b(str(picture.color.shape).encode(), digest_size=16)
    sha.update(np.ascontiguousarray(picture.color).data)
    return sha.digest()


def shrunk(samples: npt.NDArray[Kind], side: int) -> npt.NDArray[Kind]:
    """Reduce a picture so that its shorter side is at most `side` px."""
    factor = side / min(samples.shape[:2])
    if factor >= 1:
        return samples
    size = (round(samples.shape[1] * factor), round(samples.shape[0] * factor))
    image = Image.fromarray(samples).resize(size, Image.Resampling.LANCZOS)
    return np.array(image, samples.dtype)
