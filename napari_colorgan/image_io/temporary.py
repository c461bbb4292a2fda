"""Folders for results that are too large for memory and not saved yet.

Each is locked by the process it belongs to. Those whose process is gone, for it was
killed, are swept when the next one begins.
"""

import contextlib
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from napari_colorgan.errors import BadImageFile

_PREFIX: Final = "napari-colorgan-"
_LOCK: Final = "in-use.lock"
SHARE: Final = 0.25
"""Of this machine's memory, that a result may fill."""
_MEMORY: Final = 8 << 30  # bytes, of machines that do not say


def fits_memory(bytes_needed: int) -> bool:
    """Whether a result fills no more than a share of this machine's memory."""
    return bytes_needed <= SHARE * _memory()


def _memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        return _MEMORY


class TemporaryFolder:
    """A folder that lives as long as this object, and no longer than the process.

    Raises
    ------
    BadImageFile
        There is no place for it, or not enough.
    """

    def __init__(self, bytes_needed: int) -> None:
        sweep()
        parent = Path(tempfile.gettempdir())
        free = shutil.disk_usage(parent).free
        if free < bytes_needed:
            raise BadImageFile(
                f"The result needs up to {bytes_needed / 1e9:.1f} GB, and "
                f"'{parent}' has {free / 1e9:.1f} GB left. Free some space, set the "
                "environment variable TMPDIR to a folder of a larger disk, or colour "
                "the file in a terminal: colorgan colorize IN OUT.zarr"
            )
        try:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        except OSError as error:
            raise BadImageFile(
                f"'{parent}' cannot be written: {error.strerror or error}. Set the "
                "environment variable TMPDIR to another folder."
            ) from error
        lock = FileLock(self.path / _LOCK)
        lock.acquire()
        self.delete = weakref.finalize(self, _delete, lock, self.path)
        """Deletes it with all that is in it, when it is called or nobody needs it."""


def _delete(lock: FileLock, folder: Path) -> None:
    lock.release()
    shutil.rmtree(folder, ignore_errors=True)


def sweep() -> None:
    """Delete folders of processes that are gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if not (folder / _LOCK).exists():
            continue
        with contextlib.suppress(OSError, Timeout):
            with FileLock(folder / _LOCK, timeout=0):
                pass
            shutil.rmtree(folder, ignore_errors=True)
