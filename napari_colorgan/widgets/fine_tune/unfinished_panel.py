"""Trainings that were stopped: go on with one, or delete it."""

from collections.abc import Sequence

from magicgui.widgets import Label, PushButton
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import QListWidget, QVBoxLayout, QWidget

from napari_colorgan.training.outcome import Outcome
from napari_colorgan.training.runs import TrainingBusy
from napari_colorgan.training.unfinished import Unfinished, list_unfinished
from napari_colorgan.widgets.parts.layout import (
    heading,
    keep_low,
    line_up,
    say,
    wrap,
)
from napari_colorgan.widgets.parts.notices import ask, plain

_LOOK_EVERY = 1000  # ms, while another training is in progress or being saved
_MOST_ROWS = 3  # that are seen without scrolling


class UnfinishedPanel(QWidget):
    """Hidden unless there is a training that can go on, or soon may be."""

    resumed = Signal(object)
    """The training of this `RunFolder` shall go on."""

    def __init__(self) -> None:
        super().__init__()
        self._all: Sequence[Unfinished] = ()
        self._shown: list[Unfinished] = []
        self._outcome: Outcome | None = None
        self._elsewhere = False
        """Whether a training runs that is not ours, or no longer."""
        self._closed = False
        self._again = QTimer(self)
        self._again.setSingleShot(True)
        self._again.setInterval(_LOOK_EVERY)
        self.text = wrap(Label(value="", visible=False))
        self.list = QListWidget()
        self.list.setAccessibleName("Stopped trainings")
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.resume = PushButton(text="Resume", tooltip="Go on with this training")
        self.delete = PushButton(
            text="Delete...", tooltip="Remove this training from the disk"
        )
        self._buttons = line_up(self.resume, self.delete)
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(heading("Stopped trainings"))
        for widget in (self.text.native, self.list, self._buttons.native):
            layout.addWidget(widget)
        self.resume.changed.connect(self._on_resume)
        self.delete.changed.connect(self._on_delete)
        self._again.timeout.connect(self.look)
        self.setVisible(False)

    def look(self) -> None:
        """Look for trainings that were stopped; only while none of ours is running."""
        if self._closed:
            return
        try:
            self._all, self._elsewhere = list_unfinished(), False
        except TrainingBusy:
            self._all, self._elsewhere = (), True
            self._again.start()
        self._show()

    def forget(self) -> None:
        """Offer nothing until it is looked for again."""
        self._all, self._elsewhere = (), False
        self._again.stop()
        self._show()

    def offer(self, outcome: Outcome | None) -> None:
        """Offer what was found, unless it is finished and shown as this outcome."""
        self._outcome = outcome
        self._show()

    def stop(self) -> None:
        """Look no more: the dock is closed, and what is shown may be gone."""
        self._closed = True

    def ask(self, question: str) -> bool:
        """Ask the user; whether the answer is yes."""
        return ask(self, "Fine-tune", question)

    # -- slots

    def _on_resume(self) -> None:
        if (chosen := self._chosen()) is not None:
            self.resumed.emit(chosen.folder)

    def _on_delete(self) -> None:
        chosen = self._chosen()
        if chosen is None or not self.ask(
            f"Delete the training of {chosen.name} ({_about(chosen)})? It cannot go on "
            "then."
        ):
            return
        chosen.folder.discard()
        self.look()

    # -- showing state

    def _chosen(self) -> Unfinished | None:
        row = self.list.currentRow()
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def _show(self) -> None:
        shown = [each for each in self._all if not self._is_done(each)]
        if shown != self._shown:
            self._shown = shown
            self._fill()
        self.list.setVisible(bool(shown))
        self._buttons.visible = bool(shown)
        text = "Another training is in progress or being saved."
        say(self.text, text if self._elsewhere else "")
        self.setVisible(bool(shown) or self._elsewhere)

    def _is_done(self, unfinished: Unfinished) -> bool:
        """Whether it has ended, and its result is shown."""
        outcome = self._outcome
        return (
            outcome is not None
            and outcome.complete
            and outcome.folder == unfinished.folder
        )

    def _fill(self) -> None:
        self.list.clear()
        for each in self._shown:
            self.list.addItem(f"{each.name}\n{_about(each)}")
            tip = f"{each.name}\nSaved {each.saved:%Y-%m-%d %H:%M}"
            self.list.item(self.list.count() - 1).setToolTip(plain(tip))
        self.list.setCurrentRow(0)
        rows = min(len(self._shown), _MOST_ROWS) * self.list.sizeHintForRow(0)
        self.list.setFixedHeight(rows + 2 * self.list.frameWidth())


def _about(training: Unfinished) -> str:
    """How far it is, how good, how large, and when it was saved."""
    step = f"step {training.step}"
    if training.steps is not None:
        step += f" of {training.steps}"
    score = "" if training.psnr is None else f"{training.psnr:.1f} dB, "
    size = f"{training.size / 1e6:.0f} MB"
    saved = f"{training.saved.day} {training.saved:%b %H:%M}"
    return f"{step}, {score}{size}, {saved}"
