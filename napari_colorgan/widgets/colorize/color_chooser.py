"""The colour of the next hint: from a dialog, the screen, what is likely, or lately."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog, QVBoxLayout, QWidget

from napari_colorgan.inference.intensity import to_bytes
from napari_colorgan.widgets.parts.canvas_pick import PickButton
from napari_colorgan.widgets.parts.layers import is_color
from napari_colorgan.widgets.parts.swatches import Color, Swatch, SwatchRow

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.suggestions import Suggestion

_FIRST: Color = (192, 64, 32)
_RECENT = 6
_SUGGESTED = 5


class ColorChooser(QWidget):
    """Rows of swatches; the current one and the eyedropper are placed by the panel."""

    chosen = Signal(tuple)
    """A colour that was clicked on, for the hints to come."""
    suggested = Signal(tuple)
    """One that is likely for a place, for that place."""
    missed = Signal(str)
    """Why no colour could be picked."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._lately: list[Color] = []
        self._shown: dict[Color, Color] = {}
        self.current = Swatch("Colour of the next hint")
        self.current.show_color(_FIRST)
        self.pick = PickButton(
            viewer,
            "Pick...",
            "Take a colour from an RGB layer: click on it",
            self._on_pick,
        )
        self.suggestions = SwatchRow("Likely here", _SUGGESTED, self.suggested.emit)
        self.recent = SwatchRow("Recent", _RECENT, self.chosen.emit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.suggestions)
        layout.addWidget(self.recent)
        self.current.clicked.connect(self._on_dialog)

    @property
    def color(self) -> Color:
        """Of the next hint."""
        return self.current.color

    def use(self, color: Color) -> None:
        """Make a colour the current one, and keep the one before it at hand."""
        before = self.current.color
        if color != before:
            rest = [each for each in self._lately if each not in (color, before)]
            self._lately = [before, *rest][:_RECENT]
        self._show(color)

    @property
    def known(self) -> tuple[Color, ...]:
        """The current colour, and those before it."""
        return (self.color, *self._lately)

    def suggest(
        self, suggestions: "Sequence[Suggestion]", shown: dict[Color, Color]
    ) -> None:
        """Show the likeliest colours of a place, at the place's own lightness.

        Parameters
        ----------
        shown : what other colours become there
        """
        self._shown = shown
        self._show(self.color)
        self.suggestions.show_colors(
            [(each.rgb, None, f"{each.likelihood:.0%}") for each in suggestions]
        )

    def _show(self, current: Color) -> None:
        """Show what colours become at the place that was looked at last."""
        shown = self._shown
        self.current.show_color(current, shown.get(current))
        self.recent.show_colors([(each, shown.get(each), "") for each in self._lately])

    def _on_dialog(self) -> None:
        color = QColorDialog.getColor(QColor(*self.color), self, "Colour of hints")
        if color.isValid():
            self.chosen.emit((color.red(), color.green(), color.blue()))

    def _on_pick(self, position: Any) -> None:
        for layer in reversed(self._viewer.layers):
            if not (is_color(layer) and layer.visible):
                continue
            value = layer.get_value(position, world=True)
            value = value[1] if isinstance(value, tuple) else value  # of a level
            if value is not None:
                red, green, blue = to_bytes(np.asarray(value)[:3]).tolist()
                self.chosen.emit((red, green, blue))
                return
        self.missed.emit("There is no RGB layer where you clicked.")
