"""How a palette, colours without places, enters a generator."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_colorgan.color_bins import BIN_COUNT

_WIDTH = 128
_FULL = 0.25  # strength from which a palette adds all that it has to say


def palette_length() -> int:
    """How many numbers `palette_input` has."""
    return BIN_COUNT + 6


def palette_input(
    histogram: Tensor,
    tint: Tensor,
    *,
    strength: Tensor,
    has_colors: Tensor,
    has_tint: Tensor,
) -> Tensor:
    """Tell palettes to a generator: (N, P), zeros where nothing is given.

    Parameters
    ----------
    histogram : (N, Q), which colours occur; see `color_bins.color_histogram`
    tint : (N, 3), mean (a, b) and mean chroma, scaled; see `color_bins.mean_tint`
    strength : (N,) in [0, 1], how likely it is that the palette fits the picture
    has_colors, has_tint : (N,) of 0 or 1, whether histogram and tint count
    """
    colors, tinted = has_colors[:, None], has_tint[:, None]
    # rare colours count, too; and all are about as large as features are
    parts = [3 * histogram.sqrt() * colors, 4 * tint * tinted, colors, tinted]
    given = torch.maximum(colors, tinted)
    return torch.cat([*parts, strength[:, None] * given], dim=1)


class PaletteInput(nn.Module):
    """What a palette adds to the features of each level, and to the logits.

    Nothing where none is given, and little where its strength is near 0.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.read = nn.Linear(palette_length(), _WIDTH)
        self.think = nn.Linear(_WIDTH, _WIDTH)
        outs = (*widths, BIN_COUNT)
        self.tell = nn.ModuleList(nn.Linear(_WIDTH, out) for out in outs)

    def forward(self, palette: Tensor) -> list[Tensor]:
        """Read palettes (N, P); returns what is added, (N, C, 1, 1) each."""
        x = F.relu(self.think(F.relu(self.read(palette))))
        strength = palette[:, -1:]  # 0, too, where none is given
        part = (strength / _FULL).clamp(max=1)
        return [(part * tell(x))[..., None, None] for tell in self.tell]
