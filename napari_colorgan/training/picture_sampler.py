"""Crops of pictures in folders and archives."""

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from napari_colorgan.color import Codec
from napari_colorgan.training.archives import Archive
from napari_colorgan.training.crops import Cut
from napari_colorgan.training.pictures import Picture
from napari_colorgan.training.samplers import CPU, Sampler
from napari_colorgan.training.settings import TrainConfig

_WORKERS = min(8, os.cpu_count() or 1)
_NATIVE_SCALE = (0.8, 1.25)  # the same for crops of pictures
_ALIKE = 4  # crops of a batch that show parts of one size: they are resized at once
_NEIGHBOURS = 40  # pictures before and after one in its folder that may be like it


class PictureSampler(Sampler):
    """Crops of pictures in folders.

    How often folders are drawn from grows with their size, but as a rule less: a large
    collection does not drown a small one. Photographs are seen as a whole, in large
    parts that are resized; micrographs are cut out at about native resolution and also
    turned, for a micrograph has no up.

    Parameters
    ----------
    folders : the pictures of each; all have a gray side or none
    config, codec, device, palettes : as `PatchSampler` takes them
    """

    def __init__(
        self,
        folders: Sequence[Sequence[Picture]],
        config: TrainConfig,
        codec: Codec,
        device: torch.device = CPU,
        *,
        palettes: bool = False,
    ) -> None:
        super().__init__(
            config,
            codec,
            config.crop,
            device,
            palettes=palettes,
            smooth=True,
            upright=config.context == "whole" or config.squeezes,
            is_lab=folders[0][0].is_lab,
            workers=_WORKERS if any(isinstance(f, Archive) for f in folders) else 0,
        )
        self._folders = folders
        self._config = config
        sizes = np.array([len(pictures) for pictures in folders], float)
        self._shares = sizes**config.balance / (sizes**config.balance).sum()
        self.per_epoch = max(1, round(sizes.sum() / config.batch))

    def _cut(self, rng: np.random.Generator) -> list[Cut]:
        count = self._config.batch
        folders = rng.choice(len(self._folders), count, p=self._shares)
        sizes = _spread_evenly(rng, math.ceil(count / _ALIKE)).repeat(_ALIKE, axis=0)
        draws = np.hstack([rng.random((count, 3)), sizes[:count]])
        cuts = []
        for number, drawn in zip(folders.tolist(), draws.tolist(), strict=True):
            pictures = self._folders[number]
            place = int(drawn[0] * len(pictures))
            # alike ones lie in a folder, or have names alike
            first, last = place - _NEIGHBOURS, place + _NEIGHBOURS
            near = range(max(0, first), min(len(pictures), last + 1))
            picture = pictures[place]
            cut = self._crop(picture, *drawn[1:])
            cuts.append(self._referring(cut, picture, pictures, near, rng))
        return cuts

    def _crop(
        self, picture: Picture, y: float, x: float, scale: float, zoom: float
    ) -> Cut:
        """Cut out what four random numbers from 0 to 1 stand for."""
        config, shown = self._config, self._config.crop
        height, width = picture.color.shape[:2]
        shorter = min(height, width)
        if config.squeezes:
            return _cut_picture(picture, 0, 0, height, width, shown)
        if config.context == "whole":
            part = _between(config.min_scale, 1, scale) * shorter
        else:
            native = min(shown * _between(*_NATIVE_SCALE, scale), shorter)
            factor = self._augmentation.magnification(zoom)
            part = min(native / factor, shorter)
            # fewer where the picture, reduced, is too small for the square
            shown = max(1, round(shown * factor * part / native))
        high = wide = max(1, round(part))
        if config.context == "whole":
            wide = max(1, round(part / _between(1, config.max_stretch, zoom)))
        top, left = int(y * (height - high + 1)), int(x * (width - wide + 1))
        return _cut_picture(picture, top, left, high, wide, shown)


def _between(low: float, high: float, part: float) -> float:
    return low + (high - low) * part


def _spread_evenly(rng: np.random.Generator, count: int) -> npt.NDArray[np.float64]:
    """Points (count, 2) of the unit square, in every row and column one.

    Each is as likely anywhere: a Latin hypercube (McKay et al. 1979).
    """
    cells = rng.permuted(np.tile(np.arange(count), (2, 1)), axis=1).T
    return (cells + rng.random((count, 2))) / count


def _cut_picture(
    picture: Picture, y: int, x: int, height: int, width: int, shown: int
) -> Cut:
    region = (slice(y, y + height), slice(x, x + width))
    planes: npt.NDArray[Any] = picture.color[region]
    if picture.gray is not None:
        gray = picture.gray[region][..., None]
        planes = np.concatenate([gray, planes.astype(np.float32) / 255], axis=-1)
    return Cut(planes.transpose(2, 0, 1), shown, shown)
