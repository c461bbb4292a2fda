"""Changes to training crops that leave the right answer as it is."""

from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt
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
_PLACES = 2048  # rows at which a window of noise may begin


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

    def change(self, gray: Tensor, rng: np.random.Generator) -> None:
        """Change gray sides (N, 1, H, W) in [0, 1] in place."""
        config = self._config
        vary_gray(gray, config.gray_augmentation, rng, strength=self._strength)
        age_gray(gray, config.aging, rng)
        display_gray(gray, config.display, rng)

    def magnification(self, part: float) -> float:
        """How large a crop of `local` context is shown, 1 as it is.

        `part`, a random number from 0 to 1, tells where in the range of factors.
        """
        least, most = self._config.min_magnification, self._config.max_magnification
        return float(least * (most / least) ** part)


def vary_gray(
    gray: Tensor, share: float, rng: np.random.Generator, *, strength: float = 1.0
) -> None:
    """Change gamma, contrast, brightness and noise of a share of (N, 1, H, W) in place.

    Cameras, films and scanners disagree about the gray of one and the same scene.
    `strength` from 0 to 1 scales the changes.
    """

    def vary(gray: Tensor) -> Tensor:
        ranges = ((-0.45, 0.45), (-0.3, 0.15), (-0.1, 0.1), (0, 0.04))
        gamma, contrast, brightness, noise = strength * _uniform(gray, rng, *ranges)
        gamma, contrast = gamma.exp(), 1 + contrast  # 0.64 to 1.57
        offset = 0.5 + brightness - contrast / 2
        gray.clamp_(min=1e-4).log_().mul_(gamma).exp_()  # a power, but faster
        gray.mul_(contrast).add_(offset).add_(_noise(gray, rng)[0] * noise)
        return gray.clamp_(0, 1)

    _change_share(gray, share, rng, vary)


def display_gray(gray: Tensor, share: float, rng: np.random.Generator) -> None:
    """Show a share of (N, 1, H, W) in [0, 1] within narrower contrast limits, in place.

    Viewers take the extremes of a picture of 16 bits for its limits, not those of the
    camera: so do half of these. The limits of the others are a part of the way there.
    """

    def display(gray: Tensor) -> Tensor:
        (part,) = _uniform(gray, rng, (0, 2))
        return gray.lerp_(spread(gray, 0.0, 1.0), part.clamp(max=1))

    _change_share(gray, share, rng, display)


def age_gray(gray: Tensor, share: float, rng: np.random.Generator) -> None:
    """Turn a share of (N, 1, H, W) in [0, 1] into scans of old photographs, in place.

    Of random strength each: blur, uneven fading, a vignette, film grain, scratches and
    dust, and the narrow range of a faded print. What it should be coloured like stays.
    """

    def age(gray: Tensor) -> Tensor:
        blur, grain, softness, black, white = _uniform(
            gray, rng, (0, 1), (0, 0.06), (-0.5, 0.5), (0, 0.25), (0.7, 1)
        )
        gray.lerp_(_blurred(gray), blur).mul_(_kept_brightness(gray, rng))
        # grain is seen most in the middle tones, and comes in two sizes
        middle = torch.addcmul(gray, gray, gray, value=-1).clamp_(min=0)
        fine, soft = _noise(gray, rng)
        grains = torch.lerp(fine, soft, (softness > 0).float()).mul_(grain)
        gray.add_(middle.mul_(2.4).add_(0.4).mul_(grains)).clamp_(0, 1)
        _scratch(gray, rng)
        return gray.mul_(white - black).add_(black)

    _change_share(gray, share, rng, age)


def _uniform(
    pictures: Tensor, rng: np.random.Generator, *ranges: tuple[float, float]
) -> Tensor:
    """Draw a number of each range for each of N pictures: (len(ranges), N, 1, 1, 1)."""
    low, high = np.array(ranges, np.float32).T.reshape(2, -1, 1, 1, 1, 1)
    shape = (len(ranges), len(pictures), 1, 1, 1)
    drawn = low + (high - low) * rng.random(shape, np.float32)
    return torch.from_numpy(drawn).to(pictures.device)


def _change_share(
    gray: Tensor,
    share: float,
    rng: np.random.Generator,
    change: Callable[[Tensor], Tensor],
) -> None:
    """Change a random share of pictures; the others cost nothing.

    `change` gets a copy and may use it up.
    """
    changed = np.flatnonzero(rng.random(len(gray)) < share)
    if len(changed):
        index = torch.from_numpy(changed).to(gray.device)
        gray.index_copy_(0, index, change(gray.index_select(0, index)))


def _noise(like: Tensor, rng: np.random.Generator) -> Tensor:
    """Fine and soft normal noise (2, N, 1, H, W), cut out of a band of it.

    Drawing a number for every pixel took as long as all else that is done to a crop.
    """
    n, _, height, width = like.shape
    rows = n * height
    band = _noise_band(-(-rows // _PLACES) * _PLACES + _PLACES, width, like.device)
    return band.narrow(1, int(rng.integers(_PLACES)), rows).view(2, n, 1, height, width)


@cache
def _noise_band(rows: int, width: int, device: torch.device) -> Tensor:
    """Fine and soft noise, (2, rows, width); always the same."""
    fine = torch.randn((1, 1, rows, width), generator=torch.Generator().manual_seed(1))
    return torch.cat([fine[0], 3 * _blurred(fine)[0]]).to(device)


def _blurred(gray: Tensor) -> Tensor:
    """Mean of 3 x 3 px, twice."""
    gray = F.pad(gray, (2, 2, 2, 2), mode="replicate")
    for dim in (2, 3):
        size = gray.shape[dim] - 4
        far, near, middle, near_too, far_too = (
            gray.narrow(dim, start, size) for start in range(5)
        )
        gray = (far + far_too).add_(near, alpha=2).add_(near_too, alpha=2)
        gray.add_(middle, alpha=3)
    return gray.mul_(1 / 81)


def _kept_brightness(like: Tensor, rng: np.random.Generator) -> Tensor:
    """Part of its brightness that each place of a print has kept, (N, 1, H, W).

    Up to half is lost in the corners; smooth noise, 0.15 at 4 x 4 cells, adds to that.
    """
    n, _, height, width = like.shape
    parts = np.zeros((n, 1, 6, 6), np.float32)
    parts[..., :4, :4] = 0.15 * rng.standard_normal((n, 1, 4, 4), np.float32)
    parts[..., 4, 4] = 1
    parts[..., 4, 5] = parts[..., 5, 4] = -0.25 * rng.random((n, 1))
    y, x = (_smooth_curves(side).to(like.device) for side in (height, width))
    return y @ torch.from_numpy(parts).to(like.device) @ x.T


@cache
def _smooth_curves(side: int) -> Tensor:
    """Six curves, (side, 6): bicubic ones of 4 cells, 1, and the squared distance."""
    cells = F.interpolate(torch.eye(4)[None, None], (side, 4), mode="bicubic")[0, 0]
    squares = torch.linspace(-1, 1, side).square_()[:, None]
    return torch.cat([cells, torch.ones_like(squares), squares], dim=1)


def _scratch(gray: Tensor, rng: np.random.Generator) -> None:
    """Draw up to 3 lines from top to bottom and 6 specks in each, light or dark."""
    n, _, height, width = gray.shape
    scratched = np.arange(n).repeat(rng.integers(4, size=n))[:, None]
    left, drift = rng.random((2, len(scratched), 1))
    rows = np.arange(height)
    columns = (left * width + (drift * 8 - 4) * rows / height).astype(int)
    lines = (scratched * height + rows) * width + columns.clip(0, width - 1)
    dusty = np.arange(n).repeat(rng.integers(7, size=n))
    size, top, left = (rng.random((len(dusty), 3)) * (3, height, width)).astype(int).T
    specks = _squares(dusty, size + 1, top, left, (height, width), most=3)
    marks = [lines, specks.reshape(-1, 9)]
    places = np.concatenate([part.ravel() for part in marks])
    light = [rng.integers(2, size=len(part)).repeat(part.shape[1]) for part in marks]
    tones = torch.from_numpy(np.concatenate(light)).to(gray)
    gray.put_(torch.from_numpy(places).to(gray.device), tones)


def _squares(
    pictures: npt.NDArray[np.int64],
    sides: npt.NDArray[np.int64],
    top: npt.NDArray[np.int64],
    left: npt.NDArray[np.int64],
    size: tuple[int, int],
    most: int,
) -> npt.NDArray[np.int64]:
    """Pixels of K squares of up to `most` px, counted through all pictures of `size`.

    (K, most, most): a smaller square repeats its last row and column, as does one that
    reaches beyond its picture.
    """
    steps = np.minimum(np.arange(most), sides[:, None] - 1)
    rows, columns = (
        np.minimum(start[:, None] + steps, full - 1)
        for start, full in zip((top, left), size, strict=True)
    )
    rows += pictures[:, None] * size[0]
    return rows[:, :, None] * size[1] + columns[:, None]


def vary_judged(pictures: Tensor, random: torch.Generator, before: int = 0) -> Tensor:
    """Move pictures and cut a hole into them, alike for all that are compared.

    What a discriminator sees of few pairs, so that it cannot learn them by heart;
    differentiable. Translation and cutout of Zhao et al. 2020 (arXiv 2006.10738).

    Parameters
    ----------
    pictures : (K, N, C, H, W): K versions of N pictures; all K get the same change
    before : pictures of a batch that come before these
    """
    _, n, _, height, width = pictures.shape
    varied = []
    for index in range(-before, n):
        dy, dx = (
            int(torch.randint(-(side // 8), side // 8 + 1, (), generator=random))
            for side in (height, width)
        )
        hole = [
            int(torch.randint(0, side - side // 4, (), generator=random))
            for side in (height, width)
        ]
        if index < 0:  # drawn for another part of the batch
            continue
        shifted = torch.roll(pictures[:, index], (dy, dx), (-2, -1))
        keep = shifted.new_ones((height, width))
        keep[hole[0] : hole[0] + height // 4, hole[1] : hole[1] + width // 4] = 0
        varied.append(shifted * keep)
    return torch.stack(varied, dim=1)
