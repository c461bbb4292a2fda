"""What a training has made: figures, and what to do with the model."""

from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, Container, Label, LineEdit, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo
from napari_colorgan.errors import BadSetting
from napari_colorgan.job import Job, duration
from napari_colorgan.training.outcome import (
    Kept,
    Outcome,
    error_maps_job,
    install_trained_job,
    report_job,
)
from napari_colorgan.widgets.parts.layout import (
    explain,
    heading,
    keep_low,
    line_up,
    say,
    wrap,
)
from napari_colorgan.widgets.parts.notices import ask, show_info
from napari_colorgan.widgets.parts.places import beside, show_all
from napari_colorgan.widgets.parts.worker import (
    DockJobs,
    Slot,
    sentence,
    show_failure,
)

_ERROR_LIMITS = (0.0, 20.0)  # CIEDE2000; 1 is just noticeable


class OutcomePanel(QWidget):
    """Hidden until there is an outcome."""

    used = Signal(str)
    """The model was stored under this name."""
    discarded = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._outcome: Outcome | None = None
        self._jobs = DockJobs(self._update)
        self._failure = ""
        """What went wrong with what was begun last."""
        self.figures = wrap(Label(value=""))
        self.keep = ComboBox(
            label="Weights",
            choices=[("best on the test part", "best"), ("last", "last")],
        )
        self.name = LineEdit(
            label="Name", tooltip="Under which the Colorize dock offers the model"
        )
        self.reason = wrap(Label(value="", visible=False))
        self.use = PushButton(text="Use this model now")
        self.report = PushButton(
            text="Write report...",
            tooltip="A page with figures and pictures of the test part",
        )
        self.maps = PushButton(
            text="Show error maps",
            tooltip="How far colours of the test part are off (CIEDE2000), as layers",
        )
        self.discard = PushButton(
            text="Discard", tooltip="Remove this training and its model"
        )
        fields: Container[Any] = Container(widgets=[self.keep, self.name])
        fields.margins = (0, 0, 0, 0)
        rows = line_up(self.use, self.discard), line_up(self.report, self.maps)
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading("Result"))
        for part in (self.figures, fields, self.reason, *rows):
            layout.addWidget(part.native)
        self._parts = (fields, rows)  # not owned by this widget
        self.name.changed.connect(self._update)
        self.use.changed.connect(self._on_use)
        self.report.changed.connect(self._on_report)
        self.maps.changed.connect(self._on_maps)
        self.discard.changed.connect(self._on_discard)
        self.setVisible(False)

    @property
    def outcome(self) -> Outcome | None:
        """What the last training has made; None once it was discarded."""
        return self._outcome

    @property
    def busy(self) -> bool:
        """Whether something is being stored, written or computed."""
        return self._jobs.busy

    def show_outcome(self, outcome: Outcome | None, kept: Kept = "best") -> None:
        """Offer what a training has made; None: nothing."""
        self._outcome = outcome
        self.setVisible(outcome is not None)
        if outcome is not None:
            self.keep.value = kept
            self.name.value = outcome.suggest_name()
            say(self.figures, summary(outcome))
        self._update()

    def stop(self) -> None:
        """End what runs; nothing of it is shown any more."""
        self._jobs.close()

    # -- slots

    def _on_use(self) -> None:
        outcome = self._outcome
        if outcome is None or self.busy:
            return
        name, replace_old = str(self.name.value), False
        try:
            zoo.check_name(name)
        except zoo.NameTaken as error:
            if not self.ask(f"{error} Replace it?"):
                return
            replace_old = True
        except BadSetting:
            return  # the button says why

        def on_result(model: zoo.Model) -> None:
            outcome.mark_used()
            self.used.emit(model.name)

        kept = self.keep.value
        self._run(
            install_trained_job(outcome, kept, name, replace_old=replace_old), on_result
        )

    def _run(self, job: Job[Any], on_result: Slot) -> None:
        self._failure = ""
        self._jobs.run(job, on_result, on_error=self._on_error)

    def _on_error(self, error: BaseException) -> None:
        self._failure = sentence(error)
        show_failure(error)

    def ask(self, question: str) -> bool:
        """Ask the user; whether the answer is yes."""
        return ask(self, "Fine-tune", question)

    def _on_report(self) -> None:
        if self._outcome is None or self.busy:
            return
        parent = QFileDialog.getExistingDirectory(self, "Where to put the report")
        if parent:
            self.write_report(Path(parent) / f"{self.name.value} report")

    def write_report(self, folder: Path) -> None:
        """Write the report into a folder."""
        assert self._outcome is not None

        def on_result(page: Path) -> None:
            show_info(f"The report is '{page}'.")

        self._run(report_job(self._outcome, self.keep.value, folder), on_result)

    def _on_maps(self) -> None:
        if self._outcome is None or self.busy:
            return
        self._run(error_maps_job(self._outcome, self.keep.value), self._show_maps)

    def _show_maps(self, maps: Any) -> None:
        for name, error in maps:
            self._viewer.add_image(
                error,
                name=f"{name} error",
                colormap="inferno",
                contrast_limits=_ERROR_LIMITS,
                **beside(self._viewer.layers),
            )
        show_all(self._viewer)

    def _on_discard(self) -> None:
        outcome = self._outcome
        if outcome is None or self.busy:
            return
        unused = not outcome.used
        if unused and not self.ask("Remove this training? Its model was not used."):
            return
        outcome.discard()
        self.show_outcome(None)
        self.discarded.emit()

    def _update(self, *_: object) -> None:
        reason = ""
        if self.busy:
            reason = "Please wait for what was begun."
        else:
            try:
                zoo.check_name(str(self.name.value), taken_too=True)
            except BadSetting as error:
                reason = str(error)
        say(self.reason, reason or self._failure)
        self.use.enabled = not reason
        explain(self.use, reason or "Store the model and open the Colorize dock")
        for button in (self.report, self.maps, self.discard):
            button.enabled = not self.busy


def summary(outcome: Outcome) -> str:
    """Why a training has ended, how long it took, and how good its model is."""
    from napari_colorgan.widgets.fine_tune.training_view import describe_best

    result = outcome.result
    ended = f"Ended: {result.ended}, after {duration(result.seconds)}."
    return f"{ended} {describe_best(result.history.validations)}"
