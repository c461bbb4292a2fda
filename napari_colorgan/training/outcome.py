"""What a training has made, and what can be done with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_colorgan.arrays import Array
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.cards import trained_card
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.training.pairs import Pair, Split, split
from napari_colorgan.training.runs import RunFolder, RunSettings

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

    def suggest_name(self) -> str:
        """Suggest a name for the model that no other has."""
        start = self.settings.start
        name = "my model" if start == zoo.SCRATCH else f"{Path(start).stem} tuned"
        return zoo.free_name(name)

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


def install_trained_job(
    outcome: Outcome, kept: Kept, name: str, *, replace_old: bool
) -> Job[zoo.Model]:
    """Store the model in the user's folder, with a card and a picture.

    The picture shows pairs that were held out.
    """
    yield Progress(0, 1)
    from napari_colorgan.inference.examples import examples_job

    checkpoint = outcome.checkpoint(kept)
    parts = outcome.parts
    picture = yield from examples_job(
        checkpoint,
        [pair.gray for pair in parts.held_out[:_SHOWN]],
        outcome.settings.device,
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
    from napari_colorgan.training.networks import base_of
    from napari_colorgan.training.report import write_job

    settings = outcome.settings
    checkpoint = outcome.checkpoint(kept)
    colorizer = Colorizer(checkpoint, settings.device, engine="torch")
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
        before=None
        if base is None
        else Colorizer(base, settings.device, engine="torch"),
    )
    return page


def error_maps_job(outcome: Outcome, kept: Kept) -> Job[list[tuple[str, Array]]]:
    """CIEDE2000 of each held-out picture, by name."""
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.metrics import error_map
    from napari_colorgan.training.scoring import color_pair

    checkpoint, device = outcome.checkpoint(kept), outcome.settings.device
    colorizer = Colorizer(checkpoint, device, engine="torch")
    held_out = outcome.parts.held_out
    maps: list[tuple[str, Array]] = []
    for number, pair in enumerate(held_out):
        if (yield Progress(number, len(held_out))) is STOP:
            break
        maps.append((pair.name, error_map(color_pair(pair, colorizer), pair.color)))
    return maps
