"""Settings of training, checked once; free of torch, so that forms open at once."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Self

from napari_colorgan.checkpoints.metadata import CodecName, Context
from napari_colorgan.declared import Range, check_declared, check_names
from napari_colorgan.errors import BadSetting

Task = Literal["colorization", "translation"]
"""What a pair teaches: ab for a kept L, or all of RGB."""
CODEC_OF: dict[Task, CodecName] = {"colorization": "lab", "translation": "rgb"}
SchemeName = Literal["fine-tune", "paper", "notebook"]
"""How the networks are updated by pairs; see `training.schemes`."""
Precision = Literal["float32", "bfloat16"]
START = "micro"
"""Model that a fine-tuning starts with, where none is named."""


Count = Annotated[int, Range("a whole number of at least 1", lambda n: n >= 1)]
Natural = Annotated[int, Range("a whole number of at least 0", lambda n: n >= 0)]
Side = Annotated[int, Range("a multiple of 32 px", lambda n: n >= 32 and n % 32 == 0)]
Share = Annotated[float, Range("from 0 to 1", lambda x: 0 <= x <= 1)]
Positive = Annotated[float, Range("above 0", lambda x: 0 < x < math.inf)]
NotNegative = Annotated[
    float, Range("0 or a positive number", lambda x: 0 <= x < math.inf)
]
Decay = Annotated[float, Range("from 0 to below 1", lambda x: 0 <= x < 1)]
Reduction = Annotated[float, Range("above 0 and at most 1", lambda x: 0 < x <= 1)]
Enlargement = Annotated[float, Range("from 1 to 8", lambda x: 1 <= x <= 8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How networks learn; what has no default here has one of its own in each kind.

    Every setting is declared with its range, and checked when it is made.
    """

    scheme: str
    """How the networks are updated; see `training.schemes`."""
    task: Task | Literal["auto"] = "auto"
    """`auto`: colorization where the lightness of the colour explains the gray."""
    learning_rate: NotNegative = 1e-3
    """Of the generator (of its decoder, where it has an encoder of its own)."""
    encoder_rate: NotNegative
    """Of a pretrained encoder."""
    weight_decay: NotNegative = 0.02
    """Of AdamW, on everything; `paper` and `notebook` use Adam, which has none."""
    ema: Decay
    """Decay of the exponential moving average of the weights, which is what is kept;
    0: the weights themselves."""
    pixel_weight: NotNegative = 100.0
    """Weight of L1 against the GAN loss in `paper` and `notebook` (pix2pix: 100)."""
    gan_phase: Share
    """Last part of the steps with a discriminator; 0: none. `paper` and `notebook` have
    one all the time."""
    gan_weight: NotNegative
    """Weight of the GAN loss in that phase, beside a pixel loss of weight 1."""
    feature_weight: NotNegative
    """Weight of feature matching in that phase."""
    discriminator_rate: NotNegative = 2e-4
    """Learning rate of the discriminator."""
    discriminator_width: Count = 32
    """Channels of the discriminator's first layer; pix2pix: 64."""
    gray_augmentation: Share = 0.3
    """Share of crops whose gray side alone gets another gamma, contrast and noise."""
    aging: Share = 0.0
    """Share of crops whose gray side alone becomes a scan of an old photograph."""
    display: Share = 0.0
    """Share of crops whose gray side alone is shown within narrower contrast limits, as
    viewers do; see `augment.display_gray`."""
    min_magnification: Reduction = 1.0
    """Crops of `local` are reduced down to this part of their magnification, as other
    objectives and binning show them; 1: about at their own."""
    max_magnification: Enlargement = 1.0
    """And enlarged up to this multiple; every factor of two is drawn alike."""
    palettes: Share
    """Share of crops that come with a palette, for generators that take one."""
    recolor: Share = 0.0
    """Share of these whose colours are turned into others, which their palette tells,
    so that one of a stain never seen is followed, too; see `palettes.draw_recoloring`.
    """
    patience: Natural
    """Stop after so many scores of the held-out part without a better one; 0: never."""
    seed: Natural = 1
    """Of all randomness."""
    batch: Count
    """Patches or crops per step."""

    def __post_init__(self) -> None:
        check_declared(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Check names and values.

        Raises
        ------
        BadSetting
        """
        check_names(values, [setting.name for setting in fields(cls)])
        return cls(**values)

    @property
    def is_published(self) -> bool:
        """Whether the scheme is a published recipe, with a GAN from the first step."""
        return self.scheme in ("paper", "notebook")

    @property
    def squeezes(self) -> bool:
        """Whether all of a picture is squeezed to a square, whatever the context."""
        return self.scheme == "notebook"


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuneConfig(Settings):
    """How to train a generator on pairs; the defaults suit 1 to 10 pairs on a CPU."""

    scheme: SchemeName = "fine-tune"
    """`fine-tune`: pixel loss first, a short GAN phase last, averaged weights; `paper`
    and `notebook`: the recipes of these names, see `preset`."""
    context: Context | Literal["auto"] = "auto"
    """`local`: patches at native resolution (micrographs); `whole`: large parts of the
    pictures, reduced (photographs); `auto`: as the start was trained, else `local`."""
    minutes: Positive = 5.0
    """Time for the steps alone, turned into their number before the first one; unless
    `steps`."""
    steps: Count | None = None
    """Optimizer updates in all."""
    patch: Side = 192
    """Side of a training patch in px, a multiple of 32; enlarged to a multiple of the
    stride of the model that is started from."""
    rate_floor: Share = 0.05
    """Part of the learning rates that is left at the end."""
    validation: Annotated[
        float, Range("above 0 and at most 0.9", lambda x: 0 < x <= 0.9)
    ] = 0.2
    """Share held out: of the pairs, or of the pixels of a single one."""
    validations: Count = 30
    """How often the held-out part is scored, at most, during a run."""
    precision: Precision | Literal["auto"] = "auto"
    """`auto`: bfloat16 where it is measured to be faster."""

    # defaults of what `Settings` describes
    batch: Count = 4
    encoder_rate: NotNegative = 2e-4
    ema: Decay = 0.99
    gan_phase: Share = 0.15
    gan_weight: NotNegative = 0.02
    feature_weight: NotNegative = 0.2
    palettes: Share = 0.25
    patience: Natural = 10
    seed: Natural = 1
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
        return cls.from_dict({"scheme": scheme} | _PRESETS[scheme] | others)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainConfig(Settings):
    """How to train a colorization generator on folders of colour pictures."""

    scheme: Literal["phases", "paper", "notebook"] = "phases"
    """`phases`: the decoder of a pretrained `compact`, then all of it, a GAN at the
    end; `paper`: fresh weights, Adam, 100 L1 + GAN; `notebook`: the same with both
    gradients from one pass, and pictures squeezed to squares."""
    validation: Annotated[float, Range("from 0 to 0.9", lambda x: 0 <= x <= 0.9)] = 0.1
    """Share of the pictures that is held out, to judge by and to find the best; 0: none
    is, and the last weights are kept."""
    steps: Count = 10_000
    """Optimizer updates in all; every schedule is a function of the step."""
    decoder_steps: Natural = 6_000
    """Updates at the start during which the pretrained encoder stays as it is."""
    addition_steps: Natural = 0
    """Updates at the start that change only layers of attention, palettes and
    alternatives: without attention, colours that no palette asks for stay as they
    were."""
    crop: Side = 128
    """Side of a training crop in px, a multiple of 32."""
    context: Context = "whole"
    """`whole`: crops are large parts of pictures, reduced, as the generator will see
    planes; `local`: crops are cut out at native resolution, and also turned."""
    min_scale: Reduction = 0.6
    """Smallest crop of `whole`, as a part of the picture's shorter side."""
    max_stretch: Enlargement = 1.0
    """Crops of `whole` are widened up to this multiple: some collections were squashed
    to squares."""
    balance: Share = 0.5
    """How often a folder is drawn from: 1, in proportion to its size; 0, as often as
    any other; between, a power of its size."""
    cache_side: Count = 208
    """Shorter side in px at which pictures are kept in memory."""
    vividness: Share = 0.5
    """At which the discriminator sees a generator that tells its doubts, and at which
    its checkpoint is meant to be used; 0 is cautious, 1 is vivid."""
    knee: Positive = 20.0
    """Error, in units of ab, at which the pixel loss of `phases` turns from quadratic
    to linear. A small one lets pictures with faint colours count as much as others."""

    # defaults of what `Settings` describes
    batch: Count = 16
    encoder_rate: NotNegative = 1e-4
    ema: Decay = 0.999
    gan_phase: Share = 0.0
    gan_weight: NotNegative = 0.01
    feature_weight: NotNegative = 0.1
    palettes: Share = 0.5
    patience: Natural = 0


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
