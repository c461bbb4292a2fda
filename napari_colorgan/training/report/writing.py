"""Write a quality report picture by picture."""

import datetime
import io
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

import napari_colorgan
from napari_colorgan.drafts import sweep, write_whole
from napari_colorgan.errors import BadImageFile, BadSetting
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.metrics import error_map
from napari_colorgan.training.events import History
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.report.charts import draw_curves
from napari_colorgan.training.report.page import MARK, Row, page
from napari_colorgan.training.report.pictures import (
    PANEL,
    compared,
    error_colors,
)
from napari_colorgan.training.report.tables import curve_table, image_table
from napari_colorgan.training.scoring import Scored, gray_rgb, score_job

if TYPE_CHECKING:
    from napari_colorgan.inference.colorizer import Colorizer  # torch

_OURS = re.compile(r"\d{4,}(-error)?\.png")


@dataclass(frozen=True, slots=True)
class PictureReported(Progress):
    """One more picture is in the report."""

    name: str


def write_job(
    folder: Path,
    pairs: Iterable[Pair],
    colorizer: "Colorizer",
    *,
    settings: Mapping[str, object],
    history: History | None = None,
    before: "Colorizer | None" = None,
) -> Job[Path]:
    """Colour pairs, compare them with their colour pictures, and write a report.

    On STOP the report has the pictures that are finished, and says so.

    Parameters
    ----------
    folder : is made; that of an earlier report is replaced
    settings : what the page lists
    history : curves to draw
    before : a second model to compare with, such as that before fine-tuning

    Returns
    -------
    the page, `folder`/index.html; beside it are images.csv, with `history` curves.csv,
    and a folder of pictures

    Raises
    ------
    BadSetting
        `folder` is a file, cannot be written to, or holds something else.
    BadImageFile
        A file cannot be written.
    """
    report = Report(folder, settings)
    pairs = list(pairs)
    for done, pair in enumerate(pairs):
        now = yield from score_job(pair, colorizer, done, len(pairs))
        old = None
        if now is not None and before is not None:
            old = yield from score_job(pair, before, done, len(pairs))
        if now is None or (before is not None and old is None):
            break
        report.add(pair, now, old)
        if (yield PictureReported(done + 1, len(pairs), pair.name)) is STOP:
            break
    return report.finish(history, of=len(pairs))


class Report:
    """A report while it is being written.

    Parameters
    ----------
    folder : is made; that of an earlier report is replaced
    settings : what the page lists

    Raises
    ------
    BadSetting
        `folder` is a file, cannot be written to, or holds something else.
    BadImageFile
        A file cannot be written.
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        check_folder("report", folder)
        self._folder = folder
        self._settings = settings
        self._rows: list[Row] = []
        self._reduced = False
        now = datetime.datetime.now().astimezone()
        version = napari_colorgan.__version__
        self._made = f"Made by napari-colorgan {version}, {now:%Y-%m-%d %H:%M}"
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise _cannot_write(folder, error) from error
        # at once: what is left behind by a crash is known as ours the next time
        self._write_page(["This report is not finished."])
        try:
            (folder / "images").mkdir(exist_ok=True)
            for old in (folder / "images").iterdir():
                if _OURS.fullmatch(old.name):
                    old.unlink()
            (folder / "curves.csv").unlink(missing_ok=True)
        except OSError as error:
            raise _cannot_write(folder, error) from error

    def add(self, pair: Pair, now: Scored, before: Scored | None = None) -> None:
        """Add the pictures and figures of a pair."""
        panels = {"gray": gray_rgb(pair)}
        if before is not None:
            panels["before"] = before.image
        panels |= {"result": now.image, "truth": pair.color}
        difference = error_map(now.image, pair.color)
        picture = f"images/{len(self._rows) + 1:04}.png"
        error = picture.replace(".png", "-error.png")
        self._write_picture(picture, compared(list(panels.values())))
        self._write_picture(error, error_colors(difference, pair.mask))
        self._reduced |= max(pair.shape) > PANEL
        row = Row(
            name=pair.name,
            result=now.figures,
            before=before.figures if before is not None else None,
            gray=now.gray,
            panels=tuple(panels),
            picture=picture,
            error=error,
            size=f"{pair.shape[0]} x {pair.shape[1]} px",
        )
        self._rows.append(row)

    def finish(
        self,
        history: History | None = None,
        *,
        of: int | None = None,
        notes: Sequence[str] = (),
    ) -> Path:
        """Write the page and the tables.

        Parameters
        ----------
        of : how many pictures there should have been
        notes : sentences for the top of the page
        """
        notes = [note for note in notes if note]
        done = len(self._rows)
        if of is not None and done < of:
            notes.append(f"Stopped: this report has {done} of {of} pictures.")
        if self._reduced:
            notes.append(
                f"Pictures larger than {PANEL} px are shown reduced; the figures are "
                "those of all pixels."
            )
        self._write("images.csv", image_table(self._rows))
        charts: list[str] = []
        if history is not None:
            self._write("curves.csv", curve_table(history))
            charts = draw_curves(history)
        return self._write_page(notes, charts)

    def _write_page(self, notes: Sequence[str], charts: Sequence[str] = ()) -> Path:
        html = page(
            self._rows,
            settings=self._settings,
            charts=charts,
            notes=notes,
            made=self._made,
        )
        return self._write("index.html", html.encode("utf-8", "backslashreplace"))

    def _write_picture(self, name: str, image: Image.Image) -> None:
        content = io.BytesIO()
        image.save(content, "PNG")
        self._write(name, content.getvalue())

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        try:
            write_whole(path, content)
        except OSError as error:
            raise _cannot_write(path, error) from error
        return path


def check_folder(setting: str, folder: Path) -> None:
    """Refuse a folder that is no place for a report; `setting` is named in the error.

    Raises
    ------
    BadSetting
    """
    sweep(folder)  # what a process that was killed has left is nobody's
    try:
        if folder.is_dir():
            possible = os.access(folder, os.W_OK) and (
                _is_report(folder) or not any(folder.iterdir())
            )
        else:
            possible = (
                not (folder.exists() or folder.is_symlink())
                and folder.parent.is_dir()
                and os.access(folder.parent, os.W_OK)
            )
    except OSError:  # such as a folder that must not be listed
        possible = False
    if not possible:
        raise BadSetting(
            setting,
            str(folder),
            "a folder that is new, empty or holds an earlier report, in a place that "
            "exists and may be written to",
        )


def _is_report(folder: Path) -> bool:
    try:
        with (folder / "index.html").open("rb") as file:
            return MARK.encode() in file.read(1 << 10)
    except OSError:
        return False


def _cannot_write(path: Path, error: OSError) -> BadImageFile:
    return BadImageFile(
        f"'{path}' cannot be written: {error.strerror or error}. Choose another place "
        "or free some space."
    )
