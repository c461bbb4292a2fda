"""The settings that all trainings share: how networks learn, whatever from."""

from dataclasses import dataclass
from typing import Literal

from napari_colorgan.checkpoints.metadata import CodecName
from napari_colorgan.errors import BadSetting
from napari_colorgan.training.config.checks import (
    check_choice,
    check_not_negative,
    check_part,
    check_whole,
)

Task = Literal["colorization", "translation"]
"""What a pair teaches: ab for a kept L, or all of RGB."""
CODEC_OF: dict[Task, CodecName] = {"colorization": "lab", "translation": "rgb"}
CLASSIC = ("paper", "notebook")
"""Schemes that are published recipes: GAN from the first step, no averaged weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningConfig:
    """How networks learn; what has no default here has one of its own in each kind."""

    scheme: str
    """How the networks are updated; see `training.updates`."""
    task: Task | Literal["auto"] = "auto"
    """`auto`: colorization where the lightness of the colour explains the gray."""
    learning_rate: float = 1e-3
    """Of the generator (of its decoder, where it has an encoder of its own)."""
    encoder_rate: float
    """Of a pretrained encoder."""
    weight_decay: float = 0.02
    """Of AdamW, on everything; `paper` and `notebook` use Adam, which has none."""
    ema: float
    """Decay of the exponential moving average of the weights, which is what is kept;
    0: the weights themselves."""
    pixel_weight: float = 100.0
    """Weight of L1 against the GAN loss in `paper` and `notebook` (pix2pix: 100)."""
    gan_phase: float
    """Last part of the steps with a discriminator; 0: none. `paper` and `notebook` have
    one all the time."""
    gan_weight: float
    """Weight of the GAN loss in that phase, beside a pixel loss of weight 1."""
    feature_weight: float
    """Weight of feature matching in that phase."""
    discriminator_rate: float = 2e-4
    """Learning rate of the discriminator."""
    discriminator_width: int = 32
    """Channels of the discriminator's first layer; pix2pix: 64."""
    gray_augmentation: float = 0.3
    """Share of crops whose gray side alone gets another gamma, contrast and noise."""
    aging: float = 0.0
    """Share of crops whose gray side alone becomes a scan of an old photograph."""
    display: float = 0.0
    """Share of crops whose gray side alone is shown within narrower contrast limits, as
    viewers do; see `augment.display_gray`."""
    min_magnification: float = 1.0
    """Crops of `local` are reduced down to this part of their magnification, as other
    objectives and binning show them; 1: about at their own."""
    max_magnification: float = 1.0
    """And enlarged up to this multiple; every factor of two is drawn alike."""
    hints: float
    """Share of crops that come with a few simulated colour hints, for generators that
    take them."""
    seed: int = 1
    """Of all randomness."""

    def _check_learning(self) -> None:
        check_choice(self, "task", ("auto", "colorization", "translation"))
        check_not_negative(
            self,
            "learning_rate",
            "encoder_rate",
            "weight_decay",
            "pixel_weight",
            "gan_weight",
            "feature_weight",
            "discriminator_rate",
        )
        check_part(self, "gan_phase", "gray_augmentation", "aging", "display", "hints")
        if not 0 < self.min_magnification <= 1:
            expected = "above 0 and at most 1"
            raise BadSetting("min_magnification", self.min_magnification, expected)
        if not 1 <= self.max_magnification <= 8:
            raise BadSetting("max_magnification", self.max_magnification, "from 1 to 8")
        check_whole(self, "seed", least=0)
        if not 0 <= self.ema < 1:
            raise BadSetting("ema", self.ema, "from 0 to below 1")

    def gan_start(self, steps: int) -> int:
        """First step with a discriminator."""
        if self.scheme in CLASSIC:
            return 0
        return steps - round(self.gan_phase * steps)


def classic_part(step: int, steps: int) -> float:
    """Part of a learning rate that is left at a step of the schemes in `CLASSIC`.

    All for half of the steps, then down to zero in a line, as the PyTorch pix2pix code
    does.
    """
    return min(1.0, 2 - 2 * step / steps)
