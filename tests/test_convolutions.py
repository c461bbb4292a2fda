"""Convolutions that learn fast learn what those of torch learn."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_colorgan.models.convolutions import (
    Depthwise,
    Halving,
    Pointwise,
    doubled,
)

LAYERS = {
    f"{kernel} px, stride {stride}": (lambda k=kernel, s=stride: Depthwise(8, k, s))
    for kernel in (3, 5)
    for stride in (1, 2)
} | {"pointwise": lambda: Pointwise(8, 5), "halving": lambda: Halving(8, 5)}


def learned(layer: nn.Module, x: torch.Tensor, out: torch.Tensor | None = None):
    """What comes out, and all gradients."""
    x = x.clone().requires_grad_()
    y = layer(x * 1)  # which may be used up
    if out is None:
        out = torch.randn_like(y)
    wanted = [x, *layer.parameters()]
    return [y.detach(), *torch.autograd.grad(y, wanted, out)], out


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_results_and_gradients_are_those_of_the_plain_convolution(make, layout):
    torch.manual_seed(0)
    layer = make()
    x = (torch.randn(2, 8, 14, 18) * 4).contiguous(memory_format=layout)
    fast, out = learned(layer.train(), x)
    plain, _ = learned(layer.eval(), x, out)
    for a, b in zip(fast, plain, strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-4)


def test_doubling_has_the_gradient_of_torch():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 3, 5, requires_grad=True)
    larger = doubled(x)
    assert torch.equal(larger, F.interpolate(x, scale_factor=2, mode="bilinear"))
    out = torch.randn_like(larger)
    (fast,) = torch.autograd.grad(larger, x, out)
    plain = F.interpolate(x, scale_factor=2, mode="bilinear")
    (expected,) = torch.autograd.grad(plain, x, out)
    assert torch.allclose(fast, expected, atol=1e-5)
