"""Choose gray layers; make one of a layer that has colour."""

from typing import Any

import napari.viewer
from magicgui.widgets import Container, PushButton, Select
from napari.layers import Image

from napari_colorgan.errors import ColorganError
from napari_colorgan.widgets.colorize.run import LAYER_KEY
from napari_colorgan.widgets.parts.layers import (
    geometry,
    gray_from_color,
    gray_layers,
    is_color,
    is_gray,
)
from napari_colorgan.widgets.parts.worker import show_failure


class LayerPicker(Container[Any]):
    """The gray layers of a viewer, and a button for those who have none yet."""

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(labels=False)
        self._viewer = viewer
        self.layers = Select(label="Gray layers", choices=self.offered)
        self.layers.max_height = 64
        self.lightness = PushButton(
            text="Use its lightness",
            tooltip="Make a gray layer from the selected RGB layer",
            visible=False,
        )
        rows: Container[Any] = Container(widgets=[self.layers, self.lightness])
        for part in (self, rows):
            part.margins = (0, 0, 0, 0)
        self.append(rows)
        self.lightness.changed.connect(self._on_lightness)

    def offered(self, _: Any = None) -> list[Image]:
        """Return the layers that may be chosen."""
        return list(gray_layers(self._viewer))

    def reset_choices(self, *_: object) -> None:
        """Look for layers anew; what is chosen stays, if it is still there."""
        picked = list(self.layers.value)
        with self.layers.changed.blocked():
            super().reset_choices()
            kept = [layer for layer in picked if layer in self._viewer.layers]
            self.layers.value = kept
            if not kept:
                self.suggest()
        if kept != picked or not picked:
            self.layers.changed.emit(self.layers.value)

    def choose_active(self) -> None:
        """Choose the viewer's active layer if it is gray."""
        active = self._viewer.layers.selection.active
        if is_gray(active):
            self.layers.value = [active]

    def suggest(self) -> None:
        """Choose the active layer or any other, unless something is chosen."""
        active = self._viewer.layers.selection.active
        candidates = [active] if is_gray(active) else self.offered()[:1]
        if not self.layers.value and candidates:
            self.layers.value = candidates

    def color_layer(self) -> Image | None:
        """Return the RGB layer that is selected, or the topmost if no layer is gray."""
        active = self._viewer.layers.selection.active
        if is_color(active) and LAYER_KEY not in active.metadata:
            return active
        if self.offered():
            return None
        return next((c for c in reversed(self._viewer.layers) if is_color(c)), None)

    def _on_lightness(self) -> None:
        layer = self.color_layer()
        if layer is None:
            return
        try:
            gray = gray_from_color(layer)
        except ColorganError as error:
            show_failure(error)
            return
        options = geometry(layer) | {"name": f"{layer.name} lightness"}
        self.layers.value = [self._viewer.add_image(gray, **options)]
