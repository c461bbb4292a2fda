"""From gray values of any type to [0, 1], with limits that are fixed once per array."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array, Gray
from napari_colorgan.errors import BadArray, BadSetting

PERCENTILES = (0.1, 99.9)
"""Default limits of everything but bool and uint8: robust against a few hot pixels."""


# Of 255 levels. Lossy WebP separates the channels of a gray picture by 1, JPEG with a
# chroma off by one by 3; the palest of 2012 stains and photographs reaches 22 levels,
# and 10 % of its pixels exceed 4. No share of pixels may be more, for a red cell on a
# white slide is small.
_ALIKE = 4 / 255
_BAND = 1 << 18  # values compared at once


@dataclass(frozen=True, slots=True)
class Limits:
    """Gray values shown as black and white, in the array's own unit."""

    low: float
    high: float
    gamma: float = 1.0
    """Exponent after scaling to [0, 1], as napari's layers have it."""
    inverted: bool = False
    """Whether `low` is shown as white, as colormaps do that fall from light to dark."""

    @classmethod
    def of(cls, limits: "Limits | Sequence[float]") -> "Limits":
        """Limits as a user gives them: low, high and perhaps gamma.

        Raises
        ------
        BadSetting
            Not finite, not in ascending order, or gamma not positive.
        """
        if isinstance(limits, Limits):
            return limits
        try:
            given = list(islice(limits, 4))  # also of what never ends
            values = [_number(value) for value in given]
            low, high, gamma = values if len(values) == 3 else (*values, 1.0)
        except Exception:  # of any type, whose methods raise whatever they like
            expected = "low and high, or low, high and gamma"
            raise BadSetting("limits", limits, expected) from None
        if not (np.isfinite([low, high]).all() and low < high):
            raise BadSetting(
                "limits",
                (low, high),
                "two finite numbers, low before high; where low values shall be "
                "white, invert the picture",
            )
        if not (np.isfinite(gamma) and gamma > 0):
            raise BadSetting("gamma", gamma, "a positive number")
        return cls(low, high, gamma)


def _number(value: Any) -> float:
    """Return a number as a float; text is none, even if it reads like one."""
    if isinstance(value, str | bytes):
        raise TypeError(value)
    return float(value)


def check_dtype(dtype: np.dtype[Any], name: str) -> None:
    """Raise `BadArray` unless values of `dtype` are real numbers or booleans."""
    if dtype.kind not in "buif":
        what = "complex numbers" if dtype.kind == "c" else f"values of type {dtype}"
        remedy = (
            " Take its magnitude (np.abs) or real part." if dtype.kind == "c" else ""
        )
        raise BadArray(
            f"{name} holds {what}; gray pictures hold booleans, integers or real "
            f"numbers.{remedy}"
        )


def full_range(dtype: np.dtype[Any]) -> Limits:
    """Limits that span all values of a type; [0, 1] for floats."""
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        return Limits(float(info.min), float(info.max))
    return Limits(0.0, 1.0)


def percentile_limits(sample: Array) -> Limits:
    """Limits from the percentiles of the finite values of a sample, 1 at least."""
    with np.errstate(over="ignore"):  # of what has more than 64 bits
        values = sample[np.isfinite(sample)].astype(np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return Limits(0.0, 1.0)
    # of halves: the difference of float64's largest numbers is not a float64
    low, high = 2 * np.percentile(values / 2, PERCENTILES)
    if low == high:  # mostly background: the percentiles miss what little there is
        low, high = values.min(), values.max()
    return Limits(float(low), float(high))


def to_bytes(values: Array) -> Array:
    """Levels 0 to 255, uint8, of the full range of their type."""
    if values.dtype == np.uint8:
        return values
    levels: Array = (scale(values, full_range(values.dtype)) * 255).round()
    return levels.astype(np.uint8)


def scale(values: Array, limits: Limits) -> Gray:
    """Gray values to [0, 1], clipped; a value at two equal limits becomes 0.5.

    Gamma and inversion come last, in this order, as in napari.

    Raises no warning and keeps no NaN: what is not finite must be replaced by the
    caller, here NaN becomes 0.
    """
    if values.dtype == np.uint8 and limits == Limits(0.0, 255.0):
        return values.astype(np.float32) / np.float32(255)
    with np.errstate(over="ignore"):  # of what has more than 64 bits
        x = values.astype(np.float64)
    # the span of the smallest floats underflows to 0
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        if limits.low < limits.high:
            # halves first: the span of float64's largest numbers is not a float64
            span = limits.high / 2 - limits.low / 2
            x = (x / 2 - limits.low / 2) / span
        else:
            x = (np.sign(x - limits.low) + 1) / 2
        x = np.clip(np.nan_to_num(x, nan=0.0), 0, 1)
    if limits.gamma != 1:
        x **= limits.gamma
    if limits.inverted:
        x = 1 - x
    return x.astype(np.float32)


def has_color(values: Array, white: float = 0.0) -> bool:
    """Whether RGB (..., 3 or more) of any real type is more than a scan of gray.

    The channels of such a scan are equal, but for what a codec or rounding did: one
    step of an integer type, or 4 of 255 parts of the largest value. Pixels that are not
    finite tell nothing.

    Parameters
    ----------
    white : what the largest value of the whole picture is at least, where `values` are
        a part of it
    """
    apart, largest = color_spread(values)
    return is_color(apart, max(largest, white), values.dtype)


def is_color(apart: float, largest: float, dtype: np.dtype[Any]) -> bool:
    """Whether `color_spread` of a whole picture is that of colours."""
    return apart > max(1 if dtype.kind in "ui" else 0, _ALIKE * largest)


def color_spread(values: Array) -> tuple[float, float]:
    """How far apart the RGB of a pixel are at most, and the largest absolute value.

    What is certain to be colour is not read to its end.
    """
    apart = largest = 0.0
    certain = _ALIKE * 255 if values.dtype == np.uint8 else np.inf
    for part in _bands(values):
        red, green, blue = (part[..., channel] for channel in range(3))
        high = np.maximum(np.maximum(red, green), blue)
        low = np.minimum(np.minimum(red, green), blue)
        if part.dtype.kind != "u":  # others overflow when they are subtracted
            high, low = high.astype(np.float64), low.astype(np.float64)
            finite = np.isfinite(high) & np.isfinite(low)
            high, low = high[finite], low[finite]
        if high.size:
            with np.errstate(over="ignore"):
                apart = max(apart, float((high - low).max()))
            largest = max(largest, float(high.max()), -float(low.min()))
            if apart > certain:  # most pictures, and so they are read no slower
                break
    return apart, largest


def _bands(values: Array) -> list[Array]:
    count = max(1, min(len(values), values.size // _BAND))
    return np.array_split(values, count)


def color_to_gray(rgb: Array) -> Gray:
    """Gray in [0, 1] with the lightness of RGB (..., 3 or more) of any real type.

    CIE Y of linear sRGB, encoded again: a gray pixel keeps its value.
    """
    full = full_range(rgb.dtype)
    encoded = np.clip(
        (rgb[..., :3].astype(np.float64) - full.low) / (full.high - full.low), 0, 1
    )
    linear = np.where(
        encoded > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, encoded / 12.92
    )
    y = linear @ np.array([0.212671, 0.715160, 0.072169])
    gray = np.where(y > 0.0031308, 1.055 * y ** (1 / 2.4) - 0.055, y * 12.92)
    clipped: Gray = np.clip(gray, 0, 1).astype(np.float32)
    return clipped


def lightness(values: Array, limits: Limits) -> Gray:
    """Gray in [0, 1] (..., Y, X) with the lightness of RGB (..., Y, X, 3 or 4).

    NaN where there is none. RGB of uint8 keeps its lightness exactly.
    """
    if limits == full_range(values.dtype):
        return color_to_gray(values)
    gray = color_to_gray(scale(values[..., :3], limits))
    if values.dtype.kind == "f":
        gray[~np.isfinite(values[..., :3]).all(axis=-1)] = np.nan
    return gray
