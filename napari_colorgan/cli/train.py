"""`colorgan train`."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import (
    CheckpointName,
    ContextChoice,
    Device,
    GrayFolder,
    Strict,
    TaskChoice,
    TrainedCheckpoint,
    check_out,
    given,
)
from napari_colorgan.cli._run import Run, follow
from napari_colorgan.cli._terminal import say
from napari_colorgan.errors import BadSetting
from napari_colorgan.job import Progress
from napari_colorgan.training.recipe import ABOUT, GENERATORS, Recipe, find_recipe
from napari_colorgan.training.settings import TrainConfig
from napari_colorgan.training.team import joined, own_device


class TrainCommand(TyperCommand):
    """Says where a setting is written that is no option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and explain an unknown option that is a setting of recipes."""
        known = {option for parameter in self.params for option in parameter.opts}
        tables = {setting.name: "training" for setting in fields(TrainConfig)}
        tables |= dict.fromkeys(ABOUT, "model")
        for word in args:
            option = word.partition("=")[0]
            name = option.removeprefix("--").replace("-", "_")
            place = ""
            if option == "--threads":
                place = "the environment variable OMP_NUM_THREADS"
            elif option.startswith("--") and option not in known and name in tables:
                setting = f"'{name} = ...' below '[{tables[name]}]'"
                place = f"a line of a recipe file, {setting}, given with --recipe FILE"
            if place:
                raise BadSetting("option", option, place)
        return super().parse_args(ctx, args)


def train(
    ctx: typer.Context,
    out: TrainedCheckpoint,
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FOLDER...]", help="With colour pictures."),
    ] = None,
    color: Annotated[
        Path | None, typer.Option(help="Another way to name the one folder.")
    ] = None,
    gray: GrayFolder = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="Name of a shipped recipe, or a TOML file: base = 'natural', and "
            "below [training] and [model] all settings that are no options here, "
            "such as batch, crop, seed, validation, patience and license."
        ),
    ] = "natural",
    generator: Annotated[
        str | None,
        typer.Option(help=f"One of {', '.join(GENERATORS)}; default the recipe's."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Model whose weights a new training begins with, a name or a path. "
            "Default: a pretrained encoder for compact, else fresh weights."
        ),
    ] = None,
    task: TaskChoice = None,
    context: ContextChoice = None,
    steps: Annotated[
        int | None, typer.Option(help="Instead of the recipe's; shapes the schedule.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Stop after this time; the same command goes on."),
    ] = None,
    judge: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of other colour pictures, to be scored like those held out: "
            "NAME.scores.csv, NAME.jpg. May be given again.",
        ),
    ] = None,
    judge_every: Annotated[
        int | None,
        typer.Option(min=1, help="Steps between two scores. Default: ten minutes."),
    ] = None,
    strict: Strict = False,
    name: CheckpointName = None,
    device: Device = "auto",
) -> None:
    """Train a model on folders of colour pictures, or of gray and colour ones.

    The best by the held-out pictures is kept. Pictures that cannot be used are named
    and left out, if at least half can be. Ctrl-C, --minutes or a crash lose little: the
    same command goes on from NAME.state.
    """
    sources = [*(folders or ()), *([color] if color else ())]
    if not sources or (gray is not None and len(sources) > 1):
        wanted = "one folder of colour pictures" if gray else "at least one folder"
        raise BadSetting("FOLDER", " ".join(map(str, sources)), wanted)
    made = Recipe.from_toml(find_recipe(recipe))
    made = made.replaced(**given(steps=steps, task=task, context=context))
    if generator is not None:
        if generator not in GENERATORS:
            known = f"one of {', '.join(GENERATORS)}"
            raise BadSetting("--generator", generator, known)
        made = replace(made, generator=GENERATORS[generator])
    about = {"name": out.stem} | {k: v for k, v in made.about.items() if v}
    made = replace(made, about=about | given(name=name))
    device = own_device(device)
    team = ctx.with_resource(joined(device))
    state = out.with_suffix(".state")
    check_out(out, ".safetensors")
    if team.leads and out.exists() and not state.exists():
        raise BadSetting(
            "--out", str(out), f"a new file, for it exists and '{state}' does not"
        )
    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.training.train import train_job

    job = train_job(
        sources,
        made,
        out,
        device=choose_device(device),
        gray=gray,
        start=None if start is None else zoo.open_model(start),
        minutes=minutes,
        judged=judge or (),
        judge_every=judge_every,
        strict=strict,
        team=team,
    )
    if not team.leads:
        follow(job)
        return
    with Run("Training") as run:
        trained = run.finish(job, lambda event: _tell(event, run))
        steps = made.config.steps
        done = trained.last.metadata.training["steps_done"]
        best = trained.best.metadata.training["steps_done"]
        say(f"'{out}': {done} of {steps} steps ({trained.ended}).")
        if best < done:
            say(f"It holds the best model, of step {best}.")
        if trained.ended == "stopped" or (done < steps and minutes is not None):
            say("The same command goes on from here.")
        run.exit_if_stopped(trained.unsaved or f"'{out}' holds the training so far")


def _tell(event: Progress, run: Run) -> None:
    """Show what happens while a model is trained."""
    from napari_colorgan.training.events import StepDone, Validated
    from napari_colorgan.training.left_out import PicturesLeftOut

    if isinstance(event, PicturesLeftOut):
        for note in event.notes:
            run.say(f"Note: {note}", err=True)
    elif isinstance(event, StepDone):
        minutes = event.seconds_left / 60
        run.label = f"Training, loss {event.loss:.4f}, {minutes:.0f} min left"
    elif isinstance(event, Validated):
        gain = event.now.psnr - event.gray.psnr
        best = ", best" if event.best else ""
        run.say(f"Step {event.done}: PSNR {gain:+.2f} dB over gray{best}")
