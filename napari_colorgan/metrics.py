"""How close a coloured picture is to the true one. Pictures are (Y, X, 3) uint8."""

import math

import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

RGB = npt.NDArray[np.uint8]

_SSIM_SIDE = 7  # px of the default window of Wang et al. 2004


def psnr(image: RGB, truth: RGB) -> float:
    """Peak signal-to-noise ratio in dB over all three channels; inf where equal."""
    error = np.mean((image.astype(np.float64) - truth) ** 2)
    return float(10 * math.log10(255**2 / error)) if error else math.inf


def ssim(image: RGB, truth: RGB) -> float:
    """Structural similarity (Wang et al. 2004), mean of the channels, at most 1.

    Pictures with a side below 7 px have no such window; NaN.
    """
    if min(truth.shape[:2]) < _SSIM_SIDE:
        return math.nan
    return float(structural_similarity(image, truth, channel_axis=-1))


def ciede2000(image: RGB, truth: RGB) -> float:
    """Mean colour difference (CIE 142-2001); 1 is just noticeable, 0 is equal."""
    return float(np.mean(deltaE_ciede2000(rgb2lab(image), rgb2lab(truth))))


def colorfulness(image: RGB) -> float:
    """Colourfulness M3 of Hasler and Süsstrunk 2003; 0 is gray, above 100 extreme."""
    red, green, blue = np.moveaxis(image.astype(np.float64), -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    spread = math.hypot(float(rg.std()), float(yb.std()))
    return spread + 0.3 * math.hypot(float(rg.mean()), float(yb.mean()))
