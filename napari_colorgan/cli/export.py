"""`colorgan export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import check_out
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say
from napari_colorgan.errors import BadSetting

Format = Literal["bioimageio", "onnx", "pix2pix"]

_SUFFIXES: dict[Format, str] = {
    "bioimageio": ".zip",
    "onnx": ".onnx",
    "pix2pix": ".pth",
}
_FOR: dict[Format, str] = {
    "bioimageio": "a BioImage.IO package",
    "onnx": "ONNX, gray in [0, 1] to RGB",
    "pix2pix": "for the PyTorch pix2pix code",
}


def export(
    model: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A model's name, or a checkpoint's path."),
    ],
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="bioimageio: a package (.zip) for Fiji, ilastik and others; onnx: a "
            "network (.onnx) from gray to RGB; pix2pix: weights (.pth) for the PyTorch "
            "pix2pix code.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write.")],
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
    """Write a model for other programs."""
    found = zoo.find(model)
    check_out(out, _SUFFIXES[format_])
    if out.exists() and not force:
        raise BadSetting(
            "--out", str(out), "a new name, for it exists; or give --force as well"
        )
    for option, value in (
        ("--author", author),
        ("--license", license_),
        ("--parent", parent),
    ):
        if value and format_ != "bioimageio":
            raise BadSetting(option, value, "left out, for only a package states it")
    from napari_colorgan.checkpoints.store import load

    checkpoint = load(found.path)
    with Run("Exporting") as run:
        match format_:
            case "bioimageio":
                from napari_colorgan.checkpoints.bioimageio import export_bioimageio_job
                from napari_colorgan.sample_data import picture_for

                run.finish(
                    export_bioimageio_job(
                        checkpoint,
                        out,
                        picture=picture_for(checkpoint.metadata.context),
                        documentation=found.card,
                        authors=author or (),
                        license=license_,
                        parent=parent,
                    )
                )
            case "onnx":
                from napari_colorgan.checkpoints.onnx import export_onnx_job

                run.finish(export_onnx_job(checkpoint, out))
            case "pix2pix":
                from napari_colorgan.checkpoints.pix2pix import write_pix2pix

                write_pix2pix(checkpoint, out)
    say(f"'{out}': '{found.name}', {_FOR[format_]}.")
