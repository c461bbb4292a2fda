"""What a training says while it runs, and what it returns."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from napari_colorgan.arrays import RGB
from napari_colorgan.job import Progress
from napari_colorgan.metrics import Figures
from napari_colorgan.training.settings import Precision, Task

if TYPE_CHECKING:
    from napari_colorgan.checkpoints.store import Checkpoint  # torch


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
    step: float
    """Estimated duration of one step in s, without what comes between; 0: not known."""
    warning: str
    """What speaks against going on; empty if nothing does."""
    history: "History"
    """Curves of the run that this one goes on from; empty if there is none."""


@dataclass(frozen=True, slots=True)
class StepDone(Progress):
    """One more step of `total`."""

    losses: dict[str, float]
    """Of this step: `pixel`, and in a GAN phase `gan`, `feature`, `discriminator`."""
    loss: float
    """Moving average of `pixel`."""
    epoch: int
    """Completed passes over as many patches or crops as cover all pictures once."""
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
    """Of the model before it was fine-tuned; where there was none, `gray`."""
    best: bool
    """Whether no validation before was as good."""
    overfitting: bool
    """Whether the held-out part gets worse while the training loss still falls."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run has made."""

    best: "Checkpoint"
    """Weights of the best validation; the last ones where nothing is held out."""
    last: "Checkpoint"
    """Weights at the end."""
    ended: str
    """Why the run ended, in a few words: "all steps", "stopped", ..."""
    history: "History"
    seconds: float
    """How long it took, without pauses; with the runs that it has gone on from."""
    unsaved: str = ""
    """What is not on the disk, though it was to be, in words; empty if all of it is."""


@dataclass(slots=True)
class History:
    """Curves of a run."""

    losses: list[tuple[int, float]] = field(default_factory=list)
    """Step and moving average of the pixel loss."""
    validations: list[Validated] = field(default_factory=list)
    """`done` is the step."""

    def copy(self) -> "History":
        """Return curves that stay as they are while these grow."""
        return History(list(self.losses), list(self.validations))
