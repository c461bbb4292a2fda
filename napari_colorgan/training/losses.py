"""Loss functions."""

import torch.nn.functional as F
from torch import Tensor

_KNEE = 20 / 110
"""Scaled ab error at which the loss turns from quadratic to linear: 20 units of ab."""


def chroma_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Smooth L1 of scaled ab, in units of 20 ab."""
    return F.smooth_l1_loss(prediction, target, beta=_KNEE) / _KNEE
