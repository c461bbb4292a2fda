"""Changes to training crops that leave the right answer as it is."""

from collections.abc import Callable
from functools import cache

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
_MARGIN = 256  # px: places that a window of noise may have in each direction


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
        gray = age_gray(gray, config.aging, random)
        return display_gray(gray, config.display, random)

    def magnification(self, part: float) -> float:
        """How large a crop of `local` context is shown, 1 as it is.

        `part`, a random number from 0 to 1, tells where in the range of factors.
        """
        least, most = self._config.min_magnification, self._config.max_magnification
        return float(least * (most / least) ** part)


def vary_gray(
    gray: Tensor, share: float, random: torch.Generator, *, strength: float = 1.0
) -> Tensor:
    """Change gamma, contrast, brightness and noise of a share of (N, 1, H, W).

    Cameras, films and scanners disagree about the gray of one and the same scene.
    `strength` from 0 to 1 scales the changes.
    """

    def varied(gray: Tensor) -> Tensor:
        uniform = _Uniform(gray, random)
        gamma = torch.exp(strength * uniform(-0.45, 0.45))  # 0.64 to 1.57
        contrast = 1 + strength * uniform(-0.3, 0.15)
        brightness = 0.5 + strength * uniform(-0.1, 0.1)
        noise = _noise(gray, random).mul_(strength * uniform(0, 0.04))
        curve = gray.clamp(min=1e-4).log_().mul_(gamma).exp_()  # a power, but faster
        return curve.sub_(0.5).mul_(contrast).add_(brightness).add_(noise).clamp_(0, 1)

    return _change_share(gray, share, random, varied)


def display_gray(gray: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Show a share of (N, 1, H, W) in [0, 1] within narrower contrast limits.

    Viewers take the extremes of a picture of 16 bits for its limits, not those of the
    camera: so do half of these. The limits of the others are a part of the way there.
    """

    def displayed(gray: Tensor) -> Tensor:
        part = _Uniform(gray, random)(0, 2).clamp(max=1)
        return torch.lerp(gray, spread(gray, 0.0, 1.0), part)

    return _change_share(gray, share, random, displayed)


def age_gray(gray: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Turn a share of (N, 1, H, W) in [0, 1] into scans of old photographs.

    Of random strength each: blur, uneven fading, a vignette, film grain, scratches and
    dust, and the narrow range of a faded print. What it should be coloured like stays.
    """

    def aged(gray: Tensor) -> Tensor:
        uniform = _Uniform(gray, random)
        height, width = gray.shape[-2:]
        aged = torch.lerp(gray, _blurred(gray), uniform(0, 1))
        y = torch.linspace(-1, 1, height, device=gray.device).view(-1, 1)
        x = torch.linspace(-1, 1, width, device=gray.device)
        aged *= 1 - uniform(0, 0.25) * (y.square() + x.square())
        aged *= _coarse(gray, random).mul_(0.15).add_(1)
        # grain is seen most in the middle tones, and comes in different sizes
        grain = _noise(gray, random, soft=0.5)
        middle = (aged * (1 - aged)).clamp_(min=0).mul_(2.4).add_(0.4)
        aged += grain.mul_(middle).mul_(uniform(0, 0.06))
        _scratch(aged.clamp_(0, 1), random)
        return torch.lerp(uniform(0, 0.25), uniform(0.7, 1), aged)  # black to white

    return _change_share(gray, share, random, aged)


class _Uniform:
    """Draws a random number for each of some pictures, on their device."""

    def __init__(self, pictures: Tensor, random: torch.Generator) -> None:
        self._pictures = pictures
        self._random = random

    def __call__(self, low: float, high: float) -> Tensor:
        shape = (len(self._pictures), 1, 1, 1)
        numbers = torch.rand(shape, generator=self._random)
        return numbers.mul_(high - low).add_(low).to(self._pictures.device)


def _change_share(
    gray: Tensor,
    share: float,
    random: torch.Generator,
    change: Callable[[Tensor], Tensor],
) -> Tensor:
    """Change a random share of pictures; the others cost nothing."""
    changed = (torch.rand(len(gray), generator=random) < share).nonzero()[:, 0]
    if not len(changed):
        return gray
    changed = changed.to(gray.device)
    return gray.index_copy(0, changed, change(gray[changed]))


def _noise(like: Tensor, random: torch.Generator, soft: float = 0.0) -> Tensor:
    """Windows (N, 1, H, W) of one large field of normal noise, a share of them soft.

    Drawing a number for every pixel took as long as all else that is done to a crop.
    """
    n, _, height, width = like.shape
    fields = _noise_fields(max(height, width) + _MARGIN, like.device)
    places = torch.randint(0, _MARGIN, (n, 2), generator=random).tolist()
    kinds = (torch.rand(n, generator=random) < soft).long().tolist()
    return torch.stack(
        [
            fields[kind, :, y : y + height, x : x + width]
            for kind, (y, x) in zip(kinds, places, strict=True)
        ]
    )


@cache
def _noise_fields(side: int, device: torch.device) -> Tensor:
    """Fine and soft noise, (2, 1, side, side); always the same."""
    fine = torch.randn((1, 1, side, side), generator=torch.Generator().manual_seed(1))
    return torch.cat([fine, 3 * _blurred(fine)]).to(device)


def _blurred(gray: Tensor) -> Tensor:
    """Mean of 3 x 3 px, twice."""
    gray = F.pad(gray, (2, 2, 2, 2), mode="replicate")
    for dim in (2, 3):
        size = gray.shape[dim] - 4
        far, near, middle, near_too, far_too = (
            gray.narrow(dim, start, size) for start in range(5)
        )
        gray = (near + near_too).mul_(2).add_(far).add_(far_too).add_(middle, alpha=3)
    return gray.div_(81)


def _coarse(like: Tensor, random: torch.Generator) -> Tensor:
    """Smooth noise (N, 1, H, W) of unit variance at its 4 x 4 cells."""
    cells = torch.randn((len(like), 1, 4, 4), generator=random).to(like.device)
    rows, columns = (_enlarging(side).to(like.device) for side in like.shape[-2:])
    return rows @ cells @ columns.T


@cache
def _enlarging(side: int) -> Tensor:
    """Matrix (side, 4) that enlarges a column of 4 px to `side` px, bicubic."""
    return F.interpolate(torch.eye(4)[None, None], (side, 4), mode="bicubic")[0, 0]


def _scratch(gray: Tensor, random: torch.Generator) -> None:
    """Draw up to 3 lines from top to bottom and 6 specks in each, light or dark."""
    n, _, height, width = gray.shape

    def below(high: int, count: int) -> Tensor:
        return torch.randint(0, high, (count,), generator=random)

    picture = torch.arange(n).repeat_interleave(below(4, n))[:, None]
    left, drift = below(width, len(picture)), below(9, len(picture)) - 4
    tones = below(2, len(picture))[:, None].to(gray)
    down = torch.linspace(0, 1, height)
    columns = left[:, None] + (drift[:, None] * down).round().long()
    place = (picture, torch.arange(height), columns.clamp(0, width - 1))
    gray[:, 0][tuple(index.to(gray.device) for index in place)] = tones
    picture = torch.arange(n).repeat_interleave(below(7, n))
    drawn = (below(high, len(picture)).tolist() for high in (3, height, width, 2))
    for number, side, y, x, tone in zip(picture.tolist(), *drawn, strict=True):
        gray[number, 0, y : y + side + 1, x : x + side + 1] = tone


def simulate_hints(
    target: Tensor, share: float, random: torch.Generator, most: int = 12
) -> Tensor:
    """Colour hints as a user might give them; (N, 3, H, W), see `models.compact`.

    A share of the crops gets 1 to `most` squares of 1 to 9 px with the mean colour of
    the target there, as in Zhang et al. 2017 (arXiv 1705.02999, section 3.2).
    """
    n, _, height, width = target.shape
    hints = target.new_zeros((n, 3, height, width))
    given = torch.rand(n, generator=random) < share
    counts = torch.randint(1, most + 1, (n,), generator=random)
    sides = 2 * torch.randint(0, 5, (n, most), generator=random) + 1
    y, x = (
        (torch.rand((n, most), generator=random) * (full - sides + 1)).long()
        for full in (height, width)
    )
    squares = torch.stack([sides, y, x], dim=-1)
    for index in given.nonzero()[:, 0].tolist():
        picture, shown = target[index], hints[index]
        for side, top, left in squares[index, : counts[index]].tolist():
            place = (..., slice(top, top + side), slice(left, left + side))
            shown[:2][place] = picture[place].mean((1, 2), keepdim=True)
            shown[2][place] = 1
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
        shifted = torch.roll(pictures[:, index], (dy, dx), (-2, -1))
        keep = shifted.new_ones((height, width))
        keep[hole[0] : hole[0] + height // 4, hole[1] : hole[1] + width // 4] = 0
        varied.append(shifted * keep)
    return torch.stack(varied, dim=1)
