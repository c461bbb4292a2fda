"""The compact generator: a U-Net on a small pretrained trunk, fast on a CPU.

The encoder is EfficientNet-lite (Tan & Le 2019, arXiv 1905.11946, without
squeeze-and-excite and with ReLU6) with its batch normalisation folded into the
convolutions. The decoder projects before it upsamples and, for chroma, ends at half
resolution: the eye, like every video format, sees colour at half the detail of
lightness. No layer normalises over a picture, so its windows agree.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_colorgan.color import sureness
from napari_colorgan.color_bins import (
    BIN_COUNT,
    mean_chroma,
    mean_color,
    shares_of,
)
from napari_colorgan.errors import BadSetting
from napari_colorgan.models.attention import HEADS, Attention
from napari_colorgan.models.convolutions import (
    Depthwise,
    Halving,
    Pointwise,
    doubled,
)
from napari_colorgan.models.options import Range, Width
from napari_colorgan.models.palette import PaletteInput


@dataclass(frozen=True, slots=True)
class _Stage:
    """Inverted bottlenecks that share kernel and output channels (paper, table 1)."""

    kernel: int
    stride: int
    expand: int
    out: int
    repeats: int


_STEM = 32
_STAGES = (
    _Stage(kernel=3, stride=1, expand=1, out=16, repeats=1),
    _Stage(kernel=3, stride=2, expand=6, out=24, repeats=2),
    _Stage(kernel=5, stride=2, expand=6, out=40, repeats=2),
    _Stage(kernel=3, stride=2, expand=6, out=80, repeats=3),
    _Stage(kernel=5, stride=1, expand=6, out=112, repeats=3),
    _Stage(kernel=5, stride=2, expand=6, out=192, repeats=4),
    _Stage(kernel=3, stride=1, expand=6, out=320, repeats=1),
)
_FEATURE_SCALE = 1 / 6  # standard deviation of the trunk's features on photographs
_SKIPS = (0, 1, 2, 4, 6)  # stages whose outputs, at strides 2 to 32, the decoder reads
_LIKELIHOOD_STEP = 2  # of the decoder: at stride 4
_DRAWN_OUT = 1.2  # part of its chroma that the most vivid answer adds where sure


class Answer(NamedTuple):
    """What a generator with alternatives says of a picture."""

    ab: Tensor
    """(N, 2, H / 2, W / 2): the mean colour, scaled to [-1, 1]."""
    logits: Tensor
    """(N, Q, H / 4, W / 4): of the colours of `color_bins`."""

    def prediction(self) -> Tensor:
        """Return (N, 4, H / 2, W / 2): `ab`, and what a vivid answer adds to it.

        A mean is paler than the truth, even where its hue is sure. So it is drawn out
        there: as far as the colours that a place may have are of one hue, which is the
        mean resultant length of directional statistics (Mardia & Jupp 2000, 2.3)
        weighted by chroma. See `color.enliven`.

        On photographs never seen this comes closer to the truth than the annealed mean
        of Zhang et al. 2016 (arXiv 1603.08511, equation 5), in PSNR and in the distance
        of `tests/benchmarks/perceptual_distance.py`: that is bold where it is in doubt.
        """
        likelihoods = shares_of(self.logits)
        sure = sureness(mean_color(likelihoods), mean_chroma(likelihoods))
        sure = F.interpolate(sure, scale_factor=2, mode="bilinear")
        return torch.cat([self.ab, _DRAWN_OUT * sure.to(self.ab) * self.ab], dim=1)


class Compact(nn.Module):
    """U-Net with an EfficientNet-lite encoder and a light decoder.

    Shapes
    ------
    source : (N, 1, H, W) float32, L scaled to [-1, 1]; sides are multiples of 32 px
    palette : (N, P) float32 or None; see `palette.palette_input`
    returns : (N, out_channels, H, W) float32 in [-1, 1], and with `predicts_chroma` one
        channel more, with `alternatives` two; see `color.enliven`

    Parameters
    ----------
    out_channels : 2 for ab, predicted at half resolution; 3 for RGB, at full resolution
    widths : channels of the decoder at strides 16, 8, 4 and 2
    predicts_chroma : of ab only; a third channel in [0, 1] is the expected length of
        (a, b), scaled as they are. Where the hue is in doubt it is longer than the
        predicted (a, b), which are a mean. No longer trained
    alternatives : of ab only; how likely each colour is at each place is predicted at
        quarter resolution, too, and a palette is taken
    attention : layers of it at stride 16, by which places alike agree. With any,
        windows of a picture agree less
    """

    shows_features = True
    obsolete = ("_hints.weight",)  # since hints travel by `inference.kriging`
    in_channels = 1
    stride = 32

    def __init__(
        self,
        out_channels: Literal[2, 3] = 2,
        widths: tuple[Width, Width, Width, Width] = (192, 128, 64, 32),
        predicts_chroma: bool = False,
        alternatives: bool = False,
        attention: Annotated[int, Range(0, 12)] = 0,
    ) -> None:
        super().__init__()
        if attention and widths[0] % HEADS:
            expected = f"a multiple of {HEADS} at first, for attention"
            raise BadSetting("widths", tuple(widths), expected)
        for name, given in (
            ("predicts_chroma", predicts_chroma),
            ("alternatives", alternatives),
        ):
            if given and out_channels != 2:
                raise BadSetting(name, True, "False unless ab is predicted")
        self.out_channels = out_channels
        self.predicts_chroma = predicts_chroma
        self.alternatives = alternatives
        self.knows_doubt = predicts_chroma or alternatives
        self.halo, self.blend = (128, 64) if attention else (48, 32)
        """Px of context to read around a window, and in which windows fade into each
        other. What is 48 px away moves no ab by more than 0.01 units in the mean, over
        seven micrographs; with attention it is 0.3 to 1.5 units even at 128 px."""
        self.stem = Halving(1, _STEM)
        self.stages = nn.ModuleList()
        inside = _STEM
        for stage in _STAGES:
            blocks = [_Bottleneck(inside, stage, stage.stride)]
            for _ in range(stage.repeats - 1):
                blocks.append(_Bottleneck(stage.out, stage, 1))
            self.stages.append(nn.Sequential(*blocks))
            inside = stage.out
        skips = [_STAGES[i].out for i in reversed(_SKIPS)]  # deepest first
        self.decoder = nn.ModuleList()
        sides = pairwise((skips[0], *widths))
        for skip, (below, out) in zip(skips[1:], sides, strict=True):
            self.decoder.append(_UpStep(below, skip, out, twice=skip != skips[-1]))
        if out_channels == 3:  # fine detail is invented too, from the source itself
            self.decoder.append(_UpStep(widths[-1], 1, 16, twice=False))
        layers = (Attention(widths[0]) for _ in range(attention))
        self.attention = nn.Sequential(*layers)
        if alternatives:
            self.palette = PaletteInput(widths)
            self.likelihood = Pointwise(widths[_LIKELIHOOD_STEP], BIN_COUNT)
        self.head = nn.Conv2d(
            16 if out_channels == 3 else widths[-1],
            out_channels + predicts_chroma,
            3,
            padding=1,
        )
        _initialise(self)

    def forward(self, source: Tensor, palette: Tensor | None = None) -> Tensor:
        """Colour `source`, guided by a `palette`."""
        return self.look(source, palette)[0]

    def look(
        self, source: Tensor, palette: Tensor | None = None, *, sure: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Colour `source`; also return features by which its places can be compared.

        These are (N, C, H / 4, W / 4), 0 or above. Without `sure`, a generator with
        alternatives gives the mean (a, b) alone, in 0.8 of the time.
        """
        if self.alternatives and not sure:
            ab, _, features = self._decode(source, palette, doubt=False)
            x = torch.tanh(ab)
        elif self.alternatives:
            answer, features = self._answered(source, palette)
            x = answer.prediction()
        else:
            x, _, features = self._decode(source)
            if self.predicts_chroma:
                x = torch.cat([torch.tanh(x[:, :2]), torch.sigmoid(x[:, 2:])], dim=1)
            else:
                x = torch.tanh(x)
        if x.shape[-2:] != source.shape[-2:]:
            x = x.contiguous()  # few channels, which are slow last
            x = F.interpolate(x, scale_factor=2, mode="bilinear")
        return x, features

    def answer(self, source: Tensor, palette: Tensor | None = None) -> Answer:
        """Say which colours `source` may have; of generators with `alternatives`."""
        return self._answered(source, palette)[0]

    def _answered(
        self, source: Tensor, palette: Tensor | None
    ) -> tuple[Answer, Tensor]:
        ab, logits, features = self._decode(source, palette)
        assert logits is not None
        return Answer(torch.tanh(ab), logits), features

    def _decode(
        self, source: Tensor, palette: Tensor | None = None, *, doubt: bool = True
    ) -> tuple[Tensor, Tensor | None, Tensor]:
        """Return what the head says, logits if there are any, features at stride 4."""
        skips = self.encode(source)
        if self.out_channels == 3:
            skips.insert(0, source)
        added = [None] * len(self.decoder)
        if palette is not None:
            *added, to_logits = self.palette(palette)
        logits: Tensor | None = None
        x = skips.pop()
        for number, step in enumerate(self.decoder):
            x = step(x, skips.pop(), added[number])
            if number == 0:
                x = self.attention(x)
            elif number == _LIKELIHOOD_STEP:
                features = x
                if self.alternatives and doubt:
                    logits = self.likelihood(x)
                    if palette is not None:
                        logits = logits + to_logits
        return self.head(x), logits, features

    def encode(self, source: Tensor) -> list[Tensor]:
        """Features at strides 2, 4, 8, 16 and 32, scaled to about unit variance."""
        x = self.stem(source)  # what comes next cuts it, as ReLU6
        features = []
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index in _SKIPS:
                features.append(x * _FEATURE_SCALE)
        return features

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Trunk, for a learning rate of its own."""
        parts = (self.stem, self.stages)
        return [p for part in parts for p in part.parameters()]

    def additions(self) -> list[nn.Module]:
        """Layers without which this is a plain `compact`: of attention, of doubts."""
        added: list[nn.Module] = [self.attention]
        if self.alternatives:
            added += [self.palette, self.likelihood]
        return [layer for part in added for layer in part.modules()]


class _Bottleneck(nn.Module):
    """Expand, filter each channel, project; add the input where shapes allow."""

    def __init__(self, inside: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        wide = inside * stage.expand
        self.expand = Pointwise(inside, wide) if stage.expand > 1 else None
        self.depthwise = Depthwise(wide, stage.kernel, stride)
        self.project = Pointwise(wide, stage.out)
        self.adds = stride == 1 and inside == stage.out

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(x if self.expand is None else self.expand(x))
        # while learning, torch would copy what it changes in place
        out: Tensor = self.project(F.relu6(y, inplace=not self.training))
        return x + out if self.adds else out


class _UpStep(nn.Module):
    """Project, double the sides, join the skip connection, filter."""

    def __init__(self, below: int, skip: int, out: int, twice: bool) -> None:
        super().__init__()
        self.project = Pointwise(below, out)
        self.join = nn.Conv2d(out + skip, out, 3, padding=1)
        self.refine = nn.Conv2d(out, out, 3, padding=1) if twice else None

    def forward(self, x: Tensor, skip: Tensor, added: Tensor | None = None) -> Tensor:
        x = doubled(self.project(x))
        x = self.join(torch.cat([x, skip], dim=1))
        if added is not None:
            x = x + added
        x = F.relu(x, inplace=True)
        return x if self.refine is None else F.relu(self.refine(x), inplace=True)


def _initialise(network: Compact) -> None:
    if network.head.weight.is_meta:  # a checkpoint will bring its own weights
        return
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, _Bottleneck):
            nn.init.kaiming_normal_(module.project.weight, nonlinearity="linear")
            if module.adds:  # as a residual branch: start close to the identity
                module.project.weight.data.mul_(0.2)
    # what is told, and what places tell each other, has no effect at first: a start
    # without these is unharmed
    silent: list[nn.Module] = []
    for module in network.modules():
        if isinstance(module, Attention):
            silent += [module.join, module.narrow]
        elif isinstance(module, PaletteInput):
            silent += module.tell
    for layer in silent:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    nn.init.normal_(network.head.weight, std=0.01)  # starts near gray
    if network.alternatives:
        nn.init.normal_(network.likelihood.weight, std=0.01)
