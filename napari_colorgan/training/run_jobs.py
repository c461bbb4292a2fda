"""Trainings that are kept in a folder of their own: begun, and resumed."""

from collections.abc import Sequence
from dataclasses import dataclass

from napari_colorgan.job import Job, Progress
from napari_colorgan.training.outcome import Outcome
from napari_colorgan.training.pairs import Pair, load_pairs, save_pairs
from napari_colorgan.training.runs import RunFolder, RunSettings, exclusive


@dataclass(frozen=True, slots=True)
class PairsLoaded(Progress):
    """The pairs of a training that goes on were read."""

    pairs: Sequence[Pair]


def begin_job(
    folder: RunFolder, settings: RunSettings, pairs: Sequence[Pair]
) -> Job[Outcome]:
    """Train on pairs, whose copies are kept in the folder.

    Raises
    ------
    TrainingBusy, BadRun, and what `fine_tune_job` raises
    """
    with exclusive():
        yield Progress(0, 0)
        try:
            folder.create(settings)
            save_pairs(pairs, folder.pairs)
            return (yield from _train_job(folder, settings, pairs, resume=False))
        except Exception:  # whatever it was, it is raised again
            if not folder.state.exists():
                folder.discard()  # there is nothing to go on from
            raise


def resume_job(folder: RunFolder) -> Job[Outcome]:
    """Go on with a training that was stopped or interrupted."""
    with exclusive():
        yield Progress(0, 0)
        pairs = load_pairs(folder.pairs)
        yield PairsLoaded(0, 0, pairs)
        # without a state it was interrupted before the first save
        resume = folder.state.exists()
        return (yield from _train_job(folder, folder.settings(), pairs, resume=resume))


def _train_job(
    folder: RunFolder, settings: RunSettings, pairs: Sequence[Pair], *, resume: bool
) -> Job[Outcome]:
    from napari_colorgan.training.fine_tune import fine_tune_job  # torch

    result = yield from fine_tune_job(
        pairs,
        settings.start,
        settings.config,
        device=settings.device,
        out=folder.model,
        resume=resume,
    )
    return Outcome(result, pairs, settings, folder)
