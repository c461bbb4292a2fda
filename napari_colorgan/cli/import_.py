"""`colorgan import`."""

from pathlib import Path
from typing import Annotated

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.card import imported_card
from napari_colorgan.checkpoints.metadata import Statistics
from napari_colorgan.cli._options import ContextChoice, Replace
from napari_colorgan.job import finish


def import_(
    file: Annotated[
        Path, typer.Argument(help="Weights of a generator, such as latest_net_G.pth.")
    ],
    name: Annotated[
        str | None, typer.Option(help="Of the model. Default: that of the file.")
    ] = None,
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
    """Make a generator of the PyTorch pix2pix code one of your models.

    The options of its training are read from train_opt.txt beside it, if there.
    """
    name = zoo.check_name(file.stem if name is None else name, taken_too=replace)
    from napari_colorgan.checkpoints.pix2pix import read_pix2pix
    from napari_colorgan.inference.examples import sample_job

    checkpoint = read_pix2pix(
        file,
        context=context,
        statistics=statistics,
        dropout=dropout,
        license=license_,
    )
    about = checkpoint.metadata
    card = imported_card(about, name)
    picture = finish(sample_job(checkpoint))
    zoo.install(checkpoint, name, card, picture=picture, replace_old=replace)
    kind = "colorization" if about.codec == "lab" else "translation"
    typer.echo(f"'{name}': {about.description}")
    typer.echo(
        f"Used for {kind}, {about.context} context, {about.statistics} statistics."
    )
    typer.echo(f"Colour with it: colorgan colorize IN OUT --model '{name}'")
