"""`colorgan export`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import check_writable
from napari_colorgan.errors import BadSetting

Format = Literal["pix2pix"]

_SUFFIXES: dict[Format, str] = {"pix2pix": ".pth"}


def export(
    model: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A model's name, or a checkpoint's path."),
    ],
    format_: Annotated[
        Format,
        typer.Option(
            "--format", help="pix2pix: weights (.pth) for the PyTorch pix2pix code."
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
) -> None:
    """Write a model for other programs."""
    found = zoo.find(model)
    if out.suffix != (suffix := _SUFFIXES[format_]):
        raise BadSetting("--out", str(out), f"a name that ends in {suffix}")
    check_writable("--out", out)
    if out.exists() and not force:
        raise BadSetting(
            "--out", str(out), "a new name, for it exists; or give --force as well"
        )
    from napari_colorgan.checkpoints.store import load

    checkpoint = load(found.path)
    match format_:
        case "pix2pix":
            from napari_colorgan.checkpoints.pix2pix import write_pix2pix

            write_pix2pix(checkpoint, out)
    typer.echo(f"'{out}': '{found.name}' for the PyTorch pix2pix code.")
