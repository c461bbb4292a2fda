"""A fine-tuning keeps of its start what fits, and draws the rest as its scheme says."""

import math

import pytest
import torch
from torch import nn

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.errors import BadSetting, CheckpointError, UnknownModel
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.statistics import StatisticsMeter
from napari_colorgan.models.compact import Compact
from napari_colorgan.models.unet import UNet
from napari_colorgan.training.first_weights import draw_weights
from napari_colorgan.training.networks import (
    base_of,
    give_weights,
    make_discriminator,
    make_generator,
)
from napari_colorgan.training.settings import FineTuneConfig

CPU = torch.device("cpu")
WIDTHS = {"widths": [8, 8, 8, 8]}


def config(scheme="fine-tune", **settings):
    return FineTuneConfig.preset(scheme, **({"patch": 64} | settings))


def sample(side=64):
    random = torch.Generator().manual_seed(2)
    return torch.rand(4, 1, side, side, generator=random) * 2 - 1


def parameters(network):
    return dict(network.named_parameters())


@pytest.fixture(scope="module")
def base(make_checkpoint):
    """Make a base by generator's name and codec."""

    def make(name, codec="lab", extra=None, **metadata):
        channels = {"out_channels": 2 if codec == "lab" else 3}
        options = channels | (WIDTHS if name == "compact" else {})
        options |= extra or {}
        return make_checkpoint(name, options, codec=codec, **metadata)

    return make


# -- which checkpoint


def test_a_checkpoint_a_path_and_a_name_are_starts(tmp_path, base):
    checkpoint = base("compact")
    save(checkpoint, tmp_path / "mine.safetensors")
    assert base_of(checkpoint, config()) is checkpoint
    for path in (tmp_path / "mine.safetensors", str(tmp_path / "mine.safetensors")):
        assert base_of(path, config()).digest == checkpoint.digest
    assert base_of("micro", config()).metadata.name == "micro"


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
def test_the_published_schemes_start_fresh(scheme):
    assert base_of("no model of this name", config(scheme)) is None
    assert base_of(zoo.SCRATCH, config()) is None


def test_unknown_and_damaged_models_are_refused(tmp_path):
    with pytest.raises(UnknownModel, match=r"'absent'.*Known models: .*micro"):
        base_of("absent", config())
    (tmp_path / "bad.safetensors").write_bytes(b"no checkpoint")
    with pytest.raises(CheckpointError, match="not a model"):
        base_of(tmp_path / "bad.safetensors", config())


# -- the same task


@pytest.mark.parametrize("name", ["compact", "unet", "resnet"])
@pytest.mark.parametrize("codec", ["lab", "rgb"])
def test_all_weights_of_a_start_for_the_same_task_are_kept(base, name, codec):
    checkpoint = base(name, codec)
    task = "colorization" if codec == "lab" else "translation"
    metadata, generator = make_generator(checkpoint, config(), task, sample())
    assert metadata.codec == codec
    assert metadata.generator == name
    for key, value in generator.state_dict().items():
        assert torch.equal(value, checkpoint.weights[key].to(value))
    for parameter in generator.parameters():  # its own, to be changed
        parameter.data.zero_()
    assert all(
        value.any() for key, value in checkpoint.weights.items() if key == "head.weight"
    )


# -- the other task


@pytest.mark.parametrize("codec", ["lab", "rgb"])
def test_a_compact_start_for_the_other_task_gives_all_that_fits(base, codec):
    checkpoint = base("compact", codec)
    task = "translation" if codec == "lab" else "colorization"
    metadata, generator = make_generator(checkpoint, config(), task, sample())
    own = {k for k in generator.state_dict() if k.startswith(("head", "decoder.4"))}
    assert metadata.codec == {"lab": "rgb", "rgb": "lab"}[codec]
    assert metadata.options["out_channels"] == generator.out_channels
    for key, value in generator.state_dict().items():
        if key not in own:
            assert torch.equal(value, checkpoint.weights[key])
        assert value.isfinite().all()
    shapes = {k: v.shape for k, v in checkpoint.weights.items()}
    assert all(
        shapes.get(k) != v.shape
        for k, v in parameters(generator).items()
        if k in own and k.endswith("weight")
    )
    Colorizer(Checkpoint(metadata, generator.state_dict()), CPU)  # it is a whole one


def test_the_fresh_layers_of_a_compact_start_are_levelled(base):
    _, generator = make_generator(base("compact"), config(), "translation", sample())
    deviations = {}
    for key in ("project", "join"):
        layer = getattr(generator.decoder[4], key)
        layer.register_forward_hook(
            lambda *args, key=key: deviations.update({key: args[2].std().item()})
        )
    with torch.no_grad():
        assert generator(sample()).std() < 0.2  # starts near gray
    assert deviations == pytest.approx({"project": 1, "join": 1}, rel=1e-3)


@pytest.mark.parametrize("codec", ["lab", "rgb"])
@pytest.mark.parametrize(("name", "last"), [("unet", "up.4."), ("resnet", "head.")])
def test_a_pix2pix_start_for_the_other_task_gives_all_but_its_last_layer(
    base, codec, name, last
):
    checkpoint = base(name, codec, {"in_channels": 3})
    task = "translation" if codec == "lab" else "colorization"
    metadata, generator = make_generator(checkpoint, config(), task, sample())
    assert metadata.options["in_channels"] == 3
    found = generator.state_dict()
    assert set(found) == set(checkpoint.weights)
    for key, value in found.items():
        assert value.isfinite().all()
        assert key.startswith(last) or torch.equal(value, checkpoint.weights[key])
    with torch.no_grad():
        assert generator.eval()(sample()).isfinite().all()


# -- what the checkpoint will say


def test_what_a_start_says_of_itself_is_kept_but_for_the_task(base):
    checkpoint = base("compact", license="CC0-1.0", provenance="somewhere")
    metadata, _ = make_generator(checkpoint, config(), "translation", sample())
    assert metadata.license == "CC0-1.0" and metadata.provenance == "somewhere"
    assert metadata.options["widths"] == WIDTHS["widths"]
    assert checkpoint.metadata.codec == "lab"  # the start's own is as it was


def test_the_working_size_is_that_of_the_start_or_of_the_patches(base):
    whole = base("compact", context="whole", working_size=320)
    for start, context, expected in (
        (whole, "whole", 320),
        (whole, "local", 256),
        (base("compact"), "whole", 64),
        (None, "whole", 64),
    ):
        settings = config(context=context)
        metadata, _ = make_generator(start, settings, "colorization", sample())
        assert metadata.context == context
        assert metadata.working_size == expected


def test_levels_are_those_of_the_pairs(base):
    faded = base("compact", context="whole", levels="spread")
    settings = config(context="whole")
    metadata, _ = make_generator(faded, settings, "colorization", sample())
    assert faded.metadata.levels == "spread" and metadata.levels is None


def test_statistics_that_were_kept_in_training_are_used_afterwards(base):
    # a fine-tuning normalises by what its start has stored, whatever that start did
    start = base("unet", statistics="picture")
    metadata, generator = make_generator(start, config(), "colorization", sample())
    colorizer = Colorizer(Checkpoint(metadata, generator.state_dict()), CPU)
    gray = (sample() + 1) / 2
    with torch.no_grad():
        expected = generator.eval()(colorizer.codec.encode(gray))
    found = colorizer.predict(gray, colorizer.measure(lambda: gray[:1]))
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_start_that_normalised_by_the_picture_begins_as_it_was(base):
    # its stored statistics may be of no use; those of the sample take their place
    start = base("unet", statistics="picture", extra={"in_channels": 3})
    _, generator = make_generator(start, config(), "colorization", sample())
    before = start.generator()
    with torch.no_grad():
        found = StatisticsMeter(before).measure(sample())
        expected = torch.func.functional_call(before, found, sample())
        assert torch.allclose(generator.eval()(sample()), expected, atol=1e-5)
        assert not torch.allclose(before(sample()), expected, atol=0.05)


def test_normalisation_by_instance_stays_one(make_checkpoint):
    start = make_checkpoint("unet", {"norm": "instance"}, statistics="picture")
    metadata, _ = make_generator(start, config(), "colorization", sample())
    assert metadata.statistics == "picture"


# -- fresh weights


def test_a_fresh_compact_generator_is_levelled_and_seeded():
    def make(seed):
        return make_generator(None, config(seed=seed), "colorization", sample())

    torch.manual_seed(1)
    metadata, generator = make(1)
    assert metadata.generator == "compact"
    assert isinstance(generator, Compact)
    torch.manual_seed(2)
    again, other = make(1)[1], make(2)[1]
    pairs = list(zip(generator.parameters(), again.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b in pairs)
    assert not torch.equal(generator.stem.weight, other.stem.weight)
    with torch.no_grad():
        deviations = [f.std().item() * 6 for f in generator.encode(sample())]
    assert max(deviations) < 3 and min(deviations) > 0.3


def test_making_networks_leaves_torchs_randomness_alone(base):
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    make_generator(base("compact"), config(), "translation", sample())
    make_generator(None, config("paper", patch=32), "colorization", sample(32))
    make_discriminator(config(), "colorization")
    assert torch.equal(torch.rand(3), expected)


def test_weights_are_drawn_from_the_published_distribution():
    torch.manual_seed(0)
    network = UNet(depth=6, width=16)
    draw_weights(network)
    kinds = {"conv": [], "norm": [], "bias": []}
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            kinds["conv"].append(layer.weight)
        elif isinstance(layer, nn.BatchNorm2d):
            kinds["norm"].append(layer.weight)
        if getattr(layer, "bias", None) is not None:
            kinds["bias"].append(layer.bias)
    drawn = {k: torch.cat([w.flatten() for w in v]) for k, v in kinds.items()}
    assert not drawn["bias"].any()
    for kind, mean in (("conv", 0.0), ("norm", 1.0)):
        n = len(drawn[kind])
        # five standard errors of a sample of n
        assert abs(drawn[kind].mean() - mean) < 5 * 0.02 / math.sqrt(n)
        assert abs(drawn[kind].std() - 0.02) < 5 * 0.02 / math.sqrt(2 * n)
    assert len(drawn["conv"]) > 10**5


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
def test_networks_of_the_published_schemes_have_such_weights(scheme):
    settings = config(scheme, patch=32)
    _, generator = make_generator(None, settings, "translation", sample(32))
    discriminator = make_discriminator(settings, "translation")
    for network in (generator, discriminator):
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                if layer.weight.numel() > 10**4:
                    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
                    assert abs(layer.weight.mean()) < 0.001
                assert layer.bias is None or not layer.bias.any()


def modules(network, kind):
    return [m for m in network.modules() if isinstance(m, kind)]


def test_the_papers_networks():
    settings = config("paper")
    _, generator = make_generator(None, settings, "colorization", sample())
    assert generator.stride == 64
    assert generator.down[0][0].out_channels == 64
    for step in generator.up:
        kinds = [type(m) for m in step]
        if nn.Dropout in kinds:
            assert kinds[-2:] == [nn.BatchNorm2d, nn.Dropout]
            assert step[-1].p == 0.5
    assert len(modules(generator, nn.Dropout)) == 1
    discriminator = make_discriminator(settings, "colorization")
    assert discriminator.layers[0].in_channels == 3
    assert discriminator.layers[0].out_channels == 64
    for network in (generator, discriminator):
        for norm in modules(network, nn.BatchNorm2d):
            assert (norm.momentum, norm.eps) == (0.1, 1e-5)


def test_the_notebooks_networks():
    settings = config("notebook")
    _, generator = make_generator(None, settings, "translation", sample())
    drops = 0
    for step in generator.up:
        kinds = [type(m) for m in step]
        if nn.Dropout in kinds:
            drops += 1
            assert kinds[-2:] == [nn.Dropout, nn.BatchNorm2d]
            assert step[-2].p == 0.25
    assert drops == 1
    discriminator = make_discriminator(settings, "translation")
    assert discriminator.layers[0].in_channels == 4
    for network in (generator, discriminator):
        assert modules(network, nn.BatchNorm2d)
        for norm in modules(network, nn.BatchNorm2d):
            assert (norm.momentum, norm.eps) == (0.2, 1e-3)
    assert generator.out_channels == 3


def test_the_late_discriminator_has_no_statistics_and_may_be_left_out():
    discriminator = make_discriminator(config(discriminator_width=8), "translation")
    assert not modules(discriminator, nn.BatchNorm2d)
    assert discriminator.layers[0].out_channels == 8
    assert make_discriminator(config(gan_phase=0.0), "translation") is None
    assert make_discriminator(config("paper", gan_phase=0.0), "translation") is not None


# -- patches


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
@pytest.mark.parametrize("patch", [96, 192, 2048])
def test_a_unet_needs_a_patch_that_halves_to_one(scheme, patch):
    settings = config(scheme, patch=patch)
    with pytest.raises(BadSetting, match=rf"patch is {patch}; .*32, 64, 128, 256"):
        make_generator(None, settings, "translation", sample())


def test_a_patch_that_the_start_cannot_read_is_refused(make_checkpoint):
    start = make_checkpoint("unet", {"depth": 7})
    with pytest.raises(BadSetting, match=r"patch is 192; .*multiple of 128 px"):
        make_generator(start, config(patch=192), "colorization", sample(192))
    make_generator(start, config(patch=256), "colorization", sample(256))


def test_a_start_keeps_its_colors_but_not_its_doubts(base, gray):
    vivid = base("compact", extra={"predicts_chroma": True}, vividness=0.5)
    start = base_of(vivid, config())
    assert start.metadata.vividness is None
    source = torch.from_numpy(gray[:64, :64] / 127.5 - 1).float()[None, None]
    with torch.no_grad():
        before, after = vivid.generator()(source), start.generator()(source)
    assert torch.allclose(before[:, :2], after, atol=1e-6)


def test_a_start_with_alternatives_keeps_them_and_is_used_as_their_mean(base):
    more = {"alternatives": True, "attention": 1}
    start = base("compact", extra=more, vividness=0.5)
    config_ = config(patch=64)
    kept, generator = make_generator(start, config_, "colorization", sample(64))
    assert kept.options["alternatives"] and kept.vividness == 0.0
    assert generator.alternatives
    other, generator = make_generator(start, config_, "translation", sample(64))
    assert "alternatives" not in other.options and other.vividness is None
    assert not generator.alternatives and len(generator.attention) == 1


def test_a_plain_start_of_a_training_is_extended(base):
    start = base("compact", extra={"predicts_chroma": True})
    generator = Compact(**WIDTHS, alternatives=True, attention=1)
    give_weights(generator, start, sample(64))
    source = sample(64)
    with torch.no_grad():
        ab, before = generator(source)[:, :2], start.generator()(source)[:, :2]
    assert torch.allclose(ab, before, atol=1e-5)
    with pytest.raises(BadSetting, match="the generator of the recipe"):
        give_weights(Compact(widths=(8, 8, 8, 16)), start, source)
