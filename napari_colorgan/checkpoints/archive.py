"""ZIP files of anyone, of which little is read to tell what they hold."""

import io
import zipfile
from typing import BinaryIO

_MOST = 1 << 21  # bytes at a time; a directory of 4096 parts has 0.4 MB


def open_zip(file: BinaryIO, most: int = _MOST) -> zipfile.ZipFile:
    """Open a ZIP file to look at; neither it nor a part of it can be read whole.

    Parameters
    ----------
    most : bytes that are read at a time, of which its directory needs most

    Raises
    ------
    Exception
        Of any kind: it is damaged, or its directory is larger than any of ours.
    """
    return zipfile.ZipFile(_Bounded(file, most))


class _Bounded:
    """A file that is read in small pieces."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._most = most

    def read(self, size: int = -1) -> bytes:
        if size > self._most:
            raise ValueError(f"it has a part of {size:,} bytes that is no model")
        return self._file.read(size if size >= 0 else self._most)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Leave the file open."""
