"""Colours at places: a layer of hints, and colours to choose from."""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from magicgui.widgets import ComboBox, Container, Label
from napari.layers import Image, Layer, Points
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_colorgan.inference.axes import indices
from napari_colorgan.inference.hints import Hints
from napari_colorgan.widgets.colorize.alternatives_panel import AlternativesPanel
from napari_colorgan.widgets.colorize.color_chooser import ColorChooser
from napari_colorgan.widgets.colorize.hints_layer import (
    Told,
    add_points,
    hint_layers,
    paint_with,
    selected_in,
    told_by,
)
from napari_colorgan.widgets.colorize.hints_listener import HintsListener
from napari_colorgan.widgets.colorize.hints_planes import HintsPlanes
from napari_colorgan.widgets.colorize.hints_table import OF
from napari_colorgan.widgets.parts.layout import say, shorten, wrap
from napari_colorgan.widgets.parts.swatches import Color
from napari_colorgan.widgets.parts.world import PlaneAxes

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.suggestions import Suggestion

_NONE = "none"
_PART = 40  # of the shorter side of an image: size of a new hint


class HintsPanel(QWidget):
    """One layer of hints for each image, and the colours to choose from."""

    changed = Signal(object)
    """The place where something changed, in px of the layer's image: None, or a point
    along all of its dimensions."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._image: Image | None = None
        self._axes: PlaneAxes | None = None
        self._layers: WeakKeyDictionary[Image, Layer | None] = WeakKeyDictionary()
        """Layers of hints, by the images they tell of; None where none was chosen."""
        self._at: Sequence[float] | None = None
        """Where a suggested colour would go, in px of the image."""
        self.layer = ComboBox(
            label="Hints",
            choices=self._choices,
            tooltip="Points, labels or shapes whose colours are those of the places "
            "where they are",
        )
        shorten(self.layer)
        self.add = QPushButton("&Add hints")
        self.add.setToolTip(
            "Then click on the picture: the place, and what is like it, gets the colour"
        )
        self.colors = ColorChooser(viewer)
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("Take back the last change of the hints (Ctrl-Z)")
        self.planes = HintsPlanes()
        self._listener = HintsListener(viewer, self.planes)
        self.missing = wrap(Label(value="", visible=False))
        self.note = wrap(Label(value="", visible=False))
        self.alternatives = AlternativesPanel()
        self._lay_out()
        self._connect()

    # -- what is said

    def told(self, index: tuple[int, ...]) -> Told:
        """Return what is told of the image; labels and shapes tell of one plane.

        Raises
        ------
        BadSetting
        """
        layer = self._chosen()
        if layer is None or self._image is None or self._axes is None:
            say(self.note, "")
            return Told(None)
        told = told_by(layer, self._image, self._axes, index)
        say(self.note, told.note)
        return told

    def told_everywhere(self, leading: tuple[int, ...]) -> Hints | None:
        """Return what is told of all planes of the image.

        Parameters
        ----------
        leading : how many there are along each axis before Y and X

        Raises
        ------
        BadSetting
        """
        layer, image = self._chosen(), self._image
        everywhere = layer is None or image is None or layer.ndim < image.ndim
        if everywhere or isinstance(layer, Points):
            return self.told((0,) * len(leading)).hints
        parts = (self.told(index).hints for index in indices(leading))
        told = [hints for hints in parts if hints is not None]
        return reduce(Hints.and_also, told) if told else None

    def follow(self, image: Image | None, axes: PlaneAxes | None) -> None:
        """Hear which image is told of; each has hints of its own."""
        before, self._image, self._axes = self._image, image, axes
        if image is not before:
            self.forget_proposals()
            self._choose(self._layer_of(image))
        self._offer_planes()

    def offer(self, missing: str, *, alternatives: bool) -> None:
        """Enable it, or say why it is of no use.

        Parameters
        ----------
        alternatives : whether the model knows how likely colours are
        """
        for part in self._parts:
            part.setEnabled(not missing)
        self.alternatives.offer(not missing, known=alternatives)
        if not alternatives:  # what is shown was said by another model
            self.forget_proposals()
        self._offer_undo()
        say(self.missing, missing)

    def reset_choices(self) -> None:
        """Look for layers anew; what is chosen stays, under another name, too."""
        with self.layer.changed.blocked():
            self.layer.reset_choices()
            known = self._listener.layer
            there = known if known in self._viewer.layers else None
            self.layer.value = _NONE if there is None else there.name
        if known is not None and self.layer.value == _NONE:
            self._on_layer()

    def use_color(self, color: Color) -> None:
        """Give a colour to the hints that are selected, and to those to come."""
        self.colors.use(color)
        layer = self._chosen()
        if isinstance(layer, Points):
            paint_with(layer, color)

    def put_hint(
        self, point: Sequence[float], color: Color, radius: float | None = None
    ) -> None:
        """Give a colour to the hint at a point of the image; there may be none yet."""
        layer, number = self._chosen(), self._number_at(point)
        if number is None or not isinstance(layer, Points):
            self.add_hint(point, color, radius)
            return
        layer.selected_data = {number}
        self.use_color(color)

    def add_hint(
        self, point: Sequence[float], color: Color, radius: float | None = None
    ) -> None:
        """Add a hint at a point of the image, in a layer that is made if need be."""
        layer = self._points()
        if layer is None:
            return
        self.colors.use(color)
        layer.selected_data = set()
        usual = layer.current_size
        paint_with(layer, color, None if radius is None else max(2 * radius, 1.0))
        layer.add(np.asarray(point, float))
        if radius is not None:  # of this one alone
            layer.selected_data = set()
            layer.current_size = usual

    def show_suggestions(
        self,
        suggestions: "Sequence[Suggestion]",
        shown: dict[Color, Color],
        place: Sequence[float] | None,
    ) -> None:
        """Show the likeliest colours of a place.

        Parameters
        ----------
        shown : what other colours become there
        """
        self._at = place
        self.colors.suggest(suggestions, shown)

    def forget_proposals(self) -> None:
        """Show no suggestions and alternatives any more."""
        self.show_suggestions([], {}, None)
        self.alternatives.forget()

    def close_jobs(self) -> None:
        """Hear no layer any more."""
        self.colors.pick.cancel()
        self._listen(None)

    # -- slots

    def _on_add(self) -> None:
        layer = self._points()
        if layer is not None:
            self._viewer.layers.selection.active = layer
            layer.mode = "add"

    def _on_suggested(self, color: Color) -> None:
        if self._at is not None:
            self.put_hint(self._at, color)

    def _on_layer(self) -> None:
        layer = self._chosen()
        if self._image is not None:
            self._layers[self._image] = layer
        self._listen(layer)
        self.changed.emit(None)

    def _on_changed(self, point: Any) -> None:
        """Let the current colour be that of the hint that is selected, and tell."""
        layer = self._listener.layer
        if isinstance(layer, Points) and (selected := selected_in(layer)):
            rgba = np.asarray(layer.face_color)[selected[-1]]
            red, green, blue = np.rint(rgba[:3] * 255).astype(int).tolist()
            self.colors.use((red, green, blue))
        if self._at is not None and self._number_at(self._at) is None:
            self.show_suggestions([], {}, None)  # its hint is gone
        if not self.alternatives.taking:
            self.alternatives.forget()
        self._offer_undo()
        self.changed.emit(point)

    # -- the layer

    def _choices(self, _: Any) -> list[str]:
        return [_NONE, *(layer.name for layer in hint_layers(self._viewer.layers))]

    def _chosen(self) -> Layer | None:
        name = str(self.layer.value)
        layers = hint_layers(self._viewer.layers)
        return next((layer for layer in layers if layer.name == name), None)

    def _number_at(self, point: Sequence[float]) -> int | None:
        """Return the number of the latest hint at a point of the image, if any."""
        layer = self._chosen()
        if not isinstance(layer, Points) or not len(layer.data):
            return None
        away = np.abs(layer.data - np.asarray(point, float)[-layer.ndim :])
        here = np.flatnonzero((away <= 0.5).all(1))
        return int(here[-1]) if len(here) else None

    def _points(self) -> Points | None:
        """Return the layer of points, made if there is none."""
        layer = self._chosen()
        if isinstance(layer, Points):
            return layer
        image = self._image
        if image is None:
            return None
        sides = sorted(image.extent.data[1] - image.extent.data[0] + 1)[-2:]
        size = max(2.0, float(min(sides)) / _PART)
        layer = add_points(self._viewer, image, self.colors.color, size)
        self._layers[image] = layer
        self._choose(layer)
        return layer

    def _layer_of(self, image: Image | None) -> Layer | None:
        """Return the layer of hints that an image had last, or that was made for it."""
        if image is None:
            return None
        if image in self._layers:
            layer = self._layers[image]
            return layer if layer in self._viewer.layers else None
        layers = hint_layers(self._viewer.layers)
        return next(
            (each for each in layers if each.metadata.get(OF) == image.name), None
        )

    def _choose(self, layer: Layer | None) -> None:
        """Show and hear a layer, without a word to anybody."""
        with self.layer.changed.blocked():
            self.layer.reset_choices()
            self.layer.value = _NONE if layer is None else layer.name
        self._listen(layer)

    def _listen(self, layer: Layer | None) -> None:
        self._listener.listen(layer, self._image)
        self._offer_undo()
        self._offer_planes()

    def _offer_undo(self) -> None:
        self.undo.setEnabled(self.add.isEnabled() and self._listener.can_undo)

    def _offer_planes(self) -> None:
        """Ask for planes of points in a stack: labels and shapes have their own."""
        stack = self._image is not None and self._image.ndim > 2
        points = self._listener.layer is None or isinstance(
            self._listener.layer, Points
        )
        self.planes.offer(stack=stack and points)

    # -- making it

    def _lay_out(self) -> None:
        chosen: Container[Any] = Container(widgets=[self.layer])
        chosen.margins = (0, 0, 0, 0)
        self._rows = chosen  # not owned by Qt alone
        buttons = QHBoxLayout()
        for button in (self.add, self.colors.current, self.colors.pick, self.undo):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.missing.native)
        layout.addWidget(chosen.native)
        layout.addLayout(buttons)
        for part in (
            self.note.native,
            self.planes.native,
            self.colors,
            self.alternatives,
        ):
            layout.addWidget(part)
        self._parts = (
            chosen.native,
            self.add,
            self.colors.current,
            self.colors.pick,
            self.colors,
            self.planes.native,
        )

    def _connect(self) -> None:
        self.add.clicked.connect(self._on_add)
        self.colors.chosen.connect(self.use_color)
        self.colors.suggested.connect(self._on_suggested)
        self.colors.missed.connect(lambda why: say(self.note, why))
        self.undo.clicked.connect(self._listener.undo)
        self._listener.changed.connect(self._on_changed)
        self.alternatives.taken.connect(self.put_hint)
        self.layer.changed.connect(self._on_layer)
