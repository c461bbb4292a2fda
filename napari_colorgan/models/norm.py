"""The normalisation layers that the pix2pix networks may use."""

from typing import Literal, TypeAlias, get_args

from torch import nn

from napari_colorgan.errors import BadSetting

Norm: TypeAlias = Literal["batch", "instance", "none"]


def check_norm(norm: str) -> None:
    """Raise `BadSetting` unless `norm` is the name of a normalisation."""
    if norm not in get_args(Norm):
        raise BadSetting("norm", norm, f"one of {', '.join(get_args(Norm))}")


def norm_layer(
    norm: Norm, channels: int, *, momentum: float = 0.1, eps: float = 1e-5
) -> list[nn.Module]:
    """Zero or one normalisation layer, to be unpacked into a sequence.

    `momentum` is the share of a new batch in the running statistics (Keras calls
    1 - momentum by that name).

    Instance normalisation keeps running statistics only to have a place where those of
    a whole picture can be put while its windows are coloured (`inference.statistics`).
    """
    if norm == "batch":
        return [nn.BatchNorm2d(channels, momentum=momentum, eps=eps)]
    if norm == "instance":
        return [
            nn.InstanceNorm2d(
                channels, momentum=momentum, eps=eps, track_running_stats=True
            )
        ]
    return []
