"""Picture files to arrays.

TIFF is read by tifffile, everything else by Pillow. Which of them a file needs is
decided by its first bytes, not by its name.
"""

from dataclasses import replace
from pathlib import Path

import PIL
from PIL import Image

from napari_colorgan.errors import BadImageFile, ColorganError, OutOfMemory
from napari_colorgan.image_io.bounds import check_claim
from napari_colorgan.image_io.image_file import ImageFile
from napari_colorgan.image_io.ome_zarr import is_zarr, read_ome_zarr
from napari_colorgan.image_io.pillow import read_with_pillow
from napari_colorgan.image_io.tiff import read_tiff
from napari_colorgan.regular import is_regular, open_regular

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read_image(
    path: Path, axes: str | None = None, *, by_blocks: bool = False
) -> ImageFile:
    """Read PNG, JPEG, TIFF, WebP, BMP or GIF, or open a zarr store.

    Gray pictures of 1, 8 and 16 bits and of floating point keep their type, of 2 to 7
    bits become 8; colours of any kind become sRGB, by the file's profile if it has one;
    transparency is dropped, frames of an animation become the axis T, and pictures
    stand as their orientation says. A TIFF that holds several pictures of different
    sizes gives the first that is no thumbnail, with a note.

    Parameters
    ----------
    axes : what the dimensions are, if the file does not say or is wrong; not checked
    by_blocks : give `Blocks` of zarr stores and of large TIFFs in tiles or strips

    Raises
    ------
    BadImageFile
        The file is missing, damaged, or of no such format.
    OutOfMemory
    """
    try:
        if path.is_dir():
            image = _read_folder(path, axes)
            return image if by_blocks else _whole(path, image)
        with open_regular(path) as file:
            start = file.read(4)
        if start in _TIFF_STARTS:
            return read_tiff(path, axes, by_blocks=by_blocks)
        return read_with_pillow(path, axes)
    except ColorganError:
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
            "WebP, BMP or GIF file, or a zarr store."
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


def _whole(path: Path, image: ImageFile) -> ImageFile:
    """Read all of a store, once it is clear that it is a picture of that size."""
    held = sum(file.stat().st_size for file in path.rglob("*") if is_regular(file))
    check_claim(path, image.array.nbytes, held)
    return replace(image, array=image.array[...])


def _read_folder(path: Path, axes: str | None) -> ImageFile:
    if not is_zarr(path):
        raise BadImageFile(
            f"'{path}' is a folder that cannot be read, for it is no zarr store. Give "
            "a picture in it."
        )
    return read_ome_zarr(path, axes)
