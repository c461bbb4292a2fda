"""PNG, JPEG, WebP, BMP and GIF files to arrays, by Pillow."""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from napari_colorgan.arrays import Array
from napari_colorgan.image_io import color_spaces, pixel_size, tags
from napari_colorgan.image_io.image_file import ORIENTATION, ImageFile, upright

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""That Pillow reads; none runs another program."""


def read_with_pillow(path: Path, axes: str | None) -> ImageFile:
    """Read the picture or the frames of a file; see `read_image`."""
    with warnings.catch_warnings():
        # a scan of 100 megapixels is no attack; twice as much is refused as an error
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path, formats=FORMATS) as image:
            size = pixel_size.of_dpi(image.info.get("dpi"))
            is_png = image.format == "PNG"
            profile = image.info.get("icc_profile")
            # MPO is a phone's JPEG with a second view or a thumbnail behind it
            if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
                frames = [pixels(frame) for frame in ImageSequence.Iterator(image)]
                array, letters = np.stack(frames), "TYX"
            else:
                array, letters = pixels(image, profile), "YX"
                turn = _orientation(image)
                array = upright(array, turn, (0, 1))
                if size is not None and turn > 4:
                    size = size.turned()
            words = tags.of_pillow(image)
    notes: tuple[str, ...] = ()
    if profile:
        array, notes = color_spaces.in_srgb(array, profile, path)
        if array.shape[-1] == 4:  # CMYK beside a profile of something else
            array = color_spaces.from_cmyk(array)
    if array.ndim > len(letters):
        letters += "S"
    if is_png and array.dtype == np.uint8 and _bits_of_png(path) == 16:
        notes += (
            f"'{path}' has colour or transparency at 16 bits per channel, which was "
            "reduced to 8; a TIFF would keep all of them.",
        )
    return ImageFile(array, axes or letters, size, notes, words)


def pixels(image: Image.Image, profile: bytes | None = None) -> Array:
    """Gray (Y, X) of its own type, or RGB (Y, X, 3) uint8.

    CMYK stays (Y, X, 4) where there is a profile, which may convert it better.
    """
    if image.mode in ("1", "L", "I", "F") or image.mode.startswith("I;16"):
        return np.asarray(image)
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("L"))
    if image.mode in ("P", "PA"):  # via RGBA, for Pillow warns of lost transparency
        return np.asarray(image.convert("RGBA"))[..., :3]
    if image.mode == "CMYK" and profile:
        return np.asarray(image)
    return np.asarray(image.convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """Orientation of EXIF or XMP; of what is damaged, upright."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # its parser raises whatever the bytes lead to
        return 1


def _bits_of_png(path: Path) -> int:
    with path.open("rb") as file:
        return file.read(25)[24]  # within IHDR, which always comes first
