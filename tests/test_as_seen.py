"""Colours that are made where they are looked at, the same at every size."""

import dask.array
import numpy as np
import pytest
from skimage import color

from napari_colorgan import Source, colorize
from napari_colorgan.inference import zoom
from napari_colorgan.inference.as_seen import BlockSeen, SeenArray, SeenColors
from napari_colorgan.inference.zoom import ZoomedColors, levels_of
from napari_colorgan.job import finish


def reduced(array, factor):
    height, width = array.shape[0] // factor, array.shape[1] // factor
    cells = array[: height * factor, : width * factor].astype(float)
    return cells.reshape(height, factor, width, factor, -1).mean((1, 3)).squeeze()


def difference(a, b):
    a, b = (color.rgb2lab(np.asarray(each) / 255) for each in (a, b))
    return np.median(color.deltaE_ciede2000(a, b))


def all_of(source):
    return tuple(slice(0, side) for side in source.plane_shape)


@pytest.mark.parametrize("context", ["whole", "local"])
def test_colors_are_those_of_colorize_at_every_size(
    gray, make_colorizer, context, monkeypatch
):
    monkeypatch.setattr(zoom, "_LARGE", 128)
    colorizer = make_colorizer("compact", context=context, working_size=96)
    full = colorize(gray, colorizer)
    colors = ZoomedColors(levels_of(Source.of(gray)), colorizer)
    assert [source.plane_shape[0] for source in colors.levels] == [256, 128, 64, 32]
    for level, source in enumerate(colors.levels[:3]):
        where = level, (), all_of(source)
        seen = finish(colors.exact_job(*where)) if level == 2 else colors.paint(*where)
        if level == 2 and context == "whole":
            seen = colors.paint(*where)
        assert difference(seen, reduced(full, 2**level)) < (1.5 if level else 0.5)


def test_a_size_too_small_for_windows_is_corrected(gray, make_colorizer):
    colorizer = make_colorizer("compact", context="local", tiling=(256, 32, 32))
    picture = np.tile(gray, (3, 3))
    small = reduced(picture, 8).astype(np.float32)
    truth = reduced(colorize(picture, colorizer), 8)
    levels = [Source.of(picture), Source.of(small, limits=(0, 255))]
    colors = ZoomedColors(levels, colorizer)
    assert colors.is_rough(1)
    corrected = colors.paint(1, (), all_of(levels[1]))
    alone = colorize(small, colorizer, limits=(0, 255))
    assert difference(corrected, truth) < difference(alone, truth)


class Flat:
    """Colours that tell their level and place, and count how often they are made."""

    def __init__(self, levels):
        self.levels, self.made = levels, []

    def is_rough(self, level):
        return False

    def paint(self, level, index, region):
        self.made.append((level, index))
        shape = tuple(side.stop - side.start for side in region)
        return np.full((*shape, 3), 10 * level + sum(index) + 1, np.uint8)


@pytest.fixture
def flat():
    stack = dask.array.zeros((3, 700, 600), dtype=np.uint8)
    return Flat([Source.of(stack), Source.of(stack[:, ::2, ::2])])


def test_what_was_not_made_is_see_through_until_it_is(flat):
    seen, told = SeenColors(flat), []
    seen.on_wanted = lambda: told.append(1)
    array = SeenArray(seen, 0, (0, 1, 2))
    assert array.shape == (3, 700, 600, 4)
    assert not array[1, 500:600].any() and told and not flat.made
    events = []
    finish(seen.make_job(), events.append)
    assert len(events) == len(flat.made) == 4
    assert all(isinstance(event, BlockSeen) for event in events)
    assert (array[1, 500:600] == (2, 2, 2, 255)).all()
    assert array[1, 500:600].shape == (100, 600, 4)
    assert array[1, 511:513, 590].shape == (2, 4)
    assert not array[2].any()


def test_a_cut_across_planes_is_not_made(flat):
    seen = SeenColors(flat)
    array = SeenArray(seen, 0, (0, 1, 2))
    assert array[:, 5].shape == (3, 600, 4)
    finish(seen.make_job())
    assert not flat.made


def test_dimensions_are_those_of_the_layer(flat):
    array = SeenArray(SeenColors(flat), 1, (2, 0, 1))
    assert array.shape == (350, 300, 3, 4)
    assert array[:, 3, 1:].shape == (350, 2, 4)
    assert array[..., 2, :3].shape == (350, 300, 3)
    array[:, :, 2]
    finish(array.seen.make_job())
    assert (array[:, :, 2, 0] == 13).all()


def test_few_colors_are_kept_and_the_latest_come_first(flat):
    seen = SeenColors(flat, most=2 * 512 * 512 * 3)
    array = SeenArray(seen, 0, (0, 1, 2))
    array[0, :10, :10], array[1, :10, :10], array[2, :10, :10]
    finish(seen.make_job())
    assert [index for _, index in flat.made] == [(2,), (1,), (0,)]
    assert array[0, :10, :10].all() and array[1, :10, :10].all()
    assert not array[2, :10, :10].any()
    seen.change(flat)
    assert not array[0, :10, :10].any()


def test_what_is_no_longer_seen_is_no_longer_made(flat):
    seen = SeenColors(flat)
    array = SeenArray(seen, 0, (0, 1, 2))
    array[0, :10, :10]
    for _ in range(6):
        array[1, :10, :10]
    finish(seen.make_job())
    assert [index for _, index in flat.made] == [(1,)]
