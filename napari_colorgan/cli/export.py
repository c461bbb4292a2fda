"""`colorgan export`."""

from pathlib import Path
from typing import Annotated

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.formats import (
    FORMATS,
    Format,
    check_export,
    export_job,
)
from napari_colorgan.cli._options import check_writable
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say

_OPTIONS = {
    "out": "--out",
    "replace": "--force",
    "authors": "--author",
    "license": "--license",
    "parent": "--parent",
}


def export(
    model: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A model's name, or a checkpoint's path."),
    ],
    out: Annotated[Path, typer.Option(help="File to write.")],
    format: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="checkpoint: a .safetensors file for napari-colorgan; bioimageio: a "
            "package (.zip) for Fiji, ilastik and others; onnx: a network (.onnx) from "
            "gray to RGB; pix2pix: weights (.pth) for the PyTorch pix2pix code. "
            "Default: what the suffix says.",
        ),
    ] = None,
    author: Annotated[
        list[str] | None,
        typer.Option(
            help="Who made the model, for a package. May be given again.",
        ),
    ] = None,
    license_: Annotated[
        str,
        typer.Option(
            "--license",
            help="SPDX identifier, for a package. Default: the model's own.",
        ),
    ] = "",
    parent: Annotated[
        str,
        typer.Option(
            help="For a package: id in the BioImage Model Zoo of the model that this "
            "one was made from."
        ),
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write a model as a file, for other programs or other people."""
    name = zoo.find(model).name  # quick to say that there is none
    choice = check_export(
        out,
        format,
        replace=force,
        names=_OPTIONS,
        authors=author or (),
        license=license_,
        parent=parent,
    )
    check_writable("--out", out)
    with Run("Exporting") as run:
        run.finish(export_job(model, choice, out))
    say(f"'{out}': '{name}', {FORMATS[choice.format].purpose}.")
