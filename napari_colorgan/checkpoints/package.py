"""What napari-colorgan takes from a BioImage.IO package that it wrote: a checkpoint.

A package may bring programs, so nothing else in it is read, and no other package.
"""

import contextlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from napari_colorgan.checkpoints.archive import open_zip
from napari_colorgan.checkpoints.foreign import ZIP, declares_too_much, is_package
from napari_colorgan.checkpoints.store import Checkpoint, check_checkpoint, load
from napari_colorgan.errors import CheckpointError

CHECKPOINT, CARD, DESCRIPTION = "checkpoint.safetensors", "README.md", "rdf.yaml"
"""Names in a package of ours, at its top."""

ABOUT_PACKAGE = "\n\n## This package\n\n"
"""Begins what the documentation adds to the model's card."""

_MAX_TEXT = 1 << 20  # bytes; a card has 20 kB
_MAX_CHECKPOINT = 1 << 30  # bytes, as of a file
_HEAD = (1 << 20) + 8  # bytes of it that tell what it declares
_MOST_OTHERS = 16  # times: the weights in up to four formats, of up to twice the bytes
_MAX_OTHERS = 1 << 26  # bytes of examples
_MOST_PACKED = 50  # times; weights hardly become smaller


def check_package(file: BinaryIO, path: Path) -> bool:
    """Whether this is a package of ours; compares what the checkpoint in it declares.

    Raises
    ------
    CheckpointError
        It is damaged, or see `check_checkpoint`.
    """
    with _reading(path), open_zip(file) as archive:
        if not _is_ours(archive):
            return False
        if CHECKPOINT not in archive.namelist():
            return True
        entry = _checked(archive, CHECKPOINT, _MAX_CHECKPOINT)
        with archive.open(entry) as part:
            head = part.read(_HEAD)
    check_checkpoint(io.BytesIO(head), path, entry.file_size)
    if file.seek(0, io.SEEK_END) > _MOST_OTHERS * entry.file_size + _MAX_OTHERS:
        raise declares_too_much(path)
    return True


def read_package(content: bytes, path: Path) -> tuple[Checkpoint, str] | None:
    """Checkpoint and card in a package of ours; None if the file is no package.

    Raises
    ------
    CheckpointError
        It is damaged, another program's, or of an older napari-colorgan.
    """
    if not content.startswith(ZIP):
        return None
    with _reading(path), zipfile.ZipFile(io.BytesIO(content)) as archive:
        if not _is_ours(archive):
            return None
        checkpoint = _part(archive, CHECKPOINT, _MAX_CHECKPOINT)
        card = _part(archive, CARD, _MAX_TEXT).decode("utf-8", errors="replace")
    if not checkpoint:
        raise CheckpointError(
            f"'{path}' is a BioImage.IO package of an older napari-colorgan, which put "
            "no checkpoint into it. Export the model again, as a package or as a "
            ".safetensors file."
        )
    card = card.replace("\r\n", "\n").partition(ABOUT_PACKAGE)[0]
    return load(path, checkpoint), f"{card.strip()}\n"


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # zipfile raises half a dozen types on damage
        raise CheckpointError(
            f"'{path}' is damaged: {error}. Fetch or export it again."
        ) from error


def _is_ours(archive: zipfile.ZipFile) -> bool:
    """Whether it is a BioImage.IO package, and not another program's."""
    return is_package(sorted(set(archive.namelist()))) and (
        b"napari_colorgan:" in _part(archive, DESCRIPTION, _MAX_TEXT)
    )


def _part(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    """Content of a file in an archive; empty if there is none."""
    if name not in archive.namelist():
        return b""
    return archive.read(_checked(archive, name, limit))


def _checked(archive: zipfile.ZipFile, name: str, limit: int) -> zipfile.ZipInfo:
    entry = archive.getinfo(name)
    # of what is declared, zipfile reads no more
    if entry.file_size > min(limit, _MOST_PACKED * max(entry.compress_size, 1 << 10)):
        raise ValueError(f"'{name}' declares {entry.file_size:,} bytes")
    return entry
