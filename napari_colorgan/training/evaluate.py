"""How well a model colours pictures whose true colours are known."""

import dataclasses
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from napari_colorgan.color import lightness_to_gray, rgb_to_lab
from napari_colorgan.errors import BadImageFile
from napari_colorgan.inference.colorize import colorize_region
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.intensity import Limits
from napari_colorgan.inference.source import Source
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.metrics import ciede2000, colorfulness, psnr
from napari_colorgan.training.pictures import is_color, list_pictures, open_rgb

RGB = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Means over pictures; `gray` is the same picture left without colour."""

    pictures: int
    psnr: float
    """dB."""
    psnr_gray: float
    """dB."""
    ciede2000: float
    ciede2000_gray: float
    colorfulness: float
    """Of all results together, as a part of the truth's."""

    @property
    def gain(self) -> float:
        """PSNR over leaving the picture gray, dB."""
        return self.psnr - self.psnr_gray

    def as_dict(self) -> dict[str, Any]:
        """All figures by name."""
        return dataclasses.asdict(self) | {"gain": self.gain}

    def __str__(self) -> str:
        return (
            f"{self.pictures} pictures\n"
            f"PSNR            {self.psnr:6.2f} dB  (gray {self.psnr_gray:.2f}, "
            f"gain {self.gain:+.2f})\n"
            f"CIEDE2000       {self.ciede2000:6.2f}     (gray "
            f"{self.ciede2000_gray:.2f})\n"
            f"colourfulness   {100 * self.colorfulness:6.0f} %   (of the truth's)"
        )


@dataclass(frozen=True, slots=True)
class PictureScored(Progress):
    """One more picture was coloured and compared with its truth."""

    path: Path


def evaluate_job(
    folder: Path, colorizer: Colorizer, *, limit: int | None = None, side: int = 256
) -> Job[Scores]:
    """Colour the lightness of colour pictures and compare with the truth.

    Pictures are resized to `side` px on their shorter side before anything else, so
    that scores of models can be compared; pictures without colour are left out. With
    `limit`, that many are taken, evenly spread over the sorted names.

    Raises
    ------
    BadImageFile
        The folder holds no colour pictures.
    """
    paths = list_pictures(folder)
    if limit is not None and 0 < limit < len(paths):
        paths = [paths[i * len(paths) // limit] for i in range(limit)]
    rows: list[tuple[float, ...]] = []
    for number, path in enumerate(paths, 1):
        truth = read_truth(path, side)
        if is_color(truth):
            rows.append(_scored(truth, colorizer))
        if (yield PictureScored(number, len(paths), path)) is STOP:
            break
    if not rows:
        raise BadImageFile(
            f"'{folder}' holds no colour pictures to compare with. Give a folder of "
            "colour pictures, such as PNG or JPEG files."
        )
    means = [statistics.fmean(column) for column in zip(*rows, strict=True)]
    return Scores(
        pictures=len(rows),
        psnr=means[0],
        psnr_gray=means[1],
        ciede2000=means[2],
        ciede2000_gray=means[3],
        colorfulness=means[4] / means[5],
    )


def gray_of(rgb: RGB) -> npt.NDArray[np.float32]:
    """Gray in [0, 1] with exactly the L of RGB (Y, X, 3) uint8."""
    lab = rgb_to_lab(torch.from_numpy(rgb.copy()).movedim(-1, 0)[None].float() / 255)
    gray: npt.NDArray[np.float32] = lightness_to_gray(lab[0, 0]).clamp(0, 1).numpy()
    return gray


def color_truth(truth: RGB, colorizer: Colorizer) -> RGB:
    """Colour the lightness of a colour picture (Y, X, 3)."""
    source = Source.of(gray_of(truth), axes="YX", limits=Limits(0.0, 1.0))
    return colorize_region(source, colorizer, (slice(None), slice(None)))


def read_truth(path: Path, side: int) -> RGB:
    """Read a picture as RGB (Y, X, 3) with a shorter side of `side` px.

    Raises
    ------
    BadImageFile
    """
    rgb = open_rgb(path)
    factor = side / min(rgb.size)
    size = (round(rgb.width * factor), round(rgb.height * factor))
    return np.asarray(rgb.resize(size, Image.Resampling.BICUBIC))


def _scored(truth: RGB, colorizer: Colorizer) -> tuple[float, ...]:
    image = color_truth(truth, colorizer)
    gray = np.repeat((gray_of(truth) * 255).round().astype(np.uint8)[..., None], 3, -1)
    return (
        psnr(image, truth),
        psnr(gray, truth),
        ciede2000(image, truth),
        ciede2000(gray, truth),
        colorfulness(image),
        colorfulness(truth),
    )
