"""The Fine-tune dock: choose pairs, train, watch, use the model."""

from typing import Any

import napari.viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_colorgan.errors import BadSetting
from napari_colorgan.job import Job, Progress, Waiting
from napari_colorgan.training.outcome import Kept, Outcome
from napari_colorgan.training.run_jobs import PairsLoaded, begin_job, resume_job
from napari_colorgan.training.runs import RunFolder
from napari_colorgan.widgets.fine_tune.controls import TrainingControls
from napari_colorgan.widgets.fine_tune.form import FineTuneForm
from napari_colorgan.widgets.fine_tune.outcome_panel import OutcomePanel
from napari_colorgan.widgets.fine_tune.pairs_panel import PairsPanel
from napari_colorgan.widgets.fine_tune.training_view import TrainingView
from napari_colorgan.widgets.fine_tune.unfinished_panel import UnfinishedPanel
from napari_colorgan.widgets.fine_tune.watched_layers import WatchedLayers
from napari_colorgan.widgets.menu import show_dock
from napari_colorgan.widgets.parts.closing import on_close
from napari_colorgan.widgets.parts.docking import make_dock
from napari_colorgan.widgets.parts.layout import heading, scroll
from napari_colorgan.widgets.parts.models_changed import models_changed
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.settings import (
    fine_tune_file,
    load_settings,
    save_settings,
)
from napari_colorgan.widgets.parts.worker import (
    DockJobs,
    sentence,
    show_failure,
)


class FineTuneWidget(QWidget):
    """Dock widget that trains a model on pairs of layers."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._jobs = DockJobs(self._update)
        self._kept: Kept = "best"
        self._watched = WatchedLayers()

        self.pairs = PairsPanel(napari_viewer)
        self.form = FineTuneForm()
        self.controls = TrainingControls()
        self.unfinished = UnfinishedPanel()
        self.training = TrainingView(napari_viewer)
        self.outcome = OutcomePanel(napari_viewer)
        self._settings_heading = heading("Settings")
        self._area = self._lay_out()
        make_dock(self)
        self.form.restore(load_settings(fine_tune_file()))
        self._connect()
        self.unfinished.look()
        self._on_pairs()

    @property
    def busy(self) -> bool:
        """Whether a training is in progress."""
        return self._jobs.busy

    def reset_choices(self, *_: object) -> None:
        """Refresh the pickers; napari calls this whenever its layers change."""
        if not self._jobs.closed:
            self.pairs.reset_choices()

    def choose_active(self) -> None:
        """Choose the viewer's active layer if it is RGB."""
        self.pairs.choose_active()

    def choose_start(self, name: str) -> None:
        """Choose the model to start from; a training that runs is not affected."""
        self.form.choose_start(name)
        if self.busy:
            show_info(f"The next training starts from '{name}'; one is in progress.")
        else:
            self._area.ensureWidgetVisible(self.form.native)

    # -- slots

    def _connect(self) -> None:
        self.controls.start.changed.connect(self._on_start)
        self.controls.pause.changed.connect(self._on_pause)
        self.controls.stop_best.changed.connect(lambda: self._on_stop("best"))
        self.controls.stop_last.changed.connect(lambda: self._on_stop("last"))
        self.unfinished.resumed.connect(self._on_resume)
        self.training.measured.connect(self._on_measured)
        self.pairs.changed.connect(self._on_pairs)
        self.form.seed.changed.connect(self._on_split)
        self.form.task.changed.connect(self._on_pairs)
        self.outcome.used.connect(self._on_used)
        self.outcome.discarded.connect(self._look_for_unfinished)
        self._viewer.layers.events.removed.connect(self._on_layer_removed)
        models_changed.connect(self.form.follow)
        self._closing = on_close(self, self._on_closed)

    def _on_closed(self) -> None:
        """End and save what runs; from now on nothing may touch this widget."""
        self._announce_saving()
        self.pairs.stop()
        self.outcome.stop()
        self.unfinished.stop()
        self._jobs.close()
        self._watched.watch(())
        self._viewer.layers.events.removed.disconnect(self._on_layer_removed)
        models_changed.disconnect(self.form.follow)

    def _announce_saving(self) -> None:
        try:
            self.isVisible()
        except RuntimeError:  # deleted: the viewer closes, too, and cannot say anything
            return
        if self.busy:
            show_info(self.training.say_what_stays())

    def _on_start(self) -> None:
        if self.busy or self.pairs.missing:
            return  # the button says why
        try:
            settings = self.form.settings()
        except BadSetting as error:
            show_failure(error)
            return
        save_settings(self.form.remembered(), fine_tune_file())
        self._begin(begin_job(RunFolder.new(), settings, self.pairs.pairs))

    def _on_resume(self, folder: RunFolder) -> None:
        if not self.busy:
            self._begin(resume_job(folder), saved=folder.state.exists())

    def _begin(self, job: Job[Outcome], *, saved: bool = False) -> None:
        self._kept = "best"
        self._watched.watch(self.pairs.layers())
        self.unfinished.forget()
        self.outcome.show_outcome(None)
        self.training.begin(saved=saved)
        self._jobs.run(
            job,
            self._on_result,
            on_event=self._on_event,
            on_error=self._on_error,
            on_end=self._on_end,
        )

    def _on_event(self, event: Progress) -> None:
        if isinstance(event, PairsLoaded):
            self.pairs.fill(event.pairs)
        self.training.on_event(event)
        if isinstance(event, Waiting):
            self._update()
            if event.tries == 1 and not self._jobs.stopping:
                show_info(f"The training is paused: {event.reason}")

    def _on_measured(self, seconds: float) -> None:
        self.form.remember_step(seconds)
        save_settings(self.form.remembered(), fine_tune_file())

    def _on_result(self, outcome: Outcome) -> None:
        unsaved = outcome.result.unsaved
        self.training.end(unsaved and f"Beware: {unsaved}.")
        self.outcome.show_outcome(outcome, self._kept)
        QTimer.singleShot(0, self._scroll_to_outcome)  # once it is laid out

    def _on_error(self, error: BaseException) -> None:
        self.training.end(sentence(error))
        show_failure(error)

    def _on_end(self) -> None:
        self._watched.watch(())
        if not self._jobs.closed:
            self._look_for_unfinished()

    def _on_pause(self) -> None:
        self._jobs.pause_or_resume()

    def _on_stop(self, kept: Kept) -> None:
        if self._jobs.stop():
            self._kept = kept

    def _on_used(self, name: str) -> None:
        models_changed.emit("", name)
        show_dock(self._viewer, "Colorize").choose_model(name)
        show_info(f"The model '{name}' is ready in the Colorize dock.")
        self._look_for_unfinished()

    def _on_pairs(self, *_: object) -> None:
        summary = self.pairs.summary
        self.form.show_task(None if summary is None else summary.task)
        self._update()

    def _on_split(self, *_: object) -> None:
        config = self.form.settings().config
        self.pairs.set_split(config.validation, config.seed)

    def _on_layer_removed(self, event: Any) -> None:
        self._watched.removed(event.value)
        self.pairs.forget(event.value)

    # -- showing state

    def _look_for_unfinished(self) -> None:
        if not self.busy:
            self.unfinished.look()
        self._update()

    def _update(self, *_: object) -> None:
        busy = self.busy
        self.controls.offer(self._jobs, self.pairs.missing)
        self.training.follow(paused=self._jobs.paused, stopping=self._jobs.stopping)
        self.pairs.set_locked(busy)
        self.form.visible = not busy
        self._settings_heading.setVisible(not busy)
        self.unfinished.offer(self.outcome.outcome)

    def _scroll_to_outcome(self) -> None:
        if not self._jobs.closed:
            self._area.ensureWidgetVisible(self.outcome)

    def _lay_out(self) -> QScrollArea:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        for widget in (
            heading("Pairs"),
            self.pairs,
            self._settings_heading,
            self.form.native,
            self.controls,
            self.training,
            self.outcome,
            self.unfinished,
        ):
            layout.addWidget(widget)
        layout.addStretch()
        return scroll(self, inside)
