"""Random patches of pairs; those of a step follow from the seed and its number."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.arrays import Array
from napari_colorgan.color import Codec
from napari_colorgan.training.augment import Augmentation, simulate_hints
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.settings import FineTuneConfig

_SCALES = {
    # sides of what is cut out, as a part of a patch: microscopes differ a little
    "fine-tune": (0.8, 1.25),
    # "resized to 286 x 286 and cropped to 256 x 256" (pix2pix paper, 6.2)
    "paper": (256 / 286, 256 / 286),
}
_LEAST_PART = 0.6  # of the shorter side, of what `whole` cuts out


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from."""

    source: Tensor
    """(N, 1, H, W) as the generator reads it, in [-1, 1]."""
    target: Tensor
    """(N, C, H, W) as it should answer, scaled to about [-1, 1]."""
    hints: Tensor | None = None
    """(N, 3, H, W), see `models.compact`."""
    weight: Tensor | None = None
    """(N, 1, H, W): 1 where the pair is to be learned, 0 elsewhere."""

    def to(self, device: torch.device) -> "Batch":
        """Copy to a device."""
        parts: dict[str, Any] = {}
        for one in fields(self):
            part = getattr(self, one.name)
            parts[one.name] = None if part is None else part.to(device)
        return Batch(**parts)


class PatchSampler:
    """Cuts patches out of pairs, each as likely as its share of all pixels."""

    def __init__(
        self,
        pairs: Sequence[Pair],
        config: FineTuneConfig,
        codec: Codec,
        *,
        hints: bool,
    ) -> None:
        self._pairs = pairs
        self._config = config
        self._codec = codec
        self._augmentation = Augmentation(config, codec.name)
        self._hints = config.hints if hints else 0.0
        areas = np.array([_area(pair) for pair in pairs], float)
        self._shares = areas / areas.sum()
        self.per_epoch = max(1, round(areas.sum() / config.patch**2 / config.batch))
        """Steps whose patches have as many pixels as the pairs."""

    def batch(self, step: int) -> Batch:
        """Return the patches of a step."""
        rng = np.random.default_rng([self._config.seed, step])
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        patches = [self._patch(rng) for _ in range(self._config.batch)]
        gray, rgb, mask = (torch.cat(parts) for parts in zip(*patches, strict=True))
        target = self._codec.target(rgb)
        source = self._codec.encode(self._augmentation.of_gray(gray, random))
        hints: Tensor | None = None
        if self._hints:
            hints = simulate_hints(target, self._hints, random)
            if not hints.any():
                hints = None
        masked = any(pair.mask is not None for pair in self._pairs)
        return Batch(source, target, hints, mask if masked else None)

    def _patch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Gray, RGB and mask (1, C, side, side) of one patch, flipped and turned."""
        config = self._config
        pair = self._pairs[int(rng.choice(len(self._pairs), p=self._shares))]
        height, width = pair.shape
        if config.scheme == "notebook":
            box = (0, 0, height, width)
        elif config.context == "whole":
            side = round(rng.uniform(_LEAST_PART, 1) * min(height, width))
            box = _place(pair, (side, side), rng)
        else:
            scale = rng.uniform(*_SCALES[config.scheme])
            side = round(config.patch * scale / self._augmentation.magnification(rng))
            box = _place(pair, (min(side, height), min(side, width)), rng)
        y, x, high, wide = box
        region = (slice(y, y + high), slice(x, x + wide))
        if pair.mask is None:
            mask = np.ones((high, wide), np.float32)
        else:
            mask = pair.mask[region].astype(np.float32)
        parts = [
            _tensor(pair.gray[region][..., None]),
            _tensor(pair.color[region].astype(np.float32) / 255),
            _tensor(mask[..., None]),
        ]
        # where a picture is smaller than a patch, it is cut short in both directions
        # alike and continued by reflection, so that nothing is stretched
        squeezed = config.context == "whole" or config.scheme == "notebook"
        size = (config.patch, config.patch)
        if not squeezed:
            factor = config.patch / side
            size = (
                min(config.patch, round(high * factor)),
                min(config.patch, round(wide * factor)),
            )
        parts = [_resized(part, size) for part in parts]
        parts = [_reflected(part, config.patch) for part in parts]
        parts[2] = (parts[2] > 0.5).float()
        if rng.random() < 0.5:
            parts = [part.flip(-1) for part in parts]
        if config.context == "local" and config.scheme == "fine-tune":
            turns = int(rng.integers(4))
            parts = [torch.rot90(part, turns, (-2, -1)) for part in parts]
        gray, rgb, weight = parts
        return gray, rgb, weight


def _area(pair: Pair) -> int:
    """Return the number of pixels that can be learned from."""
    return pair.gray.size if pair.mask is None else int(pair.mask.sum())


def _place(
    pair: Pair, size: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int, int, int]:
    """Top, left, height and width of a random box that holds some of the mask."""
    room = [full - part + 1 for full, part in zip(pair.shape, size, strict=True)]
    if pair.mask is None:
        return int(rng.integers(room[0])), int(rng.integers(room[1])), *size
    marked = np.flatnonzero(pair.mask)
    y, x = divmod(int(marked[rng.integers(len(marked))]), pair.shape[1])
    # anywhere around that pixel
    top = int(np.clip(y - rng.integers(size[0]), 0, room[0] - 1))
    left = int(np.clip(x - rng.integers(size[1]), 0, room[1] - 1))
    return top, left, *size


def _tensor(samples: Array) -> Tensor:
    """Copy (Y, X, C) to (1, C, Y, X)."""
    return torch.from_numpy(samples.transpose(2, 0, 1).copy())[None]


def _resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[-2:]) == size:
        return x
    smaller = any(new < old / 2 for new, old in zip(size, x.shape[-2:], strict=True))
    return F.interpolate(x, size, mode="bilinear", antialias=smaller)


def _reflected(x: Tensor, side: int) -> Tensor:
    for dim in (2, 3):
        length = x.shape[dim]
        if length < side:
            index = torch.arange(side) % max(1, 2 * length - 2)
            x = x.index_select(dim, torch.minimum(index, 2 * length - 2 - index))
    return x
