"""The Model manager dock: look at models, bring them in, take them out, keep order."""

import contextlib
from collections.abc import Callable
from typing import Any

import napari.viewer
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo
from napari_colorgan.widgets.menu import show_dock
from napari_colorgan.widgets.models.buttons import ModelButtons
from napari_colorgan.widgets.models.details import ModelDetails
from napari_colorgan.widgets.models.model_list import ModelList
from napari_colorgan.widgets.models.transfer import ModelTransfer
from napari_colorgan.widgets.models.upkeep import ModelUpkeep
from napari_colorgan.widgets.models.work import ModelWork
from napari_colorgan.widgets.parts.card_view import CardView
from napari_colorgan.widgets.parts.closing import on_close
from napari_colorgan.widgets.parts.docking import make_dock
from napari_colorgan.widgets.parts.layout import scroll
from napari_colorgan.widgets.parts.models_changed import models_changed


class ModelManagerWidget(QWidget):
    """Dock widget that lists models and changes those of the user."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.buttons = ModelButtons()
        self.models = ModelList()
        self.details = ModelDetails()
        self.work = ModelWork()
        self.transfer = ModelTransfer(self.work)
        self.upkeep = ModelUpkeep(self.work)
        self._card_view = CardView(self)
        self._lay_out()
        make_dock(self)
        self.setAcceptDrops(True)
        self._connect()
        self.models.show_models()

    @property
    def busy(self) -> bool:
        """Whether something is being read, stored, written or fetched."""
        return self.work.jobs.busy

    # -- slots

    def _connect(self) -> None:
        for button, slot in (
            (self.buttons.import_, self.transfer.choose_file),
            (self.buttons.download, self.transfer.download),
            (self.buttons.colorize, self._with_model(self._colorize)),
            (self.buttons.fine_tune, self._with_model(self._fine_tune)),
            (self.buttons.card, self._on_card),
            (self.buttons.show_folder, self._with_model(_show_folder)),
            (self.buttons.rename, self._with_model(self.upkeep.rename)),
            (self.buttons.duplicate, self._with_model(self.upkeep.duplicate)),
            (self.buttons.export, self._with_model(self.transfer.export)),
            (self.buttons.delete, self._with_model(self.upkeep.delete)),
            (self.buttons.undo, self.upkeep.undo),
        ):
            button.changed.connect(slot)
        self.models.chosen.connect(self._on_chosen)
        self.work.changed.connect(self._update)
        self.work.made.connect(self.models.show_models)
        models_changed.connect(self._on_models_changed)
        self._closing = on_close(self, self._on_closed)

    def _with_model(self, act: Callable[[zoo.Model], None]) -> Callable[[], None]:
        """Make a slot that does something with the chosen model.

        Buttons that need one are disabled where there is none.
        """

        def slot() -> None:
            assert self.models.model is not None
            act(self.models.model)

        return slot

    def _on_closed(self) -> None:
        """End what runs; from now on nothing may touch this widget."""
        models_changed.disconnect(self._on_models_changed)
        self.work.close_all()
        with contextlib.suppress(RuntimeError):  # the viewer was closed, and it, too
            self._card_view.close()

    def _on_models_changed(self, old: str, new: str) -> None:
        name = self.models.name
        self.models.show_models(new if name == old else name)

    def _on_chosen(self) -> None:
        model = self.models.model
        self.details.show_model(model, self.models.problem)
        if model is None:
            self._card_view.close()
        else:
            self._card_view.set_model(model)
        self._update()

    def _colorize(self, model: zoo.Model) -> None:
        show_dock(self._viewer, "Colorize").choose_model(model.name)

    def _fine_tune(self, model: zoo.Model) -> None:
        show_dock(self._viewer, "Fine-tune").choose_start(model.name)

    def _on_card(self) -> None:
        self._card_view.show()
        self._card_view.raise_()
        self._card_view.activateWindow()

    def dragEnterEvent(self, event: Any) -> None:
        """Let a model file be dropped."""
        if self.transfer.offered(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Import a model file."""
        if (path := self.transfer.offered(event.mimeData())) is not None:
            event.acceptProposedAction()
            self.transfer.read(path)

    def showEvent(self, event: Any) -> None:
        """See what other programs have done to the folder meanwhile."""
        super().showEvent(event)
        self.models.show_models(self.models.name)

    # -- showing state

    def _update(self) -> None:
        """Enable what can be done with the chosen model."""
        deleted = self.upkeep.last_deleted()
        self.buttons.offer(self.models.model, deleted, busy=self.busy)

    def _lay_out(self) -> None:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.addWidget(self.buttons.bring_in.native)
        layout.addWidget(self.models, 1)
        layout.addWidget(self.buttons.undo.native)
        for part in (self.work, self.buttons, self.details):
            layout.addWidget(part)
        scroll(self, inside)


def _show_folder(model: zoo.Model) -> None:
    folder = model.path.parent
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
