"""What users tell a generator, simulated from the truth: hints and palettes."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.color_bins import color_histogram, mean_tint
from napari_colorgan.models.palette import palette_input
from napari_colorgan.training.squares import last_painted, squares

MOST_HINTS = 60
_FEW = 10  # hints are this many on average where they are few
_MANY = 0.3  # share of crops with hints where any number is as likely
_CANDIDATES = 3  # places, of which the one that stands out most is clicked ...
_STANDING_OUT = 0.5  # ... for this share of hints; the others are anywhere
_LARGEST = 9  # px; side of a hint
_CERTAIN = 0.3  # share of palettes that are the truth's own for sure
_ONLY_COLORS, _ONLY_TINT = 0.2, 0.25  # shares of palettes that hold but a part
_SCALED = 0.12  # standard deviation of the logarithm of chroma, as references are off
_TINTED = 0.012  # standard deviation of the tint of half of them, of scaled ab
_STRETCHED = (0.4, 1.25)  # how far apart two opposite hues are afterwards, were they 1

Recoloring = npt.NDArray[np.float64]
"""(2, 2): what a and b become, as parts of both."""


def simulate_hints(
    target: Tensor, share: float, rng: np.random.Generator
) -> Tensor | None:
    """Colour hints as a user might give them; (N, 3, H, W), see `models.compact`.

    A share of the crops gets up to `MOST_HINTS` squares of 1 to 9 px with the mean
    colour of the target there, as in Zhang et al. 2017 (arXiv 1705.02999, section 3.2).
    Half are where colours differ most from the crop's mean: people click on things, not
    on the sky. None if no crop gets any.
    """
    n, _, height, width = target.shape
    few = rng.geometric(1 / _FEW, n).clip(max=MOST_HINTS)
    evenly = rng.integers(1, MOST_HINTS + 1, n)
    counts = np.where(rng.random(n) < _MANY, evenly, few)
    pictures = np.arange(n).repeat((rng.random(n) < share) * counts)
    if not len(pictures):
        return None
    sides = 2 * rng.integers(0, (_LARGEST + 1) // 2, len(pictures)) + 1
    top, left = _clicked(target, pictures, sides, rng)
    places = squares(pictures, sides, top, left, (height, width), most=_LARGEST)
    inside = np.arange(_LARGEST) < sides[:, None]
    weights = inside[:, :, None] * inside[:, None] / sides[:, None, None] ** 2
    picture, place, last, weight = (
        torch.from_numpy(part).to(target.device)
        for part in (
            *np.divmod(places, height * width),
            last_painted(places),
            weights.astype(np.float32),
        )
    )
    colors = target.flatten(2)[picture, :, place].mul_(weight[..., None]).sum((1, 2))
    hints = target.new_zeros((n, 3, height, width))
    hints.flatten(2)[picture, :, place] = F.pad(colors, (0, 1), value=1)[last]
    return hints


def simulate_palettes(
    references: Tensor, strength: Tensor, rng: np.random.Generator
) -> Tensor:
    """Palettes as a user might give them; (N, P), see `models.palette.palette_input`.

    They are a little wrong, and a part of them hold colours or a tint alone.

    Parameters
    ----------
    references : (N, 2, H, W), scaled ab of pictures that palettes are taken from
    strength : (N,), how likely it is that each fits
    """
    n = len(references)

    def numbers(values: np.ndarray) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)).to(references.device)

    chroma = np.exp(_SCALED * rng.standard_normal((n, 1, 1, 1)))
    tint = _TINTED * rng.standard_normal((n, 2, 1, 1))
    tint *= rng.random((n, 1, 1, 1)) < 0.5
    references = references * numbers(chroma) + numbers(tint)
    part = rng.random(n)
    return palette_input(
        color_histogram(references),
        mean_tint(references),
        strength=strength,
        has_colors=numbers(part >= _ONLY_TINT),
        has_tint=numbers(part < 1 - _ONLY_COLORS),
    )


def draw_strength(rng: np.random.Generator) -> float:
    """Draw how likely it is that a palette fits, 0 to 1; many fit for sure."""
    certain, strength = rng.random(2).tolist()
    return 1.0 if certain < _CERTAIN else strength


def draw_recoloring(rng: np.random.Generator) -> Recoloring:
    """Draw a linear map of (a, b), (2, 2), that turns colours into those of no dye yet.

    Gray stays gray, as glass and paper do; hues are turned and perhaps mirrored, and
    come closer together or farther apart.
    """
    turned, turned_again = 2 * math.pi * rng.random(2)
    low, high = np.log(_STRETCHED)
    lengths = np.exp(rng.uniform(low, high, 2))
    map_: Recoloring = _turn(turned) @ np.diag(lengths) @ _turn(turned_again)
    return map_ @ np.diag([1, rng.choice([-1, 1])])


def recolor(ab: Tensor, maps: Sequence[Recoloring | None]) -> Tensor:
    """Turn the colours of pictures (N, 2, H, W), each by its map; None: it stays."""
    given = [np.eye(2) if each is None else each for each in maps]
    return torch.einsum("nij,njhw->nihw", torch.from_numpy(np.stack(given)).to(ab), ab)


def _turn(angle: float) -> npt.NDArray[np.float64]:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def _clicked(
    target: Tensor,
    pictures: np.ndarray,
    sides: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Top and left of squares in the pictures of these numbers."""
    height, width = target.shape[-2:]
    apart = (target - target.mean((2, 3), keepdim=True)).square().sum(1)
    room = np.array([[[height]], [[width]]]) - sides + 1
    shape = (2, _CANDIDATES, len(pictures))
    top, left = (rng.random(shape) * room).astype(int)
    middle = (pictures, top + sides // 2, left + sides // 2)
    index = tuple(torch.from_numpy(part).to(target.device) for part in middle)
    best = apart[index].argmax(0).cpu().numpy()
    best[rng.random(len(pictures)) >= _STANDING_OUT] = 0
    hint = np.arange(len(pictures))
    return top[best, hint], left[best, hint]
