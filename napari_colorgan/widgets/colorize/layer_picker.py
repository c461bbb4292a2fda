"""Choose gray layers; make one of a layer that has colour."""

from typing import Any
from weakref import WeakKeyDictionary

import napari.viewer
import numpy as np
from magicgui.widgets import Container, PushButton, Select
from napari.layers import Image

from napari_colorgan.arrays import Array
from napari_colorgan.inference.lightness import lightness_job
from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.colorize.run_panel import RunPanel
from napari_colorgan.widgets.parts.layers import (
    geometry,
    is_color,
    looks_gray,
)
from napari_colorgan.widgets.parts.levels import Levels, full_resolution, in_levels
from napari_colorgan.widgets.parts.notices import show_info


class LayerPicker(Container[Any]):
    """The gray layers of a viewer, and a button for those who have none yet."""

    def __init__(self, viewer: "napari.viewer.Viewer") -> None:
        super().__init__(labels=False)
        self._viewer = viewer
        self._looked_at: WeakKeyDictionary[Image, tuple[Any, bool]] = (
            WeakKeyDictionary()
        )
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

    def offered(self, _: Any = None) -> list[Image]:
        """Return the layers that may be chosen."""
        return [layer for layer in reversed(self._viewer.layers) if self._suits(layer)]

    def reset_choices(self, *_: object) -> None:
        """Look for layers anew; what is chosen stays, if it is still there."""
        picked = list(self.layers.value)
        with self.layers.changed.blocked():
            super().reset_choices()
            kept = [layer for layer in picked if layer in self.layers.choices]
            self.layers.value = kept
            if not kept:
                self.suggest()
        if kept != picked or not picked:
            self.layers.changed.emit(self.layers.value)

    def choose_active(self) -> None:
        """Choose the viewer's active layer if it is gray, unless it is chosen."""
        active = self._viewer.layers.selection.active
        if self._suits(active) and active not in self.layers.value:
            if active not in self.layers.choices:
                self.layers.reset_choices()
            self.layers.value = [active]

    def suggest(self) -> None:
        """Choose the active layer or any other, unless something is chosen."""
        active = self._viewer.layers.selection.active
        candidates = [active] if self._suits(active) else self.offered()[:1]
        if not self.layers.value and candidates:
            self.layers.value = candidates

    def color_layer(self) -> Image | None:
        """Return the RGB layer that is selected, or the topmost if no layer is gray."""
        active = self._viewer.layers.selection.active
        if self._has_color(active):
            return active
        if self.offered():
            return None
        return next(filter(self._has_color, reversed(self._viewer.layers)), None)

    def _suits(self, layer: Any) -> bool:
        """Whether a layer is gray, and no result that waits for its colours."""
        if not isinstance(layer, Image) or LAYER_KEY in layer.metadata:
            return False
        data, looked_at = layer.data, self._looked_at.get(layer)
        if looked_at is None or looked_at[0] is not data:
            looked_at = self._looked_at[layer] = (data, looks_gray(layer))
        return looked_at[1]

    def _has_color(self, layer: Any) -> bool:
        known = is_color(layer) and LAYER_KEY not in layer.metadata
        return known and not self._suits(layer)

    def take_lightness(self, running: RunPanel) -> None:
        """Make a gray layer of the colour layer; where nothing else runs."""
        layer = self.color_layer()
        if layer is None:
            return
        name = layer.name

        def add(gray: Array) -> None:
            if layer not in self._viewer.layers:
                show_info(f"'{name}' was removed; its lightness is of no use any more.")
                return
            options = geometry(layer) | {"name": f"{name} lightness"}
            if gray.dtype == np.float32:
                options["contrast_limits"] = (0.0, 1.0)  # so as it was in colour
            levels = in_levels(gray, -2, -1)
            several = isinstance(levels, Levels)
            added = self._viewer.add_image(
                levels, rgb=False, multiscale=several, **options
            )
            self.layers.value = [added]

        running.run_other(
            lightness_job(full_resolution(layer), f"the layer '{name}'"),
            add,
            title=f"Lightness of '{name}'",
            doing=f"Taking the lightness of '{name}'...",
        )
