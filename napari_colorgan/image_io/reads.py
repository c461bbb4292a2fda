"""Which files arrays are read from, as far as these say."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from napari_colorgan.image_io.ome_zarr import is_zarr

_ROOTS = ("root", "path")  # of zarr's stores: on a disk, of fsspec and in one file
_WITHIN = (  # where arrays that are made of others, ours and Dask's tasks, keep these
    *("array", "_array", "stack", "base", "source", "seen", "colors", "levels"),
    *("_levels", "_root", "file"),
    *("args", "kwargs", "value", "task", "io_deps", "indices", "mapping"),
)


def files_of(*arrays: Any) -> set[Path]:
    """Return the files and zarr stores that arrays are read from, where it is known.

    Known are `Blocks`, zarr arrays, mapped files, what is made of these by Dask or
    here, and paths that Dask's tasks are given. Nothing is read.
    """
    found: set[Path] = set()
    seen: dict[int, Any] = {}  # kept, or another one could get the same number
    left = list(arrays)
    while left:
        each = left.pop()
        if each is None or isinstance(each, (int, float, complex, bytes, slice)):
            continue
        if isinstance(each, (str, Path)):
            found |= _existing(each)
        elif id(each) not in seen:
            seen[id(each)] = each
            found |= _own(each)
            left.extend(_parts(each))
    return found


def _own(each: Any) -> set[Path]:
    """Return the files that an array names itself."""
    named = [getattr(each, "filename", None)]  # of a mapped file
    own = getattr(each, "path", None)
    store = getattr(each, "store", None)
    if store is None:
        named.append(own)
    for name in _ROOTS:
        root = getattr(store, name, None)
        if isinstance(root, (str, Path)):
            named += [root, Path(root, own) if isinstance(own, str) else None]
    return {path for name in named for path in _existing(name)}


def _parts(each: Any) -> Iterator[Any]:
    """Yield what may hold arrays in turn."""
    if isinstance(each, (tuple, list, set, frozenset)):
        yield from each
    elif isinstance(each, partial):
        yield from (each.args, each.keywords)
    elif (layers := getattr(each, "layers", None)) is not None:  # a graph of Dask's
        yield from layers.values()
    elif hasattr(each, "dask"):
        yield each.dask
    elif isinstance(each, Mapping) and not hasattr(each, "task"):
        yield from each.values()
    else:  # a blockwise layer is not spread out, which would take long
        yield from (getattr(each, name, None) for name in _WITHIN)


def _existing(name: Any) -> set[Path]:
    """Return a path if it is an absolute one, of a file or store that is there."""
    if not isinstance(name, (str, Path)):
        return set()
    try:
        path = Path(name)
        known = path.is_absolute() and (path.is_file() or is_zarr(path))
        return {path} if known else set()
    except (OSError, ValueError):  # no path at all
        return set()
