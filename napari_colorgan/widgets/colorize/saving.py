"""Colour layers to picture files, with pixel size and record; also for napari's dialog.

Layers that `ResultFile` has no place for (gray, 16 bits, floats, transparency) are left
to napari's own writer, which keeps their values.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import npe2
import numpy as np

from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.image_io import PixelSize, ResultFile, check_output
from napari_colorgan.image_io.places import endangered
from napari_colorgan.image_io.reads import files_of
from napari_colorgan.image_io.writing import SUFFIXES, make_folder
from napari_colorgan.inference.as_seen import SeenArray, all_of, count_of
from napari_colorgan.inference.axes import LEADING
from napari_colorgan.job import STOP, Job, Progress, finish
from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.colorize.saving_stores import SUFFIX, save_store_job

LayerData = tuple[Any, dict[str, Any], str]
"""Data, attributes and type of a layer, as napari hands them to writers."""

_BUILTIN = "napari.write_image"
_NAMES = {"time": "T", "channel": "C", "depth": "Z"}
_LENGTHS = {"nm", "µm", "mm", "cm", "m", "in"}  # that files know by these names
_FORBIDDEN = '<>:"/\\|?*'  # in names of files, on one system or another


def write_layer(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a layer; what napari calls for *Save Selected Layers*.

    A name that ends in none of our types becomes one of a TIFF.
    """
    file = Path(path)
    if file.suffix.lower() not in SUFFIXES:
        file = free_path(file, ".tif")
    return finish(save_job(file, data, attributes))


def write_layers(path: str, layers: Sequence[LayerData]) -> list[str]:
    """Save layers into a folder as TIFF, under names of their own."""
    folder = Path(path)
    make_folder(folder)
    written = []
    for data, attributes, _ in layers:
        file = free_path(folder / safe_name(str(attributes["name"])), ".tif")
        written += finish(save_job(file, data, attributes))
    return written


def save_job(
    path: Path, data: Any, attributes: dict[str, Any], read: Sequence[Any] = ()
) -> Job[list[str]]:
    """Save a layer as `path`, which is replaced if it is there.

    Parameters
    ----------
    data : of a layer; the finest level of a multiscale one is saved
    attributes : as of `layer.as_layer_data_tuple()`
    read : paths, and arrays whose files are not replaced either, beside those that
        `data` itself is read from

    Returns
    -------
    Paths of the files written.

    Raises
    ------
    BadImageFile
    Stopped
        On STOP; nothing is written then.
    """
    levels = list(data) if attributes["multiscale"] else [data]
    array = levels[0]
    if endangered([path], files_of(*levels, *read)):
        raise BadImageFile(
            f"'{path}' is a picture that a layer is read from, or holds one or lies in "
            "one, which would be lost. Choose another name."
        )
    made = attributes["metadata"].get(LAYER_KEY)
    if path.suffix.lower() == SUFFIX:
        order = tuple(getattr(array, "order", ())) or _order(
            attributes["axis_labels"], array.ndim - 1
        )
        letters, size = _letters(attributes, order), _pixel_size(attributes, order)
        return (yield from save_store_job(path, array, order, letters, size, made))
    if isinstance(array, SeenArray):
        return (yield from _seen_job(path, array, attributes))
    if not attributes["rgb"] or array.dtype != np.uint8 or array.shape[-1] != 3:
        return _by_napari(path, array, attributes | {"multiscale": False})
    order = _order(attributes["axis_labels"], array.ndim - 1)
    if order != tuple(range(array.ndim - 1)):
        array = np.asarray(array).transpose(*order, array.ndim - 1)
    shape = array.shape[:-1]
    letters, size = _letters(attributes, order), _pixel_size(attributes, order)
    check_output(path, shape, force=True)
    if made is not None and not isinstance(made, dict):
        made = {"record": str(made)}
    total = int(np.prod(shape[:-2]))
    with ResultFile(path, shape, letters, size, made=made) as file:
        for done, index in enumerate(np.ndindex(shape[:-2]), 1):
            file.array[index] = np.asarray(array[index])
            if (yield Progress(done, total)) is STOP:
                raise Stopped(f"'{path}' was not saved.")
    return [str(path)]


def _seen_job(
    path: Path, array: SeenArray, attributes: dict[str, Any]
) -> Job[list[str]]:
    """Colour all of a layer that has colours where it was looked at, into a file."""
    shape = array.seen.colors.levels[0].shape
    letters = _letters(attributes, array.order)
    check_output(path, shape, force=True)
    made = attributes["metadata"].get(LAYER_KEY, {}) | {"complete": True, "why": ""}
    size = _pixel_size(attributes, array.order)
    with ResultFile(path, shape, letters, size, made=made) as file:
        canvas: Any = file.array
        for done, (index, region, rgb) in enumerate(all_of(array.seen), 1):
            canvas[(*index, *region)] = rgb
            if (yield Progress(done, count_of(array.seen))) is STOP:
                raise Stopped(f"'{path}' was not saved.")
    return [str(path)]


def _by_napari(path: Path, array: Any, attributes: dict[str, Any]) -> list[str]:
    # by its command: asked for plugin "napari", npe2 takes ours, which begins like that
    commands = npe2.PluginManager.instance().commands
    written = commands.execute(_BUILTIN, args=(str(path), array, attributes))
    return [written] if written else []


def safe_name(name: str) -> str:
    """Name of a layer as the name of a file."""
    letters = (c if c.isprintable() and c not in _FORBIDDEN else "_" for c in name)
    return "".join(letters).strip(" .") or "layer"


def free_path(base: Path, end: str) -> Path:
    """Return `base` + `end`, or with a number between them, if that is there."""
    path, number = base.with_name(base.name + end), 1
    while path.exists():
        number += 1
        path = base.with_name(f"{base.name}-{number}{end}")
    return path


def _order(labels: Sequence[str], count: int) -> tuple[int, ...]:
    """Axes of a layer with Y and X last, if their labels say which they are."""
    known = [str(label).lower() for label in labels]
    if not {"y", "x"} <= set(known):
        return tuple(range(count))
    plane = (known.index("y"), known.index("x"))
    return (*(axis for axis in range(count) if axis not in plane), *plane)


def _letters(attributes: dict[str, Any], order: Sequence[int]) -> str:
    """Letters of the leading axes, by label, or else by unit, or else in our order."""
    letters: list[str | None] = []
    for axis in order[:-2]:
        label = str(attributes["axis_labels"][axis]).lower()
        unit = attributes["units"][axis]
        letter = _NAMES.get(label, label.upper())
        if letter not in LEADING:
            letter = "T" if _is_a(unit, "s") else "Z" if _is_a(unit, "m") else ""
        letters.append(letter if letter and letter not in letters else None)
    free = (letter for letter in LEADING if letter not in letters)
    return "".join(letter or next(free) for letter in letters)


def _pixel_size(attributes: dict[str, Any], order: Sequence[int]) -> PixelSize | None:
    """Scale of a layer with units, or in pixels where these are not all 1."""
    units = [attributes["units"][axis] for axis in order]
    scale = [abs(float(attributes["scale"][axis])) for axis in order]
    letters = _letters(attributes, order) + "YX"
    axes = dict(zip(letters, zip(scale, units, strict=True), strict=True))
    (height, y), (width, x) = axes["Y"], axes["X"]
    z, t = axes.get("Z"), axes.get("T")
    seconds = None if t is None or not _is_a(t[1], "s") else _in(t, "s")
    if not (_is_a(y, "m") and _is_a(x, "m")):
        if y != x or height == width == 1:
            return None if seconds is None else PixelSize(t=seconds)
        depth = z[0] if z is not None and z[1] == x else None
        return PixelSize(y=height, x=width, unit=str(x), z=depth, t=seconds)
    unit = f"{x:~}" if f"{x:~}" in _LENGTHS else "µm"
    return PixelSize(
        y=_in((height, y), unit),
        x=_in((width, x), unit),
        unit=unit,
        z=None if z is None or not _is_a(z[1], "m") else _in(z, unit),
        t=seconds,
    )


def _is_a(unit: Any, kind: str) -> bool:
    return bool(unit.is_compatible_with(kind))


def _in(distance: tuple[float, Any], unit: str) -> float:
    value, given = distance
    return float(f"{(value * given).to(unit).magnitude:.12g}")  # 0.5 µm are 500 nm
