"""A generator with a narrower decoder begins with what matters of a wider one."""

import pytest
import torch
from torch import nn

from napari_colorgan.models.compact import Compact
from napari_colorgan.training.narrowing import is_narrower, take_over

WIDE, NARROW = (16, 12, 12, 8), (12, 12, 8, 6)


def compact(widths, seed=0, **options):
    """Random weights; those that read hints and make the output, too."""
    torch.manual_seed(seed)
    network = Compact(widths=widths, **options).eval()
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d) and ("hints" in name or name == "head"):
            nn.init.normal_(layer.weight, std=0.1)
    return network


def layers(network):
    found = []
    for step in network.decoder:
        found += [step.project, step.join, step.refine]
    return [layer for layer in found if layer is not None] + [network.head]


def kill(network, narrow):
    """Let nothing read the channels that `narrow` has no room for, here and there."""
    found = layers(network)
    for layer, other, reader in zip(found, layers(narrow), found[1:], strict=False):
        total = layer.out_channels
        dead = torch.arange(1, total, 2)[: total - other.out_channels]
        reader.weight.data[:, dead] = 0


@pytest.fixture
def source():
    return torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.fixture
def hints():
    hints = torch.zeros(2, 3, 64, 64)
    hints[:, :, 10:14, 20:24] = torch.tensor([0.3, -0.2, 1.0])[:, None, None]
    return hints


@torch.no_grad()
@pytest.mark.parametrize(
    "options", [{}, {"predicts_chroma": True}, {"out_channels": 3}]
)
def test_what_nothing_reads_is_left_out_without_a_trace(source, hints, options):
    wide, narrow = compact(WIDE, **options), compact(NARROW, seed=1, **options)
    kill(wide, narrow)
    take_over(narrow, wide, source)
    free, guided = wide(source), wide(source, hints)
    assert (free - guided).abs().max() > 0.01  # hints are read
    torch.testing.assert_close(narrow(source), free, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(narrow(source, hints), guided, atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_what_matters_most_is_kept(source):
    wide = compact((32, 24, 16, 16))
    for layer in layers(wide)[:-1]:  # from hardly to very
        scale = torch.linspace(0.05, 1.5, layer.out_channels)
        scale = scale[torch.randperm(len(scale))]
        layer.weight.data *= scale[:, None, None, None]
    truth = wide(source)
    narrow = compact((24, 18, 12, 12), seed=1)
    take_over(narrow, wide, source)
    assert (narrow(source) - truth).square().mean() < 0.1 * truth.var()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, True),
        ({"widths": WIDE}, False),
        ({"widths": (*NARROW[:3], 20)}, False),
        ({"predicts_chroma": True}, False),
        ({"encoder": "lite2"}, False),
        ({"out_channels": 3}, False),
    ],
)
def test_only_a_narrower_decoder_can_take_over(options, expected):
    narrow = compact(**({"widths": NARROW} | options))
    assert is_narrower(narrow, compact(WIDE)) is expected
    assert not is_narrower(compact(WIDE), narrow)
