"""Folders of colour pictures, decoded once, and random crops of them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from napari_colorgan.arrays import RGB, Gray
from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.image_io.folders import SUFFIXES
from napari_colorgan.job import STOP, Job
from napari_colorgan.training.pairs import (
    Pair,
    match_folders,
    pair_of_color,
    read_color_file,
    read_pair_files,
)
from napari_colorgan.training.picture_files import LeftOut, PictureRead, is_color

Kind = TypeVar("Kind", bound=np.generic)

_NATIVE_SCALE = (0.8, 1.25)  # microscopes differ a little in magnification


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
    """(Y, X, 3)."""
    gray: Gray | None = None
    """(Y, X) in [0, 1]; None: the lightness of `color`."""


@dataclass(frozen=True, slots=True)
class Crops:
    """Square parts of pictures."""

    rgb: Tensor
    """(N, 3, side, side) in [0, 1]."""
    gray: Tensor | None
    """(N, 1, side, side) in [0, 1]; None: the lightness of `rgb`."""


class PictureCache:
    """Pictures of some folders in memory, at a small size.

    Folders are drawn from in proportion to the square root of their size: a large
    collection does not drown a small one.

    Parameters
    ----------
    folders : the pictures of each; all have a gray side or none
    """

    def __init__(self, folders: Sequence[Sequence[Picture]]) -> None:
        self.folders = folders
        weights = np.sqrt(list(map(len, folders)))
        self._shares = weights / weights.sum()

    def __len__(self) -> int:
        return sum(map(len, self.folders))

    def sample(
        self,
        count: int,
        side: int,
        rng: np.random.Generator,
        *,
        min_scale: float | None = None,
        magnification: Callable[[np.random.Generator], float] = lambda rng: 1.0,
        squeeze: bool = False,
    ) -> Crops:
        """Random square crops, flipped.

        With `min_scale` they are that part or more of a picture's shorter side,
        resized, for a photograph is seen as a whole. Without, they are cut out at about
        native resolution and turned, for a micrograph has no up. `magnification` draws
        by how much they are then reduced or enlarged; a picture that becomes too small
        for the square is continued by reflection. With `squeeze`, all of a picture is
        resized to the square.
        """
        crops = [
            self._crop(side, rng, min_scale, magnification, squeeze)
            for _ in range(count)
        ]
        rgb = np.stack([color for color, _ in crops])
        grays = [gray for _, gray in crops if gray is not None]
        return Crops(
            torch.from_numpy(rgb).permute(0, 3, 1, 2).contiguous().float() / 255,
            torch.from_numpy(np.stack(grays))[:, None].clamp(0, 1) if grays else None,
        )

    def _crop(
        self,
        side: int,
        rng: np.random.Generator,
        min_scale: float | None,
        magnification: Callable[[np.random.Generator], float],
        squeeze: bool,
    ) -> tuple[RGB, Gray | None]:
        pictures = self.folders[int(rng.choice(len(self.folders), p=self._shares))]
        picture = pictures[int(rng.integers(len(pictures)))]
        height, width = picture.color.shape[:2]
        shorter, shown = min(height, width), side
        if squeeze:
            box = (0.0, 0.0, float(width), float(height))
        else:
            if min_scale is None:
                size, shown = _native_part(shorter, side, rng, magnification)
            else:
                size = rng.uniform(min_scale, 1) * shorter
            x, y = rng.uniform(0, width - size), rng.uniform(0, height - size)
            box = (x, y, x + size, y + size)
        mirrored = rng.random() < 0.5
        turns = int(rng.integers(4)) if min_scale is None and not squeeze else 0

        def cut(samples: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
            image = Image.fromarray(samples)
            part = image.resize((shown, shown), Image.Resampling.BILINEAR, box)
            crop = np.asarray(part)
            if shown < side:
                rest = (0, side - shown)
                beside = (rest, rest, (0, 0))[: crop.ndim]
                crop = np.pad(crop, beside, "reflect")
            return np.rot90(crop[:, ::-1] if mirrored else crop, turns)

        color = cut(picture.color).astype(np.uint8)
        if picture.gray is None:
            return color, None
        return color, cut(picture.gray).astype(np.float32)


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
) -> Job[PictureCache]:
    """Decode pictures, at most `side` px on the short side.

    Pictures without colour are left out: they would teach that nothing has one.

    Parameters
    ----------
    folders : are named in errors
    files : of each folder
    left_out : is told of what is not used; default: the first bad picture is an error
    apart : pictures of which no copy is read

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
            read[-1] += others
            done += 1
            yield from _read_job(done, total)
        if not read[-1]:
            raise BadImageFile(
                f"'{folder}' holds no colour pictures. Give a folder with files of "
                f"one of the types {', '.join(SUFFIXES)}."
            )
    return PictureCache(read)


def read_file(file: PictureFile, side: int) -> list[Picture]:
    """Pictures of a file, at most `side` px on the short side; a stack has several.

    Of those without a gray picture, only the ones with colour worth learning from.

    Raises
    ------
    BadImageFile, BadPair
    """
    if file.gray is None:
        planes = [rgb for _, rgb in read_color_file(file.name, file.color)]
        small = [_shrunk(rgb, side) for rgb in planes]
        return [Picture(rgb) for rgb in small if is_color(rgb)]
    return [
        Picture(_shrunk(pair.color, side), _shrunk(pair.gray, side).clip(0, 1))
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


def _native_part(
    shorter: int,
    side: int,
    rng: np.random.Generator,
    magnification: Callable[[np.random.Generator], float],
) -> tuple[float, int]:
    """Px to cut out of a picture, and px of a square of `side` that they are to fill.

    These are fewer than `side` where the picture, reduced, is too small for the square.
    """
    native = min(side * rng.uniform(*_NATIVE_SCALE), shorter)
    factor = magnification(rng)
    if factor == 1:
        return native, side
    size = min(native / factor, shorter)
    return size, max(1, round(side * factor * size / native))


def _shrunk(samples: npt.NDArray[Kind], side: int) -> npt.NDArray[Kind]:
    factor = side / min(samples.shape[:2])
    if factor >= 1:
        return samples
    size = (round(samples.shape[1] * factor), round(samples.shape[0] * factor))
    image = Image.fromarray(samples).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(image, samples.dtype)
