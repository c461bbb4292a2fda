"""Patches of pairs, for fine-tuning."""

from collections.abc import Sequence

import numpy as np
import torch

from napari_colorgan.color import Codec
from napari_colorgan.training.crops import Cut
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.samplers import CPU, Sampler
from napari_colorgan.training.settings import FineTuneConfig

_SCALES = {
    # sides of what is cut out, as a part of a patch: microscopes differ a little
    "fine-tune": (0.8, 1.25),
    # "resized to 286 x 286 and cropped to 256 x 256" (pix2pix paper, 6.2)
    "paper": (256 / 286, 256 / 286),
}
_LEAST_PART = 0.6  # of the shorter side, of what `whole` cuts out of a pair


class PatchSampler(Sampler):
    """Patches of pairs, each as likely as its share of all pixels.

    Parameters
    ----------
    pairs : what is learned from
    config : how patches are drawn and their gray sides changed
    codec : of what is trained
    device : where it is trained
    palettes : whether it takes any
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        config: FineTuneConfig,
        codec: Codec,
        device: torch.device = CPU,
        *,
        palettes: bool = False,
    ) -> None:
        turned = config.context == "local" and config.scheme == "fine-tune"
        super().__init__(
            config,
            codec,
            config.patch,
            device,
            palettes=palettes,
            smooth=False,
            upright=not turned,
        )
        self._pairs = pairs
        self._config = config
        self._masked = any(pair.mask is not None for pair in pairs)
        areas = np.array(
            [p.gray.size if p.mask is None else p.mask.sum() for p in pairs], float
        )
        self._shares = areas / areas.sum()
        self.per_epoch = max(1, round(areas.sum() / config.patch**2 / config.batch))

    def _cut(self, rng: np.random.Generator) -> list[Cut]:
        count = self._config.batch
        numbers = rng.choice(len(self._pairs), count, p=self._shares)
        cuts = []
        for number in numbers.tolist():
            others = [n for n in range(len(self._pairs)) if n != number] or [number]
            pair = self._pairs[number]
            cut = self._patch(pair, rng)
            cuts.append(self._referring(cut, pair, self._pairs, others, rng))
        return cuts

    def _patch(self, pair: Pair, rng: np.random.Generator) -> Cut:
        config, patch = self._config, self._config.patch
        height, width = pair.shape
        shown = (patch, patch)
        if config.squeezes:
            return self._part(pair, (0, 0, height, width), shown)
        if config.context == "whole":
            side = round(rng.uniform(_LEAST_PART, 1) * min(height, width))
            return self._part(pair, _place(pair, (side, side), rng), shown)
        scale = rng.uniform(*_SCALES[config.scheme])
        side = round(patch * scale / self._augmentation.magnification(rng.random()))
        high, wide = min(side, height), min(side, width)
        # where a picture is smaller than a patch, it is cut short in both directions
        # alike and continued by reflection, so that nothing is stretched
        shown = (
            min(patch, round(high * patch / side)),
            min(patch, round(wide * patch / side)),
        )
        return self._part(pair, _place(pair, (high, wide), rng), shown)

    def _part(
        self, pair: Pair, box: tuple[int, int, int, int], shown: tuple[int, int]
    ) -> Cut:
        y, x, height, width = box
        region = (slice(y, y + height), slice(x, x + width))
        planes = np.ones((4 + self._masked, height, width), np.float32)
        planes[0] = pair.gray[region]
        planes[1:4] = pair.color[region].transpose(2, 0, 1)
        planes[1:4] /= 255
        if pair.mask is not None:
            planes[4] = pair.mask[region]
        return Cut(planes, *shown)


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
