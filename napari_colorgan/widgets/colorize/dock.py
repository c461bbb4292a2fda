"""The Colorize dock: choose gray layers and a model, look at a preview, run."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import napari.viewer
from magicgui.widgets import (
    CheckBox,
    Container,
    Label,
    ProgressBar,
    PushButton,
    Widget,
)
from napari.layers import Image
from qtpy.QtWidgets import QApplication

from napari_colorgan.arrays import RGB
from napari_colorgan.errors import ColorganError
from napari_colorgan.job import Control, Progress
from napari_colorgan.sample_data import MODEL
from napari_colorgan.widgets.colorize.form import ColorizeForm
from napari_colorgan.widgets.colorize.layer_picker import LayerPicker
from napari_colorgan.widgets.colorize.python import python_code
from napari_colorgan.widgets.colorize.run import (
    LayerRun,
    color_layers_job,
    preview_layer_job,
)
from napari_colorgan.widgets.colorize.save_button import SaveButton
from napari_colorgan.widgets.parts.layers import LayerSource, read_source
from napari_colorgan.widgets.parts.layout import explain, line_up, say, wrap
from napari_colorgan.widgets.parts.models_changed import models_changed
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.picture import Picture
from napari_colorgan.widgets.parts.settings import load_settings, save_settings
from napari_colorgan.widgets.parts.worker import (
    LatestOnly,
    on_close,
    run_job,
    sentence,
    show_failure,
)
from napari_colorgan.widgets.parts.world import View

_PREVIEW = 220  # px
_NO_PREVIEW = "No preview:"


class ColorizeWidget(Container[Widget]):
    """Dock widget that colours gray layers of a viewer."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._control: Control | None = None
        self._run: LayerRun | None = None
        self._closed = False

        self.picker = LayerPicker(napari_viewer)
        self.layers = self.picker.layers
        self.form = ColorizeForm()
        self.models, self.model = self.form.models, self.form.model
        self.show_preview = CheckBox(text="Preview", value=True)
        self.run = PushButton(text="Colorize")
        self.stop = PushButton(
            text="Stop", enabled=False, tooltip="End early and keep what is coloured"
        )
        self.progress = ProgressBar(value=0, max=1, visible=False)
        self.reason = wrap(Label(value="", visible=False))
        self.status = wrap(Label(value="", visible=False))
        self.copy = PushButton(
            text="Copy as Python", tooltip="Put the equivalent call on the clipboard"
        )
        self.save = SaveButton(napari_viewer)
        buttons = line_up(self.run, self.stop)
        afterwards = line_up(self.save, self.copy)
        footer = Container(
            widgets=[buttons, self.reason, self.progress, self.status, afterwards],
            labels=False,
        )
        footer.margins = (0, 0, 0, 0)
        self.extend([self.picker, self.form, self.show_preview, footer])
        self._picture = Picture(_PREVIEW)
        layout = self.native.layout()
        layout.addWidget(self._picture)
        layout.addStretch()
        self._preview = LatestOnly(self._on_preview, self._on_preview_error)
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
        return self._control is not None

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

    def _take(self, layers: Sequence[Image]) -> list[LayerSource]:
        view = View.of(self._viewer)
        limits, planes = self.form.limits.value, self.form.planes.value
        return [read_source(layer, view, limits, planes) for layer in layers]

    # -- slots

    def _connect(self) -> None:
        self.run.changed.connect(self._on_run)
        self.stop.changed.connect(self._on_stop)
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
        self._preview.stop()
        self.models.close_card()
        self._closed = True
        if self._control is not None and self._run is not None:
            self._run.end_early("the dock was closed")
            self._control.request_stop()
        for emitter, slot in self._watched():
            emitter.disconnect(slot)
        models_changed.disconnect(self._on_models_changed)

    def _on_run(self) -> None:
        if self.busy or not self.layers.value:
            return  # the button says why
        preview = bool(self.show_preview.value)
        save_settings(self.form.remembered() | {"preview": preview})
        self._preview.stop()
        layers = list(self.layers.value)
        taken = self._take(layers)
        say(self.status, "")
        self._run = LayerRun(self._viewer, layers, taken, self._on_lost)
        self._control = run_job(
            color_layers_job(taken, self.form.settings()),
            on_event=self._on_event,
            on_result=self._on_result,
            on_error=self._on_error,
            on_end=self._on_end,
        )
        self._update()

    def _on_event(self, event: Progress) -> None:
        if self._run is None:
            return
        if self._closed:
            self._run.note(event)
            return
        self._run.on_event(event)
        self.progress.visible = True
        self.progress.max = max(1, event.total)
        self.progress.value = event.done
        say(self.status, self._run.describe(event))

    def _on_result(self, _: object) -> None:
        if self._closed or self._run is None:
            return
        complete = self._run.complete
        note = f" {self._run.device_note}" if self._run.device_note else ""
        stopped = "Stopped; what was coloured is kept."
        say(self.status, f"Done.{note}" if complete else stopped)

    def _on_error(self, error: BaseException) -> None:
        if self._run is not None:
            self._run.end_early(sentence(error))
        if not self._closed:
            say(self.status, sentence(error))
            show_failure(error)

    def _on_end(self) -> None:
        run, self._run, self._control = self._run, None, None
        if run is not None:
            run.close()
        if self._closed:
            return
        self.progress.visible = False
        self._update()

    def _on_stop(self) -> None:
        self._end_early("stopped by the user")

    def _on_lost(self, what: str) -> None:
        show_info(f"Colouring a layer has stopped: {what}.")
        self._end_early(what)

    def _end_early(self, why: str) -> None:
        if self._control is not None and self._run is not None:
            self._run.end_early(why)
            self._control.request_stop()
            say(self.status, "Stopping...")

    def _on_layer_removed(self, event: Any) -> None:
        if self._run is not None and self._run.uses(event.value):
            self._on_lost(f"the layer '{event.value.name}' was removed")

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
            zip(layers, self._take(layers), strict=True), self.form.settings()
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
            self._preview.stop()
            self._picture.setVisible(shown and self._picture.isVisible())
            return
        (taken,) = self._take(self.layers.value[:1])
        settings = self.form.settings()
        self._preview.request(
            lambda: preview_layer_job(taken, settings, _PREVIEW), supersede=supersede
        )

    def _on_preview(self, rgb: RGB) -> None:
        if self._closed:
            return
        self._picture.show_rgb(rgb)
        if self.status.value.startswith(_NO_PREVIEW):
            say(self.status, "")

    def _on_preview_error(self, error: BaseException) -> None:
        if self._closed:
            return
        self._picture.setVisible(False)
        say(self.status, f"{_NO_PREVIEW} {sentence(error)}")

    # -- showing state

    def _update(self, *_: object) -> None:
        """Enable what can work, and say what is missing."""
        busy = self.busy
        reason = ""
        color = self.picker.color_layer()
        if busy:
            reason = "A run is in progress."
        elif not self.picker.offered():
            reason = "Open a gray image first."
            if color is not None:
                reason = (
                    f"'{color.name}' already has colour; colorization starts from gray."
                )
        elif not self.layers.value:
            reason = "Choose at least one gray layer."
        elif self.model.value is None:
            reason = "Choose a model."
        self.run.enabled = not reason
        explain(self.run, reason or "Colour the chosen layers into new layers")
        self.stop.enabled = busy
        self.save.offer(busy=busy)
        self.picker.lightness.visible = color is not None and not busy
        say(self.reason, "" if busy else reason)
