"""How a training changes its networks: in phases, or as a published recipe does.

A scheme knows the networks to begin with, the optimizer, the schedule and the update.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from napari_colorgan.errors import BadSetting
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.first_weights import draw_weights
from napari_colorgan.training.losses import KNEE
from napari_colorgan.training.samplers import Batch
from napari_colorgan.training.settings import FineTuneConfig, Settings, TrainConfig
from napari_colorgan.training.updates import (
    Losses,
    Networks,
    late_gan_update,
    pixel_update,
    sequential_update,
    simultaneous_update,
)

_RAMP = 1 / 3  # part of the GAN phase in which its weight rises from zero


@dataclass(frozen=True)
class Scheme(ABC):
    """How a training changes its networks; follows from the number of a step alone."""

    settings: Settings
    rate_floor: float
    """Part of the learning rates that is left at the end."""
    learns_statistics: ClassVar[bool]
    """Whether normalisation learns those of what is trained on."""

    def rates(self, step: int, steps: int) -> tuple[float, float]:
        """Learning rates of decoder (or generator) and encoder at a step of all."""
        part = self._warm_up(step)
        part *= self.rate_floor + (1 - self.rate_floor) * self._fall(step, steps)
        return part * self.settings.learning_rate, part * self.settings.encoder_rate

    def only_additions(self, step: int) -> bool:
        """Whether a step changes only `Compact.additions`."""
        return False

    def gan_start(self, steps: int) -> int:
        """First step with a discriminator."""
        return 0

    @abstractmethod
    def generator(self, channels: int, patch: int) -> tuple[str, dict[str, Any]]:
        """Name and options of a generator with fresh weights.

        Raises
        ------
        BadSetting
        """

    @abstractmethod
    def discriminator(self, channels: int) -> PatchDiscriminator | None:
        """Make one that sees `channels`; None where none is needed."""

    @abstractmethod
    def optimizer(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make that of the generator."""

    @abstractmethod
    def update(
        self,
        networks: Networks,
        batch: Batch,
        random: torch.Generator,
        step: int,
        steps: int,
    ) -> Losses:
        """Do one step of all; returns the losses by name."""

    def _warm_up(self, step: int) -> float:
        return 1.0

    @abstractmethod
    def _fall(self, step: int, steps: int) -> float:
        """Part of the rates, above the floor, that is left at a step."""


@dataclass(frozen=True)
class Phases(Scheme):
    """Pixel loss first, a short GAN phase last, averaged weights.

    The rates rise at first and then fall along a half cosine.
    """

    warm_up: int
    """Steps in which the rates rise."""
    learns_statistics: ClassVar[bool] = False  # few pairs say little about them
    decoder_steps: int = 0
    """Steps at the start during which the encoder rests."""
    addition_steps: int = 0
    """Steps at the start during which all rests that a plain `compact` has."""
    vividness: float = 0.0
    knee: float = KNEE

    def rates(self, step: int, steps: int) -> tuple[float, float]:
        """Learning rates of decoder (or generator) and encoder at a step of all."""
        decoder, encoder = super().rates(step, steps)
        return decoder, encoder if step >= self.decoder_steps else 0.0

    def only_additions(self, step: int) -> bool:
        """Whether a step changes only `Compact.additions`."""
        return step < self.addition_steps

    def gan_start(self, steps: int) -> int:
        """First step with a discriminator."""
        return steps - round(self.settings.gan_phase * steps)

    def generator(self, channels: int, patch: int) -> tuple[str, dict[str, Any]]:
        """Name and options of a generator with fresh weights."""
        return "compact", {"out_channels": channels}

    def discriminator(self, channels: int) -> PatchDiscriminator | None:
        """Make one that sees `channels`; None where there is no GAN phase."""
        if not self.settings.gan_phase:
            return None
        width = self.settings.discriminator_width
        return PatchDiscriminator(channels, width, norm="none")

    def optimizer(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make that of the generator."""
        decay = self.settings.weight_decay
        betas = (0.9, 0.99)
        # one pass over the weights instead of ten; not all of Apple's GPUs know it
        known = {"cpu", "cuda"}
        kinds = {p.device.type for group in groups for p in group["params"]}
        return torch.optim.AdamW(
            groups, weight_decay=decay, betas=betas, fused=kinds <= known
        )

    def update(
        self,
        networks: Networks,
        batch: Batch,
        random: torch.Generator,
        step: int,
        steps: int,
    ) -> Losses:
        """Do one step of all; returns the losses by name."""
        begin = self.gan_start(steps)
        if step < begin:
            return pixel_update(networks, batch, knee=self.knee)
        part = min(1.0, (step - begin + 1) / max(1.0, _RAMP * (steps - begin)))
        return late_gan_update(
            networks,
            batch,
            random,
            gan=part * self.settings.gan_weight,
            feature=part * self.settings.feature_weight,
            vividness=self.vividness,
            knee=self.knee,
        )

    def _warm_up(self, step: int) -> float:
        return min(1.0, (step + 1) / self.warm_up)

    def _fall(self, step: int, steps: int) -> float:
        return (1 + math.cos(math.pi * step / steps)) / 2


@dataclass(frozen=True)
class Paper(Scheme):
    """Isola et al. 2017 (arXiv 1611.07004): fresh weights, 100 L1 + GAN, Adam."""

    learns_statistics: ClassVar[bool] = True
    _norm: ClassVar[dict[str, Any]] = {}
    _dropout: ClassVar[dict[str, Any]] = {}
    _update: ClassVar[Callable[..., Losses]] = staticmethod(sequential_update)

    def generator(self, channels: int, patch: int) -> tuple[str, dict[str, Any]]:
        """Name and options of a U-Net whose innermost features are one pixel."""
        depth = int(math.log2(patch))
        if 2**depth != patch or not 5 <= depth <= 10:
            expected = "32, 64, 128, 256, 512 or 1024 px for a U-Net"
            raise BadSetting("patch", patch, expected)
        options = {"out_channels": channels, "depth": depth}
        return "unet", options | self._norm | self._dropout

    def discriminator(self, channels: int) -> PatchDiscriminator:
        """Make one that sees `channels`."""
        width = self.settings.discriminator_width
        made = PatchDiscriminator(channels, width, norm="batch", **self._norm)
        draw_weights(made)
        return made

    def optimizer(self, groups: Sequence[dict[str, Any]]) -> torch.optim.Optimizer:
        """Make that of the generator."""
        return torch.optim.Adam(groups, betas=(0.5, 0.999))

    def update(
        self,
        networks: Networks,
        batch: Batch,
        random: torch.Generator,
        step: int,
        steps: int,
    ) -> Losses:
        """Do one step of all; returns the losses by name."""
        return self._update(networks, batch, pixel_weight=self.settings.pixel_weight)

    def _fall(self, step: int, steps: int) -> float:
        """All for half of the run, then down in a line, as the PyTorch code does."""
        return min(1.0, 2 - 2 * step / steps)


class Notebook(Paper):
    """As the paper, but both gradients from one pass, and Keras' normalisation."""

    # momentum 0.8 of the old statistics, epsilon 1e-3
    _norm: ClassVar[dict[str, Any]] = {"norm_momentum": 0.2, "norm_eps": 1e-3}
    _dropout: ClassVar[dict[str, Any]] = {"dropout_rate": 0.25, "dropout_first": True}
    _update: ClassVar[Callable[..., Losses]] = staticmethod(simultaneous_update)


def scheme_of(settings: Settings) -> Scheme:
    """Return the scheme that settings name."""
    floor = settings.rate_floor if isinstance(settings, FineTuneConfig) else 0.0
    if settings.scheme == "paper":
        return Paper(settings, floor)
    if settings.scheme == "notebook":
        return Notebook(settings, floor)
    if isinstance(settings, TrainConfig):
        return Phases(
            settings,
            floor,
            warm_up=100,
            decoder_steps=settings.decoder_steps,
            addition_steps=settings.addition_steps,
            vividness=settings.vividness,
            knee=settings.knee,
        )
    return Phases(settings, floor, warm_up=20)
