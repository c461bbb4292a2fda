"""The layer that shows a held-out crop while a model learns to colour it."""

import time
from typing import Any

from napari.layers import Image

from napari_colorgan.arrays import RGB
from napari_colorgan.training.panels import side_by_side
from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.pace import Pace
from napari_colorgan.widgets.parts.places import below, show_all

NAME = "training preview"


class PreviewLayer:
    """gray | before | now | truth, below the other layers, at most once a second.

    The layer is made with the first picture. Once the user has deleted it, it stays
    away.
    """

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._pace = Pace(1.0)
        self._layer: Image | None = None
        self._gone = False
        self._waiting: RGB | None = None

    def show(self, *pictures: RGB) -> None:
        """Show these, or soon newer ones."""
        if self._gone:
            return
        self._waiting = side_by_side(pictures)
        now = time.perf_counter()
        if self._pace.due(now):
            self.flush()
            end = time.perf_counter()
            self._pace.done(end, end - now)

    def flush(self) -> None:
        """Show what waits for its turn."""
        row, self._waiting = self._waiting, None
        if row is None or self._gone:
            return
        if self._layer is None:
            self._layer = self._add(row)
        elif self._layer in self._viewer.layers:
            self._layer.data = row
        else:
            self._gone = True
            show_info(f"The layer '{NAME}' was deleted; training goes on without it.")

    def _add(self, row: RGB) -> Image:
        old = [layer for layer in self._viewer.layers if is_preview(layer)]
        if old:  # of the training before
            old[0].data = row
            return old[0]
        place = below(self._viewer.layers, row.shape)
        active = self._viewer.layers.selection.active
        layer = self._viewer.add_image(
            row,
            rgb=True,
            name=NAME,
            metadata={LAYER_KEY: {"preview": True}},
            **place,
        )
        show_all(self._viewer)
        if active is not None:  # adding a layer took the selection
            self._viewer.layers.selection.active = active
        return layer


def is_preview(layer: Any) -> bool:
    """Whether a layer is the preview of a training."""
    about = layer.metadata.get(LAYER_KEY) if isinstance(layer, Image) else None
    return isinstance(about, dict) and "preview" in about
