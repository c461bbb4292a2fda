"""The Model manager dock: look at models, bring them in, take them out, keep order."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import napari.viewer
from magicgui.widgets import Label, ProgressBar, PushButton
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QFileDialog,
    QVBoxLayout,
    QWidget,
)

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.changes import duplicate, rename
from napari_colorgan.checkpoints.deleted import (
    KEPT_DAYS,
    Deleted,
    delete,
    deleted_models,
    restore,
)
from napari_colorgan.checkpoints.formats import (
    FORMATS,
    READABLE,
    ExportAs,
    export_job,
    read_job,
    suggest_name,
)
from napari_colorgan.inference.install import import_job, install_job
from napari_colorgan.job import Job, Progress
from napari_colorgan.widgets.menu import show_dock
from napari_colorgan.widgets.models.buttons import ModelButtons
from napari_colorgan.widgets.models.details import ModelDetails
from napari_colorgan.widgets.models.forms import (
    DownloadForm,
    ExportForm,
    Form,
    ImportForm,
    NameForm,
)
from napari_colorgan.widgets.models.model_list import ModelList, megabytes
from napari_colorgan.widgets.parts.card_view import CardView
from napari_colorgan.widgets.parts.layout import say, scroll, wrap
from napari_colorgan.widgets.parts.models_changed import models_changed
from napari_colorgan.widgets.parts.notices import ask, show_info
from napari_colorgan.widgets.parts.worker import DockJobs, Slot, on_close

R = TypeVar("R")


class ModelManagerWidget(QWidget):
    """Dock widget that lists models and changes those of the user."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._jobs = DockJobs(self._update)
        self._deleted: Deleted | None = None
        self.form: Form | None = None
        """The window that asks something at the moment."""

        self.buttons = ModelButtons()
        self.models = ModelList()
        self.details = ModelDetails()
        self.progress = ProgressBar(visible=False)
        self.status = wrap(Label(value="", visible=False))
        self.stop = PushButton(text="Stop", visible=False)
        self._card_view = CardView(self)
        self._lay_out()
        self.setAcceptDrops(True)
        self._connect()
        self.models.show_models()

    @property
    def busy(self) -> bool:
        """Whether something is being read, stored, written or fetched."""
        return self._jobs.busy

    @property
    def _model(self) -> zoo.Model:
        """The chosen one; buttons that need it are disabled where there is none."""
        assert self.models.model is not None
        return self.models.model

    # -- what can be done, without asking

    def read(self, path: Path) -> None:
        """Read a model file, then ask how to store it."""
        self._run(f"Reading '{path.name}'...", read_job(path), self._ask_import)

    def write(self, model: zoo.Model, path: Path, choice: ExportAs) -> None:
        """Export a model."""

        def on_result(path: Path) -> None:
            show_info(f"'{model.name}' was written to '{path}'.")

        doing = f"Exporting '{model.name}'..."
        self._run(doing, export_job(model.path, choice, path), on_result)

    def _change(
        self, doing: str, change: Callable[[], zoo.Model], old: str = ""
    ) -> None:
        """Change the user's folder and tell all pickers.

        Parameters
        ----------
        old : name of the model that is changed; default: it is a new one
        """
        self._run(doing, change_job(change), lambda model: self._tell(old, model.name))

    def _tell(self, old: str, new: str) -> None:
        """Tell all pickers, also when this dock was closed meanwhile."""
        models_changed.emit(old, new)
        if new and not self._jobs.closed:
            self.models.show_models(new)

    # -- slots

    def _connect(self) -> None:
        for button, slot in (
            (self.buttons.import_, self._on_import),
            (self.buttons.download, self._on_download),
            (self.buttons.colorize, self._on_colorize),
            (self.buttons.fine_tune, self._on_fine_tune),
            (self.buttons.card, self._on_card),
            (self.buttons.show_folder, self._on_show_folder),
            (self.buttons.rename, self._on_rename),
            (self.buttons.duplicate, self._on_duplicate),
            (self.buttons.export, self._on_export),
            (self.buttons.delete, self._on_delete),
            (self.buttons.undo, self._on_undo),
            (self.stop, self._on_stop),
        ):
            button.changed.connect(slot)
        self.models.chosen.connect(self._on_chosen)
        models_changed.connect(self._on_models_changed)
        self._closing = on_close(self, self._on_closed)

    def _on_closed(self) -> None:
        """End what runs; from now on nothing may touch this widget."""
        models_changed.disconnect(self._on_models_changed)
        self._jobs.close()
        with contextlib.suppress(RuntimeError):  # the viewer was closed, and they, too
            self._card_view.close()
            if self.form is not None:
                self.form.close()

    def _on_models_changed(self, old: str, new: str) -> None:
        chosen = self.models.name
        self.models.show_models(new if chosen == old else chosen)

    def _on_chosen(self) -> None:
        model = self.models.model
        self.details.show_model(model)
        if model is None:
            self._card_view.close()
        else:
            self._card_view.set_model(model)
        self._update()

    def _on_import(self) -> None:
        kinds = " ".join(f"*{suffix}" for suffix in READABLE)
        path, _ = QFileDialog.getOpenFileName(
            self, "Import", "", f"Models ({kinds});;All files (*)"
        )
        if path:
            self.read(Path(path))

    def _ask_import(self, found: Any) -> None:
        if self._jobs.closed:
            return
        form = ImportForm(self, found, suggest_name(found.source.path))

        def on_accepted() -> None:
            answered, name = form.answered(), form.name.value
            job = install_job(answered, name)
            self._run(f"Storing '{name}'...", job, lambda _: self._tell("", name))

        self._ask(form, on_accepted)

    def _on_download(self) -> None:
        form = DownloadForm(self)

        def on_accepted() -> None:
            name = form.name.value
            job = import_job(form.url.value, name, sha256=form.sha256.value)
            self._run(
                f"Downloading '{name}'...", job, lambda model: self._tell("", name)
            )

        self._ask(form, on_accepted)

    def _on_rename(self) -> None:
        old = self._model.name
        form = NameForm(self, f"Rename {old}", old, own=old)

        def on_accepted() -> None:
            name = form.name.value
            self._change("Renaming...", lambda: rename(old, name), old)

        self._ask(form, on_accepted)

    def _on_duplicate(self) -> None:
        old = self._model.name
        form = NameForm(self, f"Duplicate {old}", zoo.free_name(f"{old} copy"))

        def on_accepted() -> None:
            name = form.name.value
            self._change("Copying...", lambda: duplicate(old, name))

        self._ask(form, on_accepted)

    def _on_export(self) -> None:
        model = self._model
        form = ExportForm(self, model)
        self._ask(form, lambda: self._ask_where(model, form.answered()))

    def _ask_where(self, model: zoo.Model, choice: ExportAs) -> None:
        title, suffix = FORMATS[choice.form].title, FORMATS[choice.form].suffix
        name = f"{model.name}{suffix}"
        path, _ = QFileDialog.getSaveFileName(
            self, f"Export {model.name}", name, f"{title} (*{suffix})"
        )
        if path:
            self.write(model, Path(path.removesuffix(suffix) + suffix), choice)

    def _on_delete(self) -> None:
        model = self._model
        if not self.ask(
            f"Delete '{model.name}' ({megabytes(model.size)})? It can be brought back "
            f"for {KEPT_DAYS} days."
        ):
            return
        self._run(
            "Deleting...",
            change_job(lambda: delete(model.name)),
            lambda gone: self._tell(gone.name, ""),
        )

    def ask(self, question: str) -> bool:
        """Ask the user; whether the answer is yes."""
        return ask(self, "Model manager", question)

    def _on_undo(self) -> None:
        if (gone := self._deleted) is not None:
            self._change("Bringing it back...", lambda: restore(gone))

    def _on_colorize(self) -> None:
        show_dock(self._viewer, "Colorize").choose_model(self._model.name)

    def _on_fine_tune(self) -> None:
        show_dock(self._viewer, "Fine-tune").choose_start(self._model.name)

    def _on_card(self) -> None:
        self._card_view.show()
        self._card_view.raise_()
        self._card_view.activateWindow()

    def _on_show_folder(self) -> None:
        folder = self._model.path.parent
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _on_stop(self) -> None:
        if self._jobs.stop():
            say(self.status, "Stopping...")

    def dragEnterEvent(self, event: Any) -> None:
        """Let a model file be dropped."""
        if self._dropped(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:
        """Import a model file."""
        if (path := self._dropped(event)) is not None:
            event.acceptProposedAction()
            self.read(path)

    def _dropped(self, event: Any) -> Path | None:
        """Return the one model file that is dropped; None if nothing can be taken."""
        urls = event.mimeData().urls()
        occupied = self.busy or self.form is not None
        if occupied or len(urls) != 1 or not urls[0].isLocalFile():
            return None
        path = Path(urls[0].toLocalFile())
        return path if path.suffix.lower() in READABLE else None

    def showEvent(self, event: Any) -> None:
        """See what other programs have done to the folder meanwhile."""
        super().showEvent(event)
        self.models.show_models(self.models.name)

    # -- asking, running

    def _ask(self, form: Form, on_accepted: Callable[[], None]) -> None:
        self.form = form
        form.accepted.connect(on_accepted)
        form.finished.connect(self._on_asked)
        form.open()

    def _on_asked(self) -> None:
        self.form = None

    def _run(self, doing: str, job: Job[Any], on_result: Slot) -> None:
        say(self.status, doing)
        # pickers elsewhere hear of a change that ends after this dock was closed
        self._jobs.run(job, on_result, on_event=self._on_event, even_closed=True)

    def _on_event(self, event: Progress) -> None:
        if self._jobs.closed:
            return
        # in kB: of bytes, Qt can count only 2 GB
        self.progress.native.setRange(0, event.total // 1000)
        self.progress.native.setValue(event.done // 1000)

    # -- showing state

    def _update(self) -> None:
        """Enable what can be done with the chosen model."""
        busy = self.busy
        self._deleted = next(iter(deleted_models()), None)
        self.buttons.offer(self.models.model, self._deleted, busy=busy)
        self.progress.visible = self.stop.visible = busy
        if not busy:
            say(self.status, "")

    def _lay_out(self) -> None:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.addWidget(self.buttons.bring_in.native)
        layout.addWidget(self.models, 1)
        for part in (self.buttons.undo, self.status, self.progress, self.stop):
            layout.addWidget(part.native)
        layout.addWidget(self.buttons)
        layout.addWidget(self.details)
        scroll(self, inside)


def change_job(change: Callable[[], R]) -> Job[R]:
    """Change the folder of models, which takes a moment and cannot be stopped."""
    yield Progress(0, 0)
    return change()
