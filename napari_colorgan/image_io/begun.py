"""Begin growing files, and go on with those that were begun."""

import contextlib
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_colorgan.drafts import DraftFolder
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.growing import GrowingFile, Levels, grid_of, remove
from napari_colorgan.image_io.ome_zarr import SUFFIX, import_zarr, is_zarr
from napari_colorgan.image_io.ome_zarr_levels import OmeZarrLevels, check_leading
from napari_colorgan.image_io.pixel_size import PixelSize
from napari_colorgan.image_io.progress import Finished
from napari_colorgan.image_io.reading import read_image
from napari_colorgan.image_io.tags import Record, Tags
from napari_colorgan.image_io.tiff_levels import TiffLevels

LARGE = 1 << 26
"""Px of a plane above which a TIFF is made of tiles, with a pyramid."""
_BYTES = 4
"""Of a px of an unpacked result with its pyramid, a third as large."""
_TIFFS = (".tif", ".tiff")
_MAY_DIFFER = ("complete", "device", "engine", "note", "source")
_WORDS = {"digest": "other weights of the model", "picture": "another picture"}


def grows(path: Path, shape: tuple[int, ...], *, resume: bool = False) -> bool:
    """Whether a result is written chunk by chunk, and so may be of any size.

    Parameters
    ----------
    shape : of the gray array, (..., Y, X)
    resume : whether it should be possible to go on with it, if its type allows it
    """
    suffix = path.suffix.lower()
    is_large = resume or shape[-2] * shape[-1] > LARGE
    return suffix == SUFFIX or (suffix in _TIFFS and is_large)


def is_begun(path: Path) -> bool:
    """Whether a result was begun chunk by chunk and is not complete."""
    return path.exists() and _record_of(path).exists()


def discard(path: Path) -> None:
    """Remove what was begun, and what is known of it."""
    remove(path)
    _record_of(path).unlink(missing_ok=True)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a path for what takes the place of `path` at the end of the block.

    If the block raises, what was there stays. Where nothing was, it is `path` itself.

    Raises
    ------
    BadImageFile
    """
    if not path.exists():
        yield path
        return
    try:
        draft = DraftFolder(path.parent)
    except OSError as error:
        raise _unreplaced(path, error) from error
    with draft:
        yield draft.new / path.name
        try:
            draft.swap(path.name)
            _record_of(path).unlink(missing_ok=True)
        except OSError as error:
            raise _unreplaced(path, error) from error


def _unreplaced(path: Path, error: OSError) -> BadImageFile:
    return BadImageFile(
        f"'{path}' cannot be replaced: {error.strerror or error}. Close what has it "
        "open, or give another name, in a folder that may be written to."
    )


def check_growing(
    path: Path, leading: str, *, force: bool = False, resume: bool = False
) -> None:
    """Make sure that a result can be begun or gone on with, before it is computed.

    Parameters
    ----------
    leading : letters of the axes before Y and X

    Raises
    ------
    BadImageFile
    """
    if _is_store(path):
        import_zarr(path)
        check_leading(path, leading)
    if not path.parent.is_dir():
        raise BadImageFile(
            f"'{path}' cannot be written: there is no folder '{path.parent}'. Choose a "
            "folder that exists."
        )
    if not path.exists() or resume:
        return
    if path.is_dir() and not (
        _is_store(path) and (is_zarr(path) or not any(path.iterdir()))
    ):
        raise BadImageFile(
            f"'{path}' is a folder and no zarr store, so it is not replaced. Give "
            "another name."
        )
    if path.is_dir() and path.is_symlink():
        raise BadImageFile(
            f"'{path}' is a link to the store '{path.resolve()}', and no link is "
            "replaced. Give the name of the store itself, or remove the link only."
        )
    if not force:
        raise BadImageFile(
            f"'{path}' exists already. Give another name, --resume to go on with it, "
            "or --force to replace it."
        )


def open_growing(
    path: Path,
    shape: tuple[int, ...],
    leading: str,
    size: PixelSize | None = None,
    *,
    tags: Tags | None = None,
    made: Record,
    resume: bool = False,
) -> GrowingFile | None:
    """Begin a result that `check_growing` accepts, or go on with it.

    Parameters
    ----------
    shape : of the gray array, (..., Y, X)
    size : of a pixel
    tags : what the file that is coloured says of itself, to be kept in TIFFs
    made : how it is coloured, and of what: with other colours nothing is gone on with
    resume : go on with what is there; without, it is replaced

    Returns
    -------
    None if it is complete.

    Raises
    ------
    BadImageFile
        It cannot be written, or it was begun in another way.
    """
    made = json.loads(json.dumps(made | {"complete": False}, default=str))
    try:
        if resume and path.exists():
            begun = Finished.read(_record_of(path))
            if begun is None or begun.done.any():
                return _gone_on(path, shape, leading, tags or Tags(), made)
            _check_same(path, begun.about, made)  # it may be what was there before
        return _begun(path, shape, leading, size, tags or Tags(), made)
    except OSError as error:
        if isinstance(error, BadImageFile):
            raise
        raise BadImageFile(
            f"'{path}' cannot be written: {error.strerror or error}. Choose a folder "
            "that exists and may be written to, on a disk with enough room."
        ) from error


def _begun(
    path: Path,
    shape: tuple[int, ...],
    leading: str,
    size: PixelSize | None,
    tags: Tags,
    made: Record,
) -> GrowingFile:
    needed = _BYTES * math.prod(shape)  # of a store nobody knows; it is gone on with
    if not _is_store(path) and (free := shutil.disk_usage(path.parent).free) < needed:
        raise BadImageFile(
            f"'{path}' cannot be written: it needs {needed / 1e9:.2f} GB, and there "
            f"are {free / 1e9:.2f} GB left. Make room, or choose another disk."
        )
    levels: Levels
    with DraftFolder(path.parent) as draft:
        place = draft.new / path.name
        if _is_store(path):
            levels = OmeZarrLevels.create(place, shape, leading, size, made)
        else:
            levels = TiffLevels.create(place, shape, leading, size, tags, made)
        levels.close()
        # first, so that whatever is there without a record is not begun
        finished = Finished.begin(_record_of(path), made, grid_of(shape))
        try:
            draft.swap(path.name) if path.is_dir() else place.replace(path)
        except OSError:
            finished.delete()
            raise
    return GrowingFile(path, _levels(path, shape, leading, tags), shape, finished)


def _levels(path: Path, shape: tuple[int, ...], leading: str, tags: Tags) -> Levels:
    if _is_store(path):
        return OmeZarrLevels(path, leading)
    return TiffLevels(path, shape, tags)


def _gone_on(
    path: Path, shape: tuple[int, ...], leading: str, tags: Tags, made: Record
) -> GrowingFile | None:
    finished = Finished.read(_record_of(path))
    if finished is None:
        before = read_image(path, by_blocks=True).tags.made
        if not isinstance(before, dict) or not before.get("complete"):
            raise BadImageFile(
                f"'{path}' was not begun here, or its record '{_record_of(path).name}' "
                "is gone, so it cannot be gone on with. Give another name, or --force "
                "to replace it."
            )
        _check_same(path, before, made)
        return None
    _check_same(path, finished.about, made)
    if finished.done.shape != grid_of(shape):
        raise BadImageFile(
            f"'{path}' was begun in another size. Begin again with --force."
        )
    if _is_store(path):
        for left in path.rglob("*.partial"):  # of zarr, when the process was killed
            left.unlink()
    levels = _levels(path, shape, leading, tags)
    finished.go_on()
    return GrowingFile(path, levels, shape, finished)


def _check_same(path: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse to go on in another way than a result was begun."""
    for key in {**now, **before}:
        if key not in _MAY_DIFFER and before.get(key) != now.get(key):
            what = _WORDS.get(key)
            if what is None:
                old, new = (_short(each.get(key)) for each in (before, now))
                what = f"{key} {old}, and now it is {new}"
            raise BadImageFile(
                f"'{path}' was begun with {what}. Give --resume with what it was begun "
                "with, or begin again with --force."
            )


def _short(value: object) -> str:
    text = "unsaid" if value is None else repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def _is_store(path: Path) -> bool:
    """Whether a result of this name is a zarr store; the others are TIFFs."""
    return path.suffix.lower() == SUFFIX


def _record_of(path: Path) -> Path:
    """Where it is kept which chunks are finished."""
    return path.with_name(f".{path.name}.progress")
