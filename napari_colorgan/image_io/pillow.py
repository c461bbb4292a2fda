"""PNG, JPEG, WebP, BMP and GIF files to arrays, by Pillow."""

import warnings
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from napari_colorgan.arrays import Array
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import color_spaces, pixel_size, tags
from napari_colorgan.image_io.bounds import check_claim
from napari_colorgan.image_io.image_file import ORIENTATION, ImageFile, upright

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
"""That Pillow reads; none runs another program."""
_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "LA": 4}
"""Of a px of a mode as Pillow keeps it; of others 4."""
_SCAN, _MOST_SCANS = b"\xff\xda", 200
_BAND = 1 << 22  # px converted at once, for every conversion makes a copy or two


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
            count = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
            _check(path, image, count)
            if count > 1:
                array, letters = _frames(image, count), "TYX"
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


def _check(path: Path, image: Image.Image, count: int) -> None:
    """Refuse what needs far more memory than the file can be a picture of."""
    decoded = image.width * image.height * _BYTES.get(image.mode, 4)
    needed = decoded if count == 1 else decoded + count * image.width * image.height * 3
    check_claim(path, needed, path.stat().st_size)
    # every scan of a JPEG may repaint all of it; cameras and programs make ten
    if image.info.get("progressive") and image.format in ("JPEG", "MPO"):
        with path.open("rb") as file:
            scans = sum(
                part.count(_SCAN) for part in iter(partial(file.read, 1 << 20), b"")
            )
        if scans > _MOST_SCANS:
            raise BadImageFile(
                f"'{path}' is painted over {scans} times while it is read, as no "
                "program saves a JPEG. It is made to do harm: fetch it again."
            )


def _frames(image: Image.Image, count: int) -> Array:
    """Frames of an animation, (T, Y, X) or (T, Y, X, 3)."""
    first = pixels(image)
    frames = np.empty((count, *first.shape), first.dtype)
    for number in range(count):
        image.seek(number)
        frame = pixels(image)
        if frame.ndim < first.ndim:
            frame = np.broadcast_to(frame[..., None], first.shape)
        elif frame.ndim > first.ndim:  # gray until now
            frames = np.repeat(frames[..., None], 3, axis=-1)
            first = frame
        frames[number] = frame
    return frames


def pixels(image: Image.Image, profile: bytes | None = None) -> Array:
    """Gray (Y, X) of its own type, or RGB (Y, X, 3) uint8.

    CMYK stays (Y, X, 4) where there is a profile, which may convert it better.
    """
    image.load()
    rows = max(1, _BAND // max(1, image.width))
    if rows >= image.height:
        return _pixels(image, profile)
    out: Array | None = None
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        part = _pixels(image.crop((0, top, image.width, bottom)), profile)
        if out is None:
            out = np.empty((image.height, *part.shape[1:]), part.dtype)
        out[top:bottom] = part
    assert out is not None
    return out


def _pixels(image: Image.Image, profile: bytes | None) -> Array:
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
