"""The Colorize dock: choose gray layers and a model, say colours, look, run."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import napari.viewer
from magicgui.widgets import PushButton
from napari.layers import Image
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_colorgan.errors import BadSetting, ColorganError
from napari_colorgan.sample_data import MODEL
from napari_colorgan.widgets.colorize.as_you_look import AsYouLook
from napari_colorgan.widgets.colorize.comparison import Comparison
from napari_colorgan.widgets.colorize.folder import FolderPanel
from napari_colorgan.widgets.colorize.form import ColorizeForm
from napari_colorgan.widgets.colorize.layer_picker import LayerPicker
from napari_colorgan.widgets.colorize.learn_panel import LearnPanel
from napari_colorgan.widgets.colorize.live_colors import LiveColors
from napari_colorgan.widgets.colorize.python import python_code
from napari_colorgan.widgets.colorize.results import Results
from napari_colorgan.widgets.colorize.run_panel import RunPanel
from napari_colorgan.widgets.colorize.save_button import SaveButton
from napari_colorgan.widgets.colorize.visible import VisibleRegion
from napari_colorgan.widgets.parts.closing import on_close
from napari_colorgan.widgets.parts.docking import make_dock
from napari_colorgan.widgets.parts.layers import LayerSource, read_source
from napari_colorgan.widgets.parts.layout import fold, heading, scroll
from napari_colorgan.widgets.parts.models_changed import models_changed
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.settings import load_settings, save_settings
from napari_colorgan.widgets.parts.worker import show_failure
from napari_colorgan.widgets.parts.world import View


class ColorizeWidget(QWidget):
    """Dock widget in which a person and a model colour gray layers of a viewer."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.results = Results(napari_viewer)

        self.picker = LayerPicker(napari_viewer)
        self.layers = self.picker.layers
        self.form = ColorizeForm()
        self.models, self.model = self.form.models, self.form.model
        self.save = SaveButton(napari_viewer, lambda said: self.running.tell(said))
        self.visible = VisibleRegion(napari_viewer, self.results)
        beside = (self.visible, self.save)
        self.running = RunPanel(napari_viewer, self.results, beside, self._on_running)
        self.run, self.stop = self.running.start, self.running.stop
        self.status = self.running.status
        self.live = LiveColors(
            napari_viewer,
            self.form,
            self.results,
            read=lambda layer: self._read([layer])[0],
            may=lambda: not self.busy and self.model.value is not None,
            on_painted=self._on_painted,
        )
        self.show_preview, self.preview = self.form.preview, self.live.preview
        self.palette_panel, self.hints = self.live.palette, self.live.hints
        self.as_you_look = AsYouLook(
            napari_viewer, self.live, lambda: bool(self.form.live.value)
        )
        self.learning = LearnPanel(napari_viewer, self.results)
        self.folder = FolderPanel(lambda: self.live.wish().made())
        self.copy = PushButton(
            text="Copy as Python", tooltip="Put the equivalent call on the clipboard"
        )
        self.comparison = Comparison(napari_viewer, self.results)
        self._lay_out()
        self.form.restore(load_settings())
        self.picker.suggest()
        self._suited: Callable[[], Image | None] = lambda: None
        self._connect()
        self._on_layers()
        make_dock(self)

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.running.jobs.busy

    def reset_choices(self, *_: object) -> None:
        """Refresh the pickers; napari calls this whenever its layers change."""
        self.picker.reset_choices()
        self.live.reset_choices()
        self._update()

    def choose_active(self) -> None:
        """Choose the viewer's active layer if it is gray."""
        if not self.busy:
            self.picker.choose_active()

    def choose_model(self, name: str) -> None:
        """Choose a model that may be new, or anew under its name."""
        self.live.studio.forget_model()
        self.form.choose_model(name)
        self._update()
        self.live.show(paint=True)

    def as_python(self) -> str:
        """Python code that colours the chosen layers with the chosen settings.

        Raises
        ------
        ColorganError
            There is nothing to colour, or a palette or limits cannot be read.
        """
        if missing := self._missing():
            raise BadSetting("the dock", missing, "ready to colour something")
        layers = list(self.layers.value)
        pairs = zip(layers, self._read(layers), strict=True)
        return python_code(pairs, self.live.wish())

    def _read(self, layers: Sequence[Image]) -> list[LayerSource]:
        view = View.of(self._viewer)
        form = self.form
        chosen = form.limits.value, form.planes.value, form.between.between()
        return [read_source(layer, view, *chosen) for layer in layers]

    # -- slots

    def _connect(self) -> None:
        self.run.changed.connect(self._on_run)
        self.picker.lightness.changed.connect(self._on_lightness)
        self.visible.changed.connect(self._on_visible)
        self.copy.changed.connect(self._on_copy)
        colors = self.palette_panel.changed, self.hints.changed
        for wished in (*self.form.wished, *colors):
            wished.connect(self.as_you_look.change_colors)
        self.model.changed.connect(self._update)
        self.layers.changed.connect(self._on_layers)
        for emitter, slot in self._watched():
            emitter.connect(slot)
        models_changed.connect(self._on_models_changed)
        self._closing = on_close(self, self._on_closed)

    def _watched(self) -> list[tuple[Any, Callable[..., None]]]:
        """Events of the viewer, and what they lead to."""
        layers = self._viewer.layers
        return [
            (layers.events.removed, self._on_layer_removed),
            (layers.selection.events.active, self._on_active),
        ]

    def _on_closed(self) -> None:
        """End what runs; from now on nothing may touch this widget."""
        self.running.close_jobs()
        self.folder.close_jobs()
        self.save.close_jobs()
        self.live.close_jobs()
        self.as_you_look.close_jobs()
        self.comparison.close()
        self.models.close_card()
        for emitter, slot in self._watched():
            emitter.disconnect(slot)
        models_changed.disconnect(self._on_models_changed)

    def _on_run(self) -> None:
        if self.busy or not self.layers.value:
            return  # the button says why
        save_settings(self.form.remembered())
        layers = list(self.layers.value)
        try:
            wish, sources = self.live.wish(), self._read(layers)
        except ColorganError as error:
            self.running.fail(error)
            return
        self.preview.stop()
        if self.as_you_look.wanted(layers):
            self.as_you_look.run(layers, sources, wish, self.running)
            return
        self.running.run(layers, sources, wish)

    def _on_running(self) -> None:
        """Show what is said by now once a run has ended."""
        self._update()
        if not self.busy:
            self.live.show(seen=self.visible.waits())

    def _on_visible(self) -> None:
        """Colour what is seen of the layer of the preview."""
        layer = self.live.layer
        if self.busy or layer is None:
            return
        self.running.tell("")
        source = self._read([layer])[0]
        if self.visible.prepare(layer, source, self.running):
            self.live.show(seen=True)

    def _on_painted(self, problem: str = "") -> None:
        """Say no longer what became of the run: its result has other colours.

        Parameters
        ----------
        problem : why it has not
        """
        if problem or not self.running.failed:
            self.running.tell(problem)
        self._update()

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

    def _on_lightness(self) -> None:
        if not self.busy:
            self.picker.take_lightness(self.running)

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

    def _on_layers(self, *_: object) -> None:
        """Show the first layer, with the model that fits it if it is a sample."""
        first = next(iter(self.layers.value), None)
        self.live.follow(first)
        self.as_you_look.offer(self.layers.value)
        self._update()
        if first is not None and first is not self._suited():
            self._suited = weakref.ref(first)
            name = first.metadata.get(MODEL)
            if name in self.model.choices and not self.busy:
                self.form.choose_model(name)
        self.live.show()

    # -- showing state

    def _lay_out(self) -> None:
        inside, more = QWidget(), QWidget()
        folded = QVBoxLayout(more)
        folded.setContentsMargins(0, 0, 0, 0)
        for part in (self.form.more, self.copy.native, self.folder.native):
            folded.addWidget(part)
        layout = QVBoxLayout(inside)
        for part in (
            self.picker.native,
            self.form.native,
            self.preview,
            self.live.doubt.native,
            self.as_you_look.native,
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

    def _update(self, *_: object) -> None:
        missing = self._missing()
        self.running.offer(missing)
        self.visible.offer("A run is in progress." if self.busy else missing)
        self.save.offer(busy=self.busy)
        self.copy.enabled = not missing
        color = self.picker.color_layer()
        self.picker.lightness.visible = color is not None and not self.busy
        self.live.offer()
        hinted = self.hints.layer.value != "none"
        self.learning.offer(
            self.live.layer,
            str(self.model.value),
            done=self.running.done,
            corrected=hinted,
        )

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
