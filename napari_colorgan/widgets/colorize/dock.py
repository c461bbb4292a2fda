"""The Colorize dock: choose gray layers and a model, look at a preview, run."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import napari.viewer
from magicgui.widgets import (
    CheckBox,
    Container,
    PushButton,
    Widget,
)
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from napari_colorgan.errors import ColorganError
from napari_colorgan.sample_data import MODEL
from napari_colorgan.widgets.colorize.form import ColorizeForm
from napari_colorgan.widgets.colorize.layer_picker import LayerPicker
from napari_colorgan.widgets.colorize.preview import Preview
from napari_colorgan.widgets.colorize.python import python_code
from napari_colorgan.widgets.colorize.run_panel import RunPanel
from napari_colorgan.widgets.colorize.save_button import SaveButton
from napari_colorgan.widgets.parts.layers import LayerSource, read_source
from napari_colorgan.widgets.parts.layout import line_up, say
from napari_colorgan.widgets.parts.models_changed import models_changed
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.settings import load_settings, save_settings
from napari_colorgan.widgets.parts.worker import (
    on_close,
    show_failure,
)
from napari_colorgan.widgets.parts.world import View

_NO_PREVIEW = "No preview:"


class ColorizeWidget(Container[Widget]):
    """Dock widget that colours gray layers of a viewer."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer

        self.picker = LayerPicker(napari_viewer)
        self.layers = self.picker.layers
        self.form = ColorizeForm()
        self.models, self.model = self.form.models, self.form.model
        self.show_preview = CheckBox(text="Preview", value=True)
        self.running = RunPanel(napari_viewer, self._update)
        self.run, self.stop = self.running.start, self.running.stop
        self.status = self.running.status
        self.copy = PushButton(
            text="Copy as Python", tooltip="Put the equivalent call on the clipboard"
        )
        self.save = SaveButton(napari_viewer)
        afterwards = line_up(self.save, self.copy)
        self.extend(
            [self.picker, self.form, self.show_preview, self.running, afterwards]
        )
        self.preview = Preview(self._on_preview)
        layout = self.native.layout()
        layout.addWidget(self.preview)
        layout.addStretch()
        settings = load_settings()
        self.form.restore(settings)
        self.show_preview.value = bool(settings.get("preview", True))
        self.picker.suggest()
        self._suited: Callable[[], Image | None] = lambda: None
        self._on_layers()
        self._connect()
        self._update()

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self.running.jobs.busy

    def reset_choices(self, *_: object) -> None:
        """Refresh the pickers; napari calls this whenever its layers change."""
        super().reset_choices()
        self._update()

    def choose_active(self) -> None:
        """Choose the viewer's active layer if it is gray."""
        if not self.busy:
            self.picker.choose_active()

    def choose_model(self, name: str) -> None:
        """Choose a model that may be new, or anew under its name."""
        self.form.choose_model(name)
        self._on_choice()

    def _read(self, layers: Sequence[Image]) -> list[LayerSource]:
        view = View.of(self._viewer)
        limits, planes = self.form.limits.value, self.form.planes.value
        return [read_source(layer, view, limits, planes) for layer in layers]

    # -- slots

    def _connect(self) -> None:
        self.run.changed.connect(self._on_run)
        self.copy.changed.connect(self._on_copy)
        self.form.vividness.changed.connect(self._on_vividness)
        for widget in (
            self.layers,
            self.model,
            self.form.planes,
            self.form.limits,
            self.form.context,
            self.form.device,
            self.show_preview,
        ):
            widget.changed.connect(self._on_choice)
        self.layers.changed.connect(self._update)
        self.layers.changed.connect(self._on_layers)
        for emitter, slot in self._watched():
            emitter.connect(slot)
        models_changed.connect(self._on_models_changed)
        self._closing = on_close(self.native, self._on_closed)

    def _watched(self) -> list[tuple[Any, Callable[..., None]]]:
        """Events of the viewer, and what they lead to."""
        layers, dims = self._viewer.layers, self._viewer.dims
        return [
            (layers.events.removed, self._on_layer_removed),
            (layers.selection.events.active, self._update),
            (dims.events.order, self._on_choice),
            (dims.events.ndisplay, self._on_choice),
        ]

    def _on_closed(self) -> None:
        """End what runs; from now on nothing may touch this widget."""
        self.preview.close_jobs()
        self.models.close_card()
        self.running.close_jobs()
        for emitter, slot in self._watched():
            emitter.disconnect(slot)
        models_changed.disconnect(self._on_models_changed)

    def _on_run(self) -> None:
        if self.busy or not self.layers.value:
            return  # the button says why
        preview = bool(self.show_preview.value)
        save_settings(self.form.remembered() | {"preview": preview})
        self.preview.stop()
        layers = list(self.layers.value)
        self.running.run(layers, self._read(layers), self.form.settings())

    def _on_layer_removed(self, event: Any) -> None:
        self.running.forget(event.value)

    def _on_models_changed(self, old: str, new: str) -> None:
        """Offer what there is now, and follow the chosen model to its new name."""
        if new and self.model.value in (old, new):
            self.choose_model(new)
        else:
            self.models.reset_choices()

    def _on_copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            try:
                clipboard.setText(self.as_python())
            except ColorganError as error:  # limits are measured for it
                show_failure(error)
                return
            show_info("The Python code is on the clipboard.")

    def as_python(self) -> str:
        """Python code that colours the chosen layers with the chosen settings."""
        layers = list(self.layers.value)
        return python_code(
            zip(layers, self._read(layers), strict=True), self.form.settings()
        )

    def _on_layers(self) -> None:
        """Choose the model that fits a sample, once it is chosen."""
        first = next(iter(self.layers.value), None)
        if first is None or first is self._suited():
            return
        self._suited = weakref.ref(first)
        name = first.metadata.get(MODEL)
        if name in self.model.choices and not self.busy:
            self.choose_model(name)

    def _on_choice(self, *_: object) -> None:
        """Make a new preview; one that is being made is of something else."""
        self._make_preview(supersede=True)

    def _on_vividness(self) -> None:
        """Show previews while the slider is dragged, as many as there is time for."""
        self._make_preview(supersede=False)

    def _make_preview(self, *, supersede: bool) -> None:
        shown = bool(self.show_preview.value) and bool(self.layers.value)
        if not shown or self.busy or self.model.value is None:
            self.preview.stop(hide=not shown)
            return
        (source,) = self._read(self.layers.value[:1])
        self.preview.show_layer(source, self.form.settings(), supersede=supersede)

    def _on_preview(self, problem: str) -> None:
        if problem or self.status.value.startswith(_NO_PREVIEW):
            say(self.status, problem and f"{_NO_PREVIEW} {problem}")

    # -- showing state

    def _update(self, *_: object) -> None:
        color = self.picker.color_layer()
        self.running.offer(self._missing(color))
        self.save.offer(busy=self.busy)
        self.picker.lightness.visible = color is not None and not self.busy

    def _missing(self, color: Image | None) -> str:
        """Why nothing can be coloured; empty if something can."""
        if not self.picker.offered():
            if color is None:
                return "Open a gray image first."
            return f"'{color.name}' already has colour; colorization starts from gray."
        if not self.layers.value:
            return "Choose at least one gray layer."
        return "" if self.model.value is not None else "Choose a model."
