"""The plane of ab in bins: distributions over colours, and the colours they stand for.

Bins are the nodes of a grid that is fine near gray, where most colours are. A colour is
shared among the four nodes of its cell (bilinear weights), so that the mean of what a
colour became is that colour exactly. A generator's answer is such a distribution (as in
Zhang et al. 2016, arXiv 1603.08511, section 2.1, with five neighbours of an even grid),
and so is a palette: the mean of the distributions of all its pixels.

Tensors of colours are (N, 2, H, W) ab, scaled by `AB_SCALE`.
"""

import torch
from torch import Tensor

from napari_colorgan.color import AB_SCALE, rgb_to_lab

_HALF = (0.0, 5.0, 11.0, 18.0, 27.0, 38.0, 52.0, 74.0, 110.0)  # units of ab
_LINES = torch.tensor([-line for line in _HALF[:0:-1]] + [*_HALF]) / AB_SCALE
_SIDE = len(_LINES)
_STEPS = 64  # of each face of the sRGB cube, to find the bins that hold colours


def bin_shares(ab: Tensor) -> tuple[Tensor, Tensor]:
    """Bins that colours fall among, and the share of each, both (N, 4, H, W)."""
    lines = _LINES.to(ab.device)
    ab = ab.clamp(-1, 1).contiguous()
    before = _cells(ab)
    part = (ab - lines[before]) / (lines[before + 1] - lines[before])
    a, b = before.unbind(1)
    to_a, to_b = part.unbind(1)
    node = a * _SIDE + b
    nodes = torch.stack([node, node + 1, node + _SIDE, node + _SIDE + 1], dim=1)
    weights = torch.stack(
        [(1 - to_a) * (1 - to_b), (1 - to_a) * to_b, to_a * (1 - to_b), to_a * to_b],
        dim=1,
    )
    bins = _BINS.to(ab.device)[nodes]
    # what rounding puts outside sRGB has hardly any weight
    return bins.clamp(min=0), weights * (bins >= 0)


def color_histogram(ab: Tensor) -> Tensor:
    """Share of each bin in pictures, (N, Q), each of sum 1."""
    bins, weights = bin_shares(ab)
    total = ab.new_zeros((len(ab), BIN_COUNT))
    total = total.scatter_add_(1, bins.flatten(1), weights.flatten(1))
    return total / (ab.shape[-1] * ab.shape[-2])


def mean_tint(ab: Tensor) -> Tensor:
    """Mean (a, b) and mean chroma of pictures, (N, 3), scaled as they are."""
    chroma = ab.norm(dim=1, keepdim=True)
    return torch.cat([ab, chroma], dim=1).mean((2, 3))


def shares_of(logits: Tensor) -> Tensor:
    """Distributions over bins, (N, Q, H, W), of their logits.

    Over the last dimension: over the second, torch 2.13 takes 8 times as long on a CPU.
    """
    return logits.float().movedim(1, -1).softmax(-1).movedim(-1, 1)


def mean_color(distribution: Tensor) -> Tensor:
    """Mean (a, b) of distributions over bins (N, Q, H, W): (N, 2, H, W)."""
    return _mean(distribution, BIN_CENTERS)


def mean_chroma(distribution: Tensor) -> Tensor:
    """Mean length of (a, b) of distributions over bins (N, Q, H, W): (N, 1, H, W)."""
    return _mean(distribution, BIN_CENTERS.norm(dim=1, keepdim=True))


def _mean(distribution: Tensor, of_bins: Tensor) -> Tensor:
    """Mean (N, C, H, W) of what bins stand for, (Q, C)."""
    return (distribution.movedim(1, -1) @ of_bins.to(distribution)).movedim(-1, 1)


def _cells(ab: Tensor) -> Tensor:
    """Return the line of the grid before each a and b."""
    lines = _LINES.to(ab.device)
    return (torch.bucketize(ab, lines, right=True) - 1).clamp(0, _SIDE - 2)


def _bins_of_nodes() -> Tensor:
    """Bin of each node; -1 where no colour of sRGB is near."""
    ramp = torch.linspace(0, 1, _STEPS)
    u, v = torch.meshgrid(ramp, ramp, indexing="ij")
    # the most saturated colours are at the surface of the cube, all others within
    surface = [
        torch.stack([*(u, v)[:axis], torch.full_like(u, end), *(u, v)[axis:]])
        for axis in range(3)
        for end in (0.0, 1.0)
    ]
    ab = rgb_to_lab(torch.stack(surface))[:, 1:] / AB_SCALE
    a, b = _cells(ab.contiguous()).unbind(1)
    nodes = torch.zeros((_SIDE, _SIDE), dtype=torch.bool)
    for row in range(_SIDE - 1):
        columns = b[a == row]
        if len(columns):
            first, last = int(columns.min()), int(columns.max())
            nodes[row : row + 2, first : last + 2] = True
    numbers = torch.cumsum(nodes.flatten(), 0) - 1
    return torch.where(nodes.flatten(), numbers, -1)


_BINS = _bins_of_nodes()
BIN_CENTERS = torch.cartesian_prod(_LINES, _LINES)[_BINS >= 0]
"""Scaled (a, b) of all bins, (Q, 2)."""
BIN_COUNT = len(BIN_CENTERS)
"""How many bins there are, Q."""
