"""What a generator sees of a plane, with the colours that a user gave for places."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.arrays import Region
from napari_colorgan.color import AB_SCALE, rgb_to_lab
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.kriging import Field, Kriging, Places, means_of

_COARSE = 2  # px
_FEATURE = 4  # px; side of what has features of its own
_MARGIN = 8  # px; as far as places have a part in what is enlarged


@dataclass(frozen=True)
class View:
    """A part of a plane as a generator sees it, and what it says."""

    gray: Tensor
    """(H, W), in [0, 1]."""
    prediction: Tensor
    """(2, H, W), scaled ab."""
    features: Tensor
    """(C, h, w) of unit length, see `Compact.look`."""
    rows: range
    """Of the plane, px; H may be more or fewer."""
    columns: range
    shape: tuple[int, int]
    """Of the plane, px."""

    @property
    def coarse(self) -> tuple[int, int]:
        """Rows and columns of the places that are told apart."""
        height, width = self.gray.shape
        return height // _COARSE, width // _COARSE

    @cached_property
    def field(self) -> Field:
        """All places, each a square of 2 px."""
        gray = F.avg_pool2d(self.gray[None, None], _COARSE)[0, 0]
        rows, columns = (
            (part.start + (torch.arange(count) + 0.5) * len(part) / count)
            / min(self.shape)
            for part, count in zip((self.rows, self.columns), self.coarse, strict=True)
        )
        return Field(self.features, gray, rows, columns)

    def known(self, hints: Hints) -> tuple[Places, Tensor]:
        """Places of hints that are inside, and the (a, b) lacking there, (K, 2)."""
        numbers = torch.arange(self.coarse[0] * self.coarse[1]).view(self.coarse)
        squares = hints.squares(self.rows, self.columns, self.coarse)
        groups = [numbers[rows, columns].flatten() for rows, columns in squares]
        counts, every = [len(group) for group in groups], torch.cat(groups)
        said = F.avg_pool2d(self.prediction, _COARSE).flatten(1)[:, every].T
        lacking = colors_of(hints) - means_of(said, counts)
        return self.field.places(every).means(counts), lacking

    def near(self, place: tuple[int, int]) -> "View":
        """Return the part around a place; all of a plane that is seen resized."""
        if (len(self.rows), len(self.columns)) != self.gray.shape:
            return self
        rows, columns = (
            _with_margin(slice(at - side.start, at - side.start + 1), len(side))
            for at, side in zip(place, (self.rows, self.columns), strict=True)
        )
        return self._only(rows, columns)

    def corrected(self, kriging: Kriging, part: Region | None = None) -> Tensor:
        """Prediction (2, H, W), and what it lacks added.

        Parameters
        ----------
        part : px that are needed, others may lack anything; default all
        """
        if part is not None:
            rows, columns = (
                _with_margin(side, length)
                for side, length in zip(part, self.gray.shape, strict=True)
            )
            result = self.prediction.clone()
            result[:, rows, columns] = self._only(rows, columns).corrected(kriging)
            return result
        lacking = kriging.over(self.field)[None]
        lacking = F.interpolate(lacking, tuple(self.gray.shape), mode="bilinear")
        return (self.prediction + lacking[0]).clamp_(-1, 1)

    def _only(self, rows: slice, columns: slice) -> "View":
        """Return a part, in whole squares of features; of a plane at full size."""
        y, x = (
            slice(side.start // _FEATURE, side.stop // _FEATURE)
            for side in (rows, columns)
        )
        return View(
            self.gray[rows, columns],
            self.prediction[:, rows, columns],
            self.features[:, y, x],
            self.rows[rows],
            self.columns[columns],
            self.shape,
        )


def _with_margin(part: slice, length: int) -> slice:
    """Return a part, and what has a part in it, in whole squares that have features."""
    start = max(0, part.start - _MARGIN) // _FEATURE * _FEATURE
    stop = -(-(part.stop + _MARGIN) // _FEATURE) * _FEATURE
    return slice(start, min(stop, length))


def colors_of(hints: Hints) -> Tensor:
    """Scaled (a, b) of hints, (K, 2)."""
    rgb = torch.from_numpy(hints.colors)[..., None, None] / 255  # (K, 3, 1, 1)
    return rgb_to_lab(rgb)[:, 1:, 0, 0] / AB_SCALE
