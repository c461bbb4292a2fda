"""ZIP files of arrays, as `numpy.savez` writes them: each is read whole, or refused.

`numpy.load` reads as much of an entry as its header asks for, so that a bit in there
shifts an array or cuts it, and the checksum at the end is never looked at. Here every
byte counts, and nothing is larger in memory than it is on the disk. Free of torch.
"""

import ast
import io
import math
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_colorgan.checkpoints.archive import open_zip
from napari_colorgan.errors import ColorganError

_DIRECTORY = 4 << 20  # bytes of a file's list of entries, at most
_TEXT = 16 << 20  # bytes of an entry that is no array, at most
_AT_ONCE = 1 << 20  # bytes
_END = 22  # bytes of the record after the list of entries
_HEADER = 10_000  # bytes of what an entry says of its array; it is about 100
_KINDS = "?bhilqBHILQefd"  # of numbers: no objects, texts, dates


class TooLarge(ColorganError):
    """More is in a file than there can be."""


class ArrayFile:
    """The entries of an open file."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive = archive
        entries = archive.infolist()
        self.names = frozenset(entry.filename for entry in entries)
        """Of all entries; those of arrays end in .npy."""
        self.size = sum(entry.file_size for entry in entries)
        """Of all entries in bytes."""
        if len(self.names) < len(entries) or self.size > size:
            raise ValueError("its entries overlap")
        if archive.comment or any(entry.comment for entry in entries):
            # which may hide an entry
            raise ValueError("it has comments")
        for entry in entries:
            if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
                raise ValueError("it is compressed or encrypted")

    def text(self, name: str) -> bytes:
        """Read an entry that is no array.

        Raises
        ------
        TooLarge, ValueError, KeyError, zipfile.BadZipFile
        """
        size = self._archive.getinfo(name).file_size
        if size > _TEXT:
            raise TooLarge(f"'{name}' has {size / 1e6:.0f} MB")
        return bytes(self._content(name))

    def array(self, name: str) -> npt.NDArray[Any]:
        """Read the array NAME.npy, which can be written to.

        Raises
        ------
        ValueError, KeyError, zipfile.BadZipFile
        """
        content = self._content(f"{name}.npy")
        dtype, shape, in_columns, place = _header(content)
        if math.prod(shape) * dtype.itemsize != len(content) - place:
            raise ValueError(f"'{name}' is not as long as it says")
        flat = np.frombuffer(content, dtype, offset=place)
        return flat.reshape(shape, order="F" if in_columns else "C")

    def check(self) -> None:
        """Compare every entry with its checksum, without keeping any in memory.

        Raises
        ------
        zipfile.BadZipFile
        """
        for name in self.names:
            with self._archive.open(name) as file:
                while file.read(_AT_ONCE):
                    pass

    def _content(self, name: str) -> bytearray:
        """All bytes of an entry, of which the checksum is right."""
        entry = self._archive.getinfo(name)
        content, place = bytearray(entry.file_size), 0
        with self._archive.open(entry) as file, memoryview(content) as view:
            while part := file.read(_AT_ONCE):
                view[place : place + len(part)] = part  # raises where it does not fit
                place += len(part)
        if place < len(content):
            raise ValueError(f"'{name}' is cut off")
        return content


@contextmanager
def opened(path: Path) -> Iterator[ArrayFile]:
    """Open a file of arrays.

    Raises
    ------
    OSError, ValueError, zipfile.BadZipFile
        It cannot be read, or is something else.
    """
    about = path.stat()
    if not (stat.S_ISREG(about.st_mode) or path.is_dir()):  # which cannot be opened
        raise ValueError("it is no regular file")
    with path.open("rb") as file, open_zip(file, _DIRECTORY) as archive:
        entries = ArrayFile(archive, about.st_size)
        file.seek(-_END, io.SEEK_END)
        count = int.from_bytes(file.read(_END)[10:12], "little")
        if count != min(len(entries.names), 0xFFFF):  # which `zipfile` does not compare
            raise ValueError("its list of entries is damaged")
        yield entries


def _header(content: bytearray) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    """Type, shape, whether it is stored in columns, and where the array begins.

    Parsed here: `numpy` says aloud what it finds odd.
    """
    major, minor = np.lib.format.read_magic(start := io.BytesIO(content[:_HEADER]))
    if (major, minor) not in ((1, 0), (2, 0)):
        raise ValueError("its arrays are of another version")
    wide = 2 if major == 1 else 4
    length = int.from_bytes(start.read(wide), "little")
    text = start.read(length)
    if len(text) < length:
        raise ValueError("a header is too long")
    values = ast.literal_eval(text.decode("latin1").strip())
    shape, in_columns = values["shape"], values["fortran_order"]
    dtype = np.dtype(values["descr"])
    if dtype.char not in _KINDS or not dtype.isnative or len(values) != 3:
        raise ValueError("its arrays are of another type")
    if type(in_columns) is not bool or type(shape) is not tuple:
        raise ValueError("a header is damaged")
    if any(type(side) is not int or side < 0 for side in shape):
        raise ValueError("a shape is damaged")
    return dtype, shape, in_columns, start.tell()
