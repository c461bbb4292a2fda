"""Options that several commands share, and checks of what was given."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.errors import BadSetting

ModelName = Annotated[
    str, typer.Option("--model", help="A model's name, or the path of a checkpoint.")
]
Device = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ... or mps.")
]
ContextChoice = Annotated[
    Context | None,
    typer.Option(
        "--context",
        help="whole: see each plane at once, reduced (photographs); local: in windows "
        "at full resolution (micrographs). Default: as the model was trained.",
    ),
]
Vividness = Annotated[
    float | None,
    typer.Option(
        "--vividness",
        help="0 (cautious: pale where the model is in doubt) to 1 (vivid). Default: "
        "the model's own.",
    ),
]
TaskChoice = Annotated[
    Literal["auto", "colorization", "translation"] | None,
    typer.Option(
        "--task",
        help="colorization keeps the lightness, translation does not. Default: what "
        "the recipe says, or else what the pictures ask for.",
    ),
]
GrayFolder = Annotated[
    Path | None,
    typer.Option(
        "--gray",
        help="Folder of the gray pictures, with the names of the colour ones. Default: "
        "the lightness of these.",
    ),
]
TrainedCheckpoint = Annotated[
    Path,
    typer.Option(
        "--out", help="Checkpoint to write, NAME.safetensors; NAME.state goes on."
    ),
]
CheckpointName = Annotated[
    str | None, typer.Option("--name", help="Default: that of the file.")
]
Description = Annotated[
    str | None, typer.Option("--description", help="One line for lists.")
]
License = Annotated[
    str | None, typer.Option("--license", help="Licence of the checkpoint.")
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Replace your model of this name.")
]
ReportFolder = Annotated[
    Path | None,
    typer.Option("--report", help="Folder for a quality report: a page, tables."),
]
Strict = Annotated[
    bool,
    typer.Option(
        "--strict",
        help="Stop at the first picture that cannot be used, instead of leaving it "
        "out.",
    ),
]


def given(**options: Any) -> dict[str, Any]:
    """Those options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def check_out(path: Path, suffix: str) -> None:
    """Refuse a value of --out without the suffix, or that could not be written."""
    if path.suffix != suffix:
        raise BadSetting("--out", str(path), f"a name that ends in {suffix}")
    check_writable("--out", path)


def check_writable(option: str, path: Path) -> None:
    """Refuse a file that could not be written."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise BadSetting(
            option, str(path), "a file in a folder that exists and may be written to"
        )
