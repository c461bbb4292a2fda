"""Train a compact generator on folders of colour pictures, in one or many runs."""

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.color import (
    LabCodec,
    gray_to_lightness,
    lightness_to_gray,
    rgb_to_lab,
)
from napari_colorgan.errors import CheckpointError
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.models.compact import Compact
from napari_colorgan.training.augment import simulate_hints, vary_gray
from napari_colorgan.training.config import TrainConfig
from napari_colorgan.training.patches import Batch
from napari_colorgan.training.pictures import PictureCache, read_pictures_job
from napari_colorgan.training.pretrained import level, load_imagenet_encoder
from napari_colorgan.training.state import read_state, write_state_job
from napari_colorgan.training.trainer import Trainer

_SAVE_EVERY = 300.0  # s; what a crash may cost
_LOG_EVERY = 100  # steps
_AVERAGED = 0.98  # decay of the loss that is shown


@dataclass(frozen=True, slots=True)
class StepDone(Progress):
    """One more step of `total`."""

    loss: float
    """Moving average of the loss."""


def train_job(
    folders: Sequence[Path],
    config: TrainConfig,
    out: Path,
    *,
    metadata: Metadata,
    device: torch.device,
    minutes: float | None = None,
) -> Job[Checkpoint]:
    """Train on the pictures below `folders`; write `out`, and go on from it next time.

    Beside `out` lie `out`.state, from which an interrupted training goes on exactly as
    if it had not been interrupted, and `out`.csv, its log. The randomness of every step
    follows from the seed and the step's number alone.

    Parameters
    ----------
    metadata : what the checkpoint will say of itself; generator `compact`, codec `lab`
    minutes : stop after this time; the schedule follows `config.steps` alone

    Raises
    ------
    CheckpointError
        `out`.state was made with other settings, or files cannot be written.
    BadImageFile
        A folder holds no colour pictures, or a file cannot be read.
    Stopped
        On STOP while the folders are read.
    """
    state_file = out.with_suffix(".state")
    state = _read_state(state_file, config) if state_file.exists() else None
    pictures = yield from read_pictures_job(folders, config.cache_side)
    began = saved = time.monotonic()
    torch.manual_seed(config.seed)
    generator = Compact(**metadata.options)
    if state is None:
        load_imagenet_encoder(generator)
        level(generator, generator.decoder, _batch(pictures, config, 0).source)
    trainer = Trainer(generator, config, device, steps=config.steps)
    if state is not None:
        try:
            trainer.load_state(state)
        except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"'{state_file}' does not fit this generator, so training cannot go on "
                "from it. Remove it to start anew, or use another output file."
            ) from error
    log = out.with_suffix(".csv")
    loss: float | None = None
    while trainer.done < config.steps:
        value = trainer.step(_batch(pictures, config, trainer.done))["pixel"]
        loss = value if loss is None else _AVERAGED * loss + (1 - _AVERAGED) * value
        if trainer.done % _LOG_EVERY == 0:
            with log.open("a", encoding="utf-8") as file:
                file.write(
                    f"{trainer.done},{time.monotonic() - began:.0f},{loss:.5f}\n"
                )
        stop = (yield StepDone(trainer.done, config.steps, loss)) is STOP
        now = time.monotonic()
        late = minutes is not None and now - began > 60 * minutes
        if stop or late:
            break
        if now - saved > _SAVE_EVERY:
            saved = now
            yield from _save_job(trainer, metadata, state_file, out)
    return (yield from _save_job(trainer, metadata, state_file, out))


def _batch(pictures: PictureCache, config: TrainConfig, step: int) -> Batch:
    """Return what one step learns from."""
    rng = np.random.default_rng([config.seed, step])
    random = torch.Generator().manual_seed(int(rng.integers(2**62)))
    scale = config.min_scale if config.context == "whole" else None
    rgb = pictures.sample(config.batch, config.crop, rng, min_scale=scale)
    lab = rgb_to_lab(rgb)
    codec = LabCodec()
    gray = lightness_to_gray(lab[:, :1]).clamp(0, 1)
    target = codec.target(rgb)
    source = (
        gray_to_lightness(vary_gray(gray, config.gray_augmentation, random)) / 50 - 1
    )
    return Batch(source, target, simulate_hints(target, config.hints, random))


def _save_job(
    trainer: Trainer, metadata: Metadata, state_file: Path, out: Path
) -> Job[Checkpoint]:
    settings = dataclasses.asdict(trainer.config)
    yield from write_state_job(state_file, trainer.state() | {"settings": settings})
    training = settings | {"steps_done": trainer.done}
    checkpoint = Checkpoint(
        dataclasses.replace(metadata, training=training),
        {name: value.half() for name, value in trainer.average.items()},
    )
    save(checkpoint, out)
    return checkpoint


def _read_state(path: Path, config: TrainConfig) -> dict[str, Any]:
    state = read_state(path)
    settings = state.get("settings", {})
    wanted = dataclasses.asdict(config)
    if other := [name for name, value in wanted.items() if settings.get(name) != value]:
        name = other[0]
        raise CheckpointError(
            f"'{path}' was trained with {name} = {settings.get(name)!r}, now it is "
            f"{wanted[name]!r}. Use the same settings to go on, or another output file."
        )
    return state
