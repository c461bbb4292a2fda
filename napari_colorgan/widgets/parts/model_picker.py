"""Choose a model by name and picture; read what it is for."""

import contextlib
from pathlib import Path
from typing import Any

from magicgui.widgets import ComboBox, Container, Label, PushButton
from qtpy.QtCore import QSize
from qtpy.QtWidgets import QFileDialog

from napari_colorgan.checkpoints import zoo
from napari_colorgan.errors import ColorganError
from napari_colorgan.widgets.parts.card_view import CardView
from napari_colorgan.widgets.parts.layout import line_up, say, shorten, wrap
from napari_colorgan.widgets.parts.notices import DESCRIPTION, cut
from napari_colorgan.widgets.parts.picture import Picture, first_example
from napari_colorgan.widgets.parts.worker import show_failure

_ICON = 32  # px
_EXAMPLES = 340  # px


class ModelPicker(Container[Any]):
    """The models there are and files one has browsed to; about the chosen one, more."""

    def __init__(self) -> None:
        super().__init__(labels=False)
        self.model: zoo.Model | None = None
        """The one that is chosen; None if there is none, or none that can be read."""
        self._browsed: dict[str, zoo.Model] = {}
        self._models: dict[str, zoo.Model] = {}
        self.names = ComboBox(label="Model", choices=lambda _: list(self._models))
        self.browse = PushButton(text="Browse...", tooltip="Use a checkpoint file")
        self.read_card = PushButton(
            text="Model card...", tooltip="What it was made from, and where it fails"
        )
        self.about = wrap(Label(value=""))
        labelled = Container(widgets=[self.names])
        for part in (self, labelled):
            part.margins = (0, 0, 0, 0)
        self.extend([labelled, line_up(self.browse, self.read_card), self.about])
        self._examples = Picture(_EXAMPLES)
        self.native.layout().addWidget(self._examples)
        self._card = CardView(self.native)
        self.names.native.setIconSize(QSize(_ICON, _ICON))
        shorten(self.names)
        self.reset_choices()
        self.names.changed.connect(self._describe)
        self.browse.changed.connect(self._on_browse)
        self.read_card.changed.connect(self._on_read_card)
        self._describe()

    def reset_choices(self, *_: object) -> None:
        """Look for models anew."""
        self._models = {model.name: model for model in zoo.look()[0]}
        self._models |= self._browsed
        super().reset_choices()
        for index, name in enumerate(self.names.choices):
            picture = self._models[str(name)].picture
            self.names.native.setItemIcon(index, first_example(picture))

    def add(self, path: Path) -> None:
        """Offer a checkpoint file and choose it."""
        try:
            self._browsed[str(path)] = zoo.find(path)
        except ColorganError as error:
            show_failure(error)
            return
        self.choose(str(path))

    def choose(self, name: str) -> None:
        """Choose a model that may be new, or anew under its name."""
        self.reset_choices()
        self.names.value = name
        self._describe()

    def close_card(self) -> None:
        """Close the window with the card."""
        with contextlib.suppress(RuntimeError):  # the viewer was closed, and it, too
            self._card.close()

    def _on_read_card(self) -> None:
        self._card.show()
        self._card.raise_()
        self._card.activateWindow()

    def _on_browse(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self.native, "Choose a model", "", "Checkpoints (*.safetensors)"
        )
        if path:
            self.add(Path(path))

    def _describe(self, *_: object) -> None:
        """Show what the chosen model is for."""
        name, self.model = self.names.value, None
        about, picture = "There is no model; choose a file.", b""
        if name is not None:
            try:
                self.model = zoo.find(name)
            except ColorganError as error:
                about = str(error)
        if self.model is None:
            self.close_card()
        else:
            about = cut(self.model.description, DESCRIPTION)
            picture = self.model.picture
            self._card.set_model(self.model)
        say(self.about, about)
        self._examples.show_file(picture)
        self.read_card.enabled = self.model is not None
