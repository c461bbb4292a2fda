"""Generators that normalise by the picture get one set of statistics for all of it."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from skimage.color import rgb2gray

from napari_colorgan.checkpoints.pix2pix import read_pix2pix
from napari_colorgan.inference.colorize import colorize, colorize_region
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.statistics import StatisticsMeter
from napari_colorgan.inference.tiling import Tiling

GOLDENS = Path(__file__).parent / "goldens"


@pytest.mark.parametrize("norm", ["batch", "instance"])
@pytest.mark.parametrize("name", ["unet", "resnet"])
def test_statistics_of_a_picture_normalise_as_training_does(
    make_checkpoint, name, norm
):
    generator = make_checkpoint(name, {"norm": norm}).generator()
    source = torch.rand(1, 1, 96, 128) * 2 - 1
    with torch.no_grad():
        found = StatisticsMeter(generator).measure(source)
        fixed = torch.func.functional_call(generator, found, source)
        reference = copy.deepcopy(generator)
        for layer in reference.modules():
            layer.track_running_stats = False  # instance norm: look at the picture
        training = reference.train()(source)
    assert torch.allclose(fixed, training, atol=1e-4)
    with torch.no_grad():
        assert not torch.allclose(fixed, generator(source), atol=0.05)


def test_statistics_are_pooled_over_all_windows(make_checkpoint):
    generator = make_checkpoint("unet").generator()
    windows = torch.rand(4, 1, 64, 64)
    windows[2:] -= 1
    first = next(k for k in generator.state_dict() if k.endswith("running_mean"))
    layer = first.rsplit(".", 2)[0]
    seen = []
    normalised = generator.get_submodule(first.removesuffix(".running_mean"))
    normalised.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        generator(windows)
        found = StatisticsMeter(generator).measure(windows)
    assert torch.allclose(found[first], seen[0].mean((0, 2, 3)), atol=1e-5)
    variance = seen[0].var((0, 2, 3), correction=0)
    assert torch.allclose(
        found[f"{layer}.{first.split('.')[-2]}.running_var"], variance
    )


def test_measuring_leaves_the_generator_alone(make_checkpoint):
    generator = make_checkpoint("unet", {"norm": "instance"}).generator()
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    with torch.no_grad():
        StatisticsMeter(generator).measure(torch.rand(2, 1, 64, 64))
    assert all(torch.equal(before[k], v) for k, v in generator.state_dict().items())


IMPORTED = ["unet256_batch_1to2", "unet256_instance_3to3", "resnet6_instance_3to3"]


@pytest.fixture(params=["batch", "instance", *IMPORTED])
def by_picture(request, make_colorizer):
    """A colorizer that normalises by the picture, in windows."""
    if request.param in IMPORTED:
        golden = GOLDENS / f"{request.param}_net_G.pth"
        return Colorizer(read_pix2pix(golden), torch.device("cpu"))
    return make_colorizer("unet", {"norm": request.param}, statistics="picture")


def test_windows_of_a_picture_agree_in_tone(by_picture, monkeypatch):
    # a dark coat under a bright sky, the moon, cells: windows alone differ much
    cells = np.rint(rgb2gray(data.immunohistochemistry()) * 255).astype(np.uint8)
    parts = (data.camera(), data.moon(), cells)
    picture = np.concatenate([part[:256] for part in parts], axis=1)
    colorizer = by_picture
    tiled = colorize(picture, colorizer)
    predict = colorizer._predict

    def by_window(gray, statistics):
        return predict(gray, colorizer.measure(lambda: gray))

    monkeypatch.setattr(colorizer, "_predict", by_window)
    patchwork = colorize(picture, colorizer)
    monkeypatch.undo()
    colorizer.tiling = Tiling(4096)
    untiled = colorize(picture, colorizer).astype(int)
    error = np.abs(tiled - untiled).mean()
    assert np.abs(patchwork - untiled).mean() > max(1, 5 * error)


def test_statistics_are_taken_from_all_over_a_large_picture(
    make_colorizer, monkeypatch
):
    picture = np.zeros((2300, 2100), np.uint8)
    picture[:, 1050:], picture[1150:] = 200, picture[1150:] + 40
    colorizer = make_colorizer("unet", {"norm": "instance"}, statistics="picture")
    measure, seen = colorizer.measure, []

    def spy(sample):
        seen.append(sample())
        return measure(sample)

    monkeypatch.setattr(colorizer, "measure", spy)
    colorize_region(picture, colorizer, (slice(0, 9), slice(0, 9)))
    colorize_region(picture, colorizer, (slice(2200, 2300), slice(2000, 2100)))
    assert torch.equal(*seen)  # whichever part is coloured
    assert seen[0].shape == (16, 1, 512, 512)
    assert seen[0].mean() * 255 == pytest.approx(picture.mean(), abs=10)


def test_statistics_of_a_picture_that_fits_are_those_of_all_of_it(
    make_colorizer, monkeypatch
):
    colorizer = make_colorizer("unet", {"norm": "instance"}, statistics="picture")
    measure, seen = colorizer.measure, []
    monkeypatch.setattr(
        colorizer, "measure", lambda sample: seen.append(sample()) or measure(sample)
    )
    gray = data.camera()[:320, :416]
    colorize_region(gray, colorizer, (slice(0, 9), slice(0, 9)))
    assert torch.equal(seen[0][0, 0], torch.from_numpy(gray / 255).float())


def test_stored_statistics_do_not_depend_on_the_picture(make_colorizer):
    colorizer = make_colorizer("unet", {"norm": "batch"}, statistics="stored")
    assert colorizer.measure(lambda: torch.rand(1, 1, 64, 64)) is None


def test_generators_without_normalisation_need_no_statistics(make_colorizer):
    colorizer = make_colorizer("unet", {"norm": "none"}, statistics="picture")
    assert colorizer.measure(lambda: torch.rand(1, 1, 64, 64)) == {}
    assert colorize(data.camera()[:64, :64], colorizer).any()
