"""Generators and the discriminator have the published sizes and shapes."""

import inspect
import math
import re
from itertools import combinations

import pytest
import torch

from napari_colorgan.color_bins import (
    BIN_CENTERS,
    BIN_COUNT,
    color_histogram,
    mean_tint,
)
from napari_colorgan.errors import BadSetting
from napari_colorgan.models import GENERATORS, GeneratorSpec, build, count_parameters
from napari_colorgan.models.compact import Answer, Compact
from napari_colorgan.models.palette import palette_input, palette_length
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.models.resnet import ResNet
from napari_colorgan.models.unet import UNet

SMALL = {
    "unet": {"depth": 5, "width": 8, "dropout": False},
    "resnet": {"blocks": 2, "width": 8, "dropout": False},
    "compact": {"widths": (16, 16, 16, 16)},
}


def small(name, **options):
    torch.manual_seed(1)
    return build(GeneratorSpec(name, SMALL[name] | options)).eval()


# Counted in checkpoints of the PyTorch pix2pix code, 3 -> 3 channels, ngf 64.
@pytest.mark.parametrize(
    ("depth", "norm", "parameters", "keys"),
    [
        (8, "batch", 54_413_955, 82),
        (8, "instance", 54_409_603, 32),
        (8, "none", 54_404_099, 17),
        (7, "batch", 41_828_995, 70),
        (7, "instance", 41_825_667, 28),
        (7, "none", 41_821_187, 15),
    ],
)
@pytest.mark.parametrize("dropout", [True, False])
def test_unet_has_the_parameters_of_pix2pix(depth, norm, parameters, keys, dropout):
    with torch.device("meta"):
        network = UNet(3, 3, depth=depth, norm=norm, dropout=dropout)
    assert count_parameters(network) == parameters
    # statistics that instance normalisation keeps are ours, pix2pix files have none
    ours = [k for k in network.state_dict() if norm == "batch" or "running" not in k]
    assert len([k for k in ours if norm == "batch" or "tracked" not in k]) == keys


@pytest.mark.parametrize(
    ("blocks", "norm", "parameters", "keys"),
    [
        (9, "batch", 11_383_427, 140),
        (9, "instance", 11_378_179, 48),
        (9, "none", 11_372_931, 25),
        (6, "batch", 7_841_411, 104),
        (6, "instance", 7_837_699, 36),
        (6, "none", 7_833_987, 19),
    ],
)
@pytest.mark.parametrize("dropout", [True, False])
def test_resnet_has_the_parameters_of_pix2pix(blocks, norm, parameters, keys, dropout):
    with torch.device("meta"):
        network = ResNet(3, 3, blocks=blocks, norm=norm, dropout=dropout)
    assert count_parameters(network) == parameters
    names = [k for k in network.state_dict() if norm == "batch" or "running" not in k]
    assert len([k for k in names if norm == "batch" or "tracked" not in k]) == keys
    drops = [m for m in network.modules() if isinstance(m, torch.nn.Dropout)]
    assert [m.p for m in drops] == blocks * dropout * [0.5]


def test_unet_drops_out_in_the_inner_steps_only():
    for depth, expected in ((8, 3), (7, 2)):
        with torch.device("meta"):
            network = UNet(depth=depth)
        drops = [m for m in network.modules() if isinstance(m, torch.nn.Dropout)]
        assert len(drops) == expected


def blocks_with_dropout(network):
    return [
        [type(m).__name__ for m in step]
        for step in network.up
        if any(isinstance(m, torch.nn.Dropout) for m in step)
    ]


def test_unet_drops_out_after_the_normalisation_or_before_it():
    after = blocks_with_dropout(UNet(depth=7, width=2))
    before = blocks_with_dropout(UNet(depth=7, width=2, dropout_first=True))
    start = ["ReLU", "ConvTranspose2d"]
    assert after == 2 * [[*start, "BatchNorm2d", "Dropout"]]
    assert before == 2 * [[*start, "Dropout", "BatchNorm2d"]]
    assert blocks_with_dropout(UNet(depth=7, width=2, dropout=False)) == []
    without_norm = UNet(depth=7, width=2, norm="none")
    assert blocks_with_dropout(without_norm) == 2 * [[*start, "Dropout"]]


def test_the_share_that_unet_drops_is_an_option():
    for rate in (0.25, 0.5):
        network = UNet(depth=7, width=2, dropout_rate=rate)
        drops = [m.p for m in network.modules() if isinstance(m, torch.nn.Dropout)]
        assert drops == [rate, rate]
    assert {
        m.p for m in UNet(depth=7).modules() if isinstance(m, torch.nn.Dropout)
    } == {0.5}


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("kind", [UNet, PatchDiscriminator])
def test_momentum_and_epsilon_reach_every_normalisation(kind, norm):
    options = {"depth": 5} if kind is UNet else {}
    for settings in ({}, {"norm_momentum": 0.2, "norm_eps": 1e-3}):
        network = kind(width=2, norm=norm, **options, **settings)
        found = {
            (m.momentum, m.eps) for m in network.modules() if "Norm" in type(m).__name__
        }
        assert found == {tuple(settings.values()) or (0.1, 1e-5)}


def test_new_options_leave_weights_of_old_checkpoints_in_their_places():
    with torch.device("meta"):
        plain = UNet(depth=7).state_dict()
        other = UNet(depth=7, dropout_rate=0.25, norm_momentum=0.2).state_dict()
    assert list(plain) == list(other)


def test_compact_has_about_the_size_of_its_notes():
    network = Compact()
    trunk = sum(p.numel() for p in network.encoder_parameters())
    # EfficientNet-lite0 has 4.65 M, of which 1.28 M classify and 0.41 M are its last
    # convolution (Tan & Le 2019)
    assert trunk == pytest.approx(2.96e6, rel=0.05)
    assert count_parameters(network) < 5e6


@pytest.mark.parametrize("out_channels", [2, 3])
@pytest.mark.parametrize("name", GENERATORS)
def test_generators_keep_the_size_and_stay_in_range(name, out_channels):
    network = small(name, out_channels=out_channels)
    s = network.stride
    source = torch.rand(2, 1, 2 * s, 3 * s) * 2 - 1
    with torch.no_grad():
        out = network(source)
    assert out.shape == (2, out_channels, 2 * s, 3 * s)
    assert out.dtype == torch.float32
    assert out.abs().max() <= 1
    assert network.out_channels == out_channels
    assert network.in_channels == 1
    assert network.halo > 0


@pytest.mark.parametrize("depth", [5, 6, 7, 8])
def test_unet_takes_multiples_of_its_stride(depth):
    network = small("unet", depth=depth)
    assert network.stride == 2**depth
    with torch.no_grad():
        out = network(torch.zeros(1, 1, network.stride, 2 * network.stride))
    assert out.shape == (1, 2, network.stride, 2 * network.stride)


@pytest.mark.parametrize("blocks", [1, 6, 9])
def test_resnet_sees_no_more_than_its_halo(blocks):
    # weights of 1 percent: nothing can cancel, every px that is seen counts
    network = ResNet(1, 2, blocks=blocks, width=1, norm="none", dropout=False).double()
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    side = 2 * network.halo + 48
    seen = []
    for place in range(side // 2, side // 2 + network.stride):
        source = torch.ones(1, 1, 8, side, dtype=torch.float64, requires_grad=True)
        network.eval()(source)[0, 0, 4, place].backward()
        columns = source.grad[0, 0].any(0).nonzero()
        seen += [place - int(columns.min()), int(columns.max()) - place]
    assert max(seen) == network.halo


@pytest.mark.parametrize("name", ["unet", "resnet"])
def test_a_gray_source_is_repeated_for_a_generator_that_reads_color(name):
    network = small(name, in_channels=3)
    gray = torch.rand(2, 1, 32, 64) * 2 - 1
    with torch.no_grad():
        assert torch.equal(network(gray), network(gray.repeat(1, 3, 1, 1)))
        assert not torch.equal(network(gray), network(torch.rand(2, 3, 32, 64)))


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("name", ["unet", "resnet"])
def test_a_picture_is_colored_alike_alone_and_in_a_batch(name, norm):
    network = small(name, norm=norm)
    batch = torch.rand(3, 1, 64, 64) * 2 - 1
    with torch.no_grad():
        assert torch.allclose(network(batch)[1:2], network(batch[1:2]), atol=1e-5)


def test_a_compact_generator_has_no_normalisation():
    # so that windows of one picture always agree
    kinds = {type(m).__name__ for m in Compact().modules()}
    assert not [kind for kind in kinds if "Norm" in kind]


def test_fresh_generators_are_nearly_gray():
    with torch.no_grad():
        assert Compact()(torch.rand(1, 1, 64, 64)).abs().mean() < 0.2


def test_features_by_which_places_are_compared_are_those_of_the_colors():
    network, source = small("compact").eval(), torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        prediction, features = network.look(source)
        assert torch.equal(prediction, network(source))
    assert features.shape[2:] == (16, 24) and features.min() >= 0
    assert network.shows_features
    assert not small("unet").shows_features


@pytest.mark.parametrize("name", GENERATORS)
def test_all_parameters_of_a_generator_learn(name):
    network = small(name).train()
    network(torch.rand(2, 1, 64, 64)).pow(2).sum().backward()
    unmoved = [
        n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()
    ]
    assert unmoved == []


def test_build_refuses_unknown_names_and_options():
    with pytest.raises(BadSetting, match=r"'cyclegan'.*one of unet, resnet, compact"):
        build(GeneratorSpec("cyclegan"))
    with pytest.raises(BadSetting, match=r"'colour'.*depth.*width"):
        build(GeneratorSpec("unet", {"colour": 1}))
    with pytest.raises(BadSetting, match="self"):
        build(GeneratorSpec("unet", {"self": 1}))


ODD = (None, "x", b"1", [], {}, [64], True, 1.5, -1, 0.0, 10**400, 1e-30, math.nan)
"""Values of all kinds; of JSON, whose true is no number, and of Python."""


@pytest.mark.parametrize("name", GENERATORS)
def test_build_refuses_options_of_another_type_or_out_of_range(name):
    """What no generator of that type can be is said when it is built, not used."""
    parameters = inspect.signature(GENERATORS[name]).parameters
    for option in parameters:
        refused = 0
        for value in (*ODD, math.inf, 10**5000, [[16] * 4], [16, 16, 16, "16"]):
            try:
                with torch.device("meta"):
                    build(GeneratorSpec(name, {option: value}))
            except BadSetting as error:
                text = str(error)
                assert re.match(rf"{option} is .+; it must be .+\.$", text), text
                assert len(text) < 500
                refused += 1
        assert refused >= 15, option  # one or two are right somewhere


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("unet", {"norm": "layer"}, "one of batch, instance, none"),
        ("unet", {"depth": 4}, "a whole number from 5 to 10"),
        ("unet", {"norm_eps": 0.0}, "a number from 1e-12 to 1"),
        ("unet", {"in_channels": 2}, "one of 1, 3"),
        ("unet", {"dropout": 1}, "True or False"),
        ("resnet", {"blocks": 10**9}, "a whole number from 1 to 32"),
        ("compact", {"widths": (16, 16)}, "4 times a whole number from 1 to 1024"),
        ("compact", {"attention": 10**9}, "a whole number from 0 to 12"),
        (
            "compact",
            {"attention": 1, "widths": [9] * 4},
            "a multiple of 4 at first, for attention",
        ),
    ],
)
def test_build_says_what_is_possible(name, options, expected):
    with pytest.raises(BadSetting, match=f"it must be {expected}"):
        build(GeneratorSpec(name, options))


def test_the_discriminator_sees_exactly_70_px():
    # weights and slopes of 1: nothing can cancel, every px that is seen counts
    judge = PatchDiscriminator(width=2, norm="none").double().eval()
    for parameter in judge.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    side = 256
    source = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    color = torch.ones(1, 2, side, side, dtype=torch.float64, requires_grad=True)
    logits = judge(source, color)
    logits[0, 0, 15, 15].backward()
    for grad in (source.grad[0, 0], color.grad[0, 0], color.grad[0, 1]):
        rows, columns = grad.nonzero(as_tuple=True)
        assert rows.max() - rows.min() + 1 == 70
        assert columns.max() - columns.min() + 1 == 70
        assert len(rows) == 70 * 70


@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_the_discriminator_judges_one_patch_per_8_px(norm):
    judge = PatchDiscriminator(in_channels=4, width=8, norm=norm).eval()
    logits = judge(torch.zeros(2, 1, 96, 128), torch.zeros(2, 3, 96, 128))
    assert logits.shape == (2, 1, 96 // 8 - 2, 128 // 8 - 2)


def test_the_discriminator_has_the_parameters_of_pix2pix():
    # layer by layer from checkpoints of the PyTorch pix2pix code, 6 channels in, ndf 64
    convs = 6 * 64 * 16 + 64 + (64 * 128 + 128 * 256 + 256 * 512) * 16 + 512 * 16 + 1
    norms = 2 * (128 + 256 + 512)
    assert count_parameters(PatchDiscriminator(6)) == convs + norms
    biases = 128 + 256 + 512
    assert count_parameters(PatchDiscriminator(6, norm="instance")) == convs + biases


def test_the_discriminator_refuses_an_unknown_norm():
    with pytest.raises(BadSetting, match="batch, instance, none"):
        PatchDiscriminator(norm="layer")


@pytest.mark.parametrize("norm", ["batch", "none"])
def test_the_features_of_the_discriminator_lead_to_its_logits(norm):
    torch.manual_seed(1)
    judge = PatchDiscriminator(width=4, norm=norm).eval()
    source, color = torch.rand(2, 1, 64, 64), torch.rand(2, 2, 64, 64)
    with torch.no_grad():
        *features, logits = judge.features(source, color)
        assert torch.equal(logits, judge(source, color))
        # from any of them on, the rest of the layers is all that is missing
        activations = [
            i for i, m in enumerate(judge.layers) if isinstance(m, torch.nn.LeakyReLU)
        ]
        for index, x in zip(activations, features, strict=True):
            assert torch.allclose(judge.layers[index + 1 :](x), logits, atol=1e-6)
    assert [f.shape[1:] for f in features] == [
        (4, 32, 32),
        (8, 16, 16),
        (16, 8, 8),
        (32, 7, 7),
    ]


def test_expected_chroma_is_one_more_channel_and_positive():
    network = small("compact", predicts_chroma=True)
    with torch.no_grad():
        network.head.weight.mul_(100)
        prediction = network(torch.rand(2, 1, 64, 96) * 2 - 1)
    assert network.out_channels == 2
    assert prediction.shape == (2, 3, 64, 96)
    assert prediction[:, :2].min() < 0
    assert prediction[:, 2].min() >= 0 and prediction[:, 2].max() <= 1


@pytest.mark.parametrize("doubts", ["predicts_chroma", "alternatives"])
def test_of_all_of_rgb_no_doubts_are_known(doubts):
    with pytest.raises(BadSetting, match=doubts):
        Compact(out_channels=3, **{doubts: True})


def listening(**options):
    """Make a generator in which nothing is zero any more."""
    network = small("compact", alternatives=True, attention=2, **options)
    for name, parameter in network.named_parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1 if name.endswith("t") else 0.01)
    return network


def test_a_vivid_answer_adds_chroma_where_the_hue_is_sure():
    ab = torch.full((1, 2, 8, 8), 0.1)
    logits = torch.full((1, BIN_COUNT, 4, 4), -9.0)
    red = (BIN_CENTERS - torch.tensor([0.3, 0.2])).norm(dim=1).argmin()
    logits[:, red] = 9.0  # all of one hue on the left, of two on the right
    logits[:, (BIN_CENTERS + BIN_CENTERS[red]).norm(dim=1).argmin(), :, 2:] = 9.0
    prediction = Answer(ab, logits).prediction()
    assert torch.equal(prediction[:, :2], ab)
    added = prediction[:, 2:] / ab
    assert added[..., :2].min() > 1 and added[..., -2:].abs().max() < 0.1


def test_likelihoods_and_colors_have_their_own_sizes():
    network, source = listening(), torch.rand(2, 1, 64, 96) * 2 - 1
    with torch.no_grad():
        answer, prediction = network.answer(source), network(source)
    assert answer.ab.shape == (2, 2, 32, 48)
    assert answer.logits.shape == (2, BIN_COUNT, 16, 24)
    assert prediction.shape == (2, 4, 64, 96)


def test_a_generator_is_extended_without_harm():
    """Attention, palette and doubts say nothing at first: a start stays what it was."""
    plain = small("compact")
    more = small("compact", alternatives=True, attention=2)
    more.load_state_dict(plain.state_dict(), strict=False)
    source = torch.rand(1, 1, 64, 96) * 2 - 1
    palette = torch.rand(1, palette_length())
    with torch.no_grad():
        for told in (None, palette):
            ab = more(source, told)[:, :2]
            assert torch.allclose(ab, plain(source), atol=1e-5)
    names = {id(module): name for name, module in more.named_modules()}
    added = {names[id(module)] for module in more.additions()}
    others = more.state_dict().keys() - plain.state_dict().keys()
    assert {name.rpartition(".")[0] for name in others} <= added


def test_attention_carries_what_is_seen_through_the_whole_picture():
    network, source = listening(), torch.zeros(1, 1, 256, 256)
    other = source.clone()
    other[..., :9, :9] = 1
    moved = []
    with torch.no_grad():
        for attention in (network.attention, torch.nn.Sequential()):
            network.attention = attention
            change = network.answer(other).ab - network.answer(source).ab
            moved.append(change[..., -8:, -8:].abs().max())
    assert moved[0] > 100 * moved[1]


def test_a_palette_is_told_apart_from_none_and_from_another():
    network, source = listening(), torch.rand(1, 1, 64, 64) * 2 - 1
    red = torch.tensor([0.4, 0.2]).view(1, 2, 1, 1)
    told = [
        palette_input(
            color_histogram(color),
            mean_tint(color),
            strength=torch.ones(1),
            has_colors=torch.ones(1),
            has_tint=torch.ones(1),
        )
        for color in (red, -red)
    ]
    assert told[0].shape == (1, palette_length())
    with torch.no_grad():
        results = [network(source, palette) for palette in (None, *told)]
        unsure = told[0].clone()
        unsure[:, -1] = 0  # its strength
        for nothing in (torch.zeros_like(unsure), unsure):
            assert torch.equal(network(source, nothing), results[0])
    for a, b in combinations(results, 2):
        assert (a - b).abs().max() > 1e-3


def test_gradients_in_bfloat16_are_those_in_float32():
    source = torch.rand(2, 1, 96, 64) * 2 - 1
    gradients = []
    for enabled in (False, True):
        network = small("compact").train()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            colors = network(source)
        colors.float().square().sum().backward()
        kept = [
            p.grad.flatten() for p in network.encoder_parameters() if p.grad is not None
        ]
        gradients.append(torch.cat(kept))
    exact, rounded = gradients
    assert (rounded - exact).norm() < 0.05 * exact.norm()


def test_training_colors_as_using_does():
    source = torch.rand(1, 1, 64, 96) * 2 - 1
    network = small("compact")
    used = network(source)
    assert torch.allclose(used, network.train()(source), atol=1e-6)
