"""`colorgan fine-tune`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.cli._options import (
    Description,
    Device,
    GrayFolder,
    License,
    Replace,
    ReportFolder,
    Strict,
    TaskChoice,
    check_out,
    given,
)
from napari_colorgan.cli._run import Run, follow
from napari_colorgan.cli._terminal import say, say_notes
from napari_colorgan.errors import BadSetting, CheckpointError, Stopped, some
from napari_colorgan.job import STOP, Job, Progress, duration
from napari_colorgan.training.runs import RunFolder, RunSettings
from napari_colorgan.training.settings import START, FineTuneConfig, SchemeName
from napari_colorgan.training.team import Team, joined, own_device


def fine_tune(
    ctx: typer.Context,
    color: Annotated[Path, typer.Option(help="Folder of colour pictures.")],
    name: Annotated[
        str | None,
        typer.Option(
            help="Make it one of your models under this name, with a card and a "
            "picture."
        ),
    ] = None,
    replace: Replace = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Checkpoint to write, NAME.safetensors; NAME.state goes on, NAME.csv "
            "has the losses. May be left out where --name is given."
        ),
    ] = None,
    gray: GrayFolder = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="What to start from: a model's name, the path of a checkpoint, or "
            f"{zoo.SCRATCH} for fresh weights. Default: {START}."
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            help="Time for the training alone; preparing and scoring come on top. "
            "Default: 5."
        ),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimizer updates, instead of --minutes.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of all randomness.")] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was stopped.")
    ] = False,
    report: ReportFolder = None,
    strict: Strict = False,
    scheme: Annotated[
        SchemeName | None,
        typer.Option(help="paper: pix2pix as published; notebook: its Keras variant."),
    ] = None,
    recipe: Annotated[SchemeName | None, typer.Option(hidden=True)] = None,
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
    description: Description = None,
    license_: License = None,
) -> None:
    """Fine-tune a model on pairs of gray and colour pictures.

    A part is held out to test on, and the best model is kept. Pictures that cannot be
    used are named and left out, if at least half can be. After Ctrl-C, the same
    command with --resume goes on.
    """
    if minutes is not None and steps is not None:
        raise BadSetting("--steps", steps, "left out where --minutes is given")
    scheme = scheme or recipe or "fine-tune"  # --recipe is what it was called at first
    config = FineTuneConfig.preset(
        scheme,
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
    start = _start(model, scheme)
    device = own_device(device)
    team = ctx.with_resource(joined(device))
    if not team.leads:
        follow(_following_job(color, gray, start, config, device, team, strict=strict))
        return
    if name is not None:
        name = zoo.check_name(name, taken_too=replace)
    folder = RunFolder.named(name) if out is None and name is not None else None
    settings = RunSettings(start=start, device=device, config=config)
    if folder is not None:
        ctx.with_resource(folder.reserved())
        out = folder.model
        if replace and not resume:
            folder.discard()
    if out is None:
        raise BadSetting("--name", "", "given, or --out, for the model to be kept")
    if folder is not None:
        folder.create()
    _check_out(out, None if folder is None else name, resume=resume)
    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.training.events import StepDone
    from napari_colorgan.training.fine_tune import fine_tune_job
    from napari_colorgan.training.left_out import PicturesLeftOut
    from napari_colorgan.training.outcome import (
        Outcome,
        install_trained_job,
        report_job,
    )
    from napari_colorgan.training.report import check_folder

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
            pairs,
            start,
            config,
            device=device,
            out=out,
            resume=resume,
            about=about,
            team=team,
        )
        result = run.finish(job, _News(run).tell, shown=StepDone)
        say_notes(_say_best(str(out if folder is None else name), result))
        kept = result.unsaved or f"the best so far is kept in '{out}'"
        if out.with_suffix(".state").exists():
            kept += "; the same command with --resume goes on"
        run.exit_if_stopped(kept)
        outcome = Outcome(result, pairs, settings, folder)
        if name is not None:
            run.label = "Installing"
            try:
                installed = run.finish(
                    install_trained_job(outcome, "best", name, replace_old=replace)
                )
            except CheckpointError as error:
                raise CheckpointError(
                    f"{error} What was trained is kept: the same command with --resume "
                    "goes on."
                ) from error
            if folder is not None:
                folder.discard()  # all of it is in the model now
            say(f"Colour with it: colorgan colorize IN OUT --model '{installed.name}'")
        if report is not None:
            run.label = "Reporting"
            sources = given(color=color, gray=gray)
            page = run.finish(report_job(outcome, "best", report, sources=sources))
            say(f"'{page}': the report.")
            run.exit_if_stopped("the report has the pictures so far")


def _following_job(
    color: Path,
    gray: Path | None,
    start: str,
    config: FineTuneConfig,
    device: str,
    team: Team,
    *,
    strict: bool,
) -> Job[Any]:
    """Train as a process that is not the first of its team."""
    from napari_colorgan.training.fine_tune import fine_tune_job

    pairs, _ = yield from _read_job(color, gray, strict=strict)
    yield from fine_tune_job(pairs, start, config, device=device, team=team)


def _say_best(label: str, result: Any) -> list[str]:
    """Say how good the best model is; returns what the user should think of."""
    from napari_colorgan.training.scoring import table

    best = next(each for each in reversed(result.history.validations) if each.best)
    took = f"{result.ended}, after {duration(result.seconds)}"
    say(f"'{label}': the best model, of step {best.done} ({took}).")
    kinds = {"best": best.now, "before": best.before, "left gray": best.gray}
    say(table("test part", kinds))
    if best.now.psnr >= best.gray.psnr:
        return []
    return [
        "The best is worse than pictures left gray. Train longer, or give more pairs "
        "of the kind that is to be coloured."
    ]


class _News:
    """What is said while a model is trained."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._psnr = ""
        self._warned = False

    def tell(self, event: Progress) -> None:
        from napari_colorgan.training.events import Planned, StepDone, Validated

        if isinstance(event, Planned):
            first = f"from step {event.done} " if event.done else ""
            self._run.say(
                f"{event.task.capitalize()} on {event.device} ({event.precision}): "
                f"{event.total} steps, {first}in about {duration(event.seconds)}."
            )
            self._run.say(
                f"Trained on {some(event.trained)}; tested on "
                f"{some(event.held_out)}, which is held out."
            )
            if event.warning:
                self._run.say(f"Note: {event.warning}", err=True)
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


def _start(model: str | None, scheme: SchemeName) -> str:
    """Name of what to start from, which exists."""
    if scheme != "fine-tune":
        if model not in (None, zoo.SCRATCH):
            raise BadSetting(
                "--model", model, f"left out: the scheme {scheme} starts from scratch"
            )
        return zoo.SCRATCH
    if model != zoo.SCRATCH:
        zoo.find(model or START)
    return model or START


def _check_out(out: Path, name: str | None, *, resume: bool) -> None:
    """Refuse an output that would be lost, or that cannot go on.

    Parameters
    ----------
    name : of the model, where that is what the user has given
    """
    check_out(out, ".safetensors")
    setting, value = ("--out", str(out)) if name is None else ("--name", name)
    state = out.with_suffix(".state")
    if resume and not state.is_file():
        expected = f"that of an earlier run; there is no '{state}' to go on"
        raise BadSetting(setting, value, expected)
    if not resume and (present := [path for path in (out, state) if path.exists()]):
        remedy = "or give --resume to go on from it"
        if name is not None:
            remedy += ", --replace to begin anew"
        expected = f"a new name, for '{present[0]}' exists; {remedy}"
        raise BadSetting(setting, value, expected)


def _read_job(
    color: Path, gray: Path | None, *, strict: bool
) -> Job[tuple[list[Any], list[str]]]:
    """Pairs, and what the user should know about them."""
    from napari_colorgan.training.pairs import check, read_folders_job

    pairs = yield from read_folders_job(color, gray, strict=strict)
    notes: list[str] = []
    for done, pair in enumerate(pairs, 1):
        checked = check(pair)
        notes += checked.warnings
        if checked.shift is not None:
            notes.append(
                f"The colour picture of '{pair.name}' is shifted by {checked.shift} "
                "against the gray one, which blurs the colours. Register them."
            )
        if (yield Progress(done, len(pairs))) is STOP:
            raise Stopped("Stopped while checking the pairs; nothing has changed.")
    return pairs, notes
