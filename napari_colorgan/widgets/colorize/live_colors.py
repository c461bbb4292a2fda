"""Colours that a person and a model find together: what is said, and what it makes."""

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from magicgui.widgets import Label
from napari.layers import Image
from qtpy.QtCore import QObject, QTimer

from napari_colorgan.errors import ColorganError
from napari_colorgan.inference.hints import Hints
from napari_colorgan.widgets.colorize.form import ColorizeForm
from napari_colorgan.widgets.colorize.hints_panel import HintsPanel
from napari_colorgan.widgets.colorize.palette_panel import PalettePanel
from napari_colorgan.widgets.colorize.preview import SIDE, Preview
from napari_colorgan.widgets.colorize.results import Results
from napari_colorgan.widgets.colorize.run import Wish
from napari_colorgan.widgets.colorize.studio import Asked, Studio, Suggested
from napari_colorgan.widgets.parts.layers import LayerSource, stepped_axes
from napari_colorgan.widgets.parts.layout import say, wrap
from napari_colorgan.widgets.parts.worker import LatestOnly, sentence, show_failure

_ALTERNATIVE = 144  # px; shorter side of a small colouring
_REST = 200  # ms that the mouse or the view rests before something is made of it


class LiveColors(QObject):
    """Shows one layer in the colours that are asked for, whenever they change.

    Parameters
    ----------
    read : takes the layer as it is displayed
    may : whether anything may be shown now
    on_painted : called once a result has other colours, or with why it has not
    """

    def __init__(
        self,
        viewer: Any,
        form: ColorizeForm,
        results: Results,
        read: Callable[[Image], LayerSource],
        may: Callable[[], bool],
        on_painted: Callable[[str], object],
    ) -> None:
        super().__init__()
        self._viewer = viewer
        self._form = form
        self._results = results
        self._read, self._may, self._on_changed = read, may, on_painted
        self.studio = Studio()
        self.palette = PalettePanel(viewer, self._on_neutral)
        self.hints = HintsPanel(viewer)
        self.preview = Preview(
            self.studio,
            self._on_piece,
            self._on_suggestions,
            lambda doubt: say(self.doubt, doubt),
            self._on_not_painted,
            self._on_painted,
        )
        self.doubt = wrap(Label(value="", visible=False))
        """Why the model may not suit the layer."""
        self._layer: Image | None = None
        self._others = LatestOnly(self._on_other, self._on_failure)
        self._resting = QTimer(self, singleShot=True, interval=_REST)
        self._looking = QTimer(self, singleShot=True, interval=_REST)
        self._under_mouse: Any = None
        self._connect()

    @property
    def layer(self) -> Image | None:
        """The one that is shown."""
        return self._layer

    def follow(self, layer: Image | None) -> None:
        """Show another layer, or none."""
        if layer is self._layer:
            return
        for emitter, slot in self._heard(self._layer):
            emitter.disconnect(slot)
        for emitter, slot in self._heard(layer):
            emitter.connect(slot)
        self._layer = layer

    def wish(self) -> Wish:
        """Return what a run would be asked for.

        Raises
        ------
        BadSetting
            Hints cannot be used.
        """
        told: Hints | None = None
        if self._layer is not None and not self.missing_hints():
            source = self._read(self._layer)
            self.hints.follow(self._layer, source.axes)
            told = self.hints.told_everywhere(source.leading)
        return Wish(self._form.settings(), self.palette.choice(), told)

    def show(
        self,
        *,
        supersede: bool = True,
        paint: bool = False,
        seen: bool = False,
        **more: Any,
    ) -> None:
        """Make a preview, and give the result's visible part its colours.

        Parameters
        ----------
        supersede : whether what is being made is given up; a slider being dragged lets
            it finish
        paint : whether colours were said, which a result is to follow, too
        seen : whether it is to follow in any case
        more : of `Asked`
        """
        wanted = bool(self._form.preview.value) and self._layer is not None
        self.preview.setVisible(wanted)
        asked = self._asked(paint=paint, seen=seen, **more) if self._may() else None
        if asked is not None and (wanted or asked.region is not None or asked.suggest):
            self.preview.show_asked(asked, supersede=supersede)
        else:
            self.preview.stop(hide=not wanted)

    def offer(self) -> None:
        """Enable what the model listens to, and say what it does not."""
        no_palette = self.missing_palette()
        self.palette.offer(no_palette)
        # what takes palettes knows alternatives
        self.hints.offer(self.missing_hints(), alternatives=not no_palette)
        source = None if self._layer is None else self._read(self._layer)
        self.hints.follow(self._layer, None if source is None else source.axes)
        stepped = [] if source is None else stepped_axes(source)
        self._form.between.follow(stepped)
        self._form.offer_steady(stack=source is not None and source.can_be_steady)

    def reset_choices(self) -> None:
        """Look for layers anew."""
        self.palette.reset_choices()
        self.hints.reset_choices()

    def close_jobs(self) -> None:
        """End what runs; from now on nothing may touch these widgets."""
        self._looking.stop()
        self.preview.close_jobs()
        self._others.stop()
        self.follow(None)
        self._resting.stop()
        self.palette.close_jobs()
        self.hints.close_jobs()
        if self._on_mouse in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_mouse)
        for emitter, slot in self._watched():
            emitter.disconnect(slot)

    def missing_palette(self) -> str:
        """Why no palette can be given; empty if one can."""
        model = self._form.models.model
        takes = model is not None and model.metadata.takes_palette
        return "" if takes else "This model does not listen to a reference or a tint."

    def missing_hints(self) -> str:
        """Why no hints can be given; empty if they can."""
        model = self._form.models.model
        takes = model is not None and model.metadata.takes_hints
        return "" if takes else "This model does not listen to hints."

    # -- what is asked for

    def _asked(self, *, paint: bool, seen: bool = False, **more: Any) -> Asked | None:
        if self._layer is None:
            return None
        source = self._read(self._layer)
        result = self._results.of(self._layer)
        touched = result is not None and result.touched
        live = seen or (bool(self._form.live.value) and (paint or touched))
        return Asked(
            source=source,
            settings=self._form.settings(),
            palette=self.palette.choice(),
            hints=self._told(source),
            side=SIDE,
            region=self._results.visible(self._layer, source) if live else None,
            colors=self.hints.colors.known,
            **more,
        )

    def _told(self, source: LayerSource) -> Hints | None:
        """Hints of the displayed plane; beside them is said what is wrong with them."""
        if self.missing_hints():
            return None
        self.hints.follow(self._layer, source.axes)
        try:
            told = self.hints.told(source.index).hints
        except ColorganError as error:
            say(self.hints.note, sentence(error))
            return None
        return None if told is None else told.of_plane(source.index)

    def _place_at(self, position: Any) -> tuple[int, int] | None:
        """Row and column in the layer of a position in the world."""
        if self._layer is None or position is None:
            return None
        point = self._layer.world_to_data(np.asarray(position)[-self._layer.ndim :])
        return self._read(self._layer).place_of(point)

    # -- slots

    def _connect(self) -> None:
        form = self._form
        for slider in (form.vividness, form.saturation, form.warmth, form.steady):
            slider.changed.connect(self._on_slider)
        self.palette.changed.connect(self._on_slider)
        for choice in (form.model, form.context):
            choice.changed.connect(self._on_colors)
        for changed in (
            form.planes.changed,
            form.between.changed,
            form.limits.changed,
            form.device.changed,
            form.engine.changed,
            form.preview.changed,
        ):
            changed.connect(self._on_choice)
        self.hints.changed.connect(self._on_hints)
        self.hints.alternatives.ask.clicked.connect(self._on_alternatives)
        self._resting.timeout.connect(self._on_rest)
        self._looking.timeout.connect(self._on_look)
        self._viewer.mouse_move_callbacks.append(self._on_mouse)
        for emitter, slot in self._watched():
            emitter.connect(slot)

    def _watched(self) -> list[tuple[Any, Callable[..., None]]]:
        """Events of the viewer, and what they lead to."""
        dims, camera = self._viewer.dims.events, self._viewer.scene.camera.events
        return [
            (dims.current_step, self._on_choice),
            (dims.order, self._on_choice),
            (dims.ndisplay, self._on_choice),
            (camera.zoom, self._on_camera),
            (camera.center, self._on_camera),
        ]

    def _heard(self, layer: Image | None) -> list[tuple[Any, Callable[..., None]]]:
        """Events of a layer, and what they lead to."""
        if layer is None:
            return []
        events = layer.events
        shown = (events.contrast_limits, events.gamma, events.colormap)
        heard = [(each, self._on_shown) for each in shown]
        return [*heard, (events.data, self._on_data)]

    def _on_choice(self, *_: object) -> None:
        """Show another plane, or another gray."""
        self.hints.forget_proposals()
        self.show()

    def _on_colors(self, *_: object) -> None:
        """Show other colours."""
        self.hints.alternatives.forget()
        self.show(paint=True)

    def _on_slider(self, *_: object) -> None:
        """Show colours while a slider is dragged, as often as there is time for."""
        self.hints.alternatives.forget()
        self._on_look()

    def _on_look(self) -> None:
        self.show(supersede=False, paint=True)

    def _on_shown(self, *_: object) -> None:
        if self._form.limits.value == "as displayed":
            self.show(supersede=False, paint=True)

    def _on_data(self, *_: object) -> None:
        self.studio.forget_plane()
        self.show()

    def _on_camera(self, *_: object) -> None:
        """Give what comes into sight the latest colours."""
        result = None if self._layer is None else self._results.of(self._layer)
        if result is not None and result.touched:
            self._looking.start()

    def _on_hints(self, point: Any) -> None:
        place = None
        if point is not None and self._layer is not None:
            place = self._read(self._layer).place_of(point)
        self.show(paint=True, place=place, suggest=place is not None)

    def _on_mouse(self, _: Any, event: Any) -> None:
        """Suggest colours where the mouse rests while Alt is held."""
        if "Alt" in event.modifiers and self._layer is not None:
            self._under_mouse = event.position
            self._resting.start()

    def _on_rest(self) -> None:
        place = self._place_at(self._under_mouse)
        if place is not None:
            self.show(place=place, suggest=True)

    def _on_suggestions(self, found: Suggested, asked: Asked) -> None:
        if asked.place is not None:
            point = asked.source.point_of(asked.place)
            self.hints.show_suggestions(found.suggestions, found.shown, point)

    def _on_alternatives(self, *_: object) -> None:
        asked = self._asked(paint=False) if self._may() else None
        if asked is not None:
            self.hints.alternatives.wait()
            self._others.request(
                lambda: _with(asked, self.studio.alternatives_job(asked, _ALTERNATIVE))
            )

    def _on_neutral(self, position: Any) -> None:
        place = self._place_at(position)
        asked = None if place is None else self._asked(paint=False, place=place)
        if asked is not None:
            self.hints.alternatives.forget()  # for those being made are given up
            self._others.request(lambda: _with(asked, self.studio.neutral_job(asked)))

    def _on_other(self, result: Any) -> None:
        asked, found = result
        if isinstance(found, tuple):
            self.palette.make_neutral(*found)
            return
        self.hints.alternatives.show_found(found, asked.source.point_of)
        if not found:
            say(self.hints.note, "No other colours are likely.")

    def _on_failure(self, error: BaseException) -> None:
        self.hints.alternatives.forget()
        say(self.hints.note, sentence(error))
        show_failure(error)

    def _on_piece(self, event: Any, asked: Asked, record: dict[str, Any]) -> None:
        if self._layer is not None and self._may():
            self._results.paint(self._layer, event, asked, record)

    def _on_not_painted(self, why: str, asked: Asked) -> None:
        if self._layer is not None and asked.region is not None and self._may():
            self._results.fail(self._layer, asked, why)
            self._on_changed(why)

    def _on_painted(self, record: dict[str, Any], asked: Asked) -> None:
        if self._layer is not None and asked.region is not None and self._may():
            self._results.finish(self._layer, record, asked)
            self._on_changed("")


def _with(asked: Asked, job: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """Let a job return what it was asked, too."""
    return asked, (yield from job)
