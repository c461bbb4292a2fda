"""Pairs on disk: folders of pictures, and one file that holds all pixels."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from napari_colorgan.arrays import RGB, Array
from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.errors import (
    BadAxes,
    BadImageFile,
    BadPair,
    CheckpointError,
    Stopped,
)
from napari_colorgan.image_io import read_image
from napari_colorgan.image_io.folders import SUFFIXES, match_names
from napari_colorgan.inference.axes import Axes
from napari_colorgan.inference.intensity import has_color
from napari_colorgan.job import STOP, Job
from napari_colorgan.training.array_file import ArrayFile, opened
from napari_colorgan.training.left_out import LeftOut, PictureRead
from napari_colorgan.training.pairs.arrays import color_planes, pairs_of
from napari_colorgan.training.pairs.pair import Pair

_FORMAT = 1


def read_folders_job(
    color: Path,
    gray: Path | None = None,
    *,
    strict: bool = False,
) -> Job[list[Pair]]:
    """Read the pictures of a folder, or of two folders with matching names.

    Files are matched by their names without suffix, those in sub-folders with the
    folder's name. A stack gives one pair per plane. Pictures that cannot be used are
    left out, if at least half can be; `PicturesLeftOut` tells of them.

    Parameters
    ----------
    color : folder of colour pictures
    gray : folder of gray pictures; None: the lightness of `color`
    strict : raise the error of the first picture that cannot be used

    Raises
    ------
    BadImageFile
        No folder, no pictures in it, or more than half of them cannot be used.
    BadImageFile, BadPair
        If `strict`: a picture cannot be read or has no partner, is gray among the
        coloured ones or the other way round, or whatever `pairs_of` refuses.
    BadPair
        Pictures that differ by their type only.
    Stopped
        On STOP; there is nothing to keep.
    """
    left_out = LeftOut(strict=strict)
    files = match_folders(color, gray, left_out)
    pairs: list[Pair] = []
    for done, (name, path, partner) in enumerate(files, 1):
        with left_out.if_bad(name):
            pairs += read_pair_files(name, path, partner)
        if (yield PictureRead(done, len(files))) is STOP:
            raise Stopped("Stopped while reading the pictures; nothing has changed.")
    yield from left_out.events()
    return pairs


def match_folders(
    color: Path, gray: Path | None, left_out: LeftOut
) -> list[tuple[str, Path, Path | None]]:
    """Name, colour and gray file of each picture of a folder, or of two folders.

    If one folder lies in the other, it is no part of that.

    Raises
    ------
    BadImageFile, BadPair
        See `read_folders_job`; nothing is read.
    """
    colors = _by_name(color, "colour", left_out, without=gray)
    if gray is None:
        left_out.expect(len(colors))
        return [(name, path, None) for name, path in colors.items()]
    grays = _by_name(gray, "gray", left_out, without=color)
    partners = match_names(colors, grays)
    alone = [path for name, path in colors.items() if name not in partners]
    partnered = set(partners.values())
    alone += [path for name, path in grays.items() if name not in partnered]
    left_out.expect(len(partners) + len(alone))
    _leave_out_alone(alone, left_out)
    return [
        (name, path, grays[partners[name]])
        for name, path in colors.items()
        if name in partners
    ]


def read_pair_files(name: str, color: Path, gray: Path | None) -> list[Pair]:
    """Read two files that belong together; a stack gives one pair per plane.

    Raises
    ------
    BadImageFile, BadPair
        See `read_folders_job`.
    """
    truth = _read(color)
    if not _has_color(truth):
        raise BadPair(
            f"'{color}' is a gray picture among the coloured ones. Remove it, or put "
            "it into the folder of gray pictures."
        )
    if gray is None:
        return pairs_of(truth, name=name)
    source = _read(gray)
    if _has_color(source):
        raise BadPair(
            f"'{gray}' is a colour picture among the gray ones. Remove it, or put it "
            "into the folder of colour pictures."
        )
    return pairs_of(truth, source[..., 0], name=name)


def read_color_file(name: str, path: Path) -> list[tuple[str, RGB]]:
    """Read the planes of a colour picture, (Y, X, 3) each, and name them.

    There are none where the picture has no colour.

    Raises
    ------
    BadImageFile, BadPair
    """
    array = _read(path)
    return color_planes(array, name) if _has_color(array) else []


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
    arrays: dict[str, Array] = {
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8)
    }
    for number, pair in enumerate(pairs):
        arrays |= {f"gray_{number}": pair.gray, f"color_{number}": pair.color}
        if pair.mask is not None:
            arrays[f"mask_{number}"] = pair.mask
    with replacing(path) as file:
        # no array has the name of an option, as mypy fears
        np.savez(file, **arrays)  # type: ignore[arg-type]


def read_names(path: Path) -> list[str]:
    """Read the names of the pairs that `save_pairs` has written, and no pixels.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, or something else.
    """
    with _opened(path) as (_, about):
        return [str(entry["name"]) for entry in about]


def load_pairs(path: Path) -> list[Pair]:
    """Read what `save_pairs` has written; all of it is checked.

    Raises
    ------
    CheckpointError
        The file is missing, damaged, or something else.
    """
    with _opened(path) as (file, about):
        # NumPy 2.0 took the option `allow_pickle` of older writers for an array
        unread = set(file.names) - {"about.npy", "allow_pickle.npy"}

        def take(name: str) -> Any:
            unread.remove(f"{name}.npy")
            return file.array(name)

        pairs = [
            _checked(
                Pair(
                    name=str(entry["name"]),
                    gray=take(f"gray_{number}"),
                    color=take(f"color_{number}"),
                    mask=take(f"mask_{number}")
                    if f"mask_{number}.npy" in unread
                    else None,
                    from_color=bool(entry["from_color"]),
                )
            )
            for number, entry in enumerate(about)
        ]
        if unread:  # such as a mask whose name was changed
            raise ValueError("it holds more than it says")
        return pairs


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ArrayFile, list[dict[str, Any]]]]:
    """Open a file of pairs: its arrays, and what is said of each pair."""
    try:
        with opened(path) as file:
            about = json.loads(file.array("about").tobytes())
            if about["format"] != _FORMAT:
                raise ValueError(f"its format is {about['format']}, not {_FORMAT}")
            yield file, about["pairs"]
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


def _by_name(
    folder: Path, kind: str, left_out: LeftOut, *, without: Path | None
) -> dict[str, Path]:
    """Picture files of a folder by the name their partner has, too."""
    if not folder.is_dir():
        raise BadImageFile(
            f"'{folder}' is not a folder. Give a folder of {kind} pictures."
        )
    by_name: dict[str, list[Path]] = {}
    for path in left_out.find(folder, without=without):
        name = path.relative_to(folder).with_suffix("")
        if name.suffix.lower() == ".ome":
            name = name.with_suffix("")
        by_name.setdefault(name.as_posix(), []).append(path)
    if not by_name:
        raise BadImageFile(
            f"'{folder}' holds no pictures. Give a folder with files of one of the "
            f"types {', '.join(SUFFIXES)}."
        )
    if doubled := [path for paths in by_name.values() if paths[1:] for path in paths]:
        raise BadPair(
            f"Pictures in '{folder}' differ by their type only: "
            f"{_names(doubled, folder)}. Keep one of each name."
        )
    return {name: paths[0] for name, paths in by_name.items()}


def _leave_out_alone(alone: Sequence[Path], left_out: LeftOut) -> None:
    if alone and left_out.strict:
        raise BadPair(
            f"No partner of the same name for: {_names(alone)}. Every picture needs "
            "one in the other folder: rename or remove these."
        )
    for path in alone:
        left_out.add_bad(str(path), f"'{path}' has no partner of the same name.")


def _read(path: Path) -> Array:
    """Read a picture, (..., Y, X, samples)."""
    image = read_image(path)
    try:
        order = Axes.of(image.array.shape, image.axes).order
    except BadAxes as error:
        raise BadPair(f"'{path}' is not made of planes: {error}") from error
    array: Array = image.array.transpose(order)
    return array if "S" in image.axes else array[..., None]


def _has_color(array: Array) -> bool:
    return array.shape[-1] >= 3 and has_color(array)


def _names(paths: Iterable[Path], folder: Path | None = None) -> str:
    return ", ".join(
        f"'{path.relative_to(folder) if folder else path}'" for path in paths
    )
