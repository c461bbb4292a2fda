"""Cutting parts out of pictures, resizing and turning them: all of a batch alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Part of a picture, and how large it is to be shown."""

    planes: Tensor
    """(1, C, H, W): 8-bit levels, or float32 in [0, 1]."""
    height: int
    """Px of the square that it fills; the rest is its reflection."""
    width: int


def show(
    cuts: Sequence[Cut], side: int, device: torch.device, *, smooth: bool
) -> Tensor:
    """Resize what was cut out to squares (N, C, side, side), of the type it had.

    Parameters
    ----------
    device : where that is done; bytes are resized on a processor itself several times
        as fast as real numbers, so much is uploaded as it is
    smooth : whether all that is reduced is antialiased. If not, only what is reduced
        below half in one direction is: it stays as sharp as bilinear sampling leaves it
    """
    shown = []
    for cut in cuts:
        planes = _resized(cut.planes.to(device), (cut.height, cut.width), smooth)
        for dim in (2, 3):
            length = planes.shape[dim]
            if length < side:
                index = torch.arange(side, device=device) % max(1, 2 * length - 2)
                index = torch.minimum(index, 2 * length - 2 - index)
                planes = planes.index_select(dim, index)
        shown.append(planes)
    return torch.cat(shown)


def turn(planes: Tensor, rng: np.random.Generator, *, upright: bool) -> Tensor:
    """Mirror half of (N, C, side, side), and turn them unless they stay `upright`."""
    mirrored = np.flatnonzero(rng.random(len(planes)) < 0.5)
    turns = rng.integers(4, size=len(planes))
    for number in mirrored:  # bytes whose channels are side by side are fast to flip
        planes[number : number + 1] = planes[number : number + 1].flip(-1)
    if not upright:
        for quarters in (1, 2, 3):
            turned = np.flatnonzero(turns == quarters)
            planes[turned] = torch.rot90(planes[turned], quarters, (-2, -1))
    return planes.contiguous()


def _resized(planes: Tensor, size: tuple[int, int], smooth: bool) -> Tensor:
    old = planes.shape[-2:]
    if tuple(old) == size:
        return planes
    if planes.dtype == torch.uint8 and planes.device.type != "cpu":
        return _resized(planes.float(), size, smooth).round().byte()
    antialias = smooth or any(new < was / 2 for new, was in zip(size, old, strict=True))
    return F.interpolate(planes, size, mode="bilinear", antialias=antialias)
