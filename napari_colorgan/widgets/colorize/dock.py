"""The Colorize dock: choose gray layers and a model, say colours, look, run."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import napari.viewer
import numpy as np
from magicgui.widgets import Label, PushButton
from napari.layers import Image
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_colorgan.errors import BadSetting, ColorganError
from napari_colorgan.sample_data import MODEL
from napari_colorgan.widgets.colorize.comparison import Comparison
from napari_colorgan.widgets.colorize.folder import FolderPanel
from napari_colorgan.widgets.colorize.form import ColorizeForm
from napari_colorgan.widgets.colorize.hints_panel import HintsPanel
from napari_colorgan.widgets.colorize.layer_picker import LayerPicker
from napari_colorgan.widgets.colorize.learn_panel import LearnPanel
from napari_colorgan.widgets.colorize.palette_panel import PalettePanel
from napari_colorgan.widgets.colorize.preview import SIDE, Preview
from napari_colorgan.widgets.colorize.python import python_code
from napari_colorgan.widgets.colorize.results import Results
from napari_colorgan.widgets.colorize.run import Wish
from napari_colorgan.widgets.colorize.run_panel import RunPanel
from napari_colorgan.widgets.colorize.save_button import SaveButton
from napari_colorgan.widgets.colorize.studio import Asked, Studio
from napari_colorgan.widgets.parts.docking import make_dock
from napari_colorgan.widgets.parts.layers import LayerSource, read_source
from napari_colorgan.widgets.parts.layout import fold, heading, say, scroll, wrap
from napari_colorgan.widgets.parts.models_changed import models_changed
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.settings import load_settings, save_settings
from napari_colorgan.widgets.parts.worker import (
    LatestOnly,
    on_close,
    sentence,
    show_failure,
)
from napari_colorgan.widgets.parts.world import View

_ALTERNATIVE = 144  # px; shorter side of a small colouring
_REST = 200  # ms that the mouse or the view rests before something is made of it


class ColorizeWidget(QWidget):
    """Dock widget in which a person and a model colour gray layers of a viewer."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self._studio = Studio()
        self.results = Results(napari_viewer)

        self.picker = LayerPicker(napari_viewer)
        self.layers = self.picker.layers
        self.form = ColorizeForm()
        self.models, self.model = self.form.models, self.form.model
        self.show_preview = self.form.preview
        self.save = SaveButton(napari_viewer)
        self.running = RunPanel(
            napari_viewer, self.results, self.save, self._on_running
        )
        self.run, self.stop = self.running.start, self.running.stop
        self.status = self.running.status
        self.copy = PushButton(
            text="Copy as Python", tooltip="Put the equivalent call on the clipboard"
        )
        self.comparison = Comparison(napari_viewer, self.results)
        self.learning = LearnPanel(napari_viewer, self.results)
        self.palette_panel = PalettePanel(napari_viewer, self._on_neutral)
        self.hints = HintsPanel(napari_viewer)
        self.doubt = wrap(Label(value="", visible=False))
        self.folder = FolderPanel(lambda: self._wish().made())
        self.preview = Preview(
            self._studio,
            self._on_piece,
            self._on_suggestions,
            lambda doubt: say(self.doubt, doubt),
            self._on_painted,
        )
        self._others = LatestOnly(self._on_other, show_failure)
        self._resting = QTimer(self, singleShot=True, interval=_REST)
        self._looking = QTimer(self, singleShot=True, interval=_REST)
        self._under_mouse: Any = None
        self._lay_out()
        self.form.restore(load_settings())
        self.picker.suggest()
        self._suited: Callable[[], Image | None] = lambda: None
        self._shown: Image | None = None
        self._on_layers()
        self._connect()
        self._update()
        self._on_choice()
        make_dock(self)

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.running.jobs.busy

    def reset_choices(self, *_: object) -> None:
        """Refresh the pickers; napari calls this whenever its layers change."""
        self.picker.reset_choices()
        self.palette_panel.reset_choices()
        self.hints.reset_choices()
        self._update()

    def choose_active(self) -> None:
        """Choose the viewer's active layer if it is gray."""
        if not self.busy:
            self.picker.choose_active()

    def choose_model(self, name: str) -> None:
        """Choose a model that may be new, or anew under its name."""
        self._studio.forget_model()
        self.form.choose_model(name)
        self._on_colors()

    def as_python(self) -> str:
        """Python code that colours the chosen layers with the chosen settings.

        Raises
        ------
        ColorganError
            There is nothing to colour, or a palette or limits cannot be read.
        """
        layers = list(self.layers.value)
        if missing := self._missing():
            raise BadSetting("the dock", missing, "ready to colour something")
        pairs = list(zip(layers, self._read(layers), strict=True))
        return python_code(pairs, self._wish())

    # -- what is asked for

    def _read(self, layers: Sequence[Image]) -> list[LayerSource]:
        view = View.of(self._viewer)
        limits, planes = self.form.limits.value, self.form.planes.value
        return [read_source(layer, view, limits, planes) for layer in layers]

    def _wish(self) -> Wish:
        """Return what a run would be asked for; bad hints raise."""
        told = None
        if self.layers.value and self._missing_hints() == "":
            (source,) = self._read(self.layers.value[:1])
            self.hints.follow(self.layers.value[0], source.axes)
            shape = source.array.shape
            leading = tuple(shape[axis] for axis in source.axes.leading)
            told = self.hints.told_everywhere(leading)
        return Wish(self.form.settings(), self.palette_panel.choice(), told)

    def _asked(self, *, paint: bool = False, **more: Any) -> Asked:
        """Return what the displayed plane of the first layer is asked for."""
        layer = self.layers.value[0]
        (source,) = self._read([layer])
        told = None
        if not self._missing_hints():
            self.hints.follow(layer, source.axes)
            try:
                told = self.hints.told(source.index).hints
            except ColorganError as error:
                say(self.hints.note, sentence(error))
        result = self.results.of(layer)
        touched = result is not None and result.touched
        live = bool(self.form.live.value) and (paint or touched)
        return Asked(
            source=source,
            settings=self.form.settings(),
            palette=self.palette_panel.choice(),
            hints=None if told is None else told.of_plane(source.index),
            side=SIDE,
            region=self.results.visible(layer, source) if live else None,
            **more,
        )

    def _make_preview(
        self, *, supersede: bool = True, paint: bool = False, **more: Any
    ) -> None:
        shown = bool(self.show_preview.value) and bool(self.layers.value)
        if not self.layers.value or self.busy or self.model.value is None:
            self.preview.stop(hide=not shown)
            return
        asked = self._asked(paint=paint, **more)
        self.preview.setVisible(shown)
        if shown or asked.region is not None or asked.suggest:
            self.preview.show_asked(asked, supersede=supersede)
        else:
            self.preview.stop(hide=True)

    # -- slots

    def _connect(self) -> None:
        self.run.changed.connect(self._on_run)
        self.copy.changed.connect(self._on_copy)
        for slider in (self.form.vividness, self.form.saturation, self.form.warmth):
            slider.changed.connect(self._on_slider)
        self.palette_panel.changed.connect(self._on_slider)
        self.hints.changed.connect(self._on_hints)
        self.hints.alternatives_asked.connect(self._on_alternatives)
        for choice in (self.model, self.form.context):
            choice.changed.connect(self._on_colors)
        for signal in (
            self.layers.changed,
            self.form.planes.changed,
            self.form.limits.changed,
            self.form.device.changed,
            self.show_preview.changed,
        ):
            signal.connect(self._on_choice)
        self.model.changed.connect(self._update)
        self.layers.changed.connect(self._update)
        self.layers.changed.connect(self._on_layers)
        self._resting.timeout.connect(self._on_rest)
        self._looking.timeout.connect(self._on_view)
        for emitter, slot in self._watched():
            emitter.connect(slot)
        self._viewer.mouse_move_callbacks.append(self._on_mouse)
        models_changed.connect(self._on_models_changed)
        self._closing = on_close(self, self._on_closed)

    def _watched(self) -> list[tuple[Any, Callable[..., None]]]:
        """Events of the viewer, and what they lead to."""
        layers, dims, camera = (
            self._viewer.layers,
            self._viewer.dims,
            self._viewer.scene.camera,
        )
        return [
            (layers.events.removed, self._on_layer_removed),
            (layers.selection.events.active, self._on_active),
            (dims.events.current_step, self._on_choice),
            (dims.events.order, self._on_choice),
            (dims.events.ndisplay, self._on_choice),
            (camera.events.zoom, self._on_camera),
            (camera.events.center, self._on_camera),
        ]

    def _on_closed(self) -> None:
        """End what runs; from now on nothing may touch this widget."""
        self._resting.stop()
        self._looking.stop()
        self._follow(None)
        self.preview.close_jobs()
        self._others.stop()
        self.palette_panel.close_jobs()
        self.hints.close_jobs()
        self.comparison.close()
        self.folder.close_jobs()
        self.models.close_card()
        self.running.close_jobs()
        if self._on_mouse in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_mouse)
        for emitter, slot in self._watched():
            emitter.disconnect(slot)
        models_changed.disconnect(self._on_models_changed)

    def _on_run(self) -> None:
        if self.busy or not self.layers.value:
            return  # the button says why
        save_settings(self.form.remembered())
        layers = list(self.layers.value)
        try:
            wish = self._wish()
        except ColorganError as error:
            show_failure(error)
            return
        self.preview.stop()
        self.running.run(layers, self._read(layers), wish)

    def _on_layer_removed(self, event: Any) -> None:
        self.running.forget(event.value)

    def _on_active(self, *_: object) -> None:
        """Follow the viewer to another gray layer."""
        self.choose_active()
        self._update()

    def _on_models_changed(self, old: str, new: str) -> None:
        """Offer what there is now, and follow the chosen model to its new name."""
        if new and self.model.value in (old, new):
            self.choose_model(new)
        else:
            self.models.reset_choices()

    def _on_copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is None:
            return
        try:
            clipboard.setText(self.as_python())
        except ColorganError as error:  # limits are measured for it
            show_failure(error)
        else:
            show_info("The Python code is on the clipboard.")

    def _on_layers(self) -> None:
        """Choose the model that fits a sample, once it is chosen."""
        first = next(iter(self.layers.value), None)
        self._follow(first)
        if first is None or first is self._suited():
            return
        self._suited = weakref.ref(first)
        name = first.metadata.get(MODEL)
        if name in self.model.choices and not self.busy:
            self.choose_model(name)

    def _follow(self, layer: Image | None) -> None:
        """Hear how the layer is shown that the preview is of."""

        def heard(layer: Image) -> list[tuple[Any, Callable[..., None]]]:
            events = layer.events
            shown = (events.contrast_limits, events.gamma, events.colormap)
            return [
                *((each, self._on_shown) for each in shown),
                (events.data, self._on_data),
            ]

        if layer is self._shown:
            return
        for emitter, slot in heard(self._shown) if self._shown is not None else ():
            emitter.disconnect(slot)
        for emitter, slot in heard(layer) if layer is not None else ():
            emitter.connect(slot)
        self._shown = layer

    def _on_shown(self, *_: object) -> None:
        if self.form.limits.value == "as displayed":
            self._make_preview(supersede=False)

    def _on_data(self, *_: object) -> None:
        self._studio.forget_plane()
        self._make_preview()

    def _on_choice(self, *_: object) -> None:
        """Make a new preview; one that is being made is of something else."""
        self._make_preview()

    def _on_colors(self, *_: object) -> None:
        """Show other colours, in the result, too."""
        self._make_preview(paint=True)

    def _on_slider(self, *_: object) -> None:
        """Show colours while a slider is dragged, as often as there is time for."""
        self._make_preview(supersede=False, paint=True)

    def _on_camera(self, *_: object) -> None:
        result = self.results.of(self._shown) if self._shown is not None else None
        if result is not None and result.touched:
            self._looking.start()

    def _on_view(self) -> None:
        """Give what has come into sight the latest colours."""
        self._make_preview(supersede=False)

    # -- colours that the user says

    def _on_hints(self, point: Any) -> None:
        place = None if point is None else self._place_of(point)
        self._make_preview(paint=True, place=place, suggest=place is not None)

    def _on_mouse(self, _: Any, event: Any) -> None:
        """Suggest colours where the mouse rests while Alt is held."""
        if "Alt" in event.modifiers and self.layers.value:
            self._under_mouse = event.position
            self._resting.start()

    def _on_rest(self) -> None:
        place = self._place_at(self._under_mouse)
        if place is not None:
            self._make_preview(place=place, suggest=True)

    def _on_suggestions(self, suggestions: Any, asked: Asked) -> None:
        if asked.place is not None:
            point = self._point_of(asked.source, asked.place)
            self.hints.show_suggestions(suggestions, point)

    def _on_alternatives(self) -> None:
        if self.layers.value and not self.busy:
            asked = self._asked()
            self._others.request(
                lambda: self._tagged(
                    asked, self._studio.alternatives_job(asked, _ALTERNATIVE)
                )
            )

    def _on_neutral(self, position: Any) -> None:
        place = self._place_at(position)
        if place is not None:
            asked = self._asked(place=place)
            self._others.request(
                lambda: self._tagged(asked, self._studio.neutral_job(asked))
            )

    @staticmethod
    def _tagged(asked: Asked, job: Any) -> Any:
        return asked, (yield from job)

    def _on_other(self, result: Any) -> None:
        asked, found = result
        if isinstance(found, tuple):
            self.palette_panel.pad.set_value(found)
        else:
            self.hints.show_alternatives(
                found, lambda place: self._point_of(asked.source, place)
            )

    def _place_at(self, position: Any) -> tuple[int, int] | None:
        """Row and column in the first layer of a position in the world."""
        layer = next(iter(self.layers.value), None)
        if layer is None or position is None:
            return None
        point = layer.world_to_data(np.asarray(position)[-layer.ndim :])
        return self._place_of(point)

    def _place_of(self, point: Any) -> tuple[int, int] | None:
        """Row and column of a point in px of the first layer; None if outside."""
        if not self.layers.value:
            return None
        (source,) = self._read(self.layers.value[:1])
        axes, count = source.axes, len(point)
        place = []
        for axis in (axes.y, axes.x):
            at = round(float(point[axis - (axes.ndim - count)]))
            if not 0 <= at < source.array.shape[axis]:
                return None
            place.append(at)
        return place[0], place[1]

    @staticmethod
    def _point_of(source: LayerSource, place: tuple[int, int]) -> tuple[float, ...]:
        """Return a point along all dimensions of a layer, in its displayed plane."""
        point = [0.0] * source.axes.ndim
        for axis, at in zip(source.axes.order, (*source.index, *place), strict=True):
            point[axis] = float(at)
        return tuple(point)

    # -- what is painted

    def _on_piece(self, event: Any, asked: Asked) -> None:
        if self._shown is not None and not self.busy:
            self.results.paint(self._shown, event, asked)

    def _on_painted(self, record: dict[str, Any], asked: Asked) -> None:
        if self._shown is not None and not self.busy:
            self.results.finish(self._shown, record, asked)
            self._update()

    # -- showing state

    def _lay_out(self) -> None:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        more = QWidget()
        inner = QVBoxLayout(more)
        inner.setContentsMargins(0, 0, 0, 0)
        for part in (self.form.more, self.copy.native, self.folder.native):
            inner.addWidget(part)
        for part in (
            self.picker.native,
            self.form.native,
            self.preview,
            self.doubt.native,
            self.running.native,
            self.form.colors,
            heading("Like this picture"),
            self.palette_panel,
            heading("Hints"),
            self.hints,
            self.learning,
            fold("More settings", more),
        ):
            layout.addWidget(part)
        layout.addStretch()
        scroll(self, inside)

    def _on_running(self) -> None:
        """Show what is said by now once a run has ended."""
        self._update()
        if not self.busy and self.run.enabled:
            self._make_preview()

    def _update(self, *_: object) -> None:
        color = self.picker.color_layer()
        self.running.offer(self._missing())
        self.save.offer(busy=self.busy)
        self.copy.enabled = not self._missing()
        self.picker.lightness.visible = color is not None and not self.busy
        self.palette_panel.offer(self._missing_palette())
        self.hints.offer(self._missing_hints())
        first = next(iter(self.layers.value), None)
        (source,) = self._read([first]) if first is not None else (None,)
        self.hints.follow(first, None if source is None else source.axes)
        corrected = self.hints.layer.value != "none"
        self.learning.offer(first, done=self.running.done, corrected=corrected)

    def _missing(self) -> str:
        """Why nothing can be coloured; empty if something can."""
        if not self.picker.offered():
            color = self.picker.color_layer()
            if color is None:
                return "Open a gray image first."
            return f"'{color.name}' already has colour; colorization starts from gray."
        if not self.layers.value:
            return "Choose at least one gray layer."
        return "" if self.model.value is not None else "Choose a model."

    def _missing_palette(self) -> str:
        model = self.models.model
        takes = model is not None and model.metadata.takes_palette
        return "" if takes else "This model does not listen to a reference or a tint."

    def _missing_hints(self) -> str:
        model = self.models.model
        takes = model is not None and model.metadata.takes_hints
        return "" if takes else "This model does not listen to hints."
