"""What a picture file may claim: no more memory than such a picture can need.

A few bytes can stand for gigabytes in every format that packs its values. Honest files
of much are large: no scan or photograph is packed to a 256th.
"""

from pathlib import Path

from napari_colorgan.errors import BadImageFile, OutOfMemory
from napari_colorgan.image_io.temporary import fits_memory

ROOM = 256 << 20
"""Bytes that any file may need, however small it is: of a blank scan of 16,384 px."""
_RATIO = 256


def check_claim(path: Path, needed: int, held: int) -> None:
    """Make sure that what a file claims can be what it holds, before it is read.

    Parameters
    ----------
    needed : bytes of memory for what is to be read at once
    held : bytes of the file

    Raises
    ------
    BadImageFile
        So much cannot come out of a file of this size, unless it is made to do harm.
    OutOfMemory
    """
    if needed > ROOM and needed > _RATIO * held:
        raise BadImageFile(
            f"'{path}' has {_size(held)} and claims to unpack to {_size(needed)}, as "
            "no scan or photograph does. If you know where it is from, open it in the "
            "program that made it, and save it as a TIFF without compression."
        )
    if not fits_memory(needed, share=1.0):
        raise OutOfMemory(
            f"'{path}' needs {_size(needed)} of memory, which is more than this "
            "machine has. Save it as an uncompressed TIFF or as OME-Zarr, which are "
            "read piece by piece."
        )


def too_long(path: Path, expected: int) -> BadImageFile:
    """Return the error of a part that unpacks to more than its own size."""
    return BadImageFile(
        f"A part of '{path}' unpacks to more than the {_size(expected)} that it is "
        "said to hold. The file is damaged, or made to do harm: fetch it again."
    )


def too_short(path: Path) -> BadImageFile:
    """Return the error of a file that ends before its values do."""
    return BadImageFile(
        f"'{path}' ends before its pixels do: only a part of it is there, or it was "
        "shortened while it was read. Copy it again."
    )


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.3g} {unit}"
    return f"{count} bytes"
