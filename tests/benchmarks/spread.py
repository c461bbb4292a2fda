"""How far a hint travels: through the object it is in, and not to its ground.

Objects are what stands out from its ground by colour, so clearly that a threshold finds
it: cells or nuclei on glass, a flower before a lawn. One hint is put into the middle of
each, 30 units of ab from what the model makes of it. How far the mean (a, b) of pixels
moves is told in parts of that way: inside, of other objects, and of ground that is two
radii of the object away.
"""

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch
import typer
from collection import Collection
from default_models import print_table
from scipy import ndimage
from skimage.color import lab2rgb, rgb2lab
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops

from napari_colorgan.arrays import RGB, Gray, Mask
from napari_colorgan.color import lightness_to_gray
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints

AWAY = 30.0  # units of ab, from what the model makes of an object to its hint
DIRECTIONS = 16
SEPARABLE = 0.6  # part of the variance that lies between objects and ground
LEAST = 1.0  # units of Lab; standard deviation of the distance to the ground
SOLID = 0.9  # part of its convex hull that an object fills
AREA = (0.003, 0.4)  # parts of the picture
MOST = 3  # objects of a picture
HINTS, ROUNDS = 10, 7
HEADER = ("objects", "moved inside", "others alike", "ground far away", "time of 10")

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """A gray picture, and objects in it."""

    gray: Gray
    objects: Mask
    """All that stands out, (Y, X)."""
    chosen: tuple[Mask, ...]


def scene_of(picture: RGB) -> Scene | None:
    """Find objects; None if it is not clear which there are."""
    lab = rgb2lab(picture)
    standing = ndimage.gaussian_filter(away_from_ground(lab), 1)
    if standing.std() < LEAST:
        return None
    level = threshold_otsu(standing)
    objects = ndimage.binary_opening(standing > level, iterations=2)
    objects = ndimage.binary_fill_holes(objects)
    parts = [standing[standing > level], standing[standing <= level]]
    within = sum(part.var() * part.size for part in parts) / standing.size
    every = regionprops(label(ndimage.binary_opening(objects, iterations=2)))
    regions = [region for region in every if is_clear(region, objects.shape)]
    if within > (1 - SEPARABLE) * standing.var() or not regions:
        return None
    largest = sorted(regions, key=lambda region: -region.area)[:MOST]
    largest = [each for each in largest if each.area > largest[0].area / 2]
    chosen = tuple(mask_of(region.coords, objects.shape) for region in largest)
    return Scene(gray_of(lab), objects, chosen)


def is_clear(region: Any, shape: tuple[int, int]) -> bool:
    """Whether a region is a compact object, all of which is in the picture."""
    top, left, bottom, right = region.bbox
    inside = 0 < top and 0 < left and bottom < shape[0] and right < shape[1]
    large = AREA[0] < region.area / (shape[0] * shape[1]) < AREA[1]
    return bool(inside and large and region.solidity > SOLID)


def away_from_ground(lab: Numbers) -> Numbers:
    """Distance from the colour that most pixels of the border have."""
    border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
    away: Numbers = np.linalg.norm(lab - np.median(border, axis=0), axis=-1)
    return away


def gray_of(lab: Numbers) -> Gray:
    gray: Gray = lightness_to_gray(torch.from_numpy(lab[..., 0]).float()).numpy()
    return gray


def mask_of(coordinates: npt.NDArray[np.int64], shape: tuple[int, int]) -> Mask:
    mask = np.zeros(shape, bool)
    mask[tuple(coordinates.T)] = True
    return mask


@dataclass(frozen=True)
class Moved:
    """Parts of the way to a hint's colour."""

    inside: float
    alike: float
    ground: float


def moved(scene: Scene, mask: Mask, colorizer: Colorizer) -> Moved:
    """Put a hint into an object and compare with the colours without it."""
    depth = ndimage.distance_transform_edt(mask)
    middle = np.unravel_index(depth.argmax(), mask.shape)
    radius = min(4.0, depth.max() / 2)
    before = ab_of(scene.gray, colorizer)
    color, way = hint_for(scene.gray, before, mask)
    after = ab_of(scene.gray, colorizer, Hints([middle], [color], radius))
    parts = (after - before) @ way / (way @ way)
    far = ndimage.distance_transform_edt(~mask) > 2 * np.sqrt(mask.sum() / np.pi)
    around = ndimage.binary_dilation(scene.objects, iterations=4)
    places = (mask, scene.objects & ~mask & far, far & ~around)
    return Moved(*(parts[each].mean() if each.any() else np.nan for each in places))


def ab_of(gray: Gray, colorizer: Colorizer, hints: Hints | None = None) -> Numbers:
    rgb = colorize(gray, colorizer, axes="YX", limits=(0, 1), hints=hints)
    ab: Numbers = rgb2lab(rgb)[..., 1:]
    return ab


def hint_for(gray: Gray, ab: Numbers, mask: Mask) -> tuple[Numbers, Numbers]:
    """Return the RGB of a hint, and (a, b) from the object's own to it.

    Of all hues the one that sRGB holds best at the object's lightness.
    """
    own, lightness = ab[mask].mean(0), rgb2lab(gray[..., None].repeat(3, 2))[mask, 0]
    angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
    ways = AWAY * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    wanted = np.array([[(lightness.mean(), *(own + way)) for way in ways]])
    rgb = np.rint(lab2rgb(wanted) * 255).astype(np.uint8)
    best = np.linalg.norm(rgb2lab(rgb) - wanted, axis=-1)[0].argmin()
    return rgb[0, best], rgb2lab(rgb)[0, best, 1:] - own


def milliseconds(gray: Gray, colorizer: Colorizer) -> float:
    """Milliseconds of one core that ten hints add, in turns, once all is warm.

    They say what the model says, for vivid colours would take longer to decode.
    """
    places = np.random.default_rng(1).permutation(gray.size)[:HINTS]
    rows, columns = np.unravel_index(places, gray.shape)
    own = colorize(gray, colorizer, axes="YX", limits=(0, 1))[rows, columns]
    hints = Hints(np.stack([rows, columns], axis=1), own)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * ROUNDS + 4):
        hinted = number % 2 == 0
        began = time.thread_time()
        given = hints if hinted else None
        colorize(gray, colorizer, axes="YX", limits=(0, 1), hints=given)
        if number >= 4:
            taken[hinted].append(time.thread_time() - began)
    return 1000 * (statistics.median(taken[True]) - statistics.median(taken[False]))


def scenes(folder: Collection, limit: int, side: int | None) -> Iterator[Scene]:
    """Up to `limit` scenes of a folder."""
    pairs = folder.pairs(side=side)
    found = (scene for pair in pairs if (scene := scene_of(pair.color)) is not None)
    yield from (scene for scene, _ in zip(found, range(limit), strict=False))


def row(name: str, here: Sequence[Scene], colorizer: Colorizer) -> tuple[str, ...]:
    figures = [moved(scene, mask, colorizer) for scene in here for mask in scene.chosen]
    table = np.array([(each.inside, each.alike, each.ground) for each in figures])
    parts = [f"{100 * part:.0f} %" for part in np.nanmean(table, axis=0)]
    added = f"{milliseconds(here[0].gray, colorizer):+.0f} ms"
    return (name, str(len(figures)), *parts, added)


def main(
    folders: Annotated[list[str], typer.Argument(metavar="[NAME=]FOLDER")],
    model: Annotated[list[str] | None, typer.Option(help="Or several.")] = None,
    limit: Annotated[int, typer.Option(help="Pictures of each folder.")] = 4,
) -> None:
    """Print how far hints travel, a table for each model."""
    torch.set_num_threads(1)
    for name in model or ["natural", "micro"]:
        colorizer = Colorizer(name, "cpu")
        side = 256 if colorizer.context == "whole" else None
        sets = {
            folder.name: list(scenes(folder, limit, side))
            for folder in map(Collection.parse, folders)
        }
        rows = [row(each, here, colorizer) for each, here in sets.items() if here]
        title = f"`{name.rpartition('/')[2]}`, one of {os.cpu_count()} cores"
        print_table((title, *HEADER), rows)


if __name__ == "__main__":
    typer.run(main)
