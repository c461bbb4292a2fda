"""`colorgan evaluate`."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import (
    ContextChoice,
    Device,
    GrayFolder,
    ModelName,
    ReportFolder,
    Strict,
    Vividness,
    check_writable,
)
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say
from napari_colorgan.drafts import write_whole
from napari_colorgan.job import Job


def evaluate(
    color: Annotated[Path, typer.Option(help="Folder of colour pictures.")],
    gray: GrayFolder = None,
    model: ModelName = zoo.DEFAULT,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many pictures.")
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            min=32,
            help="Shorter side of the pictures in px. Default: 256 for the context "
            "whole, their own size for local.",
        ),
    ] = None,
    context: ContextChoice = None,
    vividness: Vividness = None,
    device: Device = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the scores here, too.")
    ] = None,
    report: ReportFolder = None,
    strict: Strict = False,
) -> None:
    """Compare a model's colours with the true ones of colour pictures.

    Pictures that cannot be used are named and left out, if at least half can be.
    """
    zoo.find(model)
    if json_file is not None:
        check_writable("--json", json_file)
    from napari_colorgan.inference.colorize import colorizer_job
    from napari_colorgan.training.evaluate import Scores, evaluate_job
    from napari_colorgan.training.report import check_folder

    if report is not None:
        check_folder("--report", report)

    def job() -> Job[tuple[dict[str, Any], Scores]]:
        colorizer = yield from colorizer_job(
            model, device=device, context=context, vividness=vividness
        )
        scores = yield from evaluate_job(
            color,
            colorizer,
            gray=gray,
            limit=limit,
            side=side,
            report=report,
            strict=strict,
        )
        return colorizer.used(), scores

    with Run("Comparing") as run:
        settings, scores = run.finish(job())
        if scores.note:
            say(f"Note: {scores.note}", err=True)
        say(str(scores))
        if json_file is not None:
            content = settings | {"model": model} | scores.as_dict()
            text = json.dumps(content, indent=2, allow_nan=False)
            write_whole(json_file, f"{text}\n".encode())
        if report is not None:
            say(f"'{report / 'index.html'}': the report.")
        run.exit_if_stopped("these are the scores of the pictures so far")
