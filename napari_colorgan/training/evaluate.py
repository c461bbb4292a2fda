"""How well a model colours pictures whose true colours are known."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_colorgan.errors import BadImageFile, ColorganError, Stopped
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.metrics import FIGURES, Figures
from napari_colorgan.training.pairs import Pair, pair_of_color, read_folders_job
from napari_colorgan.training.picture_files import is_color, list_pictures, open_rgb
from napari_colorgan.training.report import Report, check_folder
from napari_colorgan.training.scoring import Score, score_job, table

RGB = npt.NDArray[np.uint8]
T = TypeVar("T")

WHOLE_SIDE = 256
"""Px of the shorter side at which models of `whole` context are compared."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of pictures, and their means."""

    rows: tuple[Score, ...]
    left_out: tuple[str, ...] = ()
    """Names of pictures without colour."""

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

    @property
    def note(self) -> str:
        """Which pictures were left out, as a sentence; empty if none was."""
        if not self.left_out:
            return ""
        names = ", ".join(self.left_out[:5])
        more = ", ..." if len(self.left_out) > 5 else ""
        count = f"{len(self.left_out)} of {len(self.left_out) + self.pictures}"
        return f"{count} pictures have no colour and are left out: {names}{more}."

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
) -> Job[Scores]:
    """Colour gray pictures and compare them with their colour pictures.

    Pictures without colour are left out. On STOP the scores are those of the pictures
    so far.

    Parameters
    ----------
    color : folder of colour pictures
    gray : folder of the gray pictures to them; default their own lightness
    limit : take that many pictures, evenly spread over the sorted names
    side : px to which the shorter side of pictures is resized before anything else;
        default 256 for `whole` context, so that scores of models can be compared, and
        their own size for `local`
    report : folder for a quality report

    Raises
    ------
    BadImageFile
        There are no colour pictures, or a file cannot be read or written.
    BadPair
        Files have no partner, or pictures do not fit together.
    BadSetting
        `report` is no place for one.
    Stopped
        On STOP before the first picture was compared.
    """
    if report is not None:
        check_folder("report", report)
    if side is None and colorizer.context == "whole":
        side = WHOLE_SIDE
    readers = yield from _readers_job(color, gray, limit, side)
    settings = colorizer.settings() | {"color": color, "gray": gray or "from colour"}
    writer: Report | None = None
    rows: list[Score] = []
    left_out: list[str] = []
    for done, read in enumerate(readers):
        pair = read()
        if is_color(pair.color):
            scored = yield from score_job(pair, colorizer, done, len(readers))
            if scored is None:
                break
            rows.append(Score(scored.name, scored.figures, scored.gray))
            if report is not None:
                writer = writer or Report(report, settings)
                writer.add(pair, scored)
        else:
            left_out.append(pair.name)
        if (yield PictureScored(done + 1, len(readers), pair.name)) is STOP:
            break
    scores = Scores(tuple(rows), tuple(left_out))
    if not rows:
        raise _nothing(color, stopped=len(left_out) < len(readers))
    if writer is not None:
        writer.finish(of=len(readers) - len(left_out), notes=[scores.note])
    return scores


def truth_readers(
    folder: Path, limit: int | None = None, side: int | None = None
) -> list[Callable[[], Pair]]:
    """Functions that read one colour picture each, so that one is in memory at a time.

    Parameters
    ----------
    limit : take that many pictures, evenly spread over the sorted names
    side : px to which the shorter side is resized; the gray picture is made afterwards

    Raises
    ------
    BadImageFile
        By such a function: its picture cannot be read.
    """
    paths = _spread(list_pictures(folder), limit)
    return [partial(_read, path, folder, side) for path in paths]


def read_truth(path: Path, side: int | None = None) -> RGB:
    """Read a picture as RGB (Y, X, 3); `side`: px to which its shorter side is resized.

    Raises
    ------
    BadImageFile
    """
    return np.asarray(_with_side(open_rgb(path), side))


def _readers_job(
    color: Path, gray: Path | None, limit: int | None, side: int | None
) -> Job[list[Callable[[], Pair]]]:
    """Functions that return one pair each."""
    if gray is None:
        return truth_readers(color, limit, side)
    pairs = yield from read_folders_job(color, gray)
    return [partial(_resized, pair, side) for pair in _spread(pairs, limit)]


def _spread(items: list[T], limit: int | None) -> list[T]:
    if limit is None or not 0 < limit < len(items):
        return items
    return [items[number * len(items) // limit] for number in range(limit)]


def _read(path: Path, folder: Path, side: int | None) -> Pair:
    truth = read_truth(path, side)
    name = path.relative_to(folder).as_posix()
    return pair_of_color(name, truth)


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
