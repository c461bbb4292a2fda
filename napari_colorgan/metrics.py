"""How close a coloured picture is to the true one. Pictures are (Y, X, 3) uint8."""

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity

from napari_colorgan.arrays import RGB, Mask

FIGURES = ("psnr", "ssim", "ciede2000", "colorfulness")
"""Names of the figures that tables show, in their order."""

_SSIM_SIDE = 7  # px of the default window of Wang et al. 2004
_AT_ONCE = 1 << 20  # px; differences in float64 take hundreds of bytes for each


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How close one picture, or the mean of several, is to the truth."""

    psnr: float
    """dB; higher is closer; inf where equal."""
    ssim: float
    """At most 1; NaN for pictures with a side below 7 px."""
    ciede2000: float
    """Mean colour difference; lower is closer."""
    colorfulness: float
    """As a part of the truth's; NaN where the truth is gray."""
    vividness: float = 1.0
    """Colourfulness of the truth: the weight of `colorfulness` in a mean."""

    @classmethod
    def mean(cls, figures: Sequence["Figures"]) -> "Figures":
        """Mean of the figures of at least one picture; NaN is left out.

        That of `colorfulness` is the colourfulness of all pictures together as a part
        of that of all truths: a nearly gray truth has no say.
        """
        known = [each for each in figures if not math.isnan(each.colorfulness)]
        vivid = sum(each.vividness for each in known)
        colorful = sum(each.colorfulness * each.vividness for each in known)
        return cls(
            psnr=_mean([each.psnr for each in figures]),
            ssim=_mean([each.ssim for each in figures]),
            ciede2000=_mean([each.ciede2000 for each in figures]),
            colorfulness=colorful / vivid if vivid else math.nan,
            vividness=_mean([each.vividness for each in figures]),
        )


def compare(image: RGB, truth: RGB, mask: Mask | None = None) -> Figures:
    """All figures of a picture; those of its pixels in `mask` (Y, X) if there is one.

    Where no pixel is in the mask, all are NaN.
    """
    pixels, true_pixels = image, truth
    box = (slice(None), slice(None))
    inside = None
    if mask is not None:
        if not mask.any():
            return Figures(**dict.fromkeys(Figures.__dataclass_fields__, math.nan))
        pixels, true_pixels = image[mask], truth[mask]
        rows, columns = np.nonzero(mask)
        # a window around the mask: SSIM's neighbours come from the picture
        box = (
            slice(int(rows.min()), int(rows.max()) + 1),
            slice(int(columns.min()), int(columns.max()) + 1),
        )
        inside = mask[box]
    vivid = colorfulness(true_pixels)
    return Figures(
        psnr=psnr(pixels, true_pixels),
        ssim=ssim(image[box], truth[box], inside),
        ciede2000=ciede2000(pixels, true_pixels),
        colorfulness=colorfulness(pixels) / vivid if vivid else math.nan,
        vividness=vivid,
    )


def psnr(image: RGB, truth: RGB) -> float:
    """Peak signal-to-noise ratio in dB over all three channels; inf where equal."""
    error = 0
    for some, true in zip(_parts(image), _parts(truth), strict=True):
        error += int(np.sum((some.astype(np.int32) - true) ** 2, dtype=np.int64))
    return 10 * math.log10(255**2 * truth.size / error) if error else math.inf


def ssim(image: RGB, truth: RGB, mask: Mask | None = None) -> float:
    """Structural similarity (Wang et al. 2004), mean of the channels, at most 1.

    Pictures with a side below 7 px have no such window; NaN. With `mask` (Y, X), mean
    of the windows around its pixels.
    """
    height, width = truth.shape[:2]
    if min(height, width) < _SSIM_SIDE:
        return math.nan
    if mask is not None and not mask.all():
        _, each = structural_similarity(image, truth, channel_axis=-1, full=True)
        return float(each[mask].mean())
    windows = height - _SSIM_SIDE + 1  # one below the other
    step = max(1, _AT_ONCE // width)
    means, counts = [], []
    for top in range(0, windows, step):
        counts.append(min(step, windows - top))
        band = slice(top, top + counts[-1] + _SSIM_SIDE - 1)
        means.append(structural_similarity(image[band], truth[band], channel_axis=-1))
    return float(np.average(means, weights=counts))


def ciede2000(image: RGB, truth: RGB) -> float:
    """Mean colour difference (CIE 142-2001); 1 is just noticeable, 0 is equal."""
    return float(np.mean(error_map(image, truth), dtype=np.float64))


def error_map(image: RGB, truth: RGB) -> npt.NDArray[np.float32]:
    """Colour difference CIEDE2000 of every pixel, (Y, X)."""
    parts = [
        deltaE_ciede2000(rgb2lab(some), rgb2lab(true)).astype(np.float32)
        for some, true in zip(_parts(image), _parts(truth), strict=True)
    ]
    return np.concatenate(parts).reshape(truth.shape[:-1])


def colorfulness(image: RGB) -> float:
    """Colourfulness M3 of Hasler and Süsstrunk 2003; 0 is gray, above 100 extreme."""
    count = image.size // 3
    total, squares = np.zeros((2, 2), np.int64)  # exact, however large the picture
    for part in _parts(image):
        red, green, blue = part.astype(np.int64).T
        twice = np.stack([2 * (red - green), red + green - 2 * blue])  # rg, yb
        total += twice.sum(1)
        squares += (twice**2).sum(1)
    mean = total / count / 2
    variance = np.maximum(squares / count / 4 - mean**2, 0)
    spread = math.sqrt(float(variance.sum()))
    return spread + 0.3 * math.hypot(float(mean[0]), float(mean[1]))


def _parts(image: RGB) -> Iterator[RGB]:
    """Pixels of a picture (..., 3) in parts (P, 3) of bounded size."""
    pixels = image.reshape(-1, 3)
    for start in range(0, len(pixels), _AT_ONCE):
        yield pixels[start : start + _AT_ONCE]


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.fmean(known) if known else math.nan
