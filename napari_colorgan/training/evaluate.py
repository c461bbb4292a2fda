"""How well a model colours pictures whose true colours are known."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.metrics import Figures
from napari_colorgan.training.pairs import Pair, gray_of, read_folders_job
from napari_colorgan.training.pictures import is_color, list_pictures, open_rgb
from napari_colorgan.training.report import Report
from napari_colorgan.training.scoring import Score, score_job

RGB = npt.NDArray[np.uint8]

WHOLE_SIDE = 256
"""Px of the shorter side at which models of `whole` context are compared."""

_FIGURES = ("psnr", "ssim", "ciede2000", "colorfulness")


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
        now, gray = self.figures, self.gray
        return "\n".join(
            [
                f"{f'{self.pictures} pictures':18}{'result':>8}{'left gray':>12}",
                f"{'PSNR, dB':18}{now.psnr:8.2f}{gray.psnr:12.2f}   (gain "
                f"{self.gain:+.2f})",
                f"{'SSIM':18}{now.ssim:8.3f}{gray.ssim:12.3f}",
                f"{'CIEDE2000':18}{now.ciede2000:8.2f}{gray.ciede2000:12.2f}",
                f"{'colourfulness, %':18}{100 * now.colorfulness:8.0f}"
                f"{100 * gray.colorfulness:12.0f}",
            ]
        )


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
    if side is None and colorizer.context == "whole":
        side = WHOLE_SIDE
    settings = colorizer.settings() | {"color": color, "gray": gray or "from colour"}
    writer = None if report is None else Report(report, settings)
    readers: list[Callable[[], Pair]]
    if gray is None:
        paths = _spread(list_pictures(color), limit)
        readers = [partial(_read, path, color, side) for path in paths]
    else:
        pairs = yield from read_folders_job(color, gray)
        readers = [partial(_resized, pair, side) for pair in _spread(pairs, limit)]
    rows: list[Score] = []
    left_out: list[str] = []
    total = len(readers)
    stopped = False
    for done, read in enumerate(readers):
        pair = read()
        if is_color(pair.color):
            scored = yield from score_job(pair, colorizer, done, total)
            if scored is None:
                stopped = True
                break
            rows.append(Score(scored.name, scored.figures, scored.gray))
            if writer is not None:
                writer.add(pair, scored)
        else:
            left_out.append(pair.name)
        if (yield PictureScored(done + 1, total, pair.name)) is STOP:
            stopped = True
            break
    if not rows:
        if stopped:
            raise Stopped("Stopped before the first picture was compared.")
        raise BadImageFile(
            f"'{color}' holds no colour pictures to compare with. Give a folder of "
            "colour pictures, such as PNG or JPEG files."
        )
    if writer is not None:
        writer.finish(of=total - len(left_out), notes=_notes(side, left_out))
    return Scores(tuple(rows), tuple(left_out))
