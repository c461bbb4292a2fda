"""A training that was left unfinished: go on with it, or remove it."""

from magicgui.widgets import Label, PushButton
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_colorgan.training.outcome import Outcome
from napari_colorgan.training.runs import RunFolder, unfinished
from napari_colorgan.widgets.parts.layout import keep_low, line_up, say, wrap


class UnfinishedPanel(QWidget):
    """Hidden unless there is a training that can go on."""

    resumed = Signal(object)
    """The training of this `RunFolder` shall go on."""
    discarded = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._folder: RunFolder | None = None
        self.text = wrap(Label(value="", visible=False))
        self.resume = PushButton(text="Resume")
        self.discard = PushButton(
            text="Discard", tooltip="Remove the training that was found"
        )
        self._buttons = line_up(self.resume, self.discard)
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text.native)
        layout.addWidget(self._buttons.native)
        self.resume.changed.connect(self._on_resume)
        self.discard.changed.connect(self._on_discard)
        self.setVisible(False)

    def look(self) -> None:
        """Look for the latest training that was left; only while none is running."""
        self._folder = next(iter(unfinished()), None)

    def forget(self) -> None:
        """Offer nothing until it is looked for again."""
        self._folder = None

    def offer(self, outcome: Outcome | None) -> None:
        """Show what was found, unless it is finished and shown as this outcome."""
        folder = self._folder
        shown = outcome if outcome is not None and outcome.folder == folder else None
        self.setVisible(folder is not None and (shown is None or not shown.complete))
        self.discard.visible = shown is None  # an outcome has a button of its own
        if folder is None or shown is not None:
            say(self.text, "")
        else:
            say(self.text, f"The training of {folder.name} can go on.")

    def _on_resume(self) -> None:
        if self._folder is not None:
            self.resumed.emit(self._folder)

    def _on_discard(self) -> None:
        if self._folder is not None:
            self._folder.discard()
            self.discarded.emit()
