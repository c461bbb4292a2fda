"""Train a generator on folders of colour pictures, in one or many runs."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from napari_colorgan.checkpoints.extras import ENCODER
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import CODECS
from napari_colorgan.errors import BadSetting
from napari_colorgan.job import Job
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.models.compact import Compact
from napari_colorgan.training.archives import Archive, is_archive
from napari_colorgan.training.events import Trained
from napari_colorgan.training.following import follow_job
from napari_colorgan.training.holding_out import Files, hold_out, keep
from napari_colorgan.training.left_out import LeftOut
from napari_colorgan.training.loop import Course, Loop
from napari_colorgan.training.networks import give_weights, make_discriminator
from napari_colorgan.training.pairs import Pair, decide_task
from napari_colorgan.training.picture_sampler import PictureSampler
from napari_colorgan.training.pictures import (
    Picture,
    PictureFile,
    list_files,
    read_pictures_job,
)
from napari_colorgan.training.precision import computes_bfloat16, untimed_precision
from napari_colorgan.training.provenance import describe_trained
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.reserving import reserved
from napari_colorgan.training.resuming import Saved, read_state_of_folders
from napari_colorgan.training.settings import Precision, Task
from napari_colorgan.training.team import ALONE, Team
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.validation import HELD_OUT, read_validation_job

_PREVIEW_EVERY = 60.0  # s


def train_job(
    folders: Sequence[Path],
    recipe: Recipe,
    out: Path,
    *,
    device: torch.device,
    gray: Path | None = None,
    start: Checkpoint | None = None,
    minutes: float | None = None,
    judged: Sequence[Path] = (),
    judge_every: int | None = None,
    strict: bool = False,
    previews: bool = False,
    team: Team = ALONE,
) -> Job[Trained]:
    """Train on the pictures below `folders`; write `out`, and go on from it next time.

    `out` is the best by the held-out pictures, or where none are held out, the last.
    Beside it lie `out`.state, from which an interrupted training goes on exactly as if
    it had not been interrupted, `out`.split.json, which says what is held out, and the
    logs `out`.csv, `out`.scores.csv and `out`.jpg, which shows pictures that were held
    out. The randomness of every step follows from the seed and the step's number.

    Parameters
    ----------
    folders : with colour pictures; only one if `gray` is given. Or archives (.zip) of
        them, of which nothing is held out: they need a recipe of the task colorization
    gray : folder with gray pictures of the same names; default the lightness of the
        colour pictures
    start : whose weights a new training begins with, and whose generator it has unless
        the recipe names one. Default: ImageNet's weights for the encoder of `compact`,
        else fresh ones
    minutes : stop after this time; the schedule follows the recipe's steps alone
    judged : folders of other pictures, to be coloured and scored like the held-out
        ones, but without a say in what is best
    judge_every : steps after which that is done; default every ten minutes
    strict : raise the error of the first picture that cannot be used. Default: these
        are left out, if at least half can be, and `PicturesLeftOut` tells of them
    previews : whether a picture is coloured every minute, for `Previewed`
    team : of processes that train it together, see `fine_tune_job`

    Raises
    ------
    CheckpointError
        `out`.state was made with other settings, or files cannot be written.
    BadImageFile, BadPair
        A folder holds no colour pictures, or too many files cannot be read or have no
        partner.
    BadSetting
        The generator cannot be built, or does not fit the crops or `start`.
    MissingExtra
        A new training would start from ImageNet's weights, which are not installed.
    OutputBusy
        Another training writes `out`.
    Stopped
        On STOP while the folders are read.
    """
    with reserved(out if team.leads else None):
        return (
            yield from _train_job(
                folders,
                recipe,
                out,
                device,
                gray,
                start,
                Course(
                    validate_every=judge_every,
                    validate_start=False,
                    preview_every=_PREVIEW_EVERY if previews else None,
                    time_limit=None if minutes is None else 60 * minutes,
                    logs_scores=True,
                ),
                judged,
                LeftOut(strict=strict),
                team,
            )
        )


def _train_job(
    folders: Sequence[Path],
    recipe: Recipe,
    out: Path,
    device: torch.device,
    gray: Path | None,
    start: Checkpoint | None,
    course: Course,
    judged: Sequence[Path],
    left_out: LeftOut,
    team: Team,
) -> Job[Trained]:
    """Train while nobody else writes `out`."""
    if start is not None:
        recipe = recipe.starting_with(start.metadata)
    config = recipe.config
    team.check_batch(config.batch)
    planned = build(GeneratorSpec(*recipe.spec))
    if config.crop % planned.stride:
        raise BadSetting("crop", config.crop, f"a multiple of {planned.stride} px")
    if config.addition_steps and start is None:
        expected = "0 where training starts from no model (--start)"
        raise BadSetting("addition_steps", config.addition_steps, expected)
    saved = None
    if team.leads:
        saved = read_state_of_folders(out, dataclasses.asdict(config))
    starts = team.leads and saved is None
    if starts and start is None and isinstance(planned, Compact):
        ENCODER.require()  # told before pictures are read, which may take an hour
    record = out.with_suffix(".split.json")
    plain = [path for path in folders if not is_archive(path)]
    parts = hold_out(
        list_files(plain, gray, left_out), config.validation, config.seed, record
    )
    archives = [path for path in folders if is_archive(path)]
    if archives and (gray is not None or config.task != "colorization"):
        expected = 'folders, or settings with task = "colorization"'
        raise BadSetting("FOLDER", str(archives[0]), expected)
    # a GPU makes Lab of RGB faster than all processors beside it
    as_lab = device.type != "cuda" and gray is None and config.task != "translation"
    pictures: list[Sequence[Picture]] = []
    pictures += yield from read_pictures_job(
        plain,
        parts.learned,
        config.cache_side,
        left_out=left_out,
        apart=parts.apart,
        as_lab=as_lab,
    )
    pictures += [Archive(path, config.cache_side, as_lab=as_lab) for path in archives]
    task = config.task
    if task == "auto":
        task = (
            _task(pictures) if saved is None else saved.plain["run"]["settings"]["task"]
        )
    agreed: Task = team.told(task)
    recipe = recipe.replaced(task=agreed)
    config = recipe.config
    metadata = describe_trained(recipe.metadata, folders, start)
    validation = None
    if team.leads:
        shown = _shown(parts.held_out, judged, left_out)
        validation = yield from read_validation_job(shown, metadata.context, left_out)
        yield from left_out.events()
    sampler = PictureSampler(
        pictures,
        config,
        CODECS[metadata.codec](),
        device,
        palettes="alternatives" in metadata.options,
    )
    torch.manual_seed(config.seed)
    generator = build(GeneratorSpec(metadata.generator, dict(metadata.options)))
    if starts:
        give_weights(generator, start, sampler.batch(0).source.cpu())
    if team.leads and config.validation and not record.exists():
        keep(parts.held_out, record)
    precision = team.told(_precision(device, saved))
    trainer = Trainer(
        generator,
        config,
        device,
        steps=config.steps,
        discriminator=make_discriminator(config, agreed),
        precision=precision,
        team=team,
    )
    if not team.leads:
        return (yield from follow_job(trainer, sampler, metadata))
    settings = dataclasses.asdict(config)
    loop = Loop(
        trainer,
        sampler,
        validation,
        course,
        metadata=metadata,
        out=out,
        kept={"run": {"settings": settings, "precision": precision}},
        facts=settings,
        saved=saved,
    )
    return (yield from loop.run())


def _precision(device: torch.device, saved: Saved | None) -> Precision:
    """Return that of the training that goes on, or what is faster here.

    What is faster is measured, so that a busy machine may find another one each time.
    """
    before: Precision | None = (
        None if saved is None else saved.plain["run"].get("precision")
    )
    if before == "float32" or (before == "bfloat16" and computes_bfloat16(device)):
        return before
    return untimed_precision(device)


def _shown(
    held_out: Files, judged: Sequence[Path], left_out: LeftOut
) -> dict[str, list[PictureFile]]:
    """Pictures to judge by, under a name for each of their folders."""
    shown = {str(folder): list_files([folder], None, left_out)[0] for folder in judged}
    if others := [file for of_folder in held_out for file in of_folder]:
        shown[HELD_OUT] = others
    return shown


def _task(folders: Sequence[Sequence[Picture]]) -> Task:
    some = [p for each in folders for p in each[:: len(each) // 8 + 1]]
    pairs = [Pair("pair", p.gray, p.color) for p in some if p.gray is not None]
    return decide_task(pairs) if pairs else "colorization"
