"""The numbers along an axis are round, and few."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_colorgan.training.ticks import ticks_around, ticks_within


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, [0, 0.5, 1]), (15.2, 28.4, [20, 25]), (-3, 4, [0]),
     (0.031, 0.0366, [0.032, 0.034, 0.036])],
)  # fmt: skip
def test_ticks_are_round_numbers(low, high, expected):
    ticks = list(ticks_within(low, high, 3))
    assert set(expected) <= set(ticks) and len(ticks) <= 4
    assert all(low <= tick <= high for tick in ticks)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2))
@example([0.0, 5e-324])
@example([1e6, 1e6 + 1e-10])
@example([0.03, 0.03])
def test_ticks_enclose_the_values_and_are_few(values):
    low, high = sorted(values)
    ticks = ticks_around(low, high)
    slack = 1e-9 * max(1, abs(low), abs(high))
    assert ticks[0] <= low + slack and high <= ticks[-1] + slack
    assert 2 <= len(ticks) <= 7 and ticks == sorted(set(ticks))
