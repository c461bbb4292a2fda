"""A gray and a colour picture of the same pixels."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from napari_colorgan.arrays import RGB, Gray, Mask, Region

MIN_SIDE = 16
"""Shortest side of a pair in px; smaller pictures have no texture to learn from."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One plane in gray and in colour."""

    name: str
    gray: Gray
    """(Y, X) in [0, 1]."""
    color: RGB
    """(Y, X, 3)."""
    mask: Mask | None = None
    """(Y, X): pixels to learn from and to judge by; None: all."""
    from_color: bool = False
    """Whether `gray` was made from the lightness of `color`."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.gray.shape[0], self.gray.shape[1]

    def cropped(self, region: Region) -> Self:
        """Copy of a part."""
        mask = None if self.mask is None else self.mask[region].copy()
        gray, color = self.gray[region].copy(), self.color[region].copy()
        return replace(self, gray=gray, color=color, mask=mask)


def digest(pairs: Sequence[Pair]) -> str:
    """SHA-256 over names, shapes and pixels of pairs in their order."""
    sha = hashlib.sha256()
    for pair in pairs:
        shown = "all" if pair.mask is None else "mask"
        about = f"{len(pair.name)} {pair.name} {pair.shape} {shown}"
        sha.update(about.encode(errors="backslashreplace"))  # names may be no UTF-8
        for array in (pair.gray, pair.color, pair.mask):
            if array is not None:
                sha.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return sha.hexdigest()
