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
    _Scale(variance=0.85, features=0.5, position=0.4, gray=0.3),
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

    def means(self, counts: Sequence[int]) -> Self:
        """Mean places of so many that follow each other."""
        parts = (self.features, self.position, self.gray)
        return type(self)(*(means_of(part, counts) for part in parts))

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


@dataclass(frozen=True, slots=True)
class Field:
    """All places of a view of a plane, in rows and columns."""

    features: Tensor
    """(C, h, w), of unit length: half as fine as the places."""
    gray: Tensor
    """(2h, 2w), in [0, 1]."""
    rows: Tensor
    """(2h,), in shorter sides of the plane."""
    columns: Tensor
    """(2w,), in shorter sides of the plane."""

    def places(self, numbers: Tensor) -> Places:
        """Return places counted row by row, and the features enlarged to each.

        Parameters
        ----------
        numbers : (M,)
        """
        y, x = numbers // self.gray.shape[1], numbers % self.gray.shape[1]
        (above, below, down), (left, right, across) = (
            _neighbours(at, length)
            for at, length in zip((y, x), self.features.shape[1:], strict=True)
        )
        upper, lower = (
            self.features[:, row, left].lerp(self.features[:, row, right], across)
            for row in (above, below)
        )
        position = torch.stack((self.rows[y], self.columns[x]), 1)
        return Places(upper.lerp(lower, down).T, position, self.gray[y, x][:, None])

    def unlike(self, others: Places) -> Tensor:
        """Squared distances (K, 2h, 2w) of features from those of K places.

        As of enlarged features: what is linear in them may be enlarged afterwards.
        """
        dots = torch.einsum("kc,chw->khw", others.features, self.features)
        enlarged = F.interpolate(dots[None], scale_factor=2, mode="bilinear")[0]
        lengths = others.features.square().sum(1)[:, None, None]
        apart = enlarged.mul_(-2).add_(lengths).add_(self._lengths())
        return apart.clamp_(min=0)

    def _lengths(self) -> Tensor:
        """Squared lengths (2h, 2w) of enlarged features.

        Of a bilinear mean of four, from the products of neighbours: (1 - u) f + u g has
        (1 - u)^2 ff + u^2 gg + 2 u (1 - u) fg, along rows and columns.
        """
        f = F.pad(self.features[None], (1, 1, 1, 1), mode="replicate")[0]
        same = (f * f).sum(0)
        down = (f[:, :-1] * f[:, 1:]).sum(0)
        right = (f[..., :-1] * f[..., 1:]).sum(0)
        across = (f[:, :-1, :-1] * f[:, 1:, 1:]).sum(0)
        across += (f[:, :-1, 1:] * f[:, 1:, :-1]).sum(0)
        rows = _squared(same, down, 0), _squared(right, across / 2, 0)
        return _squared(*rows, 1)


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

    def over(self, field: Field) -> Tensor:
        """Estimate what is lacking all over a view, (2, 2h, 2w)."""
        total = field.gray.new_zeros(2, field.gray.numel())
        count = max(1, _AT_ONCE // field.gray.numel())
        weighted = torch.split(self._weights, count)
        for places, weights in zip(self._places.split(count), weighted, strict=True):
            total.addmm_(weights.T, _covariances(field, places).flatten(1))
        return total.view(2, *field.gray.shape)

    def certainty(self, places: Places) -> Tensor:
        """Part of the variance at places that is explained, (N,), from 0 to 1."""
        covariance = _covariance(places, self._places)
        explained = torch.cholesky_solve(covariance.T, self._factor).T
        return (covariance * explained).sum(1).clamp(0, 1)


def _covariance(some: Places, others: Places) -> Tensor:
    """(N, M), 1 for a place and itself."""
    features, position, gray = (
        _apart(a, b)
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


def _covariances(field: Field, others: Places) -> Tensor:
    """(K, H, W), as `_covariance` has them."""
    unlike = field.unlike(others)
    gray = (field.gray - others.gray[..., None]).square_()
    away = [
        (at - others.position[:, i : i + 1]).square_()
        for i, at in enumerate((field.rows, field.columns))
    ]
    total = torch.zeros_like(unlike)
    for scale in _SCALES:
        exponent = unlike / (-2 * scale.features**2)
        exponent.add_(gray, alpha=-0.5 * scale.gray**-2)
        y, x = (part.mul(-0.5 * scale.position**-2).exp_() for part in away)
        near = (scale.variance * y)[:, :, None] * x[:, None]
        total.addcmul_(exponent.exp_(), near)
    return total


def means_of(values: Tensor, counts: Sequence[int]) -> Tensor:
    """Means (G, C) of groups of so many rows each of values (M, C)."""
    lengths = torch.tensor(counts)
    groups = torch.arange(len(counts)).repeat_interleave(lengths)
    sums = values.new_zeros(len(counts), values.shape[1]).index_add_(0, groups, values)
    return sums / lengths[:, None]


def _neighbours(at: Tensor, length: int) -> tuple[Tensor, Tensor, Tensor]:
    """Those of `length` positions between which finer ones are, and how far between."""
    exact = ((at + 0.5) / 2 - 0.5).clamp(0, length - 1)
    before = exact.floor().long()
    return before, (before + 1).clamp(max=length - 1), exact - before


def _squared(ends: Tensor, products: Tensor, axis: int) -> Tensor:
    """Squares of what is a quarter and three quarters of the way between neighbours.

    Parameters
    ----------
    ends : squares of N neighbours along `axis`
    products : of each with the next one, N - 1
    """
    count = products.shape[axis]
    first, second = ends.narrow(axis, 0, count), ends.narrow(axis, 1, count)
    both = [
        (1 - u) ** 2 * first + u**2 * second + 2 * u * (1 - u) * products
        for u in (0.25, 0.75)
    ]
    in_turn = torch.stack(both, axis + 1).flatten(axis, axis + 1)
    return in_turn.narrow(axis, 1, 2 * count - 2)


def _apart(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances (N, M); several times as fast as `torch.cdist` for few b."""
    if a.shape[1] <= 2:
        parts = [(a[:, i : i + 1] - b[:, i]).square_() for i in range(a.shape[1])]
        return parts[0] if len(parts) == 1 else parts[0].add_(parts[1])
    lengths = torch.linalg.vector_norm(a, dim=1, keepdim=True).square_()
    others = torch.linalg.vector_norm(b, dim=1).square_()
    return torch.addmm(lengths + others, a, b.T, alpha=-2).clamp_(min=0)
