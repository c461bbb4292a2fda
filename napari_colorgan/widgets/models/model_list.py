"""The models there are, as a list to choose from."""

from collections.abc import Sequence

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem

from napari_colorgan.checkpoints import zoo
from napari_colorgan.widgets.parts.notices import plain
from napari_colorgan.widgets.parts.picture import first_example

_ICON = 40  # px
_LOWEST = 120  # px; room for two and a half models


class ModelList(QListWidget):
    """Picture, name, origin, kind and size of each model; then what cannot be read."""

    chosen = Signal()
    """Another model is chosen, or the chosen one is new in some way."""

    def __init__(self) -> None:
        super().__init__()
        self._models: Sequence[zoo.Model] = []
        self._unreadable: Sequence[zoo.Unreadable] = []
        self.setAccessibleName("Models")
        self.setIconSize(QSize(_ICON, _ICON))
        self.setMinimumHeight(_LOWEST)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setDragDropMode(QAbstractItemView.DragDropMode.NoDragDrop)
        self.currentRowChanged.connect(lambda _: self.chosen.emit())

    @property
    def model(self) -> zoo.Model | None:
        """The one that is chosen."""
        row = self.currentRow()
        return self._models[row] if 0 <= row < len(self._models) else None

    @property
    def problem(self) -> str:
        """What is wrong with the chosen file; empty if it is a model."""
        row = self.currentRow() - len(self._models)
        return str(self._unreadable[row]) if 0 <= row < len(self._unreadable) else ""

    @property
    def name(self) -> str:
        """Of the chosen model; empty if there is none."""
        return "" if self.model is None else self.model.name

    def show_models(self, name: str = "") -> None:
        """Look for models anew, and choose the one of this name if there is one.

        Where there is none, what is now in the place of the last choice is chosen.
        """
        row = max(0, self.currentRow())
        self._models, self._unreadable = zoo.look()
        names = [model.name for model in self._models]
        self.blockSignals(True)
        self.clear()
        for model in self._models:
            self.addItem(_item(model))
        for file in self._unreadable:
            self.addItem(_bad_item(file))
        row = names.index(name) if name in names else min(row, len(names) - 1)
        self.setCurrentRow(row)
        self.blockSignals(False)
        self.chosen.emit()


def megabytes(size: int) -> str:
    """Bytes in words."""
    return f"{size / 1e6:.{0 if size >= 1e8 else 1}f} MB"


def _item(model: zoo.Model) -> QListWidgetItem:
    about = f"{model.origin}, {model.kind}, {megabytes(model.size)}"
    item = QListWidgetItem(first_example(model.picture), f"{model.name}\n{about}")
    if item.icon().isNull():
        item.setIcon(_no_picture())
    item.setToolTip(plain(model.name))
    return item


def _bad_item(file: zoo.Unreadable) -> QListWidgetItem:
    item = QListWidgetItem(_no_picture(), f"{file.name}\ncannot be read")
    item.setToolTip(plain(file))
    return item


def _no_picture() -> QIcon:
    """Make an icon that shows nothing, but takes as much room as the others."""
    pixmap = QPixmap(_ICON, _ICON)
    pixmap.fill(Qt.GlobalColor.transparent)
    return QIcon(pixmap)
