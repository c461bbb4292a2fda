"""A generator with all that surrounds it, as one network from gray to RGB.

It is made of operations that TorchScript and ONNX have, with sides that may vary: no
branch depends on a value.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from napari_colorgan.color import (
    AB_SCALE,
    CODECS,
    enliven,
    fit_every_chroma,
    gray_to_lightness,
    lab_to_rgb,
    spread,
)
from napari_colorgan.errors import BadSetting
from napari_colorgan.models import Generator, GeneratorSpec, build
from napari_colorgan.models.norm import hold_statistics

_GRID = 32  # px; sides of what is seen, unless the stride asks for more
_BORDER = 32  # px of reflection that `local` sees around a picture


class Standalone(nn.Module):
    """Colour gray pictures: what a generator's codec, context and statistics ask for.

    Shapes
    ------
    gray : (N, 1, H, W) float32 in [0, 1], sRGB-encoded; sides of 8 px or more
    returns : (N, 3, H, W) float32 in [0, 1]

    Parameters
    ----------
    codec : `lab` keeps the lightness of gray, `rgb` does not
    context : `whole` sees a picture reduced, `local` at its own resolution
    working_size : shorter side in px to which `whole` reduces or enlarges
    statistics : with `picture`, every picture of a batch is normalised by its own
    vividness : 0 (default) to 1, of a generator that knows how sure it is
    levels : `spread` lets `whole` see pictures from near black to near white
    """

    def __init__(
        self,
        generator: Generator,
        *,
        codec: Literal["lab", "rgb"],
        context: Literal["whole", "local"],
        working_size: int,
        statistics: Literal["stored", "picture"],
        vividness: float | None,
        levels: Literal["spread"] | None = None,
    ) -> None:
        super().__init__()
        self.codec = CODECS[codec]()
        if generator.out_channels != self.codec.out_channels:
            expected = f"one for {generator.out_channels} channels, as predicted"
            raise BadSetting("codec", codec, expected)
        self.working_size = working_size if context == "whole" else None
        self.border = 0 if context == "whole" else _BORDER
        self.vividness = vividness or 0.0
        self.spreads = levels == "spread"
        self.stride = generator.stride
        self.measured = None
        if statistics == "picture":
            self.measured = _normalise_by_picture(generator)
        else:
            hold_statistics(generator)
        self.generator = generator

    def forward(self, gray: Tensor) -> Tensor:
        """Colour `gray`."""
        gray = gray.clamp(0, 1)
        seen = gray
        if self.working_size is not None:
            seen = _reduced(gray, self.working_size, _GRID)
            if self.spreads:
                seen = spread(seen)
        prediction = self._predict(self.codec.encode(seen))
        if self.generator.knows_doubt:
            prediction = enliven(prediction, self.vividness)
        if self.working_size is not None:
            prediction = _enlarged(prediction, gray)
        if self.codec.name == "lab":
            lab = torch.cat([gray_to_lightness(gray), prediction * AB_SCALE], dim=1)
            return lab_to_rgb(fit_every_chroma(lab))
        return self.codec.decode(gray, prediction)

    def _predict(self, source: Tensor) -> Tensor:
        """Prediction for a source of any sides.

        What is reflected around the picture is no part of its statistics, so these are
        measured without the border, and then held fixed.
        """
        bottom, right = self.border + source.shape[-2], self.border + source.shape[-1]
        if self.measured is not None:
            self.measured.begin()
            if self.border:
                self.generator(_reflected(source, 0, self.stride, _GRID))
                self.measured.end()
        seen = _reflected(source, self.border, self.stride, _GRID)
        prediction: Tensor = self.generator(seen)
        return prediction[..., self.border : bottom, self.border : right]


def build_standalone(
    generator: str, options: dict[str, Any], **settings: Any
) -> Standalone:
    """Build the network around the generator of this name, with fresh weights."""
    return Standalone(build(GeneratorSpec(generator, options)), **settings).eval()


class _Measured:
    """Means and variances of one picture, in the order of the layers that see them."""

    def __init__(self) -> None:
        self._measuring = True
        self._layers: list[tuple[Tensor, Tensor]] = []

    def begin(self) -> None:
        """Measure the next picture."""
        self._measuring = True
        self._layers.clear()

    def end(self) -> None:
        """Give what was measured, layer by layer."""
        self._measuring = False

    def of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Variance and mean: of `x` itself, or as the layer has measured them."""
        if not self._measuring:
            return self._layers.pop(0)
        var, mean = torch.var_mean(x, dim=(2, 3), correction=0, keepdim=True)
        self._layers.append((var, mean))
        return var, mean


class _PictureNorm(nn.Module):
    """Normalise every picture by its own mean and variance, instead of `layer`."""

    def __init__(
        self, layer: nn.BatchNorm2d | nn.InstanceNorm2d, measured: _Measured
    ) -> None:
        super().__init__()
        self.weight, self.bias, self.eps = layer.weight, layer.bias, layer.eps
        self._measured = measured

    def forward(self, x: Tensor) -> Tensor:
        var, mean = self._measured.of(x)
        x = (x - mean) * (var + self.eps).rsqrt()
        if self.weight is None:
            return x
        return x * self.weight.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)


def _normalise_by_picture(network: nn.Module) -> _Measured:
    measured = _Measured()
    for parent in list(network.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.BatchNorm2d | nn.InstanceNorm2d):
                setattr(parent, name, _PictureNorm(layer, measured))
    return measured


# A trace would take sizes for constants, so what reckons with them is compiled there.


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _reduced(gray: Tensor, working_size: int, grid: int) -> Tensor:
    """Resize to about `working_size` px (shorter side), to multiples of `grid` px.

    A tiny picture is enlarged at most four times. One longer than four of its shorter
    sides is reduced further, to an area of at most four working squares.
    """
    height, width = gray.shape[2], gray.shape[3]
    short = _smaller(height, width)
    # the mean of shorter side and a quarter of the longer one: at least the root of
    # their product, in whole numbers, on which all programs agree
    divisor = _larger(short, (3 * short + height + width) // 8)
    divisor = _larger(divisor, working_size // 4)
    half = grid * divisor // 2  # rounds to the nearest multiple
    rows = _larger((working_size * height + half) // (grid * divisor), 1) * grid
    columns = _larger((working_size * width + half) // (grid * divisor), 1) * grid
    block = _larger(_smaller(height // rows, width // columns), 1)
    above = _reducing(height, rows, block, gray)
    beside = _reducing(width, columns, block, gray)
    return above @ gray @ beside.T


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _enlarged(small: Tensor, picture: Tensor) -> Tensor:
    """Resize to the sides of `picture`, bilinear at pixel centres."""
    above = _interpolating(small.shape[2], picture.shape[2], 1.0, small)
    beside = _interpolating(small.shape[3], picture.shape[3], 1.0, small)
    return above @ small @ beside.T


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _reflected(x: Tensor, border: int, stride: int, least: int) -> Tensor:
    """Continue by `border` px of reflection, and after to multiples of `stride`.

    Sides are `least` px or more, for of fewer px there are hardly statistics.
    """
    for dim in (2, 3):
        length = x.shape[dim]
        padded = _larger(length + 2 * border, least)
        padded = (padded + stride - 1) // stride * stride
        index = torch.arange(padded, device=x.device) - border
        # as a tensor: ONNX knows no remainder by a number that varies
        period = torch.full_like(index, _larger(2 * length - 2, 1))
        index = index % period
        x = x.index_select(dim, torch.minimum(index, period - index))
    return x


# Resizing is a product with a matrix for each side: the same in every program. Its rows
# hold the share that every px of the side has in one of the resized side.


def _reducing(length: int, out: int, block: int, like: Tensor) -> Tensor:
    """Means of blocks, then resize to `out`, smoothed where that is smaller still."""
    count = (length + block - 1) // block
    index = torch.arange(length, device=like.device)
    index = index // torch.full_like(index, block)
    means = (torch.arange(count, device=like.device)[:, None] == index).to(like)
    means = means / means.sum(1, keepdim=True)
    return _interpolating(count, out, _larger(count, out) / out, like) @ means


def _interpolating(length: int, out: int, reach: float, like: Tensor) -> Tensor:
    """Weigh px by their nearness to the place of each new one, up to `reach` px off."""
    centre = (torch.arange(out, device=like.device) + 0.5) * (length / out) - 0.5
    distance = (centre[:, None] - torch.arange(length, device=like.device)).abs()
    weights = (1 - distance / reach).clamp(min=0)
    return weights / weights.sum(1, keepdim=True)


def _smaller(a: int, b: int) -> int:
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        return min(a, b)
    result: int = torch.sym_min(a, b)  # type: ignore[no-untyped-call]
    return result


def _larger(a: int, b: int) -> int:
    if torch.jit.is_scripting():  # type: ignore[attr-defined]
        return max(a, b)
    result: int = torch.sym_max(a, b)  # type: ignore[no-untyped-call]
    return result
