"""What a generator sees of a plane, with the colours that a user gave for places."""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.color import AB_SCALE, rgb_to_lab
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.kriging import Kriging, Places

_COARSE = 2  # px


@dataclass(frozen=True)
class View:
    """A part of a plane as a generator sees it, and what it says."""

    gray: Tensor
    """(H, W), in [0, 1]."""
    prediction: Tensor
    """(2, H, W), scaled ab."""
    features: Tensor
    """(C, h, w), see `Compact.look`."""
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
    def places(self) -> Places:
        """All places, each a square of 2 px."""
        gray = F.avg_pool2d(self.gray[None, None], _COARSE)[0, 0]
        rows, columns = (
            (part.start + (torch.arange(count) + 0.5) * len(part) / count)
            / min(self.shape)
            for part, count in zip((self.rows, self.columns), self.coarse, strict=True)
        )
        return Places.of(self.features, gray, rows, columns)

    def known(self, hints: Hints) -> tuple[Places, Tensor]:
        """Places of hints that are inside, and the (a, b) lacking there, (K, 2)."""
        numbers = torch.arange(self.coarse[0] * self.coarse[1]).view(self.coarse)
        squares = hints.squares(self.rows, self.columns, self.coarse)
        groups = [numbers[rows, columns].flatten() for rows, columns in squares]
        said = F.avg_pool2d(self.prediction, _COARSE).flatten(1)
        means = torch.stack([said[:, group].mean(1) for group in groups])
        return self.places.means(groups), colors_of(hints) - means

    def corrected(self, kriging: Kriging) -> Tensor:
        """Prediction (2, H, W), and what it lacks added."""
        lacking = kriging.at(self.places).T.reshape(1, 2, *self.coarse)
        lacking = F.interpolate(lacking, tuple(self.gray.shape), mode="bilinear")
        return (self.prediction + lacking[0]).clamp_(-1, 1)


def colors_of(hints: Hints) -> Tensor:
    """Scaled (a, b) of hints, (K, 2)."""
    rgb = torch.from_numpy(hints.colors)[..., None, None] / 255  # (K, 3, 1, 1)
    return rgb_to_lab(rgb)[:, 1:, 0, 0] / AB_SCALE
