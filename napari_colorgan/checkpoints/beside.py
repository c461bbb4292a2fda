"""Card and picture of a model that lie beside its file.

So former versions stored them, and so those of the package are; and a training puts a
picture beside what it writes. A change of a user's model encloses them first.
"""

import contextlib
from pathlib import Path

from napari_colorgan.checkpoints.enclosed import (
    Enclosed,
    enclose,
    enclosed_in,
    encloses,
)
from napari_colorgan.checkpoints.metadata import read_header
from napari_colorgan.drafts import sweep_own
from napari_colorgan.errors import CheckpointError
from napari_colorgan.regular import is_regular, read_regular

_CARD, _PICTURE = ".md", ".jpg"
_MOST_BYTES = 8_000_000  # of a picture; ours have 60,000
_MOST_TEXT = 1 << 20  # bytes of a card; ours have 5,000


def paths_beside(path: Path) -> tuple[Path, Path]:
    """Where card and picture of a model would lie."""
    return path.with_suffix(_CARD), path.with_suffix(_PICTURE)


def enclosed_of(path: Path) -> Enclosed:
    """Card and picture of a model; empty if they are not what was enclosed."""
    try:
        header = read_header(path)
    except CheckpointError:
        return _read_beside(path)
    try:
        enclosed = enclosed_in(header, path)
    except CheckpointError:
        return Enclosed()
    return _read_beside(path) if enclosed is None else enclosed


def make_one_file(path: Path) -> None:
    """Enclose the card and the picture that lie beside a model.

    Whatever happens to the process: the model has them, and no other model gets them.

    Raises
    ------
    CheckpointError
        It cannot be read or written; then nothing has changed.
    """
    if not encloses(read_header(path)):
        enclose(path, _read_beside(path))
        for beside in paths_beside(path):
            with contextlib.suppress(OSError):
                beside.unlink()


def repair(folder: Path) -> None:
    """Remove what a killed process has left among models: drafts, and second copies.

    A file beside a model is a copy if it is what the model's own file encloses.
    """
    sweep_own(folder)
    for path in folder.glob("*.safetensors"):
        if any(map(is_regular, paths_beside(path))):
            with contextlib.suppress(CheckpointError, OSError):
                _remove_copies(path)


def read_beside(path: Path, most: int = _MOST_BYTES) -> bytes:
    """Content of what came with a model; empty for what is no file, or endless."""
    try:
        content = read_regular(path, most)
    except OSError:
        return b""
    return content if len(content) <= most else b""


def _read_beside(path: Path) -> Enclosed:
    card, picture = paths_beside(path)
    text = read_beside(card, _MOST_TEXT).decode("utf-8-sig", errors="replace")
    return Enclosed(text, read_beside(picture))


def _remove_copies(path: Path) -> None:
    enclosed = enclosed_in(read_header(path), path)
    if enclosed is not None:
        contents = (enclosed.card.encode(), enclosed.picture)
        for beside, content in zip(paths_beside(path), contents, strict=True):
            if content and read_beside(beside) == content:
                beside.unlink()
