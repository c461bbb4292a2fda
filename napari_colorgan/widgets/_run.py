"""One run over gray layers: the job in its thread, and the result layers it fills."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image
from napari.utils import progress
from napari.utils.notifications import show_warning

import napari_colorgan
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.inference.intensity import Limits
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.widgets._layers import (
    LayerSource,
    Refresher,
    add_result,
    result_options,
)

METADATA_KEY = "colorgan"
"""Where a result layer's metadata says how it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a run or a preview is made with."""

    model: str
    device: str
    context: Context | None
    tile: int
    vividness: float | None
    """None for models that have no such setting."""

    def colorizer_job(self) -> Job[Any]:
        """Load the model as it is to be used."""
        from napari_colorgan.inference.colorize import colorizer_job  # torch

        return colorizer_job(
            self.model,
            device=self.device,
            context=self.context,
            tile=self.tile,
            vividness=self.vividness,
        )


@dataclass(frozen=True, slots=True)
class CanvasReady(Progress):
    """The next layer's result is allocated, and gray."""

    number: int
    """Of the layer among those chosen."""
    canvas: npt.NDArray[np.uint8]
    limits: Limits
    """That were used, even where they had to be measured."""


@dataclass(frozen=True, slots=True)
class LayerDone(Progress):
    """One of the chosen layers is finished, or was stopped."""

    settings: dict[str, Any]


def color_layers_job(taken: Sequence[LayerSource], choice: Choice) -> Job[None]:
    """Colour layers one after the other."""
    from napari_colorgan.inference.colorize import (  # torch, on first use
        colorize_job,
        gray_canvas_job,
    )

    colorizer = yield from choice.colorizer_job()
    for number, layer in enumerate(taken):
        source = layer.source()
        canvas = yield from gray_canvas_job(source)
        if (yield CanvasReady(0, 1, number, canvas, source.limits)) is STOP:
            return
        yield from colorize_job(source, colorizer, out=canvas, first=layer.first)
        if (yield LayerDone(1, 1, colorizer.settings())) is STOP:
            return


def preview_layer_job(
    layer: LayerSource, choice: Choice, side: int
) -> Job[npt.NDArray[np.uint8]]:
    """Colour a small picture of a layer's displayed plane, RGB (Y, X, 3)."""
    from napari_colorgan.inference.colorize import preview_job

    colorizer = yield from choice.colorizer_job()
    return (yield from preview_job(layer.source(), colorizer, layer.index, side))


class LayerRun:
    """Result layers of one run and their progress; lives in the GUI thread."""

    def __init__(
        self, viewer: Any, layers: Sequence[Image], taken: Sequence[LayerSource]
    ) -> None:
        self._viewer = viewer
        self._layers = list(layers)
        self._taken = list(taken)
        self._options = [
            result_options(layer, source)
            for layer, source in zip(layers, taken, strict=True)
        ]
        self._number = 0
        self._limits: Limits | None = None
        self._result: Image | None = None
        self._refresher: Refresher | None = None
        self._last = Progress(0, 1)
        self._complete = 0
        self._began = time.perf_counter()
        self._activity = progress(total=0, desc="Colorize")
        self.device_note = ""
        """Why no GPU was used; empty if one was, or if none was wished for."""

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
        from napari_colorgan.inference.colorize import (  # loaded by the job
            InvalidPixels,
            ModelLoaded,
            TileDone,
        )

        match event:
            case ModelLoaded():
                self.device_note = event.note
            case CanvasReady():
                self._number, self._limits = event.number, event.limits
                self._result = add_result(
                    self._viewer, event.canvas, self._options[event.number]
                )
                self._refresher = Refresher(self._result)
                self._began = time.perf_counter()
            case TileDone() if self._refresher is not None:
                self._last = event
                self._refresher.changed(event.index, tuple(self._viewer.dims.point))
            case InvalidPixels():
                show_warning(f"'{self._taken[self._number].name}': {event}")
            case LayerDone():
                self._finish(event)
        if event.total != self._activity.total:
            self._activity.reset(total=event.total)
        self._activity.update(event.done - self._activity.n)

    def describe(self, event: Progress) -> str:
        """Tiles done and time left, in words."""
        if self._result is None or not event.done:
            return "Preparing..."
        passed = time.perf_counter() - self._began
        left = passed / event.done * (event.total - event.done)
        name = self._taken[self._number].name
        of_layers = (
            f" ({self._number + 1} of {len(self._taken)})"
            if len(self._taken) > 1
            else ""
        )
        return (
            f"'{name}'{of_layers}: tile {event.done} of {event.total}, "
            f"{duration(left)} left"
        )

    def close(self) -> None:
        """Redraw for the last time and remove the bar from the activity dock."""
        if self._result is not None and self._result in self._viewer.layers:
            self._result.refresh()
        self._activity.close()

    def _finish(self, event: LayerDone) -> None:
        complete = self._last.done == self._last.total
        self._complete += complete
        if self._result is None or self._result not in self._viewer.layers:
            return
        taken = self._taken[self._number]
        assert self._limits is not None
        self._result.metadata[METADATA_KEY] = event.settings | {
            "version": napari_colorgan.__version__,
            "source": taken.name,
            "limits": (self._limits.low, self._limits.high),
            "gamma": self._limits.gamma,
            "plane": taken.index if taken.plane_only else None,
            "complete": complete,
        }
        self._result.refresh()


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
