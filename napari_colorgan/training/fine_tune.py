"""Train a generator on pairs, with a part held out to judge it by."""

import contextlib
import copy
import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from napari_colorgan.checkpoints.metadata import Context, Metadata
from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.color import CODECS
from napari_colorgan.errors import BadPair, BadSetting, CheckpointError, Stopped
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.device import choose_device
from napari_colorgan.job import STOP, Job, Progress, finish
from napari_colorgan.metrics import Figures
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.budget import Plan, plan_job
from napari_colorgan.training.config import (
    START,
    FineTuneConfig,
    Precision,
    Task,
)
from napari_colorgan.training.pairs import Pair, decide_task, digest, pairs_of, split
from napari_colorgan.training.patches import PatchSampler
from napari_colorgan.training.start import (
    base_of,
    make_discriminator,
    make_generator,
)
from napari_colorgan.training.state import read_state, write_state_job
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import Diverged, Losses
from napari_colorgan.training.validation import Validation, goodness

RGB = npt.NDArray[np.uint8]

_NOTHING = "Stopped before the first step; nothing was trained."
_AVERAGED = 0.98  # decay of the loss that is shown
_POINTS = 1000  # of the loss curve
_WARM = 20  # steps until their own time tells how long the rest takes
_GRACE = 1.25  # how much longer than planned a run may take on a busy machine
_PREVIEW_EVERY = 1.0  # s
_PREVIEW_SHARE = 0.08  # of the time
_LARGE = 64 << 20  # bytes of weights of a network that is saved less often
_SAVE_LARGE_EVERY = 120.0  # s
_WORSE_FOR = 3  # validations, and
_WORSE_BY = 0.3  # dB below the best: overfitting


@dataclass(frozen=True, slots=True)
class Preparing(Progress):
    """Pairs, networks and baselines are being made ready."""


@dataclass(frozen=True, slots=True)
class Planned(Progress):
    """What will be done, before the first step; `total` is the number of steps."""

    seconds: float
    """Estimated duration of the whole run."""
    task: Task
    device: str
    precision: Precision
    trained: tuple[str, ...]
    """Names of the pairs, or parts of a pair, that are learned from."""
    held_out: tuple[str, ...]
    """Names of those that are only judged by."""


@dataclass(frozen=True, slots=True)
class StepDone(Progress):
    """One more step of `total`."""

    losses: dict[str, float]
    """Of this step: `pixel`, and in a GAN phase `gan`, `feature`, `discriminator`."""
    loss: float
    """Moving average of `pixel`."""
    epoch: int
    """Completed passes over as many patches as cover the pairs once."""
    seconds_left: float


@dataclass(frozen=True, slots=True)
class Previewed(Progress):
    """A held-out crop as it is coloured now; four pictures (Y, X, 3)."""

    gray: RGB
    before: RGB
    now: RGB
    truth: RGB


@dataclass(frozen=True, slots=True)
class Validated(Progress):
    """The held-out part was scored."""

    now: Figures
    gray: Figures
    """Of the pictures left gray."""
    before: Figures
    """Of the model before it was fine-tuned."""
    best: bool
    """Whether no validation before was as good."""
    overfitting: bool
    """Whether the held-out part gets worse while the training loss still falls."""


@dataclass(frozen=True, slots=True)
class FineTuned:
    """What a run has made."""

    best: Checkpoint
    """Weights of the best validation."""
    last: Checkpoint
    """Weights at the end."""
    ended: str
    """Why the run ended, in a few words: "all steps", "stopped", ..."""
    history: "History"


@dataclass(slots=True)
class History:
    """Curves of a run."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    """Step and moving average of the pixel loss."""
    validations: list[Validated] = field(default_factory=list)
    """`done` is the step."""


def fine_tune_job(
    pairs: Sequence[Pair],
    start: str | Path | Checkpoint = START,
    config: FineTuneConfig | None = None,
    *,
    device: str = "auto",
    out: Path | None = None,
    resume: bool = False,
    about: Mapping[str, str] | None = None,
) -> Job[FineTuned]:
    """Train on pairs; a part of them is held out, to judge by and to find the best.

    Parameters
    ----------
    start : a model's name, the path of a checkpoint, a checkpoint, or "scratch" for a
        compact generator with fresh weights; without meaning for the schemes `paper`
        and `notebook`, which start fresh
    out : where the best checkpoint is kept, NAME.safetensors; beside it NAME.state,
        from which an interrupted run goes on exactly as if it had not been interrupted
    resume : go on from NAME.state
    about : name, description and license of the checkpoint that is made

    Raises
    ------
    BadPair, BadSetting, UnknownModel, CheckpointError
    Stopped
        On STOP before the first step.
    """
    config = config or FineTuneConfig()
    place = choose_device(device)
    if not pairs:
        raise BadPair("There are no pairs. Add a gray and a colour picture first.")
    if out is not None and out.suffix != ".safetensors":
        raise BadSetting("out", str(out), "a name that ends in .safetensors")
    if out is not None and not out.absolute().parent.is_dir():
        raise BadSetting("out", str(out), "in a folder that exists")
    state_file = None if out is None else out.with_suffix(".state")
    base = base_of(start, config)
    run: dict[str, Any] = {
        "settings": dataclasses.asdict(config),
        "pairs": digest(pairs),
        "start": "" if base is None else base.digest,
    }
    state = None
    if resume:
        if state_file is None:
            raise BadSetting("resume", resume, "used together with `out`")
        state = read_state(state_file)
        with _fitting(state_file):
            _check_same(state["run"], run, state_file)
    began = time.monotonic()
    context: Context = "local" if base is None else base.metadata.context
    if config.scheme == "notebook":
        context = "whole"
    elif config.context != "auto":
        context = config.context
    config = dataclasses.replace(config, context=context)
    task = decide_task(pairs) if config.task == "auto" else config.task
    parts = split(pairs, config.validation, config.seed)
    codec = CODECS["lab" if task == "colorization" else "rgb"]()
    takes_hints = base is None or base.metadata.generator == "compact"
    hints = takes_hints and config.scheme == "fine-tune" and task == "colorization"
    sampler = PatchSampler(parts.train, config, codec, hints=hints)
    if (yield Preparing(0, 3)) is STOP:
        raise Stopped(_NOTHING)
    metadata, generator = make_generator(base, config, task, sampler.batch(0).source)
    metadata = _described(metadata, base, parts.train, config, about or {})
    discriminator = make_discriminator(config, task)
    if (yield Preparing(1, 3)) is STOP:
        raise Stopped(_NOTHING)
    fresh = Checkpoint(metadata, generator.state_dict())
    before = Colorizer(base or fresh, place)
    validation = Validation(parts.held_out, context, before)
    if (yield Preparing(2, 3)) is STOP:
        raise Stopped(_NOTHING)
    if state is None:
        took = time.monotonic()
        validation.figures(before)
        took = time.monotonic() - took
        plan = yield from plan_job(
            partial(_copy, generator, discriminator, config, place),
            sampler,
            config,
            validation=took,
            spent=time.monotonic() - began,
        )
    else:
        with _fitting(state_file):
            plan = Plan(**state["plan"])
    trainer = Trainer(
        generator,
        config,
        place,
        steps=plan.steps,
        discriminator=discriminator,
        precision=plan.precision,
    )
    session = _Session(trainer, sampler, validation, plan, metadata, out, run, began)
    if state is not None:
        with _fitting(state_file):
            session.load(state)
    trained = tuple(pair.name for pair in parts.train)
    held_out = tuple(pair.name for pair in parts.held_out)
    yield Planned(
        trainer.done,
        plan.steps,
        plan.seconds * (1 - trainer.done / plan.steps),
        task,
        str(place),
        plan.precision,
        trained,
        held_out,
    )
    return (yield from session.run())


def fine_tune(
    pairs: Sequence[Pair | tuple[Any, Any] | npt.NDArray[Any]],
    model: str | Path | Checkpoint = START,
    *,
    out: str | Path | None = None,
    device: str = "auto",
    resume: bool = False,
    about: Mapping[str, str] | None = None,
    on_event: Callable[[Progress], object] | None = None,
    scheme: str = "fine-tune",
    **settings: Any,
) -> FineTuned:
    """Train a model on pairs; `fine_tune_job` run to its end.

    Parameters
    ----------
    pairs : of each a (gray, colour) tuple of arrays (Y, X) and (Y, X, 3); or a colour
        array alone, whose lightness is the gray; or what `pairs_of` returns
    model : what to start from
    scheme, settings : see `FineTuneConfig`, such as ``minutes=2``

    Returns
    -------
    The best and the last checkpoint, for `colorize` or `save`, and the curves.

    Raises
    ------
    ColorganError
        One of its children, saying what was found, what was expected and what to do.
    """
    config = FineTuneConfig.preset(scheme, **settings)
    checked: list[Pair] = []
    for number, pair in enumerate(pairs, 1):
        if isinstance(pair, Pair):
            checked.append(pair)
            continue
        gray, color = pair if isinstance(pair, tuple) else (None, pair)
        checked += pairs_of(color, gray, name=f"pair {number}")
    job = fine_tune_job(
        checked,
        model,
        config,
        device=device,
        out=None if out is None else Path(out),
        resume=resume,
        about=about,
    )
    return finish(job, on_event)


class _Session:
    """One run from its first step, or from where it was interrupted, to its end."""

    def __init__(
        self,
        trainer: Trainer,
        sampler: PatchSampler,
        validation: Validation,
        plan: Plan,
        metadata: Metadata,
        out: Path | None,
        run: dict[str, Any],
        began: float,
    ) -> None:
        self._trainer = trainer
        self._sampler = sampler
        self._validation = validation
        self._plan = plan
        self._metadata = metadata
        self._out = out
        self._run = run
        self._began = began
        self._history = History()
        self._loss: float | None = None
        self._best: dict[str, Tensor] = {}
        self._best_step = 0
        self._best_loss = math.inf
        self._best_goodness = -math.inf
        self._first: tuple[int, float] | None = None
        """Step and time at which this session began to train."""
        self._saved = -math.inf
        self._saved_step: int | None = None
        self._previewed = -math.inf
        self._preview_pause = _PREVIEW_EVERY

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self._trainer.load_state(state["trainer"])
        self._loss = state["loss"]
        self._best = state["best"]
        self._best_step = state["best_step"]
        self._best_loss = state["best_loss"]
        self._best_goodness = state["best_goodness"]
        self._history = _read_history(state["history"])

    def run(self) -> Job[FineTuned]:
        """Train until the end, a stop, or no more progress."""
        trainer, plan = self._trainer, self._plan
        if self._validation_is_due():
            yield self._validate()
        ended = self._lost_patience()
        while trainer.done < plan.steps and not ended:
            try:
                losses = trainer.step(self._sampler.batch(trainer.done))
            except Diverged as error:
                last = self._checkpoint(self._best)
                if self._out is not None:
                    save(last, self._out)
                return FineTuned(last, last, str(error), self._history)
            if (yield self._stepped(losses)) is STOP:
                ended = "stopped"
            elif self._validation_is_due():
                if (yield self._validate()) is STOP:
                    ended = "stopped"
                else:
                    ended = self._reason_to_end()
                    yield from self._save_now_and_then()
            elif time.monotonic() - self._previewed > self._preview_pause:
                yield self._preview()
        # first what an uninterrupted run would know, so that it can be resumed exactly
        if self._saved_step != trainer.done:
            yield from self._save_state()
        if self._history.validations[-1].done < trainer.done:
            yield self._validate()
        yield self._preview()
        best = self._checkpoint(self._best)
        if self._out is not None:
            save(best, self._out)
        last = self._checkpoint(trainer.average)
        return FineTuned(best, last, ended or "all steps are done", self._history)

    def _stepped(self, losses: Losses) -> StepDone:
        trainer, plan = self._trainer, self._plan
        value = losses["pixel"]
        old = value if self._loss is None else self._loss
        self._loss = _AVERAGED * old + (1 - _AVERAGED) * value
        if trainer.done % max(1, plan.steps // _POINTS) == 0:
            self._history.losses.append((trainer.done, self._loss))
        if self._first is None:
            self._first = trainer.done - 1, time.monotonic()
        passed = time.monotonic() - self._first[1]
        done = trainer.done - self._first[0]
        left = (plan.steps - trainer.done) * passed / done
        if done < _WARM:  # too few to judge by
            left = plan.seconds * (1 - trainer.done / plan.steps)
        epoch = trainer.done // self._sampler.per_epoch
        return StepDone(trainer.done, plan.steps, losses, self._loss, epoch, left)

    def _validation_is_due(self) -> bool:
        """Whether one belongs here; a stop may have come just before it."""
        validations = self._history.validations
        missing = not validations or validations[-1].done < self._trainer.done
        return missing and self._trainer.done % self._plan.validate_every == 0

    def _validate(self) -> Validated:
        trainer, history = self._trainer, self._history
        now = self._validation.figures(self._colorizer())
        better = not self._best or goodness(now) > self._best_goodness
        if better:
            self._best_goodness = goodness(now)
            self._best_step = trainer.done
            self._best_loss = math.inf if self._loss is None else self._loss
            self._best = _halved(trainer.average)
        since = sum(v.done > self._best_step for v in history.validations) + 1
        event = Validated(
            trainer.done,
            self._plan.steps,
            now,
            self._validation.gray,
            self._validation.before,
            better,
            overfitting=not better
            and since >= _WORSE_FOR
            and self._loss is not None
            and self._loss < self._best_loss
            and goodness(now) < self._best_goodness - _WORSE_BY,
        )
        history.validations.append(event)
        return event

    def _lost_patience(self) -> str:
        """Why the run should end after the last validation; empty if it should not."""
        config = self._trainer.config
        assert isinstance(config, FineTuneConfig)
        since = sum(v.done > self._best_step for v in self._history.validations)
        if config.patience and since >= config.patience:
            return f"no better score for {since} validations"
        return ""

    def _reason_to_end(self) -> str:
        config = self._trainer.config
        assert isinstance(config, FineTuneConfig)
        if lost := self._lost_patience():
            return lost
        budget = 60 * config.minutes * _GRACE
        if config.steps is None and time.monotonic() - self._began > budget:
            return "the time is up"
        return ""

    def _preview(self) -> Previewed:
        began = time.monotonic()
        shown = self._validation.preview(self._colorizer())
        self._previewed = time.monotonic()
        took = self._previewed - began
        self._preview_pause = max(_PREVIEW_EVERY, took / _PREVIEW_SHARE)
        return Previewed(
            self._trainer.done,
            self._plan.steps,
            shown.gray,
            shown.before,
            shown.now,
            shown.truth,
        )

    def _save_now_and_then(self) -> Job[None]:
        large = sum(w.nbytes for w in self._trainer.average.values()) > _LARGE
        if not large or time.monotonic() - self._saved > _SAVE_LARGE_EVERY:
            yield from self._save_state()

    def _save_state(self) -> Job[None]:
        if self._out is None:
            return
        state = {
            "run": self._run,
            "plan": dataclasses.asdict(self._plan),
            "trainer": self._trainer.state(),
            "loss": self._loss,
            "best": self._best,
            "best_step": self._best_step,
            "best_loss": self._best_loss,
            "best_goodness": self._best_goodness,
            "history": dataclasses.asdict(self._history),
        }
        yield from write_state_job(self._out.with_suffix(".state"), state)
        save(self._checkpoint(self._best), self._out)
        self._saved, self._saved_step = time.monotonic(), self._trainer.done

    def _colorizer(self) -> Colorizer:
        checkpoint = Checkpoint(self._metadata, self._trainer.average)
        return Colorizer(checkpoint, self._trainer.device)

    def _checkpoint(self, weights: Mapping[str, Tensor]) -> Checkpoint:
        """Checkpoint of copied weights in half precision, with their scores."""
        shown = next(
            v
            for v in reversed(self._history.validations)
            if weights is not self._best or v.done == self._best_step
        )
        training = self._run["settings"] | {
            "steps_done": shown.done,
            "pairs": self._run["pairs"],
            "scores": dataclasses.asdict(shown.now),
            "scores_gray": dataclasses.asdict(shown.gray),
            "scores_before": dataclasses.asdict(shown.before),
        }
        return Checkpoint(
            dataclasses.replace(self._metadata, training=training),
            _halved(weights),
        )


def _halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copy weights to the CPU, in half precision unless they are whole numbers."""
    return {
        name: value.detach().half().cpu()
        if value.is_floating_point()
        else value.detach().cpu().clone()
        for name, value in weights.items()
    }


def _copy(
    generator: nn.Module,
    discriminator: PatchDiscriminator | None,
    config: FineTuneConfig,
    device: torch.device,
    precision: Precision,
) -> Trainer:
    """Trainer of copies, for timing: two steps, the second one with a discriminator."""
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


def _described(
    metadata: Metadata,
    base: Checkpoint | None,
    trained: Sequence[Pair],
    config: FineTuneConfig,
    about: Mapping[str, str],
) -> Metadata:
    """Metadata that says what a checkpoint was made from."""
    origin = "fresh weights" if base is None else base.metadata.name or "a checkpoint"
    names = ", ".join(pair.name for pair in trained)
    provenance = (
        f"Trained by {config.scheme} from {origin} on pairs of the user: {names}."
    )
    if base is not None and base.metadata.provenance:
        provenance += f" {origin}: {base.metadata.provenance}"
    texts: dict[str, Any] = {
        "name": f"{origin} fine-tuned",
        "description": f"Fine-tuned from {origin} on {len(trained)} pair(s).",
        "license": "" if base is None else base.metadata.license,
        "provenance": provenance,
    }
    if unknown := set(about) - set(texts):
        raise BadSetting("about", sorted(unknown)[0], f"one of {', '.join(texts)}")
    return dataclasses.replace(metadata, **(texts | dict(about)))


@contextlib.contextmanager
def _fitting(path: Path | None) -> Iterator[None]:
    """Say which file is meant where a state lacks something or has other shapes."""
    try:
        yield
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"'{path}' does not fit this training, which cannot go on from it. Remove "
            "it to start anew, or use another output."
        ) from error


def _check_same(saved: Mapping[str, Any], run: Mapping[str, Any], path: Path) -> None:
    """Refuse to go on with other settings, pairs or another start."""
    for name, value in run["settings"].items():
        if (found := saved["settings"].get(name)) != value:
            raise CheckpointError(
                f"'{path}' was trained with {name} = {found!r}, now it is {value!r}. "
                "Use the same settings to go on, or start anew with another output."
            )
    for name, what in (("pairs", "other pairs"), ("start", "another model")):
        if saved[name] != run[name]:
            raise CheckpointError(
                f"'{path}' is a training on {what}. Give the same ones to go on, or "
                "start anew with another output."
            )


def _read_history(values: Mapping[str, Any]) -> History:
    validations = []
    for one in values["validations"]:
        figures = {k: Figures(**one[k]) for k in ("now", "gray", "before")}
        validations.append(Validated(**(one | figures)))
    return History([(step, loss) for step, loss in values["losses"]], validations)
