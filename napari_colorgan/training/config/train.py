"""Settings of a training on folders of colour pictures."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.errors import BadSetting
from napari_colorgan.training.config.checks import (
    check_choice,
    check_names,
    check_part,
)
from napari_colorgan.training.config.learning import (
    CLASSIC,
    LearningConfig,
    classic_part,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(LearningConfig):
    """How to train a colorization generator on folders of colour pictures."""

    scheme: Literal["phases", "paper", "notebook"] = "phases"
    """`phases`: the decoder of a pretrained `compact`, then all of it, a GAN at the
    end; `paper`: fresh weights, Adam, 100 L1 + GAN; `notebook`: the same with both
    gradients from one pass, and pictures squeezed to squares. See `updates`."""
    validation: float = 0.1
    """Share of the pictures that is held out to judge by."""
    steps: int = 10_000
    """Optimizer updates in all; every schedule is a function of the step."""
    decoder_steps: int = 6_000
    """Updates at the start during which the pretrained encoder stays as it is."""
    batch: int = 16
    """Crops per step."""
    crop: int = 128
    """Side of a training crop in px, a multiple of 32."""
    context: Context = "whole"
    """`whole`: crops are large parts of pictures, reduced, as the generator will see
    planes; `local`: crops are cut out at native resolution, and also turned."""
    min_scale: float = 0.6
    """Smallest crop of `whole`, as a part of the picture's shorter side."""
    cache_side: int = 208
    """Shorter side in px at which pictures are kept in memory."""
    vividness: float = 0.5
    """At which the discriminator sees a generator that predicts chroma, and at which
    its checkpoint is meant to be used; 0 is cautious, 1 is vivid."""
    knee: float = 20.0
    """Error, in units of ab, at which the pixel loss of `phases` turns from quadratic
    to linear. A small one lets pictures with faint colours count as much as others."""

    # defaults of what `LearningConfig` describes
    encoder_rate: float = 1e-4
    ema: float = 0.999
    gan_phase: float = 0.0
    gan_weight: float = 0.01
    feature_weight: float = 0.1
    hints: float = 0.25

    def __post_init__(self) -> None:
        check_choice(self, "scheme", ("phases", "paper", "notebook"))
        check_choice(self, "context", ("whole", "local"))
        for name in ("steps", "batch", "cache_side", "discriminator_width"):
            if (value := getattr(self, name)) < 1:
                raise BadSetting(name, value, "at least 1")
        if self.crop < 32 or self.crop % 32:
            raise BadSetting("crop", self.crop, "a multiple of 32 px")
        if not 0 < self.min_scale <= 1:
            raise BadSetting("min_scale", self.min_scale, "above 0 and at most 1")
        check_part(
            self,
            "vividness",
        )
        if not 0 < self.knee < math.inf:
            raise BadSetting("knee", self.knee, "above 0")
        if not 0 <= self.validation <= 0.9:
            raise BadSetting("validation", self.validation, "from 0 to 0.9")
        self._check_learning()

    def rates(self, step: int, steps: int) -> tuple[float, float]:
        """Learning rates of decoder (or generator) and encoder at a step.

        `phases`: up within 100 steps, then down to zero along a half cosine; the
        encoder's is zero at first. `paper`, `notebook`: see `classic_part`.
        """
        if self.scheme in CLASSIC:
            part = classic_part(step, steps)
            return part * self.learning_rate, part * self.encoder_rate
        fall = (1 + math.cos(math.pi * step / steps)) / 2
        warm_up = min(1.0, (step + 1) / 100)
        encoder = self.encoder_rate * fall if step >= self.decoder_steps else 0.0
        return self.learning_rate * fall * warm_up, encoder

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Check names and types and make a config.

        Raises
        ------
        BadSetting
        """
        known = {one.name: type(one.default) for one in fields(cls)}
        check_names(values, known)
        for name, value in values.items():
            wanted = known[name]
            whole_number = wanted is float and type(value) is int
            if type(value) is not wanted and not whole_number:
                raise BadSetting(name, value, f"of type {wanted.__name__}")
        return cls(**values)
