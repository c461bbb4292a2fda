"""What colours are made with, as a form, a command line or Python says it."""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.declared import Range, check_declared, check_names
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.palettes import Palette

if TYPE_CHECKING:  # torch
    from napari_colorgan.checkpoints.store import Checkpoint


DEVICES = ("auto", "cpu", "cuda", "mps")
"""Kinds of device, and the wish for the fastest there is."""

ENGINES = ("auto", "torch", "torch-half", "openvino", "openvino-half")
"""What computes, and the wish for the fastest there is; half: in 16 bits of float."""

_LONGEST = 32  # characters
_LARGEST = 1 << 20
_SIDES = f"a whole number of px, at most {_LARGEST}"
Device = Annotated[
    str, Range(f"one of {', '.join(DEVICES)}", lambda wish: len(wish) < _LONGEST)
]
EngineName = Annotated[
    str, Range(f"one of {', '.join(ENGINES)}", lambda wish: wish in ENGINES)
]
Tile = Annotated[int, Range(_SIDES, lambda n: n <= _LARGEST)]
WorkingSize = Annotated[
    int, Range(f"32 px or more, at most {_LARGEST}", lambda n: 32 <= n <= _LARGEST)
]
Vividness = Annotated[
    float, Range("from 0 (cautious) to 1 (vivid)", lambda x: 0 <= x <= 1)
]
Saturation = Annotated[float, Range("from 0 (gray) to 2", lambda x: 0 <= x <= 2)]
Warmth = Annotated[float, Range("from -1 (cold) to 1 (warm)", lambda x: -1 <= x <= 1)]
Steady = Annotated[
    float, Range("from 0 (each plane alone) to 1", lambda x: 0 <= x <= 1)
]


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
    device: Device = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, ... or `mps`."""
    engine: EngineName = "auto"
    """What computes: `torch`, `openvino` (on a CPU, with the extra `fast`), or these in
    half precision: `torch-half`, `openvino-half`. `auto`: in `local` context what a
    measurement, made once per model, finds to be the fastest of those whose colours are
    torch's within one grey level for 99.9 % of the pixels; in `whole`, torch."""
    tile: Tile | None = None
    """Side of a `local` window in px, halo included; None: 1152. Networks of strides
    above 128 px read larger ones, or most of each would be halo."""
    working_size: WorkingSize | None = None
    """Shorter side in px at which `whole` sees a plane; None: the model's own."""
    vividness: Vividness | None = None
    """0 (cautious: pale where in doubt) to 1 (vivid), for models that know their
    doubts; None: the model's own. A palette tells how vivid colours are: its strength
    is the part of vividness that it replaces."""
    palette: Palette | None = None
    """Which colours there are, for models that take a palette."""
    saturation: Saturation = 1.0
    """All chroma times this, 0 (gray) to 2, of models that keep lightness. The colours
    of hints stay what they are, with warmth, too."""
    warmth: Warmth = 0.0
    """-1 (cold) to 1 (as if the light were of 5000 K instead of 6500 K), for the same
    models."""

    steady: Steady = 0.0
    """How much the colours of a stack are averaged with those of the two planes before
    and the two after, where the gray does not change: 0 (each plane alone) to 1 (all
    five alike), along T or else Z, for models that keep lightness. Single pictures and
    channels stay what they are."""

    def __post_init__(self) -> None:
        check_declared(self, Checkpoint=Any)
        if isinstance(self.model, str | Path):
            return
        from napari_colorgan.checkpoints.store import Checkpoint

        if not isinstance(self.model, Checkpoint):
            expected = "a model's name, the path of a checkpoint, or a checkpoint"
            raise BadSetting("model", self.model, expected)

    @classmethod
    def of(
        cls, model: "str | Path | Checkpoint | ColorizerSettings", **options: Any
    ) -> "ColorizerSettings":
        """Make settings of a model, or change some options of settings."""
        check_names(options, [setting.name for setting in fields(cls)])
        if isinstance(model, ColorizerSettings):
            return replace(model, **options)
        return cls(**({"model": model} | options))
