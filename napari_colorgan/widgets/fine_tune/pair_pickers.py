"""Which layers make the next pair: chosen by the user, or else suggested."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, Container, PushButton
from napari.layers import Image, Labels, Shapes

from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.fine_tune.preview_layer import is_preview
from napari_colorgan.widgets.parts.layers import gray_layers, is_color
from napari_colorgan.widgets.parts.layout import shorten
from napari_colorgan.widgets.parts.levels import full_resolution

_FROM_COLOR = "gray from colour"
_NO_REGION = "whole picture"


class PairPickers(Container[Any]):
    """Gray, colour and region, and the button that adds them.

    What the user chooses stays. Until then the colour layer is one that is selected in
    the viewer, and the gray layer one that lies where the colour layer does.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._chosen: set[str] = set()
        """Labels of the pickers that the user has set."""
        self._suggesting = False
        self.gray = ComboBox(
            label="Gray",
            choices=self._gray_choices,
            tooltip="The gray side of the pair; or made from the colour's lightness",
        )
        self.color = ComboBox(
            label="Colour",
            choices=self._color_choices,
            tooltip="An RGB layer: how the gray picture should look",
        )
        self.region = ComboBox(
            label="Region",
            choices=self._region_choices,
            tooltip="Labels or Shapes: only what they cover is trained on",
        )
        self.add = PushButton(text="Add pair")
        super().__init__(widgets=[self.gray, self.color, self.region, self.add])
        self.margins = (0, 0, 0, 0)
        for picker in (self.gray, self.color, self.region):
            shorten(picker)
        for picker in (self.gray, self.color):  # `changed` does not tell of None
            on_chosen = partial(self._on_chosen, picker)
            picker.native.currentIndexChanged.connect(on_chosen)
        viewer.layers.selection.events.changed.connect(self._suggest)
        self._suggest()

    def reset_choices(self, *_: object) -> None:
        """Offer the layers there are now; a choice is forgotten with its layer."""
        pickers = (self.gray, self.color)
        before = [picker.value for picker in pickers]
        with self._suggestions():
            super().reset_choices()
        for picker, value in zip(pickers, before, strict=True):
            if picker.value is not value:
                self._chosen.discard(picker.label)
        self._suggest()

    def choose_active(self) -> None:
        """Choose the viewer's active layer as the colour one if it can be."""
        active = self._viewer.layers.selection.active
        if active in self.color.choices:
            self.color.value = active

    def forget_gray(self) -> None:
        """Suggest a gray layer again for the next colour layer: a pair was added."""
        if self.gray.value is not None:
            self._chosen.discard(self.gray.label)

    def stop(self) -> None:
        """Suggest nothing any more."""
        self._viewer.layers.selection.events.changed.disconnect(self._suggest)

    # -- choices

    def _gray_choices(self, _: Any = None) -> list[Any]:
        layers: list[Any] = list(gray_layers(self._viewer))
        return [(_FROM_COLOR, None)] + [(layer.name, layer) for layer in layers]

    def _color_choices(self, _: Any = None) -> list[Image]:
        return [
            layer
            for layer in reversed(self._viewer.layers)
            if is_color(layer) and not is_preview(layer)
        ]

    def _region_choices(self, _: Any = None) -> list[Any]:
        layers = [
            layer
            for layer in reversed(self._viewer.layers)
            if isinstance(layer, (Labels, Shapes))
        ]
        return [(_NO_REGION, None)] + [(layer.name, layer) for layer in layers]

    # -- suggestions

    def _on_chosen(self, picker: ComboBox, _: int) -> None:
        if not self._suggesting:
            self._chosen.add(picker.label)
            self._suggest()

    def _suggest(self, *_: object) -> None:
        with self._suggestions():
            if self.color.label not in self._chosen:
                self._set(self.color, self._likely_color())
            if self.gray.label not in self._chosen:
                self._set(self.gray, self._likely_gray())

    def _set(self, picker: ComboBox, value: Image | None) -> None:
        if value in picker.choices:  # not so while a layer is being added or removed
            picker.value = value

    def _likely_color(self) -> Image | None:
        layers: Sequence[Image] = self.color.choices
        layers = [each for each in layers if LAYER_KEY not in each.metadata] or layers
        first = [*self._selected(layers), self.color.value, *layers]
        return next((layer for layer in first if layer in layers), None)

    def _likely_gray(self) -> Image | None:
        color = self.color.value
        layers = [layer for layer in self.gray.choices if layer is not None]
        if color is None:
            return None
        fitting = [layer for layer in layers if _match(layer, color)]
        first = [*self._selected(fitting), *fitting]
        if color in self._viewer.layers.selection:
            first += self._selected(layers)
        return next(iter(first), None)

    def _selected(self, layers: Sequence[Image]) -> list[Image]:
        """Those that are selected in the viewer, the active one first."""
        selection = self._viewer.layers.selection
        selected = [layer for layer in layers if layer in selection]
        return sorted(selected, key=lambda layer: layer is not selection.active)

    @contextmanager
    def _suggestions(self) -> Iterator[None]:
        """Change values that are not chosen by the user."""
        before, self._suggesting = self._suggesting, True
        try:
            yield
        finally:
            self._suggesting = before


def _match(gray: Image, color: Image) -> bool:
    """Whether two layers have the same pixels in the same place."""
    return full_resolution(gray).shape == full_resolution(color).shape[:-1] and bool(
        np.allclose(gray.extent.world, color.extent.world)
    )
