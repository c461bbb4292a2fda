"""Patches show both pictures of a pair alike, and nothing that is not to be learned."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import data

from napari_colorgan.color import LabCodec, RgbCodec
from napari_colorgan.training.pairs import Pair, pairs_of, split
from napari_colorgan.training.patch_sampler import PatchSampler
from napari_colorgan.training.samplers import Batch
from napari_colorgan.training.settings import FineTuneConfig

MAGENTA = (255, 0, 255)


def config(scheme="fine-tune", **settings):
    small = {"context": "local", "patch": 64, "batch": 2, "gray_augmentation": 0.0}
    return FineTuneConfig.preset(scheme, **(small | settings))


def red_pair(picture, mask=None):
    """A pair whose gray is the red of its colour: what must stay together."""
    gray = picture[..., 0].astype(np.float32) / 255
    return Pair("red", gray, picture, mask)


def ramp(height, width, *, x=0, y=0):
    """A pair of a plane that rises by `x` and `y` of 255 per px."""
    rows, columns = np.mgrid[:height, :width]
    values = (rows * y + columns * x).astype(np.uint8)
    return red_pair(np.repeat(values[..., None], 3, axis=-1))


def batches(pairs, settings, count, codec=None):
    sampler = PatchSampler(pairs, settings, codec or RgbCodec())
    return [sampler.batch(step) for step in range(count)]


def colors(batch):
    """The targets of a batch for RGB, as (n, 3) in 0 ... 255."""
    return ((batch.target + 1) * 127.5).movedim(1, -1).reshape(-1, 3)


def slopes(plane):
    """Typical change per px along both directions, in gray values of 255."""
    return [plane.diff(dim=dim).abs().median().item() * 127.5 for dim in (0, 1)]


# -- which patches


def test_the_patches_of_a_step_follow_from_its_number(photo):
    pairs = pairs_of(photo)
    settings = config(gray_augmentation=0.5)
    sampler = PatchSampler(pairs, settings, LabCodec())
    first = [sampler.batch(step) for step in (3, 4)]
    other = PatchSampler(pairs, settings, LabCodec())
    torch.manual_seed(99)
    again = [other.batch(step) for step in (4, 3)][::-1]
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a.source, b.source)
        assert torch.equal(a.target, b.target)
    assert not torch.equal(first[0].source, first[1].source)
    reseeded = PatchSampler(pairs, replace(settings, seed=2), LabCodec())
    assert not torch.equal(first[0].source, reseeded.batch(3).source)


def test_sampling_leaves_torchs_randomness_alone(photo):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    batches(pairs_of(photo), config(gray_augmentation=1.0), 2)
    assert torch.equal(torch.rand(3), expected)


def test_pairs_are_drawn_as_often_as_they_have_pixels():
    small = np.full((40, 40, 3), 200, np.uint8)
    large = np.full((80, 60, 3), 50, np.uint8)  # three times as many
    found = batches([red_pair(small), red_pair(large)], config(batch=8), 50)
    drawn = torch.cat([batch.target[:, 0, 0, 0] for batch in found])
    assert len(drawn) == 400
    # 5 standard deviations of sampling
    assert (drawn > 0).float().mean().item() == pytest.approx(0.25, abs=0.11)


def test_pixels_outside_a_mask_do_not_count_as_pixels():
    picture = np.full((64, 64, 3), 200, np.uint8)
    mask = np.zeros((64, 64), bool)
    mask[:16, :16] = True  # a sixteenth of the other pair
    pairs = [red_pair(picture, mask), red_pair(picture // 4)]
    found = batches(pairs, config(batch=8), 50)
    drawn = torch.cat([batch.target[:, 0, 0, 0] for batch in found])
    assert 0 < (drawn > 0).float().mean() < 0.13


@pytest.mark.parametrize(("batch", "expected"), [(1, 20), (4, 5), (1000, 1)])
def test_an_epoch_has_as_many_pixels_as_the_pairs(photo, batch, expected):
    settings = config(batch=batch)  # 256 x 320 px are 20 patches of 64 x 64
    assert PatchSampler(pairs_of(photo), settings, RgbCodec()).per_epoch == (expected)


# -- both pictures alike


@pytest.mark.parametrize(
    "settings",
    [
        config(),
        config(context="whole"),
        config("paper", batch=2),
        config("notebook", batch=2, context="whole"),
    ],
    ids=["local", "whole", "paper", "notebook"],
)
@pytest.mark.parametrize("shape", [(256, 320), (40, 200), (33, 21)])
def test_gray_and_color_of_a_patch_show_the_same_place(settings, shape):
    picture = data.astronaut()[: shape[0], : shape[1]]
    for batch in batches([red_pair(picture)], settings, 3):
        assert batch.source.shape == (2, 1, 64, 64)
        assert batch.target.shape == (2, 3, 64, 64)
        assert torch.allclose(batch.source, batch.target[:, :1], atol=1e-5)
        assert batch.weight is None


def test_sources_of_colorization_are_the_lightness_of_the_colors(photo):
    codec = LabCodec()
    for batch in batches(pairs_of(photo), config(), 3, codec):
        assert batch.target.shape == (2, 2, 64, 64)
        gray = (batch.source + 1) / 2  # any gray: L comes from the source here
        lightness = (batch.source + 1) * 50
        lab = torch.cat([lightness, batch.target * 110], dim=1)
        assert lab[:, 0].min() >= 0 and lab[:, 0].max() <= 100.01
        assert gray.std() > 0.01
    # where nothing is resampled, it is so exactly: a flat picture
    flat = np.full((80, 80, 3), (200, 120, 40), np.uint8)
    batch = batches(pairs_of(flat), config(), 1, codec)[0]
    from skimage.color import rgb2lab

    expected = rgb2lab(flat[0, 0] / 255.0)
    assert torch.allclose((batch.source + 1) * 50, torch.tensor(expected[0]).float())
    found = batch.target[0, :, 5, 5] * 110
    assert np.allclose(found, expected[1:], atol=0.05)


def test_only_the_gray_side_is_varied(photo):
    plain, varied = (
        batches([red_pair(photo)], config(gray_augmentation=share), 2)
        for share in (0.0, 1.0)
    )
    for a, b in zip(plain, varied, strict=True):
        assert torch.equal(a.target, b.target)
        assert (a.source - b.source).abs().mean() > 0.01
        assert b.source.min() >= -1 and b.source.max() <= 1


# -- flips and turns


def orientations(scheme, context):
    """Signs of (horizontal, vertical) slope and which is steeper, of many patches."""
    pair = ramp(120, 120, x=1, y=0.4)
    found = set()
    settings = config(scheme, context=context, batch=8)
    for batch in batches([pair], settings, 12):
        for plane in batch.source[:, 0]:
            x = plane.diff(dim=1).median().item()
            y = plane.diff(dim=0).median().item()
            found.add((x > 0, y > 0, abs(x) > abs(y)))
    return found


def test_micrographs_are_flipped_and_turned():
    assert len(orientations("fine-tune", "local")) == 8


@pytest.mark.parametrize(
    ("scheme", "context"),
    [("fine-tune", "whole"), ("paper", "local"), ("notebook", "whole")],
)
def test_photographs_and_the_published_recipes_are_mirrored_only(scheme, context):
    assert orientations(scheme, context) == {(True, True, True), (False, True, True)}


# -- scales


def test_local_patches_vary_a_little_in_scale():
    found = []
    for batch in batches([ramp(200, 200, x=1)], config(), 20):
        found += [max(slopes(plane)) for plane in batch.source[:, 0]]
    assert min(found) >= 0.79 and max(found) <= 1.26
    assert max(found) - min(found) > 0.3


def test_the_paper_crops_256_of_286_px():
    for batch in batches([ramp(200, 200, x=1)], config("paper"), 5):
        assert max(slopes(batch.source[0, 0])) == pytest.approx(256 / 286, rel=0.02)


def test_whole_patches_show_large_parts_of_the_picture():
    sides = []
    for batch in batches([ramp(100, 160, x=1)], config(context="whole"), 20):
        sides += [64 * slopes(plane)[1] for plane in batch.source[:, 0]]
    assert min(sides) >= 59 and max(sides) <= 101
    assert max(sides) - min(sides) > 25
    for batch in batches([ramp(100, 160, y=1)], config(context="whole"), 5):
        for plane in batch.source[:, 0]:  # squares: not stretched
            assert 59 <= 64 * slopes(plane)[0] <= 101


def test_the_notebook_resizes_whole_pictures():
    picture = data.astronaut()[:96, :120]
    settings = config("notebook", batch=4)
    whole = torch.tensor(picture / 127.5 - 1).float().movedim(-1, 0)[None]
    expected = F.interpolate(whole, (64, 64), mode="bilinear")[0]
    for batch in batches([red_pair(picture)], settings, 3):
        for target in batch.target:
            errors = [(target - e).abs().max() for e in (expected, expected.flip(-1))]
            assert min(errors) < 1e-4


@pytest.mark.parametrize("shape", [(64, 640), (640, 64)])
def test_no_pattern_appears_where_a_picture_is_reduced_in_one_direction(shape):
    picture = np.zeros((*shape, 3), np.uint8)
    picture[::2, 1::2] = picture[1::2, ::2] = 255  # to be seen as an even gray
    batch = batches([red_pair(picture)], config("notebook", batch=1), 1)[0]
    inner = batch.source[0, 0, 4:-4, 4:-4]
    along = 1 if shape[1] > shape[0] else 0
    assert inner.mean(dim=1 - along).std() < 0.05
    assert inner.std() < 0.25


# -- small pictures


@pytest.mark.parametrize("shape", [(24, 24), (24, 100), (100, 24), (17, 40)])
@pytest.mark.parametrize("scheme", ["fine-tune", "paper"])
def test_pictures_smaller_than_a_patch_are_continued_not_stretched(shape, scheme):
    settings = config(scheme, batch=2)
    for batch in batches([ramp(*shape, x=2, y=2)], settings, 4):
        assert batch.source.shape == (2, 1, 64, 64)
        for plane in batch.source[:, 0]:
            y, x = slopes(plane)
            assert x == pytest.approx(y, rel=0.1)
            jumps = max(plane.diff(dim=dim).abs().max().item() for dim in (0, 1))
            assert jumps * 127.5 < 3.2  # continued by reflection: no edge


# -- what is held out, and masks


def test_the_held_out_part_is_never_seen():
    picture = data.astronaut()[:120, :200].copy()
    picture[..., 1] |= 64  # nothing of it is magenta
    (pair,) = pairs_of(picture)
    width = split([pair], 0.25, seed=1).train[0].shape[1]
    picture[:, width:] = MAGENTA  # what is held out, and the gap before it
    (pair,) = pairs_of(picture)
    parts = split([pair], 0.25, seed=1)
    assert (parts.held_out[0].color == MAGENTA).all()
    for context in ("local", "whole"):
        for batch in batches(parts.train, config(context=context), 40):
            assert (colors(batch)[:, 1] >= 63.5).all()


def test_everything_else_is_seen_up_to_the_borders():
    rows, columns = np.mgrid[:120, :200]
    picture = np.stack([columns, rows, rows * 0], axis=-1).astype(np.uint8)
    train = split([red_pair(picture)], 0.25, seed=1).train
    height, width = train[0].shape
    seen = torch.cat([colors(batch) for batch in batches(train, config(), 200)])
    assert seen[:, 0].min() < 1 and seen[:, 0].max() > width - 2
    assert seen[:, 1].min() < 1 and seen[:, 1].max() > height - 2


@pytest.mark.parametrize("context", ["local", "whole"])
def test_a_mask_marks_what_counts(context):
    picture = np.full((120, 160, 3), 255, np.uint8)
    mask = np.zeros((120, 160), bool)
    mask[50:90, 100:150] = True
    picture[mask] = (40, 80, 120)
    for batch in batches([red_pair(picture, mask)], config(context=context), 20):
        assert set(batch.weight.unique().tolist()) <= {0.0, 1.0}
        assert batch.weight.shape == (2, 1, 64, 64)
        marked = colors(batch)[batch.weight.flatten() == 1]
        # resampling mixes neighbours, but what is marked is more inside than outside
        assert (marked[:, 0] < 150).all()
        if context == "local":
            assert (batch.weight.sum((1, 2, 3)) > 0).all()
    unmarked = colors(batch)[batch.weight.flatten() == 0]
    assert (unmarked[:, 0] > 140).all()


def test_pairs_without_a_mask_count_whole_beside_one_with(photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[100:140, 100:200] = True
    pairs = [red_pair(photo, mask), red_pair(photo)]
    found = batches(pairs, config(batch=8), 3)
    shares = torch.cat([batch.weight.mean((1, 2, 3)) for batch in found])
    assert (shares == 1).any() and (shares < 1).any()


def test_arrays_that_cannot_be_written_are_read_without_complaint():
    picture = data.astronaut()[:64, :64].copy()
    (pair,) = pairs_of(picture)
    before = pair.gray.copy()
    pair.gray.flags.writeable = pair.color.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batches([pair], config("notebook", gray_augmentation=1.0), 2)
    assert np.array_equal(pair.gray, before)


def test_a_batch_moves_with_all_its_parts():
    part = torch.zeros(1, 1, 4, 4)
    moved = Batch(part, part, weight=part).to(torch.device("meta"))
    assert moved.source.is_meta and moved.target.is_meta and moved.weight.is_meta
    assert moved.palette is None


# -- what makes a model robust


def test_patches_come_at_other_magnifications():
    settings = config(min_magnification=0.25, max_magnification=2.0)
    shown = [
        max(slopes(b.target[0, 0]))
        for b in batches([ramp(250, 250, x=1)], settings, 60)
    ]
    assert min(shown) < 0.65 and max(shown) > 3  # 1 at the picture's own
    plain = [
        max(slopes(b.target[0, 0]))
        for b in batches([ramp(250, 250, x=1)], config(), 20)
    ]
    assert 0.7 < min(plain) and max(plain) < 1.4


def test_gray_sides_alone_age_and_are_displayed_otherwise(photo):
    pairs = pairs_of(photo // 2)
    plain = batches(pairs, config(), 6, LabCodec())
    for settings in (config(aging=1.0), config(display=1.0)):
        for before, after in zip(
            plain, batches(pairs, settings, 6, LabCodec()), strict=True
        ):
            assert torch.equal(before.target, after.target)
            assert not torch.equal(before.source, after.source)
    widest = [b.source.amax((1, 2, 3)) for b in batches(pairs, config(display=1.0), 6)]
    assert torch.cat(widest).max() == 1  # the lightest of a crop is shown as white
