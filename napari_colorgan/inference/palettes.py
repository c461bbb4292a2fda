"""Colours that a user gives without places."""

import json
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from napari_colorgan.arrays import RGB
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.intensity import to_bytes

if TYPE_CHECKING:
    from torch import Tensor

_LEAST_CHROMA = 1.5  # units of ab, on average, of a reference
_LEAST_PIXELS = 64
_MOST_AB = 200  # units of Lab; of colours that a screen can show, 134
_SAMPLED = 512  # px; side of what is taken of a large reference
_USUAL_CHROMA = 11.0  # units of ab; mean of photographs

PRESETS = ("warm print", "daylight", "H&E", "DAB", "Giemsa")
"""Names of palettes that are there without a reference."""
PRESET_FILE = Path(__file__).parents[1] / "data" / "palettes.json"
"""Of each, shares of the colours of `color_bins` (of any sum) and the tint; made by
`tests/benchmarks/presets.py`."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Which colours a picture has, without their places.

    Small, picklable and comparable, so that all slides of a study can share one.
    """

    colors: tuple[float, ...] | None
    """Share of each of the colours of `color_bins`; None: only the tint is known."""
    tint: tuple[float, float, float] | None
    """Mean a, b and chroma, in units of Lab; None: only the colours are known."""
    strength: float = 0.5
    """How likely it is that the palette fits, from 0 to 1: the generator believes it so
    far. 1 is for another part of the same picture or slide."""
    name: str = ""
    """Of what it was taken from, for the metadata of a result."""

    def __post_init__(self) -> None:
        # also if it is NaN
        if not isinstance(self.strength, Real) or not 0 <= self.strength <= 1:
            raise BadSetting("strength of the palette", self.strength, "from 0 to 1")
        if self.tint is not None and not all(abs(x) <= _MOST_AB for x in self.tint):
            expected = f"a, b and chroma of Lab, each at most {_MOST_AB}"
            raise BadSetting("tint", self.tint, expected)
        if self.colors is None and self.tint is None:
            raise BadSetting("palette", None, "colours, a tint, or both")

    @classmethod
    def of(cls, reference: RGB, strength: float = 0.5, name: str = "") -> Self:
        """Take the palette of a colour picture (Y, X, 3) uint8; alpha is left aside.

        Raises
        ------
        BadSetting
            It is gray, tiny or no RGB picture of 8 bits.
        """
        rgb = np.asarray(reference)
        if rgb.ndim != 3 or rgb.shape[2] not in (3, 4) or rgb.dtype != np.uint8:
            found = f"{rgb.dtype} of shape {rgb.shape}"
            raise BadSetting("reference", found, "a colour picture (Y, X, 3) of uint8")
        if rgb.shape[0] * rgb.shape[1] < _LEAST_PIXELS:
            found = f"{rgb.shape[0]} x {rgb.shape[1]} px"
            raise BadSetting("reference", found, f"of {_LEAST_PIXELS} pixels or more")
        import torch

        from napari_colorgan.color import AB_SCALE, rgb_to_lab
        from napari_colorgan.color_bins import color_histogram

        step = [max(1, side // _SAMPLED) for side in rgb.shape[:2]]
        sample = rgb[:: step[0], :: step[1], :3].copy()
        lab = rgb_to_lab(torch.from_numpy(sample).permute(2, 0, 1)[None] / 255)
        a, b = lab[0, 1:].mean((1, 2)).tolist()
        chroma = lab[0, 1:].norm(dim=0).mean().item()
        if chroma < _LEAST_CHROMA:
            raise BadSetting("reference", name or "a gray picture", "one with colour")
        colors = color_histogram(lab[:, 1:] / AB_SCALE)[0].tolist()
        return cls(tuple(colors), (a, b, chroma), strength, name)

    @classmethod
    def preset(cls, name: str, strength: float = 0.5) -> Self:
        """Return a palette of `PRESETS`: a kind of photograph, or a stain.

        Raises
        ------
        BadSetting
            There is none of this name.
        """
        known = {each.casefold(): each for each in PRESETS}
        if not isinstance(name, str) or name.casefold() not in known:
            expected = f"one of {', '.join(PRESETS)}"
            raise BadSetting("palette", name, expected)
        name = known[name.casefold()]
        stored = json.loads(PRESET_FILE.read_text(encoding="utf-8"))[name]
        total = sum(stored["colors"])
        colors = tuple(share / total for share in stored["colors"])
        a, b, chroma = stored["tint"]
        return cls(colors, (a, b, chroma), strength, name)

    @classmethod
    def tinted(cls, a: float, b: float, strength: float = 1.0) -> Self:
        """Ask for a mean colour alone: a from green to red, b from blue to yellow."""
        if not (isinstance(a, Real) and isinstance(b, Real)):
            raise BadSetting("tint", (a, b), "two numbers: a and b of Lab")
        chroma = max(float(np.hypot(a, b)), _USUAL_CHROMA)
        return cls(None, (a, b, chroma), strength, f"tint {a:.0f}, {b:.0f}")

    def believed(self, strength: float) -> Self:
        """Return the palette with another strength."""
        return replace(self, strength=strength)

    def record(self) -> dict[str, Any]:
        """Return what the metadata of a result say of it: arguments of `Palette`."""
        said: dict[str, Any] = {"name": self.name, "strength": self.strength}
        if self.tint is not None:
            said["tint"] = tuple(round(value, 3) for value in self.tint)
        if self.colors is not None:
            said["colors"] = tuple(round(share, 5) for share in self.colors)
        return said

    def tensor(self) -> "Tensor":
        """Return what generators take, (1, P); see `models.palette.palette_input`."""
        import torch

        from napari_colorgan.color import AB_SCALE
        from napari_colorgan.color_bins import BIN_COUNT
        from napari_colorgan.models.palette import palette_input

        colors = torch.zeros(1, BIN_COUNT)
        if self.colors is not None:
            if len(self.colors) != BIN_COUNT:
                expected = f"{BIN_COUNT} shares, as Palette.of counts them"
                raise BadSetting("palette", f"of {len(self.colors)} colours", expected)
            colors[0] = torch.tensor(self.colors)
        # numbers may be numpy's, which would become float64
        tint = torch.tensor([self.tint or (0.0, 0.0, 0.0)], dtype=torch.float32)
        return palette_input(
            colors,
            tint / AB_SCALE,
            strength=torch.tensor([self.strength], dtype=torch.float32),
            has_colors=torch.tensor([float(self.colors is not None)]),
            has_tint=torch.tensor([float(self.tint is not None)]),
        )


def read_palette(path: Path, strength: float = 0.5) -> Palette:
    """Take the palette of a colour picture in a file; of a stack, its first plane.

    Raises
    ------
    BadImageFile, BadSetting
    """
    from napari_colorgan.image_io.reading import read_image

    picture = np.asarray(read_image(path).array)
    while picture.ndim > 3:
        picture = picture[0]
    if picture.dtype == np.uint16:
        picture = to_bytes(picture)
    return Palette.of(picture, strength, path.name)
