"""What every step of a training learns from: see `patch_sampler`, `picture_sampler`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from napari_colorgan.arrays import RGB
from napari_colorgan.color import (
    AB_SCALE,
    Codec,
    lightness_to_gray,
    rgb_to_lab,
)
from napari_colorgan.models.palette import palette_length
from napari_colorgan.training.augment import Augmentation
from napari_colorgan.training.crops import Cut, show, thumbnail, turn
from napari_colorgan.training.palettes import (
    draw_recoloring,
    draw_strength,
    recolor,
    simulate_palettes,
)
from napari_colorgan.training.pictures import AB_BYTES
from napari_colorgan.training.settings import Settings

CPU = torch.device("cpu")
_AHEAD = 2  # steps for each worker, whose crops are cut out already
_LEVELS = 1 << 16  # of gray whose sources are looked up


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from."""

    source: Tensor
    """(N, 1, H, W) as the generator reads it, in [-1, 1]."""
    target: Tensor
    """(N, C, H, W) as it should answer, scaled to about [-1, 1]."""
    palette: Tensor | None = None
    """(N, P), see `models.palette.palette_input`."""
    weight: Tensor | None = None
    """(N, 1, H, W): 1 where the pair is to be learned, 0 elsewhere."""

    def to(self, device: torch.device) -> "Batch":
        """Copy to a device, unless it is there."""
        return self._each(lambda values: values.to(device))

    def part(self, number: int, parts: int) -> "Batch":
        """Return one of so many equal parts."""
        return self._each(lambda values: values.chunk(parts)[number])

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        changed: dict[str, Any] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            changed[field.name] = None if values is None else change(values)
        return Batch(**changed)


class HasColor(Protocol):
    """A pair or a picture, of which a palette can be taken."""

    @property
    def color(self) -> RGB:
        """(Y, X, 3)."""


class Sampler(ABC):
    """What a training draws its batches from: parts of pictures, cut out by a child.

    Parameters
    ----------
    side : of what is shown, px
    palettes : whether the generator takes any
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
        self._palettes = config.palettes if palettes else 0.0
        self._recolor = config.recolor
        self._smooth = smooth
        self._upright = upright
        self._device = device
        self._is_lab = is_lab
        self._ahead = _AHEAD * workers
        self._workers = ThreadPoolExecutor(workers) if workers else None
        self._begun: dict[int, Future[tuple[np.random.Generator, list[Cut]]]] = {}
        # Apple's GPUs do not know all that is needed here
        self._works_on = device if device.type == "cuda" else CPU

    def batch(self, step: int) -> Batch:
        """Return what a step learns from, on the training's device.

        It follows from the seed and the step alone, whatever was asked for before.
        """
        rng, cuts = self._cut_ahead(step)
        planes = show(cuts, self._side, self._works_on, smooth=self._smooth)
        turn(planes, rng, upright=self._upright)
        gray, target, weight = self._parted(planes)
        target = recolor(target, [cut.recoloring for cut in cuts])
        self._augmentation.change(gray, rng)
        palette = self._palette(cuts, rng)
        batch = Batch(self._encode(gray), target, palette, weight)
        return batch.to(self._device)

    @abstractmethod
    def _cut(self, rng: np.random.Generator) -> list[Cut]:
        """Cut out RGB as bytes, or gray, RGB and perhaps a mask as real numbers."""

    def _cut_ahead(self, step: int) -> tuple[np.random.Generator, list[Cut]]:
        """Cut out what a step sees, and let workers do so for those after it."""
        if self._workers is None:
            return self._cut_for(step)
        ahead = range(step, step + self._ahead)
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
        picture: HasColor,
        pictures: Sequence[HasColor],
        others: Sequence[int],
        rng: np.random.Generator,
    ) -> Cut:
        """Give a share of cuts what a palette is taken from: their picture or another.

        How likely that is their own is what the generator is told. `others` are numbers
        of `pictures`, which may have to be decoded.
        """
        if rng.random() >= self._palettes:
            return cut
        strength, recoloring = draw_strength(rng), None
        if self._recolor and rng.random() < self._recolor:
            strength, recoloring = 1.0, draw_recoloring(rng)
        if rng.random() >= strength:
            picture = pictures[others[int(rng.integers(len(others)))]]
        reference = thumbnail(picture.color, rng)
        return replace(
            cut, reference=reference, strength=strength, recoloring=recoloring
        )

    def _palette(self, cuts: Sequence[Cut], rng: np.random.Generator) -> Tensor | None:
        """Palettes (N, P) of what was cut out; None if there are none."""
        given = [cut.reference is not None for cut in cuts]
        references = [cut.reference for cut in cuts if cut.reference is not None]
        if not references:
            return None
        recolorings = [cut.recoloring for cut in cuts if cut.reference is not None]
        shown = torch.from_numpy(np.stack(references)).permute(0, 3, 1, 2)
        shown = shown.to(self._works_on)
        if self._is_lab:
            ab = shown[:, 1:].float().mul_(1 / AB_BYTES).sub_(1)
        else:
            ab = rgb_to_lab(shown / 255)[:, 1:] / AB_SCALE
        ab = recolor(ab, recolorings)
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
