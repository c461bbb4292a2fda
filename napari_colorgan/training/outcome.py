"""A training from its pairs to a model of the user's: begun, resumed, put to use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_colorgan.arrays import Array
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.cards import trained_card
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.training.pairs import Pair, Split, load_pairs, save_pairs, split
from napari_colorgan.training.runs import RunFolder, RunSettings, exclusive

if TYPE_CHECKING:  # torch; nothing here is read by a form
    from napari_colorgan.checkpoints.store import Checkpoint
    from napari_colorgan.training.events import Trained

Kept = Literal["best", "last"]
_SHOWN = 4  # pairs in a model's picture


@dataclass(frozen=True)
class Outcome:
    """What a training has made, and all it was made with."""

    result: "Trained"
    pairs: Sequence[Pair]
    settings: RunSettings
    folder: RunFolder | None = None
    """Where it can go on, if it has such a place."""

    def checkpoint(self, kept: Kept) -> "Checkpoint":
        """Return the weights of the best validation, or of the last step."""
        return self.result.best if kept == "best" else self.result.last

    @cached_property
    def parts(self) -> Split:
        """Which pairs were learned from, and which were only judged by."""
        config = self.settings.config
        return split(self.pairs, config.validation, config.seed)

    @property
    def complete(self) -> bool:
        """Whether going on would change nothing."""
        return self.result.ended != "stopped"

    @property
    def used(self) -> bool:
        """Whether the model was put to use."""
        return self.folder is None or self.folder.used

    def mark_used(self) -> None:
        """Say that the model was put to use; its folder goes with the next clean-up."""
        if self.folder is not None:
            self.folder.mark_used()

    def discard(self) -> None:
        """Remove the folder."""
        if self.folder is not None:
            self.folder.discard()


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


def install_job(
    outcome: Outcome, kept: Kept, name: str, *, replace_old: bool
) -> Job[zoo.Model]:
    """Store the model in the user's folder, with a card and a picture.

    The picture shows pairs that were held out.
    """
    yield Progress(0, 1)
    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.inference.examples import examples_job

    checkpoint = outcome.checkpoint(kept)
    parts = outcome.parts
    picture = yield from examples_job(
        checkpoint,
        [pair.gray for pair in parts.held_out[:_SHOWN]],
        choose_device(outcome.settings.device),
    )
    card = trained_card(
        checkpoint.metadata,
        name.strip(),
        start=outcome.settings.start,
        trained=[pair.name for pair in parts.train],
        held_out=[pair.name for pair in parts.held_out],
    )
    return zoo.install(checkpoint, name, card, picture=picture, replace_old=replace_old)


def report_job(
    outcome: Outcome,
    kept: Kept,
    folder: Path,
    *,
    sources: Mapping[str, object] | None = None,
) -> Job[Path]:
    """Write a report on the held-out part; returns its page.

    Parameters
    ----------
    sources : where the pairs are from, to be listed
    """
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.training.report import write_job
    from napari_colorgan.training.start import base_of

    settings = outcome.settings
    checkpoint = outcome.checkpoint(kept)
    colorizer = Colorizer(checkpoint, settings.device)
    base = base_of(settings.start, settings.config)
    page: Path = yield from write_job(
        folder,
        outcome.parts.held_out,
        colorizer,
        settings={"start": settings.start, "weights": kept}
        | dict(sources or {})
        | {"ended": outcome.result.ended}
        | colorizer.used()
        | checkpoint.metadata.training,
        history=outcome.result.history,
        before=None if base is None else Colorizer(base, settings.device),
    )
    return page


def error_maps_job(outcome: Outcome, kept: Kept) -> Job[list[tuple[str, Array]]]:
    """CIEDE2000 of each held-out picture, by name."""
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.metrics import error_map
    from napari_colorgan.training.scoring import color_pair

    colorizer = Colorizer(outcome.checkpoint(kept), outcome.settings.device)
    held_out = outcome.parts.held_out
    maps: list[tuple[str, Array]] = []
    for number, pair in enumerate(held_out):
        if (yield Progress(number, len(held_out))) is STOP:
            break
        maps.append((pair.name, error_map(color_pair(pair, colorizer), pair.color)))
    return maps
