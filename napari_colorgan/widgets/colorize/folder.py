"""Many files are coloured into a folder, with the model and settings of the dock."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import CheckBox, Container, Label, ProgressBar, PushButton
from napari.utils.history import get_open_history, get_save_history, update_open_history
from qtpy.QtWidgets import QFileDialog

from napari_colorgan.errors import ColorganError
from napari_colorgan.inference.batch import (
    BatchOutcome,
    BatchProgress,
    color_many_job,
)
from napari_colorgan.inference.files import Choices
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import Progress, duration
from napari_colorgan.widgets.parts.layout import explain, line_up, say, wrap
from napari_colorgan.widgets.parts.notices import once, show_info
from napari_colorgan.widgets.parts.worker import DockJobs, sentence, show_failure

_NAMED = 3  # pictures that could not be coloured


class FolderPanel(Container[Any]):
    """A button that asks for two folders, and what becomes of the pictures.

    Parameters
    ----------
    settings : called for what the pictures are to be coloured with
    """

    def __init__(self, settings: Callable[[], ColorizerSettings]) -> None:
        self._settings = settings
        self._began = 0.0
        self.jobs = DockJobs(self._update)
        self.start = PushButton(text="Colorize a folder...")
        self.stop = PushButton(
            text="Stop", tooltip="End early and keep the pictures that are finished"
        )
        self.from_color = CheckBox(
            text="Use the lightness of colour pictures",
            tooltip="Otherwise pictures that have colour already are left out",
        )
        self.progress = ProgressBar(value=0, max=1, visible=False)
        self.status = wrap(Label(value="", visible=False))
        buttons = line_up(self.start, self.stop)
        parts = [buttons, self.from_color, self.progress, self.status]
        super().__init__(widgets=parts, labels=False)
        self.margins = (0, 0, 0, 0)
        self.start.changed.connect(self._on_start)
        self.stop.changed.connect(self._on_stop)
        self._update()

    def color_folder(self, source: Path, out: Path) -> None:
        """Colour the pictures below a folder; those with a result in `out` have it."""
        try:
            settings = self._settings()
        except ColorganError as error:
            self._on_error(error)
            return
        choices = Choices(None, None, bool(self.from_color.value), force=False)
        self._began = time.perf_counter()
        say(self.status, f"Looking for pictures in '{source}'...")
        self.jobs.run(
            color_many_job([source], out, settings, choices, skip=True),
            lambda outcome: self._on_result(outcome, out),
            title=f"Colorize the folder '{source.name}'",
            kept=f"The pictures that are finished are in '{out}'.",
            on_event=self._on_event,
            on_error=self._on_error,
        )

    def close_jobs(self) -> None:
        """Stop; from now on nothing may touch this widget."""
        self.jobs.close()

    def _on_start(self) -> None:
        if self.jobs.busy:
            return  # the button says why
        source = self._ask("Folder with gray pictures", get_open_history()[0])
        if source is None:
            return
        update_open_history(str(source / "picture"))  # napari keeps its folder
        out = self._ask("Folder for the coloured pictures", get_save_history()[0])
        if out is not None:
            self.color_folder(source, out)

    def _ask(self, title: str, begin: str) -> Path | None:
        folder = QFileDialog.getExistingDirectory(self.native, title, begin)
        return Path(folder) if folder else None

    def _on_stop(self) -> None:
        if self.jobs.stop():
            say(self.status, "Stopping...")

    def _on_event(self, event: Progress) -> None:
        if self.jobs.stopping or not isinstance(event, BatchProgress):
            return
        self.progress.max, self.progress.value = event.total, event.done
        passed = time.perf_counter() - self._began
        left = passed * (event.total - event.done) / max(1, event.done)
        number = min(event.finished + 1, event.count)
        say(
            self.status,
            f"Picture {number} of {event.count}"
            + (f", {duration(left)} left" if event.done else ""),
        )

    def _on_result(self, outcome: BatchOutcome, out: Path) -> None:
        stopped = "Stopped. " if self.jobs.stopping else ""
        told = stopped + summary(outcome, out)
        show_info(told)
        note = outcome.colorizer.note if outcome.colorizer is not None else ""
        say(
            self.status, "\n".join(filter(None, [told, *_reasons(outcome), once(note)]))
        )
        explain(self.status, "\n".join([*outcome.failures, *outcome.notes]))

    def _on_error(self, error: BaseException) -> None:
        say(self.status, sentence(error))
        show_failure(error)

    def _update(self) -> None:
        busy = self.jobs.busy
        self.start.enabled = not busy
        explain(
            self.start,
            "A folder is being coloured."
            if busy
            else "Colour all pictures of a folder, and of those in it, into another",
        )
        self.stop.visible = self.progress.visible = busy
        self.from_color.enabled = not busy


def summary(outcome: BatchOutcome, out: Path) -> str:
    """Say how many pictures were coloured, and what became of the others."""
    if not outcome.count:
        return f"Nothing is left to be coloured: '{out}' has all results already."
    told = f"{_pictures(outcome.done)} coloured into '{out}'"
    if outcome.failures:
        told += f", {len(outcome.failures)} could not be"
    if outcome.present:
        told += f"; of {outcome.present} a file was there already"
    return f"{told}."


def _reasons(outcome: BatchOutcome) -> list[str]:
    """Say of some pictures why they could not be coloured, or what else there is.

    The tooltip says more.
    """
    reasons = [*outcome.failures, *outcome.notes]
    named = [f"{text.split('. ')[0].removesuffix('.')}." for text in reasons[:_NAMED]]
    more = len(reasons) - _NAMED
    return [*named, f"And {more} more."] if more > 0 else named


def _pictures(number: int) -> str:
    return f"{number} picture{'' if number == 1 else 's'}"
