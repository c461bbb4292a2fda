"""How well a model colours pictures whose true colours are known."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.declared import path_of
from napari_colorgan.errors import BadImageFile, ColorganError, Stopped
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import STOP, Job, Progress, finish
from napari_colorgan.metrics import FIGURES, Figures
from napari_colorgan.training.left_out import LeftOut
from napari_colorgan.training.pairs import (
    Pair,
    match_folders,
    pair_of_color,
    read_color_file,
    read_pair_files,
)
from napari_colorgan.training.report import Report, check_folder
from napari_colorgan.training.scoring import Score, score_job, table

T = TypeVar("T")

WHOLE_SIDE = 256
"""Px of the shorter side at which models of `whole` context are compared."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of pictures, and their means."""

    rows: tuple[Score, ...]
    left_out: tuple[str, ...] = ()
    """Names of pictures without colour, and of those that cannot be used."""
    note: str = ""
    """Which these are and why, in sentences; empty if none is."""

    @property
    def pictures(self) -> int:
        """How many were compared."""
        return len(self.rows)

    @property
    def figures(self) -> Figures:
        """Means over the pictures."""
        return Figures.mean([row.figures for row in self.rows])

    @property
    def gray(self) -> Figures:
        """Means over the pictures left gray."""
        return Figures.mean([row.gray for row in self.rows])

    @property
    def gain(self) -> float:
        """PSNR over leaving the pictures gray, dB."""
        return self.figures.psnr - self.gray.psnr

    def as_dict(self) -> dict[str, Any]:
        """Means and `rows` by name, for JSON; what is not a finite number is None."""
        rows = [
            {"name": row.name} | _by_name(row.figures, row.gray) for row in self.rows
        ]
        means = _by_name(self.figures, self.gray)
        return (
            {"pictures": self.pictures}
            | means
            | {"left_out": list(self.left_out), "rows": rows}
        )

    def __str__(self) -> str:
        kinds = {"result": self.figures, "left gray": self.gray}
        lines = table(f"{self.pictures} pictures", kinds)
        return f"{lines}\ngain over gray  {self.gain:+12.2f} dB"


@dataclass(frozen=True, slots=True)
class PictureScored(Progress):
    """One more picture was coloured and compared with its truth, or was left out."""

    name: str


def evaluate_job(
    color: Path,
    colorizer: Colorizer,
    *,
    gray: Path | None = None,
    limit: int | None = None,
    side: int | None = None,
    report: Path | None = None,
    strict: bool = False,
) -> Job[Scores]:
    """Colour gray pictures and compare them with their colour pictures.

    Pictures without colour are left out, and those that cannot be used, if at least
    half can be. Every plane of a stack is a picture. On STOP the scores are those of
    the pictures so far.

    Parameters
    ----------
    color : folder of colour pictures
    gray : folder of the gray pictures to them; default their own lightness
    limit : take so many pictures, of files evenly spread over the sorted names
    side : px to which the shorter side of pictures is resized before anything else;
        default 256 for `whole` context, so that scores of models can be compared, and
        their own size for `local`
    report : folder for a quality report
    strict : raise the error of the first picture that cannot be used

    Raises
    ------
    BadImageFile
        There are no colour pictures, too many cannot be used, or a file cannot be
        written.
    BadImageFile, BadPair
        If `strict`: a file cannot be read or has no partner, or pictures do not fit
        together.
    BadSetting
        `report` is no place for one.
    Stopped
        On STOP before the first picture was compared.
    """
    if report is not None:
        check_folder("report", report)
    if side is None and colorizer.context == "whole":
        side = WHOLE_SIDE
    left_out = LeftOut(strict=strict)
    readers = pair_readers(color, gray, limit=limit, side=side, left_out=left_out)
    settings = colorizer.used() | {"color": color, "gray": gray or "from colour"}
    writer: Report | None = None
    rows: list[Score] = []
    missing = 0
    for done, missing, name, pair in _read_all(readers, left_out):
        if pair is not None:
            scored = yield from score_job(pair, colorizer, done - 1, len(readers))
            if scored is None:
                break
            rows.append(Score(scored.name, scored.figures, scored.gray))
            if report is not None:
                writer = writer or Report(report, settings)
                writer.add(pair, scored)
        missing -= 1
        stop = (yield PictureScored(done, len(readers), name)) is STOP
        if stop or len(rows) == limit:
            break
    if not rows:
        raise _nothing(color, stopped=missing > 0)
    scores = Scores(tuple(rows), left_out.names, " ".join(left_out.notes))
    if writer is not None:
        of = len(rows) + missing
        writer.finish(of=min(of, limit or of), notes=left_out.notes)
    return scores


def evaluate(
    color: str | Path,
    model: str | Path | Checkpoint | ColorizerSettings | Colorizer = zoo.DEFAULT,
    *,
    gray: str | Path | None = None,
    limit: int | None = None,
    side: int | None = None,
    report: str | Path | None = None,
    strict: bool = False,
    on_event: Callable[[Progress], object] | None = None,
    **options: Any,
) -> Scores:
    """Compare a model's colours with the true ones of colour pictures.

    Parameters
    ----------
    color, gray, limit, side, report, strict : see `evaluate_job`
    model : a model's name, the path of a checkpoint, a checkpoint, settings, or a
        colorizer
    options : of the colorizer, such as ``device="cpu"``; see `ColorizerSettings`

    Returns
    -------
    Scores of each picture and their means, also of the pictures left gray; printed,
    they are a table.

    Raises
    ------
    ColorganError
        One of its children, saying what was found, what was expected and what to do.
    """
    colorizer = model if isinstance(model, Colorizer) else Colorizer(model, **options)
    job = evaluate_job(
        path_of("color", color, "the path of a folder"),
        colorizer,
        gray=None if gray is None else path_of("gray", gray, "the path of a folder"),
        limit=limit,
        side=side,
        report=None if report is None else path_of("report", report, "a path"),
        strict=strict,
    )
    return finish(job, on_event)


def pair_readers(
    color: Path,
    gray: Path | None = None,
    *,
    limit: int | None = None,
    side: int | None = None,
    left_out: LeftOut | None = None,
) -> list[tuple[str, Callable[[], list[Pair]]]]:
    """Name each picture file and say how to read it, for one to be in memory at a time.

    A stack is read as several pairs, a picture without colour as none.

    Parameters
    ----------
    limit : take that many files, evenly spread over the sorted names
    side : px to which the shorter side is resized; a gray picture that is made of the
        colours is made afterwards
    left_out : is told of what is not used; default: a picture without partner is an
        error

    Raises
    ------
    BadImageFile, BadPair
        Files do not match; or by what is returned: a picture cannot be used.
    """
    left_out = left_out or LeftOut(strict=True)
    if gray is not None:
        matched = match_folders(color, gray, left_out)
        return [
            (name, partial(_read_pair, name, path, partner, side))
            for name, path, partner in _spread(matched, limit)
        ]
    paths = _spread(left_out.find(color), limit)
    left_out.expect(len(paths))
    names = [path.relative_to(color).as_posix() for path in paths]
    return [
        (name, partial(_read_truth, name, path, side))
        for name, path in zip(names, paths, strict=True)
    ]


def _read_all(
    readers: Sequence[tuple[str, Callable[[], list[Pair]]]], left_out: LeftOut
) -> Iterator[tuple[int, int, str, Pair | None]]:
    """Read pair by pair; no pair stands for a file that is left out.

    Each comes with the files that are read, the pairs and files to come and itself, as
    far as that is known, and its name.
    """
    for done, (name, read) in enumerate(readers, 1):
        pairs: list[Pair] = []
        with left_out.if_bad(name):
            if not (pairs := read()):
                left_out.add_gray(name)
        later = len(readers) - done
        if not pairs:
            yield done, later + 1, name, None
        for number, pair in enumerate(pairs):
            yield done, later + len(pairs) - number, pair.name, pair


def _spread(items: list[T], limit: int | None) -> list[T]:
    if limit is None or not 0 < limit < len(items):
        return items
    return [items[number * len(items) // limit] for number in range(limit)]


def _read_truth(name: str, path: Path, side: int | None) -> list[Pair]:
    return [
        pair_of_color(plane, np.asarray(_with_side(Image.fromarray(rgb), side)))
        for plane, rgb in read_color_file(name, path)
    ]


def _read_pair(
    name: str, color: Path, gray: Path | None, side: int | None
) -> list[Pair]:
    return [_resized(pair, side) for pair in read_pair_files(name, color, gray)]


def _resized(pair: Pair, side: int | None) -> Pair:
    if side is None:
        return pair
    gray = np.asarray(_with_side(Image.fromarray(pair.gray), side))
    color = np.asarray(_with_side(Image.fromarray(pair.color), side))
    return replace(pair, gray=gray.clip(0, 1), color=color)  # files have no mask


def _with_side(image: Image.Image, side: int | None) -> Image.Image:
    if side is None:
        return image
    factor = side / min(image.size)
    size = (round(image.width * factor), round(image.height * factor))
    return image.resize(size, Image.Resampling.BICUBIC)


def _by_name(figures: Figures, gray: Figures) -> dict[str, float | None]:
    values = {"gain": figures.psnr - gray.psnr}
    for name in FIGURES:
        values[name] = getattr(figures, name)
        values[f"{name}_gray"] = getattr(gray, name)
    return {k: v if math.isfinite(v) else None for k, v in values.items()}


def _nothing(folder: Path, stopped: bool) -> ColorganError:
    if stopped:
        return Stopped("Stopped before the first picture was compared.")
    return BadImageFile(
        f"'{folder}' holds no colour pictures to compare with. Give a folder of "
        "colour pictures, such as PNG or JPEG files."
    )
