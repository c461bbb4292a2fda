"""`colorgan train`."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import (
    CheckpointName,
    ContextChoice,
    Description,
    Device,
    GrayFolder,
    License,
    Strict,
    TaskChoice,
    TrainedCheckpoint,
    check_out,
    given,
)
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say
from napari_colorgan.errors import BadSetting
from napari_colorgan.job import Progress
from napari_colorgan.training.recipe import GENERATORS, Recipe


def train(
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
        str, typer.Option(help="Name of a shipped recipe, or a TOML file.")
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
    batch: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    crop: Annotated[
        int | None, typer.Option(help="Px, instead of the recipe's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Stop after this time; the same command goes on."),
    ] = None,
    working_size: Annotated[
        int | None,
        typer.Option(min=32, max=4096, help="Px, for the context whole."),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Share of the pictures to hold out, instead of the recipe's."
        ),
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
    license_: License = None,
    provenance: Annotated[
        str | None, typer.Option(help="What it is made from, and on which terms.")
    ] = None,
    description: Description = None,
    device: Device = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the CPU; default all.")
    ] = None,
) -> None:
    """Train a model on folders of colour pictures, or of gray and colour ones.

    Pictures that cannot be used are named and left out, if at least half can be.
    Ctrl-C, --minutes or a crash lose little: the same command goes on from NAME.state.
    """
    sources = [*(folders or ()), *([color] if color else ())]
    if not sources or (gray is not None and len(sources) > 1):
        wanted = "one folder of colour pictures" if gray else "at least one folder"
        raise BadSetting("FOLDER", " ".join(map(str, sources)), wanted)
    chosen = Recipe.from_toml(_find_recipe(recipe)).replaced(
        **given(
            steps=steps,
            batch=batch,
            crop=crop,
            seed=seed,
            task=task,
            context=context,
            validation=validation,
        )
    )
    if generator is not None:
        if generator not in GENERATORS:
            known = f"one of {', '.join(GENERATORS)}"
            raise BadSetting("--generator", generator, known)
        chosen = replace(chosen, generator=GENERATORS[generator])
    about = {"name": out.stem} | {k: v for k, v in chosen.about.items() if v}
    about |= given(
        name=name,
        working_size=working_size,
        license=license_,
        provenance=provenance,
        description=description,
    )
    chosen = replace(chosen, about=about)
    config = chosen.config
    state = out.with_suffix(".state")
    check_out(out, ".safetensors")
    if out.exists() and not state.exists():
        raise BadSetting(
            "--out", str(out), f"a new file, for it exists and '{state}' does not"
        )
    import torch

    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.training.picture_files import PicturesLeftOut
    from napari_colorgan.training.train import StepDone, train_job

    if threads is not None:
        torch.set_num_threads(threads)
    last: Progress = Progress(0, config.steps)

    def remember(event: Progress) -> None:
        nonlocal last
        if isinstance(event, PicturesLeftOut):
            for note in event.notes:
                run.say(f"Note: {note}", err=True)
        elif isinstance(event, StepDone):
            last = event
            run.label = f"Training, loss {event.loss:.4f}"

    job = train_job(
        sources,
        chosen,
        out,
        device=choose_device(device),
        gray=gray,
        start=None if start is None else zoo.open_model(start),
        minutes=minutes,
        judged=judge or (),
        judge_every=judge_every,
        strict=strict,
    )
    with Run("Training") as run:
        checkpoint = run.finish(job, remember)
        done = checkpoint.metadata.training["steps_done"]
        loss = f", loss {last.loss:.4f}" if isinstance(last, StepDone) else ""
        say(f"'{out}': {done} of {config.steps} steps{loss}.")
        if done < config.steps:
            say("The same command goes on from here.")
        run.exit_if_stopped(f"'{out}' holds the training so far")


def _find_recipe(name: str) -> Path:
    folder = Path(str(files("napari_colorgan"))) / "training" / "recipes"
    if (shipped := folder / f"{name}.toml").is_file():
        return shipped
    if not name.endswith(".toml"):
        known = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
        raise BadSetting(
            "--recipe", name, f"one of {known}, or the path of a TOML file"
        )
    return Path(name)
