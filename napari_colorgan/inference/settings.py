"""What colours are made with, as a form, a command line or Python says it."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.palettes import Palette

if TYPE_CHECKING:  # torch
    from napari_colorgan.checkpoints.store import Checkpoint


DEVICES = ("auto", "cpu", "cuda", "mps")
"""Kinds of device, and the wish for the fastest there is."""

ENGINES = ("auto", "torch", "torch-half", "openvino", "openvino-half")
"""What computes, and the wish for the fastest there is; half: in 16 bits of float."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColorizerSettings:
    """A model and how it is used; small and picklable, unless it is a checkpoint.

    What belongs to a picture, such as its limits, is in its `Source`.

    Raises
    ------
    BadSetting
        A value is impossible, whatever the model.
    """

    model: "str | Path | Checkpoint" = zoo.DEFAULT
    """A model's name, the path of a checkpoint, or a checkpoint."""
    context: Context | None = None
    """`whole` (each plane resized once, for photographs) or `local` (windows at native
    resolution, for micrographs); None: what the model was trained for."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, ... or `mps`."""
    engine: str = "auto"
    """What computes: `torch`, `openvino` (on a CPU, with the extra `fast`), or these in
    half precision: `torch-half`, `openvino-half`. `auto`: in `local` context what a
    measurement, made once per model, finds to be the fastest of those whose colours are
    torch's within one grey level for 99.9 % of the pixels; in `whole`, torch."""
    tile: int | None = None
    """Side of a `local` window in px, halo included; None: 1152. Networks of strides
    above 128 px read larger ones, or most of each would be halo."""
    working_size: int | None = None
    """Shorter side in px at which `whole` sees a plane; None: the model's own."""
    vividness: float | None = None
    """0 (cautious: pale where in doubt) to 1 (vivid), for models that know their
    doubts; None: the model's own. A palette tells how vivid colours are: its strength
    is the part of vividness that it replaces."""
    palette: Palette | None = None
    """Which colours there are, for models that take a palette."""
    saturation: float = 1.0
    """All chroma times this, 0 (gray) to 2, of models that keep lightness. The colours
    of hints stay what they are, with warmth, too."""
    warmth: float = 0.0
    """-1 (cold) to 1 (as if the light were of 5000 K instead of 6500 K), for the same
    models."""

    steady: float = 0.0
    """How much the colours of a stack are averaged with those of the two planes before
    and the two after, where the gray does not change: 0 (each plane alone) to 1 (all
    five alike), along T or else Z, for models that keep lightness. Single pictures and
    channels stay what they are."""

    def __post_init__(self) -> None:
        if self.context not in (None, *get_args(Context)):
            raise BadSetting("context", self.context, "'whole' or 'local'")
        if self.engine not in ENGINES:
            expected = f"one of {', '.join(ENGINES)}"
            raise BadSetting("engine", self.engine, expected)
        if self.vividness is not None and not 0 <= self.vividness <= 1:
            expected = "from 0 (cautious) to 1 (vivid)"
            raise BadSetting("vividness", self.vividness, expected)
        if not 0 <= self.saturation <= 2:
            raise BadSetting("saturation", self.saturation, "from 0 (gray) to 2")
        if not -1 <= self.warmth <= 1:
            raise BadSetting("warmth", self.warmth, "from -1 (cold) to 1 (warm)")
        if not 0 <= self.steady <= 1:
            raise BadSetting("steady", self.steady, "from 0 (each plane alone) to 1")
        if self.working_size is not None and self.working_size < 32:
            raise BadSetting("working_size", self.working_size, "32 px or more")

    @classmethod
    def of(
        cls, model: "str | Path | Checkpoint | ColorizerSettings", **options: Any
    ) -> "ColorizerSettings":
        """Make settings of a model, or change some options of settings."""
        if isinstance(model, ColorizerSettings):
            return replace(model, **options)
        return cls(model=model, **options)
