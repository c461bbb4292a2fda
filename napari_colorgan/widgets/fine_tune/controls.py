"""The buttons that start, pause and stop a training."""

from magicgui.widgets import Label, PushButton
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_colorgan.widgets.parts.layout import (
    explain,
    keep_low,
    line_up,
    say,
    wrap,
)
from napari_colorgan.widgets.parts.worker import DockJobs


class TrainingControls(QWidget):
    """Start while nothing is trained, else pause and two ways to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.start = PushButton(text="Start")
        self.pause = PushButton(text="Pause", tooltip="Keep everything and wait")
        self.stop_best = PushButton(
            text="Stop, keep the best",
            tooltip="End now; keep the weights that were best on the test part",
        )
        self.stop_last = PushButton(
            text="Stop, keep the last", tooltip="End now; keep the weights of this step"
        )
        self.reason = wrap(Label(value="", visible=False))
        self._begins = line_up(self.start, self.pause)
        self._stops = line_up(self.stop_best, self.stop_last)
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (self._begins, self._stops, self.reason):
            layout.addWidget(part.native)

    def offer(self, jobs: DockJobs, missing: str) -> None:
        """Enable what can work, and say what is missing; empty if nothing is."""
        reason = "A training is in progress." if jobs.busy else missing
        self.start.enabled = not reason
        explain(self.start, reason or "Train on these pairs")
        say(self.reason, "" if jobs.busy else missing)
        self.pause.text = "Continue" if jobs.paused else "Pause"
        self._begins.visible = True
        self.start.visible = not jobs.busy
        self.pause.visible = jobs.busy
        self._stops.visible = jobs.busy
        for button in (self.pause, self.stop_best, self.stop_last):
            button.enabled = not jobs.stopping
