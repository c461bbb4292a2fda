"""Palettes as users give them to a generator, simulated from the truth."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_colorgan.color_bins import color_histogram, mean_tint
from napari_colorgan.models.palette import palette_input

_CERTAIN = 0.3  # share of palettes that are the truth's own for sure
_ONLY_COLORS, _ONLY_TINT = 0.2, 0.25  # shares of palettes that hold but a part
_SCALED = 0.12  # standard deviation of the logarithm of chroma, as references are off
_TINTED = 0.012  # standard deviation of the tint of half of them, of scaled ab
_STRETCHED = (0.4, 1.25)  # how far apart two opposite hues are afterwards, were they 1

Recoloring = npt.NDArray[np.float64]
"""(2, 2): what a and b become, as parts of both."""


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
    if all(each is None for each in maps):
        return ab
    given = [np.eye(2) if each is None else each for each in maps]
    return torch.einsum("nij,njhw->nihw", torch.from_numpy(np.stack(given)).to(ab), ab)


def _turn(angle: float) -> npt.NDArray[np.float64]:
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])
