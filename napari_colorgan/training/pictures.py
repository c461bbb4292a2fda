"""Folders of colour pictures, decoded once, and random crops of them."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.job import STOP, Job, Progress

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_NATIVE_SCALE = (0.8, 1.25)  # microscopes differ a little in magnification
_GRAY_BELOW = 4.0  # 8-bit levels: mean spread of RGB below which a picture is gray


@dataclass(frozen=True, slots=True)
class PictureRead(Progress):
    """One more picture is decoded; nothing is trained yet."""


class PictureCache:
    """Colour pictures of some folders in memory, as uint8 at a small size.

    Gray pictures are left out: they would teach that nothing has a colour. Folders are
    drawn from in proportion to the square root of their size, and so are the classes
    within a folder: a large collection does not drown a small one.

    Parameters
    ----------
    folders : of each folder the pictures (Y, X, 3) of each class
    """

    def __init__(
        self, folders: Sequence[Sequence[Sequence[npt.NDArray[np.uint8]]]]
    ) -> None:
        self.folders = folders
        self._shares = _shares([sum(map(len, classes)) for classes in folders])
        self._class_shares = [_shares(list(map(len, classes))) for classes in folders]

    def __len__(self) -> int:
        return sum(len(pictures) for classes in self.folders for pictures in classes)

    def sample(
        self,
        count: int,
        side: int,
        rng: np.random.Generator,
        *,
        min_scale: float | None = None,
    ) -> Tensor:
        """Random square crops, flipped; (count, 3, side, side) in [0, 1].

        With `min_scale` they are that part or more of a picture's shorter side,
        resized, for a photograph is seen as a whole. Without, they are cut out at about
        native resolution and turned, for a micrograph has no up.
        """
        crops = np.empty((count, side, side, 3), np.uint8)
        for crop in crops:
            folder = int(rng.choice(len(self.folders), p=self._shares))
            share = self._class_shares[folder]
            pictures = self.folders[folder][int(rng.choice(len(share), p=share))]
            picture = pictures[int(rng.integers(len(pictures)))]
            height, width = picture.shape[:2]
            if min_scale is None:
                size = min(side * rng.uniform(*_NATIVE_SCALE), height, width)
            else:
                size = rng.uniform(min_scale, 1) * min(height, width)
            x, y = rng.uniform(0, width - size), rng.uniform(0, height - size)
            crop[:] = np.asarray(
                Image.fromarray(picture).resize(
                    (side, side), Image.Resampling.BILINEAR, (x, y, x + size, y + size)
                )
            )
            if rng.random() < 0.5:
                crop[:] = crop[:, ::-1].copy()
            if min_scale is None:
                crop[:] = np.rot90(crop, int(rng.integers(4))).copy()
        return torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous().float() / 255


def read_pictures_job(folders: Sequence[Path], side: int) -> Job[PictureCache]:
    """Decode the colour pictures of some folders, at most `side` px on the short side.

    Pictures in one folder whose names agree up to the first digit are a class.

    Raises
    ------
    BadImageFile
        A folder holds no colour pictures, or a file cannot be read.
    Stopped
        On STOP; there is nothing to keep.
    """
    paths = [list_pictures(folder) for folder in folders]
    total = sum(map(len, paths))
    done = 0
    found: list[list[list[npt.NDArray[np.uint8]]]] = []
    for folder, files in zip(folders, paths, strict=True):
        classes = defaultdict(list)
        for path in files:
            if is_color(shrunk := _read(path, side)):
                classes[_class_of(path)].append(shrunk)
            done += 1
            if (yield PictureRead(done, total)) is STOP:
                raise Stopped(
                    "Stopped while reading the pictures; nothing has changed."
                )
        found.append(list(classes.values()))
        if not classes:
            raise BadImageFile(
                f"'{folder}' holds no colour pictures. Give a folder with files of "
                f"one of the types {', '.join(SUFFIXES)}."
            )
    return PictureCache(found)


def list_pictures(folder: Path) -> list[Path]:
    """Picture files below `folder`, sorted."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)


def is_color(rgb: npt.NDArray[np.uint8]) -> bool:
    """Whether a picture (Y, X, 3) has colour worth learning from."""
    spread = rgb.max(axis=-1).astype(np.int16) - rgb.min(axis=-1)
    return float(spread.mean()) >= _GRAY_BELOW


def open_rgb(path: Path) -> Image.Image:
    """Decode a picture file as RGB.

    Raises
    ------
    BadImageFile
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadImageFile(
            f"'{path}' cannot be read as a picture ({error}). Remove or replace it."
        ) from error


def _class_of(path: Path) -> tuple[Path, str]:
    beginning = re.match(r"\D*", path.stem)
    assert beginning is not None  # it matches anything
    return path.parent, beginning.group()


def _shares(sizes: Sequence[int]) -> npt.NDArray[np.float64]:
    roots = np.sqrt(sizes)
    shares: npt.NDArray[np.float64] = roots / roots.sum()
    return shares


def _read(path: Path, side: int) -> npt.NDArray[np.uint8]:
    rgb = open_rgb(path)
    factor = side / min(rgb.size)
    if factor < 1:
        size = (round(rgb.width * factor), round(rgb.height * factor))
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(rgb)
