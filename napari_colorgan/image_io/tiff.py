"""TIFF files to arrays of gray or sRGB, whatever way their values are coded."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from napari_colorgan.arrays import Array
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import color_spaces, pixel_size, tags
from napari_colorgan.image_io.blocks import Blocks
from napari_colorgan.image_io.bounds import check_claim
from napari_colorgan.image_io.flat_tiff import open_flat
from napari_colorgan.image_io.image_file import ORIENTATION, ImageFile, upright
from napari_colorgan.image_io.ome_claims import check_ome
from napari_colorgan.image_io.pillow import pixels
from napari_colorgan.image_io.tiff_directories import check_directories
from napari_colorgan.image_io.tiff_packed import bound_decoding
from napari_colorgan.image_io.tiled_tiff import Decode, open_series

_OPEN_ABOVE = 1 << 25  # bytes; where blocks are asked for, larger files give them
_SEEK_ABOVE = 1 << 28  # bytes; the same of files whose values are not packed
_LEADING = "TZCPRMQI"  # letters of `inference.axes`; files know some twenty more
_THUMBNAIL = 4  # a first picture with less than 1 / 4 of the pixels of another is one
_PHOTOMETRIC, _INK_SET, _ICC, _NODATA = 262, 332, 34675, 42113  # tags
_NOT_PACKED = 1  # value of Compression
_NOT_CMYK = 2  # value of InkSet
# Compressions that know nothing of colour; others decode YCbCr to RGB themselves.
_OF_BYTES = frozenset([1, 5, 8, 32773, 32946, 34925, 50000])

_MINISWHITE, _MINISBLACK, _RGB, _PALETTE, _MASK, _CMYK, _YCBCR = range(7)
_CIELAB, _ICCLAB = 8, 9
_SAMPLES: dict[int, Callable[[Array], Array]] = {
    _CMYK: color_spaces.from_cmyk,
    _YCBCR: color_spaces.from_ycbcr,
    _CIELAB: lambda array: color_spaces.from_lab(array, "cielab"),
    _ICCLAB: lambda array: color_spaces.from_lab(array, "icclab"),
}


def read_tiff(path: Path, axes: str | None, *, by_blocks: bool = False) -> ImageFile:
    """Read the main picture of a TIFF; see `read_image`."""
    check_directories(path)
    with tifffile.TiffFile(path) as tiff:
        if tiff.is_ome:
            check_ome(path, tiff.ome_metadata or "")
        series, notes = _main_series(path, tiff)
        page = series.keyframe
        if by_blocks and (opened := _opened(path, tiff, series)) is not None:
            array, stored = opened
            if axes is None:
                array, axes = _tidy(array, stored)
            size, words = pixel_size.of_tiff(tiff, series), tags.of_tiff(tiff, page)
            return ImageFile(array, axes, size, notes, words)
        array, stored = _decoded(path, tiff, series)
        if axes is None:
            array, stored = _samples_last(array, stored)
        if page.iccprofile:
            array, note = color_spaces.in_srgb(array, page.iccprofile, path)
            notes += note
            if _photometric(page) == _CMYK and array.shape[-1] > 3:  # not the profile's
                array, stored = _on_samples(color_spaces.from_cmyk, array, stored)
        turn = _number(page, ORIENTATION, 1)
        array = upright(array, turn, (stored.index("Y"), stored.index("X")))
        size = pixel_size.of_tiff(tiff, series)
        if size is not None and turn > 4:
            size = size.turned()
        words = tags.of_tiff(tiff, page)
    if axes is None:
        array, axes = _tidy(array, stored)
    return ImageFile(array, axes, size, notes, words)


def _opened(path: Path, tiff: Any, series: Any) -> tuple[Any, str] | None:
    """Blocks of a series, and their axes; None if it is small, or not in parts."""
    page = series.keyframe
    if series.nbytes <= _OPEN_ABOVE or _number(page, ORIENTATION, 1) != 1:
        return None
    if _is_flat(page, series):
        number = tiff.series.index(series)
        return _samples_last(open_flat(path.absolute(), number), series.axes)
    try:
        blocks = open_series(path.absolute(), tiff.series.index(series), meaning_of)
        if blocks is None:
            return None
        blocks[(0,) * blocks.ndim]  # what cannot be decoded is better known now
    # the same as where all of it is read, which is then tried, and says why it cannot
    except (ValueError, NotImplementedError, RuntimeError):
        return None
    leading = series.axes[: series.axes.index("Y")]
    return blocks, leading + "YXS"[: blocks.ndim - len(leading)]


def _samples_last(array: Any, axes: str) -> tuple[Any, str]:
    """Move samples behind all other axes, if there are any."""
    if "S" not in axes:
        return array, axes
    order = [place for place, letter in enumerate(axes) if letter != "S"]
    return array.transpose([*order, axes.index("S")]), axes.replace("S", "") + "S"


def meaning_of(page: Any) -> Decode | None:
    """Say how parts (Y, X, S) of a page become gray (Y, X) or sRGB (Y, X, 3 or 4).

    None if their meaning depends on other parts, or S are channels.
    """
    samples, photometric = page.samplesperpixel, _photometric(page)
    mirrored = photometric == _MINISWHITE and page.dtype.kind == "f"
    if samples > 4 or mirrored or page.tags.get(_NODATA) is not None:
        return None
    is_imagej, path = page.parent.is_imagej, Path(page.parent.filename)

    def meant(stored: Array) -> Array:
        gray = samples == 1
        array = stored[..., 0] if gray else stored
        axes = "YX" if gray else "YXS"
        array, _ = _meant(array, axes, page, is_imagej=is_imagej)
        if page.iccprofile:
            array, _ = color_spaces.in_srgb(array, page.iccprofile, path)
            if photometric == _CMYK and array.shape[-1] > 3:
                array = color_spaces.from_cmyk(array)
        return array[..., 0] if array.shape[2:] in ((1,), (2,)) else array

    return meant


def _main_series(path: Path, tiff: Any) -> tuple[Any, tuple[str, ...]]:
    """First picture that is no thumbnail or mask, and what is said of the others."""
    series = [each for each in tiff.series if "Y" in each.axes and "X" in each.axes]
    if not series:
        raise ValueError("it holds no pictures")
    full = [each for each in series if not _is_secondary(each.keyframe)] or series
    largest = max(map(_plane, full))
    main = next(each for each in full if _THUMBNAIL * _plane(each) >= largest)
    if len(series) == 1:
        return main, ()
    number = series.index(main) + 1
    which = "the first" if number == 1 else f"picture {number}, the first in full size,"
    return main, (
        f"'{path}' holds {len(series)} pictures of different sizes or types; {which} "
        "was used.",
    )


def _is_secondary(page: Any) -> bool:
    return bool(page.is_reduced or page.is_mask)


def _plane(series: Any) -> int:
    return int(math.prod(series.shape[series.axes.index(axis)] for axis in "YX"))


def _decoded(path: Path, tiff: Any, series: Any) -> tuple[Array, str]:
    """Gray or RGB of a series, and the axes of the array; CMYK if it has a profile."""
    page = series.keyframe
    # bits become bytes
    folds = max(1, 8 * page.dtype.itemsize // max(1, page.bitspersample))
    check_claim(path, series.nbytes, path.stat().st_size * folds)
    bound_decoding(path, series)
    try:
        array = series.asarray()
    # tifffile's of kinds that it does not know, and those of the codecs
    except (ValueError, NotImplementedError, RuntimeError) as error:
        return _by_pillow(path, series, error)
    if page.tags.get(_NODATA) is not None:
        array = _without_nodata(array, series.axes, str(page.tags[_NODATA].value))
    return _meant(array, series.axes, page, is_imagej=tiff.is_imagej)


def _is_flat(page: Any, series: Any) -> bool:
    """Whether the values are large, contiguous, and stand in the file as meant."""
    as_stored = _photometric(page) in (_MINISBLACK, _RGB, _MASK)
    samples = series.shape[series.axes.index("S")] if "S" in series.axes else 3
    return (
        as_stored
        and series.nbytes > _SEEK_ABOVE
        and samples in (3, 4)
        and series.dataoffset is not None
        and page.bitspersample >= 8
        and page.tags.get(_NODATA) is None
        and not _is_converted(page)
    )


def _is_converted(page: Any) -> bool:
    """Whether a colour profile changes the values; a damaged one is told later."""
    try:
        return bool(page.iccprofile) and color_spaces.changes(
            page.iccprofile, page.dtype, page.samplesperpixel
        )
    except RuntimeError:
        return True


def _photometric(page: Any) -> int:
    """Value of PhotometricInterpretation; of RGB or gray where the file says none."""
    if page.tags.get(_PHOTOMETRIC) is None:
        return _RGB if page.samplesperpixel > 2 else _MINISBLACK
    return int(page.photometric)


def _meant(array: Array, axes: str, page: Any, *, is_imagej: bool) -> tuple[Array, str]:
    """Gray or RGB of the values that pages hold."""
    photometric = _photometric(page)
    if photometric == _PALETTE:
        if is_imagej:  # it keeps its display settings as palettes; the values count
            return array, axes
        return _looked_up(array, page.colormap), f"{axes}S"
    if photometric in (_MINISBLACK, _MINISWHITE, _RGB, _MASK):
        array = _spread(array, page.bitspersample)
        if photometric == _MINISWHITE:
            array = _inverted(array, page.bitspersample)
        return array, axes
    decode = _SAMPLES.get(photometric)
    if decode is None or _number(page, _INK_SET, 1) == _NOT_CMYK:
        space = getattr(page.photometric, "name", str(photometric))
        raise BadImageFile(
            f"The colours of '{page.parent.filename}' are stored as {space}, which "
            "cannot be read here. Open it in another program and save it as RGB."
        )
    if photometric == _YCBCR and page.compression not in _OF_BYTES:
        return array, axes
    if photometric == _CMYK and page.iccprofile:
        return array, axes  # the profile knows better
    return _on_samples(decode, array, axes)


def _looked_up(array: Array, colormap: Array) -> Array:
    """Colours of a palette; some programs write its 16 bits as 8."""
    shift = 8 if colormap.max() > 255 else 0
    return (colormap >> shift).astype(np.uint8).T[array.astype(np.intp)]


def _on_samples(
    decode: Callable[[Array], Array], array: Array, axes: str
) -> tuple[Array, str]:
    """Apply to samples, which become the last axis; what lies behind them is alpha."""
    place = axes.index("S")
    samples = np.moveaxis(array, place, -1)
    count = 4 if decode is color_spaces.from_cmyk else 3
    return decode(samples[..., :count]), f"{axes[:place]}{axes[place + 1 :]}S"


def _spread(array: Array, bits: int) -> Array:
    """Values of 2 to 7 bits over all of 8."""
    if array.dtype != np.uint8 or bits >= 8:
        return array
    most = 2**bits - 1
    levels = np.minimum(np.arange(256), most) * 255 // most
    spread: Array = levels.astype(np.uint8)[array]
    return spread


def _inverted(array: Array, bits: int) -> Array:
    """Values of a picture in which 0 is white, made so that low values are dark."""
    if array.dtype.kind == "u":
        inverted: Array = array.dtype.type(2 ** max(bits, 8) - 1) - array
        return inverted
    if array.dtype.kind == "f":  # has no white of its own: within its own range
        finite = array[np.isfinite(array)]
        return (finite.min() + finite.max()) - array if finite.size else array
    return ~array  # of signed integers: lowest to highest


def _without_nodata(array: Array, axes: str, text: str) -> Array:
    """Mask the value that GDAL says stands for missing ones; in all samples of RGB."""
    try:
        value = float(text.strip("\0 "))
    except ValueError:
        return array
    kind = array.dtype.kind
    fits = kind == "f" or (
        kind in "ui" and value == np.array(value).astype(array.dtype)
    )
    if not fits:
        return array
    missing = array == array.dtype.type(value)
    if "S" in axes:
        missing = missing.all(axis=axes.index("S"), keepdims=True)
    if not missing.any():
        return array
    return np.ma.MaskedArray(array, np.broadcast_to(missing, array.shape))


def _by_pillow(path: Path, series: Any, error: Exception) -> tuple[Array, str]:
    """Read kinds that tifffile does not know, such as JPEG of TIFF 6.0; as meant."""
    leading = series.shape[: series.axes.index("Y")]
    planes = []
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            for page in series.pages:
                image.seek(page.index)
                planes.append(pixels(image))
    except (OSError, TypeError, ValueError, SyntaxError, AttributeError):
        planes = []
    shapes = {plane.shape for plane in planes}
    if len(planes) != math.prod(leading) or len(shapes) != 1:
        if series.keyframe.compression == _NOT_PACKED:
            raise BadImageFile(
                f"'{path}' is damaged, or only a part of it is there ({error}). Copy "
                "it again, or save it anew in the program that made it."
            ) from error
        raise BadImageFile(
            f"'{path}' is damaged, or packed ({series.keyframe.compression.name}, "
            f"{series.keyframe.photometric.name}) in a way that cannot be read here "
            f"({error}). Save it without compression in the program that made it."
        ) from error
    array = np.stack(planes).reshape(*leading, *planes[0].shape)
    letters = "YXS" if planes[0].ndim == 3 else "YX"
    return array, series.axes[: len(leading)] + letters


def _tidy(array: Any, axes: str) -> tuple[Any, str]:
    """Keep letters that are ours and rename others; drop alpha and needless axes."""
    if isinstance(array, Blocks):
        kept = [
            place
            for place, letter in enumerate(axes)
            if letter in "TZCYXS" or array.shape[place] > 1
        ]
        array, axes = array.arranged(kept), "".join(axes[place] for place in kept)
    elif "S" in axes:
        place = axes.index("S")
        if array.shape[place] < 3:  # gray, or gray and alpha
            array, axes = array.take(0, place), axes.replace("S", "")
        elif array.shape[place] > 4:  # channels, not samples of one colour
            axes = axes.replace("S", "?")
    for place in reversed(range(len(axes))):
        if axes[place] not in "TZCYXS" and array.shape[place] == 1:
            array, axes = array.squeeze(place), axes[:place] + axes[place + 1 :]
    names = ""
    for letter in axes:
        if letter not in _LEADING + "YXS" or letter in names:
            free = [c for c in _LEADING[::-1] if c not in axes + names]
            letter = free[0] if free else "?"
        names += letter
    return array, names


def _number(page: Any, code: int, default: int) -> int:
    """Value of a tag that should be a number."""
    tag = page.tags.get(code)
    return tag.value if tag is not None and isinstance(tag.value, int) else default
