"""Crops of folders are parts of their pictures, the same for equal random numbers."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color

from napari_colorgan.color import CODECS
from napari_colorgan.color_bins import BIN_COUNT
from napari_colorgan.job import finish
from napari_colorgan.training.picture_sampler import PictureSampler
from napari_colorgan.training.pictures import Picture, list_files, read_pictures_job
from napari_colorgan.training.settings import TrainConfig

WHOLE = {"context": "whole"}


def config(**settings):
    small = {"steps": 6, "decoder_steps": 3, "batch": 2, "crop": 32, "cache_side": 48}
    small |= {"validation": 0.0, "task": "colorization"}
    return TrainConfig(**(small | settings))


def read_pictures(folders, side):
    return finish(read_pictures_job(folders, list_files(folders), side))


def sampler(folders, codec="lab", **settings):
    plain = {"context": "local", "gray_augmentation": 0.0}
    settings = config(**(plain | settings))
    return PictureSampler(folders, settings, CODECS[codec]())


def sample(folders, count, side, step=0, **settings):
    """RGB (N, 3, side, side) of crops."""
    made = sampler(folders, "rgb", batch=count, crop=side, **settings)
    return (made.batch(step).target + 1) / 2


def save(folder, name, picture):
    Image.fromarray(picture).save(folder / name)


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


@pytest.mark.parametrize("shown", [{}, WHOLE, {"min_magnification": 0.5}])
def test_crops_of_a_pair_stay_together(pair_folders, shown):
    color, gray = pair_folders
    files = list_files([color], gray)
    cache = finish(read_pictures_job([color], files, 96))
    batch = sampler(cache, "rgb", batch=30, **shown).batch(0)
    assert batch.source.shape == (30, 1, 32, 32)
    grays, colors = (batch.source + 1) / 2, (batch.target + 1) / 2
    for rgb, one in zip(colors, grays, strict=True):
        both = torch.stack([rgb[1].flatten() ** 2, one.flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.95


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


def test_every_step_sees_other_crops_whatever_came_before(photos):
    settings = {"gray_augmentation": 0.5, "aging": 0.5, "display": 0.5}
    made = sampler(read_pictures([photos], side=64), batch=8, **settings)
    first = [made.batch(step) for step in (0, 1)]
    torch.manual_seed(99)
    second, again = (made.batch(step) for step in (1, 0))
    for a, b in zip(first, (again, second), strict=True):
        assert torch.equal(a.source, b.source) and torch.equal(a.target, b.target)
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


def test_palettes_of_recolored_crops_tell_their_new_colors(photo):
    pictures = [Picture(photo[:256, :256])]
    many = {"batch": 40, "palettes": 1.0, "recolor": 1.0, "crop": 192}
    settings = config(context="whole", min_scale=1.0, **many)
    codec = CODECS["lab"]()
    turned = PictureSampler([pictures], settings, codec, palettes=True)
    batch = turned.batch(0)
    tints = batch.target.mean((2, 3))
    assert tints.std(0).min() > 0.02  # of one and the same picture
    told = batch.palette[:, BIN_COUNT : BIN_COUNT + 2] / 4
    tinted = batch.palette[:, BIN_COUNT + 4] > 0
    alike = torch.cosine_similarity(told, tints)[tinted]
    assert len(alike) > 20 and alike.mean() > 0.9
    assert (batch.palette[:, -1] == 1).all()  # it is certain
