"""Train a generator on folders of colour pictures, in one or many runs."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.models.compact import Compact
from napari_colorgan.training.batches import PictureBatches
from napari_colorgan.training.config import CODEC_OF, Task, TrainConfig
from napari_colorgan.training.holding_out import Files, hold_out, keep
from napari_colorgan.training.judge import read_judge_job
from napari_colorgan.training.narrowing import is_narrower, take_over
from napari_colorgan.training.output import Output
from napari_colorgan.training.pairs import Pair, decide_task, pair_of_color
from napari_colorgan.training.picture_files import LeftOut
from napari_colorgan.training.pictures import (
    PictureCache,
    PictureFile,
    list_files,
    read_pictures_job,
)
from napari_colorgan.training.precision import untimed_precision
from napari_colorgan.training.pretrained import (
    level,
    load_imagenet_encoder,
    return_encoder,
)
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.start import draw_weights, make_discriminator
from napari_colorgan.training.state import check_settings, read_state
from napari_colorgan.training.teachers import Teachers
from napari_colorgan.training.trainer import Trainer

_SAVE_EVERY = 600.0  # s; what a crash may cost
_LOG_EVERY = 100  # steps
_AVERAGED = 0.98  # decay of the loss that is shown


@dataclass(frozen=True, slots=True)
class StepDone(Progress):
    """One more step of `total`."""

    loss: float
    """Moving average of the loss."""


def train_job(
    folders: Sequence[Path],
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device,
    gray: Path | None = None,
    start: Checkpoint | None = None,
    teachers: Sequence[Checkpoint] = (),
    minutes: float | None = None,
    judged: Sequence[Path] = (),
    judge_every: int | None = None,
    strict: bool = False,
) -> Job[Checkpoint]:
    """Train on the pictures below `folders`; write `out`, and go on from it next time.

    Beside `out` lie `out`.state, from which an interrupted training goes on exactly as
    if it had not been interrupted, `out`.split.json, which says what is held out, and
    the logs `out`.csv, `out`.scores.csv and `out`.jpg, which shows pictures that were
    held out. The randomness of every step follows from the seed and the step's number.

    Parameters
    ----------
    folders : with colour pictures; only one if `gray` is given
    gray : folder with gray pictures of the same names; default the lightness of the
        colour pictures
    start : whose weights a new training begins with, and whose generator it has unless
        the recipe names one; of one with a wider decoder, the channels that matter
        most. Default: ImageNet's weights for the encoder of `compact`, else fresh ones
    teachers : models to learn from beside the true colours, if the recipe says so
    minutes : stop after this time; the schedule follows the recipe's steps alone
    judged : folders of other pictures, to be coloured and scored like the held-out ones
    judge_every : steps after which that is done; default every ten minutes
    strict : raise the error of the first picture that cannot be used. Default: these
        are left out, if at least half can be, and `PicturesLeftOut` tells of them

    Raises
    ------
    CheckpointError
        `out`.state was made with other settings, or files cannot be written.
    BadImageFile, BadPair
        A folder holds no colour pictures, or too many files cannot be read or have no
        partner.
    BadSetting
        The generator cannot be built, or does not fit the crops or `start`; its encoder
        is to return from where it never was; or there are teachers that the recipe has
        no use for, none where it needs some, or one that does not tell how sure it is.
    Stopped
        On STOP while the folders are read.
    """
    if start is not None:
        recipe = recipe.starting_with(start.metadata)
    config = recipe.config
    stride = build(GeneratorSpec(*recipe.spec)).stride
    if config.crop % stride:
        raise BadSetting("crop", config.crop, f"a multiple of {stride} px")
    if bool(teachers) != bool(config.teaching):
        found = ", ".join(teacher.metadata.name for teacher in teachers)
        expected = "a model" if config.teaching else "none, for the recipe has none"
        raise BadSetting("teacher", found, expected)
    if config.encoder_return and (start is None or recipe.spec[0] != "compact"):
        expected = "0, unless --start gives a model for `compact`"
        raise BadSetting("encoder_return", config.encoder_return, expected)
    taught_by = Teachers(teachers, device) if teachers else None
    state_file = out.with_suffix(".state")
    learned_from = {"teachers": [one.digest for one in teachers]} if teachers else {}
    wanted = dataclasses.asdict(config) | learned_from
    state = _read_state(state_file, wanted) if state_file.exists() else None
    record = out.with_suffix(".split.json")
    left_out = LeftOut(strict=strict)
    parts = hold_out(
        list_files(folders, gray, left_out), config.validation, config.seed, record
    )
    pictures = yield from read_pictures_job(
        folders,
        parts.learned,
        config.cache_side,
        config.class_power,
        left_out=left_out,
        apart=parts.apart,
    )
    task = config.task
    if task == "auto":
        task = _task(pictures) if state is None else state["settings"]["task"]
    recipe = recipe.replaced(task=task)
    config, metadata = recipe.config, recipe.metadata
    if teachers and not metadata.options.get("predicts_chroma"):
        expected = "0, for only `compact` can be taught, by `phases`, to colorize"
        raise BadSetting("teaching", config.teaching, expected)
    metadata = _with_ancestors(metadata, start, teachers)
    metadata = dataclasses.replace(metadata, training=learned_from)
    shown = _shown(parts.held_out, judged, left_out)
    judge = yield from read_judge_job(shown, metadata.context, device, left_out)
    yield from left_out.events()
    began = saved = time.monotonic()
    generator = _generator(metadata, config, pictures, start, fresh=state is None)
    if config.validation and not record.exists():
        keep(parts.held_out, record)
    trainer = Trainer(
        generator,
        config,
        device,
        steps=config.steps,
        discriminator=make_discriminator(config, task),
        precision=untimed_precision(device),
    )
    seconds = 0.0
    if state is not None:
        try:
            trainer.load_state(state)
            seconds = float(state["seconds"])
        except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"'{state_file}' does not fit this generator, so training cannot go on "
                "from it. Remove it to start anew, or use another output file."
            ) from error
    output = Output(trainer, metadata, out, judge, seconds - began)
    loss: float | None = None
    batches = PictureBatches(pictures, config, metadata, taught_by)
    for batch in batches.from_step(trainer.done):
        value = trainer.step(batch)["pixel"]
        loss = value if loss is None else _AVERAGED * loss + (1 - _AVERAGED) * value
        if trainer.done % _LOG_EVERY == 0:
            output.log_loss(loss)
        stop = (yield StepDone(trainer.done, config.steps, loss)) is STOP
        now = time.monotonic()
        late = minutes is not None and now - began > 60 * minutes
        if stop or late or trainer.done == config.steps:
            break
        due = judge_every is not None and trainer.done % judge_every == 0
        if due or now - saved > _SAVE_EVERY:
            yield from output.save_job(judge=due or judge_every is None)
            saved = time.monotonic()
    return (yield from output.save_job())


def _shown(
    held_out: Files, judged: Sequence[Path], left_out: LeftOut
) -> dict[str, list[PictureFile]]:
    """Pictures to judge by, under a name for each of their folders."""
    shown = {str(folder): list_files([folder], None, left_out)[0] for folder in judged}
    if others := [file for of_folder in held_out for file in of_folder]:
        shown["held out"] = others
    return shown


def _task(pictures: PictureCache) -> Task:
    some = [p for classes in pictures.folders for c in classes for p in c[:1]]
    return decide_task(
        [
            Pair("pair", p.gray, p.color)
            if p.gray is not None
            else pair_of_color("pair", p.color)
            for p in some
        ]
    )


def _with_ancestors(
    metadata: Metadata, start: Checkpoint | None, teachers: Sequence[Checkpoint]
) -> Metadata:
    """Say in the metadata what other models have to do with a training."""
    said = [("Started from", start)] if start is not None else []
    said += [("Taught by", teacher) for teacher in teachers]
    sentences = [
        f"{what} '{other.metadata.name}' ({other.digest[:12]})." for what, other in said
    ]
    provenance = " ".join([metadata.provenance, *sentences]).strip()
    return dataclasses.replace(metadata, provenance=provenance)


def _generator(
    metadata: Metadata,
    config: TrainConfig,
    pictures: PictureCache,
    start: Checkpoint | None,
    *,
    fresh: bool,
) -> nn.Module:
    """Make what is to be trained, with weights to begin with if `fresh`."""
    torch.manual_seed(config.seed)
    generator = build(GeneratorSpec(metadata.generator, dict(metadata.options)))
    if not fresh:
        return generator
    batches = PictureBatches(pictures, config, metadata)
    if start is not None:
        _begin_with(generator, start, batches)
        if isinstance(generator, Compact) and config.encoder_return:
            return_encoder(generator, config.encoder_return)
    elif isinstance(generator, Compact):
        load_imagenet_encoder(generator)
        level(generator, generator.decoder, batches.make(0).source)
    else:
        draw_weights(generator)
    return generator


def _begin_with(
    generator: nn.Module, start: Checkpoint, batches: PictureBatches
) -> None:
    """Give a generator the weights of another model, or what matters of a wider one."""
    found = start.generator()
    if isinstance(generator, Compact) and isinstance(found, Compact):
        if is_narrower(generator, found):
            take_over(generator, found, batches.make(0).source)
            return
    try:
        generator.load_state_dict(found.state_dict())
    except RuntimeError as error:
        expected = "a model with the generator of the recipe, or with a wider decoder"
        raise BadSetting("start", start.metadata.name, expected) from error


def _read_state(path: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    state = read_state(path)
    found = state.get("settings", {})
    if wanted["task"] == "auto" and found.get("task") in CODEC_OF:
        wanted = wanted | {"task": found["task"]}  # it was decided then
    check_settings(path, found, wanted, dataclasses.asdict(TrainConfig()))
    return state
