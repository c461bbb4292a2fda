"""The table of pairs."""

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_colorgan.widgets.fine_tune.pair_rows import PairRow, Summary
from napari_colorgan.widgets.parts.notices import plain

_COLUMNS = ("Pair", "Size", "Makes", "For")
_MOST_ROWS = 6  # that are seen without scrolling


class PairsTable(QTreeWidget):
    """A row per pair."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Pairs")
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setHeaderLabels(_COLUMNS)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)

    def show_rows(self, rows: Sequence[PairRow], summary: Summary | None) -> None:
        """Show these rows; the selection stays where rows did."""
        chosen = self.chosen() if self.topLevelItemCount() == len(rows) else []
        self.blockSignals(True)
        self.clear()
        for row in rows:
            item = QTreeWidgetItem(row.cells(summary))
            for column, text in enumerate(row.tips(summary)):
                item.setToolTip(column, plain(text))
            self.addTopLevelItem(item)
        for number in chosen:
            self.topLevelItem(number).setSelected(True)
        self.blockSignals(False)
        shown = min(len(rows), _MOST_ROWS) * self.sizeHintForRow(0)
        self.setFixedHeight(self.header().sizeHint().height() + shown + 6)

    def chosen(self) -> list[int]:
        """Numbers of the selected rows."""
        return [self.indexOfTopLevelItem(item) for item in self.selectedItems()]

    def choose(self, number: int) -> None:
        """Select one row alone."""
        self.clearSelection()
        item = self.topLevelItem(number)
        item.setSelected(True)
        self.scrollToItem(item)
