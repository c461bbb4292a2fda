"""How many steps fit into some minutes, and at which precision; measured beforehand."""

import copy
import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from napari_colorgan.errors import Stopped
from napari_colorgan.job import STOP, Job, Progress, is_out_of_memory
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.patch_sampler import PatchSampler
from napari_colorgan.training.settings import FineTuneConfig, Precision
from napari_colorgan.training.trainer import Trainer

_TIMED = 2  # steps, after one to warm up
_WORTH = 0.95  # bfloat16 has to take less than this part of float32's time
_VALIDATING = 0.1  # of the minutes; what validations may take beside them
_FEWEST = 4  # validations
_PREVIEWING = 0.06  # part of the time that previews take


@dataclass(frozen=True, slots=True)
class Measuring(Progress):
    """A step on a copy of the networks was timed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Fixed before the first step; stored, so that a resumed run follows it, too."""

    steps: int
    validate_every: int
    precision: Precision
    seconds: float
    """Estimated duration of all steps, and of validations and previews between them."""
    step: float = 0.0
    """Estimated duration of one step in s; 0: not known, as in older states."""


def plan_job(
    make_copies: Callable[[Precision], Trainer],
    sampler: PatchSampler,
    config: FineTuneConfig,
    choices: Sequence[Precision],
    *,
    validation: float,
    parts: int = 1,
) -> Job[Plan]:
    """Time steps on copies; nothing of the training is consumed by that.

    The minutes are for the steps alone: what prepares, scores and shows comes on top.

    Parameters
    ----------
    make_copies : see `trainer_of_copies`
    choices : precisions to choose from; see `precision.precisions`
    validation : seconds that one validation takes
    parts : into which a batch is divided, one for each process

    Raises
    ------
    Stopped
        On STOP; nothing was trained yet.
    """
    phase = 0.0 if config.is_published else config.gan_phase
    total = len(choices) * (_TIMED + 1) + (2 if phase else 0)
    done = 0
    precision, plain = choices[0], math.inf
    for choice in choices:
        trainer = make_copies(choice)
        took = math.inf
        for number in range(_TIMED + 1):
            try:
                step = _timed_step(trainer, sampler, 0, parts)
            except RuntimeError as error:
                if choice == choices[0] or is_out_of_memory(error):
                    raise
                break  # a device that knows no bfloat16
            if number:
                took = min(took, step)
            done += 1
            yield from tell_beforehand(Measuring(done, total))
        if took < _WORTH * plain:
            precision, plain = choice, took
    judged = plain
    if phase:
        trainer = make_copies(precision)
        for _ in range(2):
            judged = _timed_step(trainer, sampler, 1, parts)
            done += 1
            yield from tell_beforehand(Measuring(done, total))
    step = (1 - phase) * plain + phase * judged
    validations = config.validations
    if config.steps is None:
        affordable = int(_VALIDATING * 60 * config.minutes / max(validation, 1e-3))
        validations = min(validations, max(_FEWEST, affordable))
        steps = max(1, int(60 * config.minutes / step))
    else:
        steps = config.steps
    every = max(1, -(-steps // validations))
    seconds = steps * step / (1 - _PREVIEWING) + validations * validation
    return Plan(steps, every, precision, seconds, step)


def trainer_of_copies(
    generator: nn.Module,
    discriminator: PatchDiscriminator | None,
    config: FineTuneConfig,
    device: torch.device,
    precision: Precision,
) -> Trainer:
    """Trainer for timing: two steps, the second one with a discriminator."""
    if config.gan_phase:
        config = dataclasses.replace(config, gan_phase=0.5)
    return Trainer(
        copy.deepcopy(generator),
        config,
        device,
        steps=2,
        discriminator=copy.deepcopy(discriminator),
        precision=precision,
    )


def _timed_step(
    trainer: Trainer, sampler: PatchSampler, number: int, parts: int
) -> float:
    began = time.perf_counter()
    trainer.done = number
    trainer.step(sampler.batch(number).part(0, parts))
    return time.perf_counter() - began


def tell_beforehand(event: Progress) -> Job[None]:
    """Yield an event before the first step.

    Raises
    ------
    Stopped
        On STOP.
    """
    if (yield event) is STOP:
        raise Stopped("Stopped before the first step; nothing was trained.")
