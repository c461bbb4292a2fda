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
    within,
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


@pytest.mark.parametrize(
    ("length", "tiling", "stride", "read", "final"),
    [
        (
            *(3000, Tiling(), 32),
            [(-32, 992), (672, 1696), (1376, 2400), (2080, 3040)],
            [0, 800, 1504, 2208, 3000],
        ),
        (
            *(2500, Tiling(416), 256),
            [(-32, 1248), (736, 2016), (1504, 2784)],
            [0, 960, 1728, 2500],
        ),
        (
            *(6000, Tiling(), 512),
            [(1024 * k - 32, 1024 * k + 1504) for k in range(5)] + [(5088, 6112)],
            [0, *range(1216, 5313, 1024), 6000],
        ),
        (
            *(400, Tiling(200, 10, 20), 1),
            [(-32, 142), (102, 276), (236, 432)],
            [0, 112, 246, 400],
        ),
    ],
)
def test_the_grid_is_the_one_that_results_were_made_with(
    length, tiling, stride, read, final
):
    """Other windows are other pixels: a change of the grid is news for users."""
    windows = spans(length, tiling, stride)
    assert [(span.read.start, span.read.stop) for span in windows] == read
    assert [0, *(span.final.stop for span in windows)] == final
    kept = [(span.keep.start, span.keep.stop) for span in windows]
    ends = [end + tiling.blend for end in final[1:-1]] + [length]
    assert kept == list(zip(final[:-1], ends, strict=True))


def test_windows_advance_as_far_as_their_halos_and_strides_allow():
    steps = {
        Tiling(): [(320, 832, 64), (320, 832, 96), (512, 1024, 1024)],
        Tiling(100, 5, 5): [(15, 85, 5), (32, 96, 96), (512, 1024, 1024)],
        Tiling(84, 0, 20): [(20, 64, 20), (32, 96, 96), (512, 1024, 1024)],
    }
    for tiling, expected in steps.items():
        assert expected == [
            (tiling.overlap(n), tiling.step(n), tiling.least_step(n))
            for n in (1, 32, 512)
        ]
    assert Tiling(500, 100, 100).least_step(32) == 128  # no less than a blend
    smallest = {(0, 0): 64, (8, 8): 64, (8, 9): 66, (10, 20): 92, (128, 64): 416}
    assert {sides: Tiling(500, *sides).minimum for sides in smallest} == smallest


def test_fading_is_even():
    first, second = spans(300, Tiling(200, 10, 3), 1)
    assert first.weight[-4:].tolist() == [1, 0.75, 0.5, 0.25]
    assert second.weight[:4].tolist() == [0.25, 0.5, 0.75, 1]
    assert first.weight.dtype == np.float32


def test_less_memory_is_fewer_windows_at_once_and_then_smaller_ones():
    assert Tiling().at_once == 1
    sizes, tiling = [], Tiling(at_once=2)
    while tiling is not None:
        sizes.append((tiling.at_once, tiling.window))
        tiling = tiling.shrunk()
    small = {189: 64, 191: 64, 192: 96, 255: 96, 256: 128}
    assert {side: Tiling(side, 0, 0).shrunk().window for side in small} == small
    assert sizes == [(2, 1152), *((1, side) for side in (1152, 768, 576, 480, 416))]


def test_neighbours_do_not_touch_and_a_shared_pixel_does():
    first, second = spans(300, Tiling(200, 10, 20), 1)
    assert touching([first, second], slice(0, second.keep.start)) == [first]
    assert touching([first, second], slice(first.keep.stop, 300)) == [second]
    assert touching([first, second], slice(0, second.keep.start + 1)) == [first, second]
    last = slice(first.keep.stop - 1, 300)
    assert touching([first, second], last) == [first, second]


def test_a_part_is_counted_from_its_region():
    region, part = (slice(10, 30), slice(40, 90)), (slice(12, 20), slice(40, 50))
    assert within(region, part) == (slice(2, 10), slice(0, 10))


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
    for sides in ({"halo": -1}, {"blend": -1}):
        with pytest.raises(BadSetting, match=r"halo or blend.*0 px or more"):
            Tiling(1024, **sides)
    assert Tiling(64, 0, 0).minimum == 64


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
    assert inside or both.start == both.stop
