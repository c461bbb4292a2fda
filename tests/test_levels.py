"""Large pictures cost the window no more than a screen of them, and little memory."""

import tracemalloc

import numpy as np
import pytest
from napari.layers import Image, Labels, Shapes

from napari_colorgan.errors import Stopped
from napari_colorgan.inference.intensity import color_to_gray
from napari_colorgan.inference.lightness import lightness_job
from napari_colorgan.job import Control, drive, finish
from napari_colorgan.widgets.colorize.hints_layer import told_by
from napari_colorgan.widgets.parts import layers, levels
from napari_colorgan.widgets.parts.levels import (
    Levels,
    corners,
    expect_corners,
    in_levels,
)
from napari_colorgan.widgets.parts.world import PlaneAxes


@pytest.fixture
def small_screen(monkeypatch):
    monkeypatch.setattr(levels, "AT_ONCE", 1000)
    monkeypatch.setattr(levels, "LARGE", 1000)


def test_small_planes_are_one_array(photo):
    assert in_levels(photo) is photo


def test_sizes_are_views_of_one_array(small_screen):
    canvas = np.zeros((3, 100, 60, 3), np.uint8)
    sizes = in_levels(canvas)
    assert isinstance(sizes, Levels)
    assert [each.shape for each in sizes] == [
        (3, 100, 60, 3), (3, 50, 30, 3), (3, 25, 15, 3),
    ]  # fmt: skip
    canvas[1, 40, 20] = 7
    assert (sizes[1][1, 20, 10] == 7).all() and (sizes[2][1, 10, 5] == 7).all()
    assert np.asarray(sizes) is canvas and (sizes[1, 40, 20] == 7).all()
    turned = in_levels(canvas.transpose(1, 2, 0, 3), 0, 1)
    assert turned[1].shape == (50, 30, 3, 3)


def test_what_is_seen_is_counted_in_px_of_the_whole(small_screen):
    sizes = in_levels(np.zeros((100, 60, 3), np.uint8))
    layer = Image(sizes, rgb=True, multiscale=True)
    assert corners(layer).tolist() == [[0, 0], [99, 59]]
    expect_corners(layer, np.array([[40, 20], [59, 39]]))
    assert corners(layer).tolist() == [[40, 20], [59, 39]]


def test_of_large_rgb_little_is_looked_at(monkeypatch):
    monkeypatch.setattr(layers, "_COMPARED", 2000)
    compared, equal = [], np.array_equal

    def array_equal(a, b):
        compared.append(a.size)
        return equal(a, b)

    monkeypatch.setattr(np, "array_equal", array_equal)
    scan = np.repeat(np.arange(200 * 300).reshape(200, 300, 1) % 251, 3, -1)
    assert layers.looks_gray(Image(scan.astype(np.uint8), rgb=True))
    assert max(compared) <= 2000
    scan[100:110, 50:60, 0] += 4  # small, and yet seen
    assert not layers.looks_gray(Image(scan.astype(np.uint8), rgb=True))


@pytest.mark.parametrize("kind", ["labels", "shapes"])
def test_large_regions_are_looked_at_in_part(monkeypatch, kind):
    image = Image(np.zeros((1600, 2400), np.uint8))
    box = np.array([[400, 800], [400, 1600], [800, 1600], [800, 800]])
    if kind == "labels":
        values = np.zeros(image.data.shape, np.int32)
        values[400:800, 800:1600] = 3
        layer = Labels(values, colormap={3: "red", None: "black"})
    else:
        layer = Shapes([box], shape_type="polygon", face_color="red")
    sizes, unique = [], np.unique
    monkeypatch.setattr(np, "unique", lambda a: sizes.append(a.size) or unique(a))
    hints = told_by(layer, image, PlaneAxes.last(2), ()).hints
    assert hints is not None and (hints.colors == (255, 0, 0)).all()
    middle = hints.points[0]  # of the largest square
    assert abs(middle[0] - 600) <= 8 and 990 <= middle[1] <= 1410
    assert abs(hints.radius[0] - 200) <= 12
    assert all(size <= 600 * 600 for size in sizes)


def test_lightness_is_exact_and_takes_little_memory(photo):
    rgb = np.tile(photo, (4, 5, 1))
    tracemalloc.start()
    gray = finish(lightness_job(rgb))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(gray, color_to_gray(rgb))
    assert peak - gray.nbytes < 40e6  # a float64 copy of all colours alone


def test_lightness_of_a_gray_scan_is_its_values(gray):
    stack = np.repeat(np.stack([gray, gray[::-1]])[..., None], 3, -1).astype(np.uint16)
    made = finish(lightness_job(stack))
    assert made.dtype == np.uint16
    np.testing.assert_array_equal(made, stack[..., 0])


def test_lightness_stops_at_once(photo):
    control, events = Control(), []
    with pytest.raises(Stopped, match="no lightness was taken of the layer 'a'"):
        for event in drive(
            lightness_job(np.tile(photo, (3, 3, 1)), "the layer 'a'"), control
        ):
            events.append(event)
            control.request_stop()
    assert len(events) == 1
