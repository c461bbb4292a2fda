"""Results by the layers they are of; what is seen of one gets new colours at once."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.widgets.colorize.studio import Asked
from napari_colorgan.widgets.parts.layers import LayerSource, Refresher
from napari_colorgan.widgets.parts.levels import corners, full_resolution
from napari_colorgan.widgets.parts.world import View

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.live import PiecePainted

LAYER_KEY = "colorgan"
"""Where a result layer's metadata says how it was made."""
REPLACED = "its data were replaced"
"""Why a result is not complete."""
_AT_ONCE = 1 << 20  # px of a plane that is painted as a whole, seen or not


@dataclass(slots=True)
class Result:
    """A result layer, and the array that it shows."""

    layer: Image
    canvas: RGB
    """(..., Y, X, 3)."""
    source: LayerSource
    touched: bool = False
    """Whether some of it has colours of later than the run that made it."""
    seen_only: bool = False
    """Whether no run made it: what was never seen is gray."""
    refresher: Refresher = field(init=False)

    def __post_init__(self) -> None:
        self.refresher = Refresher(self.layer, self.source.axes)

    def index(self, asked: LayerSource) -> tuple[int, ...] | None:
        """Index of the displayed plane in the canvas; None if it is not there."""
        mine = self.source
        if (mine.array is not asked.array) or mine.axes != asked.axes:
            return None
        inside = all(
            i in part for i, part in zip(asked.index, mine.planes, strict=True)
        )
        return mine.within(asked.index) if inside else None


class Results:
    """The latest result of each gray layer."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = viewer
        self._known: WeakKeyDictionary[Image, Result] = WeakKeyDictionary()

    def note(self, gray: Image, result: Result) -> None:
        """Remember a result."""
        self._known[gray] = result

    def of(self, gray: Image) -> Result | None:
        """Return the latest result of a layer, if it is still there as it was."""
        result = self._known.get(gray)
        if result is None or result.layer not in self._viewer.layers:
            return None
        shown = np.may_share_memory(full_resolution(result.layer), result.canvas)
        return result if shown and LAYER_KEY in result.layer.metadata else None

    def shows(self, gray: Image, source: LayerSource) -> bool:
        """Whether there is a result of just these planes of a layer."""
        result = self.of(gray)
        return (
            result is not None
            and result.source.planes == source.planes
            and result.index(source) is not None
        )

    def touched(self, gray: Image, source: LayerSource) -> Result | None:
        """Return a result that has some later colours and waits for the rest."""
        result = self.of(gray)
        waits = result is not None and result.touched and self.shows(gray, source)
        return result if waits else None

    def visible(self, gray: Image, source: LayerSource) -> Region | None:
        """Return what is seen of the plane in a result; all of a small plane.

        Where all else is gray, no more than is seen.
        """
        result = self.of(gray)
        if result is None or result.index(source) is None:
            return None
        height, width = result.canvas.shape[-3:-1]
        if height * width <= _AT_ONCE and not result.seen_only:
            return slice(0, height), slice(0, width)
        if View.of(self._viewer).ndisplay != 2:
            return None
        low, high = corners(result.layer)
        y, x = (
            slice(max(0, int(low[axis])), min(length, int(high[axis]) + 1))
            for axis, length in (
                (source.axes.y, height),
                (source.axes.x, width),
            )
        )
        return (y, x) if y.stop - y.start > 1 and x.stop - x.start > 1 else None

    def paint(
        self,
        gray: Image,
        event: "PiecePainted",
        asked: Asked,
        record: dict[str, Any],
    ) -> None:
        """Give a piece of a result its new colours.

        Parameters
        ----------
        record : how it is made, for a result of which nothing is known yet
        """
        result = self.of(gray)
        index = None if result is None else result.index(asked.source)
        if result is None or index is None:
            return
        where: tuple[int | slice, ...] = (*index, *event.region)
        result.canvas[where] = event.rgb
        known = result.layer.metadata[LAYER_KEY]
        made = known if "model" in known else record | result.source.said
        if not result.touched or made is not known:
            result.touched = True
            self._write(result, complete=False, record=made)
        if event.done == event.total or event.done == 1:
            result.layer.refresh(extent=False, thumbnail=False, highlight=False)
        else:  # many pieces of a large picture take long
            result.refresher.changed(index, View.of(self._viewer))

    def finish(self, gray: Image, record: dict[str, Any], asked: Asked) -> None:
        """Write how a result was made, once all that is seen is painted."""
        result = self.of(gray)
        if result is None or not result.touched or asked.region is None:
            return
        y, x = asked.region
        whole = (y.stop - y.start, x.stop - x.start) == result.canvas.shape[-3:-1]
        single = result.canvas.size == np.prod(result.canvas.shape[-3:])
        record = record | result.source.said
        self._write(result, complete=whole and single, record=record)
        result.layer.refresh()

    def fail(self, gray: Image, asked: Asked, why: str) -> None:
        """Write why what is seen of a result has not got its colours."""
        result = self.of(gray)
        if result is None or asked.region is None or result.index(asked.source) is None:
            return
        if result.touched:
            said = {"complete": False, "why": why}
            result.layer.metadata[LAYER_KEY] = result.layer.metadata[LAYER_KEY] | said

    def _write(
        self, result: Result, *, complete: bool, record: dict[str, Any] | None = None
    ) -> None:
        known = dict(result.layer.metadata[LAYER_KEY]) if record is None else record
        latest = "colours" if result.seen_only else "the latest colours"
        why = "" if complete else f"only what was seen has {latest}"
        result.layer.metadata[LAYER_KEY] = known | {"complete": complete, "why": why}


def watch(layer: Image) -> None:
    """Let the record of a result say so once its data are replaced, for good."""
    layer.events.data.connect(_on_replaced)


def _on_replaced(event: Any) -> None:
    record = event.source.metadata.get(LAYER_KEY)
    if isinstance(record, dict):
        said = {"complete": False, "why": REPLACED}
        event.source.metadata[LAYER_KEY] = record | said
