"""How the PyTorch pix2pix code names the weights of its generators.

Its names are places in nested sequences, where paddings and activations count, too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from torch import Tensor, nn

from napari_colorgan.checkpoints.pth import few
from napari_colorgan.errors import CheckpointError
from napari_colorgan.models import GeneratorSpec
from napari_colorgan.models.norm import Norm
from napari_colorgan.models.resnet import ResNet
from napari_colorgan.models.unet import UNet

_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and torch.compile


def unprefixed(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Take off what wrappers of a network put before every name."""
    for prefix in 2 * _PREFIXES:  # in either order
        if all(name.startswith(prefix) for name in weights):
            weights = {k.removeprefix(prefix): v for k, v in weights.items()}
    return weights


def recognise(weights: Mapping[str, Tensor], path: Path) -> GeneratorSpec:
    """Tell a generator's architecture by the names and shapes of its weights.

    Whether a U-Net drops values cannot be told; here it does. `path` is named in
    errors.

    Raises
    ------
    CheckpointError
        They are those of a discriminator, or of something else.
    """
    if _kernel(weights, "model.model.0.weight") == 4:
        spec = _unet(weights)
    elif _kernel(weights, "model.1.weight") == 7:
        spec = _resnet(weights, path)
    elif _is_discriminator(weights):
        raise CheckpointError(
            f"'{path}' is a discriminator, which judges pictures and makes none. "
            "Choose the file of the generator, such as 'latest_net_G.pth'."
        )
    else:
        shapes = (f"{k[:60]} ({_by(weights[k].shape)})" for k in weights)
        raise CheckpointError(
            f"'{path}' is no generator of the PyTorch pix2pix code: its weights are "
            f"{few(shapes)}, expected a U-Net ('model.model.0.weight', 4 x 4 px) or "
            "a ResNet ('model.1.weight', 7 x 7 px). No other network can be imported; "
            "choose another file."
        )
    channels = spec.options["in_channels"], spec.options["out_channels"]
    if not channels[1]:
        raise CheckpointError(
            f"'{path}' begins as a {spec.name} of the PyTorch pix2pix code does, but "
            f"has not its last layer among its weights ({few(weights)}): the code "
            "that made it was changed. Choose another file."
        )
    if channels[0] not in (1, 3) or channels[1] not in (2, 3):
        raise CheckpointError(
            f"'{path}' reads {channels[0]} channels and writes {channels[1]}; a model "
            "here reads 1 or 3 and writes 2 (a and b of Lab) or 3 (RGB). Choose "
            "another file."
        )
    return spec


def _unet(weights: Mapping[str, Tensor]) -> GeneratorSpec:
    width, in_channels = weights["model.model.0.weight"].shape[:2]
    convolutions = sum(tensor.ndim == 4 for tensor in weights.values())
    return GeneratorSpec(
        "unet",
        {
            "in_channels": in_channels,
            "out_channels": _size(weights, "model.model.3.weight", 1),
            "depth": convolutions // 2,
            "width": width,
            "norm": _norm(weights, "model.model.0.bias"),
            "dropout": True,
        },
    )


def _resnet(weights: Mapping[str, Tensor], path: Path) -> GeneratorSpec:
    width, in_channels = weights["model.1.weight"].shape[:2]
    matches = (re.match(r"model\.(\d+)\.conv_block\.", name) for name in weights)
    blocks = len({match[1] for match in matches if match})
    if blocks and f"model.{10 + blocks}.weight" not in weights:
        raise CheckpointError(
            f"'{path}' is a ResNet that enlarges by resizing and a convolution, "
            "expected the transposed convolutions of the PyTorch pix2pix code. Train "
            "with the original code, or convert the model elsewhere."
        )
    return GeneratorSpec(
        "resnet",
        {
            "in_channels": in_channels,
            "out_channels": _size(weights, f"model.{17 + blocks}.weight", 0),
            "blocks": blocks,
            "width": width,
            "norm": _norm(weights, "model.1.bias"),
            "dropout": _kernel(weights, "model.10.conv_block.6.weight") == 3,
        },
    )


def _norm(weights: Mapping[str, Tensor], first_bias: str) -> Norm:
    if any(name.endswith(".running_mean") for name in without_statistics(weights)):
        return "batch"
    return "instance" if first_bias in weights else "none"


def without_statistics(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what instance normalisation kept in early 2018, and nobody uses."""
    return {
        name: tensor
        for name, tensor in weights.items()
        if not name.endswith((".running_mean", ".running_var", ".num_batches_tracked"))
        or f"{name.rpartition('.')[0]}.weight" in weights
    }


def weight_names(network: nn.Module) -> dict[str, str]:
    """Names of all weights here, by those that they have in the pix2pix code."""
    places = _unet_places if isinstance(network, UNet) else _resnet_places
    result = {}
    for here, there, start in places(network):
        layers = list(network.get_submodule(here).named_children())
        kept = [(k, m) for k, m in layers if not isinstance(m, nn.Dropout)]
        for place, (k, layer) in enumerate(kept, start):
            if isinstance(layer, nn.InstanceNorm2d):
                continue  # its statistics exist only here
            for name in layer.state_dict():
                result[f"{there}.{place}.{name}"] = f"{here}.{k}.{name}"
    return result


def _unet_places(network: nn.Module) -> Iterator[tuple[str, str, int]]:
    """Parts of a U-Net: here; there, where each holds the next; the first layer's."""
    assert isinstance(network, UNet)
    there = ["model.model"]
    for step in range(1, len(network.down)):
        there.append(f"{there[-1]}.{1 if step == 1 else 3}.model")
    for step, name in enumerate(there):
        yield f"down.{step}", name, 0
    for index, name in enumerate(reversed(there)):
        inner = 0 < index < len(there) - 1  # has a normalisation on the way down, too
        yield f"up.{index}", name, 4 if inner else 2


def _resnet_places(network: nn.Module) -> Iterator[tuple[str, str, int]]:
    """Parts of a ResNet: here; there, where paddings are layers; the first layer's."""
    assert isinstance(network, ResNet)
    blocks = len(network.blocks)
    for step in range(3):
        yield f"down.{step}", "model", 1 + 3 * step
    for block in range(blocks):
        drops = any(isinstance(m, nn.Dropout) for m in network.blocks[block].modules())
        there = f"model.{10 + block}.conv_block"
        yield f"blocks.{block}.first", there, 1
        yield f"blocks.{block}.second", there, 6 if drops else 5
    for step in range(2):
        yield f"up.{step}", "model", 10 + blocks + 3 * step
    yield "head", "model", 17 + blocks


def _kernel(weights: Mapping[str, Tensor], name: str) -> int | None:
    """Side of a convolution's kernel in px; None unless the weight is one."""
    tensor = weights.get(name)
    if tensor is None or tensor.ndim != 4 or not tensor.numel():
        return None
    return tensor.shape[-1]


def _size(weights: Mapping[str, Tensor], name: str, dimension: int) -> int:
    """Size of a convolution's weight; 0 unless it is one."""
    return 0 if _kernel(weights, name) is None else weights[name].shape[dimension]


def _is_discriminator(weights: Mapping[str, Tensor]) -> bool:
    """Tell convolutions in one row that end in a single channel.

    Those of a PatchGAN are 4 x 4 px and called `model`, those that judge single px
    1 x 1 px and `net`. A generator has more channels at its end.
    """
    matches = [re.fullmatch(r"(model|net)\.(\d+)\.\w+", name) for name in weights]
    places = sorted({(match[1], int(match[2])) for match in matches if match})
    if not all(matches):
        return False
    names = [f"{there}.{number}.weight" for there, number in places]
    rows = [weights[name] for name in names if _kernel(weights, name)]
    side = 4 if places[0][0] == "model" else 1
    return (
        len(rows) > 1
        and all(row.shape[2:] == (side, side) for row in rows)
        and all(a.shape[0] == b.shape[1] for a, b in pairwise(rows))
        and rows[-1].shape[0] == 1
    )


def _by(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape)) or "a number"
