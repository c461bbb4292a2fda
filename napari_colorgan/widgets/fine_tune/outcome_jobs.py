"""What can be done with the model that a training has made, as jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.cards import trained_card
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.training.pairs import Pair, Split, split
from napari_colorgan.widgets.fine_tune.run_folder import RunFolder, RunSettings

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
    folder: RunFolder

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


def report_job(outcome: Outcome, kept: Kept, folder: Path) -> Job[Path]:
    """Write a report on the held-out part; returns its page."""
    from napari_colorgan.inference.colorize import colorizer_job
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.training.report import write_job

    settings = outcome.settings
    checkpoint = outcome.checkpoint(kept)
    before = None
    if settings.start != zoo.SCRATCH:
        before = yield from colorizer_job(settings.start, device=settings.device)
    page: Path = yield from write_job(
        folder,
        outcome.parts.held_out,
        Colorizer(checkpoint, choose_device(settings.device)),
        settings={"start": settings.start, "weights": kept}
        | checkpoint.metadata.training,
        history=outcome.result.history,
        before=before,
    )
    return page


def error_maps_job(
    outcome: Outcome, kept: Kept
) -> Job[list[tuple[str, npt.NDArray[np.float32]]]]:
    """CIEDE2000 of each held-out picture, by name."""
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.metrics import error_map
    from napari_colorgan.training.scoring import color_pair

    device = choose_device(outcome.settings.device)
    colorizer = Colorizer(outcome.checkpoint(kept), device)
    held_out = outcome.parts.held_out
    maps: list[tuple[str, Any]] = []
    for number, pair in enumerate(held_out):
        if (yield Progress(number, len(held_out))) is STOP:
            break
        maps.append((pair.name, error_map(color_pair(pair, colorizer), pair.color)))
    return maps
