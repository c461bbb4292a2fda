"""How close a coloured picture is to the true one. Pictures are (Y, X, 3) uint8."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

RGB = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

_SSIM_SIDE = 7  # px of the default window of Wang et al. 2004


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How close one picture, or the mean of several, is to the truth."""

    psnr: float
    """dB; higher is closer."""
    ssim: float
    """At most 1; NaN for pictures with a side below 7 px."""
    ciede2000: float
    """Mean colour difference; lower is closer."""
    colorfulness: float
    """As a part of the truth's; NaN where the truth is gray."""

    @classmethod
    def mean(cls, figures: Sequence["Figures"]) -> "Figures":
        """Mean of the figures of at least one picture; NaN is left out."""
        return cls(
            **{
                name: _mean([getattr(one, name) for one in figures])
                for name in cls.__dataclass_fields__
            }
        )


def compare(image: RGB, truth: RGB, mask: Mask | None = None) -> Figures:
    """All figures of a picture; those of its pixels in `mask` (Y, X) if there is one."""
    if mask is None:
        mask = np.ones(truth.shape[:2], np.bool_)
    rows, columns = np.nonzero(mask)
    # a window around the mask: SSIM's neighbours come from the picture
    box = (
        slice(int(rows.min()), int(rows.max()) + 1),
        slice(int(columns.min()), int(columns.max()) + 1),
    )
    inside = mask[box]
    pixels, true_pixels = image[mask][None], truth[mask][None]
    vivid = colorfulness(true_pixels)
    return Figures(
        psnr=psnr(pixels, true_pixels),
        ssim=ssim(image[box], truth[box], inside),
        ciede2000=ciede2000(pixels, true_pixels),
        colorfulness=colorfulness(pixels) / vivid if vivid else math.nan,
    )


def psnr(image: RGB, truth: RGB) -> float:
    """Peak signal-to-noise ratio in dB over all three channels; inf where equal."""
    error = np.mean((image.astype(np.float64) - truth) ** 2)
    return float(10 * math.log10(255**2 / error)) if error else math.inf


def ssim(image: RGB, truth: RGB, mask: Mask | None = None) -> float:
    """Structural similarity (Wang et al. 2004), mean of the channels, at most 1.

    Pictures with a side below 7 px have no such window; NaN. With `mask` (Y, X), mean
    of the windows around its pixels.
    """
    if min(truth.shape[:2]) < _SSIM_SIDE:
        return math.nan
    if mask is None or mask.all():
        return float(structural_similarity(image, truth, channel_axis=-1))
    _, each = structural_similarity(image, truth, channel_axis=-1, full=True)
    return float(each[mask].mean())


def ciede2000(image: RGB, truth: RGB) -> float:
    """Mean colour difference (CIE 142-2001); 1 is just noticeable, 0 is equal."""
    return float(np.mean(deltaE_ciede2000(rgb2lab(image), rgb2lab(truth))))


def colorfulness(image: RGB) -> float:
    """Colourfulness M3 of Hasler and Süsstrunk 2003; 0 is gray, above 100 extreme."""
    red, green, blue = np.moveaxis(image.astype(np.float64), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = math.hypot(float(rg.std()), float(yb.std()))
    return spread + 0.3 * math.hypot(float(rg.mean()), float(yb.mean()))


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan
