"""Pairs on disk: folders of pictures, and one file that holds all pixels."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.errors import (
    BadAxes,
    BadImageFile,
    BadPair,
    CheckpointError,
    Stopped,
)
from napari_colorgan.image_io import read_image
from napari_colorgan.inference.axes import Axes
from napari_colorgan.job import STOP, Job
from napari_colorgan.training.pairs.arrays import pairs_of
from napari_colorgan.training.pairs.pair import Pair
from napari_colorgan.training.picture_files import (
    SUFFIXES,
    PictureRead,
    list_pictures,
)

_FORMAT = 1


def read_folders_job(color: Path, gray: Path | None = None) -> Job[list[Pair]]:
    """Read the pictures of a folder, or of two folders with matching names.

    Files are matched by their names without suffix, those in sub-folders with the
    folder's name. A stack gives one pair per plane.

    Parameters
    ----------
    color : folder of colour pictures
    gray : folder of gray pictures; None: the lightness of `color`

    Raises
    ------
    BadImageFile
        No folder, no pictures in it, or one that cannot be read.
    BadPair
        Pictures without a partner or with the same name; gray pictures among the
        coloured ones or the other way round; or whatever `pairs_of` refuses.
    Stopped
        On STOP; there is nothing to keep.
    """
    files = match_folders(color, gray)
    done, total = 0, len(files) * (1 if gray is None else 2)
    not_color: list[Path] = []
    not_gray: list[Path] = []
    pairs: list[Pair] = []
    for name, path, partner in files:
        truth, source = _read(path), None
        if not _has_color(truth):
            not_color.append(path)
        done += 1
        if (yield PictureRead(done, total)) is STOP:
            raise _stopped()
        if partner is not None:
            source = _read(partner)
            if _has_color(source):
                not_gray.append(partner)
            source = source[..., 0]
            done += 1
            if (yield PictureRead(done, total)) is STOP:
                raise _stopped()
        if not not_color and not not_gray:
            pairs += pairs_of(truth, source, name=name)
    _check_kinds(not_color, not_gray)
    return pairs


def match_folders(
    color: Path, gray: Path | None = None
) -> list[tuple[str, Path, Path | None]]:
    """Name, colour and gray file of each picture of a folder, or of two folders.

    Raises
    ------
    BadImageFile, BadPair
        See `read_folders_job`; nothing is read.
    """
    colors = _by_name(color, "colour")
    if gray is None:
        return [(name, path, None) for name, path in colors.items()]
    grays = _by_name(gray, "gray")
    _check_partners(colors, grays)
    return [(name, path, grays[name]) for name, path in colors.items()]


def read_pair_files(name: str, color: Path, gray: Path) -> list[Pair]:
    """Read two files that belong together; a stack gives one pair per plane.

    Raises
    ------
    BadImageFile, BadPair
        See `read_folders_job`.
    """
    truth, source = _read(color), _read(gray)
    _check_kinds(
        [] if _has_color(truth) else [color], [gray] if _has_color(source) else []
    )
    return pairs_of(truth, source[..., 0], name=name)


def save_pairs(pairs: Sequence[Pair], path: Path) -> None:
    """Write all pixels into one file (.npz); an older one stays until this is complete.

    Raises
    ------
    CheckpointError
        The file cannot be written.
    """
    about = {
        "format": _FORMAT,
        "pairs": [{"name": p.name, "from_color": p.from_color} for p in pairs],
    }
    arrays: dict[str, npt.NDArray[Any]] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8)
    }
    for number, pair in enumerate(pairs):
        arrays |= {f"gray_{number}": pair.gray, f"color_{number}": pair.color}
        if pair.mask is not None:
            arrays[f"mask_{number}"] = pair.mask
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def load_pairs(path: Path) -> list[Pair]:
    """Read what `save_pairs` has written.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, or something else.
    """
    try:
        # opened here: numpy leaves a file open that is no archive
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            about = json.loads(arrays["about"].tobytes())
            if about["format"] != _FORMAT:
                raise ValueError(f"its format is {about['format']}, not {_FORMAT}")
            return [
                _checked(
                    Pair(
                        name=str(one["name"]),
                        gray=arrays[f"gray_{number}"],
                        color=arrays[f"color_{number}"],
                        mask=arrays.get(f"mask_{number}"),
                        from_color=bool(one["from_color"]),
                    )
                )
                for number, one in enumerate(about["pairs"])
            ]
    except Exception as error:  # the readers raise a dozen types on damaged files
        raise CheckpointError(
            f"'{path}' holds no pairs that can be read ({error}). Add the pairs again "
            "and start a new training."
        ) from error


def _checked(pair: Pair) -> Pair:
    kinds = (np.float32, np.uint8, np.bool_)
    shapes = (pair.shape, (*pair.shape, 3), pair.shape)
    arrays = (pair.gray, pair.color, pair.mask)
    for array, kind, shape in zip(arrays, kinds, shapes, strict=True):
        if array is not None and (array.dtype != kind or array.shape != shape):
            raise ValueError(f"'{pair.name}' has an array of another type or shape")
    return pair


def _by_name(folder: Path, kind: str) -> dict[str, Path]:
    """Picture files of a folder by the name their partner has, too."""
    if not folder.is_dir():
        raise BadImageFile(
            f"'{folder}' is not a folder. Give a folder of {kind} pictures."
        )
    found: dict[str, list[Path]] = {}
    for path in list_pictures(folder):
        name = path.relative_to(folder).with_suffix("")
        if name.suffix.lower() == ".ome":
            name = name.with_suffix("")
        found.setdefault(name.as_posix(), []).append(path)
    if not found:
        raise BadImageFile(
            f"'{folder}' holds no pictures. Give a folder with files of one of the "
            f"types {', '.join(SUFFIXES)}."
        )
    if doubled := [path for paths in found.values() if paths[1:] for path in paths]:
        raise BadPair(
            f"Pictures in '{folder}' differ by their type only: "
            f"{_names(doubled, folder)}. Keep one of each name."
        )
    return {name: paths[0] for name, paths in found.items()}


def _check_partners(colors: dict[str, Path], grays: dict[str, Path]) -> None:
    alone = [colors[name] for name in colors if name not in grays]
    alone += [grays[name] for name in grays if name not in colors]
    if alone:
        raise BadPair(
            f"No partner of the same name for: {_names(alone)}. Every picture needs "
            "one in the other folder: rename or remove these."
        )


def _check_kinds(not_color: list[Path], not_gray: list[Path]) -> None:
    found = []
    if not_color:
        found.append(f"gray pictures among the coloured ones: {_names(not_color)}")
    if not_gray:
        found.append(f"colour pictures among the gray ones: {_names(not_gray)}")
    if found:
        raise BadPair(
            f"Found {'; and '.join(found)}. Remove them, or put them into the other "
            "folder."
        )


def _read(path: Path) -> npt.NDArray[Any]:
    """Read a picture, (..., Y, X, samples)."""
    image = read_image(path)
    try:
        order = Axes.of(image.array.shape, image.axes).order
    except BadAxes as error:
        raise BadPair(f"'{path}' is not made of planes: {error}") from error
    array = image.array.transpose(order)
    return array if "S" in image.axes else array[..., None]


def _has_color(array: npt.NDArray[Any]) -> bool:
    return array.shape[-1] >= 3 and not (array[..., :1] == array[..., 1:3]).all()


def _names(paths: Iterable[Path], folder: Path | None = None) -> str:
    return ", ".join(
        f"'{path.relative_to(folder) if folder else path}'" for path in paths
    )


def _stopped() -> Stopped:
    return Stopped("Stopped while reading the pictures; nothing has changed.")
