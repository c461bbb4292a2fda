"""The part that is held out, and how close a model comes to it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_colorgan.arrays import RGB
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.scoring import color_pair, gray_rgb, score

_PIXELS = 1 << 18  # that are scored, of all held-out pairs together
_PREVIEW = 192  # px
_COLORFUL = 0.1  # deviation from the truth's colourfulness that costs nothing
_PRICE = 5.0  # dB for all of the truth's colourfulness beyond that


@dataclass(frozen=True, slots=True)
class Preview:
    """A held-out crop in gray, as coloured before and now, and in truth, (Y, X, 3)."""

    gray: RGB
    before: RGB
    now: RGB
    truth: RGB


class Validation:
    """Scores colorizers on held-out pairs, always the same pixels.

    Of large pairs, `local` context is judged by the middle at native resolution, and
    `whole` by all of it reduced.

    Parameters
    ----------
    before : what the two baselines and the previews are compared with
    """

    def __init__(
        self, held_out: Sequence[Pair], context: Context, before: Colorizer
    ) -> None:
        each = _PIXELS // len(held_out)
        self._pairs = [part_of(pair, context, each) for pair in held_out]
        self._small = part_of(held_out[0], context, _PREVIEW**2)
        scored = [score(pair, before) for pair in self._pairs]
        self.gray = Figures.mean([one.gray for one in scored])
        self.before = Figures.mean([one.figures for one in scored])
        self._before = color_pair(self._small, before)

    def figures(self, colorizer: Colorizer) -> Figures:
        """Mean figures over the held-out pairs."""
        return Figures.mean(
            [
                compare(color_pair(pair, colorizer), pair.color, pair.mask)
                for pair in self._pairs
            ]
        )

    def preview(self, colorizer: Colorizer) -> Preview:
        """Colour a crop of the first held-out pair."""
        return Preview(
            gray=gray_rgb(self._small),
            before=self._before,
            now=color_pair(self._small, colorizer),
            truth=self._small.color,
        )


def goodness(figures: Figures) -> float:
    """PSNR in dB, less a price for being too pale or too vivid.

    PSNR alone prefers pale colours where a model is in doubt. So colourfulness beyond
    90 to 110 % of the truth's costs 0.05 dB per percent.
    """
    if math.isnan(figures.colorfulness):
        return figures.psnr
    excess = max(0.0, abs(figures.colorfulness - 1) - _COLORFUL)
    return figures.psnr - _PRICE * excess


def part_of(pair: Pair, context: Context, pixels: int) -> Pair:
    """Part of a pair with at most about `pixels` px, to judge by.

    All of it reduced for `whole` context, its middle at native resolution for `local`.
    """
    height, width = pair.shape
    if height * width <= pixels:
        return pair
    if context == "whole":
        factor = math.sqrt(pixels / (height * width))
        return _reduced(
            pair, (max(1, int(height * factor)), max(1, int(width * factor)))
        )
    side = math.isqrt(pixels)
    high = min(height, max(side, pixels // width))
    wide = min(width, pixels // high)
    centre = (height // 2, width // 2)
    if pair.mask is not None:  # or there might be nothing to judge
        rows, columns = np.nonzero(pair.mask)
        middle = len(rows) // 2
        centre = int(rows[middle]), int(columns[middle])
    top = min(max(0, centre[0] - high // 2), height - high)
    left = min(max(0, centre[1] - wide // 2), width - wide)
    return pair.cropped((slice(top, top + high), slice(left, left + wide)))


def _reduced(pair: Pair, shape: tuple[int, int]) -> Pair:
    def resized(samples: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        image = Image.fromarray(samples)
        return np.asarray(image.resize(shape[::-1], Image.Resampling.BOX))

    mask = pair.mask
    if mask is not None:
        mask = np.asarray(resized(mask.astype(np.float32)), np.float32) >= 0.5
        mask = mask if mask.any() else None
    gray = resized(pair.gray).clip(0, 1).astype(np.float32)
    return replace(
        pair, gray=gray, color=resized(pair.color).astype(np.uint8), mask=mask
    )
