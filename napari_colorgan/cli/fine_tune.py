"""`colorgan fine-tune`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.cli._options import (
    CheckpointName,
    Description,
    Device,
    GrayFolder,
    License,
    ReportFolder,
    Strict,
    TaskChoice,
    TrainedCheckpoint,
    check_out,
    given,
)
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say, say_notes
from napari_colorgan.errors import BadSetting, Stopped
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.training.settings import START, FineTuneConfig, SchemeName


def fine_tune(
    color: Annotated[Path, typer.Option(help="Folder of colour pictures.")],
    out: TrainedCheckpoint,
    gray: GrayFolder = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="What to start from: a model's name, the path of a checkpoint, or "
            f"{zoo.SCRATCH} for fresh weights. Default: {START}."
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time to train. Default: 5.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimizer updates, instead of --minutes.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all randomness.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from NAME.state.")
    ] = False,
    report: ReportFolder = None,
    strict: Strict = False,
    recipe: Annotated[
        SchemeName,
        typer.Option(help="paper: pix2pix as published; notebook: its Keras variant."),
    ] = "fine-tune",
    task: TaskChoice = None,
    context: Annotated[
        Context | None,
        typer.Option(
            help="local: micrographs; whole: photographs. Default: as the model was "
            "trained, and local from scratch."
        ),
    ] = None,
    patch: Annotated[
        int | None, typer.Option(help="Side of what is trained on at once in px.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Patches per step.")] = None,
    device: Device = "auto",
    name: CheckpointName = None,
    description: Description = None,
    license_: License = None,
) -> None:
    """Fine-tune a model on pairs of gray and colour pictures.

    A part is held out to judge by, and the best model is kept. Pictures that cannot be
    used are named and left out, if at least half can be. After Ctrl-C, the same
    command with --resume goes on.
    """
    if minutes is not None and steps is not None:
        raise BadSetting("--steps", steps, "left out where --minutes is given")
    config = FineTuneConfig.preset(
        recipe,
        **given(
            minutes=minutes,
            steps=steps,
            seed=seed,
            task=task,
            context=context,
            patch=patch,
            batch=batch,
        ),
    )
    start = _start(model, recipe)
    _check_out(out, resume)
    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.training.events import StepDone
    from napari_colorgan.training.fine_tune import fine_tune_job
    from napari_colorgan.training.picture_files import PicturesLeftOut
    from napari_colorgan.training.report import check_folder
    from napari_colorgan.training.scoring import table

    choose_device(device)
    if report is not None:
        check_folder("--report", report)
    about = given(name=name or out.stem, description=description, license=license_)
    with Run("Reading") as run:
        left_out: list[str] = []

        def remember(event: Progress) -> None:
            if isinstance(event, PicturesLeftOut):
                left_out.extend(event.notes)

        pairs, notes = run.finish(_read_job(color, gray, strict=strict), remember)
        say_notes([*left_out, *notes])
        run.label = "Training"
        job = fine_tune_job(
            pairs, start, config, device=device, out=out, resume=resume, about=about
        )
        result = run.finish(job, _News(run).tell, shown=StepDone)
        best = next(one for one in reversed(result.history.validations) if one.best)
        say(f"'{out}': the best model, of step {best.done} ({result.ended}).")
        kinds = {"best": best.now, "before": best.before, "left gray": best.gray}
        say(table("held-out part", kinds))
        if best.now.psnr < best.gray.psnr:
            say_notes(
                [
                    "The best is worse than pictures left gray. Train longer, or give "
                    "more pairs of the kind that is to be coloured."
                ]
            )
        run.exit_if_stopped(
            f"'{out}' holds the best so far; the same command with --resume goes on"
        )
        if report is not None:
            run.label = "Reporting"
            settings = given(start=start, color=color, gray=gray, ended=result.ended)
            page = run.finish(
                _report_job(report, pairs, start, config, device, result, settings)
            )
            say(f"'{page}': the report.")
            run.exit_if_stopped("the report has the pictures so far")


class _News:
    """What is said while a model is trained."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._psnr = ""
        self._warned = False

    def tell(self, event: Progress) -> None:
        from napari_colorgan.image_io.folders import some
        from napari_colorgan.training.events import Planned, StepDone, Validated

        if isinstance(event, Planned):
            first = f"from step {event.done} " if event.done else ""
            self._run.say(
                f"{event.task.capitalize()} on {event.device} ({event.precision}): "
                f"{event.total} steps, {first}in about {_duration(event.seconds)}."
            )
            self._run.say(
                f"Learned from {some(event.trained)}; judged by "
                f"{some(event.held_out)}, which is held out."
            )
        elif isinstance(event, StepDone):
            self._run.label = f"Loss {event.loss:.4f}{self._psnr}"
        elif isinstance(event, Validated):
            psnr = event.now.psnr
            self._psnr = f", PSNR {psnr:.2f} dB"
            self._run.say(
                f"Step {event.done}: PSNR {psnr:.2f} dB, "
                f"{psnr - event.gray.psnr:+.2f} over gray, "
                f"{psnr - event.before.psnr:+.2f} over before"
                f"{', best' if event.best else ''}"
            )
            if event.overfitting and not self._warned:
                self._warned = True
                self._run.say(
                    "Note: The held-out part gets worse while the loss still falls: "
                    "the model overfits. The best one so far is kept; more pairs help.",
                    err=True,
                )


def _start(model: str | None, recipe: SchemeName) -> str:
    """Name of what to start from, which exists."""
    if recipe != "fine-tune":
        if model not in (None, zoo.SCRATCH):
            raise BadSetting(
                "--model", model, f"left out: the recipe {recipe} starts from scratch"
            )
        return zoo.SCRATCH
    if model != zoo.SCRATCH:
        zoo.find(model or START)
    return model or START


def _check_out(out: Path, resume: bool) -> None:
    check_out(out, ".safetensors")
    state = out.with_suffix(".state")
    if resume and not state.is_file():
        raise BadSetting(
            "--out", str(out), f"that of an earlier run; there is no '{state}' to go on"
        )
    if not resume and (found := [path for path in (out, state) if path.exists()]):
        raise BadSetting(
            "--out",
            str(out),
            f"a new name, for '{found[0]}' exists; or give --resume to go on from it",
        )


def _read_job(
    color: Path, gray: Path | None, *, strict: bool
) -> Job[tuple[list[Any], list[str]]]:
    """Pairs, and what the user should know about them."""
    from napari_colorgan.training.pairs import check, read_folders_job

    pairs = yield from read_folders_job(color, gray, strict=strict)
    notes: list[str] = []
    for done, pair in enumerate(pairs, 1):
        found = check(pair)
        notes += found.warnings
        if found.shift is not None:
            notes.append(
                f"The colour picture of '{pair.name}' is shifted by {found.shift} "
                "against the gray one, which blurs what is learned. Register them."
            )
        if (yield Progress(done, len(pairs))) is STOP:
            raise Stopped("Stopped while checking the pairs; nothing has changed.")
    return pairs, notes


def _report_job(
    folder: Path,
    pairs: list[Any],
    start: str,
    config: FineTuneConfig,
    device: str,
    result: Any,
    settings: dict[str, Any],
) -> Job[Path]:
    """Report on the held-out part."""
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.training.pairs import split
    from napari_colorgan.training.report import write_job
    from napari_colorgan.training.start import base_of

    place = choose_device(device)
    base = base_of(start, config)
    colorizer = Colorizer(result.best, place)
    page = yield from write_job(
        folder,
        split(pairs, config.validation, config.seed).held_out,
        colorizer,
        settings=dataclasses.asdict(config) | colorizer.used() | settings,
        history=result.history,
        before=None if base is None else Colorizer(base, place),
    )
    return page


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
