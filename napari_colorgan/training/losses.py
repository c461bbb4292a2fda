"""Loss functions; predictions and targets are scaled to about [-1, 1]."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.color import AB_SCALE
from napari_colorgan.color_bins import bin_shares

_UNIT = 20 / AB_SCALE
"""Errors are counted in 20 units of ab, scaled (or 23 gray levels of RGB)."""
KNEE = 20.0
"""Error in units of ab at which the pixel loss turns from quadratic to linear."""

Shared: TypeAlias = Callable[[Tensor], Tensor]
"""What a loss is divided by, of a part of a batch: its mean over all parts."""

_PLAIN = 12 / AB_SCALE  # chroma at which a colour weighs twice as much as gray


def _own(value: Tensor) -> Tensor:
    return value


def color_loss(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    knee: float = KNEE,
    shared: Shared = _own,
) -> Tensor:
    """Smooth L1 in units of 20 ab, linear from an error of `knee` units of ab on.

    Where it is quadratic, pictures with large errors count most; where it is linear,
    faint colours are learned as eagerly as strong ones. `weight` (N, 1, H, W): mean
    over the pixels it marks. What a prediction says of its doubts is left aside.
    """
    prediction = prediction[:, : target.shape[1]]
    beta = knee / AB_SCALE
    each = F.smooth_l1_loss(prediction, target, beta=beta, reduction="none") / _UNIT
    return _mean(each, weight, shared)


def likelihood_loss(
    logits: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    shared: Shared = _own,
) -> Tensor:
    """Cross-entropy of the colours that are there, strong ones weighted up.

    Zhang et al. 2016 (arXiv 1603.08511, equations 2 to 4), who weigh by the frequency
    of every colour; most of that is its chroma, which is all that counts here.

    Parameters
    ----------
    logits : (N, Q, h, w), of the colours of `color_bins`
    target : (N, 2, H, W), scaled ab of a multiple of their sides
    weight : (N, 1, H, W): mean over the pixels it marks
    """
    factor = target.shape[-1] // logits.shape[-1]
    target = F.avg_pool2d(target, factor)
    bins, shares = bin_shares(target)
    # over the last dimension, as in `color_bins.shares_of`
    likelihoods = logits.movedim(1, -1).log_softmax(-1)
    told = likelihoods.gather(-1, bins.movedim(1, -1)).movedim(-1, 1)
    each = -(told * shares).sum(1, keepdim=True)
    rarity = _PLAIN + target.norm(dim=1, keepdim=True)
    if weight is not None:
        rarity = rarity * F.avg_pool2d(weight, factor)
    loss: Tensor = (each * rarity).sum() / shared(rarity.sum()).clamp(min=1e-6)
    return loss


def l1_loss(
    prediction: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    shared: Shared = _own,
) -> Tensor:
    """Mean absolute error; over the pixels that `weight` (N, 1, H, W) marks."""
    return _mean((prediction - target).abs(), weight, shared)


def gan_loss(logits: Tensor, real: bool) -> Tensor:
    """Cross-entropy of calling all patches real or fake (pix2pix, equation 1)."""
    wanted = torch.full_like(logits, float(real))
    return F.binary_cross_entropy_with_logits(logits, wanted)


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of a discriminator (Lim & Ye 2017, arXiv 1705.02894)."""
    return (F.relu(1 - real).mean() + F.relu(1 + fake).mean()) / 2


def feature_loss(
    real: Sequence[Tensor], fake: Sequence[Tensor], shared: Shared = _own
) -> Tensor:
    """L1 between what a discriminator sees in the truth and in a prediction.

    Feature matching of pix2pixHD (Wang et al. 2018, arXiv 1711.11585, 3.2); each layer
    is measured in units of its own mean activation.
    """
    distances = [
        F.l1_loss(b, a) / shared(a.abs().mean()).clamp(min=1e-6)
        for a, b in zip(real, fake, strict=True)
    ]
    return torch.stack(distances).mean()


def _mean(each: Tensor, weight: Tensor | None, shared: Shared) -> Tensor:
    """Mean over all pixels, or over those that `weight` (N, 1, H, W) marks."""
    if weight is None:
        return each.mean()
    weight = weight.expand_as(each)
    return (each * weight).sum() / shared(weight.sum()).clamp(min=1)
