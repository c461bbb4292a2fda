"""In which precisions a device can train."""

import time
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F

from napari_colorgan.training.settings import Precision

_SMALL, _LARGE = 32, 64  # channels, and px
_GAIN = 0.8  # part of the time that is worth it; 2 where it is emulated
_TIMED = 3  # convolutions, after one to warm up
_EMULATED = 5.0  # times as long as in float32; on AVX2 it was 18


def precisions(
    asked: Precision | Literal["auto"], device: torch.device
) -> tuple[Precision, ...]:
    """Precisions to choose from: the one asked for, or those that `device` can do."""
    if asked != "auto":
        return (asked,)
    return ("float32", "bfloat16") if computes_bfloat16(device) else ("float32",)


@cache
def untimed_precision(device: torch.device) -> Precision:
    """Precision for what is not worth timing whole steps before.

    On a CPU, bfloat16 where a convolution as large as those of a training is clearly
    faster in it: a processor of 2019 emulates it well enough to be asked, and then
    takes 2.6 times as long for a step of `compact`. A GPU gains more than that tells.
    """
    possible = precisions("auto", device)
    if device.type != "cpu" or len(possible) == 1:
        return possible[-1]
    exact, short = (
        min(_seconds(device, kind, _LARGE) for _ in range(1 + _TIMED))
        for kind in (torch.float32, torch.bfloat16)
    )
    return "bfloat16" if short < _GAIN * exact else "float32"


def autocast(
    device: torch.device, precision: Precision
) -> AbstractContextManager[None]:
    """Compute in a precision what comes within."""
    if precision == "float32":
        return nullcontext()
    context: AbstractContextManager[None] = torch.autocast(device.type, torch.bfloat16)
    return context


@cache
def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; a few ms, and once.

    Processors without them, as many a laptop's, emulate it, and a training step then
    takes ten times as long as in float32 or more. So this is found out from a small
    convolution.
    """
    try:
        seconds = [
            min(_seconds(device, precision, _SMALL) for _ in range(1 + _TIMED))
            for precision in (torch.float32, torch.bfloat16)
        ]
    except RuntimeError:  # a device that does not know it at all
        return False
    return seconds[1] < _EMULATED * seconds[0]


def _seconds(device: torch.device, precision: torch.dtype, size: int) -> float:
    """Time of a convolution of `size` channels and px, and of its gradients."""
    shapes = ((1, size, size, size), (size, size, 3, 3))
    source, weight = (
        torch.ones(shape, dtype=precision, device=device, requires_grad=True)
        for shape in shapes
    )
    began = time.perf_counter()
    result = F.conv2d(source, weight, padding=1).mean()
    gradients = torch.autograd.grad(result, (source, weight))
    gradients[1].sum().item()  # waits for a GPU
    return time.perf_counter() - began
