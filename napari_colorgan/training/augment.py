"""Changes to training crops that leave the right answer as it is."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.checkpoints.metadata import CodecName
from napari_colorgan.color import spread
from napari_colorgan.training.settings import Settings

# How much of the variation of gray a codec bears. Of a translation the gray value is
# all that tells how bright the result is: 1.3 dB were lost where it was varied as for
# colorization.
_STRENGTH: dict[CodecName, float] = {"lab": 1.0, "rgb": 0.2}


class Augmentation:
    """What crops of pictures and of pairs go through, so that a model does not mind.

    Parameters
    ----------
    config : shares of the changes, and the range of magnifications
    codec : of what is learned
    """

    def __init__(self, config: Settings, codec: CodecName) -> None:
        self._config = config
        self._strength = _STRENGTH[codec]

    def of_gray(self, gray: Tensor, random: torch.Generator) -> Tensor:
        """Change the gray sides (N, 1, H, W) in [0, 1] alone."""
        config = self._config
        share = config.gray_augmentation
        gray = vary_gray(gray, share, random, strength=self._strength)
        if config.aging:
            gray = age_gray(gray, config.aging, random)
        return display_gray(gray, config.display, random)

    def magnification(self, rng: np.random.Generator) -> float:
        """Draw how large a crop of `local` context is shown, 1 as it is."""
        least, most = self._config.min_magnification, self._config.max_magnification
        if least == most:
            return 1.0
        return float(least * (most / least) ** rng.random())


def vary_gray(
    gray: Tensor, share: float, random: torch.Generator, *, strength: float = 1.0
) -> Tensor:
    """Change gamma, contrast, brightness and noise of a share of (N, 1, H, W).

    Cameras, films and scanners disagree about the gray of one and the same scene.
    `strength` from 0 to 1 scales the changes.
    """
    n = gray.shape[0]

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand((n, 1, 1, 1), generator=random) * (high - low) + low

    chosen = uniform(0, 1) < share
    gamma = torch.exp(strength * uniform(-0.45, 0.45))  # 0.64 to 1.57
    contrast = 1 + strength * uniform(-0.3, 0.15)
    brightness = strength * uniform(-0.1, 0.1)
    noise = torch.randn(gray.shape, generator=random) * strength * uniform(0, 0.04)
    varied = (gray.clamp(min=1e-4) ** gamma - 0.5) * contrast + 0.5 + brightness + noise
    return torch.where(chosen, varied.clamp(0, 1), gray)


def display_gray(gray: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Show a share of (N, 1, H, W) in [0, 1] within narrower contrast limits.

    Viewers take the extremes of a picture of 16 bits for its limits, not those of the
    camera: so do half of these. The limits of the others are a part of the way there.
    """
    if not share:
        return gray
    chosen, part = torch.rand((2, len(gray), 1, 1, 1), generator=random)
    part = (2 * part).clamp(max=1)
    shown = torch.lerp(gray, spread(gray, 0.0, 1.0), part)
    return torch.where(chosen < share, shown, gray)


def age_gray(gray: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Turn a share of (N, 1, H, W) in [0, 1] into scans of old photographs.

    Of random strength each: blur, uneven fading, a vignette, film grain, scratches and
    dust, and the narrow range of a faded print. What it should be coloured like stays.
    """
    chosen = torch.rand(len(gray), generator=random) < share
    if not chosen.any():
        return gray
    result = gray.clone()
    result[chosen] = _aged(gray[chosen], random)
    return result


def _aged(gray: Tensor, random: torch.Generator) -> Tensor:
    n, _, height, width = gray.shape

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand((n, 1, 1, 1), generator=random) * (high - low) + low

    aged = gray + uniform(0, 1) * (_blurred(gray) - gray)
    aged = aged * (1 + 0.15 * _coarse((n, 4, 4), (height, width), random))
    y = torch.linspace(-1, 1, height).view(-1, 1)
    x = torch.linspace(-1, 1, width)
    aged = aged * (1 - uniform(0, 0.25) * (y.square() + x.square()))
    # grain is seen most in the middle tones, and comes in different sizes
    fine = torch.randn(gray.shape, generator=random)
    soft = 3 * _blurred(torch.randn(gray.shape, generator=random))
    grain = torch.where(uniform(0, 1) < 0.5, fine, soft)
    middle = 0.4 + 2.4 * (aged * (1 - aged)).clamp(min=0)
    aged = aged + uniform(0, 0.06) * middle * grain
    aged = _scratched(aged.clamp(0, 1), random)
    black, white = uniform(0, 0.25), uniform(0.7, 1)
    return black + (white - black) * aged


def _blurred(gray: Tensor) -> Tensor:
    """Mean of 3 x 3 px, twice."""
    for _ in range(2):
        gray = F.avg_pool2d(F.pad(gray, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return gray


def _coarse(
    cells: tuple[int, int, int], shape: tuple[int, int], random: torch.Generator
) -> Tensor:
    """Smooth noise (N, 1, H, W) of unit variance at its cells."""
    noise = torch.randn((cells[0], 1, *cells[1:]), generator=random)
    return F.interpolate(noise, shape, mode="bicubic")


def _scratched(gray: Tensor, random: torch.Generator) -> Tensor:
    """Up to 3 lines from top to bottom and 6 specks in each picture, light or dark."""
    height, width = gray.shape[-2:]
    gray = gray.clone()

    def below(high: int) -> int:
        return int(torch.randint(0, high, (), generator=random))

    for picture in gray[:, 0]:
        for _ in range(below(4)):
            left, drift = below(width), below(9) - 4
            x = left + torch.linspace(0, drift, height).round().long()
            picture[torch.arange(height), x.clamp(0, width - 1)] = float(below(2))
        for _ in range(below(7)):
            side = 1 + below(3)
            y, x0 = below(height), below(width)
            picture[y : y + side, x0 : x0 + side] = float(below(2))
    return gray


def simulate_hints(
    target: Tensor, share: float, random: torch.Generator, most: int = 12
) -> Tensor:
    """Colour hints as a user might give them; (N, 3, H, W), see `models.compact`.

    A share of the crops gets 1 to `most` squares of 1 to 9 px with the mean colour of
    the target there, as in Zhang et al. 2017 (arXiv 1705.02999, section 3.2).
    """
    n, _, height, width = target.shape
    hints = target.new_zeros((n, 3, height, width))
    for index in range(n):
        if torch.rand((), generator=random) >= share:
            continue
        for _ in range(int(torch.randint(1, most + 1, (), generator=random))):
            side = 2 * int(torch.randint(0, 5, (), generator=random)) + 1
            y = int(torch.randint(0, height - side + 1, (), generator=random))
            x = int(torch.randint(0, width - side + 1, (), generator=random))
            place = (slice(y, y + side), slice(x, x + side))
            hints[index, :2, *place] = target[index, :, *place].mean(
                (1, 2), keepdim=True
            )
            hints[index, 2, *place] = 1
    return hints


def vary_judged(pictures: Tensor, random: torch.Generator) -> Tensor:
    """Move pictures and cut a hole into them, alike for all that are compared.

    What a discriminator sees of few pairs, so that it cannot learn them by heart;
    differentiable. Translation and cutout of Zhao et al. 2020 (arXiv 2006.10738).

    Parameters
    ----------
    pictures : (K, N, C, H, W): K versions of N pictures; all K get the same change
    """
    _, n, _, height, width = pictures.shape
    varied = []
    for index in range(n):
        dy, dx = (
            int(torch.randint(-(side // 8), side // 8 + 1, (), generator=random))
            for side in (height, width)
        )
        hole = [
            int(torch.randint(0, side - side // 4, (), generator=random))
            for side in (height, width)
        ]
        one = torch.roll(pictures[:, index], (dy, dx), (-2, -1))
        keep = one.new_ones((height, width))
        keep[hole[0] : hole[0] + height // 4, hole[1] : hole[1] + width // 4] = 0
        varied.append(one * keep)
    return torch.stack(varied, dim=1)
