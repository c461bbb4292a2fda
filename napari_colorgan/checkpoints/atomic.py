"""Files that are replaced in one step; nothing half-written is ever seen."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from napari_colorgan.drafts import Draft
from napari_colorgan.errors import CheckpointError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that becomes `path` at the end, unless an error is raised before.

    Raises
    ------
    CheckpointError
        The folder does not exist, is not writable, or the disk is full.
    """
    # not by `tempfile`, whose files nobody else may read: models are shared
    try:
        with Draft(path) as draft:
            with draft.path.open("r+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            draft.publish()
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> CheckpointError:
    """Return the error of a file that cannot be written."""
    return CheckpointError(
        f"'{path}' cannot be written: {error.strerror or error}. Choose another place "
        "or free some space."
    )
