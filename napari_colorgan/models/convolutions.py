"""Convolutions that learn faster on a CPU than those of torch, with the same results.

Only while they are trained there: on a GPU, to colour and to be exported, networks have
the plain convolutions. Measured with torch 2.13.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

_FAST = 3  # px: the largest kernel whose gradients are fast, padded by 1 px at most
_MOST = 6.0  # of ReLU6
_PARTS = (0.25, 0.75, 0.75, 0.25)  # of a pixel in those that it is doubled to


class Pointwise(nn.Conv2d):
    """Mix the channels of each pixel: a product of matrices where channels come last.

    On one thread, torch computes it with channels first instead, and its neighbours had
    to be copied to and fro.
    """

    def __init__(self, inside: int, out: int) -> None:
        super().__init__(inside, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Mix (N, C, H, W)."""
        if not _is_trained_on_cpu(self, x):
            return super().forward(x)
        rows = x.permute(0, 2, 3, 1)
        return F.linear(rows, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)


class Halving(nn.Conv2d):
    """Convolve 3 px with a stride of 2 as TensorFlow's SAME does, on even sides.

    The trunk of `compact` was trained so; symmetric padding costs it 6 points of
    ImageNet top-1. SAME begins one px later than symmetric padding of one px more: so
    its first row and column are left out, which costs less than to pad before. But to
    learn from what is left is slower.
    """

    def __init__(self, inside: int, out: int) -> None:
        super().__init__(inside, out, 3, stride=2, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """Halve (N, C, H, W)."""
        if _is_trained_on_cpu(self, x):
            return F.conv2d(F.pad(x, (0, 1, 0, 1)), self.weight, self.bias, 2)
        return super().forward(x)[..., 1:, 1:]


class Depthwise(nn.Conv2d):
    """Cut to 0 ... 6 (ReLU6), then filter each channel by itself.

    With a stride of 2 as `Halving` does.
    """

    def __init__(self, channels: int, kernel: int, stride: int) -> None:
        padding = kernel // 2 + (stride == 2)
        super().__init__(
            channels, channels, kernel, stride=stride, padding=padding, groups=channels
        )

    def forward(self, x: Tensor) -> Tensor:
        """Filter (N, C, H, W), which is used up."""
        if _is_trained_on_cpu(self, x):
            # torch has no types for what a function of its own is called by
            filtered: Tensor = _CutAndFilter.apply(  # type: ignore[no-untyped-call]
                x, self.weight, self.bias, self.stride[0]
            )
            return filtered
        y = super().forward(F.relu6(x, inplace=True))
        return y[..., 1:, 1:] if self.stride[0] == 2 else y


def doubled(x: Tensor) -> Tensor:
    """Double the sides of (N, C, H, W), bilinearly."""
    if x.device.type == "cpu" and x.requires_grad:
        # as above
        larger: Tensor = _Doubled.apply(x)  # type: ignore[no-untyped-call]
        return larger
    return F.interpolate(x, scale_factor=2, mode="bilinear")


class _Doubled(torch.autograd.Function):
    """What `doubled` does; torch takes 10 times as long for its gradient.

    That is a depthwise convolution: each pixel had a part in four rows and columns, and
    those at the border stood for what is beyond, too.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Double the sides of (N, C, H, W)."""
        return F.interpolate(x, scale_factor=2, mode="bilinear")

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Gradient of what came in."""
        channels = gradient.shape[1]
        padded, inside = _room_for(gradient, 1, 1)
        inside.copy_(gradient)
        for dim in (2, 3):
            last = padded.shape[dim] - 1
            padded.select(dim, 0).copy_(padded.select(dim, 1))
            padded.select(dim, last).copy_(padded.select(dim, last - 1))
        parts = gradient.new_tensor(_PARTS)
        weight = torch.outer(parts, parts).expand(channels, 1, -1, -1)
        return F.conv2d(padded, weight, stride=2, groups=channels)


class _CutAndFilter(torch.autograd.Function):
    """What `Depthwise` does, with gradients made of what torch is fast at.

    For the gradient of the weights of 5 px, or of a stride of 2 with the padding that
    it needs, torch takes 8 to 30 times as long as for kernels of 3 px. So the input is
    padded beforehand, while it is cut, and larger kernels are put together of parts of
    3 px. In bfloat16 the same is true of the gradient of what comes in at a stride of
    2, which is computed in float32.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, stride: int
    ) -> Tensor:
        """Filter (N, C, H, W) by (C, 1, k, k)."""
        around = _around(weight.shape[-1], stride)
        padded, inside = _room_for(x, *around)
        torch.clamp(x, 0, _MOST, out=inside)
        ctx.save_for_backward(padded, weight)
        ctx.stride, ctx.around = stride, around
        with torch.autocast("cpu", enabled=False):
            return F.conv2d(
                padded,
                weight.to(x.dtype),
                bias.to(x.dtype),
                stride,
                groups=len(weight),
            )

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of what `forward` got."""
        (padded, weight), around = ctx.saved_tensors, ctx.around
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        of_input, of_weight, of_bias = (None, None, None)
        if ctx.needs_input_grad[0]:
            of_input = torch.ops.aten.hardtanh_backward(
                _inside(_input_gradient(padded, weight, gradient, ctx.stride), *around),
                _inside(padded, *around),
                0,
                _MOST,
            )
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(padded, weight, gradient, ctx.stride)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.float().sum((0, 2, 3))
        return of_input, of_weight, of_bias, None


def _is_trained_on_cpu(layer: nn.Conv2d, x: Tensor) -> bool:
    return layer.training and x.device.type == "cpu" and torch.is_grad_enabled()


def _around(kernel: int, stride: int) -> tuple[int, int]:
    """Px before and after a picture in each direction."""
    return kernel // 2 - (stride == 2), kernel // 2


def _room_for(x: Tensor, before: int, after: int) -> tuple[Tensor, Tensor]:
    """Make room for (N, C, H, W), channels last, between px of 0; and a view of it."""
    n, channels, high, wide = x.shape
    sides = (before + high + after, before + wide + after)
    padded = x.new_empty((n, *sides, channels)).permute(0, 3, 1, 2)
    for dim in (2, 3):
        padded.narrow(dim, 0, before).zero_()
        padded.narrow(dim, padded.shape[dim] - after, after).zero_()
    return padded, _inside(padded, before, after)


def _inside(padded: Tensor, before: int, after: int) -> Tensor:
    """View of (N, C, H, W) without what is around it."""
    high, wide = (side - before - after for side in padded.shape[-2:])
    return padded.narrow(2, before, high).narrow(3, before, wide)


def _input_gradient(x: Tensor, weight: Tensor, gradient: Tensor, stride: int) -> Tensor:
    if stride > 1:  # slow in bfloat16
        x, gradient = x.to(weight.dtype), gradient.to(weight.dtype)
    weight = weight.to(gradient.dtype)
    return _gradients(x, weight, gradient, stride, [True, False])[0]


def _weight_gradient(
    x: Tensor, weight: Tensor, gradient: Tensor, stride: int
) -> Tensor:
    """Gradient of weights (C, 1, k, k), put together of parts of 3 px."""
    high, wide = ((side - 1) * stride + _FAST for side in gradient.shape[-2:])
    kernel = weight.shape[-1]
    result = torch.empty_like(weight)
    part = gradient.new_empty((len(weight), 1, _FAST, _FAST))  # only its shape counts
    starts = range(0, kernel - _FAST + 1, _FAST - 1)  # parts overlap by a row
    for top in starts:
        for left in starts:
            seen = x[..., top : top + high, left : left + wide]
            _, learned = _gradients(seen, part, gradient, stride, [False, True])
            result[..., top : top + _FAST, left : left + _FAST] = learned
    return result


def _gradients(
    x: Tensor, weight: Tensor, gradient: Tensor, stride: int, wanted: list[bool]
) -> tuple[Tensor, Tensor]:
    """Gradients of input and weight of a depthwise convolution without padding."""
    channels = len(weight)
    of_input, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient,
        x,
        weight,
        [channels],
        [stride] * 2,
        [0, 0],
        [1, 1],
        False,
        [0, 0],
        channels,
        [*wanted, False],
    )
    return of_input, of_weight
