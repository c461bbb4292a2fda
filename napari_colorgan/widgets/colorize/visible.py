"""One click colours what is seen of a layer, as a run would colour it."""

import math
from typing import Any

from magicgui.widgets import PushButton
from napari.layers import Image

from napari_colorgan.arrays import RGB
from napari_colorgan.image_io.temporary import fits_memory
from napari_colorgan.job import Job
from napari_colorgan.widgets.colorize.results import (
    LAYER_KEY,
    Result,
    Results,
    watch,
)
from napari_colorgan.widgets.colorize.run_panel import RunPanel
from napari_colorgan.widgets.parts.layers import (
    LayerSource,
    add_result,
    result_options,
)
from napari_colorgan.widgets.parts.layout import explain
from napari_colorgan.widgets.parts.levels import corners, expect_corners
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.world import View

_WHAT = (
    "Colour what is seen of the first chosen layer now; what comes into sight later "
    "follows, and Colorize does the rest"
)


class VisibleRegion(PushButton):
    """Makes a gray result where there is none; its colours are for others to paint."""

    def __init__(self, viewer: Any, results: Results) -> None:
        super().__init__(text="V&isible region")
        self._viewer = viewer
        self._results = results
        self._waits = False

    def offer(self, reason: str) -> None:
        """Enable it, or say why it cannot work."""
        self.enabled = not reason
        explain(self, reason or _WHAT)

    def prepare(self, layer: Image, source: LayerSource, running: RunPanel) -> bool:
        """Make sure that there is a result to be painted; whether there is one now.

        If not, it is being made, or the user was told why none can be.

        Parameters
        ----------
        running : where nothing else runs
        """
        if View.of(self._viewer).ndisplay != 2:
            show_info("Show the layer in 2D to colour what is seen of it.")
            return False
        if self._results.shows(layer, source):
            return self._is_seen(layer, source)
        if not fits_memory(3 * math.prod(map(len, source.planes)) * _pixels(source)):
            show_info(
                f"A result of '{layer.name}' does not fit into memory. Choose another "
                "range of planes, or the result 'as you look', and press Colorize: it "
                "gets colours where you look."
            )
            return False

        def add(canvas: RGB) -> None:
            if layer in self._viewer.layers:
                self._add(layer, source, canvas)
                self._waits = self._is_seen(layer, source)

        title = f"Colorize: '{source.name}'"
        doing = "Making a gray layer to be coloured..."
        running.run_other(_gray_job(source), add, title=title, doing=doing)
        return False

    def waits(self) -> bool:
        """Whether a new result waits to be painted; asked once."""
        waits, self._waits = self._waits, False
        return waits

    def _is_seen(self, layer: Image, source: LayerSource) -> bool:
        seen = self._results.visible(layer, source) is not None
        if not seen:
            show_info(f"Nothing of '{layer.name}' is in view.")
        return seen

    def _add(self, layer: Image, source: LayerSource, canvas: RGB) -> None:
        record = {"complete": False, "why": "only what was seen has colours"}
        options = result_options(layer, source) | {"metadata": {LAYER_KEY: record}}
        shown = source.in_layer(canvas)
        added = add_result(self._viewer, shown, options, source.axes)
        expect_corners(added, corners(layer))  # until it is drawn for the first time
        watch(added)
        self._results.note(layer, Result(added, canvas, source, True, seen_only=True))


def _pixels(source: LayerSource) -> int:
    """Of a plane."""
    shape = source.array.shape
    return int(shape[source.axes.y]) * int(shape[source.axes.x])


def _gray_job(source: LayerSource) -> Job[RGB]:
    from napari_colorgan.inference.colorize import gray_canvas_job

    return (yield from gray_canvas_job(source.source()))
