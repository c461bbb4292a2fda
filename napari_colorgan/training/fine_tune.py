"""Train a generator on pairs, with a part held out to judge it by."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.job import Job, Progress
from napari_colorgan.metrics import Figures
from napari_colorgan.training.config import FineTuneConfig, Precision, Task
from napari_colorgan.training.pairs import Pair

RGB = npt.NDArray[np.uint8]


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
class Saving(Progress):
    """A part of the state, from which a run can go on, is written."""


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
    start: str | Path | Checkpoint = zoo.DEFAULT,
    config: FineTuneConfig | None = None,
    *,
    device: str = "auto",
    out: Path | None = None,
    resume: bool = False,
) -> Job[FineTuned]:
    """Train `start` on pairs.

    Parameters
    ----------
    start : a model's name, the path of a checkpoint, a checkpoint; or "scratch", for a
        generator with fresh weights (always so for the schemes `paper` and `notebook`)
    out : where the best checkpoint is kept, NAME.safetensors; beside it NAME.state, from
        which an interrupted run goes on exactly as if it had not been interrupted
    resume : go on from NAME.state

    Raises
    ------
    BadSetting, BadPair, CheckpointError, UnknownModel
    """
    raise NotImplementedError
