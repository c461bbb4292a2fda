"""One training: the job in its thread, and what is shown of it."""

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import Label, ProgressBar
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_colorgan.job import Progress, Waiting, duration
from napari_colorgan.widgets.fine_tune.loss_plot import LossPlot
from napari_colorgan.widgets.fine_tune.preview_layer import PreviewLayer
from napari_colorgan.widgets.parts.layout import keep_low, say, wrap
from napari_colorgan.widgets.parts.pace import Pace

if TYPE_CHECKING:  # scikit-image; nothing here is read by a form
    from napari_colorgan.training.events import Planned, StepDone, Validated


class TrainingView(QWidget):
    """Progress, figures and curves of a training, and its preview layer.

    Hidden until one begins.
    """

    measured = Signal(float)
    """How long a step takes, in s, was found out before the first one."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._preview: PreviewLayer | None = None
        self._pace = Pace(0.25)
        self._step: StepDone | None = None
        self._progress = ""
        """How far the training is, in words."""
        self._paused = self._stopping = self._saved = False
        self._warning = ""
        """What was said against the training before its first step."""
        self.progress = ProgressBar(value=0, max=1)
        self.status = wrap(Label(value=""))
        self.plan = wrap(Label(value="", visible=False))
        self.figures = wrap(Label(value="", visible=False))
        self.notice = wrap(Label(value="", visible=False))
        self.plot = LossPlot()
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.progress, self.status, self.plan, self.figures):
            layout.addWidget(widget.native)
        layout.addWidget(self.notice.native)
        layout.addWidget(self.plot)
        self.setVisible(False)

    def begin(self, *, saved: bool) -> None:
        """Get ready for a training, of which something may be saved already."""
        self._saved = saved
        self.setVisible(True)
        self._preview = PreviewLayer(self._viewer)
        self._step, self._warning = None, ""
        self.plot.clear()
        for label in (self.plan, self.figures, self.notice):
            say(label, "")
        self.progress.native.setRange(0, 0)  # busy
        self.progress.visible = True
        self._tell("Preparing...")

    def on_event(self, event: Progress) -> None:
        """Show what happened."""
        from napari_colorgan.training.events import (  # loaded by the job
            Planned,
            Previewed,
            StepDone,
            Validated,
        )

        match event:
            case StepDone():
                self._on_step(event)
            case Planned():
                self._on_planned(event)
            case Waiting():
                self._tell(f"{event.reason} Free some space, then press Continue.")
            case Validated():
                self._on_validated(event)
            case Previewed() if self._preview is not None:
                self._preview.show(event.gray, event.before, event.now, event.truth)

    def end(self, text: str = "") -> None:
        """Show the last state; and why there is no result, if there is none."""
        if self._preview is not None:
            self._preview.flush()
        if self._step is not None:
            self._show_step(self._step)
        self.progress.visible = False
        self.plot.update()
        for label in (self.figures, self.notice):
            say(label, "")  # the result says it
        self._tell(text)

    def follow(self, *, paused: bool, stopping: bool) -> None:
        """Say that a training waits, or is about to end; or again how far it is."""
        self._paused, self._stopping = paused, stopping
        self._tell(self._progress)

    def say_what_stays(self) -> str:
        """Say what becomes of a training whose dock is closed."""
        if self._saved:
            return (
                "The training stops and is saved; open the Fine-tune dock again and "
                "press Resume to go on."
            )
        return (
            "The training ends before its first step, so nothing of it is kept; open "
            "the Fine-tune dock again to start anew."
        )

    def _tell(self, progress: str) -> None:
        """Say how far the training is, unless it stops."""
        self._progress = progress
        if self._stopping:
            say(self.status, "Stopping after this step, then saving...")
        else:
            say(self.status, f"Paused. {progress}" if self._paused else progress)

    def _on_planned(self, event: "Planned") -> None:
        self.progress.native.setRange(0, event.total)
        say(
            self.plan,
            f"{event.total} steps, about {duration(event.seconds)}, on {event.device} "
            f"({event.precision}). "
            "Layer 'training preview': gray | before | now | truth.",
        )
        if not event.done:
            self.measured.emit(event.step)
        self._warning = event.warning
        say(self.notice, event.warning)
        for step, loss in event.history.losses:
            self.plot.add_loss(step, event.total, loss)
        for validation in event.history.validations:
            self._on_validated(validation)
        self._tell("The test part is scored...")

    def _on_step(self, event: "StepDone") -> None:
        self._step, self._saved = event, True
        self.plot.add_loss(event.done, event.total, event.loss)
        now = time.perf_counter()
        if self._pace.due(now):
            self._show_step(event)
            end = time.perf_counter()
            self._pace.done(end, end - now)

    def _show_step(self, event: "StepDone") -> None:
        self.progress.native.setValue(event.done)
        left = duration(event.seconds_left)
        self._tell(f"Step {event.done} of {event.total}, {left} left")

    def _on_validated(self, event: "Validated") -> None:
        self.plot.add_quality(
            event.done,
            event.now.psnr,
            gray=event.gray.psnr,
            before=event.before.psnr,
            best=event.best,
        )
        if event.best:
            say(self.figures, describe(event))
        notice = (
            "Overfitting: the test part gets worse while the training still gets "
            "better. The best weights so far are kept; stop, or add pairs."
        )
        say(self.notice, notice if event.overfitting else self._warning)


def describe_best(validations: Sequence["Validated"]) -> str:
    """Figures of the best of some validations in words; empty if there are none."""
    best = [event for event in validations if event.best]
    return describe(best[-1]) if best else ""


def describe(event: "Validated") -> str:
    """Figures of the test part in words."""
    parts = [f"Best on the test part: {_db(event.now.psnr)} at step {event.done}"]
    parts.append(f"before {_db(event.before.psnr)}, gray {_db(event.gray.psnr)}")
    return "; ".join(parts) + "."


def _db(value: float) -> str:
    return f"{value:.1f} dB" if math.isfinite(value) else "equal"
