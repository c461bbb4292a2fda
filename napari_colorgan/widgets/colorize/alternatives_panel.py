"""Other colourings that the model finds likely, as pictures to choose from."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QPushButton, QScrollArea, QVBoxLayout, QWidget

from napari_colorgan.widgets.parts.swatches import Thumbnails

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.alternatives import Alternative

_ASK = "Show al&ternatives"
_SETTLED = 100  # ms until what is shown has its place


class AlternativesPanel(QWidget):
    """A button that asks for them, and what was found."""

    taken = Signal(object, object, float)
    """What becomes a hint: a point of the image, a colour, and its radius in px."""

    def __init__(self) -> None:
        super().__init__()
        self.ask = QPushButton(_ASK)
        self.found = Thumbnails(self.ask)
        self.taking = False
        """Whether one is just being taken; the others can still be taken instead."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.ask)
        layout.addWidget(self.found)

    def offer(self, possible: bool, *, known: bool) -> None:
        """Enable it, or say why it is of no use.

        Parameters
        ----------
        known : whether the model knows how likely colours are
        """
        self.ask.setEnabled(possible and known)
        self.ask.setToolTip(
            "Other colours that the model finds likely, as pictures"
            if known
            else "This model does not tell how likely other colours are"
        )

    def wait(self) -> None:
        """Say that they are being made."""
        self.ask.setText("Looking for alternatives...")

    def show_found(
        self,
        found: "Sequence[Alternative]",
        in_image: Callable[[tuple[int, int]], Sequence[float]],
    ) -> None:
        """Show other colourings; a click takes one.

        Parameters
        ----------
        in_image : makes a point of the image of a place in its displayed plane
        """

        def take(number: int) -> None:
            each = found[number]
            self.taking = True
            self.taken.emit(in_image(each.place), each.suggestion.rgb, each.radius)
            self.taking = False

        self.ask.setText(_ASK)
        self.found.show_pictures(
            [(each.rgb, f"{each.suggestion.likelihood:.0%}") for each in found], take
        )
        if found:
            QTimer.singleShot(_SETTLED, self._reveal)

    def forget(self) -> None:
        """Show none any more: they are of other colours than those of now."""
        self.ask.setText(_ASK)
        self.found.show_pictures([], lambda _: None)

    def _reveal(self) -> None:
        """Scroll to what was found."""
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is not None:
            area.ensureWidgetVisible(self.found)
