"""What colours are made with: the model and its settings, as a form."""

import contextlib
from typing import Any, get_args

from magicgui.widgets import CheckBox, ComboBox, Container, FloatSlider, SpinBox
from qtpy.QtWidgets import QWidget

from napari_colorgan.checkpoints.extras import install_line
from napari_colorgan.inference.settings import DEVICES, ENGINES, ColorizerSettings
from napari_colorgan.widgets.colorize.planes_range import PlanesRange
from napari_colorgan.widgets.parts.layers import LimitsChoice, PlanesChoice
from napari_colorgan.widgets.parts.layout import enable, with_pages
from napari_colorgan.widgets.parts.model_picker import ModelPicker

_AUTO = "as trained"
_REMEMBERED = (
    "model",
    "planes",
    "limits",
    "context",
    "device",
    "engine",
    "tile",
    "preview",
    "live",
)
_FREE = ("tile", "preview", "live")  # not one of some choices
_NEUTRAL = {"saturation": 1.0, "warmth": 0.0, "steady": 0.0}


class ColorizeForm(Container[Any]):
    """The model; `colors`, which are applied at once; `more`, which seldom changes."""

    def __init__(self) -> None:
        super().__init__(labels=False)
        self.models = ModelPicker()
        self.model = self.models.names
        self.planes = ComboBox(
            label="Planes",
            choices=get_args(PlanesChoice),
            tooltip="whole stack: all planes along the axes labelled y and x, without "
            "such labels along those that are displayed; current plane: the one that "
            "is displayed; range of planes: from one to another",
        )
        self.between = PlanesRange(self.planes)
        self.between.visible = False
        self.limits = ComboBox(
            label="Gray limits",
            choices=get_args(LimitsChoice),
            tooltip="Which gray values become black and white: those of the layer's "
            "contrast limits, gamma and colormap (one that runs from white to black "
            "is a negative, as gray_r); all of its type, from black to white; or the "
            "0.1 and 99.9 % percentiles of the whole array, from black to white",
        )
        self.vividness = FloatSlider(label="Vividness", min=0, max=1, step=0.05)
        self.saturation = FloatSlider(
            label="Saturation",
            min=0,
            max=2,
            step=0.05,
            value=1,
            tooltip="All colours stronger or paler, but for those of hints",
        )
        self.warmth = FloatSlider(
            label="Warmth",
            min=-1,
            max=1,
            step=0.05,
            value=0,
            tooltip="All colours as in colder or in warmer light",
        )
        self.steady = FloatSlider(
            label="Steady",
            min=0,
            max=1,
            step=0.05,
            value=0,
            visible=False,
            tooltip="0: each plane for itself; above: colours stay from plane to plane "
            "of T or Z, where the gray does, and do not flicker",
        )
        self._is_stack = False
        for slider in (self.vividness, *(getattr(self, name) for name in _NEUTRAL)):
            with_pages(slider)
        self.context = ComboBox(
            label="Context",
            choices=(_AUTO, "whole", "local"),
            tooltip="whole: the picture is seen at once, reduced (photographs); local: "
            "in windows at full resolution (micrographs)",
        )
        self.device = ComboBox(label="Device", choices=DEVICES)
        self.engine = ComboBox(
            label="Engine",
            choices=ENGINES,
            tooltip="What computes; auto: in windows of local context what is fastest "
            "here, which is found out once for each model. openvino needs: "
            f"{install_line('fast')}",
        )
        self.tile = SpinBox(
            label="Tile (px)",
            value=1152,
            min=64,
            max=8192,
            step=64,
            tooltip="Side of the windows of local context; smaller needs less memory",
        )
        self.preview = CheckBox(
            label="", text="Preview", value=True, tooltip="Show a small result at once"
        )
        self.live = CheckBox(
            label="",
            text="Change the result at once",
            value=True,
            tooltip="Where a result is there, what is seen of it follows each change; "
            "otherwise Colorize makes another layer",
        )
        self._colors: Container[Any] = Container(
            widgets=[self.vividness, self.saturation, self.warmth, self.steady]
        )
        seen = (self.planes, self.between, self.limits, self.context)
        computed = (self.device, self.engine, self.tile)
        self._more: Container[Any] = Container(
            widgets=[*seen, *computed, self.preview, self.live]
        )
        for part in (self, self._colors, self._more):
            part.margins = (0, 0, 0, 0)
        self.append(self.models)
        self.model.changed.connect(self._suggest_vividness)
        self.planes.changed.connect(self._on_planes)
        self._suggest_vividness()

    @property
    def colors(self) -> QWidget:
        """Sliders of what is applied at once; to be placed by the dock."""
        return self._colors.native

    @property
    def more(self) -> QWidget:
        """Settings that seldom need a change; to be placed by the dock."""
        return self._more.native

    @property
    def wished(self) -> tuple[Any, ...]:
        """Signals of what is applied to a result at once."""
        sliders = (self.vividness, self.saturation, self.warmth)
        return tuple(each.changed for each in (*sliders, self.model, self.context))

    def settings(self) -> ColorizerSettings:
        """Return what the form says, but for the palette."""
        context = self.context.value
        return ColorizerSettings(
            model=str(self.model.value),
            device=str(self.device.value),
            engine=str(self.engine.value),
            context=None if context == _AUTO else context,
            tile=int(self.tile.value),
            vividness=self._vividness(),
            saturation=self._of_lab("saturation"),
            warmth=self._of_lab("warmth"),
            steady=self._of_lab("steady") if self._is_stack else 0.0,
        )

    def offer_steady(self, *, stack: bool) -> None:
        """Show the slider that is for stacks alone."""
        self._is_stack = stack
        self.steady.visible = stack

    def choose_model(self, name: str) -> None:
        """Choose a model that may be new, or anew under its name."""
        self.models.choose(name)
        self._suggest_vividness()

    def restore(self, settings: dict[str, Any]) -> None:
        """Take over remembered settings; those of another version are left out."""
        for name in _REMEMBERED:
            widget = getattr(self, name)
            if name in settings and (name in _FREE or settings[name] in widget.choices):
                try:
                    widget.value = settings[name]
                except (ValueError, TypeError):
                    continue  # the default serves
        self._suggest_vividness()
        if self._default_vividness is not None:
            with contextlib.suppress(LookupError, ValueError, TypeError):
                self.vividness.value = settings["vividness"][self.model.value]

    def remembered(self) -> dict[str, Any]:
        """Return the settings to remember."""
        settings = {name: getattr(self, name).value for name in _REMEMBERED}
        if (vividness := self._vividness()) != self._default_vividness:
            settings["vividness"] = {self.model.value: vividness}
        return settings

    @property
    def _default_vividness(self) -> float | None:
        """Of the chosen model; None if it has no such setting."""
        model = self.models.model
        return None if model is None else model.metadata.vividness

    def _vividness(self) -> float | None:
        if self._default_vividness is None:
            return None
        return round(float(self.vividness.value), 2)  # as the slider shows it

    def _of_lab(self, name: str) -> float:
        """Return what a slider says that only models use which keep lightness."""
        usable = getattr(self, name).enabled
        value = float(getattr(self, name).value) if usable else _NEUTRAL[name]
        return round(value, 2)

    def _on_planes(self, choice: str) -> None:
        self.between.visible = choice == "range of planes"

    def _suggest_vividness(self) -> None:
        """Set the model's own vividness, or say why there is none to set."""
        default = self._default_vividness
        with self.vividness.changed.blocked():
            self.vividness.value = default or 0.0
        model = self.models.model
        keeps = model is not None and model.metadata.codec == "lab"
        for slider in (self.saturation, self.warmth, self.steady):
            enable(slider.native, keeps)
        enable(self.vividness.native, default is not None)
        self.vividness.tooltip = (
            "This model does not tell how sure its colours are"
            if default is None
            else "0: cautious, pale where the model is in doubt; 1: vivid. "
            f"The model's own: {default:g}"
        )
