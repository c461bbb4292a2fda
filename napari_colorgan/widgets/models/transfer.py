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
    name_after,
    read_job,
)
from napari_colorgan.inference.install import import_job, install_imported_job
from napari_colorgan.widgets.models.questions import (
    DownloadQuestion,
    ExportQuestion,
    ImportQuestion,
)
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
        question = DownloadQuestion(self._work)

        def on_accepted() -> None:
            name = question.name.value
            job = import_job(question.url.value, name, sha256=question.sha256.value)
            self._work.make(f"Downloading '{name}'...", job)

        self._work.ask(question, on_accepted)

    def export(self, model: zoo.Model) -> None:
        """Ask as what and where a model is to be written, and write it."""
        question = ExportQuestion(self._work, model)
        self._work.ask(question, lambda: self._choose_place(model, question.answered()))

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
        question = ImportQuestion(
            self._work, imported, name_after(imported.source.path)
        )

        def on_accepted() -> None:
            name = question.name.value
            job = install_imported_job(question.answered(), name)
            self._work.make(f"Storing '{name}'...", job)

        self._work.ask(question, on_accepted)

    def _choose_place(self, model: zoo.Model, choice: ExportAs) -> None:
        title, suffix = FORMATS[choice.format].title, FORMATS[choice.format].suffix
        path, _ = QFileDialog.getSaveFileName(
            self._work,
            f"Export {model.name}",
            f"{model.name}{suffix}",
            f"{title} (*{suffix})",
        )
        if path:
            self.write(model, Path(path.removesuffix(suffix) + suffix), choice)
