"""One run of a fine-tuning: steps, validations, previews, autosaves, its end."""

import dataclasses
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.metrics import Figures
from napari_colorgan.training.budget import Plan
from napari_colorgan.training.events import (
    FineTuned,
    History,
    Previewed,
    StepDone,
    Validated,
)
from napari_colorgan.training.samplers import PatchSampler
from napari_colorgan.training.settings import FineTuneConfig
from napari_colorgan.training.state import write_state_job
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import Diverged, Losses
from napari_colorgan.training.validation import Validation, goodness

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


class Session:
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
    ) -> None:
        self._trainer = trainer
        self._sampler = sampler
        self._validation = validation
        self._plan = plan
        self._metadata = metadata
        self._out = out
        self._run = run
        self._began = 0.0
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
        self._began = time.monotonic()
        if self._validation_is_due():
            yield from self._tell(self._validate())
        ended = self._lost_patience()
        while trainer.done < plan.steps and not ended:
            try:
                losses = trainer.step(self._sampler.batch(trainer.done))
            except Diverged as error:
                last = self._checkpoint(self._best)
                if self._out is not None:
                    save(last, self._out)
                return FineTuned(last, last, str(error), self._history)
            if (yield from self._tell(self._stepped(losses))):
                ended = "stopped"
            elif self._validation_is_due():
                if (yield from self._tell(self._validate())):
                    ended = "stopped"
                else:
                    ended = self._reason_to_end()
                    yield from self._save_now_and_then()
            elif time.monotonic() - self._previewed > self._preview_pause:
                yield from self._tell(self._preview())
        # first what an uninterrupted run would know, so that it can be resumed exactly
        if self._saved_step != trainer.done:
            yield from self._save_state()
        if self._history.validations[-1].done < trainer.done:
            yield self._validate()
        if ended != "stopped":  # nobody waits for a picture
            yield self._preview()
        best = self._checkpoint(self._best)
        if self._out is not None:
            save(best, self._out)
        last = self._checkpoint(trainer.average)
        return FineTuned(best, last, ended or "all steps are done", self._history)

    def _tell(self, event: Progress) -> Job[bool]:
        """Yield an event; whether a stop is wished for. A pause costs no time."""
        told = time.monotonic()
        stop = (yield event) is STOP
        waited = time.monotonic() - told
        self._began += waited
        if self._first is not None:
            self._first = self._first[0], self._first[1] + waited
        return stop

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
        for event in write_state_job(self._out.with_suffix(".state"), state):
            yield from self._tell(event)
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


def _read_history(values: Mapping[str, Any]) -> History:
    validations = []
    for one in values["validations"]:
        figures = {k: Figures(**one[k]) for k in ("now", "gray", "before")}
        validations.append(Validated(**(one | figures)))
    return History([(step, loss) for step, loss in values["losses"]], validations)
