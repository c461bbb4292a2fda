"""Picture files: found below a folder, decoded as RGB, with or without colour."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_colorgan.errors import BadImageFile
from napari_colorgan.job import Progress

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp")
_GRAY_BELOW = 4.0  # 8-bit levels: mean spread of RGB below which a picture is gray


@dataclass(frozen=True, slots=True)
class PictureRead(Progress):
    """One more picture is decoded; nothing is trained yet."""


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
