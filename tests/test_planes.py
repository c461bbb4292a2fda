"""Some planes of a stack are coloured as they are with all others."""

import numpy as np
import pytest
import tifffile
from skimage import data
from typer.testing import CliRunner

from napari_colorgan import Hints, colorize
from napari_colorgan.cli import app
from napari_colorgan.errors import BadSetting
from napari_colorgan.image_io.reading import read_image
from napari_colorgan.inference.planes import hints_within, planes_within

MODEL = "listening"
RED = (200, 60, 40)
ENOUGH = 60_000  # ms; for what takes a second on an idle machine


@pytest.fixture(autouse=True)
def inside(home, monkeypatch):
    monkeypatch.chdir(home)


@pytest.fixture
def stack():
    """Six planes of different values, 16 bits."""
    camera = data.camera()[100:164, 150:230].astype(np.uint16)
    return np.stack([camera * (i + 1) + 5 * i for i in range(6)])


def test_planes_have_the_limits_and_hints_that_they_have_among_all(stack):
    hints = Hints(
        [[1, 20, 30], [4, 40, 50]], [RED] * 2, planes=[[[0, 2]], [[-np.inf, np.inf]]]
    )
    whole = colorize(stack, MODEL, hints=hints)
    for planes in (slice(2, 5), range(2, 5), (slice(2, -1),)):
        some = colorize(stack, MODEL, hints=hints, planes=planes)
        assert np.array_equal(some, whole[2:5])
    deep = np.stack([stack, stack[::-1]])
    some = colorize(deep, MODEL, planes=(range(1, 2), slice(4, None)))
    assert np.array_equal(some, colorize(deep, MODEL)[1:, 4:])


@pytest.mark.parametrize(
    "planes",
    [
        *(range(4, 9), range(0, 6, 2), slice(5, 2), (slice(0, 1), slice(0, 1))),
        *(2, [], [-1], [1, 2], "1:2"),
    ],
)
def test_planes_that_there_are_not_are_refused(planes):
    with pytest.raises(BadSetting, match="planes is"):
        planes_within(planes, (6,))


def test_a_single_picture_has_no_planes_to_choose(stack):
    with pytest.raises(BadSetting, match="it must be left out"):
        colorize(stack[0], MODEL, planes=slice(0, 1))


def test_hints_of_other_planes_are_left_out():
    hints = Hints([[1, 20, 30], [4, 40, 50]], [RED] * 2)
    assert hints_within(hints, (range(2, 4),)) is None
    [point] = hints_within(hints, (range(2, 6),)).points
    assert point.tolist() == [2, 40, 50]


def test_the_command_line_counts_both_ends(stack, tmp_path):
    tifffile.imwrite("in.tif", stack, metadata={"axes": "ZYX"})
    options = ["--model", MODEL, "--planes", "2:4", "--steady", "0.5"]
    result = CliRunner().invoke(app, ["colorize", "in.tif", "out.tif", *options])
    assert result.exit_code == 0, result.output
    image = read_image(tmp_path / "out.tif")
    assert np.array_equal(image.array, colorize(stack, MODEL, steady=0.5)[2:5])
    made = image.tags.made
    assert made["planes"] == [[2, 4]] and made["steady"] == 0.5
    result = CliRunner().invoke(app, ["colorize", "in.tif", "out.zarr", *options])
    assert result.exit_code == 0, result.output
    again = read_image(tmp_path / "out.zarr").array[...]
    assert np.array_equal(again.reshape(image.array.shape), image.array)
    (tmp_path / "many").mkdir()
    words = ["colorize", "in.tif", "many", "--model", MODEL, "--planes", "3:3"]
    result = CliRunner().invoke(app, words)
    image = read_image(tmp_path / "many" / "in.tif")
    assert np.array_equal(image.array.reshape(64, 80, 3), colorize(stack, MODEL)[3])
    assert image.tags.made["plane"] == [3]


@pytest.mark.parametrize("option", ["4", "5:2", "a:b", "-3:2"])
def test_planes_that_cannot_be_read_are_named(stack, option):
    tifffile.imwrite("in.tif", stack, metadata={"axes": "ZYX"})
    words = ["colorize", "in.tif", "out.tif", f"--planes={option}"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert f"--planes is '{option}'" in " ".join(result.output.split())


def test_a_range_is_chosen_in_the_dock(viewer, qtbot, stack):
    layer = viewer.add_image(
        stack,
        name="stack",
        scale=(3, 1, 1),
        contrast_limits=(0, 1500),
        axis_labels=("z", "y", "x"),
    )
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    widget.show_preview.value = False
    widget.model.value = MODEL
    between = widget.form.between
    assert not between.native.isVisibleTo(widget.form.more)
    widget.form.planes.value = "range of planes"
    assert between.native.isVisibleTo(widget.form.more)
    [(first, last)] = between.rows
    assert (first.label, first.value, last.value) == ("z from", 0, 5)
    last.value = 1
    first.value = 3  # its end goes along
    last.value = 4
    assert between.between() == ((3, 4),)
    widget.form.steady.value = 0.5
    viewer.dims.set_current_step(0, 4)
    widget.hints.add_hint((4, 20, 30), RED)
    widget.run.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    result = viewer.layers["stack colorized"]
    hints = Hints([[4, 20, 30]], [RED], widget.hints.told((4,)).hints.radius)
    whole = colorize(stack, MODEL, limits=(0, 1500), hints=hints, steady=0.5)
    assert np.array_equal(result.data, whole[3:5])
    np.testing.assert_allclose(
        result.data_to_world((0, 5, 7)), layer.data_to_world((3, 5, 7))
    )
    made = result.metadata["colorgan"]
    assert made["planes"] == [(3, 4)] and made["steady"] == 0.5

    made = np.array(result.data)
    widget.form.warmth.value = 1.0  # of the displayed plane, which is its second one
    qtbot.waitUntil(lambda: (result.data[1] != made[1]).any(), timeout=ENOUGH)
    assert np.array_equal(result.data[0], made[0])
    widget.form.warmth.value = 0.0
    qtbot.waitUntil(lambda: (result.data[1] == made[1]).all(), timeout=ENOUGH)
    code = widget.as_python()
    viewer.layers.remove(result)
    exec(code, {"viewer": viewer})
    again = viewer.layers["stack colorized"]
    assert np.array_equal(again.data, made)
    np.testing.assert_allclose(again.translate, (9, 0, 0))
    assert widget.form.steady.native.isVisibleTo(widget)
    viewer.add_image(stack[0], name="single")
    assert not widget.form.steady.native.isVisibleTo(widget)
    assert widget.form.settings().steady == 0
