"""Generators and the discriminator. A spec (name and options) rebuilds any generator.

Every generator reads a source (N, 1, H, W) in [-1, 1] whose sides are multiples of its
`stride`, and returns (N, out_channels, H, W) in [-1, 1]. Those of pix2pix may have been
made for colour sources (N, 3, H, W); gray is then repeated.
"""

import inspect
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import torch
from torch import nn

from napari_colorgan.errors import BadSetting
from napari_colorgan.models.compact import Compact
from napari_colorgan.models.options import check_options
from napari_colorgan.models.resnet import ResNet
from napari_colorgan.models.unet import UNet

Generator: TypeAlias = UNet | ResNet | Compact
Network = TypeVar("Network", bound=nn.Module)

GENERATORS: dict[str, type[Generator]] = {
    "unet": UNet,
    "resnet": ResNet,
    "compact": Compact,
}
"""Generators by the name that a spec holds."""


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """Name and options of a generator: all that is needed to rebuild it."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


def build(spec: GeneratorSpec) -> Generator:
    """Build the generator of `spec` with fresh weights.

    Raises
    ------
    BadSetting
        The name or an option is unknown, or an option's value is impossible.
    """
    if spec.name not in GENERATORS:
        raise BadSetting("generator", spec.name, f"one of {', '.join(GENERATORS)}")
    generator = GENERATORS[spec.name]
    check_options(spec.name, spec.options, inspect.signature(generator))
    return generator(**spec.options)


def channels_last(network: Network, device: torch.device) -> Network:
    """Move a network, in place, to a device and into the layout of channels last.

    It is the faster layout of convolutions on every device measured.
    """
    layout = torch.channels_last
    # torch's types lack this way to call `to`, which its documentation has
    network.to(device, memory_format=layout)  # type: ignore[call-overload]
    return network


def count_parameters(network: nn.Module) -> int:
    """How many numbers of `network` are learned."""
    return sum(p.numel() for p in network.parameters())


__all__ = [
    "GENERATORS",
    "Generator",
    "GeneratorSpec",
    "build",
    "channels_last",
    "count_parameters",
]
