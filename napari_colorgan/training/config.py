"""Settings of training; free of torch, so that forms and command lines open at once."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from napari_colorgan.errors import BadSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How to train a compact colorization generator on folders of colour pictures."""

    steps: int = 10_000
    """Optimizer updates in all; every schedule is a function of the step."""
    decoder_steps: int = 6_000
    """Updates at the start during which the pretrained encoder stays as it is."""
    batch: int = 16
    """Crops per step."""
    crop: int = 128
    """Side of a training crop in px, a multiple of 32."""
    min_scale: float = 0.6
    """Smallest crop, as a part of the picture's shorter side, before it is resized."""
    cache_side: int = 208
    """Shorter side in px at which pictures are kept in memory."""
    learning_rate: float = 1e-3
    """Of AdamW for the decoder, at the start; it falls to zero along a half cosine."""
    encoder_rate: float = 1e-4
    """Of AdamW for the encoder, once it is trained."""
    weight_decay: float = 0.02
    """Of AdamW, on everything."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights that is shipped."""
    gray_augmentation: float = 0.3
    """Share of crops whose gray side alone gets another gamma, contrast and noise."""
    hints: float = 0.25
    """Share of crops that come with a few simulated colour hints."""
    seed: int = 1
    """Of all randomness."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "cache_side"):
            if getattr(self, name) < 1:
                raise BadSetting(name, getattr(self, name), "at least 1")
        if self.crop < 32 or self.crop % 32:
            raise BadSetting("crop", self.crop, "a multiple of 32 px")
        if not 0 < self.min_scale <= 1:
            raise BadSetting("min_scale", self.min_scale, "above 0 and at most 1")
        for name in ("gray_augmentation", "hints"):
            if not 0 <= getattr(self, name) <= 1:
                raise BadSetting(name, getattr(self, name), "from 0 to 1")
        if not 0 <= self.ema < 1:
            raise BadSetting("ema", self.ema, "from 0 to below 1")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Check names and make a config.

        Raises
        ------
        BadSetting
        """
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(values) - known):
            raise BadSetting(
                "setting", unknown[0], f"one of {', '.join(sorted(known))}"
            )
        return cls(**values)

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a recipe file.

        Raises
        ------
        BadSetting
            The file cannot be read, or a setting is unknown or impossible.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadSetting(
                "recipe", str(path), f"a readable TOML file ({error})"
            ) from error
        return cls.from_dict(values)
