"""Results that get their colours where they are looked at, in a thread."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from magicgui.widgets import ComboBox, Container
from napari.layers import Image
from napari.utils import progress
from qtpy.QtCore import QObject, QTimer, Signal

from napari_colorgan.errors import ColorganError
from napari_colorgan.inference.planes import only_planes
from napari_colorgan.job import Control, Job, Progress
from napari_colorgan.widgets.colorize.live_colors import LiveColors
from napari_colorgan.widgets.colorize.results import LAYER_KEY, watch
from napari_colorgan.widgets.colorize.run import Wish
from napari_colorgan.widgets.colorize.run_panel import RunPanel
from napari_colorgan.widgets.parts.layers import LayerSource, result_options
from napari_colorgan.widgets.parts.notices import plain
from napari_colorgan.widgets.parts.pace import Pace
from napari_colorgan.widgets.parts.worker import (
    LatestOnly,
    run_job,
    sentence,
    show_failure,
)

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.as_seen import SeenColors
    from napari_colorgan.inference.zoom import ZoomedColors

NOW, LOOK = "now", "as you look"
_SEEN = {"complete": False, "why": "only what was seen has colours"}
_LOADED = ("model", "context", "device", "engine", "tile")  # for these, a model is
_REST = 200  # ms without another wish
_REDRAWN = 0.2  # s, from one time to the next at least


@dataclass(frozen=True, slots=True)
class Made:
    """The colours of one layer, of which nothing was looked at yet."""

    layer: Image
    source: LayerSource
    colors: "ZoomedColors"
    record: dict[str, Any]
    wish: Wish


class AsYouLook(Container[Any]):
    """The choice between a result now and one that is coloured where it is seen.

    Parameters
    ----------
    live : says what is wanted, and of which layer
    follows : whether results get other colours when others are wanted
    """

    def __init__(
        self, viewer: Any, live: LiveColors, follows: Callable[[], bool]
    ) -> None:
        super().__init__(labels=False)
        self._viewer = viewer
        self._live, self._follows = live, follows
        self._painters: WeakKeyDictionary[Image, _Painter] = WeakKeyDictionary()
        self._latest = LatestOnly(self._on_changed, show_failure)
        self._resting = QTimer(self.native, singleShot=True, interval=_REST)
        self._resting.timeout.connect(self._on_rest)
        self.result = ComboBox(
            label="Result",
            choices=(NOW, LOOK),
            tooltip="now: all of the chosen layers; as you look: what you see of them, "
            "in a moment. Until then, and where a stack is cut across its planes, the "
            "gray layer is seen through the result",
        )
        rows: Container[Any] = Container(widgets=[self.result])
        for part in (self, rows):
            part.margins = (0, 0, 0, 0)
        self.append(rows)
        self.visible = False

    def offer(self, layers: Sequence[Image]) -> None:
        """Offer the choice for layers that are not in memory."""
        self.visible = any(map(is_lazy, layers))

    def wanted(self, layers: Sequence[Image]) -> bool:
        """Whether layers are to be coloured as they are looked at."""
        return any(map(is_lazy, layers)) and self.result.value == LOOK

    def run(
        self,
        layers: Sequence[Image],
        sources: Sequence[LayerSource],
        wish: Wish,
        running: RunPanel,
    ) -> None:
        """Load the model, and add results; where nothing else runs."""
        arrays = [_levels(layer) for layer in layers]
        job = _made_job(list(zip(layers, sources, arrays, strict=True)), wish)
        doing = "Loading the model..."
        running.run_other(job, self._add, title="Colorize: as you look", doing=doing)

    def change_colors(self, *_: object) -> None:
        """Hear that other colours are wanted; what is seen gets them in a moment."""
        if self._live.layer in self._painters and self._follows():
            self._resting.start()

    def close_jobs(self) -> None:
        """End what runs; results go on getting colours where they are looked at."""
        self._resting.stop()
        self._latest.stop()

    def _on_rest(self) -> None:
        layer = self._live.layer
        painter = None if layer is None else self._painters.get(layer)
        if painter is None or painter.closed:
            return
        try:
            wish = self._live.wish()
        except ColorganError as error:
            show_failure(error)
            return
        made = painter.made
        self._latest.request(lambda: _changed_job(painter, made, wish))

    def _on_changed(self, changed: Any) -> None:
        painter, made = changed
        painter.change(made)

    def _add(self, made: Sequence[Made]) -> None:
        from napari_colorgan.inference.as_seen import SeenArray, SeenColors

        for each in made:
            if each.layer not in self._viewer.layers:
                continue
            seen = SeenColors(each.colors)
            order = each.source.axes.order
            arrays = [SeenArray(seen, n, order) for n in range(len(each.colors.levels))]
            several = len(arrays) > 1
            options = result_options(each.layer, each.source)
            added = self._viewer.add_image(
                arrays if several else arrays[0],
                rgb=True,
                multiscale=several,
                metadata={LAYER_KEY: each.record},
                **options,
            )
            watch(added)
            self._painters[each.layer] = _Painter(self._viewer, added, seen, each)


def is_lazy(layer: Image) -> bool:
    """Whether a layer has several sizes, or does not lie in memory."""
    return bool(layer.multiscale) or not isinstance(layer.data, np.ndarray)


def _levels(layer: Image) -> list[Any]:
    """Gray arrays of a layer, from full size to the smallest."""
    arrays = list(layer.data) if layer.multiscale else [layer.data]
    return [array[..., 0] for array in arrays] if layer.rgb else arrays


def _made_job(
    wanted: Sequence[tuple[Image, LayerSource, list[Any]]], wish: Wish
) -> Job[list[Made]]:
    from napari_colorgan.inference.colorize import colorizer_job, record_of
    from napari_colorgan.inference.live import LIVE_MEMORY
    from napari_colorgan.inference.zoom import ZoomedColors, levels_of

    colorizer = yield from colorizer_job(wish.made())
    colorizer.remember(LIVE_MEMORY)  # blocks share windows
    made = []
    for number, (layer, asked, arrays) in enumerate(wanted):
        yield Progress(number, len(wanted))
        whole = asked.whole()
        source = only_planes(whole, asked.planes)
        levels = [only_planes(whole.like(array), asked.planes) for array in arrays[1:]]
        levels = [level for level in levels if level.leading == source.leading]
        hints = wish.hints_of(asked) if number == 0 else None
        hints = colorizer.checked(hints, source.shape)
        every = [source, *levels] if levels else levels_of(source)
        colors = ZoomedColors(every, colorizer, hints)
        told = wish.hints if number == 0 else None
        record = record_of(source, colorizer, asked.name, hints=told, **asked.said)
        made.append(Made(layer, asked, colors, record | _SEEN, wish))
    return made


def _changed_job(painter: "_Painter", made: Made, wish: Wish) -> Job[Any]:
    """Find other colours of a layer; of the same model, if this is still wanted."""
    from napari_colorgan.inference.colorize import colorizer_job, record_of
    from napari_colorgan.inference.live import LIVE_MEMORY
    from napari_colorgan.inference.zoom import ZoomedColors

    before, settings = made.wish.settings, wish.made()
    loaded = {name: getattr(settings, name) for name in _LOADED}
    if all(getattr(before, name) == value for name, value in loaded.items()):
        colorizer = made.colors.colorizer.asked_for(
            vividness=settings.vividness,
            palette=settings.palette,
            saturation=settings.saturation,
            warmth=settings.warmth,
        )
    else:
        colorizer = yield from colorizer_job(settings)
        colorizer.remember(LIVE_MEMORY)
    source = made.colors.levels[0]
    hints = colorizer.checked(wish.hints_of(made.source), source.shape)
    colors = ZoomedColors(made.colors.levels, colorizer, hints)
    record = record_of(
        source, colorizer, made.source.name, hints=wish.hints, **made.source.said
    )
    return painter, replace(made, colors=colors, record=record | _SEEN, wish=wish)


class _Painter(QObject):
    """Makes what is looked at in a thread, and redraws; lives as long as the data."""

    wanted = Signal()

    def __init__(
        self, viewer: Any, layer: Image, seen: "SeenColors", made: Made
    ) -> None:
        super().__init__()
        self.made = made
        self._layers = viewer.layers
        self._layer, self._seen = layer, seen
        self._control: Control | None = None
        self._bar: Any = None
        self._closed = False
        self._pace = Pace(_REDRAWN)
        self.wanted.connect(self._start)  # from whatever thread it is told
        seen.on_wanted = self.wanted.emit
        self._layers.events.removed.connect(self._on_removed)
        layer.refresh()

    @property
    def closed(self) -> bool:
        """Whether the layer is gone, or cannot be coloured."""
        return self._closed

    def change(self, made: Made) -> None:
        """Take other colours."""
        self.made = made
        self._seen.change(made.colors)
        self._layer.metadata[LAYER_KEY] = dict(made.record)
        self._redraw()

    def _start(self) -> None:
        if self._control is None and not self._closed:
            self._control = run_job(
                self._seen.make_job(),
                title="",
                on_event=self._on_event,
                on_result=lambda _: None,
                on_error=self._on_error,
                on_end=self._on_end,
            )
            name = self._layer.name
            doing = plain(f"Colouring what you see of '{name}'")  # in a label of Qt's
            self._bar = progress(total=0, desc=doing)
            if self._control is None:  # a bar lets Qt go on, and it has ended meanwhile
                self._close_bar()

    def _close_bar(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            bar.close()

    def _on_event(self, event: Progress) -> None:
        from napari_colorgan.inference.as_seen import BlockSeen

        began = time.perf_counter()
        if isinstance(event, BlockSeen) and self._pace.due(began):
            self._redraw()
            end = time.perf_counter()
            self._pace.done(end, end - began)

    def _on_error(self, error: BaseException) -> None:
        self._seen.forget()
        self._closed = True
        self._layer.metadata[LAYER_KEY] = self._layer.metadata[LAYER_KEY] | {
            "complete": False,
            "why": sentence(error),
        }
        show_failure(error)

    def _on_end(self) -> None:
        self._control = None
        self._close_bar()
        self._redraw()  # and want what has come into sight

    def _redraw(self) -> None:
        if not self._closed:
            self._layer.refresh(extent=False, thumbnail=False, highlight=False)

    def _on_removed(self, event: Any) -> None:
        if event.value == self._layer:  # which may be a proxy
            self._closed = True
            self._layers.events.removed.disconnect(self._on_removed)
            self._seen.forget()
            if self._control is not None:
                self._control.request_stop()
