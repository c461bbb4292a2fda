"""Picture files to arrays.

TIFF is read by tifffile, everything else by Pillow. Which of them a file needs is
decided by its first bytes, not by its name.
"""

import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
import tifffile
from PIL import Image, ImageOps, ImageSequence

from napari_colorgan.errors import BadImageFile, OutOfMemory
from napari_colorgan.image_io import pixel_size
from napari_colorgan.image_io.pixel_size import PixelSize

Array = npt.NDArray[Any]

_MAP_ABOVE = 1 << 28  # bytes; smaller files are safer read: they may change meanwhile
_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")  # none runs another program
_LEADING = "TZCPRMQI"  # letters of `inference.axes`; files know some twenty more
_MINISWHITE, _PALETTE, _CMYK = 0, 3, 5  # values of the TIFF tag Photometric


@dataclass(frozen=True, slots=True)
class ImageFile:
    """What was read from a picture file."""

    array: Array
    """Values as stored; large uncompressed TIFFs are mapped, not read."""
    axes: str
    """One letter per dimension: Y, X, leading ones, and S for RGB samples."""
    pixel_size: PixelSize | None = None
    notes: tuple[str, ...] = ()
    """Sentences about what of the file was left out."""


def read_image(path: Path, axes: str | None = None) -> ImageFile:
    """Read PNG, JPEG, TIFF, WebP, BMP or GIF.

    Gray pictures of 1, 8 and 16 bits and of floating point keep their type; palettes
    become RGB, transparency is dropped, and frames of an animation become the axis T.
    A TIFF that holds several pictures of different sizes gives its first, with a note.

    Parameters
    ----------
    axes : what the dimensions are, if the file does not say or is wrong; not checked

    Raises
    ------
    BadImageFile
        The file is missing, damaged, or of no such format.
    OutOfMemory
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
        read = _read_tiff if start in _TIFF_STARTS else _read_with_pillow
        return read(path, axes)
    except BadImageFile:
        raise
    except MemoryError as error:
        raise OutOfMemory(
            f"'{path}' does not fit into memory. Close other programs, or save it as "
            "an uncompressed TIFF, which is read piece by piece."
        ) from error
    except Image.DecompressionBombError as error:
        raise BadImageFile(
            f"'{path}' is too large for its format to be read safely: {error} Save it "
            "as a TIFF and use that."
        ) from error
    except PIL.UnidentifiedImageError as error:
        raise BadImageFile(
            f"'{path}' is not a picture that can be read here. Give a PNG, JPEG, TIFF, "
            "WebP, BMP or GIF file."
        ) from error
    except Exception as error:  # decoders raise a dozen types on damaged files
        if isinstance(error, OSError) and error.strerror:  # decoders give no strerror
            raise BadImageFile(
                f"'{path}' cannot be read: {error.strerror}. Check the path and its "
                "permissions."
            ) from error
        raise BadImageFile(
            f"'{path}' is damaged or of an unusual kind ({error}). Fetch it again, or "
            "open it in another program and save it as PNG or TIFF."
        ) from error


def _read_with_pillow(path: Path, axes: str | None) -> ImageFile:
    with warnings.catch_warnings():
        # a scan of 100 megapixels is no attack; twice as much is refused as an error
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path, formats=_PILLOW_FORMATS) as image:
            size = pixel_size.of_dpi(image.info.get("dpi"))
            is_png = image.format == "PNG"
            # MPO is a phone's JPEG with a second view or a thumbnail behind it
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                frames = [_pixels(frame) for frame in ImageSequence.Iterator(image)]
                array, found = np.stack(frames), "TYX"
            else:
                array, found = _pixels(ImageOps.exif_transpose(image)), "YX"
    if array.ndim > len(found):
        found += "S"
    notes: tuple[str, ...] = ()
    if is_png and array.dtype == np.uint8 and _bits_of_png(path) == 16:
        notes = (
            f"'{path}' has colour or transparency at 16 bits per channel, which was "
            "reduced to 8; a TIFF would keep all of them.",
        )
    return ImageFile(array, axes or found, size, notes)


def _pixels(image: Image.Image) -> Array:
    """Gray (Y, X) of its own type, or RGB (Y, X, 3) uint8."""
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
        return np.asarray(image)
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("L"))
    if image.mode in ("P", "PA"):  # via RGBA, for Pillow warns of lost transparency
        return np.asarray(image.convert("RGBA"))[..., :3]
    return np.asarray(image.convert("RGB"))


def _bits_of_png(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # within IHDR, which always comes first


def _read_tiff(path: Path, axes: str | None) -> ImageFile:
    with tifffile.TiffFile(path) as tiff:
        if not tiff.series:
            raise ValueError("it holds no pictures")
        series, page = tiff.series[0], tiff.series[0].keyframe
        # ImageJ keeps its display settings as palettes; the values are what it means
        coded = not tiff.is_imagej and page.photometric in (_MINISWHITE, _PALETTE)
        array = _tiff_values(path, series, may_map=not coded)
        if coded and array.shape == series.shape:  # else Pillow has decoded them
            if page.photometric == _PALETTE:
                array = (page.colormap >> 8).astype(np.uint8).T[array]
            else:
                array = _inverted(array, page.bitspersample)
        size = pixel_size.of_tiff(tiff)
        notes: tuple[str, ...] = ()
        if len(tiff.series) > 1:
            notes = (
                f"'{path}' holds {len(tiff.series)} pictures of different sizes or "
                "types; the first was used.",
            )
    if axes is not None:
        return ImageFile(array, axes, size, notes)
    named = series.axes
    if array.ndim > len(named):  # RGB of a palette or of some other kind of colour
        named += "S"
    return ImageFile(*_tidy(array, named), size, notes)


def _tiff_values(path: Path, series: Any, *, may_map: bool) -> Array:
    """Read or map what a series holds; by Pillow where tifffile lacks the codec."""
    array: Array
    if series.keyframe.photometric == _CMYK:
        return _tiff_by_pillow(path, series)
    if may_map and series.nbytes > _MAP_ABOVE and series.dataoffset is not None:
        array = tifffile.memmap(path, mode="r")
        return array
    try:
        array = series.asarray()
        return array
    except (ValueError, ImportError) as error:  # the latter for Zstandard
        if isinstance(error, ValueError) and "imagecodecs" not in str(error):
            raise
    return _tiff_by_pillow(path, series)


def _tiff_by_pillow(path: Path, series: Any) -> Array:
    leading = series.shape[: series.axes.index("Y")]
    plane = series.shape[len(leading) :][:2]
    pages = []
    try:
        with Image.open(path, formats=("TIFF",)) as image:
            for page in series.pages:
                image.seek(page.index)
                pages.append(_pixels(image))
    except (OSError, TypeError, ValueError, SyntaxError, AttributeError):
        pages = []  # a kind that Pillow does not know
    same = {page.shape for page in pages}
    if len(pages) != math.prod(leading) or len(same) != 1 or same.pop()[:2] != plane:
        raise BadImageFile(
            f"'{path}' is damaged, or packed ({series.keyframe.compression.name}, "
            f"{series.keyframe.photometric.name}) in a way that needs another package. "
            "Run: pip install imagecodecs, or save the picture without compression."
        )
    return np.stack(pages).reshape(*leading, *pages[0].shape)


def _inverted(array: Array, bits: int) -> Array:
    """Values of a picture in which 0 is white, made so that 0 is black."""
    if array.dtype.kind == "b":
        return ~array
    if array.dtype.kind == "u":
        inverted: Array = array.dtype.type(2**bits - 1) - array
        return inverted
    return array


def _tidy(array: Array, axes: str) -> tuple[Array, str]:
    """Keep letters that are ours and rename others; drop alpha and needless axes."""
    if "S" in axes:
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
