"""How the colours of hints travel: to places that look alike, by kriging.

A generator is asked without hints. What its answer lacks where they are is known; what
it lacks elsewhere is estimated as the mean of a Gaussian process (Rasmussen & Williams
2006, equation 2.25; "simple kriging" in geostatistics). Two places vary together as far
as the generator's own features call them alike, as they are near each other, and as
their gray is the same. So a hint counts in full where it is, in part at what is like
it, and hardly elsewhere; many that agree move the tint of all.

Beside hints that a generator had learned to read, 10 of them brought four times as much
and 50 three times as much (`tests/benchmarks/guidance.py`), with no training.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

_NOISE = 0.05  # part of the variance that a hint does not tell
_AT_ONCE = 1 << 22  # covariances held in memory


@dataclass(frozen=True, slots=True)
class _Scale:
    """A covariance: its variance, and at which distances it falls."""

    variance: float
    features: float
    position: float
    """In shorter sides of the plane."""
    gray: float


_SCALES = (
    # what was clicked, and what is like it
    _Scale(variance=0.85, features=0.35, position=0.6, gray=0.3),
    # the tint of the picture
    _Scale(variance=0.15, features=1.0, position=1.5, gray=1.0),
)


@dataclass(frozen=True, slots=True)
class Places:
    """What K places are compared by."""

    features: Tensor
    """(K, C), of about unit length."""
    position: Tensor
    """(K, 2), row and column in shorter sides of the plane."""
    gray: Tensor
    """(K, 1), in [0, 1]."""

    @classmethod
    def of(cls, features: Tensor, gray: Tensor, rows: Tensor, columns: Tensor) -> Self:
        """All pixels of a view of a plane, row by row.

        Parameters
        ----------
        features : (C, h, w), enlarged to the view
        gray : (H, W)
        rows, columns : (H,) and (W,), positions in shorter sides of the plane
        """
        size = gray.shape
        unit = F.normalize(features[None], dim=1, eps=1e-6).contiguous()
        unit = F.interpolate(unit, tuple(size), mode="bilinear")[0]
        position = torch.stack(torch.meshgrid(rows, columns, indexing="ij"))
        return cls(unit.flatten(1).T, position.flatten(1).T, gray.reshape(-1, 1))

    def means(self, groups: Sequence[Tensor]) -> Self:
        """Mean places of groups, which are numbers of places."""
        parts = (self.features, self.position, self.gray)
        return type(self)(
            *(torch.stack([part[group].mean(0) for group in groups]) for part in parts)
        )

    @classmethod
    def together(cls, places: Sequence["Places"]) -> Self:
        """Places of several views of one plane."""
        return cls(
            torch.cat([each.features for each in places]),
            torch.cat([each.position for each in places]),
            torch.cat([each.gray for each in places]),
        )

    def split(self, count: int) -> list["Places"]:
        """Return parts of `count` places."""
        parts = (self.features, self.position, self.gray)
        split = (torch.split(part, count) for part in parts)
        return [Places(*some) for some in zip(*split, strict=True)]


class Kriging:
    """What is lacking at K places, estimated anywhere in their plane.

    Parameters
    ----------
    places : where it is known
    lacking : (K, 2), scaled (a, b) to be added there
    """

    def __init__(self, places: Places, lacking: Tensor) -> None:
        self._places = places
        known = _covariance(places, places)
        known = known + _NOISE * torch.eye(len(known))
        self._factor = torch.linalg.cholesky(known)
        self._weights = torch.cholesky_solve(lacking, self._factor)

    def at(self, places: Places) -> Tensor:
        """Estimate what is lacking at places, (N, 2)."""
        count = max(1, _AT_ONCE // len(self._weights))
        parts = [
            _covariance(some, self._places) @ self._weights
            for some in places.split(count)
        ]
        return torch.cat(parts)

    def certainty(self, places: Places) -> Tensor:
        """Part of the variance at places that is explained, (N,), from 0 to 1."""
        covariance = _covariance(places, self._places)
        explained = torch.cholesky_solve(covariance.T, self._factor).T
        return (covariance * explained).sum(1).clamp(0, 1)


def _covariance(some: Places, others: Places) -> Tensor:
    """(N, M), 1 for a place and itself."""
    features, position, gray = (
        _squared_distance(a, b)
        for a, b in (
            (some.features, others.features),
            (some.position, others.position),
            (some.gray, others.gray),
        )
    )
    total = torch.zeros_like(features)
    for scale in _SCALES:
        exponent = features / scale.features**2
        exponent.add_(position, alpha=scale.position**-2)
        exponent.add_(gray, alpha=scale.gray**-2)
        total.add_(exponent.mul_(-0.5).exp_(), alpha=scale.variance)
    return total


def _squared_distance(some: Tensor, others: Tensor) -> Tensor:
    """(N, M) of (N, C) and (M, C); unlike `torch.cdist`, it copies none of them."""
    lengths = some.square().sum(1, keepdim=True) + others.square().sum(1)
    return lengths.addmm_(some, others.T, alpha=-2).clamp_(min=0)
