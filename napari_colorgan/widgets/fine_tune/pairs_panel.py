"""Choosing layers that make pairs, and the table of the pairs there are."""

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Label, PushButton
from napari.layers import Image, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_colorgan.errors import ColorganError
from napari_colorgan.job import Job, Progress
from napari_colorgan.training.pairs import Pair, PairCheck
from napari_colorgan.widgets.fine_tune.pair_layers import read_pairs_job, take_pair
from napari_colorgan.widgets.fine_tune.pair_pickers import PairPickers
from napari_colorgan.widgets.fine_tune.pair_rows import PairRow, Summary, summarize_job
from napari_colorgan.widgets.fine_tune.pairs_table import PairsTable
from napari_colorgan.widgets.parts.layout import (
    explain,
    keep_low,
    line_up,
    say,
    wrap,
)
from napari_colorgan.widgets.parts.worker import (
    DockJobs,
    LatestOnly,
    sentence,
    show_failure,
)
from napari_colorgan.widgets.parts.world import View

_READING = "The pair is being read and checked."


class PairsPanel(QWidget):
    """Pickers for a pair of layers, and a table of copies of those that were added."""

    changed = Signal()
    """Pairs came or went, or their summary did, or are being read."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._rows: list[PairRow] = []
        self._jobs = DockJobs(self._on_jobs)
        self._locked = False
        self._split = (0.2, 1)
        self.summary: Summary | None = None
        self._problem = ""
        """What the checks have against these pairs."""
        self._failure = ""
        """Why the pair that was to be added was not."""
        self._summarize = LatestOnly(self._on_summary, self._on_summary_error)
        self.pickers = PairPickers(viewer)
        self.gray, self.color = self.pickers.gray, self.pickers.color
        self.region, self.add = self.pickers.region, self.pickers.add
        self.remove = PushButton(text="Remove")
        self.correct = PushButton(
            text="Correct shift",
            tooltip="Crop both pictures to where they show the same",
        )
        self.reason = wrap(Label(value="", visible=False))
        self.notes = wrap(Label(value="", visible=False))
        self.table = PairsTable()
        self._buttons = line_up(self.remove, self.correct)
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (
            self.pickers.native,
            self.reason.native,
            self.table,
            self.notes.native,
            self._buttons.native,
        ):
            layout.addWidget(widget)
        self.add.changed.connect(self._on_add)
        self.remove.changed.connect(self._on_remove)
        self.correct.changed.connect(self._on_correct)
        self.color.changed.connect(self._update)
        self.table.itemSelectionChanged.connect(self._update)
        self._update()

    @property
    def pairs(self) -> list[Pair]:
        """Copies of the pairs that were added."""
        return [row.pair for row in self._rows]

    @property
    def busy(self) -> bool:
        """Whether pairs are being read."""
        return self._jobs.busy

    @property
    def missing(self) -> str:
        """Why nothing can be trained on these pairs; empty if a training can start."""
        if self.busy:
            return _READING
        return self._problem if self._rows else "Add a pair first."

    def layers(self) -> set[Layer]:
        """Layers that the pairs were copied from."""
        return {layer for row in self._rows for layer in row.layers}

    def reset_choices(self, *_: object) -> None:
        """Refresh the pickers."""
        self.pickers.reset_choices()
        self._update()

    def choose_active(self) -> None:
        """Choose the viewer's active layer as the colour one if it can be."""
        self.pickers.choose_active()

    def add_layers(self, gray: Image, color: Image) -> None:
        """Add two layers as a pair, as if they were chosen."""
        self.reset_choices()
        self.pickers.gray.value, self.pickers.color.value = gray, color
        self._on_add()

    def choose_gray(self, gray: Image) -> None:
        """Choose a gray layer; its colour layer is the user's to choose."""
        self.reset_choices()
        if gray in self.pickers.gray.choices:
            self.pickers.gray.value = gray

    def forget(self, layer: Layer) -> None:
        """Let go of a layer that was removed; its copies stay."""
        self._rows = [row.without(layer) for row in self._rows]

    def set_split(self, share: float, seed: int) -> None:
        """Hold out this share, chosen by this seed."""
        if (share, seed) != self._split:
            self._split = (share, seed)
            self._changed()

    def set_locked(self, locked: bool) -> None:
        """Hide what a running training makes useless."""
        self._locked = locked
        self.pickers.visible = not locked
        self._buttons.visible = not locked
        self._update()

    def fill(self, pairs: Sequence[Pair]) -> None:
        """Show the pairs of a training that goes on, unless there are others."""
        if not self._rows:
            self._rows = [PairRow(pair) for pair in pairs]
            self._changed()

    def stop(self) -> None:
        """End what runs; nothing of it is shown any more."""
        self.pickers.stop()
        self._summarize.stop()
        self._jobs.close()

    # -- slots

    def _on_add(self) -> None:
        color, gray, region = self.color.value, self.gray.value, self.region.value
        if self.busy or self._locked or color is None:
            return  # the button says why
        try:
            taken = take_pair(color, gray, region, View.of(self._viewer))
        except ColorganError as error:
            self._on_error(error)
            self._update()
            return
        self._failure = ""
        layers = tuple(layer for layer in (color, gray) if layer is not None)
        self._jobs.run(
            read_pairs_job(taken),
            lambda checked: self._on_read(checked, layers),
            on_error=self._on_error,
        )

    def _on_read(
        self, checked: list[tuple[Pair, PairCheck]], layers: tuple[Layer, ...]
    ) -> None:
        for pair, check in checked:
            names = {row.pair.name for row in self._rows}
            self._rows.append(PairRow.of(pair, check, names, layers))
        self.pickers.forget_gray()
        self._changed(select=self._rows[-1] if checked else None)

    def _on_remove(self) -> None:
        gone = self._chosen_rows()
        self._rows = [row for row in self._rows if row not in gone]
        self._changed()

    def _on_correct(self) -> None:
        rows = [row for row in self._chosen_rows() if row.shifted]
        if self.busy or not rows:
            return
        self._failure = ""
        self._jobs.run(
            _correct_job(rows),
            lambda new: self._on_corrected(rows, new),
            on_error=self._on_error,
        )

    def _on_error(self, error: BaseException) -> None:
        self._failure = sentence(error)
        show_failure(error)

    def _on_corrected(self, old: list[PairRow], new: list[PairRow]) -> None:
        swap = dict(zip(map(id, old), new, strict=True))
        self._rows = [swap.get(id(row), row) for row in self._rows]
        self._changed(select=new[0])

    def _on_jobs(self) -> None:
        self._update()
        self.changed.emit()

    def _on_summary(self, summary: Summary) -> None:
        self.summary = summary
        self.table.show_rows(self._rows, summary)
        self._update()
        self.changed.emit()

    def _on_summary_error(self, error: BaseException) -> None:
        self.summary, self._problem = None, sentence(error)
        self.changed.emit()

    # -- showing state

    def _chosen_rows(self) -> list[PairRow]:
        return [self._rows[n] for n in self.table.chosen() if n < len(self._rows)]

    def _changed(self, select: PairRow | None = None) -> None:
        self.summary, self._problem = None, ""
        self.table.show_rows(self._rows, None)
        if select is not None:
            self.table.choose(self._rows.index(select))
        pairs, (share, seed) = self.pairs, self._split
        if pairs:
            self._summarize.request(lambda: summarize_job(pairs, share, seed))
        else:
            self._summarize.stop()
        self._update()
        self.changed.emit()

    def _update(self, *_: object) -> None:
        reason = ""
        if self.busy:
            reason = _READING
        elif self.color.value is None:
            reason = "Open an RGB picture first: the colours to train on."
        self.add.enabled = not reason
        explain(self.add, reason or "Copy these layers into a pair and check it")
        say(self.reason, "" if self._locked else reason or self._failure)
        rows = self._chosen_rows()
        say(self.notes, "\n".join(note for row in rows for note in row.notes))
        self.remove.enabled = bool(rows) and not self.busy
        self.remove.tooltip = (
            "Forget the chosen pairs" if rows else "Choose pairs in the table first."
        )
        self.correct.visible = not self._locked and any(row.shifted for row in rows)
        self.correct.enabled = not self.busy
        self.table.setVisible(bool(self._rows))
        self._buttons.visible = bool(self._rows) and not self._locked


def _correct_job(rows: Sequence[PairRow]) -> Job[list[PairRow]]:
    corrected = []
    for number, row in enumerate(rows):
        yield Progress(number, len(rows))
        corrected.append(row.corrected())
    return corrected
