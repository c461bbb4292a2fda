"""The normalisation layers that the pix2pix networks may use."""

from typing import Literal, TypeAlias, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from napari_colorgan.errors import BadSetting

Norm: TypeAlias = Literal["batch", "instance", "none"]


def check_norm(norm: str) -> None:
    """Raise `BadSetting` unless `norm` is the name of a normalisation."""
    if norm not in get_args(Norm):
        raise BadSetting("norm", norm, f"one of {', '.join(get_args(Norm))}")


class InstanceNorm(nn.InstanceNorm2d):
    """Normalises by the input, as the pix2pix code does; or by what it holds.

    Its running statistics are only the place where those of a whole picture are put
    while windows of this are coloured (`inference.statistics`).
    """

    holds_statistics = False
    """Whether to normalise by the running statistics instead of by the input."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (N, C, H, W)."""
        if self.training or self.holds_statistics:
            return super().forward(x)
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def hold_statistics(network: nn.Module) -> None:
    """Let a network in eval mode normalise by its running statistics alone."""
    for layer in network.modules():
        if isinstance(layer, InstanceNorm):
            layer.holds_statistics = True


def norm_layer(
    norm: Norm, channels: int, *, momentum: float = 0.1, eps: float = 1e-5
) -> list[nn.Module]:
    """Zero or one normalisation layer, to be unpacked into a sequence.

    `momentum` is the share of a new batch in the running statistics (Keras calls
    1 - momentum by that name).
    """
    if norm == "batch":
        return [nn.BatchNorm2d(channels, momentum=momentum, eps=eps)]
    if norm == "instance":
        return [
            InstanceNorm(channels, momentum=momentum, eps=eps, track_running_stats=True)
        ]
    return []
