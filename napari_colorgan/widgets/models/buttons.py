"""The buttons of the Model manager: what can be done with models."""

from magicgui.widgets import PushButton
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.deleted import Deleted
from napari_colorgan.widgets.parts.layout import line_up
from napari_colorgan.widgets.parts.notices import cut

_LETTERS = 20  # of a name on a button, which is as wide as its text


class ModelButtons(QWidget):
    """Rows of buttons; those that bring something in stand in `bring_in`."""

    def __init__(self) -> None:
        super().__init__()
        self.import_ = PushButton(
            text="Import...",
            tooltip="A .safetensors, .pth or .zip file; or drop it here",
        )
        self.download = PushButton(text="Download...", tooltip="A file by its address")
        self.colorize = PushButton(text="Colorize with it")
        self.fine_tune = PushButton(text="Fine-tune it")
        self.card = PushButton(
            text="Model card...", tooltip="What it was made from, and where it fails"
        )
        self.show_folder = PushButton(
            text="Show in folder", tooltip="The file that it is"
        )
        self.rename = PushButton(text="Rename...")
        self.duplicate = PushButton(text="Duplicate...")
        self.export = PushButton(
            text="Export...", tooltip="Write it as a file for other programs"
        )
        self.delete = PushButton(text="Delete...")
        self.undo = PushButton(text="", visible=False)
        self.bring_in = line_up(self.import_, self.download)
        self._rows = [
            line_up(self.colorize, self.fine_tune),
            line_up(self.card, self.show_folder),
            line_up(self.rename, self.duplicate),
            line_up(self.export, self.delete),
        ]
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for row in self._rows:
            layout.addWidget(row.native)

    def offer(
        self, model: zoo.Model | None, deleted: Deleted | None, *, busy: bool
    ) -> None:
        """Enable what can be done with the chosen model, or the last deleted one."""
        yours = model is not None and not model.shipped
        for button in (self.import_, self.download, self.undo):
            button.enabled = not busy
        for button in (self.colorize, self.fine_tune, self.card, self.show_folder):
            button.enabled = model is not None
        for button in (self.duplicate, self.export):
            button.enabled = model is not None and not busy
        for button in (self.rename, self.delete):
            button.enabled = yours and not busy
            button.tooltip = (
                "" if yours else "Shipped models stay as they are; duplicate it first"
            )
        self.undo.visible = deleted is not None
        if deleted is not None:
            name = cut(deleted.name, _LETTERS).replace("&", "&&")  # one would underline
            self.undo.text = f"Undo: bring back '{name}'"
