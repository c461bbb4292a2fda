"""How close a model comes to the colour picture of a pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_colorgan.arrays import RGB
from napari_colorgan.inference.events import TileDone
from napari_colorgan.inference.intensity import Limits
from napari_colorgan.inference.source import Source
from napari_colorgan.job import STOP, Job, Progress, finish
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training.pairs import Pair

if TYPE_CHECKING:
    from napari_colorgan.inference.colorizer import Colorizer  # torch


@dataclass(frozen=True, slots=True)
class Score:
    """How close a model came to the colour picture of a pair."""

    name: str
    figures: Figures
    gray: Figures
    """Of the picture left gray."""

    @property
    def gain(self) -> float:
        """PSNR over leaving the picture gray, dB."""
        return self.figures.psnr - self.gray.psnr


@dataclass(frozen=True, slots=True)
class Scored(Score):
    """A score, and the picture that has it."""

    image: RGB


def color_pair_job(
    pair: Pair, colorizer: "Colorizer", done: int = 0, total: int = 1
) -> Job[RGB | None]:
    """Colour the gray picture of a pair, (Y, X, 3).

    None where a STOP came before it was finished. All events say `done` of `total`: the
    pairs that are finished before this one.
    """
    from napari_colorgan.inference.colorize import colorize_job  # torch

    source = Source.of(pair.gray, axes="YX", limits=Limits(0.0, 1.0))
    out = np.zeros((*pair.shape, 3), np.uint8)
    for event in colorize_job(source, colorizer, out=out):
        begun = isinstance(event, TileDone) and event.done < event.total
        if (yield Progress(done, total)) is STOP and begun:
            return None
    return out


def score_job(
    pair: Pair, colorizer: "Colorizer", done: int = 0, total: int = 1
) -> Job[Scored | None]:
    """Colour a pair as `color_pair_job` does and compare it with its colour picture."""
    image = yield from color_pair_job(pair, colorizer, done, total)
    if image is None:
        return None
    return Scored(
        name=pair.name,
        image=image,
        figures=compare(image, pair.color, pair.mask),
        gray=compare(gray_rgb(pair), pair.color, pair.mask),
    )


def color_pair(pair: Pair, colorizer: "Colorizer") -> RGB:
    """Colour the gray picture of a pair, (Y, X, 3)."""
    image = finish(color_pair_job(pair, colorizer))
    assert image is not None  # nobody could stop it
    return image


def score(pair: Pair, colorizer: "Colorizer") -> Scored:
    """Colour a pair's gray picture and compare it with its colour picture."""
    scored = finish(score_job(pair, colorizer))
    assert scored is not None  # nobody could stop it
    return scored


def table(heading: str, kinds: Mapping[str, Figures]) -> str:
    """Figures as text, a column for each kind, under its name."""
    lines = [
        (heading, list(kinds)),
        ("PSNR, dB", [f"{figures.psnr:.2f}" for figures in kinds.values()]),
        ("SSIM", [f"{figures.ssim:.3f}" for figures in kinds.values()]),
        ("CIEDE2000", [f"{figures.ciede2000:.2f}" for figures in kinds.values()]),
        (
            "colourfulness",
            [f"{100 * figures.colorfulness:.0f} %" for figures in kinds.values()],
        ),
    ]
    return "\n".join(
        f"{name:16}" + "".join(f"{cell:>12}" for cell in cells) for name, cells in lines
    )


def gray_rgb(pair: Pair) -> RGB:
    """Return the gray picture of a pair as RGB (Y, X, 3)."""
    gray = (pair.gray * 255).round().astype(np.uint8)
    return np.repeat(gray[..., None], 3, axis=-1)
