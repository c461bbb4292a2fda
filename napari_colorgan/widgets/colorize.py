"""The Colorize dock: choose gray layers and a model, look at a preview, run."""

import contextlib
from collections.abc import Sequence
from typing import Any, get_args

import napari.viewer
import numpy as np
import numpy.typing as npt
from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSlider,
    Label,
    ProgressBar,
    PushButton,
    Select,
    SpinBox,
    Widget,
)
from napari.layers import Image
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QApplication

from napari_colorgan.job import Control, Progress
from napari_colorgan.widgets._layers import (
    LayerSource,
    LimitsChoice,
    Planes,
    gray_from_color,
    gray_layers,
    is_color,
    is_gray,
    read_source,
)
from napari_colorgan.widgets._model_picker import ModelPicker
from napari_colorgan.widgets._models_changed import models_changed
from napari_colorgan.widgets._picture import Picture
from napari_colorgan.widgets._python import python_code
from napari_colorgan.widgets._room import enable, fold, say, wrap
from napari_colorgan.widgets._run import (
    METADATA_KEY,
    Choice,
    LayerRun,
    color_layers_job,
    preview_layer_job,
)
from napari_colorgan.widgets._settings import load_settings, save_settings
from napari_colorgan.widgets._worker import LatestOnly, on_close, run_job

_PREVIEW = 220  # px
_AUTO = "as trained"
_REMEMBERED = ("model", "planes", "limits", "context", "device", "tile")


class ColorizeWidget(Container[Widget]):
    """Dock widget that colours gray layers of a viewer."""

    def __init__(self, napari_viewer: "napari.viewer.Viewer") -> None:
        super().__init__(labels=False)
        self._viewer = napari_viewer
        self._control: Control | None = None
        self._run: LayerRun | None = None
        self._closed = False

        self.layers = Select(label="Gray layers", choices=self._layer_choices)
        self.layers.max_height = 64
        self.lightness = PushButton(
            text="Use its lightness",
            tooltip="Make a gray layer from the selected RGB layer",
            visible=False,
        )
        self.models = ModelPicker()
        self.model = self.models.names
        self.show_preview = CheckBox(text="Preview", value=True)
        self.planes = ComboBox(label="Planes", choices=get_args(Planes))
        self.limits = ComboBox(
            label="Gray limits",
            choices=get_args(LimitsChoice),
            tooltip="Which gray values become black and white: those of the layer's "
            "contrast limits and gamma, all of its type, or the 0.1 and 99.9 % "
            "percentiles of the whole array",
        )
        self.vividness = FloatSlider(label="Vividness", min=0, max=1, step=0.05)
        self.context = ComboBox(
            label="Context",
            choices=(_AUTO, "whole", "local"),
            tooltip="whole: the picture is seen at once, reduced (photographs); local: "
            "in windows at full resolution (micrographs)",
        )
        self.device = ComboBox(label="Device", choices=("auto", "cpu", "cuda", "mps"))
        self.tile = SpinBox(
            label="Tile (px)",
            value=1024,
            min=64,
            max=8192,
            step=64,
            tooltip="Side of the windows of local context; smaller needs less memory",
        )
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
        buttons = Container(
            widgets=[self.run, self.stop], layout="horizontal", labels=False
        )
        footer = Container(
            widgets=[buttons, self.reason, self.progress, self.status, self.copy],
            labels=False,
        )
        what = Container(widgets=[self.layers, self.lightness])
        how = Container(widgets=[self.planes, self.limits, self.vividness])
        seldom = Container(widgets=[self.context, self.device, self.tile])
        for part in (buttons, footer, what, how, seldom):
            part.margins = (0, 0, 0, 0)
        how.native.layout().addWidget(fold("More settings", seldom.native))
        self._seldom = seldom  # not owned by this container
        self.extend([what, self.models, how, self.show_preview, footer])
        self._picture = Picture(_PREVIEW)
        layout = self.native.layout()
        layout.addWidget(self._picture)
        layout.addStretch()
        self._preview = LatestOnly(self._on_preview, self._on_preview_error)
        self._restore()
        self._select_active()
        self._connect()
        self._update()

    @property
    def busy(self) -> bool:
        """Whether a run is in progress."""
        return self._control is not None

    def reset_choices(self, *_: object) -> None:
        """Refresh the pickers; napari calls this whenever its layers change."""
        chosen = list(self.layers.value)
        with self.layers.changed.blocked():
            super().reset_choices()
            kept = [layer for layer in chosen if layer in self._viewer.layers]
            self.layers.value = kept
            if not kept:
                self._select_active()
        if kept != chosen or not chosen:
            self._on_choice()
        self._update()

    # -- choices

    def _layer_choices(self, _: Any = None) -> list[Image]:
        return list(gray_layers(self._viewer))

    def choose_active(self) -> None:
        """Choose the viewer's active layer if it is gray."""
        active = self._viewer.layers.selection.active
        if is_gray(active) and not self.busy:
            self.layers.value = [active]

    def _select_active(self) -> None:
        active = self._viewer.layers.selection.active
        candidates = [active] if is_gray(active) else self._layer_choices()[:1]
        if not self.layers.value and candidates:
            self.layers.value = candidates

    def _restore(self) -> None:
        settings = load_settings()
        for name in _REMEMBERED:
            widget = getattr(self, name)
            if name in settings and (
                name == "tile" or settings[name] in widget.choices
            ):
                try:
                    widget.value = settings[name]
                except (ValueError, TypeError):
                    continue  # from another version; the default serves
        self.show_preview.value = bool(settings.get("preview", True))
        self._suggest_vividness()
        if self._own_vividness is not None:
            with contextlib.suppress(LookupError, ValueError, TypeError):
                self.vividness.value = settings["vividness"][self.model.value]

    def _remember(self) -> None:
        settings = {name: getattr(self, name).value for name in _REMEMBERED}
        settings["preview"] = self.show_preview.value
        if (vividness := self._chosen_vividness()) != self._own_vividness:
            settings["vividness"] = {self.model.value: vividness}
        save_settings(settings)

    def _choice(self) -> Choice:
        context = self.context.value
        return Choice(
            model=str(self.model.value),
            device=str(self.device.value),
            context=None if context == _AUTO else context,
            tile=int(self.tile.value),
            vividness=self._chosen_vividness(),
        )

    @property
    def _own_vividness(self) -> float | None:
        """Of the chosen model; None if it has no such setting."""
        model = self.models.model
        return None if model is None else model.metadata.vividness

    def _chosen_vividness(self) -> float | None:
        if self._own_vividness is None:
            return None
        return round(float(self.vividness.value), 2)  # as the slider shows it

    def _take(self, layers: Sequence[Image]) -> list[LayerSource]:
        point = tuple(self._viewer.dims.point)
        limits, planes = self.limits.value, self.planes.value
        return [read_source(layer, point, limits, planes) for layer in layers]

    # -- slots

    def _connect(self) -> None:
        self.run.changed.connect(self._on_run)
        self.stop.changed.connect(self._on_stop)
        self.copy.changed.connect(self._on_copy)
        self.lightness.changed.connect(self._on_lightness)
        self.model.changed.connect(self._suggest_vividness)
        self.vividness.changed.connect(self._on_vividness)
        for widget in (
            self.layers,
            self.model,
            self.limits,
            self.context,
            self.device,
            self.show_preview,
        ):
            widget.changed.connect(self._on_choice)
        self.layers.changed.connect(self._update)
        events = self._viewer.layers.events
        events.removed.connect(self._on_layer_removed)
        self._viewer.layers.selection.events.active.connect(self._update)
        models_changed.connect(self._on_models_changed)
        self._closing = on_close(self.native, self._on_closed)

    def _on_closed(self) -> None:
        """End what runs; from now on nothing may touch this widget."""
        self._preview.stop()
        self.models.close_card()
        if self._control is not None:
            self._control.request_stop()
        self._closed = True
        for emitter, slot in (
            (self._viewer.layers.events.removed, self._on_layer_removed),
            (self._viewer.layers.selection.events.active, self._update),
        ):
            emitter.disconnect(slot)
        models_changed.disconnect(self._on_models_changed)

    def _on_run(self) -> None:
        if self.busy or not self.layers.value:
            return  # the button says why
        self._remember()
        self._preview.stop()
        layers = list(self.layers.value)
        taken = self._take(layers)
        self._run = LayerRun(self._viewer, layers, taken)
        self._control = run_job(
            color_layers_job(taken, self._choice()),
            on_event=self._on_event,
            on_result=self._on_result,
            on_end=self._on_end,
        )
        self._update()

    def _on_event(self, event: Progress) -> None:
        if self._closed or self._run is None:
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

    def _on_end(self) -> None:
        run, self._run, self._control = self._run, None, None
        if run is not None:
            run.close()
        if self._closed:
            return
        self.progress.visible = False
        self._update()

    def _on_stop(self) -> None:
        if self._control is not None:
            self._control.request_stop()
            say(self.status, "Stopping...")

    def _on_layer_removed(self, event: Any) -> None:
        if self._run is not None and self._run.uses(event.value):
            show_info(
                f"The layer '{event.value.name}' was removed: colouring it has stopped."
            )
            self._on_stop()

    def _on_models_changed(self, old: str, new: str) -> None:
        """Offer what there is now, and follow the chosen model to its new name."""
        if new and self.model.value in (old, new):
            self.choose_model(new)
        else:
            self.models.reset_choices()

    def choose_model(self, name: str) -> None:
        """Choose a model that may be new, or anew under its name."""
        self.models.choose(name)
        self._suggest_vividness()
        self._on_choice()

    def _on_copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.as_python())
            show_info("The Python code is on the clipboard.")

    def as_python(self) -> str:
        """Python code that colours the chosen layers with the chosen settings."""
        layers = list(self.layers.value)
        return python_code(zip(layers, self._take(layers), strict=True), self._choice())

    def _on_lightness(self) -> None:
        layer = self._color_layer()
        if layer is None:
            return
        options = {"name": f"{layer.name} lightness", "scale": layer.scale}
        options |= {"translate": layer.translate, "affine": layer.affine}
        options |= {"rotate": layer.rotate, "shear": layer.shear, "units": layer.units}
        gray = self._viewer.add_image(gray_from_color(layer), **options)
        self.layers.value = [gray]

    def _on_choice(self) -> None:
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
        layer = self.layers.value[0]
        point = tuple(self._viewer.dims.point)
        taken = read_source(layer, point, self.limits.value, "whole stack")
        choice = self._choice()
        self._preview.request(
            lambda: preview_layer_job(taken, choice, _PREVIEW), supersede=supersede
        )

    def _on_preview(self, rgb: npt.NDArray[np.uint8]) -> None:
        if self._closed:
            return
        self._picture.show_rgb(rgb)

    def _on_preview_error(self, error: BaseException) -> None:
        if self._closed:
            return
        self._picture.setVisible(False)
        say(self.status, f"No preview: {error}")

    # -- showing state

    def _suggest_vividness(self) -> None:
        """Set the model's own vividness, or say why there is none to set."""
        own = self._own_vividness
        with self.vividness.changed.blocked():
            self.vividness.value = own or 0.0
        enable(self.vividness.native, own is not None)
        self.vividness.tooltip = (
            "This model does not tell how sure its colours are"
            if own is None
            else "0: cautious, pale where the model is in doubt; 1: vivid. "
            f"The model's own: {own:g}"
        )

    def _update(self, *_: object) -> None:
        """Enable what can work, and say what is missing."""
        busy = self.busy
        reason = ""
        color = self._color_layer()
        if busy:
            reason = "A run is in progress."
        elif not self._layer_choices():
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
        self.run.tooltip = reason or "Colour the chosen layers into new layers"
        self.stop.enabled = busy
        self.lightness.visible = color is not None and not busy
        say(self.reason, "" if busy else reason)

    def _color_layer(self) -> Image | None:
        """Return the RGB layer that is selected, or the topmost if no layer is gray."""
        active = self._viewer.layers.selection.active
        if is_color(active) and METADATA_KEY not in active.metadata:
            return active
        if self._layer_choices():
            return None
        return next((c for c in reversed(self._viewer.layers) if is_color(c)), None)
