"""Cutting parts out of pictures, resizing and turning them: all of a batch alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

_THUMBNAIL = (np.arange(24) + 0.5) / 24


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """Part of a picture, and how large it is to be shown."""

    planes: npt.NDArray[Any]
    """(C, Y, X): 8-bit levels, or float32 in [0, 1]; may be a view of the picture."""
    height: int
    """Px of the square that it fills; the rest is its reflection."""
    width: int
    reference: npt.NDArray[np.uint8] | None = None
    """(Y, X, 3), a little of the picture that its palette is taken from."""
    strength: float = 1.0
    """How likely it is that this palette fits."""
    recoloring: npt.NDArray[np.float64] | None = None
    """(2, 2), what a and b of both become; None: they stay."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of what was cut out, and of what is shown."""
        return (*self.planes.shape, self.height, self.width)


def show(
    cuts: Sequence[Cut], side: int, device: torch.device, *, smooth: bool
) -> Tensor:
    """Resize what was cut out to squares (N, C, side, side), of the type it had.

    Those of one size are resized at once, with the same weights, and come out beside
    each other.

    Parameters
    ----------
    device : where that is done; bytes are resized on a processor itself several times
        as fast as real numbers, so much is uploaded as it is
    smooth : whether all that is reduced is antialiased. If not, only what is reduced
        below half in one direction is: it stays as sharp as bilinear sampling leaves it
    """
    alike: dict[tuple[int, ...], list[npt.NDArray[Any]]] = {}
    for cut in cuts:
        alike.setdefault(cut.sizes, []).append(cut.planes)
    shown = []
    for (*_, height, width), parts in alike.items():
        # keeps the channels of a pixel beside each other, as resizing bytes likes them
        planes = torch.from_numpy(np.stack(parts)).to(device)
        planes = _resized(planes, (height, width), smooth)
        shown.append(_reflected(planes, side))
    return torch.cat(shown).contiguous()


def turn(planes: Tensor, rng: np.random.Generator, *, upright: bool) -> None:
    """Mirror half of (N, C, side, side) in place; unless `upright`, turn them, too.

    Both axes are flipped and exchanged or not: eight ways, each as likely.
    """
    drawn = rng.random((len(planes), 3)) < 0.5
    if upright:
        drawn[:, 1:] = False
    for picture, (mirrored, inverted, exchanged) in zip(
        planes, drawn.tolist(), strict=True
    ):
        dims = [dim for dim, flipped in ((-1, mirrored), (-2, inverted)) if flipped]
        if exchanged:
            picture.copy_(picture.flip(dims).transpose(-1, -2))
        elif dims:
            picture.copy_(picture.flip(dims))


def thumbnail(
    picture: npt.NDArray[np.uint8], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Pixels spread over a large part of a picture (Y, X, 3), of about its colours."""
    at = []
    for length, (size, place) in zip(
        picture.shape, rng.random((2, 2)).tolist(), strict=False
    ):
        part = 1 - size / 2
        spread = place * (1 - part) + part * _THUMBNAIL
        at.append((spread * length).astype(int))
    sampled: npt.NDArray[np.uint8] = picture[at[0][:, None], at[1]]
    return sampled


def _reflected(planes: Tensor, side: int) -> Tensor:
    """Continue (N, C, Y, X) below and to the right by reflection, to `side` px."""
    for dim in (2, 3):
        length = planes.shape[dim]
        if length < side:
            index = torch.arange(side, device=planes.device) % max(1, 2 * length - 2)
            index = torch.minimum(index, 2 * length - 2 - index)
            planes = planes.index_select(dim, index)
    return planes


def _resized(planes: Tensor, size: tuple[int, int], smooth: bool) -> Tensor:
    old = planes.shape[-2:]
    if tuple(old) == size:
        return planes
    if planes.dtype == torch.uint8 and planes.device.type != "cpu":
        return _resized(planes.float(), size, smooth).round().byte()
    antialias = smooth or any(new < was / 2 for new, was in zip(size, old, strict=True))
    return F.interpolate(planes, size, mode="bilinear", antialias=antialias)
