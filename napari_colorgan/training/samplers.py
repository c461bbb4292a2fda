"""What every step of a training learns from: patches of pairs, or crops of pictures."""

import math
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_colorgan.arrays import RGB
from napari_colorgan.color import (
    AB_SCALE,
    Codec,
    lightness_to_gray,
    rgb_to_lab,
)
from napari_colorgan.models.compact import palette_length
from napari_colorgan.training.archives import Archive
from napari_colorgan.training.augment import Augmentation
from napari_colorgan.training.crops import Cut, show, thumbnail, turn
from napari_colorgan.training.guidance import (
    draw_strength,
    simulate_hints,
    simulate_palettes,
)
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.pictures import AB_BYTES, Picture
from napari_colorgan.training.settings import FineTuneConfig, Settings, TrainConfig

_CPU = torch.device("cpu")
_WORKERS = min(8, os.cpu_count() or 1)
_AHEAD = 2 * _WORKERS  # steps whose crops are cut out already
_SCALES = {
    # sides of what is cut out, as a part of a patch: microscopes differ a little
    "fine-tune": (0.8, 1.25),
    # "resized to 286 x 286 and cropped to 256 x 256" (pix2pix paper, 6.2)
    "paper": (256 / 286, 256 / 286),
}
_NATIVE_SCALE = (0.8, 1.25)  # the same for crops of pictures
_ALIKE = 4  # crops of a batch that show parts of one size: they are resized at once
_LEVELS = 1 << 16  # of gray whose sources are looked up
_NEIGHBOURS = 40  # pictures before and after one in its folder that may be like it
_LEAST_PART = 0.6  # of the shorter side, of what `whole` cuts out of a pair


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from."""

    source: Tensor
    """(N, 1, H, W) as the generator reads it, in [-1, 1]."""
    target: Tensor
    """(N, C, H, W) as it should answer, scaled to about [-1, 1]."""
    hints: Tensor | None = None
    """(N, 3, H, W), see `models.compact`."""
    palette: Tensor | None = None
    """(N, P), see `models.compact.palette_input`."""
    weight: Tensor | None = None
    """(N, 1, H, W): 1 where the pair is to be learned, 0 elsewhere."""

    def to(self, device: torch.device) -> "Batch":
        """Copy to a device, unless it is there."""
        parts: dict[str, Any] = {}
        for field in fields(self):
            part = getattr(self, field.name)
            parts[field.name] = None if part is None else part.to(device)
        return Batch(**parts)


class Sampler(ABC):
    """What a training draws its batches from: parts of pictures, cut out by a child.

    Parameters
    ----------
    side : of what is shown, px
    hints, palettes : whether the generator takes any
    smooth, upright : see `crops.show` and `crops.turn`
    is_lab : whether bytes that are cut out are gray, a and b
    workers : threads that cut out what the next steps will see, as decoding takes time
    """

    per_epoch: int
    """Steps that see as much as there is."""

    def __init__(
        self,
        config: Settings,
        codec: Codec,
        side: int,
        device: torch.device,
        *,
        hints: bool,
        palettes: bool,
        smooth: bool,
        upright: bool,
        is_lab: bool = False,
        workers: int = 0,
    ) -> None:
        self._codec = codec
        self._seed = config.seed
        self._side = side
        self._augmentation = Augmentation(config, codec.name)
        self._hints = config.hints if hints else 0.0
        self._palettes = config.palettes if palettes else 0.0
        self._smooth = smooth
        self._upright = upright
        self._device = device
        self._is_lab = is_lab
        self._workers = ThreadPoolExecutor(workers) if workers else None
        self._begun: dict[int, Future[tuple[np.random.Generator, list[Cut]]]] = {}
        # Apple's GPUs do not know all that is needed here
        self._works_on = device if device.type == "cuda" else _CPU

    def batch(self, step: int) -> Batch:
        """Return what a step learns from, on the training's device.

        It follows from the seed and the step alone, whatever was asked for before.
        """
        rng, cuts = self._cut_ahead(step)
        planes = show(cuts, self._side, self._works_on, smooth=self._smooth)
        turn(planes, rng, upright=self._upright)
        gray, target, weight = self._parted(planes)
        self._augmentation.change(gray, rng)
        hints = simulate_hints(target, self._hints, rng)
        palette = self._palette(cuts, rng)
        batch = Batch(self._encode(gray), target, hints, palette, weight)
        return batch.to(self._device)

    @abstractmethod
    def _cut(self, rng: np.random.Generator) -> list[Cut]:
        """Cut out RGB as bytes, or gray, RGB and perhaps a mask as real numbers."""

    def _cut_ahead(self, step: int) -> tuple[np.random.Generator, list[Cut]]:
        """Cut out what a step sees, and let workers do so for those after it."""
        if self._workers is None:
            return self._cut_for(step)
        ahead = range(step, step + _AHEAD)
        for number in [number for number in self._begun if number not in ahead]:
            self._begun.pop(number).cancel()
        for number in ahead:
            if number not in self._begun:
                self._begun[number] = self._workers.submit(self._cut_for, number)
        return self._begun.pop(step).result()

    def _cut_for(self, step: int) -> tuple[np.random.Generator, list[Cut]]:
        rng = np.random.default_rng([self._seed, step])
        # in the order of `show`, so that each keeps its palette
        return rng, sorted(self._cut(rng), key=attrgetter("sizes"))

    def _referring(
        self,
        cut: Cut,
        picture: RGB,
        another: Callable[[], RGB],
        rng: np.random.Generator,
    ) -> Cut:
        """Give a share of cuts what a palette is taken from: their picture or another.

        How likely that is their own is what the generator is told.
        """
        if rng.random() >= self._palettes:
            return cut
        strength = draw_strength(rng)
        own = rng.random() < strength
        reference = thumbnail(picture if own else another(), rng)
        return replace(cut, reference=reference, strength=strength)

    def _palette(self, cuts: Sequence[Cut], rng: np.random.Generator) -> Tensor | None:
        """Palettes (N, P) of what was cut out; None if there are none."""
        given = [cut.reference is not None for cut in cuts]
        references = [cut.reference for cut in cuts if cut.reference is not None]
        if not references:
            return None
        shown = torch.from_numpy(np.stack(references)).permute(0, 3, 1, 2)
        shown = shown.to(self._works_on)
        if self._is_lab:
            ab = shown[:, 1:].float().mul_(1 / AB_BYTES).sub_(1)
        else:
            ab = rgb_to_lab(shown / 255)[:, 1:] / AB_SCALE
        strength = torch.tensor([cut.strength for cut in cuts]).to(ab)[given]
        palettes = ab.new_zeros((len(cuts), palette_length()))
        palettes[given] = simulate_palettes(ab, strength, rng)
        return palettes

    def _parted(self, planes: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """Gray in [0, 1], the target, and where it counts."""
        if planes.dtype != torch.uint8:
            weight = (planes[:, 4:] > 0.5).float() if planes.shape[1] > 4 else None
            return planes[:, :1].clamp(0, 1), self._codec.target(planes[:, 1:4]), weight
        if self._is_lab:
            gray = planes[:, :1].float().mul_(1 / 255)
            return gray, planes[:, 1:].float().mul_(1 / AB_BYTES).sub_(1), None
        rgb = planes / 255
        gray = lightness_to_gray(rgb_to_lab(rgb)[:, :1]).clamp_(0, 1)
        return gray, self._codec.target(rgb), None

    @cached_property
    def _encoded(self) -> Tensor:
        """Sources of the middles of so many ranges of gray."""
        levels = torch.arange(_LEVELS).add(0.5).div_(_LEVELS - 1)
        return self._codec.encode(levels).to(self._works_on)

    def _encode(self, gray: Tensor) -> Tensor:
        """Source of gray; looked up where it has few levels to begin with."""
        if not self._is_lab:
            return self._codec.encode(gray)
        levels = gray.mul_(_LEVELS - 1).int()
        return self._encoded.index_select(0, levels.flatten()).view(gray.shape)


class PatchSampler(Sampler):
    """Patches of pairs, each as likely as its share of all pixels.

    Parameters
    ----------
    pairs : what is learned from
    config : how patches are drawn and their gray sides changed
    codec : of what is trained
    device : where it is trained
    hints, palettes : whether it takes any
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        config: FineTuneConfig,
        codec: Codec,
        device: torch.device = _CPU,
        *,
        hints: bool,
        palettes: bool = False,
    ) -> None:
        turned = config.context == "local" and config.scheme == "fine-tune"
        super().__init__(
            config,
            codec,
            config.patch,
            device,
            hints=hints,
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
            pair = self._pairs[number]

            def another(pair: Pair = pair) -> RGB:
                others = [other for other in self._pairs if other is not pair] or [pair]
                return others[int(rng.integers(len(others)))].color

            cut = self._patch(pair, rng)
            cuts.append(self._referring(cut, pair.color, another, rng))
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


class PictureSampler(Sampler):
    """Crops of pictures in folders.

    How often folders are drawn from grows with their size, but as a rule less: a large
    collection does not drown a small one. Photographs are seen as a whole, in large
    parts that are resized; micrographs are cut out at about native resolution and also
    turned, for a micrograph has no up.

    Parameters
    ----------
    folders : the pictures of each; all have a gray side or none
    config, codec, device, hints, palettes : as `PatchSampler` takes them
    """

    def __init__(
        self,
        folders: Sequence[Sequence[Picture]],
        config: TrainConfig,
        codec: Codec,
        device: torch.device = _CPU,
        *,
        hints: bool,
        palettes: bool = False,
    ) -> None:
        super().__init__(
            config,
            codec,
            config.crop,
            device,
            hints=hints,
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
            picture = pictures[place]

            def another(pictures: Sequence[Picture] = pictures, at: int = place) -> RGB:
                """Find one near it, for alike ones lie in a folder, by name."""
                off = int(rng.integers(-_NEIGHBOURS, _NEIGHBOURS + 1))
                return pictures[min(max(0, at + off), len(pictures) - 1)].color

            cut = self._crop(picture, *drawn[1:])
            cuts.append(self._referring(cut, picture.color, another, rng))
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
