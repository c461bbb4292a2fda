"""The one door for model files: from any file or address in, as any format out.

Nothing here imports torch before it is needed, so that forms can offer what there is.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.cards import plain_card
from napari_colorgan.checkpoints.download import (
    check_sha256,
    check_url,
    download_job,
    without_secrets,
)
from napari_colorgan.checkpoints.extras import BIOIMAGEIO, ONNX, Extra
from napari_colorgan.declared import path_of
from napari_colorgan.errors import BadSetting, Stopped
from napari_colorgan.job import STOP, Job, Progress, finish

if TYPE_CHECKING:
    from napari_colorgan.checkpoints.imports import Import
    from napari_colorgan.checkpoints.store import Checkpoint

Format = Literal["checkpoint", "pix2pix", "bioimageio", "onnx"]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A kind of file that a model can be written as."""

    title: str
    """Whose it is."""
    suffix: str
    purpose: str
    extra: Extra | None = None
    """Without which it cannot be written."""

    @property
    def installed(self) -> bool:
        """Whether it can be written here."""
        return self.extra is None or self.extra.installed


FORMATS: dict[Format, FileFormat] = {
    "checkpoint": FileFormat(
        "napari-colorgan", ".safetensors", "for another user of napari-colorgan"
    ),
    "pix2pix": FileFormat("PyTorch pix2pix", ".pth", "for the PyTorch pix2pix code"),
    "bioimageio": FileFormat(
        "BioImage.IO package", ".zip", "a BioImage.IO package", BIOIMAGEIO
    ),
    "onnx": FileFormat("ONNX", ".onnx", "ONNX, gray in [0, 1] to RGB", ONNX),
}
"""What models can be written as."""

READABLE = (".safetensors", ".pth", ".pt", ".zip")
"""Suffixes of files that may be models; what a file is, its content tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportAs:
    """How a model is to be written."""

    format: Format
    authors: Sequence[str] = ()
    """For a package."""
    license: str = ""
    """For a package; default: the model's own."""
    parent: str = ""
    """For a package: id in the BioImage Model Zoo of what it was made from."""


def is_address(source: str | Path) -> bool:
    """Whether this is no file but something to be fetched."""
    return isinstance(source, str) and "://" in source


def check_source(source: Any) -> None:
    """Raise `BadSetting` unless this can be the path of a file, or an address."""
    if not isinstance(source, str | Path):
        raise BadSetting("source", source, "the path of a file, or its address")


def name_after(source: str | Path) -> str:
    """Suggest a free name for the model in a file or at an address.

    The pix2pix code calls its files `latest_net_G.pth`, `200_net_G.pth` and the like,
    and their folder by the name of the training.
    """
    if is_address(source):
        path = PurePosixPath(unquote(urlsplit(check_url(str(source))).path))
    else:
        path = PurePosixPath(Path(source).as_posix())
    of_training = re.fullmatch(r"(latest|\d+)_net_\w+", path.stem)
    return zoo.free_name(path.parent.name if of_training else path.stem)


def read_job(source: str | Path, *, sha256: str = "", **usage: Any) -> Job["Import"]:
    """Read a model from a file, or from the internet; nothing is stored.

    Events of a download count bytes; their total is 0 where the server tells none.

    Parameters
    ----------
    source : path of a file, or an address that begins with https:// or http://
    sha256 : of the file; an address needs it, for a file it is checked if given
    usage : see `imports.read_model`

    Raises
    ------
    BadSetting
        See `check_url`, `check_sha256` and `imports.read_model`.
    DownloadFailed
        There is no such file, it is another one, or the connection failed.
    CheckpointError
        The file is no model.
    Stopped
        On STOP.
    """
    content = None
    check_source(source)
    if is_address(source):
        if not str(sha256).strip():
            expected = "64 hexadecimal digits, which the source of the model tells"
            raise BadSetting("SHA-256", sha256, f"given for an address: {expected}")
        source, sha256 = check_url(str(source)), check_sha256(sha256)
        content = yield from download_job(source, sha256)
        source = without_secrets(source)
    else:
        source, sha256 = Path(source), sha256 and check_sha256(sha256)
    yield Progress(0, 0)
    from napari_colorgan.checkpoints.imports import read_model  # torch

    model = read_model(source, content, sha256=sha256, **usage)
    if (yield Progress(0, 0)) is STOP:
        raise Stopped("The import was stopped; nothing was stored.")
    return model


def export_job(
    model: "str | Path | Checkpoint", choice: ExportAs, path: Path
) -> Job[Path]:
    """Write a model for another program, or for another user of this one.

    Raises
    ------
    UnknownModel, CheckpointError, MissingExtra, BadSetting, NoColors
        See `zoo.open_model` and the writers.
    Stopped
        On STOP; nothing is written.
    """
    yield Progress(0, 0)
    checkpoint = zoo.open_model(model)
    card, enclosed = plain_card(checkpoint.metadata, checkpoint.metadata.name), None
    if isinstance(model, str | Path):
        source = zoo.find(model)
        card, enclosed = source.card, source.enclosed
    if (yield Progress(0, 0)) is STOP:
        raise Stopped("The export was stopped; nothing was written.")
    match choice.format:
        case "checkpoint":
            from napari_colorgan.checkpoints.store import save

            save(checkpoint, path, enclosed)
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
                documentation=card,
                authors=choice.authors,
                license=choice.license,
                parent=choice.parent,
            )
        case "onnx":
            from napari_colorgan.checkpoints.onnx import export_onnx_job

            yield from export_onnx_job(checkpoint, path)
    return path


def export_model(
    model: "str | Path | Checkpoint",
    out: str | Path,
    format: Format | None = None,
    *,
    authors: Sequence[str] = (),
    license: str = "",
    parent: str = "",
    replace: bool = False,
) -> Path:
    """Write a model as a file for other programs.

    Parameters
    ----------
    model : a model's name, the path of a checkpoint, or a checkpoint
    out : file to write
    format : "checkpoint" (.safetensors), "pix2pix" (.pth), "bioimageio" (.zip) or
        "onnx" (.onnx); default: what the suffix of `out` says
    authors, license, parent : of a BioImage.IO package; see `ExportAs`
    replace : whether an older file may go

    Raises
    ------
    ColorganError
        One of its children, saying what was found, what was expected and what to do.
    """
    out = path_of("out", out)
    choice = check_export(
        out, format, authors=authors, license=license, parent=parent, replace=replace
    )
    return finish(export_job(model, choice, out))


def check_export(
    out: Path,
    format: Format | None,
    *,
    replace: bool,
    names: Mapping[str, str] | None = None,
    **stated: Any,
) -> ExportAs:
    """Refuse an export that cannot be, before any work.

    Parameters
    ----------
    format : default: what the suffix of `out` says
    names : what the caller calls `out`, `replace` and what is stated, if otherwise
    stated : authors, license and parent, for a package alone

    Raises
    ------
    BadSetting, MissingExtra
    """
    names = names or {}
    by_suffix: dict[str, Format] = {f.suffix: name for name, f in FORMATS.items()}
    format = format or by_suffix.get(out.suffix)
    if format not in (None, *FORMATS):
        raise BadSetting("format", format, f"one of {', '.join(FORMATS)}")
    if format is None or out.suffix != FORMATS[format].suffix:
        suffixes = [FORMATS[format].suffix] if format else list(by_suffix)
        expected = f"a name that ends in {' or '.join(suffixes)}"
        raise BadSetting(names.get("out", "out"), str(out), expected)
    if out.exists() and not replace:
        agree = names.get("replace", "replace=True")
        expected = f"a new name, for it exists; or give {agree} as well"
        raise BadSetting(names.get("out", "out"), str(out), expected)
    for name, value in stated.items():
        if value and format != "bioimageio":
            expected = "left out, for only a package states it"
            raise BadSetting(names.get(name, name), value, expected)
    if (extra := FORMATS[format].extra) is not None:
        extra.require()
    return ExportAs(format=format, **stated)
