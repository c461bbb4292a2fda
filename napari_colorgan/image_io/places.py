"""Where pictures lie: which results would cost one, and whether one has changed."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from napari_colorgan.image_io.ome_zarr import is_zarr

Identity = tuple[int, int] | str
"""Of what is there, whatever its name; else its path."""


def endangered(results: Iterable[Path], sources: Iterable[Path]) -> list[Path]:
    """Return the results that would replace a source, hold one or lie in one.

    Links are followed, and an array in a zarr store stands for all of the store.
    """
    identity = cache(_identity)  # thousands of pictures share their folders
    places = {place for source in sources for place in _places(source)}
    kept = {identity(place) for place in places}
    above = {identity(parent) for place in places for parent in place.parents}
    lost = []
    for result in results:
        real = result.resolve()
        own = identity(real)
        # a folder that is no store is never replaced, whatever lies in it
        holds = own in above and (is_zarr(real) or real.suffix.lower() == ".zarr")
        within = any(identity(parent) in kept for parent in real.parents)
        if own in kept or holds or within:
            lost.append(result)
    return lost


def stamp_of(path: Path) -> str:
    """Return what changes with a file, or with any file of an array's folder.

    Made of sizes and times of change, and of names within the folder: a copy that keeps
    the times has the same. Reads no contents, but asks once for each file.

    Raises
    ------
    OSError
    """
    digest = hashlib.sha256()
    for name, status in sorted(_files(path)) if path.is_dir() else [("", path.stat())]:
        digest.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    below = [""]
    while below:
        place = below.pop()
        with os.scandir(folder / place) as entries:
            for entry in entries:
                name = f"{place}/{entry.name}" if place else entry.name
                if entry.is_dir():
                    below.append(name)
                else:
                    yield name, entry.stat()


def _places(source: Path) -> set[Path]:
    """Where a source lies, by its name and by what links lead to."""
    return {_store_of(source.absolute()), _store_of(source.resolve()).resolve()}


def _store_of(path: Path) -> Path:
    """Return the outermost of the zarr groups around a path, or else the path."""
    for folder in path.parents:
        if not is_zarr(folder):
            break
        path = folder
    return path


def _identity(path: Path) -> Identity:
    try:
        status = path.stat()
    except OSError:
        return str(path)
    return status.st_dev, status.st_ino
