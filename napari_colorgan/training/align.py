"""How far the two pictures of a pair are shifted against each other, and the remedy.

The estimate was tried on 26 crops of stained tissue, blood smears and photographs,
shifted by (5, -7) px or not, with the gray picture made from the colour one in twenty
ways. Of 380 px a side, all are found to 1 px whose gray is the lightness (with another
gamma or contrast, noise, blur of 4 px, inverted, high-passed) or a channel (also
squared, blurred and noisy); of rooted, blurred and noisy channels one in 26 gives no
estimate, or a wrong one. Weakest are pictures with edges of their own: the distance to
the median lightness, and saturation, with up to 4 wrong of 26. Derivatives, which have
no place of their own, give no estimate. 128 px a side are nearly as good (at most 2
wrong of 26 blurred and noisy channels), 48 px are not.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft
from scipy.ndimage import gaussian_filter

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.errors import BadPair
from napari_colorgan.inference.intensity import color_to_gray
from napari_colorgan.training.pairs.pair import MIN_SIDE, Pair

_CROP = 1024  # px; more would not be more precise
_MIN_CROP = 96  # px; see above
_BAND = (1.0, 4.0)  # sigmas in px: noise is finer, shading and vignettes are coarser
_FARTHEST = 1 / 4  # of the shorter side
# Correlation after the shift that is believed. Unrelated pictures reached 0.07 at
# 380 px, 0.15 at 128 px and 0.34 at 64 px; related ones 0.30 and more.
_BELIEVED, _BELIEVED_PX = 0.18, 10.0
# Highest of the two extremes of opposite sign, as a part of the other. Pairs stay below
# 0.5 (0.7 at 64 px), derivative images, whose edges are dark on one side, above 0.8.
_AMBIGUOUS = 0.75
_REFINEMENTS = 3

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Shift:
    """Distance by which the colour must be moved to lie on the gray, in px."""

    y: float
    x: float

    @property
    def length(self) -> float:
        """In px."""
        return math.hypot(self.y, self.x)

    def __str__(self) -> str:
        return f"{self.length:.1f} px (y {self.y:+.1f}, x {self.x:+.1f})"


def estimate_shift(pair: Pair) -> Shift | None:
    """Estimate the shift between gray and colour of a pair, to about 0.1 px.

    Both are band-passed, and of R, G, B and the lightness the one that correlates most
    with the gray picture is taken, dark on bright or bright on dark alike. Only the
    central 1024 px are read.

    Returns
    -------
    None where there is no reliable answer: flat or unrelated pictures, noise, sides
    below 96 px, a shift of more than a quarter of the shorter side, rotation.
    """
    from skimage.registration import phase_cross_correlation

    part = _center(pair)
    gray, color = pair.gray[part], pair.color[part]
    if min(gray.shape) < _MIN_CROP:
        return None
    fixed = _band_pass(gray)
    match = _best_match(fixed, color)
    if match is None:
        return None
    moving, (y, x) = match
    for _ in range(_REFINEMENTS):
        a, b = _overlap(fixed, moving, y, x)
        window = _window(a.shape)
        rest, _, _ = phase_cross_correlation(
            # not whitened: that would weigh noise as much as the picture
            *(a * window, b * window),
            upsample_factor=10,
            normalization=None,
        )
        dy, dx = float(rest[0]), float(rest[1])
        if max(abs(dy), abs(dx)) <= 0.5:
            break
        y, x = y + round(dy), x + round(dx)
        if max(abs(y), abs(x)) > _FARTHEST * min(fixed.shape):
            return None
    else:
        return None
    after = abs(_correlation(a, b))
    if after < _BELIEVED + _BELIEVED_PX / min(a.shape):
        return None
    if (y, x) != (0, 0) and after <= abs(_correlation(fixed, moving)):
        return None
    return Shift(y + dy, x + dx)


def correct(pair: Pair, shift: Shift) -> Pair:
    """Crop a pair to the pixels that both pictures have after a shift by whole px.

    The mask is that of the gray picture.

    Raises
    ------
    BadPair
        Less than 16 px a side, or none of the mask, would be left.
    """
    y, x = round(shift.y), round(shift.x)
    height, width = pair.shape
    if min(height - abs(y), width - abs(x)) < MIN_SIDE:
        raise BadPair(
            f"A shift of {shift} would leave '{pair.name}' with "
            f"{max(height - abs(y), 0)} x {max(width - abs(x), 0)} px in common; "
            f"{MIN_SIDE} x {MIN_SIDE} px are needed. Register the two pictures with "
            "another program."
        )
    on_gray, on_color = _common(pair.shape, y, x)
    gray, mask = pair.gray[on_gray], pair.mask
    if mask is not None:
        mask = mask[on_gray].copy()
        if not mask.any():
            raise BadPair(
                f"A shift of {shift} would leave nothing of the region chosen in "
                f"'{pair.name}'. Draw it further away from the border."
            )
    return Pair(
        pair.name,
        gray.copy(),
        pair.color[on_color].copy(),
        mask,
        from_color=pair.from_color,
    )


def _center(pair: Pair) -> Region:
    """Up to 1024 px in the middle; of the mask, if that is large enough."""
    top, left, (height, width) = 0, 0, pair.shape
    if pair.mask is not None:
        rows, columns = (np.flatnonzero(pair.mask.any(axis=axis)) for axis in (1, 0))
        if min(np.ptp(rows), np.ptp(columns)) >= _MIN_CROP:
            top, left = int(rows[0]), int(columns[0])
            height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    y, x = top + max(0, height - _CROP) // 2, left + max(0, width - _CROP) // 2
    return slice(y, y + min(height, _CROP)), slice(x, x + min(width, _CROP))


def _best_match(fixed: Floats, color: RGB) -> tuple[Floats, tuple[int, int]] | None:
    """Return the channel of `color` that correlates best, and its shift in whole px."""
    best, match = 0.0, None
    shape = fixed.shape
    window = _window(shape)
    spectrum, norm = _spectrum(fixed, window)
    near = [
        np.abs(np.fft.fftfreq(n) * n) <= _FARTHEST * min(shape) for n in shape
    ]  # shifts along an axis in the order of the inverse transform
    for channel in _channels(color):
        moving = _band_pass(channel)
        other, length = _spectrum(moving, window)
        if norm * length == 0:
            continue
        cross = fft.irfft2(spectrum * other.conj(), shape) / (norm * length)
        cross = np.where(near[0][:, None] & near[1], cross, 0)
        low, high = -float(cross.min()), float(cross.max())
        if max(low, high) > best:
            best = max(low, high)
            place = np.unravel_index(int(np.abs(cross).argmax()), shape)
            y, x = (
                int(p) - n * (2 * int(p) > n) for p, n in zip(place, shape, strict=True)
            )
            clear = min(low, high) <= _AMBIGUOUS * best
            match = (moving, (y, x)) if clear else None
    return match


def _channels(color: RGB) -> Iterator[Floats]:
    yield color_to_gray(color)
    for channel in np.moveaxis(color, -1, 0):
        yield channel.astype(np.float32) / np.float32(255)


def _band_pass(picture: Floats) -> Floats:
    fine, coarse = (gaussian_filter(picture, sigma) for sigma in _BAND)
    band: Floats = fine - coarse
    return band


def _spectrum(picture: Floats, window: Floats) -> tuple[npt.NDArray[Any], float]:
    """Fourier transform and norm of a windowed picture with mean 0; norm 0 if flat."""
    seen = picture * window
    seen -= seen.mean()
    flat = float(np.abs(seen).max()) < 1e-5  # below the rounding of the filters
    return fft.rfft2(seen), 0.0 if flat else float(np.linalg.norm(seen))


def _window(shape: tuple[int, ...]) -> Floats:
    """Fade to 0 at the borders, which the Fourier transform takes for edges."""
    return np.outer(*(np.hanning(n) for n in shape)).astype(np.float32)


def _overlap(fixed: Floats, moving: Floats, y: int, x: int) -> tuple[Floats, Floats]:
    on_fixed, on_moving = _common(fixed.shape, y, x)
    return fixed[on_fixed], moving[on_moving]


def _common(shape: tuple[int, ...], y: int, x: int) -> tuple[Region, Region]:
    """Return the same pixels in a picture and in one to be moved by (y, x)."""
    height, width = shape
    return (
        (
            slice(max(0, y), min(height, height + y)),
            slice(max(0, x), min(width, width + x)),
        ),
        (
            slice(max(0, -y), min(height, height - y)),
            slice(max(0, -x), min(width, width - x)),
        ),
    )


def _correlation(a: Floats, b: Floats) -> float:
    spread = float(a.std() * b.std())
    return float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread else 0.0
