"""`colorgan download`."""

from typing import Annotated

import typer

from napari_colorgan.checkpoints.download import download_job
from napari_colorgan.cli._options import Replace
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say


def download(
    url: Annotated[
        str, typer.Argument(help="Of a .safetensors or .pth file, by https or http.")
    ],
    sha256: Annotated[
        str,
        typer.Option(help="SHA-256 of the file, as the source of the model tells it."),
    ],
    name: Annotated[str, typer.Option(help="Of the model.")],
    replace: Replace = False,
) -> None:
    """Fetch a model from the internet and make it one of your models."""
    with Run("Downloading") as run:
        model = run.finish(download_job(url, sha256, name, replace_old=replace))
    say(f"'{model.name}': {model.description or 'no description'}")
    say(f"Colour with it: colorgan colorize IN OUT --model '{model.name}'")
