"""What the table says of each pair."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Self

from napari.layers import Layer

from napari_colorgan.job import Job, Progress
from napari_colorgan.training.align import correct
from napari_colorgan.training.pairs import (
    Pair,
    PairCheck,
    check,
    decide_task,
    split,
)
from napari_colorgan.training.settings import Task
from napari_colorgan.widgets.fine_tune.words import ASKED, MAKES


@dataclass(frozen=True, slots=True)
class Summary:
    """What the pairs mean together."""

    task: Task
    trained: tuple[str, ...]
    """Names of the pairs, or parts of one, that are trained on."""
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class PairRow:
    """A pair, and what was found out about it."""

    pair: Pair
    checked: PairCheck | None = None
    """None for the pairs of a training that goes on."""
    layers: tuple[Layer, ...] = ()
    """That it was copied from."""

    @classmethod
    def of(
        cls,
        pair: Pair,
        checked: PairCheck,
        names: Collection[str],
        layers: tuple[Layer, ...],
    ) -> Self:
        """Make a row whose pair has a name that no other has."""
        name, number = pair.name, 1
        while name in names:
            number += 1
            name = f"{pair.name} ({number})"
        return cls(replace(pair, name=name), checked, layers)

    @property
    def shifted(self) -> bool:
        """Whether its pictures are more than 1 px apart."""
        return self.checked is not None and self.checked.shift is not None

    @property
    def notes(self) -> list[str]:
        """Sentences the user should read."""
        notes = list(self.checked.warnings) if self.checked else []
        if self.checked and (shift := self.checked.shift):
            notes.append(
                f"The pictures of '{self.pair.name}' are shifted by {shift}, which "
                "would blur the colours. Press 'Correct shift' to crop them."
            )
        return notes

    def without(self, layer: Layer) -> Self:
        """Return the row without a reference to a layer."""
        layers = tuple(other for other in self.layers if other != layer)
        return replace(self, layers=layers)

    def corrected(self) -> "PairRow":
        """Return the pair without its shift."""
        assert self.checked is not None and self.checked.shift is not None
        pair = correct(self.pair, self.checked.shift)
        return replace(self, pair=pair, checked=check(pair))

    def cells(self, summary: Summary | None) -> list[str]:
        """Texts of its columns."""
        height, width = self.pair.shape
        makes = "" if self.checked is None else MAKES[self.checked.task]
        mark = "\N{WARNING SIGN} " if self.notes else ""
        size = f"{width} x {height}"
        return [mark + self.pair.name, size, makes, self._role(summary)]

    def tips(self, summary: Summary | None) -> list[str]:
        """Tooltips of its columns."""
        notes = "\n".join(self.notes)
        parts = ""
        if summary is not None:
            trained, held_out = map(", ".join, (summary.trained, summary.held_out))
            parts = f"To train on: {trained}\nOnly to test on: {held_out}"
        taught = "" if self.checked is None else f"Teaches {ASKED[self.checked.task]}"
        return [notes or self.pair.name, "", taught, parts]

    def _role(self, summary: Summary | None) -> str:
        if summary is None:
            return "..."
        if self.pair.name in summary.held_out:
            return "test"
        if self.pair.name in summary.trained:
            return "train"
        return "both"


def summarize_job(pairs: Sequence[Pair], share: float, seed: int) -> Job[Summary]:
    """Decide what is held out, and what kind of training the pairs ask for."""
    yield Progress(0, 2)
    parts = split(pairs, share, seed)
    yield Progress(1, 2)
    return Summary(
        task=decide_task(pairs),
        trained=tuple(pair.name for pair in parts.train),
        held_out=tuple(pair.name for pair in parts.held_out),
    )
