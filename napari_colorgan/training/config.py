"""Settings of training; free of torch, so that forms and command lines open at once."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

from napari_colorgan.checkpoints.metadata import CodecName, Context
from napari_colorgan.errors import BadSetting

Task = Literal["colorization", "translation"]
"""What a pair teaches: ab for a kept L, or all of RGB."""
CODEC_OF: dict[Task, CodecName] = {"colorization": "lab", "translation": "rgb"}
Scheme = Literal["fine-tune", "paper", "notebook"]
"""How the networks are updated by pairs; see `training.updates`."""
CLASSIC = ("paper", "notebook")
"""Schemes that are published recipes: GAN from the first step, no averaged weights."""
Precision = Literal["float32", "bfloat16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig:
    """How to train a colorization generator on folders of colour pictures."""

    scheme: Literal["phases", "paper", "notebook"] = "phases"
    """`phases`: the decoder of a pretrained `compact`, then all of it, a GAN at the
    end; `paper`: fresh weights, Adam, 100 L1 + GAN; `notebook`: the same with both
    gradients from one pass, and pictures squeezed to squares. See `updates`."""
    task: Task | Literal["auto"] = "auto"
    """`auto`: colorization where the lightness of the colour explains the gray."""
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
    class_power: float = 1.0
    """Classes of a folder (names that agree up to the first digit) are drawn from in
    proportion to their size to this power: 1 draws all pictures alike, 0.5 favours rare
    classes. Folders are always drawn from by the square root of their size."""
    learning_rate: float = 1e-3
    """Of the decoder (of a `unet`), at the start."""
    encoder_rate: float = 1e-4
    """Of the encoder, once it is trained."""
    weight_decay: float = 0.02
    """Of AdamW, on everything; `paper` and `notebook` use Adam, which has none."""
    ema: float = 0.999
    """Decay of the exponential moving average of the weights that is shipped; 0: the
    weights themselves."""
    pixel_weight: float = 100.0
    """Weight of L1 against the GAN loss in `paper`, `notebook` (pix2pix: 100)."""
    gan_phase: float = 0.0
    """Last part of the steps of `phases` with a discriminator; 0: none."""
    gan_weight: float = 0.01
    """Weight of the GAN loss in that phase, beside a pixel loss of weight 1."""
    feature_weight: float = 0.1
    """Weight of feature matching in that phase."""
    discriminator_rate: float = 2e-4
    """Learning rate of the discriminator."""
    discriminator_width: int = 32
    """Channels of the discriminator's first layer; pix2pix: 64."""
    vividness: float = 0.5
    """At which the discriminator sees a generator that predicts chroma, and at which
    its checkpoint is meant to be used; 0 is cautious, 1 is vivid."""
    gray_augmentation: float = 0.3
    """Share of crops whose gray side alone gets another gamma, contrast and noise."""
    aging: float = 0.0
    """Share of crops whose gray side alone becomes a scan of an old photograph."""
    hints: float = 0.25
    """Share of crops that come with a few simulated colour hints."""
    seed: int = 1
    """Of all randomness."""

    def __post_init__(self) -> None:
        for name, choices in _TRAIN_CHOICES.items():
            if getattr(self, name) not in choices:
                raise BadSetting(name, getattr(self, name), f"one of {choices}")
        for name in ("steps", "batch", "cache_side", "discriminator_width"):
            if getattr(self, name) < 1:
                raise BadSetting(name, getattr(self, name), "at least 1")
        for name in (
            "learning_rate",
            "encoder_rate",
            "weight_decay",
            "pixel_weight",
            "gan_weight",
            "feature_weight",
            "discriminator_rate",
        ):
            _check_not_negative(name, getattr(self, name))
        if self.crop < 32 or self.crop % 32:
            raise BadSetting("crop", self.crop, "a multiple of 32 px")
        if not 0 < self.min_scale <= 1:
            raise BadSetting("min_scale", self.min_scale, "above 0 and at most 1")
        shares = ("gan_phase", "vividness", "gray_augmentation", "aging", "hints")
        for name in (*shares, "class_power"):
            _check_part(name, getattr(self, name))
        if not 0 <= self.validation <= 0.9:
            raise BadSetting("validation", self.validation, "from 0 to 0.9")
        _check_decay("ema", self.ema)

    def rates(self, step: int, steps: int) -> tuple[float, float]:
        """Learning rates of decoder (or generator) and encoder at a step.

        `phases`: up within 100 steps, then down to zero along a half cosine; the
        encoder's is zero at first. `paper`, `notebook`: constant, and down to zero in a
        line in the second half, as the PyTorch pix2pix code does.
        """
        if self.scheme in CLASSIC:
            part = _classic_part(step, steps)
            return part * self.learning_rate, part * self.encoder_rate
        fall = (1 + math.cos(math.pi * step / steps)) / 2
        warm_up = min(1.0, (step + 1) / 100)
        encoder = self.encoder_rate * fall if step >= self.decoder_steps else 0.0
        return self.learning_rate * fall * warm_up, encoder

    def gan_start(self, steps: int) -> int:
        """First step with a discriminator."""
        return 0 if self.scheme in CLASSIC else _gan_start(self.gan_phase, steps)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneConfig:
    """How to train a generator on pairs; the defaults suit 1 to 10 pairs on a CPU."""

    scheme: Scheme = "fine-tune"
    """`fine-tune`: pixel loss first, a short GAN phase last, averaged weights; `paper`
    and `notebook`: the recipes of these names, see `preset`."""
    task: Task | Literal["auto"] = "auto"
    """`auto`: colorization where the lightness of the colour explains the gray."""
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
    learning_rate: float = 1e-3
    """Of the generator (of its decoder, where it has an encoder of its own)."""
    encoder_rate: float = 2e-4
    """Of a pretrained encoder."""
    rate_floor: float = 0.05
    """Part of the learning rates that is left at the end."""
    weight_decay: float = 0.02
    """Of AdamW; the recipes `paper` and `notebook` use Adam, which has none."""
    ema: float = 0.99
    """Decay of the moving average of the weights; 0: the weights themselves."""
    pixel_weight: float = 100.0
    """Weight of L1 against the GAN loss in `paper` and `notebook` (pix2pix: 100)."""
    gan_phase: float = 0.15
    """Last part of the steps of `fine-tune` with a discriminator; 0: none."""
    gan_weight: float = 0.02
    """Weight of the GAN loss in that phase, beside a pixel loss of weight 1."""
    feature_weight: float = 0.2
    """Weight of feature matching in that phase."""
    discriminator_rate: float = 2e-4
    """Learning rate of the discriminator."""
    discriminator_width: int = 32
    """Channels of the discriminator's first layer; pix2pix: 64."""
    gray_augmentation: float = 0.3
    """Share of patches whose gray side alone gets another gamma, contrast and noise."""
    hints: float = 0.1
    """Share of patches with simulated colour hints, for generators that take them."""
    validation: float = 0.2
    """Share held out: of the pairs, or of the pixels of a single one."""
    validations: int = 30
    """How often the held-out part is scored, at most, during a run."""
    patience: int = 10
    """Stop after so many validations without a better score; 0: never."""
    precision: Precision | Literal["auto"] = "auto"
    """`auto`: bfloat16 where it is measured to be faster."""
    seed: int = 1
    """Of all randomness. Two runs are equal if they also have the same number of steps
    and precision, which `minutes` and `auto` make depend on the machine's speed."""

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
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise BadSetting(name, getattr(self, name), f"one of {choices}")
        for one in fields(self):
            if isinstance(one.default, float):
                _check_real(one.name, getattr(self, one.name))
        for name in ("batch", "discriminator_width", "validations"):
            _check_whole(name, getattr(self, name), least=1)
        for name in ("patience", "seed"):
            _check_whole(name, getattr(self, name), least=0)
        if self.steps is not None:
            _check_whole("steps", self.steps, least=1)
        _check_whole("patch", self.patch, least=32)
        if self.patch % 32:
            raise BadSetting("patch", self.patch, "a multiple of 32 px")
        if not 0 < self.minutes < math.inf:
            raise BadSetting("minutes", self.minutes, "above 0")
        for name in (
            "learning_rate",
            "encoder_rate",
            "weight_decay",
            "pixel_weight",
            "gan_weight",
            "feature_weight",
            "discriminator_rate",
        ):
            _check_not_negative(name, getattr(self, name))
        for name in ("rate_floor", "gan_phase", "gray_augmentation", "hints"):
            _check_part(name, getattr(self, name))
        if not 0 < self.validation <= 0.9:
            raise BadSetting("validation", self.validation, "above 0 and at most 0.9")
        _check_decay("ema", self.ema)

    def rates(self, step: int, steps: int) -> tuple[float, float]:
        """Learning rates of generator (decoder) and encoder at a step.

        `fine-tune`: up within 20 steps, then down to the floor along a half cosine.
        `paper`, `notebook`: constant, and down to the floor in a line in the second
        half, as the PyTorch pix2pix code does.
        """
        passed = step / steps
        if self.scheme == "fine-tune":
            fall = (1 + math.cos(math.pi * passed)) / 2
            warm_up = min(1.0, (step + 1) / 20)
        else:
            fall, warm_up = _classic_part(step, steps), 1.0
        part = warm_up * (self.rate_floor + (1 - self.rate_floor) * fall)
        return part * self.learning_rate, part * self.encoder_rate

    def gan_start(self, steps: int) -> int:
        """First step with a discriminator."""
        return 0 if self.scheme in CLASSIC else _gan_start(self.gan_phase, steps)


_TRAIN_CHOICES: dict[str, tuple[str, ...]] = {
    "scheme": ("phases", "paper", "notebook"),
    "task": ("auto", "colorization", "translation"),
    "context": ("whole", "local"),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "scheme": ("fine-tune", "paper", "notebook"),
    "task": ("auto", "colorization", "translation"),
    "context": ("auto", "local", "whole"),
    "precision": ("auto", "float32", "bfloat16"),
}
_AS_PUBLISHED: dict[str, Any] = {
    "learning_rate": 2e-4,
    "patch": 256,
    "ema": 0.0,
    "discriminator_width": 64,
    "gray_augmentation": 0.0,
    "rate_floor": 0.0,
}
START = "micro"
"""Model that a fine-tuning starts with, where none is named."""
_PRESETS: dict[str, dict[str, Any]] = {
    "fine-tune": {},
    "paper": _AS_PUBLISHED | {"batch": 1},
    "notebook": _AS_PUBLISHED
    | {"batch": 16, "context": "whole", "task": "translation"},
}


def _classic_part(step: int, steps: int) -> float:
    """Part of a rate that is left: all for half of the steps, then down in a line."""
    return min(1.0, 2 - 2 * step / steps)


def _gan_start(phase: float, steps: int) -> int:
    return steps - round(phase * steps)


def _check_whole(name: str, value: object, least: int) -> None:
    if type(value) is not int or value < least:
        raise BadSetting(name, value, f"a whole number of at least {least}")


def _check_not_negative(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise BadSetting(name, value, "0 or a positive number")


def _check_part(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise BadSetting(name, value, "from 0 to 1")


def _check_decay(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise BadSetting(name, value, "from 0 to below 1")


def _check_real(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadSetting(name, value, "a number")


def check_names(values: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise `BadSetting` for a setting that is not known."""
    if unknown := sorted(set(values) - set(known)):
        raise BadSetting("setting", unknown[0], f"one of {', '.join(sorted(known))}")
