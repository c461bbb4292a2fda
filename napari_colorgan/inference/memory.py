"""What a generator said of the latest pictures."""

import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_colorgan.inference.palettes import Palette

_MOST = 1 << 21  # px of gray: about 70 MB, 32 squares of a model's working size


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """Of one picture, before it is made vivid, saturated or warm."""

    gray: Tensor
    palette: Palette | None
    prediction: Tensor
    features: Tensor
    sure: bool
    """Whether it tells how sure it is, where the generator can."""


class Memory:
    """The latest pictures, known by their pixels; safe to use from several threads."""

    def __init__(self) -> None:
        self.most = _MOST
        """Px of gray; the latest picture is kept, however large."""
        self._said: list[Said] = []
        self._lock = threading.Lock()

    def recall(self, gray: Tensor, palette: Palette | None) -> Said | None:
        """Return what was said of a picture; None if it is not known."""
        with self._lock:
            latest = list(self._said)
        for said in reversed(latest):
            if said.palette == palette and torch.equal(said.gray, gray):
                return said
        return None

    def keep(self, said: Said) -> Said:
        """Remember what was said, and forget the oldest."""
        with self._lock:
            self._said.append(said)
            pixels = sum(each.gray.numel() for each in self._said)
            while pixels > self.most and len(self._said) > 1:
                pixels -= self._said.pop(0).gray.numel()
        return said
