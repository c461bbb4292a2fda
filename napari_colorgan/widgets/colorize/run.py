"""One run over gray layers: the job in its thread, and the result layers it fills."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari.layers import Image
from napari.utils import progress

from napari_colorgan.arrays import RGB
from napari_colorgan.image_io.temporary import fits_memory
from napari_colorgan.inference.events import (
    EnginesTried,
    InvalidPixels,
    ModelLoaded,
    PlaneGray,
    TileDone,
)
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.planes import hints_within
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.stored import StoreReady, stored_job
from napari_colorgan.job import STOP, Job, Progress, duration
from napari_colorgan.widgets.colorize.palette_panel import PaletteChoice
from napari_colorgan.widgets.colorize.results import (
    LAYER_KEY,
    REPLACED,
    Result,
    Results,
    watch,
)
from napari_colorgan.widgets.parts.layers import (
    LayerSource,
    Refresher,
    add_result,
    result_options,
)
from napari_colorgan.widgets.parts.notices import show_warning
from napari_colorgan.widgets.parts.world import View


@dataclass(frozen=True, slots=True)
class CanvasReady(Progress):
    """The next layer's result is allocated, and gray."""

    number: int
    """Of the layer among those chosen."""
    canvas: RGB
    record: dict[str, Any]
    """How it is made."""


@dataclass(frozen=True, slots=True)
class LayerDone(Progress):
    """One of the chosen layers is finished, or was stopped."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of all layers of a run; taken in the GUI thread."""

    settings: ColorizerSettings
    """But for the palette."""
    palette: PaletteChoice | None = None
    hints: Hints | None = None
    """In px of the first layer, see `LayerSource.letters`."""

    def made(self) -> ColorizerSettings:
        """Return settings with the palette; see `Reference.palette` for errors."""
        palette = None if self.palette is None else self.palette.palette()
        return replace(self.settings, palette=palette)

    def hints_of(self, layer: LayerSource) -> Hints | None:
        """Hints in px of what of a layer is coloured."""
        return hints_within(self.hints, layer.planes)


def color_layers_job(
    layers: Sequence[LayerSource],
    wish: Wish,
    canvases: Sequence[RGB | None] | None = None,
) -> Job[None]:
    """Colour layers one after the other; hints are of the first alone.

    Parameters
    ----------
    canvases : results of before that get these colours; None where a new one is made
    """
    from napari_colorgan.inference.colorize import (  # torch, on first use
        colorize_job,
        colorizer_job,
        gray_canvas_job,
        record_of,
    )

    colorizer = yield from colorizer_job(wish.made())
    for number, layer in enumerate(layers):
        source = layer.source()
        hints = wish.hints_of(layer) if number == 0 else None
        canvas = None if canvases is None else canvases[number]
        told = wish.hints if number == 0 else None
        record = record_of(source, colorizer, layer.name, hints=told, **layer.said)
        if canvas is None and not fits_memory(3 * math.prod(source.shape)):
            yield from stored_job(number, source, colorizer, record, hints)
            if (yield LayerDone(1, 1)) is STOP:
                return
            continue
        if canvas is None:
            canvas = yield from gray_canvas_job(source)
        if (yield CanvasReady(0, 1, number, canvas, record)) is STOP:
            return
        yield from colorize_job(
            source, colorizer, out=canvas, first=layer.first, hints=hints
        )
        if (yield LayerDone(1, 1)) is STOP:
            return


class LayerRun:
    """Result layers of one run and their progress; lives in the GUI thread."""

    def __init__(
        self,
        viewer: Any,
        layers: Sequence[Image],
        sources: Sequence[LayerSource],
        results: Results,
        on_lost: Callable[[str], object],
    ) -> None:
        self._viewer = viewer
        self._results = results
        self._on_lost = on_lost
        self._layers = list(layers)
        self._sources = list(sources)
        self._options = [
            result_options(layer, source)
            for layer, source in zip(layers, sources, strict=True)
        ]
        self._former = [
            results.touched(layer, source)
            for layer, source in zip(layers, sources, strict=True)
        ]
        self._number = 0
        self._record: dict[str, Any] = {}
        self._why = ""
        self._replaced = False
        self._result: Image | None = None
        self._refresher: Refresher | None = None
        self._last = Progress(0, 1)
        self._complete = 0
        self._began = self._started = time.perf_counter()
        self._activity = progress(total=0, desc="Colorize")
        self.device_note = ""
        """Why no GPU was used; empty if one was, or if none was wished for."""

    @property
    def canvases(self) -> list[RGB | None]:
        """Results of before that get these colours; None where there is none."""
        return [None if result is None else result.canvas for result in self._former]

    def uses(self, layer: object) -> bool:
        """Whether the run reads or writes this layer at the moment."""
        # equal, not identical: plugins get proxies of what viewer.add_image returns
        return layer in (self._layers[self._number], self._result)

    @property
    def complete(self) -> bool:
        """Whether all layers have all their colours."""
        return self._complete == len(self._layers)

    def on_event(self, event: Progress) -> None:
        """Show in the viewer what happened."""
        self.note(event)
        match event:
            case ModelLoaded():
                self.device_note = event.note
            case CanvasReady() | StoreReady():
                self._add_result(event)
            case TileDone() if self._refresher is not None:
                self._refresher.changed(event.index, View.of(self._viewer))
            case InvalidPixels():
                show_warning(f"'{self._sources[self._number].name}': {event}")
            case LayerDone():
                self._redraw()
        if event.total != self._activity.total:
            self._activity.reset(total=event.total)
        self._activity.update(event.done - self._activity.n)

    def note(self, event: Progress) -> None:
        """Keep the record of the result, which its layer carries."""
        match event:
            case TileDone():
                self._last = event
                if event.tiling is not None:  # smaller once memory ran out
                    self._record["tile"] = event.tiling.window
            case LayerDone():
                if self._last.done == self._last.total and not self._replaced:
                    self._complete += 1
                    self._write("")

    def end_early(self, why: str) -> None:
        """Note in the record why the result will not be complete."""
        self._why = self._why or why
        self.conclude()

    def conclude(self, why: str = "stopped") -> None:
        """Write into a record that no end was written into why it is not complete."""
        if not self._record.get("complete", True):
            self._write(self._why or why)

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return time.perf_counter() - self._started

    def describe(self, event: Progress) -> str:
        """Tiles done and time left, in words."""
        if isinstance(event, EnginesTried):
            return str(event)
        name = self._sources[self._number].name
        if self._result is None or not event.done:
            reading = isinstance(event, PlaneGray | ModelLoaded)
            doing = f"Reading '{name}'..." if reading else f"Looking at '{name}'..."
            return doing
        passed = time.perf_counter() - self._began
        left = passed / event.done * (event.total - event.done)
        of_layers = (
            f" ({self._number + 1} of {len(self._sources)})"
            if len(self._sources) > 1
            else ""
        )
        return (
            f"'{name}'{of_layers}: tile {event.done} of {event.total}, "
            f"{duration(left)} left"
        )

    def close(self) -> None:
        """Redraw for the last time and remove the bar from the activity dock."""
        self._redraw()
        self._forget_result()
        self._activity.close()

    def _add_result(self, event: CanvasReady | StoreReady) -> None:
        """Show a canvas as a layer whose record says that it is not complete."""
        self._forget_result()
        self._last, self._record = Progress(0, 1), event.record
        self._number = event.number
        source, former = self._sources[event.number], self._former[event.number]
        if former is not None:
            self._result = former.layer
        else:
            # with its record, or it would look like a gray layer to be coloured
            options = self._options[event.number] | {
                "metadata": {LAYER_KEY: event.record}
            }
            self._result = self._shown(event, source, options)
        if isinstance(event, CanvasReady):
            result = Result(self._result, event.canvas, source)
            self._results.note(self._layers[event.number], result)
        watch(self._result)
        self._result.events.data.connect(self._on_data)
        self._refresher = Refresher(self._result, source.axes)
        self._began = time.perf_counter()
        self._write(self._why or "in progress")

    def _shown(
        self,
        event: CanvasReady | StoreReady,
        source: LayerSource,
        options: dict[str, Any],
    ) -> Image:
        if isinstance(event, CanvasReady):
            canvas = source.in_layer(event.canvas)
            return add_result(self._viewer, canvas, options, source.axes)
        sizes = event.stored.arrays(source.axes.order)
        return self._viewer.add_image(
            sizes, rgb=True, multiscale=True, cache=False, **options
        )

    def _write(self, why: str) -> None:
        """Write the record into the result's metadata.

        Parameters
        ----------
        why : it is not complete; empty if it is
        """
        if self._result is not None:
            self._record |= {"complete": not why, "why": why}
            self._result.metadata[LAYER_KEY] = dict(self._record)

    def _on_data(self) -> None:
        self._replaced = True
        self._why = ""  # whatever it was: this is worse
        self._on_lost(REPLACED)

    def _forget_result(self) -> None:
        if self._result is not None:
            self._result.events.data.disconnect(self._on_data)
        self._result = self._refresher = None

    def _redraw(self) -> None:
        if self._result is not None and self._result in self._viewer.layers:
            self._result.refresh()
