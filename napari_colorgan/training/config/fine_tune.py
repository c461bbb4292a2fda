"""Settings of a training on pairs, and the published recipes among them."""

import math
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.errors import BadSetting
from napari_colorgan.training.config.checks import (
    check_choice,
    check_names,
    check_part,
    check_real,
    check_whole,
)
from napari_colorgan.training.config.learning import LearningConfig, classic_part

Scheme = Literal["fine-tune", "paper", "notebook"]
"""How the networks are updated by pairs; see `training.updates`."""
Precision = Literal["float32", "bfloat16"]
START = "micro"
"""Model that a fine-tuning starts with, where none is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneConfig(LearningConfig):
    """How to train a generator on pairs; the defaults suit 1 to 10 pairs on a CPU."""

    scheme: Scheme = "fine-tune"
    """`fine-tune`: pixel loss first, a short GAN phase last, averaged weights; `paper`
    and `notebook`: the recipes of these names, see `preset`."""
    context: Context | Literal["auto"] = "auto"
    """`local`: patches at native resolution (micrographs); `whole`: large parts of the
    pictures, reduced (photographs); `auto`: as the start was trained, else `local`."""
    minutes: float = 5.0
    """Time to train, turned into a number of steps before the start; unless `steps`."""
    steps: int | None = None
    """Optimizer updates in all."""
    patch: int = 192
    """Side of a training patch in px, a multiple of 32; enlarged to a multiple of the
    stride of the model that is started from."""
    batch: int = 4
    """Patches per step."""
    rate_floor: float = 0.05
    """Part of the learning rates that is left at the end."""
    validation: float = 0.2
    """Share held out: of the pairs, or of the pixels of a single one."""
    validations: int = 30
    """How often the held-out part is scored, at most, during a run."""
    patience: int = 10
    """Stop after so many validations without a better score; 0: never."""
    precision: Precision | Literal["auto"] = "auto"
    """`auto`: bfloat16 where it is measured to be faster."""

    # defaults of what `LearningConfig` describes
    encoder_rate: float = 2e-4
    ema: float = 0.99
    gan_phase: float = 0.15
    gan_weight: float = 0.02
    feature_weight: float = 0.2
    hints: float = 0.1
    seed: int = 1
    """Two runs are equal if they also have the same number of steps and precision,
    which `minutes` and `auto` make depend on the machine's speed."""

    @classmethod
    def preset(cls, scheme: str, **others: Any) -> Self:
        """Return the settings of a scheme, some of them replaced.

        `paper`: Isola et al. 2017 (arXiv 1611.07004, 3.3): Adam of rate 2e-4, batch 1,
        100 L1 + GAN, jitter and flips. `notebook`: whole pictures resized to 256 px, in
        batches of 16, gray to RGB.

        Raises
        ------
        BadSetting
            The scheme or a setting is unknown or impossible.
        """
        if scheme not in _PRESETS:
            raise BadSetting("scheme", scheme, f"one of {', '.join(_PRESETS)}")
        check_names(others, [one.name for one in fields(cls)])
        return cls(**({"scheme": scheme} | _PRESETS[scheme] | others))

    def __post_init__(self) -> None:
        check_choice(self, "scheme", ("fine-tune", "paper", "notebook"))
        check_choice(self, "context", ("auto", "local", "whole"))
        check_choice(self, "precision", ("auto", "float32", "bfloat16"))
        floats = [one.name for one in fields(self) if isinstance(one.default, float)]
        check_real(self, *floats)
        check_whole(self, "batch", "discriminator_width", "validations", least=1)
        check_whole(self, "patience", least=0)
        if self.steps is not None:
            check_whole(self, "steps", least=1)
        check_whole(self, "patch", least=32)
        if self.patch % 32:
            raise BadSetting("patch", self.patch, "a multiple of 32 px")
        if not 0 < self.minutes < math.inf:
            raise BadSetting("minutes", self.minutes, "above 0")
        check_part(self, "rate_floor")
        if not 0 < self.validation <= 0.9:
            raise BadSetting("validation", self.validation, "above 0 and at most 0.9")
        self._check_learning()

    def rates(self, step: int, steps: int) -> tuple[float, float]:
        """Learning rates of generator (decoder) and encoder at a step.

        `fine-tune`: up within 20 steps, then down to the floor along a half cosine.
        `paper`, `notebook`: see `classic_part`, but down to the floor.
        """
        if self.scheme == "fine-tune":
            fall = (1 + math.cos(math.pi * step / steps)) / 2
            warm_up = min(1.0, (step + 1) / 20)
        else:
            fall, warm_up = classic_part(step, steps), 1.0
        part = warm_up * (self.rate_floor + (1 - self.rate_floor) * fall)
        return part * self.learning_rate, part * self.encoder_rate


_AS_PUBLISHED: dict[str, Any] = {
    "learning_rate": 2e-4,
    "patch": 256,
    "ema": 0.0,
    "discriminator_width": 64,
    "gray_augmentation": 0.0,
    "rate_floor": 0.0,
}
_PRESETS: dict[str, dict[str, Any]] = {
    "fine-tune": {},
    "paper": _AS_PUBLISHED | {"batch": 1},
    "notebook": _AS_PUBLISHED
    | {"batch": 16, "context": "whole", "task": "translation"},
}
