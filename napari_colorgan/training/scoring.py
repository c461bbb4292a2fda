"""How close a model comes to the colour picture of a pair."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_colorgan.inference.colorize import region_job
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.intensity import Limits
from napari_colorgan.inference.source import Source
from napari_colorgan.job import finish
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training.pairs import Pair

RGB = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Scored:
    """A pair's gray picture, coloured, and how close that is to its colour picture."""

    name: str
    image: RGB
    figures: Figures
    gray: Figures
    """Of the picture left gray."""


def color_pair(pair: Pair, colorizer: Colorizer) -> RGB:
    """Colour the gray picture of a pair, (Y, X, 3)."""
    source = Source.of(pair.gray, axes="YX", limits=Limits(0.0, 1.0), name=pair.name)
    whole = (slice(0, pair.shape[0]), slice(0, pair.shape[1]))
    return finish(region_job(source, colorizer, whole, ()))


def gray_rgb(pair: Pair) -> RGB:
    """Return the gray picture of a pair as RGB (Y, X, 3)."""
    gray = (pair.gray * 255).round().astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)


def score(pair: Pair, colorizer: Colorizer) -> Scored:
    """Colour a pair's gray picture and compare it with its colour picture."""
    image = color_pair(pair, colorizer)
    return Scored(
        name=pair.name,
        image=image,
        figures=compare(image, pair.color, pair.mask),
        gray=compare(gray_rgb(pair), pair.color, pair.mask),
    )


def error_map(image: RGB, truth: RGB) -> npt.NDArray[np.float32]:
    """CIEDE2000 of every pixel, (Y, X); 0 is equal, 1 just noticeable."""
    difference = deltaE_ciede2000(rgb2lab(image), rgb2lab(truth))
    return np.asarray(difference, np.float32)
