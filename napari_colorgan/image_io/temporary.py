"""Folders for results that are too large for memory and not saved yet.

Those whose process was killed are swept when another one makes one.
"""

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import Final

from napari_colorgan.drafts import DraftFolder
from napari_colorgan.errors import BadImageFile

SHARE: Final = 0.25
"""Of this machine's memory, that a result may fill."""
_MEMORY: Final = 8 << 30  # bytes, of machines that do not say


def fits_memory(bytes_needed: int, share: float = SHARE) -> bool:
    """Whether a result fills no more than a share of this machine's memory."""
    return bytes_needed <= share * _memory()


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
            draft = DraftFolder(parent)
        except OSError as error:
            raise BadImageFile(
                f"'{parent}' cannot be written: {error.strerror or error}. Set the "
                "environment variable TMPDIR to another folder."
            ) from error
        self.path = draft.path
        self.delete = weakref.finalize(self, draft.close)
        """Deletes it with all that is in it, when it is called or nobody needs it."""
