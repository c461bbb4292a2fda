"""From the colour spaces of picture files to sRGB, which all of this package means.

Samples lie along the last axis: (..., S), integers over the full range of their type or
floats in [0, 1].
"""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_colorgan.arrays import Array

LabKind = Literal["cielab", "icclab"]

_SPACES = {b"RGB ": ("rgb", 3), b"GRAY": ("gray", 1), b"CMYK": ("cmyk", 4)}
_TYPES = (np.uint8, np.uint16, np.float32)  # of pixels that a profile may be for
_AT_ONCE = 1 << 20  # px converted in float64
_PROBES = 6  # colours along each axis that tell whether a profile is sRGB's
_SAME = 1  # of 255: a profile that changes colours by no more is sRGB's
_MADE, _IN_2000 = slice(24, 36), (7, 208, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0)  # of a profile
# JFIF 1.02, of ITU-R BT.601: R, G, B from Y, Cb, Cr around their middle
_RGB_OF_YCBCR = ((1, 0, 1.402), (1, -0.344136, -0.714136), (1, 1.772, 0))


def in_srgb(array: Array, profile: bytes, path: Path) -> tuple[Array, tuple[str, ...]]:
    """Convert RGB (..., 3), CMYK (..., 4) or gray (...) with an ICC profile.

    Returns
    -------
    The array, and a sentence about `path` where its profile is damaged. What `changes`
    does not name stays as it is.
    """
    import imagecodecs

    try:
        samples = array.shape[-1] if array.ndim > 2 else 1
        if changes(profile, array.dtype, samples):
            array = _transformed(array, profile, _SPACES[profile[16:20]][0])
    except imagecodecs.CmsError as error:
        return array, (
            f"The colour profile of '{path}' is damaged and was not used ({error}).",
        )
    return array, ()


def changes(profile: bytes, dtype: np.dtype[Any], samples: int) -> bool:
    """Whether pixels of this type and number of samples are converted by a profile.

    Not if it is sRGB's own, and not if it describes other samples. Gray is converted if
    it has 8 bits; deeper gray is a measurement.

    Raises
    ------
    imagecodecs.CmsError
        The profile is damaged.
    """
    space, expected = _SPACES.get(profile[16:20], ("", 0))
    if not space or samples != expected or dtype not in _TYPES:
        return False
    if space == "gray" and dtype != np.uint8:
        return False
    return space == "cmyk" or not _is_srgb(profile, space)


@lru_cache(maxsize=1)
def srgb_profile() -> bytes:
    """ICC profile of sRGB, which results are written with."""
    import imagecodecs

    profile = bytearray(imagecodecs.cms_profile("srgb"))
    # made in 2000, not now: equal pictures give equal files
    profile[_MADE] = bytes(_IN_2000)
    return bytes(profile)


def from_cmyk(array: Array) -> Array:
    """Convert CMYK (..., 4) without a profile: light that every ink lets through."""

    def converted(part: Array) -> npt.NDArray[np.float64]:
        light = 1 - part / _white(array.dtype)
        return light[..., :3] * light[..., 3:]

    return _in_parts(converted, array)


def from_ycbcr(array: Array) -> Array:
    """Convert Y, Cb, Cr (..., 3) of JFIF."""
    white = _white(array.dtype)
    middle = (white + 1) / 2 if array.dtype.kind in "ui" else 0.5
    matrix = np.array(_RGB_OF_YCBCR).T / white
    return _in_parts(lambda part: (part - (0, middle, middle)) @ matrix, array)


def from_lab(array: Array, kind: LabKind) -> Array:
    """Convert L, a, b (..., 3) uint8 or uint16, whose white is that of the result.

    TIFF 6.0, section 23 (`cielab`: a and b are signed), and its Technical Note 4
    (`icclab`: they have an offset).
    """
    import imagecodecs

    unit = 1 if array.dtype == np.uint8 else 256
    lab = array.astype(np.float32)
    if kind == "cielab":
        signed = np.ascontiguousarray(array).view(f"i{array.dtype.itemsize}")
        lab[..., 0] *= 100 / _white(array.dtype)
        lab[..., 1:] = signed[..., 1:] / unit
    else:
        lab[..., 0] *= 100 / (255 * unit)
        lab[..., 1:] = lab[..., 1:] / unit - 128
    rgb: Array = imagecodecs.cms_transform(
        lab,
        imagecodecs.cms_profile("lab2"),
        imagecodecs.cms_profile("srgb"),
        colorspace="lab",
        outcolorspace="rgb",
        outdtype=array.dtype,
    )
    return rgb


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes, space: str) -> bool:
    steps = np.linspace(0, 255, _PROBES).astype(np.uint8)
    probes = steps[None]
    if space == "rgb":
        probes = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    after = _transformed(probes, profile, space)
    return int(np.abs(after.astype(int) - probes).max()) <= _SAME


def _transformed(array: Array, profile: bytes, space: str) -> Array:
    import imagecodecs

    # other than for 8 bits, tables would be off by 20 levels of 255 near black
    flags = None if array.dtype == np.uint8 else imagecodecs.CMS.FLAGS.NOOPTIMIZE
    rgb: Array = imagecodecs.cms_transform(
        np.ascontiguousarray(array),
        profile,
        imagecodecs.cms_profile("srgb"),
        colorspace=space,
        outcolorspace="rgb",
        flags=flags,
    )
    rgb = rgb.clip(0, 1) if rgb.dtype.kind == "f" else rgb
    return rgb[..., 0] if space == "gray" else rgb


def _white(dtype: np.dtype[Any]) -> float:
    return float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0


def _in_parts(
    converted: Callable[[Array], npt.NDArray[np.float64]], array: Array
) -> Array:
    """Convert pixels (..., S) to [0, 1] part by part, stored as they were."""
    pixels = array.reshape(-1, array.shape[-1])
    rgb = np.empty((len(pixels), 3), array.dtype)
    for start in range(0, len(pixels), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        values = converted(pixels[part]).clip(0, 1) * _white(array.dtype)
        rgb[part] = np.rint(values) if array.dtype.kind in "ui" else values
    return rgb.reshape(*array.shape[:-1], 3)
