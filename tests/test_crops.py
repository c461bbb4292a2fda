"""Crops of folders are distributed as they are defined, however fast they are made."""

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import color, data

from napari_colorgan.color import CODECS
from napari_colorgan.job import finish
from napari_colorgan.training.crops import turn
from napari_colorgan.training.picture_sampler import PictureSampler, _spread_evenly
from napari_colorgan.training.pictures import (
    AB_BYTES,
    Picture,
    PictureFile,
    read_pictures_job,
)
from napari_colorgan.training.settings import TrainConfig

PICTURES = [data.astronaut()[::2, ::2], data.coffee()[::2, ::2], data.chelsea()]
CROPS = 2000


def sampler(pictures, codec="lab", **settings):
    small = {"crop": 32, "batch": 100, "gray_augmentation": 0.0, "min_scale": 0.55}
    config = TrainConfig(**(small | settings))
    return PictureSampler([pictures], config, CODECS[codec]())


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Pictures as they are kept in memory: as RGB, and as gray, a and b."""
    folder = tmp_path_factory.mktemp("pictures")
    files = []
    for number, picture in enumerate(PICTURES):
        path = folder / f"{number}.png"
        Image.fromarray(picture).save(path)
        files.append(PictureFile(path.name, path))

    def read(as_lab):
        (pictures,) = finish(read_pictures_job([folder], [files], 150, as_lab=as_lab))
        assert all(picture.is_lab is as_lab for picture in pictures)
        return pictures

    return read(False), read(True)


@pytest.fixture(scope="module")
def as_lab(kept):
    return kept[1]


def figures(lab):
    """Means and spreads of L and chroma of crops (N, 3, H, W)."""
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    return np.array([f(x) for x in (lab[:, 0], chroma) for f in (np.mean, np.std)])


def defined(count):
    """Crops as they are defined: boxes of any place, antialiased, then converted."""
    rng = np.random.default_rng(5)
    images = []
    for picture in PICTURES:
        height, width = picture.shape[:2]
        factor = 150 / min(height, width)
        size = (round(width * factor), round(height * factor))
        images.append(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))
    crops = []
    for _ in range(count):
        image = images[rng.integers(len(images))]
        size = rng.uniform(0.55, 1) * 150
        x, y = (rng.uniform(0, full - size) for full in image.size)
        box = (x, y, x + size, y + size)
        crop = image.resize((32, 32), Image.Resampling.BILINEAR, box)
        crops.append(color.rgb2lab(np.asarray(crop) / 255))
    return np.moveaxis(np.stack(crops), -1, 1)


def test_crops_have_the_lightness_and_the_chroma_of_their_definition(as_lab):
    made = sampler(as_lab)
    batches = [made.batch(step) for step in range(CROPS // 100)]
    lab = torch.cat(
        [torch.cat([50 * b.source + 50, 110 * b.target], dim=1) for b in batches]
    )
    ours, expected = figures(lab.numpy()), figures(defined(CROPS))
    # a hundredth or so: what 2,000 crops of three pictures differ by, drawn twice
    assert np.abs(ours - expected).max() < 0.4, (ours, expected)


def test_crops_of_what_is_kept_as_lab_differ_less_than_anyone_sees(kept):
    exact, coded = (sampler(pictures).batch(0) for pictures in kept)
    lightness = 50 * (exact.source - coded.source).abs()
    chroma = 110 * (exact.target - coded.target).norm(dim=1)
    assert lightness.mean() < 0.3 and chroma.mean() < 0.8  # a fifth and 0.7 of a unit
    # at edges, where RGB mixes colours otherwise than Lab does
    assert np.quantile(lightness, 0.99) < 2.5 and np.quantile(chroma, 0.99) < 5


@pytest.mark.parametrize(
    ("settings", "least", "most", "mean"),
    [
        ({"context": "whole"}, 110, 200, 155),
        ({"context": "local", "crop": 96}, 76.8, 120, 98.4),
        # halves to doubles, each factor alike, and a little variation of its own
        (
            {
                "context": "local",
                "crop": 64,
                "min_magnification": 0.5,
                "max_magnification": 2.0,
            },
            25.6,
            160,
            65.6 * (2 - 0.5) / np.log(4),
        ),
    ],
    ids=["whole", "local", "magnified"],
)
def test_crops_show_as_much_as_they_are_defined_to(settings, least, most, mean):
    rising = np.arange(200, dtype=np.uint8)[:, None] + np.zeros((1, 200), np.uint8)
    both = np.stack([rising, rising.T, rising * 0], axis=-1)
    made = sampler([Picture(both)], "rgb", **settings)
    crop = settings.get("crop", 32)
    planes = torch.cat([made.batch(step).target for step in range(CROPS // 100)])
    levels = (planes[:, :2] + 1) * 127.5
    ranges = (levels.amax((2, 3)) - levels.amin((2, 3))).mean(1)
    shown = ranges * crop / (crop - 1)  # from the middle of the first px to the last
    assert shown.min() == pytest.approx(least, abs=3)
    assert shown.max() == pytest.approx(most, abs=3)
    assert shown.mean() == pytest.approx(mean, rel=0.03)


@pytest.mark.parametrize("context", ["whole", "local"])
def test_a_batch_is_the_same_in_whatever_order_it_is_asked_for(as_lab, context):
    changes = {"gray_augmentation": 0.5, "aging": 0.5, "display": 0.5}
    first, other = (
        sampler(as_lab, context=context, batch=8, **changes) for _ in range(2)
    )
    forwards = [first.batch(step) for step in range(3)]
    torch.manual_seed(9)
    backwards = [other.batch(step) for step in (2, 1, 0)][::-1]
    for one, again in zip(forwards, backwards, strict=True):
        assert torch.equal(one.source, again.source)
        assert torch.equal(one.target, again.target)
    assert not torch.equal(forwards[0].source, forwards[1].source)


def test_sources_that_are_looked_up_have_the_lightness_of_their_gray():
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 256, 3)
    coded = np.full((256, 256, 3), AB_BYTES, np.uint8)
    coded[..., 0] = levels[..., 0]
    made = sampler([Picture(coded, is_lab=True)], crop=256, batch=4, min_scale=1.0)
    lightness = 50 * made.batch(0).source + 50
    expected = color.rgb2lab(levels / 255)[0, :, 0]
    columns = np.sort(lightness[:, 0, 0].numpy())  # some are mirrored
    assert np.abs(columns - expected).max() < 0.005
    assert not made.batch(0).target.any()


@pytest.mark.parametrize(("upright", "ways"), [(True, 2), (False, 8)])
def test_crops_are_mirrored_and_turned_in_all_ways_alike(upright, ways):
    planes = torch.arange(9, dtype=torch.uint8).view(1, 1, 3, 3).repeat(800, 3, 1, 1)
    turn(planes, np.random.default_rng(6), upright=upright)
    assert torch.equal(planes[:, 0], planes[:, 2])
    _, counts = torch.unique(planes, dim=0, return_counts=True)
    assert len(counts) == ways
    assert (counts * ways / 800 - 1).abs().max() < 0.35


def test_sizes_of_a_batch_are_spread_and_each_as_likely_anywhere():
    draws = [_spread_evenly(np.random.default_rng(seed), 4) for seed in range(2000)]
    cells = np.sort((np.stack(draws) * 4).astype(int), axis=1)
    assert (cells == np.arange(4)[:, None]).all()  # one of each quarter, in both
    firsts = np.stack(draws)[:, 0]
    deciles = np.quantile(firsts, np.linspace(0.1, 0.9, 9), axis=0)
    assert np.abs(deciles - np.linspace(0.1, 0.9, 9)[:, None]).max() < 0.04
    assert abs(np.corrcoef(firsts.T)[0, 1]) < 0.08
