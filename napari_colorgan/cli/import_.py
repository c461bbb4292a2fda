"""`colorgan import`."""

from typing import Annotated

import typer

from napari_colorgan.checkpoints.metadata import Statistics
from napari_colorgan.cli._options import ContextChoice, Replace
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say
from napari_colorgan.job import Progress


def import_(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL",
            help="A .safetensors file or package (.zip) of napari-colorgan, or weights "
            "of the pix2pix code, such as latest_net_G.pth; or its address.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the model. Default: that of the file.")
    ] = None,
    sha256: Annotated[
        str,
        typer.Option(
            help="SHA-256 of the file, as the source of the model tells it: no other "
            "file is imported then. An address needs it."
        ),
    ] = "",
    context: ContextChoice = None,
    statistics: Annotated[
        Statistics | None,
        typer.Option(
            help="picture: normalise by each picture, as the pix2pix code's test "
            "program does; stored: as its option --eval. Default: picture.",
        ),
    ] = None,
    dropout: Annotated[
        bool | None,
        typer.Option(
            "--dropout/--no-dropout",
            help="Whether a further training drops values. Default: as before.",
        ),
    ] = None,
    license_: Annotated[
        str, typer.Option("--license", help="Licence of the model, if you know it.")
    ] = "",
    replace: Replace = False,
) -> None:
    """Make a model file, or one on the internet, one of your models.

    A file that napari-colorgan wrote tells itself how it is used. For a generator of
    the PyTorch pix2pix code, the options of its training are read from train_opt.txt
    beside it, if there, and the options below say the rest.
    """
    from napari_colorgan.inference.install import ImportNoted, import_job

    with Run("Importing") as run:

        def note(event: Progress) -> None:
            if isinstance(event, ImportNoted):
                run.say(str(event))

        model = run.finish(
            import_job(
                source,
                name,
                sha256=sha256,
                context=context,
                statistics=statistics,
                dropout=dropout,
                license=license_,
                replace_old=replace,
            ),
            note,
        )
    about = model.metadata
    say(f"'{model.name}': {about.description or 'no description'}".rstrip(" :"))
    sees = f"{about.context} context, {about.statistics} statistics"
    say(f"Used for {model.kind}, {sees}.")
    say(f"Colour with it: colorgan colorize IN OUT --model '{model.name}'")
