"""The training loop, of pairs and of folders: step, judge, preview, save, stop."""

import dataclasses
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import JobFailed
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import STOP, Job, Stop
from napari_colorgan.training.events import History, StepDone, Trained
from napari_colorgan.training.record import Record, halved
from napari_colorgan.training.resuming import Saved
from napari_colorgan.training.run_files import RunFiles
from napari_colorgan.training.samplers import Sampler
from napari_colorgan.training.state import fitting
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import Diverged, Losses
from napari_colorgan.training.validation import Validation

_STOPPED = "stopped"
_LOG_EVERY = 100  # steps
_WARM = 20  # steps until their own time tells how long the rest takes
_PREVIEW_EVERY = 1.0  # s
_PREVIEW_SHARE = 0.08  # of the time
_SAVE_EVERY = 600.0  # s; what a crash may cost
_LARGE = 64 << 20  # bytes of weights of a network that is saved less often
_SAVE_LARGE_EVERY = 120.0  # s


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """When a run is judged, shown and ended, beside its number of steps."""

    validate_every: int | None = None
    """Steps between two validations; None: there is one with every timed save."""
    validate_start: bool = True
    """Whether there is one before the first step."""
    preview_every: float | None = 0.0
    """Seconds between two previews, at least; None: there are none."""
    seconds: float | None = None
    """Estimated duration of the whole run."""
    time_limit: float | None = None
    """Seconds after which it ends, whatever the number of steps."""
    logs_scores: bool = False
    """Whether scores and pictures are written beside the checkpoint, and in it how long
    the training took, so that no two are alike."""


class Loop:
    """One run from its first step, or from where it was interrupted, to its end.

    Parameters
    ----------
    validation : None: nothing is judged, and the last weights are kept
    metadata : of the checkpoint that is made
    out : where it is kept; its state and its logs are beside it
    kept : what the state says of the run and does not change
    facts : what the checkpoint says of the run and does not change
    saved : from which to go on

    Raises
    ------
    CheckpointError
        What is saved is damaged or does not fit.
    """

    def __init__(
        self,
        trainer: Trainer,
        sampler: Sampler,
        validation: Validation | None,
        course: Course,
        *,
        metadata: Metadata,
        out: Path | None,
        kept: Mapping[str, Any],
        facts: Mapping[str, Any],
        saved: Saved | None = None,
    ) -> None:
        self._trainer = trainer
        self._sampler = sampler
        self._validation = validation
        self._course = course
        self._metadata = metadata
        self._kept = kept
        self._facts = facts
        self._record = Record()
        self._paused = 0.0
        self._began = 0.0
        self._seconds_before = 0.0
        self._first: tuple[int, float] | None = None
        """Step and time at which this run began to train."""
        self._saved = 0.0
        self._saved_step: int | None = None
        self._previewed = -math.inf
        self._preview_pause = _PREVIEW_EVERY
        if saved is not None:
            state = saved.whole(trainer.most_bytes)
            with fitting(out):
                trainer.load_state(state["trainer"])
                self._record = Record.of(state)
                self._seconds_before = state.get("seconds", 0.0)  # older have none
        self._files = RunFiles(
            out, None if saved is None else trainer.done, trainer.steps
        )
        self._is_large = sum(w.nbytes for w in trainer.average.values()) > _LARGE

    def run(self) -> Job[Trained]:
        """Train until the end, a stop, or no more progress; a pause costs no time."""
        job, answer = self._run(), None
        self._trainer.share_state()
        try:
            while True:
                event = job.send(answer)
                told = time.monotonic()
                answer = yield event
                self._paused += time.monotonic() - told
        except StopIteration as end:
            trained: Trained = end.value
            return trained
        finally:
            job.close()
            with suppress(JobFailed):  # of others that have ended before
                self._trainer.team.told(False)

    def _run(self) -> Job[Trained]:
        trainer = self._trainer
        self._began, self._saved = self._now(), time.monotonic()
        if self._is_validation_due():
            yield from self._validate()
        ended = self._lost_patience()
        while trainer.done < trainer.steps and not ended:
            trainer.team.told(True)
            try:
                losses = trainer.step(self._sampler.batch(trainer.done))
            except Diverged as error:
                if not self._record.best:
                    raise
                best = yield from self._keep_best()
                return self._trained(best, best, str(error))
            ended = yield from self._after(losses)
        # first what an uninterrupted run would know, so that it can be resumed exactly
        if self._saved_step != trainer.done:
            yield from self._save()
        if self._is_unjudged():
            yield from self._validate()
        if ended != _STOPPED:  # nobody waits for a picture
            yield from self._preview()
        best = yield from self._keep_best()
        last = self._checkpoint(trainer.average, trainer.done)
        reason = ended or "all steps are done"
        return self._trained(best, last, reason)

    @property
    def history(self) -> History:
        """Curves so far; before the run, of those that it goes on from."""
        return self._record.history.copy()

    def _trained(self, best: Checkpoint, last: Checkpoint, ended: str) -> Trained:
        return Trained(
            best,
            last,
            ended,
            self._record.history,
            self._seconds(),
            unsaved=self._files.unsaved,
        )

    def _after(self, losses: Losses) -> Job[str]:
        """Do what is due after a step; why the run should end, if it should."""
        if (yield self._stepped(losses)) is STOP:
            return _STOPPED
        course, since_save = self._course, time.monotonic() - self._saved
        is_late = since_save > _SAVE_EVERY
        is_due = self._is_validation_due() or (is_late and not course.validate_every)
        if is_due:
            if (yield from self._validate()) is STOP:
                return _STOPPED
            if lost := self._lost_patience():
                return lost
        if course.time_limit is not None and self._passed() > course.time_limit:
            return "the time is up"
        waited = self._saved_step is None or since_save > _SAVE_LARGE_EVERY
        if is_late or (is_due and (waited or not self._is_large)):
            yield from self._save()
        elif not is_due and time.monotonic() - self._previewed > self._preview_pause:
            yield from self._preview()
        return ""

    def _stepped(self, losses: Losses) -> StepDone:
        done, steps = self._trainer.done, self._trainer.steps
        loss = self._record.add_loss(losses["pixel"], done, steps)
        if (logs := self._files.logs) is not None and done % _LOG_EVERY == 0:
            logs.add_loss(done, self._seconds(), loss)
        epoch = done // self._sampler.per_epoch
        return StepDone(done, steps, losses, loss, epoch, self._seconds_left())

    def _seconds_left(self) -> float:
        course, trainer = self._course, self._trainer
        if self._first is None:
            self._first = trainer.done - 1, self._now()
        done = trainer.done - self._first[0]
        left = (trainer.steps - trainer.done) * (self._now() - self._first[1]) / done
        if done < _WARM:  # too few to judge by
            if course.seconds is None:
                left = (trainer.steps - trainer.done) * self._passed() / done
            else:
                left = course.seconds * (1 - trainer.done / trainer.steps)
        if course.time_limit is not None:
            left = min(left, max(0.0, course.time_limit - self._passed()))
        return left

    def _is_unjudged(self) -> bool:
        is_judged = self._record.judged_step == self._trainer.done
        return self._validation is not None and not is_judged

    def _is_validation_due(self) -> bool:
        """Whether one belongs here; a stop may have come just before it."""
        every, done = self._course.validate_every, self._trainer.done
        if every is None or done % every or not self._is_unjudged():
            return False
        return done > 0 or self._course.validate_start

    def _validate(self) -> Job[Stop | None]:
        """Judge the weights as they are; returns the answer."""
        trainer, validation = self._trainer, self._validation
        if validation is None:
            return None
        judgement = yield from validation.job(
            self._colorizer(), trainer.done, trainer.steps
        )
        if judgement is None:
            return STOP
        if (logs := self._files.logs) is not None and self._course.logs_scores:
            logs.add_judgement(trainer.done, self._seconds(), judgement)
        return (
            yield self._record.add_validation(
                judgement.figures,
                trainer.done,
                trainer.steps,
                validation=validation,
                weights=trainer.average,
            )
        )

    def _lost_patience(self) -> str:
        """Why the run should end after the last validation; empty if it should not."""
        patience, count = self._trainer.config.patience, 0
        if self._record.best:
            count = self._record.validations_since_best
        if patience and count >= patience:
            return f"no better score in {count} tests"
        return ""

    def _preview(self) -> Job[None]:
        least = self._course.preview_every
        if self._validation is None or least is None:
            return
        began = time.monotonic()
        shown = self._validation.preview(
            self._colorizer(), self._trainer.done, self._trainer.steps
        )
        self._previewed = time.monotonic()
        took = self._previewed - began
        self._preview_pause = max(_PREVIEW_EVERY, took / _PREVIEW_SHARE, least)
        yield shown

    def _save(self) -> Job[None]:
        """Write the state and the best checkpoint, or wait until that is possible."""
        done = self._trainer.done
        state = {
            **self._kept,
            **self._record.state(),
            "trainer": self._trainer.state(),
            "seconds": self._seconds(),
        }
        if (yield from self._files.save_job(done, state, self._best())):
            self._saved, self._saved_step = time.monotonic(), done

    def _keep_best(self) -> Job[Checkpoint]:
        """Write the best checkpoint, as `_save` does, and return it."""
        best = self._best()
        yield from self._files.keep_job(self._trainer.done, best)
        return best

    def _best(self) -> Checkpoint:
        """Return the best checkpoint, or where nothing decides, the one there is."""
        trainer, record = self._trainer, self._record
        if record.best:
            return self._checkpoint(record.best, record.best_step)
        return self._checkpoint(trainer.average, trainer.done)

    def _checkpoint(self, weights: Mapping[str, Tensor], step: int) -> Checkpoint:
        """Checkpoint of copied weights in half precision, with their scores."""
        training = {**self._facts, "steps_done": step} | self._record.scores(step)
        if self._course.logs_scores:
            training["hours"] = self._seconds() / 3600
        metadata = dataclasses.replace(self._metadata, training=training)
        return Checkpoint(metadata, halved(weights))

    def _colorizer(self) -> Colorizer:
        checkpoint = Checkpoint(self._metadata, self._trainer.average)
        return Colorizer(checkpoint, self._trainer.device, engine="torch")

    def _now(self) -> float:
        """Seconds of a clock that stands still in a pause."""
        return time.monotonic() - self._paused

    def _passed(self) -> float:
        return self._now() - self._began

    def _seconds(self) -> float:
        """Seconds of this run and of those that it goes on from."""
        return self._seconds_before + self._passed()
