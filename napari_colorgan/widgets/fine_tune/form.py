"""The settings of a training, as a form."""

import contextlib
from collections.abc import Mapping
from typing import Any

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FloatSpinBox,
    Label,
    SpinBox,
)

from napari_colorgan.checkpoints import zoo
from napari_colorgan.errors import ColorganError
from napari_colorgan.inference.settings import DEVICES
from napari_colorgan.training.enough import warn_of_few
from napari_colorgan.training.runs import RunSettings
from napari_colorgan.training.settings import START, FineTuneConfig, Task
from napari_colorgan.widgets.fine_tune.words import ASKED, MAKES, SEES
from napari_colorgan.widgets.parts.layout import explain, fold, say, shorten, wrap

_SCRATCH = {  # name in the picker: scheme
    "from scratch: compact": "fine-tune",
    "from scratch: paper": "paper",
    "from scratch: notebook": "notebook",
}
_SUITED = ("task", "context", "patch", "batch")
"""Settings that a change of the scheme brings along."""
_REMEMBERED = (
    "start",
    "task",
    "context",
    "budget",
    "minutes",
    "steps",
    "patch",
    "batch",
    "seed",
    "device",
    "gan",
)
_MEASURED = "step_seconds"


class FineTuneForm(Container[Any]):
    """Start, what is made, budget; and behind a fold what seldom needs a change."""

    def __init__(self) -> None:
        super().__init__(labels=False)
        default = FineTuneConfig()
        self.start = ComboBox(
            label="Start from",
            choices=self._start_choices,
            tooltip="The model to improve; or fresh weights, trained by a scheme",
        )
        self.task = ComboBox(
            label="Makes",
            choices=[("auto", "auto"), *_choices(MAKES)],
            tooltip="What the model adds to a gray picture. colour: its lightness "
            "stays; picture: lightness is made anew, too, as in virtual staining. "
            "auto: colour where the lightness of the colours explains the gray",
        )
        self.context = ComboBox(
            label="Sees",
            choices=[("auto", "auto"), *_choices(SEES)],
            tooltip="How the model looks at a picture: parts at full size suit "
            "micrographs, whole pictures suit photographs. auto: as the start does",
        )
        self.budget = ComboBox(label="Train for", choices=("minutes", "steps"))
        self.minutes = FloatSpinBox(
            label="Minutes",
            value=default.minutes,
            min=0.1,
            max=6000,
            step=1,
            tooltip="For the training alone; preparing, testing and pauses come on top",
        )
        self.steps = SpinBox(label="Steps", value=500, min=1, max=10_000_000, step=100)
        self.patch = SpinBox(
            label="Patch (px)",
            value=default.patch,
            min=32,
            max=1024,
            step=32,
            tooltip="Side of the parts that are trained on; a multiple of 32",
        )
        self.batch = SpinBox(
            label="Batch",
            value=default.batch,
            min=1,
            max=256,
            tooltip="Parts (patches) per step; fewer need less memory",
        )
        self.seed = SpinBox(
            label="Seed",
            value=default.seed,
            min=0,
            max=1 << 30,
            tooltip="A number that decides all that is random, also which pairs are "
            "tested on",
        )
        self.device = ComboBox(label="Device", choices=DEVICES)
        self.gan = CheckBox(
            text="GAN phase",
            value=True,
            tooltip="End with a short phase against a second network that tells made "
            "pictures from true ones: sharper texture",
        )
        self.kind_note = wrap(Label(value=""))
        self.estimate = wrap(Label(value=""))
        main: Container[Any] = Container(
            widgets=[
                self.start,
                self.task,
                self.context,
                self.budget,
                self.minutes,
                self.steps,
            ]
        )
        more: Container[Any] = Container(
            widgets=[self.patch, self.batch, self.seed, self.device, self.gan]
        )
        for part in (self, main, more):
            part.margins = (0, 0, 0, 0)
        self.extend([main, self.kind_note])
        seldom = fold("More settings", more.native)
        self.native.layout().addWidget(seldom)
        self.append(self.estimate)
        self._parts = (main, more, seldom)  # not owned by this container
        shorten(self.start)
        self._suited_for = ""
        self._measured: dict[str, float] = {}
        """Seconds of a step, by the settings it depends on most."""
        self.start.changed.connect(self._on_start)
        for widget in (
            self.start,
            self.budget,
            self.minutes,
            self.steps,
            self.patch,
            self.batch,
            self.device,
        ):
            widget.changed.connect(self._show_budget)
        self._on_start()
        self._show_budget()

    def settings(self) -> RunSettings:
        """Return what the form says.

        Raises
        ------
        BadSetting
        """
        budget = (
            {"steps": int(self.steps.value)}
            if self.budget.value == "steps"
            else {"minutes": float(self.minutes.value)}
        )
        gan = {} if self.gan.value or self.scheme != "fine-tune" else {"gan_phase": 0.0}
        config = FineTuneConfig.preset(
            self.scheme,
            task=self.task.value,
            context=self.context.value,
            patch=int(self.patch.value),
            batch=int(self.batch.value),
            seed=int(self.seed.value),
            **budget,
            **gan,
        )
        fresh = self.start.value in _SCRATCH
        start = zoo.SCRATCH if fresh else str(self.start.value)
        return RunSettings(start=start, device=str(self.device.value), config=config)

    @property
    def scheme(self) -> str:
        """How the networks are updated."""
        return _SCRATCH.get(str(self.start.value), "fine-tune")

    def restore(self, settings: dict[str, Any]) -> None:
        """Take over remembered settings; those of another version are left out."""
        settings = {"start": START} | settings
        if isinstance(measured := settings.get(_MEASURED), dict):
            self._measured = measured
        for name in _REMEMBERED:
            if name in settings:
                try:
                    getattr(self, name).value = settings[name]
                except (ValueError, TypeError):
                    continue  # the default serves
        self._show_budget()

    def remembered(self) -> dict[str, Any]:
        """Return the settings to remember."""
        values = {name: getattr(self, name).value for name in _REMEMBERED}
        return values | {_MEASURED: self._measured}

    def remember_step(self, seconds: float) -> None:
        """Remember how long a step takes with these settings."""
        self._measured[self._measured_with] = seconds
        self._show_budget()

    def choose_start(self, name: str) -> None:
        """Choose a model that may be new."""
        self.start.reset_choices()
        self.start.value = name

    def follow(self, old: str, new: str) -> None:
        """Offer the models there are now; `old`, if it is chosen, is now `new`."""
        if new and self.start.value == old:
            self.choose_start(new)
        else:
            self.start.reset_choices()

    def show_task(self, task: Task | None) -> None:
        """Say what `auto` means for the pairs; None: there are none."""
        self.kind_note.value = (
            ""
            if task is None or self.task.value != "auto"
            else f"These pairs teach {ASKED[task]}."
        )
        self.kind_note.visible = bool(self.kind_note.value)

    def _start_choices(self, _: Any = None) -> list[str]:
        return [model.name for model in zoo.look()[0]] + list(_SCRATCH)

    def _on_start(self, *_: object) -> None:
        """Suggest what suits the scheme."""
        if self.scheme != self._suited_for:
            self._suited_for = self.scheme
            suited = FineTuneConfig.preset(self.scheme)
            for name in _SUITED:
                getattr(self, name).value = getattr(suited, name)
            self.gan.visible = self.scheme == "fine-tune"
        if self.start.value not in _SCRATCH and self.start.value is not None:
            with contextlib.suppress(ColorganError):  # said when the training starts
                explain(self.start, zoo.find(str(self.start.value)).description)

    def _show_budget(self, *_: object) -> None:
        by_steps = self.budget.value == "steps"
        self.steps.visible, self.minutes.visible = by_steps, not by_steps
        steps, step = int(self.steps.value), self._step_seconds
        if by_steps:
            text = f"{steps} steps; how long they take is measured first."
        elif step:
            steps = max(1, int(60 * self.minutes.value / step))
            text = f"About {steps} steps, if they are as fast as last time."
        else:
            text = "How many steps fit is measured first."
        warning = ""
        if by_steps or step:
            fresh = self.start.value in _SCRATCH
            warning = warn_of_few(steps, fresh=fresh, step=step)
        say(self.estimate, warning or text)

    @property
    def _step_seconds(self) -> float:
        """How long a step took when it was last measured with these settings; 0: no."""
        return float(self._measured.get(self._measured_with, 0.0))

    @property
    def _measured_with(self) -> str:
        settings = (self.start, self.patch, self.batch, self.device)
        return ", ".join(str(setting.value) for setting in settings)


def _choices(words: Mapping[Any, str]) -> list[tuple[str, str]]:
    """Choices of a picker that shows words instead of values."""
    return [(text, value) for value, text in words.items()]
