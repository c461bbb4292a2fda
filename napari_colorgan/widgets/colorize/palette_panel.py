"""Which colours there are: those of a reference, and a tint."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, Container, FloatSlider, Label
from napari.layers import Image
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_colorgan.inference.intensity import to_bytes
from napari_colorgan.inference.palettes import PRESETS, Palette, read_palette
from napari_colorgan.widgets.parts.canvas_pick import PickButton
from napari_colorgan.widgets.parts.layers import is_color
from napari_colorgan.widgets.parts.layout import say, shorten, wrap
from napari_colorgan.widgets.parts.levels import full_resolution
from napari_colorgan.widgets.parts.tint_pad import REACH, TintPad

_NONE = "none"
_FILE = "a file..."
_STRENGTH = 0.5
_PICTURES = "Pictures (*.png *.jpg *.jpeg *.tif *.tiff *.webp *.bmp)"


@dataclass(frozen=True, eq=False)
class Reference:
    """Where a palette is taken from; taken in the GUI thread, used in any."""

    name: str
    array: Any = None
    """Of an RGB layer."""
    path: Path | None = None
    preset: str | None = None

    @cached_property
    def palette(self) -> Palette:
        """Take it, once.

        Raises
        ------
        BadImageFile, BadSetting
        """
        if self.preset is not None:
            return Palette.preset(self.preset)
        if self.path is not None:
            return read_palette(self.path)
        picture = np.asarray(self.array[(0,) * (self.array.ndim - 3)])
        return Palette.of(to_bytes(picture), name=self.name)


@dataclass(frozen=True)
class PaletteChoice:
    """What the panel says."""

    reference: Reference | None
    tint: tuple[float, float] | None
    strength: float

    def palette(self) -> Palette:
        """Make the palette; see `Reference.palette` for what may be raised."""
        if self.reference is None:
            a, b = self.tint or (0.0, 0.0)
            return Palette.tinted(a, b, self.strength)
        palette = self.reference.palette.believed(self.strength)
        if self.tint is None:
            return palette
        chroma = palette.tint[2] if palette.tint else 0.0
        return replace(palette, tint=(*self.tint, max(chroma, np.hypot(*self.tint))))

    def as_python(self) -> Iterator[str]:
        """Lines that make the palette."""
        if self.reference is None:
            a, b = self.tint or (0.0, 0.0)
            yield f"palette = Palette.tinted({a!r}, {b!r}, {self.strength!r})"
            return
        if (preset := self.reference.preset) is not None:
            yield f"palette = Palette.preset({preset!r}, {self.strength!r})"
        elif (path := self.reference.path) is not None:
            yield f"palette = read_palette(Path({str(path)!r}), {self.strength!r})"
        else:
            name = self.reference.name
            yield f"reference = viewer.layers[{name!r}].data"
            yield f"palette = Palette.of(reference, {self.strength!r}, {name!r})"
        if self.tint is not None:
            palette = self.palette()
            yield f"palette = replace(palette, tint={palette.tint!r})"


class PalettePanel(QWidget):
    """Like this picture: a reference, how strongly it counts, and a tint.

    Parameters
    ----------
    on_neutral : gets the world's coordinates of what should be neither warm nor cold
    """

    changed = Signal()

    def __init__(self, viewer: Any, on_neutral: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._files: dict[str, Reference] = {}
        self._last = _NONE
        self._current: tuple[str, Reference | None] = ("", None)
        self.reference = ComboBox(
            label="Reference",
            choices=self._choices,
            tooltip="A picture with the colours that the result should have, anywhere: "
            "a layer, a file, or a usual kind of picture or stain",
        )
        shorten(self.reference)
        self.strength = FloatSlider(
            label="How strongly",
            min=0,
            max=1,
            step=0.05,
            value=_STRENGTH,
            tooltip="How likely it is that these colours fit: 0 is without them, 1 for "
            "another part of the same picture or slide",
        )
        self.pad = TintPad()
        self.neutral = PickButton(
            viewer,
            "This is neutral...",
            "Then click on something white or gray in the picture: the tint is set so "
            "that it becomes so",
            on_neutral,
        )
        self.no_tint = QPushButton("No tint")
        self.no_tint.clicked.connect(lambda: self.pad.set_value(None))
        self.note = wrap(Label(value="", visible=False))
        rows: Container[Any] = Container(widgets=[self.reference, self.strength])
        rows.margins = (0, 0, 0, 0)
        self._rows = rows  # not owned by Qt alone
        beside = QVBoxLayout()
        beside.addWidget(self.neutral)
        beside.addWidget(self.no_tint)
        beside.addStretch()
        tint = QHBoxLayout()
        tint.addWidget(self.pad)
        tint.addLayout(beside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.note.native)
        layout.addWidget(rows.native)
        layout.addLayout(tint)
        self.reference.changed.connect(self._on_reference)
        self.strength.changed.connect(self._on_strength)
        self.pad.changed.connect(self._on_tint)
        self._offer_no_tint()

    def choice(self) -> PaletteChoice | None:
        """Return what is chosen; None if nothing is, or if it cannot be used."""
        reference = self._reference()
        if not self._rows.enabled or (reference is None and self.pad.value is None):
            return None
        strength = round(float(self.strength.value), 2)
        return PaletteChoice(reference, self.pad.value, strength)

    def offer(self, missing: str) -> None:
        """Enable it, or say why it is of no use."""
        for part in (self._rows.native, self.pad, self.neutral, self.no_tint):
            part.setEnabled(not missing)
        self._offer_no_tint()
        say(self.note, missing)

    def reset_choices(self) -> None:
        """Look for layers anew; what is chosen stays if it is still there."""
        with self.reference.changed.blocked():
            self.reference.reset_choices()
        if str(self.reference.value) != self._last:  # its layer is gone
            self._on_reference()

    def make_neutral(self, a: float, b: float) -> None:
        """Set the tint with which a place is neutral, or the nearest that there is."""
        self.pad.set_value((a, b))
        if max(abs(a), abs(b)) > REACH:
            say(self.note, "No tint makes this place neutral: this one is the nearest.")

    def close_jobs(self) -> None:
        """Wait for no click any more."""
        self.neutral.cancel()

    def _choices(self, _: Any) -> list[str]:
        layers = [f"layer: {layer.name}" for layer in self._layers()]
        return [_NONE, *PRESETS, *layers, *self._files, _FILE]

    def _layers(self) -> list[Image]:
        return [layer for layer in reversed(self._viewer.layers) if is_color(layer)]

    def _reference(self) -> Reference | None:
        name = str(self.reference.value)
        if name in PRESETS:
            return self._known(name, Reference(name, preset=name))
        if name in self._files:
            return self._files[name]
        for layer in self._layers():
            if name == f"layer: {layer.name}":
                array = full_resolution(layer)
                return self._known(name, Reference(layer.name, array=array))
        return None

    def _known(self, key: str, reference: Reference) -> Reference:
        """Return what is known of the reference chosen last, if it is this one."""
        name, known = self._current
        if name != key or known is None or known.array is not reference.array:
            self._current = key, reference
            return reference
        return known

    def _on_reference(self) -> None:
        if self.reference.value == _FILE:
            path, _ = QFileDialog.getOpenFileName(self, "Reference", "", _PICTURES)
            name = self._last
            if path:
                name = f"file: {Path(path).name}"
                self._files[name] = Reference(Path(path).name, path=Path(path))
            with self.reference.changed.blocked():
                self.reference.reset_choices()
                self.reference.value = name
            if not path:
                return
        self._last = str(self.reference.value)
        self.changed.emit()

    def _on_strength(self) -> None:
        if self._reference() is not None or self.pad.value is not None:
            self.changed.emit()

    def _on_tint(self) -> None:
        if self._reference() is None and self.strength.value == _STRENGTH:
            with self.strength.changed.blocked():
                self.strength.value = 1.0  # a tint is what the user sees, for sure
        self._offer_no_tint()
        say(self.note, "")
        self.changed.emit()

    def _offer_no_tint(self) -> None:
        self.no_tint.setEnabled(self.pad.isEnabled() and self.pad.value is not None)
