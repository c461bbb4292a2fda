"""Files of models are read whole only after a look at what they declare."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from napari_colorgan.checkpoints.foreign import unreadable
from napari_colorgan.errors import CheckpointError
from napari_colorgan.regular import open_regular

_MAX_FILE = 1 << 30  # bytes; a U-Net of 10 halvings has 0.3 GB


def read_bounded(path: Path, check: Callable[[BinaryIO, Path], object]) -> bytes:
    """Read a file, unless `check` raises at a look into it.

    Raises
    ------
    CheckpointError
        Of `check`; or the file cannot be read, or is larger than any generator.
    """
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > _MAX_FILE:
                raise CheckpointError(
                    f"'{path}' has more than {_MAX_FILE >> 30} GB, which no generator "
                    "needs. Choose the file of the generator alone."
                )
            check(file, path)
            file.seek(0)
            return file.read(_MAX_FILE)
    except OSError as error:
        raise unreadable(path, error) from error
