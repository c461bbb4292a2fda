"""How much colours flicker from plane to plane, with and without `steady`.

A time series is made of each picture: noise, shifts of a px or two, a lamp that drifts
and flickers, and a disk that moves over it. What flickers is the mean of |d ab| between
neighbours, in units of ab, where nothing moves; beside it stands that of the gray, in
units of L. Errors are distances, in units of ab, from the colours that each plane alone
has without noise, shifts and lamp: where nothing moves, on the disk, and where it was
one plane before. A trail would make the last ones larger.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import typer
from default_models import print_table
from PIL import Image
from skimage.color import rgb2lab
from skimage.transform import resize

from napari_colorgan.color import rgb_to_lab
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.inference.colorizer import Colorizer

COUNT = 8  # planes
NOISE = 0.02  # of gray from black to white
SHIFT = 0.7  # px, of each axis, deviation
DRIFT, LAMP = 0.05, 0.02  # parts of the light, over the series and from plane to plane
DISK = 0.12  # of the shorter side, radius; it moves by a radius a plane
HEADER = ("flicker of gray", "of colours", "error", "on the disk", "behind it")

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Film:
    """A time series of gray in [0, 1], (T, Y, X)."""

    gray: Numbers
    clean: Numbers
    """Without noise, shifts and lamp."""
    disks: Mask
    """Where the disk is."""


def film_of(picture: Numbers, seed: int = 0) -> Film:
    """Make a time series of a gray picture (Y, X) in [0, 1]."""
    random = np.random.default_rng(seed)
    radius = DISK * min(picture.shape)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    middle = np.array(picture.shape) / 2
    gray, clean, disks = [], [], []
    for number in range(COUNT):
        at = middle[1] + (number - COUNT / 2) * radius
        disk = np.hypot(rows - middle[0], columns - at) < radius
        plane = np.where(disk, 0.9 * (1 - picture[disk].mean()), picture)
        y, x = random.normal(0, SHIFT, 2).round().astype(int)
        light = 1 + DRIFT * (number / COUNT - 0.5) + random.normal(0, LAMP)
        moved = np.where(disk, plane, np.roll(picture, (y, x), (0, 1)))
        gray.append(moved * light + random.normal(0, NOISE, plane.shape))
        clean.append(plane)
        disks.append(disk)
    return Film(np.clip(gray, 0, 1), np.array(clean), np.array(disks))


def lab_of(rgb: npt.NDArray[np.uint8]) -> Numbers:
    """L, a and b of (T, Y, X, 3), as (T, 3, Y, X)."""
    levels = torch.from_numpy(rgb).movedim(-1, 1) / 255
    return np.asarray(rgb_to_lab(levels).numpy(), np.float64)


def figures(disks: Mask, true: Numbers, lab: Numbers) -> tuple[float, ...]:
    """Flicker of gray and of colours; errors of colours at three kinds of places."""
    still = ~disks.any(0)
    change = np.abs(np.diff(lab, axis=0))
    error = np.hypot(*np.moveaxis(lab - true, 1, 0)[1:])
    trail = disks[:-1] & ~disks[1:]
    return (
        float(change[:, 0][:, still].mean()),
        float(change[:, 1:][:, :, still].mean()),
        float(error[:, still].mean()),
        float(error[disks].mean()),
        float(error[1:][trail].mean()),
    )


def gray_of(path: Path, side: int) -> Numbers:
    """Lightness of a picture, its shorter side at most so long, in [0, 1]."""
    rgb = np.asarray(Image.open(path).convert("RGB"))
    factor = min(1.0, side / min(rgb.shape[:2]))
    shape = [round(length * factor) for length in rgb.shape[:2]]
    gray: Numbers = rgb2lab(resize(rgb, shape, anti_aliasing=True))[..., 0] / 100
    return gray


def main(
    pictures: list[Path],
    model: Annotated[str, typer.Option()] = "natural",
    context: Annotated[str | None, typer.Option()] = None,
    side: Annotated[int, typer.Option(help="Shorter side, px.")] = 512,
) -> None:
    """Print means over pictures, for several values of `steady`."""
    plain = Colorizer(model, context=context)
    films = [film_of(gray_of(path, side), n) for n, path in enumerate(pictures)]
    true = [lab_of(colorize(film.clean, plain, limits=(0, 1))) for film in films]
    rows = []
    for steady in (0.0, 0.25, 0.5, 0.75, 1.0):
        colorizer = plain.asked_for(steady=steady)
        found = [
            figures(
                film.disks, own, lab_of(colorize(film.gray, colorizer, limits=(0, 1)))
            )
            for film, own in zip(films, true, strict=True)
        ]
        means = np.mean(found, axis=0)
        rows.append((f"{steady:g}", *(f"{value:.2f}" for value in means)))
    print_table(("steady", *HEADER), rows)


if __name__ == "__main__":
    typer.run(main)
