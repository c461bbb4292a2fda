"""One question and one job at a time, and what the dock says of them."""

import contextlib
from collections.abc import Callable
from typing import Any

from magicgui.widgets import Label, ProgressBar, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo
from napari_colorgan.errors import Stopped
from napari_colorgan.job import Job, Progress
from napari_colorgan.widgets.models.questions import Question
from napari_colorgan.widgets.parts.layout import keep_low, say, wrap
from napari_colorgan.widgets.parts.models_changed import models_changed
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.worker import DockJobs, Slot, sentence, show_failure


class ModelWork(QWidget):
    """Asks what a change of the models needs, makes it, and tells all pickers."""

    changed = Signal()
    """A job began, ended, or was asked to stop."""
    made = Signal(str)
    """There is a model of this name that was not there before."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs = DockJobs(self._on_jobs)
        self._ending = ""
        """How what runs has ended, unless it went well."""
        self.question: Question | None = None
        """The window that asks something at the moment."""
        self.status = wrap(Label(value="", visible=False))
        self.progress = ProgressBar(visible=False)
        self.stop = PushButton(text="Stop", visible=False)
        self.stop.changed.connect(self._on_stop)
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self.status, self.progress, self.stop):
            layout.addWidget(part.native)

    @property
    def occupied(self) -> bool:
        """Whether something is done or asked."""
        return self.jobs.busy or self.question is not None

    def ask(self, question: Question, on_accepted: Callable[[], None]) -> None:
        """Open a question; other windows and jobs go on."""
        self.question = question
        question.accepted.connect(on_accepted)
        question.finished.connect(self._on_asked)
        question.open()

    def run(self, doing: str, job: Job[Any], on_result: Slot) -> None:
        """Run a job; its result arrives even if the dock is closed meanwhile.

        Pickers elsewhere hear of a change that ends after that.
        """

        def done(result: Any) -> None:
            self._ending = ""  # even if it was asked to stop
            on_result(result)

        self._ending = ""
        say(self.status, doing)
        self.jobs.run(
            job,
            done,
            title=f"Model manager: {doing[:1].lower()}{doing[1:].removesuffix('...')}",
            on_event=self._on_event,
            on_error=self._on_error,
            even_closed=True,
        )

    def make(self, doing: str, job: Job[zoo.Model], old: str = "") -> None:
        """Run a job that makes a model, and tell all pickers.

        Parameters
        ----------
        old : name of the model that this one takes the place of
        """
        self.run(doing, job, lambda model: self.tell(old, model.name))

    def tell(self, old: str, new: str) -> None:
        """Tell all pickers that a model has come, has another name, or has gone."""
        models_changed.emit(old, new)
        if new and not self.jobs.closed:
            self.made.emit(new)

    def close_all(self) -> None:
        """End what runs and what is asked; from now on nothing touches this widget."""
        self.jobs.close()
        with contextlib.suppress(RuntimeError):  # the viewer was closed, and it, too
            if self.question is not None:
                self.question.close()

    def _on_asked(self) -> None:
        self.question = None

    def _on_stop(self) -> None:
        if self.jobs.stop():
            self._ending = "Stopped."
            say(self.status, "Stopping...")

    def _on_event(self, event: Progress) -> None:
        if self.jobs.closed:
            return
        # in kB: of bytes, Qt can count only 2 GB
        self.progress.native.setRange(0, event.total // 1000)
        self.progress.native.setValue(event.done // 1000)

    def _on_error(self, error: BaseException) -> None:
        self._ending = sentence(error)
        if self.jobs.closed and isinstance(error, Stopped):
            show_info(f"{error} The Model manager dock was closed.")
        else:
            show_failure(error)

    def _on_jobs(self) -> None:
        self.progress.visible = self.stop.visible = self.jobs.busy
        if not self.jobs.busy:
            say(self.status, self._ending)
        self.changed.emit()
