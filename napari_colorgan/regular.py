"""Files that may have been put anywhere by anybody: only regular ones are opened.

A pipe waits for its writer, a device may never end, and to open one may do something.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path) -> BinaryIO:
    """Open a file to read its bytes; a link is followed.

    Raises
    ------
    OSError
        There is no such file, it may not be read, or it is none; `strerror` says so.
    """
    try:
        _check(os.stat(path).st_mode)
        file = open(path, "rb", opener=_open)
    except ValueError as error:  # NUL in the name
        raise OSError(errno.EINVAL, "no file can have this name") from error
    try:
        _check(os.fstat(file.fileno()).st_mode)  # it may be another one by now
    except BaseException:
        file.close()
        raise
    return file


def read_regular(path: Path, most: int) -> bytes:
    """Content of a file; of what is larger, `most` + 1 bytes.

    Raises
    ------
    OSError
        See `open_regular`.
    """
    with open_regular(path) as file:
        return file.read(most + 1)


def is_regular(path: Path) -> bool:
    """Whether this is a file, or a link to one."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):  # a name too long for the file system, or with NUL
        return False


def _open(path: str, flags: int) -> int:
    # Windows has neither; a pipe would wait, a terminal become that of the process
    return os.open(
        path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
    )


def _check(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "of an unknown kind")
        raise OSError(errno.EINVAL, f"it is {kind}, not a file")
