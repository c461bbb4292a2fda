"""What the other processes of a team do while the first one runs its `loop.Loop`."""

from contextlib import suppress

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.job import Job, Progress
from napari_colorgan.training.events import History, Trained
from napari_colorgan.training.record import halved
from napari_colorgan.training.samplers import Sampler
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import Diverged


def follow_job(trainer: Trainer, sampler: Sampler, metadata: Metadata) -> Job[Trained]:
    """Do the steps of a process that is not the first of its team, until that ends.

    It returns the weights that all of them have at the end, whichever were best.

    Raises
    ------
    JobFailed
        The first process has ended without a word.
    """
    trainer.share_state()
    while trainer.team.told(False):
        with suppress(Diverged):  # of which the first one tells
            trainer.step(sampler.batch(trainer.done))
        yield Progress(trainer.done, trainer.steps)
    last = Checkpoint(metadata, halved(trainer.average))
    return Trained(last, last, "the first process has ended", History(), 0.0)
