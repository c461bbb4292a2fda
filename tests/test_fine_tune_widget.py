"""The Fine-tune dock, used as a user would: add pairs, train, watch, use the model."""

import errno
import os
import re

import dask.array as da
import numpy as np
import pytest
from dask import delayed
from filelock import FileLock
from napari.components import ViewerModel
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_colorgan import save
from napari_colorgan.checkpoints import zoo
from napari_colorgan.training import loop, runs
from napari_colorgan.training.pairs import load_pairs, pairs_of
from napari_colorgan.training.runs import RunFolder, RunSettings
from napari_colorgan.training.settings import START, FineTuneConfig
from napari_colorgan.widgets import FineTuneWidget
from napari_colorgan.widgets.fine_tune.preview_layer import NAME as PREVIEW
from napari_colorgan.widgets.parts import settings as dock_settings

MODEL = "tiny"
ENOUGH = 20_000  # ms; for what takes a second on an idle machine
MANY = 100_000  # steps; more than any test waits for


@pytest.fixture(scope="module")
def tiny(make_checkpoint):
    """A generator small enough for hundreds of steps in a second."""
    return make_checkpoint("compact", context="local", name=MODEL, license="CC0-1.0")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, tiny):
    """The user's folders, with one model in them."""
    (tmp_path / "models").mkdir()
    save(tiny, tmp_path / "models" / f"{MODEL}.safetensors")
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    training = tmp_path / "training"
    monkeypatch.setattr(runs, "training_folder", lambda: training)
    return tmp_path


@pytest.fixture
def viewer(make_napari_viewer, plugin, qtbot):
    viewer = make_napari_viewer()
    yield viewer
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


@pytest.fixture
def model(qtbot):
    """Layers without a window, for what needs none: it takes no second to open."""
    yield ViewerModel()
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


@pytest.fixture
def open_alone(model, qtbot):
    """Make the dock's widget outside of a viewer's window."""

    def make() -> FineTuneWidget:
        widget = FineTuneWidget(model)
        qtbot.addWidget(widget)
        return widget

    return make


def no_jobs() -> bool:
    from superqt.utils._qthreading import WorkerBase

    return not WorkerBase._worker_set


def open_dock(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Fine-tune")
    return widget


def choose_small(widget, steps=3):
    """Choose settings of a training that takes a moment."""
    form = widget.form
    form.start.value = MODEL
    form.budget.value = "steps"
    form.steps.value = steps
    form.patch.value = 32
    form.batch.value = 1
    form.device.value = "cpu"


def add_pair(widget, qtbot) -> None:
    widget.pairs.add.native.click()
    qtbot.waitUntil(lambda: not widget.pairs.busy, timeout=ENOUGH)
    qtbot.waitUntil(
        lambda: not widget.pairs.pairs or widget.pairs.summary is not None,
        timeout=ENOUGH,
    )


def rows(widget) -> list[list[str]]:
    table = widget.pairs.table
    items = [table.topLevelItem(n) for n in range(table.topLevelItemCount())]
    return [[item.text(c) for c in range(table.columnCount())] for item in items]


def begin(widget, qtbot, until=1) -> None:
    """Press Start, and wait for the first steps."""
    widget.controls.start.native.click()
    wait_for_steps(widget, qtbot, until)


def wait_for_steps(widget, qtbot, until=1) -> None:
    curve = widget.training.plot.loss.curve
    qtbot.waitUntil(lambda: len(curve) >= until, timeout=ENOUGH)
    assert widget.busy


def finish(widget, qtbot) -> None:
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)


def wait_for_outcome_job(widget, qtbot) -> None:
    qtbot.waitUntil(lambda: not widget.outcome.busy, timeout=ENOUGH)


def visible(part, widget) -> bool:
    return bool(getattr(part, "native", part).isVisibleTo(widget))


@pytest.fixture
def small(photo):
    """A colour picture (96, 128, 3) of which a part can be held out."""
    return np.ascontiguousarray(photo[60:156, 100:228])


@pytest.fixture
def ready(viewer, qtbot, small):
    """A dock with one pair and small settings."""
    viewer.add_image(small, rgb=True, name="colour")
    widget = open_dock(viewer)
    choose_small(widget)
    add_pair(widget, qtbot)
    return widget


# -- pairs


def test_pickers_list_the_layers_that_fit(viewer, gray, photo, small):
    viewer.add_image(gray, name="before")
    viewer.add_image(photo, rgb=True, name="rgb")
    viewer.add_labels(np.zeros((9, 9), int), name="labels")
    viewer.add_shapes(name="shapes")
    viewer.add_points(name="points")
    widget = open_dock(viewer)
    panel = widget.pairs
    assert [layer.name for layer in panel.color.choices] == ["rgb"]
    assert [c and c.name for c in panel.gray.choices] == [None, "before"]
    assert [c and c.name for c in panel.region.choices] == [None, "shapes", "labels"]
    viewer.add_image(small, rgb=True, name="later")
    assert {layer.name for layer in panel.color.choices} == {"later", "rgb"}


def test_layers_that_match_are_chosen_already(model, open_alone, gray, photo):
    model.add_image(gray, name="a gray")
    model.add_image(photo, rgb=True, name="a")
    model.add_image(gray[:100], name="b gray")
    model.add_image(photo[:100], rgb=True, name="b")
    model.add_image(gray[:90], name="other gray")
    widget = open_alone()
    panel = widget.pairs
    model.layers.events.removed.connect(widget.reset_choices)  # as napari does
    assert chosen(panel) == ("b gray", "b")  # not what is selected: it has no colour
    model.layers.selection.active = model.layers["a"]
    assert chosen(panel) == ("a gray", "a")
    model.layers.selection = {model.layers["b"], model.layers["other gray"]}
    assert chosen(panel) == ("b gray", "b")  # only this one has the same pixels
    model.layers.remove("b gray")
    assert chosen(panel) == ("other gray", "b")  # selected together
    panel.gray.value = None
    model.layers.selection.active = model.layers["a"]
    assert chosen(panel) == (None, "a")  # what the user has set stays
    panel.gray.value = model.layers["a gray"]
    model.layers.remove("a gray")
    assert chosen(panel) == (None, "a")
    panel.color.value = model.layers["b"]
    model.layers.selection.active = model.layers["a"]
    assert chosen(panel) == (None, "b")


def chosen(panel) -> tuple[str | None, str]:
    return panel.gray.value and panel.gray.value.name, panel.color.value.name


def test_what_is_missing_is_said(viewer, qtbot, small):
    widget = open_dock(viewer)
    assert not widget.pairs.add.enabled and "RGB picture" in widget.pairs.reason.value
    assert (
        not widget.controls.start.enabled
        and "Add a pair" in widget.controls.reason.value
    )
    viewer.add_image(small, rgb=True)
    assert widget.pairs.add.enabled and not widget.pairs.reason.value
    assert not widget.controls.start.enabled
    add_pair(widget, qtbot)
    assert widget.controls.start.enabled and not widget.controls.reason.value


def test_a_pair_from_the_colour_alone(ready):
    (pair,) = ready.pairs.pairs
    assert pair.from_color and pair.shape == (96, 128)
    assert rows(ready)[0][1:] == ["128 x 96", "colour", "both"]
    assert "teach colour; the lightness" in ready.form.kind_note.value


def test_pairs_of_two_layers_and_who_is_held_out(model, open_alone, qtbot, gray, photo):
    model.add_image(gray, name="gray", contrast_limits=(20, 220))
    model.add_image(photo[::-1], rgb=True, name="other")
    model.add_image(photo, rgb=True, name="colour")
    widget = open_alone()
    widget.pairs.color.value = model.layers["colour"]
    widget.pairs.gray.value = model.layers["gray"]
    add_pair(widget, qtbot)
    expected = pairs_of(photo, gray, limits=(20, 220))[0]
    np.testing.assert_array_equal(widget.pairs.pairs[0].gray, expected.gray)
    widget.pairs.gray.value = None
    add_pair(widget, qtbot)
    names = [row[0] for row in rows(widget)]
    assert names == ["colour", "colour (2)"]
    assert [row[3] for row in rows(widget)] == ["both", "both"]  # of one picture
    widget.pairs.color.value = model.layers["other"]
    add_pair(widget, qtbot)
    assert {row[3] for row in rows(widget)} == {"test", "train"}
    assert rows(widget)[0][3] == rows(widget)[1][3]
    judged = {row[0] for row in rows(widget) if row[3] == "test"}
    assert judged == set(widget.pairs.summary.held_out)


def test_a_stack_gives_a_pair_per_plane(model, open_alone, qtbot, small):
    stack = np.stack([small, small[::-1], small[:, ::-1]])
    model.add_image(stack, rgb=True, name="stack")
    widget = open_alone()
    add_pair(widget, qtbot)
    assert [row[0] for row in rows(widget)] == ["stack [0]", "stack [1]", "stack [2]"]
    np.testing.assert_array_equal(widget.pairs.pairs[1].color, stack[1])
    widget.pairs.table.topLevelItem(1).setSelected(True)
    widget.pairs.table.topLevelItem(2).setSelected(False)
    widget.pairs.remove.native.click()
    assert [row[0] for row in rows(widget)] == ["stack [0]", "stack [2]"]


def test_pairs_are_copies(model, open_alone, qtbot, small):
    layer = model.add_image(small.copy(), rgb=True)
    widget = open_alone()
    add_pair(widget, qtbot)
    layer.data[:] = 0
    model.layers.clear()
    np.testing.assert_array_equal(widget.pairs.pairs[0].color, small)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"data": np.zeros((50, 60))}, "50 x 60 px"),
        ({"rotate": 20}, "turned or sheared against each other"),
        ({"shear": [0.2]}, "turned or sheared"),
        ({"affine": [[0, 1, 0], [1, 0, 0], [0, 0, 1]]}, "turned or sheared"),
        ({"affine": [[1, 0, 5.5], [0, 1, 0], [0, 0, 1]]}, "whole number"),
        ({"scale": (2, 2)}, "pixels of one size"),
        ({"translate": (0.5, 0)}, "whole number"),
        ({"translate": (500, 0)}, "in common"),
        ({"units": ("um", "um")}, "different units"),
        ({"data": np.full((96, 128), np.nan)}, "NaN"),
    ],
)
def test_layers_that_do_not_fit_are_refused(
    model, open_alone, qtbot, small, messages, change, text
):
    options = {"data": np.zeros((96, 128), np.float32), "contrast_limits": (0, 1)}
    gray = model.add_image(**(options | change), name="gray")
    model.add_image(small, rgb=True, name="colour")
    widget = open_alone()
    widget.pairs.gray.value = gray
    add_pair(widget, qtbot)
    assert any(text in message for message in messages), messages
    assert not widget.pairs.pairs and widget.pairs.add.enabled


def test_a_gray_colour_layer_is_refused(model, open_alone, qtbot, gray, messages):
    model.add_image(np.stack([gray] * 3, -1), rgb=True, name="scan")
    widget = open_alone()
    add_pair(widget, qtbot)
    assert any("is gray" in text for text in messages)
    assert not widget.pairs.pairs


def test_different_places_are_respected(model, open_alone, qtbot, gray, photo):
    model.add_image(gray[10:110, 20:170], name="part", scale=(2, 2), translate=(20, 40))
    model.add_image(photo, rgb=True, name="colour", scale=(2, 2))
    widget = open_alone()
    widget.pairs.gray.value = model.layers["part"]
    add_pair(widget, qtbot)
    (pair,) = widget.pairs.pairs
    np.testing.assert_array_equal(pair.color, photo[10:110, 20:170])
    assert pair.gray.shape == (100, 150)


def test_layers_turned_alike_fit(model, open_alone, qtbot, gray, photo, messages):
    model.add_image(gray, name="gray", rotate=30, translate=(5, 5))
    model.add_image(photo, rgb=True, name="colour", rotate=30, translate=(5, 5))
    widget = open_alone()
    widget.pairs.gray.value = model.layers["gray"]
    add_pair(widget, qtbot)
    assert len(widget.pairs.pairs) == 1
    model.layers["gray"].translate = (15, 5)
    add_pair(widget, qtbot)
    assert len(widget.pairs.pairs) == 1
    assert any("a whole number" in m for m in messages)
    turned = model.layers["gray"].rotate @ (10, 20)
    model.layers["gray"].translate = (5 + turned[0], 5 + turned[1])
    add_pair(widget, qtbot)
    np.testing.assert_array_equal(widget.pairs.pairs[1].color, photo[10:, 20:])


@pytest.mark.parametrize(
    "place",
    [
        {"scale": (0.5, 0.5), "translate": (5, 10), "units": ("um", "um")},
        {"scale": (500, 500), "translate": (5e3, 1e4), "units": ("nm", "nm")},
        {"affine": [[0.5, 0, 5], [0, 0.5, 10], [0, 0, 1]], "units": ("um", "um")},
        {
            "scale": (0.25, 0.25),
            "translate": (1, 1),
            "affine": [[2, 0, 3], [0, 2, 8], [0, 0, 1]],
            "units": ("um", "um"),
        },
    ],
)
def test_what_counts_is_where_pixels_are(model, open_alone, qtbot, gray, photo, place):
    part = gray[10:110, 20:170]
    model.add_image(part, name="part", **place)
    model.add_image(
        photo, rgb=True, name="colour", scale=(0.5, 0.5), units=("um", "um")
    )
    widget = open_alone()
    widget.pairs.gray.value = model.layers["part"]
    add_pair(widget, qtbot)
    (pair,) = widget.pairs.pairs
    np.testing.assert_array_equal(pair.color, photo[10:110, 20:170])
    limits = tuple(model.layers["part"].contrast_limits)
    expected = pairs_of(pair.color, part, limits=limits)[0]
    np.testing.assert_array_equal(pair.gray, expected.gray)


def test_a_region_in_another_unit_is_where_it_is_seen(model, open_alone, qtbot, photo):
    model.add_image(
        photo, rgb=True, name="colour", scale=(0.5, 0.5), units=("um", "um")
    )
    labels = np.zeros((40, 50), int)
    labels[5:30, 10:40] = 1
    model.add_labels(labels, scale=(1000, 1000), units=("nm", "nm"))
    widget = open_alone()
    widget.pairs.region.value = model.layers[-1]
    add_pair(widget, qtbot)
    y, x = np.nonzero(widget.pairs.pairs[0].mask)
    # a label covers two pixels a side, one and two halves
    assert abs(y.min() - 10) <= 1 and abs(y.max() - 59) <= 1
    assert abs(x.min() - 20) <= 1 and abs(x.max() - 79) <= 1


def test_a_falling_colormap_makes_the_gray_that_is_displayed(
    model, open_alone, qtbot, gray, photo
):
    layer = model.add_image(gray, name="em", colormap="gray_r", gamma=0.8)
    layer.contrast_limits = (0, 255)
    model.add_image(photo, rgb=True, name="colour")
    widget = open_alone()
    widget.pairs.gray.value = layer
    add_pair(widget, qtbot)
    shown = layer.colormap.map((gray / 255).ravel() ** 0.8)[:, 0]
    pair = widget.pairs.pairs[0]
    np.testing.assert_allclose(pair.gray.ravel(), shown, atol=1e-6)


@pytest.mark.parametrize("how", ["labels", "displayed"])
def test_stacks_whose_z_is_last_give_pairs_of_their_planes(
    model, open_alone, qtbot, gray, photo, how
):
    labels = ("y", "X", "z") if how == "labels" else None
    stack = np.stack([gray, gray[::-1]], axis=-1)
    colors = np.stack([photo, photo[::-1]], axis=-2)
    model.add_image(stack, name="gray", contrast_limits=(0, 255), axis_labels=labels)
    model.add_image(colors, rgb=True, name="colour", axis_labels=labels)
    if how == "displayed":
        model.dims.order = (2, 0, 1)
    corners = [[20, 30], [20, 90], [80, 90], [80, 30]]
    drawn = [[[y, x, z] for y, x in corners] for z in (0, 1)]
    model.add_shapes(drawn, ndim=3, shape_type="polygon", name="region")
    widget = open_alone()
    widget.pairs.gray.value = model.layers["gray"]
    widget.pairs.region.value = model.layers["region"]
    add_pair(widget, qtbot)
    assert [row[1] for row in rows(widget)] == ["320 x 256"] * 2
    second = widget.pairs.pairs[1]
    np.testing.assert_array_equal(second.color, photo[::-1])
    np.testing.assert_array_equal(second.gray, gray[::-1] / np.float32(255))
    y, x = np.nonzero(second.mask)
    assert (y.min(), y.max(), x.min(), x.max()) == (20, 80, 30, 90)


def test_a_colour_layer_that_cannot_be_read_is_named(
    model, open_alone, qtbot, tmp_path, photo, messages
):
    file = tmp_path / "photo.npy"
    np.save(file, photo)
    lazy = da.from_delayed(delayed(np.load)(file), photo.shape, np.uint8)
    model.add_image(lazy, rgb=True, name="lazy")
    widget = open_alone()
    file.unlink()
    add_pair(widget, qtbot)
    (message,) = messages
    assert message.startswith("The layer 'lazy' cannot be read: ")
    assert "No such file" in message and "unexpected" not in message
    assert widget.pairs.reason.value == message and widget.pairs.add.enabled


def test_a_shift_is_shown_and_corrected(model, open_alone, qtbot, gray, photo):
    model.add_image(np.roll(gray, (6, -4), (0, 1))[:200, :280], name="gray")
    model.add_image(photo[:200, :280], rgb=True, name="colour")
    widget = open_alone()
    widget.pairs.gray.value = model.layers["gray"]
    add_pair(widget, qtbot)
    assert "7.2 px" in widget.pairs.notes.value
    assert visible(widget.pairs.correct, widget)
    widget.pairs.correct.native.click()
    qtbot.waitUntil(lambda: not widget.pairs.busy, timeout=ENOUGH)
    assert widget.controls.start.enabled
    (pair,) = widget.pairs.pairs
    assert pair.shape == (194, 276)
    assert "shifted" not in widget.pairs.notes.value
    assert not visible(widget.pairs.correct, widget)
    np.testing.assert_allclose(
        pair.gray[20:150, 20:200], gray[20:150, 24:204] / 255, atol=0.01
    )


def test_labels_restrict_a_pair_wherever_they_lie(model, open_alone, qtbot, small):
    model.add_image(small, rgb=True, name="colour", scale=(2, 2), translate=(10, 0))
    painted = np.zeros((50, 64), int)
    painted[10:40, 8:60] = 3
    model.add_labels(painted, name="region", scale=(4, 4), translate=(11, 1))
    widget = open_alone()
    widget.pairs.region.value = model.layers["region"]
    add_pair(widget, qtbot)
    mask = widget.pairs.pairs[0].mask
    expected = np.kron(painted[:48, :64], np.ones((2, 2))) > 0
    np.testing.assert_array_equal(mask, expected)


def test_shapes_restrict_a_pair_wherever_they_lie(model, open_alone, qtbot, small):
    model.add_image(small, rgb=True, name="colour", scale=(2, 2), translate=(10, 0))
    box = np.array([[10, 20], [10, 100], [80, 100], [80, 20]]) * 2 + (10, 0)
    model.add_shapes([box], shape_type="polygon", name="region")
    widget = open_alone()
    widget.pairs.region.value = model.layers["region"]
    add_pair(widget, qtbot)
    mask = widget.pairs.pairs[0].mask
    assert mask[12:79, 22:99].all()
    assert not mask[:9].any() and not mask[:, :19].any()
    assert not mask[82:].any() and not mask[:, 102:].any()


def test_a_region_drawn_in_a_stack_belongs_to_its_planes(
    model, open_alone, qtbot, small
):
    model.add_image(np.stack([small, small[::-1]]), rgb=True, name="stack")
    shapes = model.add_shapes(ndim=3, name="region")
    for plane, side in ((0, 30), (1, 60)):
        corners = [[10, 10], [10, 10 + side], [10 + side, 10 + side], [10 + side, 10]]
        shapes.add_rectangles([[plane, *corner] for corner in corners])
    widget = open_alone()
    widget.pairs.region.value = shapes
    add_pair(widget, qtbot)
    first, second = (int(pair.mask.sum()) for pair in widget.pairs.pairs)
    assert 28**2 < first < 33**2 and 58**2 < second < 63**2


@pytest.mark.parametrize("drawn", [[], [[[900, 900], [900, 950], [950, 950]]]])
def test_a_region_beside_the_picture_is_refused(
    model, open_alone, qtbot, small, messages, drawn
):
    model.add_image(small, rgb=True, name="colour")
    model.add_shapes(drawn, shape_type="polygon", name="region", ndim=2)
    widget = open_alone()
    widget.pairs.region.value = model.layers["region"]
    add_pair(widget, qtbot)
    assert any("holds no pixel" in text for text in messages)
    assert not widget.pairs.pairs


def test_a_pair_too_small_to_hold_out_a_part(model, open_alone, qtbot, small):
    model.add_image(small[:20, :30], rgb=True, name="colour")
    widget = open_alone()
    widget.pairs.add.native.click()
    qtbot.waitUntil(lambda: "too small" in widget.controls.reason.value, timeout=ENOUGH)
    assert not widget.controls.start.enabled


# -- training


def test_training_shows_curves_figures_and_a_preview(viewer, ready, qtbot, home):
    viewer.add_points(name="mine")
    active = viewer.layers.selection.active
    ready.controls.start.native.click()
    assert not visible(ready.form, ready) and visible(ready.controls.pause, ready)
    finish(ready, qtbot)
    plot = ready.training.plot
    assert len(plot.loss.curve) == 3
    assert len(plot.quality.curve) >= 2 and set(plot.quality.levels) == {
        "gray",
        "before",
    }
    assert "3 steps" in ready.training.plan.value and "cpu" in ready.training.plan.value
    assert "all steps" in ready.outcome.figures.value
    assert "dB" in ready.outcome.figures.value
    preview = viewer.layers[PREVIEW]
    assert preview.rgb and preview.data.shape == (96, 4 * 26 + 3 * 4, 3)
    assert viewer.layers.selection.active == active
    colour = viewer.layers["colour"]
    assert preview.extent.world[0][0] > colour.extent.world[1][0]  # below, not over it
    (run,) = (home / "training").glob("*/")
    assert {path.name for path in run.iterdir()} == {
        "pairs.npz",
        "settings.json",
        "model.safetensors",
        "model.state",
    }
    assert visible(ready.form, ready) and ready.controls.start.enabled


def test_pause_and_continue(ready, qtbot):
    choose_small(ready, MANY)
    begin(ready, qtbot)
    ready.controls.pause.native.click()
    assert ready.controls.pause.text == "Continue"
    qtbot.wait(300)
    assert ready.training.status.value.startswith("Paused. Step ")
    steps = len(ready.training.plot.loss.curve)
    qtbot.wait(300)
    assert len(ready.training.plot.loss.curve) == steps
    ready.controls.pause.native.click()
    assert ready.training.status.value.startswith("Step ")
    wait_for_steps(ready, qtbot, steps + 3)
    ready.controls.pause.native.click()
    ready.controls.stop_best.native.click()  # a stop ends a pause
    assert ready.training.status.value.startswith("Stopping")
    finish(ready, qtbot)


def test_a_full_disk_pauses_and_continue_tries_again(
    ready, qtbot, monkeypatch, messages
):
    full, flush = [True], os.fsync

    def fsync(number):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(number)

    choose_small(ready, MANY)
    begin(ready, qtbot)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(loop, "_SAVE_EVERY", 0.0)
    qtbot.waitUntil(lambda: ready.controls.pause.text == "Continue", timeout=ENOUGH)
    said = ready.training.status.value
    assert re.match("Paused. '.*model.safetensors' cannot be written: No space", said)
    assert said.endswith("then press Continue.")
    assert any("is paused: " in text for text in messages)
    steps = len(ready.training.plot.loss.curve)
    full.clear()
    ready.controls.pause.native.click()
    wait_for_steps(ready, qtbot, steps + 3)
    ready.controls.stop_best.native.click()
    finish(ready, qtbot)
    assert ready.outcome.outcome.result.unsaved == ""


def test_a_stop_while_the_disk_is_full_gives_the_model(ready, qtbot, monkeypatch):
    def fsync(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    choose_small(ready, MANY)
    begin(ready, qtbot)
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(loop, "_SAVE_EVERY", 0.0)
    qtbot.waitUntil(lambda: ready.controls.pause.text == "Continue", timeout=ENOUGH)
    ready.controls.stop_last.native.click()
    finish(ready, qtbot)
    assert "could not be saved in '" in ready.training.status.value
    assert ready.outcome.outcome.checkpoint("last").weights


@pytest.mark.parametrize("kept", ["best", "last"])
def test_stop_keeps_what_is_chosen(ready, qtbot, kept):
    choose_small(ready, MANY)
    begin(ready, qtbot)
    getattr(ready.controls, f"stop_{kept}").native.click()
    assert not ready.controls.pause.enabled and not ready.controls.stop_best.enabled
    finish(ready, qtbot)
    assert ready.outcome.keep.value == kept
    assert "stopped, after " in ready.outcome.figures.value
    outcome = ready.outcome.outcome
    assert outcome.checkpoint(kept) is getattr(outcome.result, kept)
    assert visible(ready.unfinished.resume, ready)  # it can go on


def test_a_stopped_training_goes_on(ready, qtbot):
    choose_small(ready, 1000)  # of which each is kept
    begin(ready, qtbot, until=3)
    ready.controls.stop_last.native.click()
    finish(ready, qtbot)
    done = ready.outcome.outcome.result.last.metadata.training["steps_done"]
    before = points(ready)
    assert before[0][-1][0] == done
    ready.unfinished.resume.native.click()
    wait_for_steps(ready, qtbot, done + 1)
    after = points(ready)  # with those of the training before it
    assert after[0][: len(before[0])] == before[0]
    assert after[1][: len(before[1]) - 1] == before[1][:-1]  # judged at its end alone
    ready.controls.stop_last.native.click()
    finish(ready, qtbot)
    again = ready.outcome.outcome.result.last.metadata.training["steps_done"]
    assert again > done


def points(widget) -> tuple[list, list]:
    """Points of the two curves."""
    plot = widget.training.plot
    return list(plot.loss.curve.points), list(plot.quality.curve.points)


def test_closing_the_dock_saves_and_the_next_one_goes_on(
    viewer, ready, qtbot, home, messages
):
    choose_small(ready, MANY)
    begin(ready, qtbot, until=3)
    control = ready._jobs.control
    viewer.window.remove_dock_widget(ready)
    again = open_dock(viewer)  # at once, while the training is being saved
    assert "being saved" in again.unfinished.text.value
    wait_for_the_end(qtbot)
    assert control.stop
    assert len(messages) == 1 and "is saved; open the Fine-tune dock" in messages[0]
    (state,) = (home / "training").glob("*/model.state")
    viewer.layers.clear()  # no slot of the dead widget may answer
    qtbot.waitUntil(lambda: visible(again.unfinished.resume, again), timeout=ENOUGH)
    assert not again.unfinished.text.value
    again.unfinished.resume.native.click()
    wait_for_steps(again, qtbot, 4)
    assert [row[0] for row in rows(again)] == ["colour"]
    again.controls.stop_best.native.click()
    finish(again, qtbot)
    assert state.exists()


def test_closing_the_viewer_saves(
    make_napari_viewer, plugin, qtbot, small, home, messages
):
    viewer = make_napari_viewer()
    viewer.add_image(small, rgb=True, name="colour")
    widget = open_dock(viewer)
    choose_small(widget, MANY)
    add_pair(widget, qtbot)
    begin(widget, qtbot)
    viewer.close()
    wait_for_the_end(qtbot)
    assert len(list((home / "training").glob("*/model.state"))) == 1
    assert not any("unexpected" in text for text in messages)


def wait_for_the_end(qtbot) -> None:
    """Let Qt delete what was closed, which its own event loop does at once."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


def leave_a_crashed_run(small) -> RunFolder:
    """Make the folder of a training that was killed before it saved a state."""
    from napari_colorgan.training.pairs import save_pairs

    folder = RunFolder.new()
    config = FineTuneConfig(steps=4, patch=32, batch=1)
    folder.create(RunSettings(start=MODEL, device="cpu", config=config))
    save_pairs(pairs_of(small, name="lost"), folder.pairs)
    return folder


def test_closing_before_the_first_step_says_that_nothing_is_kept(
    viewer, ready, qtbot, home, messages
):
    ready.controls.start.native.click()
    viewer.window.remove_dock_widget(ready)
    wait_for_the_end(qtbot)
    assert len(messages) == 1 and "nothing of it is kept" in messages[0]
    assert not list((home / "training").glob("*/"))


def test_every_stopped_training_is_listed_and_deleted_on_demand(
    ready, qtbot, small, monkeypatch
):
    choose_small(ready, MANY)
    begin(ready, qtbot)
    ready.controls.stop_best.native.click()
    finish(ready, qtbot)
    step = ready.outcome.outcome.result.last.metadata.training["steps_done"]
    crashed = leave_a_crashed_run(small)
    ready._look_for_unfinished()
    first, second = listed(ready)
    assert first.startswith(f"{MODEL} on 'lost'\nstep 0, 0 MB, ")
    saved = rf"{MODEL} on 'colour'\nstep {step} of {MANY}, \d+\.\d dB, \d+ MB, "
    assert re.match(saved, second)
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    ready.unfinished.delete.native.click()
    assert crashed.path.exists()
    ready.unfinished.delete.native.click()
    assert not crashed.path.exists() and listed(ready) == [second]


def listed(widget) -> list[str]:
    rows = widget.unfinished.list
    return [rows.item(number).text() for number in range(rows.count())]


def test_a_crashed_training_goes_on_with_its_own_pairs(viewer, qtbot, small):
    leave_a_crashed_run(small)
    widget = open_dock(viewer)
    widget.unfinished.resume.native.click()
    finish(widget, qtbot)
    assert [pair.name for pair in widget.outcome.outcome.pairs] == ["lost"]
    assert "all steps" in widget.outcome.figures.value


def test_damaged_settings_of_a_run_give_a_sentence(
    model, open_alone, qtbot, small, messages
):
    folder = leave_a_crashed_run(small)
    (folder.path / "settings.json").write_text('{"start": 3}')
    widget = open_alone()
    widget.unfinished.resume.native.click()
    finish(widget, qtbot)
    assert any("cannot be read" in text for text in messages)
    assert folder.path.exists()  # nothing is lost


def test_deleting_or_editing_a_layer_only_gives_a_notice(
    viewer, ready, qtbot, messages, small
):
    choose_small(ready, MANY)
    begin(ready, qtbot)
    layer = viewer.layers["colour"]
    layer.name = "renamed"
    assert not messages
    layer.data = 255 - small
    layer.data = small
    assert sum("was changed" in text for text in messages) == 1
    viewer.layers.remove(layer)
    assert len(messages) == 1
    wait_for_steps(ready, qtbot, len(ready.training.plot.loss.curve) + 2)
    ready.controls.stop_best.native.click()
    finish(ready, qtbot)
    trained = load_pairs(ready.outcome.outcome.folder.pairs)
    np.testing.assert_array_equal(trained[0].color, small)


def test_a_removed_layer_is_noticed(viewer, ready, qtbot, messages):
    choose_small(ready, MANY)
    begin(ready, qtbot)
    viewer.layers.remove("colour")
    assert any("was removed; training goes on" in text for text in messages)
    ready.controls.stop_best.native.click()
    finish(ready, qtbot)
    assert len(ready.pairs.pairs) == 1


def test_a_deleted_preview_stays_away(viewer, ready, qtbot, messages):
    choose_small(ready, MANY)
    ready.controls.start.native.click()
    qtbot.waitUntil(lambda: PREVIEW in viewer.layers, timeout=ENOUGH)
    viewer.layers.remove(PREVIEW)

    def wanted():
        return any("goes on without it" in text for text in messages)

    qtbot.waitUntil(wanted, timeout=ENOUGH)
    qtbot.wait(1500)
    assert PREVIEW not in viewer.layers
    assert len(messages) == 1
    ready.controls.stop_best.native.click()
    finish(ready, qtbot)


def test_a_second_training_is_refused(viewer, ready, qtbot, home, messages):
    (home / "training").mkdir(exist_ok=True)
    other = FileLock(home / "training" / "training.lock")
    other.acquire(timeout=0)  # as another window would
    ready.controls.start.native.click()
    finish(ready, qtbot)
    assert any("Another training is in progress" in text for text in messages)
    assert len(ready.pairs.pairs) == 1 and ready.controls.start.enabled
    assert not list((home / "training").glob("*/"))
    other.release()
    ready.controls.start.native.click()
    finish(ready, qtbot)
    assert ready.outcome.outcome is not None


def test_a_second_click_on_start_does_nothing(ready, qtbot, home):
    choose_small(ready, MANY)
    begin(ready, qtbot)
    ready._on_start()
    ready.unfinished.resume.native.click()
    ready.controls.stop_best.native.click()
    finish(ready, qtbot)
    assert len(list((home / "training").glob("*/"))) == 1


def test_a_training_that_cannot_start_says_why(ready, qtbot, home, messages):
    (home / "models" / f"{MODEL}.safetensors").unlink()
    ready.controls.start.native.click()
    finish(ready, qtbot)
    assert any("no model or checkpoint file called" in text for text in messages)
    assert ready.controls.start.enabled and ready.outcome.outcome is None
    assert not list((home / "training").glob("*/"))


def test_settings_become_a_config_and_are_remembered(viewer, ready, qtbot):
    form = ready.form
    form.seed.value = 7
    form.gan.value = False
    form.task.value = "colorization"
    config = form.settings().config
    assert (config.steps, config.patch, config.batch) == (3, 32, 1)
    assert (config.seed, config.gan_phase, config.task) == (7, 0.0, "colorization")
    ready.controls.start.native.click()
    finish(ready, qtbot)
    viewer.window.remove_dock_widget(ready)
    again = open_dock(viewer).form
    assert again.settings().config == config
    assert again.start.value == MODEL and again.device.value == "cpu"


def test_the_model_for_micrographs_is_the_first_start(model, open_alone):
    assert open_alone().form.start.value == START


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
def test_recipes_bring_their_settings(model, open_alone, scheme):
    form = open_alone().form
    form.start.value = f"from scratch: {scheme}"
    settings = form.settings()
    recipe = FineTuneConfig.preset(scheme)
    assert settings.start == "scratch" and settings.config == recipe
    form.start.value = "from scratch: compact"
    assert form.settings().config == FineTuneConfig()


def test_the_budget_is_told_before_the_start(model, open_alone):
    widget, other = open_alone(), open_alone()
    form, again = widget.form, other.form
    form.minutes.value = 3
    assert "is measured first" in form.estimate.value
    form.remember_step(0.5)
    assert "About 360 steps" in form.estimate.value
    form.minutes.value = 0.1
    assert "12 steps are too few for a result" in form.estimate.value
    again.restore(form.remembered())
    assert again.estimate.value == form.estimate.value
    form.batch.value = 1
    assert "is measured first" in form.estimate.value
    form.budget.value = "steps"
    form.steps.value = 40
    assert "40 steps; how long" in form.estimate.value
    form.steps.value = 4
    assert "4 steps are too few for a result" in form.estimate.value
    form.start.value = "from scratch: compact"
    form.steps.value = 40
    assert "40 steps are too few" in form.estimate.value


# -- the model


@pytest.fixture
def trained(ready, qtbot):
    ready.controls.start.native.click()
    finish(ready, qtbot)
    return ready


def test_use_this_model_now(viewer, trained, qtbot, gray, home):
    layer = viewer.add_image(gray, name="scan")
    trained.outcome.name.value = "my tissue"
    folder = trained.outcome.outcome.folder
    trained.outcome.use.native.click()
    wait_for_outcome_job(trained, qtbot)
    card = zoo.find("my tissue").card
    for text in (
        "# my tissue",
        "PSNR",
        "'colour (",
        f"'{MODEL}': CC0-1.0",
        "patch: 32",
    ):
        assert text in card
    docks = list(viewer.window.dock_widgets)
    assert any("Colorize" in name for name in docks)
    _, colorize = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    assert colorize.model.value == "my tissue"
    assert zoo.find("my tissue").picture  # of pairs that were held out
    colorize.show_preview.value = False
    colorize.layers.value = [layer]
    colorize.run.native.click()
    qtbot.waitUntil(lambda: not colorize.busy, timeout=ENOUGH)
    result = viewer.layers["scan colorized"]
    assert (np.ptp(result.data, axis=-1) > 8).mean() > 0.2
    assert result.metadata["colorgan"]["model"] == "my tissue"
    assert not visible(trained.unfinished.resume, trained)
    viewer.window.remove_dock_widget(trained)
    open_dock(viewer)
    assert not folder.path.exists()  # used, so it went


def test_a_name_that_exists_is_replaced_only_on_demand(
    trained, qtbot, home, monkeypatch
):
    path = home / "models" / f"{MODEL}.safetensors"
    before = path.read_bytes()
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    asked = []

    def question(*arguments):
        asked.append(arguments[-1])
        return answers.pop(0)

    monkeypatch.setattr(QMessageBox, "question", question)
    trained.outcome.name.value = MODEL
    trained.outcome.use.native.click()
    wait_for_outcome_job(trained, qtbot)
    assert f"called '{MODEL}'" in asked[0] and path.read_bytes() == before
    trained.outcome.use.native.click()
    wait_for_outcome_job(trained, qtbot)
    assert path.read_bytes() != before


def test_names_that_cannot_be_are_refused_before_the_click(trained):
    panel = trained.outcome
    for name in ("", "a/b", zoo.DEFAULT):
        panel.name.value = name
        assert not panel.use.enabled and "name is" in panel.reason.value
        panel.name.value = "fine"
        assert panel.use.enabled and not panel.reason.value


def test_error_maps_and_report(viewer, trained, qtbot, home):
    trained.outcome.maps.native.click()
    wait_for_outcome_job(trained, qtbot)
    (layer,) = [layer for layer in viewer.layers if layer.name.endswith("error")]
    assert layer.colormap.name == "inferno"
    assert tuple(layer.contrast_limits) == (0, 20)
    assert layer.data.shape[0] == 96 and layer.data.max() > 0
    colour = viewer.layers["colour"]
    assert layer.extent.world[0][1] > colour.extent.world[1][1]  # beside, not over it
    middle = viewer.layers.extent.world[:, -2:].mean(axis=0)
    np.testing.assert_allclose(
        viewer.scene.camera.center[-2:], middle, atol=2
    )  # in view
    trained.outcome.write_report(home / "report")
    wait_for_outcome_job(trained, qtbot)
    page = (home / "report" / "index.html").read_text(encoding="utf-8")
    assert "colour (right" in page


def test_discard_asks_first(trained, qtbot, home, monkeypatch):
    answers = [QMessageBox.StandardButton.No, QMessageBox.StandardButton.Yes]
    monkeypatch.setattr(QMessageBox, "question", lambda *_: answers.pop(0))
    folder = trained.outcome.outcome.folder
    trained.outcome.discard.native.click()
    assert folder.path.exists()
    trained.outcome.discard.native.click()
    assert not folder.path.exists() and trained.outcome.outcome is None
    assert not visible(trained.outcome, trained)


def test_closing_while_a_pair_is_read(viewer, qtbot, photo, messages):
    viewer.add_image(np.stack([photo] * 8), rgb=True)
    widget = open_dock(viewer)
    widget.pairs.add.native.click()
    viewer.window.remove_dock_widget(widget)
    wait_for_the_end(qtbot)
    assert not messages
