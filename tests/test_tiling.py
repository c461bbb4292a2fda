"""Windows cover a plane, fade into each other and do not depend on the region."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_colorgan.errors import BadSetting, TileTooSmall
from napari_colorgan.inference.tiling import (
    BORDER,
    Tiling,
    intersection,
    rectangles,
    spans,
    touching,
)

STRIDES = st.sampled_from([1, 32, 256])


@st.composite
def tilings(draw):
    halo = draw(st.integers(0, 200))
    blend = draw(st.integers(0, 100))
    smallest = max(2 * (halo + blend), 32) + 32
    return Tiling(draw(st.integers(smallest, smallest + 1000)), halo, blend)


@given(st.integers(1, 5000), tilings(), STRIDES)
@settings(max_examples=300)
def test_weights_of_all_windows_sum_to_one(length, tiling, stride):
    total = np.zeros(length)
    for span in spans(length, tiling, stride):
        assert len(span.weight) == span.keep.stop - span.keep.start > 0
        assert (span.weight > 0).all() and (span.weight <= 1).all()
        total[span.keep] += span.weight
    assert np.abs(total - 1).max() < 1e-6


@given(st.integers(1, 5000), tilings(), STRIDES)
@settings(max_examples=300)
def test_every_pixel_becomes_final_once_and_in_order(length, tiling, stride):
    position = 0
    windows = spans(length, tiling, stride)
    for number, span in enumerate(windows):
        assert span.final.start == position < span.final.stop
        position = span.final.stop
        for later in windows[number + 1 :]:
            assert later.keep.start >= span.final.stop
    assert position == length


@given(st.integers(1, 5000), tilings(), STRIDES)
@settings(max_examples=300)
def test_windows_read_halo_and_border_around_what_they_keep(length, tiling, stride):
    for span in spans(length, tiling, stride):
        assert len(span.read) % stride == 0
        before = BORDER if span.keep.start == 0 else tiling.halo
        after = BORDER if span.keep.stop == length else tiling.halo
        assert span.read.start <= span.keep.start - before
        assert span.read.stop >= span.keep.stop + after
        # as small as promised, up to a stride at each end and the plane's border;
        # where the stride is large, as small as is any use
        overlap = 2 * tiling.halo + tiling.blend
        size = max(tiling.window, overlap + min(3 * stride, 1024))
        assert len(span.read) < size + 2 * stride + max(0, 2 * BORDER - tiling.halo)


@given(st.integers(1, 5000), tilings(), st.data())
@settings(max_examples=200)
def test_a_region_is_decided_by_the_windows_that_touch_it(length, tiling, data):
    start = data.draw(st.integers(0, length - 1))
    stop = data.draw(st.integers(start + 1, length))
    part = slice(start, stop)
    windows = spans(length, tiling, 32)
    chosen = touching(windows, part)
    assert chosen == windows[windows.index(chosen[0]) :][: len(chosen)]
    total = np.zeros(length)
    for span in chosen:
        total[span.keep] += span.weight
    assert np.abs(total[part] - 1).max() < 1e-6


@given(st.integers(416, 3000), st.integers(2000, 5000), STRIDES)
def test_a_network_sees_every_place_in_one_phase_whatever_the_tile(
    tile, length, stride
):
    windows = spans(length, Tiling(tile), stride)
    assert len({span.read.start % stride for span in windows}) == 1


@given(tilings())
def test_shrinking_ends_at_the_smallest_window(tiling):
    sizes = [tiling.window]
    while (smaller := tiling.shrunk()) is not None:
        assert (smaller.halo, smaller.blend) == (tiling.halo, tiling.blend)
        tiling = smaller
        sizes.append(tiling.window)
        assert len(sizes) < 20
    assert sizes == sorted(set(sizes), reverse=True)
    assert sizes[-1] == tiling.minimum


def test_a_small_plane_is_one_window():
    (span,) = spans(300, Tiling(), 32)
    assert span.keep == span.final == slice(0, 300)
    assert (span.weight == 1).all()


@pytest.mark.parametrize("window", [-5, 0, 1, 415])
def test_a_tiny_tile_says_what_is_possible(window):
    with pytest.raises(TileTooSmall, match=rf"{window} px is too small.*416"):
        Tiling(window)
    assert Tiling(416).minimum == 416


def test_negative_halos_are_refused():
    with pytest.raises(BadSetting, match="0 px or more"):
        Tiling(1024, halo=-1)


SIDES = st.tuples(st.integers(0, 900), st.integers(1, 700))


@given(SIDES, SIDES, st.integers(30, 300))
def test_rectangles_cover_a_region_once_on_a_fixed_grid(rows, columns, side):
    region = (slice(rows[0], sum(rows)), slice(columns[0], sum(columns)))
    covered = np.zeros((sum(rows), sum(columns)), np.uint8)
    for y, x in rectangles(region, side):
        covered[y, x] += 1
        assert y.start // side == (y.stop - 1) // side
        assert x.start // side == (x.stop - 1) // side
    assert (covered[region] == 1).all()
    assert covered.sum() == rows[1] * columns[1]


@given(*[st.integers(0, 50)] * 4)
def test_an_intersection_holds_what_is_in_both(a, b, c, d):
    first, second = slice(min(a, b), max(a, b)), slice(min(c, d), max(c, d))
    both = intersection(first, second)
    inside = set(range(50)[first]) & set(range(50)[second])
    assert set(range(both.start, both.stop)) == inside
