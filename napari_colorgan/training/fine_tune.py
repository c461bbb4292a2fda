"""Train a generator on pairs, with a part held out to judge it by."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch
from torch import nn

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import CODECS
from napari_colorgan.errors import BadSetting, CheckpointError, NoPairs
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.device import choose_device
from napari_colorgan.job import Job, Progress, finish
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.budget import (
    Plan,
    plan_job,
    tell_beforehand,
    trainer_of_copies,
)
from napari_colorgan.training.enough import warn_of_few
from napari_colorgan.training.events import Planned, Preparing, Trained
from napari_colorgan.training.following import follow_job
from napari_colorgan.training.loop import Course, Loop
from napari_colorgan.training.networks import (
    base_of,
    fitting_patch,
    make_discriminator,
    make_generator,
)
from napari_colorgan.training.outcome import Outcome, install_trained_job
from napari_colorgan.training.pairs import Pair, decide_task, digest, pairs_of, split
from napari_colorgan.training.patch_sampler import PatchSampler
from napari_colorgan.training.precision import precisions
from napari_colorgan.training.provenance import describe_fine_tuned
from napari_colorgan.training.reserving import reserved
from napari_colorgan.training.resuming import read_state_of_pairs
from napari_colorgan.training.runs import RunSettings
from napari_colorgan.training.settings import (
    CODEC_OF,
    START,
    FineTuneConfig,
)
from napari_colorgan.training.state import fitting
from napari_colorgan.training.team import ALONE, Team
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.validation import Validation

_GRACE = 1.25  # how much longer than planned a run may take on a busy machine


def fine_tune_job(
    pairs: Sequence[Pair],
    start: str | Path | Checkpoint = START,
    config: FineTuneConfig | None = None,
    *,
    device: str = "auto",
    out: Path | None = None,
    resume: bool = False,
    about: Mapping[str, str] | None = None,
    team: Team = ALONE,
) -> Job[Trained]:
    """Train on pairs; a part of them is held out, to judge by and to find the best.

    Parameters
    ----------
    start : a model's name, the path of a checkpoint, a checkpoint, or "scratch" for a
        compact generator with fresh weights; without meaning for the schemes `paper`
        and `notebook`, which start fresh
    out : where the best checkpoint is kept, NAME.safetensors; beside it NAME.state,
        from which an interrupted run goes on exactly as if it had not been interrupted,
        and NAME.csv, the loss every 100 steps
    resume : go on from NAME.state
    about : name, description and license of the checkpoint that is made
    team : of processes that train it together, each with the same arguments; all but
        the first follow what that decides, write nothing and do not hear STOP

    Raises
    ------
    BadPair, BadSetting, UnknownModel, CheckpointError
    OutputBusy
        Another training writes `out`.
    Stopped
        On STOP before the first step.
    """
    config = config or FineTuneConfig()
    place = choose_device(device)
    team.check_batch(config.batch)
    if not pairs:
        raise NoPairs
    if out is not None and out.suffix != ".safetensors":
        raise BadSetting("out", str(out), "a name that ends in .safetensors")
    if out is not None and not out.absolute().parent.is_dir():
        raise BadSetting("out", str(out), "in a folder that exists")
    base = base_of(start, config)
    with reserved(out if team.leads else None):
        return (
            yield from _fine_tune_job(
                pairs, base, config, place, out, resume, about or {}, team
            )
        )


def _fine_tune_job(
    pairs: Sequence[Pair],
    base: Checkpoint | None,
    config: FineTuneConfig,
    place: torch.device,
    out: Path | None,
    resume: bool,
    about: Mapping[str, str],
    team: Team,
) -> Job[Trained]:
    """Train with what was checked, while nobody else writes `out`."""
    run: dict[str, Any] = {
        "settings": dataclasses.asdict(config),
        "pairs": digest(pairs),
        "start": "" if base is None else base.digest,
    }
    saved = read_state_of_pairs(out, run) if resume and team.leads else None
    config = _fitted(config, base)
    task = decide_task(pairs) if config.task == "auto" else config.task
    parts = split(pairs, config.validation, config.seed)
    codec = CODECS[CODEC_OF[task]]()
    knows_colors = base is not None and "alternatives" in base.metadata.options
    palettes = knows_colors and task == "colorization"
    sampler = PatchSampler(parts.train, config, codec, place, palettes=palettes)
    yield from tell_beforehand(Preparing(0, 3))
    sample = sampler.batch(0).source.cpu()
    metadata, generator = make_generator(base, config, task, sample)
    metadata = describe_fine_tuned(metadata, base, parts.train, config, about)
    discriminator = make_discriminator(config, task)
    yield from tell_beforehand(Preparing(1, 3))
    make_trainer = partial(_trainer, generator, discriminator, config, place, team=team)
    if not team.leads:
        trainer = make_trainer(Plan(**team.told({})))
        return (yield from follow_job(trainer, sampler, metadata))
    fresh = Checkpoint(metadata, generator.state_dict())
    before = Colorizer(base or fresh, place, engine="torch")
    validation = Validation.of_pairs(parts.held_out, metadata.context, before)
    yield from tell_beforehand(Preparing(2, 3))
    if saved is None:
        took = time.monotonic()
        validation.figures(before)
        took = time.monotonic() - took
        plan = yield from plan_job(
            partial(trainer_of_copies, generator, discriminator, config, place),
            sampler,
            config,
            precisions(config.precision, place),
            validation=took,
            parts=team.size,
        )
    else:
        with fitting(out):
            plan = Plan(**saved.plain["plan"])
    trainer = make_trainer(Plan(**team.told(dataclasses.asdict(plan))))
    limit = _GRACE * plan.seconds if config.steps is None else None
    loop = Loop(
        trainer,
        sampler,
        validation,
        Course(
            validate_every=plan.validate_every,
            seconds=plan.seconds,
            time_limit=limit,
        ),
        metadata=metadata,
        out=out,
        kept={"run": run, "plan": dataclasses.asdict(plan)},
        facts=run["settings"] | {"pairs": run["pairs"]},
        saved=saved,
    )
    yield Planned(
        trainer.done,
        plan.steps,
        plan.seconds * (1 - trainer.done / plan.steps),
        task,
        str(place),
        plan.precision,
        trained=tuple(pair.name for pair in parts.train),
        held_out=tuple(pair.name for pair in parts.held_out),
        step=plan.step,
        warning=""
        if trainer.done
        else warn_of_few(plan.steps, fresh=base is None, step=plan.step),
        history=loop.history,
    )
    return (yield from loop.run())


def _trainer(
    generator: nn.Module,
    discriminator: PatchDiscriminator | None,
    config: FineTuneConfig,
    device: torch.device,
    plan: Plan,
    *,
    team: Team,
) -> Trainer:
    return Trainer(
        generator,
        config,
        device,
        steps=plan.steps,
        discriminator=discriminator,
        precision=plan.precision,
        team=team,
    )


def fine_tune(
    pairs: Sequence[Pair | tuple[Any, Any] | npt.NDArray[Any]],
    model: str | Path | Checkpoint = START,
    *,
    name: str | None = None,
    replace: bool = False,
    out: str | Path | None = None,
    device: str = "auto",
    resume: bool = False,
    about: Mapping[str, str] | None = None,
    on_event: Callable[[Progress], object] | None = None,
    scheme: str = "fine-tune",
    **settings: Any,
) -> Trained:
    """Train a model on pairs; `fine_tune_job` run to its end.

    Parameters
    ----------
    pairs : of each a (gray, colour) tuple of arrays (Y, X) and (Y, X, 3); or a colour
        array alone, whose lightness is the gray; or what `pairs_of` returns
    model : what to start from
    name : of a model of the user's to be made of the best, with a card and a picture
    replace : whether an older model of this name may go
    out, device, resume, about : see `fine_tune_job`
    scheme, settings : see `FineTuneConfig`, such as ``minutes=2``

    Returns
    -------
    The best and the last checkpoint, for `colorize` or `export_model`, and the curves.

    Raises
    ------
    ColorganError
        One of its children, saying what was found, what was expected and what to do.
    """
    config = FineTuneConfig.preset(scheme, **settings)
    if name is not None:
        name = zoo.check_name(name, taken_too=replace)  # before the work
    checked = _checked(pairs)
    job = fine_tune_job(
        checked,
        model,
        config,
        device=device,
        out=None if out is None else Path(out),
        resume=resume,
        about=about if name is None else {"name": name} | dict(about or {}),
    )
    result = finish(job, on_event)
    if result.unsaved:
        raise CheckpointError(
            f"The training has ended before its time: {result.unsaved}. Free some "
            "space, then go on with resume=True."
        )
    if name is not None:
        start = model.metadata.name if isinstance(model, Checkpoint) else str(model)
        used = RunSettings(start=start, device=device, config=config)
        outcome = Outcome(result, checked, used)
        finish(
            install_trained_job(outcome, "best", name, replace_old=replace), on_event
        )
    return result


def _checked(
    pairs: Sequence[Pair | tuple[Any, Any] | npt.NDArray[Any]],
) -> list[Pair]:
    """Make pairs of what is none yet."""
    if not isinstance(pairs, Iterable):
        raise BadSetting("pairs", pairs, "a list of (gray, colour) tuples of arrays")
    checked: list[Pair] = []
    for number, pair in enumerate(pairs, 1):
        if isinstance(pair, Pair):
            checked.append(pair)
            continue
        if isinstance(pair, tuple) and len(pair) != 2:
            raise BadSetting(f"pair {number}", pair, "a tuple of two: gray and colour")
        gray, color = pair if isinstance(pair, tuple) else (None, pair)
        checked += pairs_of(color, gray, name=f"pair {number}")
    return checked


def _fitted(config: FineTuneConfig, base: Checkpoint | None) -> FineTuneConfig:
    """Decide the context, and the patch that the start can read."""
    context: Context = "local" if base is None else base.metadata.context
    if config.squeezes:
        context = "whole"
    elif config.context != "auto":
        context = config.context
    patch = fitting_patch(base, config.patch)
    return dataclasses.replace(config, context=context, patch=patch)
