"""`colorgan import`."""

from pathlib import Path
from typing import Annotated

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Statistics
from napari_colorgan.cli._options import ContextChoice, Replace
from napari_colorgan.cli._terminal import say
from napari_colorgan.job import finish


def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .safetensors file or package (.zip) of napari-colorgan, or weights "
            "of the pix2pix code, such as latest_net_G.pth."
        ),
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
    """Make a model file one of your models.

    A file that napari-colorgan wrote tells itself how it is used. For a generator of
    the PyTorch pix2pix code, the options of its training are read from train_opt.txt
    beside it, if there, and the options below say the rest.
    """
    name = zoo.check_name(file.stem if name is None else name, taken_too=replace)
    from napari_colorgan.checkpoints.imports import read_model
    from napari_colorgan.inference.examples import sample_job

    model = read_model(
        file,
        context=context,
        statistics=statistics,
        dropout=dropout,
        license=license_,
    )
    about = model.metadata
    picture = model.picture or finish(sample_job(model.checkpoint))
    model.install(name, picture=picture, replace_old=replace)
    kind = "colorization" if about.codec == "lab" else "translation"
    say(f"'{name}': {about.description}".rstrip(" :"))
    say(f"Used for {kind}, {about.context} context, {about.statistics} statistics.")
    say(f"Colour with it: colorgan colorize IN OUT --model '{name}'")
