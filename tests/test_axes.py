"""Axis letters say which dimension is what; wrong ones are explained."""

from itertools import permutations

import pytest

from napari_colorgan.errors import BadAxes
from napari_colorgan.inference.axes import Axes, indices


@pytest.mark.parametrize(
    ("shape", "leading", "samples"),
    [
        ((5, 7), 0, False),
        ((9, 5, 7), 1, False),
        ((2, 9, 5, 7), 2, False),
        ((5, 7, 3), 0, True),
        ((5, 7, 4), 0, True),
        ((9, 5, 7, 3), 1, True),
        ((5, 3), 0, False),
        ((1,) * 10, 8, False),
    ],
)
def test_without_letters_the_last_dimensions_are_the_picture(shape, leading, samples):
    axes = Axes.of(shape)
    assert len(axes.leading) == leading
    assert ("S" in axes.letters) == samples
    assert axes.order == tuple(range(len(shape)))


def test_letters_may_be_in_any_order_and_case():
    for letters in permutations("tzyx"):
        axes = Axes.of((4, 5, 6, 7), "".join(letters))
        assert [axes.letters[i] for i in axes.order[-2:]] == ["Y", "X"]
        assert axes.leading == "".join(c for c in letters if c in "tz").upper()
        assert sorted(axes.order) == [0, 1, 2, 3]


def test_samples_go_last():
    axes = Axes.of((3, 5, 6, 7), "SYXT")
    assert axes.order == (3, 1, 2, 0)
    assert axes.leading == "T"


def test_three_channels_are_not_samples_when_the_letters_say_so():
    assert Axes.of((5, 7, 3), "YXC").leading == "C"


@pytest.mark.parametrize(
    ("shape", "letters", "message"),
    [
        ((), None, r"shape \(\); .*at least the two dimensions"),
        ((5,), None, "at least the two dimensions Y and X"),
        ((1,) * 11, None, "11 dimensions; at most 10"),
        ((5, 7), "TYX", r"'TYX', which is 3 letters, .*2 dimensions \(5 x 7\)"),
        ((5, 7), "", "0 letters"),
        ((5, 7, 9), "YX", "2 letters"),
        ((5, 7, 9), "WYX", "unknown letter 'W'.*T, Z, C"),
        ((5, 7, 9), "Y-X", "unknown letter '-'"),
        ((5, 7, 9), "YYX", "'Y' twice"),
        ((5, 7, 9), "TZX", "no Y or no X"),
        ((5, 7, 9), "YXS", "S has length 9; RGB samples are 3 or 4. Use C"),
        ((5, 7), "\u00dfY", "unknown letter|letters"),
    ],
)
def test_wrong_letters_are_explained(shape, letters, message):
    with pytest.raises(BadAxes, match=message):
        Axes.of(shape, letters)


def test_every_plane_is_visited_once_and_the_shown_one_first():
    everything = list(indices((2, 3)))
    assert everything == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    shown = list(indices((2, 3), (1, 1)))
    assert shown[0] == (1, 1)
    assert sorted(shown) == everything
    assert list(indices(())) == [()]
    assert list(indices((), ())) == [()]
