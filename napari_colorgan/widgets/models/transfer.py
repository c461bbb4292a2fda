"""Models come in from a file or an address, and go out as a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QMimeData
from qtpy.QtWidgets import QFileDialog

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.formats import (
    FORMATS,
    READABLE,
    ExportAs,
    export_job,
    read_job,
    suggest_name,
)
from napari_colorgan.inference.install import import_job, install_imported_job
from napari_colorgan.widgets.models.forms import DownloadForm, ExportForm, ImportForm
from napari_colorgan.widgets.models.work import ModelWork
from napari_colorgan.widgets.parts.notices import show_info

if TYPE_CHECKING:  # torch; nothing here is read by a form
    from napari_colorgan.checkpoints.imports import Import


class ModelTransfer:
    """What asks for files, reads and writes them."""

    def __init__(self, work: ModelWork) -> None:
        self._work = work

    def choose_file(self) -> None:
        """Let the user choose a model file, and read it."""
        kinds = " ".join(f"*{suffix}" for suffix in READABLE)
        path, _ = QFileDialog.getOpenFileName(
            self._work, "Import", "", f"Models ({kinds});;All files (*)"
        )
        if path:
            self.read(Path(path))

    def offered(self, dragged: QMimeData) -> Path | None:
        """Return the one model file that is dragged; None if nothing can be taken."""
        urls = dragged.urls()
        if self._work.occupied or len(urls) != 1 or not urls[0].isLocalFile():
            return None
        path = Path(urls[0].toLocalFile())
        return path if path.suffix.lower() in READABLE else None

    def read(self, path: Path) -> None:
        """Read a model file, then ask how to store it."""
        self._work.run(f"Reading '{path.name}'...", read_job(path), self._store)

    def download(self) -> None:
        """Ask for an address, and store what is there."""
        form = DownloadForm(self._work)

        def on_accepted() -> None:
            name = form.name.value
            job = import_job(form.url.value, name, sha256=form.sha256.value)
            self._work.make(f"Downloading '{name}'...", job)

        self._work.ask(form, on_accepted)

    def export(self, model: zoo.Model) -> None:
        """Ask as what and where a model is to be written, and write it."""
        form = ExportForm(self._work, model)
        self._work.ask(form, lambda: self._choose_place(model, form.answered()))

    def write(self, model: zoo.Model, path: Path, choice: ExportAs) -> None:
        """Write a model as a file."""

        def on_result(path: Path) -> None:
            show_info(f"'{model.name}' was written to '{path}'.")

        job = export_job(model.path, choice, path)
        self._work.run(f"Exporting '{model.name}'...", job, on_result)

    def _store(self, imported: "Import") -> None:
        """Ask what the file did not tell, and store the model."""
        if self._work.jobs.closed:
            return
        form = ImportForm(self._work, imported, suggest_name(imported.source.path))

        def on_accepted() -> None:
            name = form.name.value
            job = install_imported_job(form.answered(), name)
            self._work.make(f"Storing '{name}'...", job)

        self._work.ask(form, on_accepted)

    def _choose_place(self, model: zoo.Model, choice: ExportAs) -> None:
        title, suffix = FORMATS[choice.form].title, FORMATS[choice.form].suffix
        path, _ = QFileDialog.getSaveFileName(
            self._work,
            f"Export {model.name}",
            f"{model.name}{suffix}",
            f"{title} (*{suffix})",
        )
        if path:
            self.write(model, Path(path.removesuffix(suffix) + suffix), choice)
