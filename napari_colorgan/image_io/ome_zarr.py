"""OME-Zarr 0.4 and 0.5, and plain zarr arrays, as arrays that are read by blocks."""

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array
from napari_colorgan.errors import BadImageFile, some
from napari_colorgan.image_io import pixel_size
from napari_colorgan.image_io.blocks import Blocks, Parts, block_sides
from napari_colorgan.image_io.image_file import ImageFile
from napari_colorgan.image_io.tags import Tags
from napari_colorgan.image_io.zarr_bounds import bound_chunks, regular_store

SUFFIX = ".zarr"
RECORD = "colorgan"
"""Attribute of a group that says how its picture was coloured."""
_MARKS = ("zarr.json", ".zgroup", ".zarray")
_USUAL = "TCZYX"  # axes of OME-Zarr before they had names
_LEADING = "TZCPRMQI"  # letters of `inference.axes`
_LARGE = 256  # MB of a chunk that is better told
_RGB = ("FF0000", "00FF00", "0000FF")


def is_zarr(path: Path) -> bool:
    """Whether a folder is a zarr group or array."""
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def read_ome_zarr(path: Path, axes: str | None = None) -> ImageFile:
    """Open the full resolution of an OME-Zarr image, or a plain array; read by blocks.

    Axes of length 1 beside Y and X are dropped. Three channels that are shown in red,
    green and blue are samples of one colour.

    Parameters
    ----------
    axes : letters of the stored axes, if the file does not say or is wrong

    Raises
    ------
    BadImageFile
        zarr is not installed, or `path` holds no image, or several.
    """
    zarr = import_zarr(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zarr, about features that are new to it
        node = zarr.open(regular_store(path), mode="r")
        notes: tuple[str, ...] = ()
        about: dict[str, Any] = {}
        if isinstance(node, zarr.Group):
            node, about, notes = _image_of(path, node)
    array, about = _array_of(path, node, about)
    notes += _note_on_chunks(path, array)
    blocks = open_array(Path(array.store_path.store.root).absolute(), array.path)
    letters, names = _letters(path, about, blocks.shape, axes)
    size = pixel_size.of_ome_zarr(names, _scale(about, len(names)))
    record = about.get(RECORD)
    words = Tags(made=record if isinstance(record, dict) else None)
    if len(letters) != blocks.ndim:  # whoever uses them says what is wrong
        return ImageFile(blocks, letters, size, notes, words)
    kept = [
        place
        for place, letter in enumerate(letters)
        if letter in ("Y", "X", "S") or blocks.shape[place] > 1
    ]
    if axes is None and _is_color(about, letters, blocks):
        place = letters.index("C")
        kept = [*(each for each in kept if each != place), place]
        letters = letters.replace("C", "S")
    letters = "".join(letters[place] for place in kept)
    return ImageFile(blocks.arranged(kept), letters, size, notes, words)


def open_array(store: str | Path, path: str = "") -> Blocks:
    """Open an array of a zarr store, which is read by blocks of whole chunks."""
    import zarr

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = zarr.open_array(regular_store(Path(store)), path=path, mode="r")
    bound_chunks(Path(store, path), array)

    def read(parts: Parts) -> Array:
        return np.asarray(array[parts])

    sides = block_sides(array.chunks, array.shape, array.dtype.itemsize)
    reopen = open_array, (store, path)
    folder = Path(store, path)
    return Blocks(array.shape, array.dtype, sides, read, reopen, folder)


def import_zarr(path: Path) -> Any:
    """Return the library.

    Raises
    ------
    BadImageFile
        It is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise BadImageFile(
            f"'{path}' is a zarr store, for which the library zarr is needed. Run: "
            "pip install 'napari-colorgan[zarr]'"
        ) from None
    return zarr


def _image_of(path: Path, group: Any) -> tuple[Any, dict[str, Any], tuple[str, ...]]:
    """First image of a group, its metadata, and what is said of others."""
    attributes = dict(group.attrs)
    ome = attributes.get("ome", attributes)  # 0.5, or before
    record = {RECORD: attributes.get(RECORD)}
    if images := ome.get("multiscales"):
        about = dict(images[0]) | {"omero": ome.get("omero")} | record
        return group, about, ()
    if "plate" in ome or "well" in ome:
        raise BadImageFile(
            f"'{path}' is a plate or a well of many images. Give the path of one of "
            f"them, such as {path / 'A/1/0'}."
        )
    if "bioformats2raw.layout" in ome and "0" in group:
        image, about, _ = _image_of(path / "0", group["0"])
        more = "1" in group
        note = f"'{path}' holds several images; the first one, 0, was used."
        return image, about, (note,) if more else ()
    arrays = sorted(name for name, _ in group.arrays())
    if len(arrays) != 1:
        found = f"the arrays {some(arrays)}" if arrays else "no array"
        raise BadImageFile(
            f"'{path}' is no OME-Zarr image: it has no multiscales and holds {found}. "
            "Give the path of an OME-Zarr image or of one array."
        )
    return group[arrays[0]], record, ()


def _array_of(
    path: Path, node: Any, about: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """Return the array of full resolution, once it is sure that it has chunks."""
    if "datasets" in about:
        name = str(about["datasets"][0]["path"])
        if name not in node:
            raise BadImageFile(
                f"'{path}' lacks its full resolution '{name}', which its metadata "
                "names. Copy the whole folder again."
            )
        node = node[name]
    try:
        chunks = tuple(node.chunks)
    except NotImplementedError:  # zarr has no answer for chunks of different sizes
        chunks = ()
    if len(chunks) != len(node.shape) or 0 in chunks:
        raise BadImageFile(
            f"'{path}' has chunks that are empty or of different sizes, which cannot "
            "be read here. Save it with chunks of one size, such as 512 x 512 px."
        )
    return node, about


def _note_on_chunks(path: Path, array: Any) -> tuple[str, ...]:
    megabytes = math.prod(array.chunks) * array.dtype.itemsize >> 20
    if megabytes < _LARGE:
        return ()
    return (
        f"'{path}' has chunks of {megabytes} MB, each of which has to be in memory at "
        "once. Chunks of 512 x 512 px would need less.",
    )


def _letters(
    path: Path, about: dict[str, Any], shape: Sequence[int], given: str | None
) -> tuple[str, list[dict[str, Any]]]:
    """One letter for each stored axis, and what the file says of each."""
    listed = about.get("axes") or []
    named = [each if isinstance(each, dict) else {"name": each} for each in listed]
    if given is not None:
        return given.upper(), named if len(named) == len(shape) else []
    if not named:
        if "datasets" in about:
            return _USUAL[-len(shape) :], [{"name": c} for c in _USUAL[-len(shape) :]]
        samples = "S" if len(shape) > 2 and shape[-1] in (3, 4) else ""
        steps = len(shape) - len(samples) - 2
        return _LEADING[: max(0, steps)] + "YX" + samples, []
    names = [str(each.get("name")) for each in named]
    if len(named) != len(shape):
        raise BadImageFile(
            f"'{path}' names {len(named)} axes ({', '.join(names)}), but its array has "
            f"{len(shape)} dimensions ({' x '.join(map(str, shape))}). Give one "
            "letter per dimension: --axes ZYX on the command line."
        )
    return "".join(_letter(name, names) for name in names), named


def _letter(name: str, names: list[str]) -> str:
    """Return our letter for a named axis; free ones for those that have none."""
    if len(name) == 1 and name.upper() in _LEADING + "YXS":
        return name.upper()
    taken = {each.upper() for each in names}
    strange = [each for each in names if each.upper() not in tuple(_LEADING + "YXS")]
    free = [letter for letter in _LEADING[::-1] if letter not in taken]
    return free[strange.index(name)]


def _is_color(about: dict[str, Any], letters: str, blocks: Blocks) -> bool:
    """Whether channels are the red, green and blue of one picture."""
    if letters.count("C") != 1 or blocks.shape[letters.index("C")] != 3:
        return False
    channels = (about.get("omero") or {}).get("channels") or []
    shown = tuple(str(each.get("color", "")).upper() for each in channels)
    return shown == _RGB and blocks.dtype == np.uint8


def _scale(about: dict[str, Any], count: int) -> list[float]:
    """Distances of pixels along the stored axes; ones if nothing is said."""
    scale = np.ones(count)
    transforms = list(about.get("coordinateTransformations") or [])
    for level in (about.get("datasets") or [])[:1]:
        transforms += level.get("coordinateTransformations") or []
    for each in transforms:
        if each.get("type") == "scale" and len(each.get("scale", ())) == count:
            scale *= np.asarray(each["scale"], float)
    return [float(value) for value in scale]
