"""Hints as values and as tables; what they do to pictures is in test_hints.py."""

import math
import os

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from napari_colorgan import Hints
from napari_colorgan.errors import BadImageFile, BadSetting
from napari_colorgan.inference.hints import (
    MOST_HINTS,
    RADIUS,
    from_hex,
    read_hints,
    to_hex,
)

RED, BLUE = (200, 60, 40), (40, 60, 200)


def same(a: Hints, b: Hints) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for name in ("points", "colors", "radius", "planes")
    )


def test_a_hint_is_told_with_few_words():
    one = Hints([1, 2], RED, 4)
    assert same(one, Hints(np.array([[1, 2]]), np.array([RED])))
    assert RADIUS == 4 and len(one) == 1
    kinds = [getattr(one, name).dtype for name in ("points", "colors", "radius")]
    assert kinds == [float, np.uint8, float]
    assert one.radius.tolist() == [4] and one.planes.shape == (1, 0, 2)


def test_the_ends_of_what_is_allowed():
    most = np.arange(2 * MOST_HINTS).reshape(-1, 2)
    assert len(Hints(most, [RED] * MOST_HINTS)) == MOST_HINTS == 1000
    told = Hints([[0, 0]], [[0, 255.0, 0]], 0)
    assert told.colors.tolist() == [[0, 255, 0]] and told.radius.tolist() == [0]
    Hints([[1, 3, 3]], [RED], planes=[[[1, 1]]])


@pytest.mark.parametrize(
    ("points", "colors", "radius", "planes", "message"),
    [
        ([[[1, 2]]], [RED], 4, None, "points is 'of shape"),
        ([[1]], [RED], 4, None, "points is 'of shape"),
        ([[1, 2]], [[1, 2]], 4, None, "colors is 'of shape"),
        ([[1, 2]], [[*RED, 1]], 4, None, "colors is 'of shape"),
        (np.zeros((1001, 2)), [RED] * 1001, 4, None, "hints is 1001"),
        ([[1, 2]], [[0, 0, 256]], 4, None, "levels from 0 to 255"),
        ([[1, 2]], [[0, -1, 0]], 4, None, "levels from 0 to 255"),
        ([[1, 2]], [[-0.5, 0, 0]], 4, None, "levels from 0 to 255"),
        ([[1, 2], [3, math.inf]], [RED] * 2, 4, None, "points is 'not finite'"),
        ([[1, 2], [3, 4]], [RED] * 2, [4, -0.5], None, "radius is"),
        ([[1, 2]], [RED], math.inf, None, "radius is"),
        ([[1, 2, 3]], [RED], 4, [[[1, 0]]], "planes is 'a last before its first'"),
        (
            [[1, 2, 3]] * 2,
            [RED] * 2,
            4,
            [[[1, 1]], [[1, math.nan]]],
            "'a last before its first'",
        ),
        ([[1, 2, 3]], [RED], 4, [[1, 0]], r"planes is .*\(1, 1, 2\): first and last"),
    ],
)
def test_what_is_not_allowed(points, colors, radius, planes, message):
    with pytest.raises(BadSetting, match=message):
        Hints(points, colors, radius, planes)


# -- where they are


@pytest.mark.parametrize(
    "point", [[-0.5, 0], [0, -0.5], [9.5, 19.5], [4, 19.5], [9.5, 0]]
)
def test_a_hint_may_be_anywhere_on_a_pixel(point):
    Hints([[5, 5], point], [RED] * 2).check((10, 20))
    Hints([[5, 5], point], [RED] * 2).check((3, 10, 20))


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ([-0.6, 0], "at row -1, column 0"),
        ([0, -0.6], "at row 0, column -1"),
        ([9.6, 4], "at row 10, column 4.*inside the picture of 10 x 20 px"),
        ([4, 19.6], "at row 4, column 20"),
        ([3.6, 1, 4, 4], "at plane 4, 1, row 4, column 4.* of 3 x 2 x 10 x 20 px"),
    ],
)
def test_the_first_hint_outside_is_named(point, message):
    last = [*point[:-2], 40, 40]
    inside = [*[0] * (len(point) - 2), 5, 5]
    told = Hints([inside, point, last], [RED] * 3)
    with pytest.raises(BadSetting, match=message):
        told.check((3, 2, 10, 20)[-len(point) :])


def test_points_have_coordinates_of_a_plane_or_of_all():
    with pytest.raises(BadSetting, match=r"'points of 3 coordinates'.* of 2 or 4"):
        Hints([[0, 5, 5]], [RED]).check((2, 2, 9, 9))
    with pytest.raises(BadSetting, match=r"must be of 2\.$"):
        Hints([[0, 5, 5]], [RED]).check((9, 9))


def test_a_hint_belongs_to_the_nearest_plane_along_each_axis():
    told = Hints([[1.4, 0.6, 5, 7.5], [1, 2, 3, 3]], [RED, BLUE], [2, 3])
    one = told.of_plane((1, 1))
    assert same(one, Hints([[5, 7.5]], [RED], [2]))
    assert told.of_plane((1, 0)) is None and told.of_plane((0, 1)) is None
    assert len(told.of_plane((1, 2))) == 1


def test_a_range_of_planes_includes_its_ends():
    told = Hints([[9, 5, 7], [0, 1, 1]], [RED] * 2, planes=[[[2, 4]], [[2, 3]]])
    held = [told.of_plane((plane,)) for plane in range(6)]
    assert [h and len(h) for h in held] == [None, None, 2, 2, 1, None]


def test_hints_are_taken_apart_and_put_together():
    a = Hints([[0, 1.3, 2]], [RED], 2, [[[0, 3]]])
    b = Hints([[1, 5, 6]], [BLUE], 3, [[[1, 1]]])
    both = a.and_also(b)
    points, planes = [[0, 1.3, 2], [1, 5, 6]], [[[0, 3]], [[1, 1]]]
    assert same(both, Hints(points, [RED, BLUE], [2, 3], planes))
    assert same(both.only(np.array([False, True])), b)
    assert same(both.elsewhere((1, 2)), b)  # its pixel, not only its very point
    assert same(both.elsewhere((5, 6)), a)
    for elsewhere in ((5, 2), (0, 1), (6, 5)):
        assert same(both.elsewhere(elsewhere), both)
    assert a.elsewhere((1, 2)) is None


def test_one_place_has_one_colour_where_planes_meet():
    def two(planes, other=BLUE, point=(5.2, 5)):
        first = [[0, 2], [4, 6]]
        points = [[0, 0, 5, 5], [0, 0, *point]]
        return Hints(points, [RED, other], planes=[first, planes])

    for planes in ([[2, 3], [6, 9]], [[0, 0], [0, 4]], [[1, 1], [5, 5]]):
        sentence = r"row 5, column 5 is .*\(200, 60, 40\) and \(40, 60, 200\)"
        with pytest.raises(BadSetting, match=sentence):
            two(planes)
        two(planes, other=RED)
        two(planes, point=(5.8, 5))
        two(planes, point=(5, 6))
    two([[3, 9], [4, 6]])
    two([[0, 2], [0, 3]])
    two([[0, 2], [7, 7]])
    with pytest.raises(BadSetting, match="of one colour"):  # not only neighbours
        Hints([[5, 5], [1, 1], [5, 5]], [RED, RED, BLUE])


@example([40.5], 0.0, 0, 41)
@given(
    st.lists(st.floats(-0.5, 40.5), min_size=1, max_size=3),
    st.floats(0, 12),
    st.integers(0, 9),
    st.integers(1, 50),
)
def test_squares_are_the_pixels_whose_middles_are_within_reach(rows, radius, at, seen):
    part = range(at, at + 41)
    points = [[at + row, 3] for row in rows]
    told = Hints(points, [RED] * len(points), radius)
    factor = seen / len(part)
    for (y, x), row in zip(told.squares(part, range(9), (seen, 9)), rows, strict=True):
        middle = (row + 0.5) * factor
        near = np.abs(np.arange(seen) + 0.5 - middle)
        surely = set(np.flatnonzero(near < radius * factor - 1e-6))
        perhaps = set(np.flatnonzero(near < radius * factor + 1e-6))
        perhaps.add(min(int(middle), seen - 1))  # never lost, however small
        assert surely <= set(range(y.start, y.stop)) <= perhaps
        assert y.stop > y.start and x.start <= 3 < x.stop


# -- tables


TABLE = """\
axis-0,axis-1,axis-2,color,radius,from-0,to-0
1,2.5,3,#c83c28,4,1,1
0,5,6,#283cc8,0.5,-inf,7
"""
PLAIN = """\
axis-0,axis-1,color,radius
2.5,3,#c83c28,4
"""


def test_tables_are_written_with_what_is_not_clear_of_itself():
    planes = [[[1, 1]], [[-math.inf, 7]]]
    told = Hints([[1, 2.5, 3], [0, 5, 6]], [RED, BLUE], [4, 0.5], planes)
    assert told.to_csv() == TABLE
    assert same(Hints.from_csv(TABLE), told)
    assert Hints([[2.5, 3]], [RED]).to_csv() == PLAIN
    assert "from" not in Hints([[1, 2.5, 3]], [RED]).to_csv()
    own = Hints([[1.4, 2, 2.5, 3]], [RED]).to_csv()
    assert own.startswith("axis-0,axis-1,axis-2,axis-3,color,radius\n1.4,2,")
    two = Hints([[1, 2, 2.5, 3]], [RED], planes=[[[1, 1], [2, 9]]]).to_csv()
    assert two.startswith("axis-0,axis-1,axis-2,axis-3,color,radius,from-0,to-0,from-1")
    assert two.endswith("1,2,2.5,3,#c83c28,4,1,1,2,9\n")


def test_what_a_table_leaves_out_has_a_default():
    text = "axis-1,axis-0,axis-2,red,green,blue,from-0,to-0\n5,1.6,7,200,60,40,,3\n"
    ends = [[[-math.inf, 3]]]
    assert same(Hints.from_csv(text), Hints([[1.6, 5, 7]], [RED], planes=ends))
    text = "axis-0,axis-1,axis-2,color,to-0,from-0\n2,5,7, C83C28,,2\n"
    ends = [[[2, math.inf]]]
    assert same(Hints.from_csv(text), Hints([[2, 5, 7]], [RED], planes=ends))
    text = "axis-0,axis-1,axis-2,color,radius\n1.6,5,7,c83c28,\n"
    assert same(Hints.from_csv(text), Hints([[1.6, 5, 7]], [RED]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the header of the table of hints is 'no rows'"),
        ("axis-0,color\n1,#c83c28\n", "the header of .* is 'axis-0, color'"),
        ("axis-0,axis-1,red,green\n1,2,3,4\n", "the header of"),
        ("axis-0,axis-1,color\n1,2,#c83c28\n1,x,#c83c28\n", "line 3 of .*'1, x, #c8"),
        ("axis-0,axis-1,color\n1,2\n", "line 2 of"),
        ("axis-0,axis-1,color,radius\n1,2,#c83c28,x\n", "line 2 of"),
        ("axis-0,axis-1,color\n1,2,#c83c2\n", "line 2 of"),
        ("axis-0,axis-1,color\n1e999,2,#c83c28\n", "line 2 of"),
        ("axis-0,axis-1,red,green,blue\n1,2,3,4,\n", "line 2 of"),
        ("axis-0,axis-1,color\n1,2," + "c" * 200_000, "the table of hints is 'field"),
    ],
)
def test_a_table_that_tells_no_hints_is_explained(text, message):
    with pytest.raises(BadSetting, match=message):
        Hints.from_csv(text)


def test_files_of_spreadsheets_begin_with_a_mark(tmp_path):
    (tmp_path / "a.csv").write_text(PLAIN, encoding="utf-8-sig")
    assert same(read_hints(tmp_path / "a.csv"), Hints([[2.5, 3]], [RED]))
    (tmp_path / "a.csv").write_text("axis-0\n1", encoding="utf-8")
    with pytest.raises(BadSetting, match=r"the header of 'a\.csv'"):
        read_hints(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadImageFile, match="cannot be read as a table of hints"):
        read_hints(tmp_path / "a.csv")


def test_only_a_small_file_is_a_table(tmp_path):
    with open(tmp_path / "a.csv", "wb") as file:  # sparse
        file.truncate(1 << 40)
    with pytest.raises(BadImageFile, match="it has more than 4 MB"):
        read_hints(tmp_path / "a.csv")
    if hasattr(os, "mkfifo"):  # to read it would never end
        os.mkfifo(tmp_path / "b.csv")
        with pytest.raises(BadImageFile, match="it is a pipe, not a file"):
            read_hints(tmp_path / "b.csv")


def test_colours_are_written_as_of_the_web():
    assert to_hex(RED) == "#c83c28"
    assert from_hex(" #C83c28 ") == from_hex("c83c28") == bytes(RED)
    for wrong in ("", "#c83c2", "#c83c2800", "#c83c2g"):
        with pytest.raises(ValueError):
            from_hex(wrong)
