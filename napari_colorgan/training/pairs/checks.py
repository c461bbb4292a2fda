"""What a pair is good for, and what the user should know about it."""

import contextlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from napari_colorgan.arrays import RGB, Gray
from napari_colorgan.errors import BadPair, NoPairs
from napari_colorgan.inference.intensity import color_to_gray
from napari_colorgan.training.left_out import is_color
from napari_colorgan.training.pairs.pair import Pair
from napari_colorgan.training.settings import Task

if TYPE_CHECKING:
    from napari_colorgan.training.align import Shift

_SAMPLE = 1 << 18  # px looked at; the figures below are means, or nearly so
_CLIPPED_ABOVE = 0.1  # part of black and white px; real pictures: up to 0.11, most 0
_DARK_BELOW = 64  # of 255: 99.9 % of px of a 12-bit camera's 16-bit file are below 16
_SHIFT_ABOVE = 1.0  # px: what blurs the colours that are learned
_FLAT_BELOW = 1 / 255  # standard deviation
# Calibrated on 63 stained tissues, blood smears and photographs; how many of them reach
# this, and the least. Lightness: with a gamma of 0.7 or 1.4 all (0.98), a little blur
# all (0.97), 1 % noise 62 (0.86), 3 % noise 42, which hides the faintest pictures; mean
# of RGB all (0.91), rgb2gray all (0.99), green all (0.95). To be translated: a channel
# squared or rooted, blurred and noisy 18 of 378; high-passed, derivative and inverted
# none. A single channel other than green may be either.
_EXPLAINED = 0.9
_TRIED_PAIRS = 8


@dataclass(frozen=True, slots=True)
class PairCheck:
    """What was found out about a pair."""

    warnings: tuple[str, ...]
    """Sentences for the user; empty if all is well."""
    shift: "Shift | None"
    """Of the colour against the gray, where it is certain and above 1 px."""
    task: Task
    """What the pair teaches."""


def check(pair: Pair) -> PairCheck:
    """Look for what makes a pair useless, and for what it can be used.

    At most 2**18 px and the central 1024 x 1024 px are looked at.
    """
    from napari_colorgan.training.align import estimate_shift

    shift = None if pair.from_color else estimate_shift(pair)
    if shift is not None and shift.length <= _SHIFT_ABOVE:
        shift = None
    explained = _explained(_moved(pair, shift))
    return PairCheck(tuple(_warnings(pair)), shift, _task(explained))


def decide_task(pairs: Sequence[Pair]) -> Task:
    """Decide whether pairs teach colorization or translation.

    Colorization keeps the gray picture as the lightness of the result, which is right
    where gray is a rising, nearly straight function of the colour's lightness: where a
    line through both explains 90 % of its variance, in the median of up to 8 pairs.
    A shift between the two, which would hide this, is taken out first.

    Raises
    ------
    BadPair
        There are no pairs.
    """
    from napari_colorgan.training.align import estimate_shift

    if not pairs:
        raise NoPairs
    ratios = []
    for pair in pairs[:: -(-len(pairs) // _TRIED_PAIRS)]:
        explained = _explained(pair)
        if 0 < explained < _EXPLAINED:
            explained = _explained(_moved(pair, estimate_shift(pair)))
        ratios.append(explained)
    return _task(statistics.median(ratios))


def _task(explained: float) -> Task:
    return "colorization" if explained >= _EXPLAINED else "translation"


def _moved(pair: Pair, shift: "Shift | None") -> Pair:
    from napari_colorgan.training.align import correct

    if shift is not None:
        with contextlib.suppress(BadPair):  # nothing of the mask would be left
            return correct(pair, shift)
    return pair


def _explained(pair: Pair) -> float:
    """Part of the gray picture's variance that lightness explains; falling: negative.

    1 where the gray picture is flat, for nothing speaks against it.
    """
    if pair.from_color:
        return 1.0
    gray, rgb = _sample(pair)
    if gray.std() < _FLAT_BELOW:
        return 1.0
    lightness = color_to_gray(rgb)
    if lightness.std() < _FLAT_BELOW:
        return 0.0
    correlation = float(np.corrcoef(gray, lightness)[0, 1])
    return math.copysign(correlation**2, correlation)


def _warnings(pair: Pair) -> list[str]:
    gray, rgb = _sample(pair)
    warnings = []
    brightest = float(np.percentile(rgb.max(axis=-1), 99.9))
    if brightest < _DARK_BELOW:
        warnings.append(
            f"'{pair.name}' uses only {100 * brightest / 255:.0f} % of the range of "
            "its type and looks black. Rescale its colours first."
        )
    elif not is_color(rgb):
        warnings.append(
            f"'{pair.name}' is nearly gray: a model would learn to leave pictures "
            "gray. Choose one with more colour."
        )
    clipped = float(((rgb == 0).all(axis=-1) | (rgb == 255).all(axis=-1)).mean())
    if clipped > _CLIPPED_ABOVE:
        warnings.append(
            f"{100 * clipped:.0f} % of '{pair.name}' are pure black or white, where "
            "there is no colour to learn: an empty border, or saturated. Draw a region "
            "around the rest."
        )
    if gray.std() < _FLAT_BELOW:
        warnings.append(
            f"The gray picture of '{pair.name}' has the same value everywhere, so "
            "nothing tells where which colour belongs. Check that it is the right one."
        )
    return warnings


def _sample(pair: Pair) -> tuple[Gray, RGB]:
    """Up to 2**18 px of gray (n,) and colour (n, 3), evenly spread over the mask."""
    if pair.mask is None:
        step = max(1, math.ceil(math.sqrt(pair.gray.size / _SAMPLE)))
        gray, rgb = pair.gray[::step, ::step], pair.color[::step, ::step]
        return gray.ravel(), rgb.reshape(-1, 3)
    rows, columns = np.nonzero(pair.mask)
    step = -(-len(rows) // _SAMPLE)
    pixels = rows[::step], columns[::step]
    return pair.gray[pixels], pair.color[pixels]
