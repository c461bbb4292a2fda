"""What can be done with models, as jobs; torch is imported when they run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from napari_colorgan.checkpoints import zoo
from napari_colorgan.errors import Stopped
from napari_colorgan.job import STOP, Job, Progress

if TYPE_CHECKING:  # torch; nothing here is read by a form
    from napari_colorgan.checkpoints.imports import Import

R = TypeVar("R")

Format = Literal["checkpoint", "pix2pix", "bioimageio", "onnx"]

FORMATS: dict[Format, tuple[str, str]] = {
    "checkpoint": ("napari-colorgan", ".safetensors"),
    "pix2pix": ("PyTorch pix2pix", ".pth"),
    "bioimageio": ("BioImage.IO package", ".zip"),
    "onnx": ("ONNX", ".onnx"),
}
"""What models can be written as: whose format it is, and the suffix of its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAs:
    """How a model is to be written."""

    form: Format
    authors: tuple[str, ...] = ()
    """For a package."""
    license: str = ""
    """For a package; default: the model's own."""


def read_job(path: Path) -> Job["Import"]:
    """Read a model file of any kind."""
    yield Progress(0, 0)
    from napari_colorgan.checkpoints.imports import read_model

    found = read_model(path)
    if (yield Progress(0, 0)) is STOP:
        raise Stopped("The import was stopped; nothing was stored.")
    return found


def store_job(found: "Import", name: str) -> Job[zoo.Model]:
    """Make what was read a model of the user's, with a picture of what it does."""
    yield Progress(0, 0)
    from napari_colorgan.inference.examples import sample_job

    picture = found.picture
    if not picture:
        zoo.check_name(name)  # before the work
        picture = yield from sample_job(found.checkpoint)
    if (yield Progress(0, 0)) is STOP:
        raise Stopped("The import was stopped; nothing was stored.")
    return found.install(name, picture=picture)


def change_job(change: Callable[[], R]) -> Job[R]:
    """Change the folder of models, which takes a moment and cannot be stopped."""
    yield Progress(0, 0)
    return change()


def export_job(model: zoo.Model, choice: ExportAs, path: Path) -> Job[Path]:
    """Write a model for another program, or for another user of this one."""
    yield Progress(0, 0)
    from napari_colorgan.checkpoints.store import load, save

    checkpoint = load(model.path)
    if (yield Progress(0, 0)) is STOP:
        raise Stopped("The export was stopped; nothing was written.")
    match choice.form:
        case "checkpoint":
            save(checkpoint, path)
        case "pix2pix":
            from napari_colorgan.checkpoints.pix2pix import write_pix2pix

            write_pix2pix(checkpoint, path)
        case "bioimageio":
            from napari_colorgan.checkpoints.bioimageio import export_bioimageio_job
            from napari_colorgan.sample_data import picture_for

            yield from export_bioimageio_job(
                checkpoint,
                path,
                picture=picture_for(checkpoint.metadata.context),
                documentation=model.card,
                authors=choice.authors,
                license=choice.license,
            )
        case "onnx":
            from napari_colorgan.checkpoints.onnx import export_onnx_job

            yield from export_onnx_job(checkpoint, path)
    return path
