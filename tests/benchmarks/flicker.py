"""How much colours flicker from plane to plane, with and without `steady`.

A time series is made of each picture: noise, shifts of a px or two, a lamp that drifts
and flickers, and a disk that moves over it. What flickers is the mean of |d ab| between
neighbours, in units of ab, where nothing moves; beside it stands that of the gray, in
units of L. What `steady` must not do is told by three more: how far colours come from
those of each plane alone, where nothing moves, on the disk, and where it was one plane
before. With a trail, the last ones would be larger than the first.
"""

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
HEADER = ("flicker of gray", "of colours", "moved", "on the disk", "behind it")

Numbers = npt.NDArray[np.float64]
Film = tuple[Numbers, npt.NDArray[np.bool_]]
"""Gray (T, Y, X) in [0, 1], and where the disk is."""


def film_of(picture: Numbers, seed: int = 0) -> Film:
    """Make a time series of a gray picture (Y, X) in [0, 1]."""
    random = np.random.default_rng(seed)
    height, width = picture.shape
    rows, columns = np.mgrid[:height, :width]
    radius = DISK * min(picture.shape)
    planes, disks = [], []
    for number in range(COUNT):
        y, x = random.normal(0, SHIFT, 2).round().astype(int)
        light = 1 + DRIFT * (number / COUNT - 0.5) + random.normal(0, LAMP)
        plane = np.roll(picture, (y, x), (0, 1)) * light
        at = height / 2, width / 2 + (number - COUNT / 2) * radius
        disk = np.hypot(rows - at[0], columns - at[1]) < radius
        plane[disk] = 0.9 * (1 - plane[disk].mean())
        planes.append(plane + random.normal(0, NOISE, plane.shape))
        disks.append(disk)
    return np.clip(planes, 0, 1), np.array(disks)


def lab_of(rgb: npt.NDArray[np.uint8]) -> Numbers:
    """L, a and b of (T, Y, X, 3), as (T, 3, Y, X)."""
    levels = torch.from_numpy(rgb).movedim(-1, 1) / 255
    return np.asarray(rgb_to_lab(levels).numpy(), np.float64)


def figures(film: Film, alone: Numbers, steady: Numbers) -> tuple[float, ...]:
    """Flicker of gray and of colours; how far three kinds of places are from alone."""
    _, disks = film
    still = ~disks.any(0)
    change = np.abs(np.diff(steady, axis=0))
    apart = np.hypot(*np.moveaxis(steady - alone, 1, 0)[1:])
    trail = disks[:-1] & ~disks[1:]
    return (
        float(change[:, 0][:, still].mean()),
        float(change[:, 1:][:, :, still].mean()),
        float(apart[:, still].mean()),
        float(apart[disks].mean()),
        float(apart[1:][trail].mean()),
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
    alone = [lab_of(colorize(film[0], plain, limits=(0, 1))) for film in films]
    rows = []
    for steady in (0.0, 0.25, 0.5, 0.75, 1.0):
        colorizer = plain.asked_for(steady=steady)
        found = [
            figures(film, own, lab_of(colorize(film[0], colorizer, limits=(0, 1))))
            for film, own in zip(films, alone, strict=True)
        ]
        means = np.mean(found, axis=0)
        rows.append((f"{steady:g}", *(f"{value:.2f}" for value in means)))
    print_table(("steady", *HEADER), rows)


if __name__ == "__main__":
    typer.run(main)
