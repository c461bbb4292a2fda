"""What a user says about colours in the Colorize dock: palette, tint, hints."""

from pathlib import Path

import numpy as np
import pytest
import torch
from napari.utils.key_bindings import coerce_keybinding
from napari_builtins.io import csv_to_layer_data, napari_write_points
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_colorgan import Hints, colorize, save
from napari_colorgan.color import rgb_to_lab
from napari_colorgan.inference.suggestions import Suggestion
from napari_colorgan.widgets.colorize.hints_layer import told_by
from napari_colorgan.widgets.parts.swatches import Swatch
from napari_colorgan.widgets.parts.tint_pad import REACH, TintPad
from napari_colorgan.widgets.parts.world import PlaneAxes

pytestmark = pytest.mark.usefixtures("home")
MODEL = "listening"
RED, BLUE = (200, 60, 40), (40, 60, 200)
ENOUGH = 60_000  # ms; for what takes a second on an idle machine


def open_dock(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    widget.model.value = MODEL
    return widget


def run(widget, qtbot):
    widget.run.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)


def shows(layer, rgb) -> bool:
    return np.abs(np.asarray(layer.data).astype(int) - rgb).max() <= 1


def mean_b(rgb) -> float:
    lab = rgb_to_lab(torch.from_numpy(np.asarray(rgb)).movedim(-1, 0)[None] / 255)
    return float(lab[0, 2].mean())


# -- the result follows


def test_the_result_follows_what_is_said_and_its_record_too(viewer, qtbot, camera):
    viewer.add_image(camera, name="scan", contrast_limits=(0, 255))
    widget = open_dock(viewer)
    run(widget, qtbot)
    result = viewer.layers["scan colorized"]
    plain = np.array(result.data)

    def record():
        return result.metadata["colorgan"]

    widget.form.warmth.value = 1.0
    qtbot.waitUntil(lambda: record().get("warmth") == 1.0, timeout=ENOUGH)
    assert shows(result, colorize(camera, MODEL, warmth=1.0))
    assert record()["complete"]  # it is small: all of it was seen to
    widget.form.warmth.value = 0.0
    qtbot.waitUntil(lambda: "warmth" not in record(), timeout=ENOUGH)
    assert shows(result, plain)

    widget.palette_panel.reference.value = "DAB"
    qtbot.waitUntil(lambda: "palette" in record(), timeout=ENOUGH)
    assert record()["palette"]["name"] == "DAB"
    widget.palette_panel.reference.value = "none"
    qtbot.waitUntil(lambda: "palette" not in record(), timeout=ENOUGH)

    widget.hints.add_hint((30, 40), RED, radius=5)
    qtbot.waitUntil(lambda: "hints" in record(), timeout=ENOUGH)
    told = Hints([[30, 40]], [RED], 5)
    assert record()["hints"] == told.to_csv()
    assert shows(result, colorize(camera, MODEL, hints=told))
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_K)
    assert not result.visible

    # a run makes no other layer of what was changed by hand
    before = len(viewer.layers)
    run(widget, qtbot)
    assert len(viewer.layers) == before
    assert shows(result, colorize(camera, MODEL, hints=told))


def test_without_live_results_stay_and_a_run_makes_another(viewer, qtbot, camera):
    viewer.add_image(camera, name="scan")
    widget = open_dock(viewer)
    run(widget, qtbot)
    plain = np.array(viewer.layers[-1].data)
    widget.form.live.value = False
    widget.form.warmth.value = 1.0
    qtbot.waitUntil(lambda: widget.preview.has_picture, timeout=ENOUGH)
    run(widget, qtbot)
    assert len(viewer.layers) == 3
    assert np.array_equal(viewer.layers[1].data, plain)
    assert mean_b(viewer.layers[2].data) > mean_b(plain)


def test_what_the_console_is_given_makes_the_same_pixels(viewer, qtbot, camera):
    viewer.add_image(camera, name="scan", contrast_limits=(0, 255))
    reference = np.full((64, 64, 3), RED, np.uint8)
    viewer.add_image(reference, rgb=True, name="red")
    widget = open_dock(viewer)
    widget.palette_panel.reference.value = "layer: red"
    widget.palette_panel.pad.set_value((10.0, -5.0))
    widget.hints.add_hint((30, 40), BLUE)
    widget.form.saturation.value = 0.5
    run(widget, qtbot)
    made = np.array(viewer.layers["scan colorized"].data)
    code = widget.as_python()
    viewer.layers.remove("scan colorized")
    exec(code, {"viewer": viewer})
    np.testing.assert_array_equal(viewer.layers["scan colorized"].data, made)


def test_a_stack_has_hints_for_planes_that_travel_with_the_slider(
    viewer, qtbot, camera
):
    stack = np.stack([camera] * 4)
    viewer.add_image(stack, name="stack", contrast_limits=(0, 255))
    widget = open_dock(viewer)
    viewer.dims.set_current_step(0, 1)
    widget.hints.planes.choice.value = "planes around"
    widget.hints.planes.around.value = 1
    widget.hints.add_hint((1, 30, 40), RED)
    layer = viewer.layers["stack hints"]
    for plane, shown in enumerate((0, 1, 2, 2)):
        viewer.dims.set_current_step(0, plane)
        assert layer.data[0, 0] == shown
    run(widget, qtbot)
    rgb = viewer.layers["stack colorized"].data
    assert np.array_equal(rgb[0], rgb[2]) and (rgb[0] != rgb[3]).any()
    made = viewer.layers["stack colorized"].metadata["colorgan"]
    assert np.array_equal(
        colorize(stack, MODEL, hints=Hints.from_csv(made["hints"])), rgb
    )


def test_a_table_of_hints_means_the_same_wherever_it_is_read(
    viewer, qtbot, camera, tmp_path
):
    table = tmp_path / "hints.csv"
    table.write_text(
        "index,axis-0,axis-1,axis-2,color,radius,from-0,to-0\n"
        "0,1,30,40,#c83c28,4,,\n1,2,60,20,#2050c0,4,2,\n2,0,20,70,#30a040,4,0,0\n"
    )
    stack = np.stack([camera] * 4)
    viewer.add_image(stack, name="stack", contrast_limits=(0, 255))
    widget = open_dock(viewer)
    points, about, _ = csv_to_layer_data(str(table))
    viewer.add_points(points, **about, name="told")
    widget.hints.layer.value = "told"
    hints = Hints.from_csv(table.read_text())
    run(widget, qtbot)
    rgb = viewer.layers["stack colorized"].data
    assert np.array_equal(colorize(stack, MODEL, hints=hints), rgb)
    assert (rgb[2] == rgb[3]).all() and (rgb[0] != rgb[1]).any()


# -- hints


@pytest.fixture
def dock(viewer, camera):
    viewer.add_image(
        camera, name="scan", scale=(2, 2), translate=(5, 7), units=("um", "um")
    )
    widget = open_dock(viewer)
    widget.show_preview.value = False
    return widget


def told(widget):
    return widget.hints.told(()).hints


def test_hints_are_points_over_the_picture_in_add_mode(viewer, dock, camera):
    QTest.mouseClick(dock.hints.add, Qt.MouseButton.LeftButton)
    layer = viewer.layers["scan hints"]
    assert layer.mode == "add" and viewer.layers.selection.active is layer
    assert layer.units == viewer.layers["scan"].units
    layer.add(layer.world_to_data((5 + 2 * 20, 7 + 2 * 30)))
    [point] = told(dock).points
    assert point.tolist() == [20, 30]
    layer.current_size = 10
    assert told(dock).radius.tolist() == [5]
    layer.name = "mine"
    dock.reset_choices()
    assert len(told(dock)) == 1
    viewer.layers.remove(layer)
    assert told(dock) is None and dock.hints.layer.value == "none"


def test_a_suggestion_is_for_the_place_it_was_made_for(viewer, dock):
    hints, found = dock.hints, [Suggestion(RED, 0.5), Suggestion(BLUE, 0.2)]
    hints.show_suggestions(found, {}, (40, 50))  # the mouse rested there
    hints.colors.suggestions.swatches[1].click()
    layer = viewer.layers["scan hints"]
    assert told(dock).points.tolist() == [[40, 50]]
    assert tuple(told(dock).colors[0]) == BLUE
    hints.add_hint((70, 20), BLUE)  # is selected now
    hints.show_suggestions(found, {}, (40, 50))
    hints.colors.suggestions.swatches[0].click()
    assert [tuple(color) for color in told(dock).colors] == [RED, BLUE]
    layer.selected_data = {0}
    layer.remove_selected()
    assert all(each.isHidden() for each in hints.colors.suggestions.swatches)
    hints.colors.recent.swatches[0].click()
    assert told(dock).points.tolist() == [[70, 20]]


def test_the_size_of_one_hint_is_not_that_of_those_to_come(viewer, dock):
    dock.hints.add_hint((20, 30), RED)
    layer = viewer.layers["scan hints"]
    usual = layer.current_size
    dock.hints.add_hint((50, 60), BLUE, radius=25)
    assert layer.size.tolist() == [usual, 50] and layer.current_size == usual


def test_undo_and_redo_go_through_points_colours_and_places(viewer, dock):
    hints = dock.hints
    hints.add_hint((20, 30), RED)
    hints.use_color(BLUE)  # of the hint that is selected
    hints.add_hint((50, 60), RED)
    layer = viewer.layers["scan hints"]
    assert [bytes(c).hex() for c in told(dock).colors] == ["283cc8", "c83c28"]
    hints.undo.click()
    assert told(dock).points.tolist() == [[20, 30]]
    assert tuple(told(dock).colors[0]) == BLUE
    hints.undo.click()
    assert tuple(told(dock).colors[0]) == RED
    layer.keymap[coerce_keybinding("Control-Shift-Z")](layer)
    assert tuple(told(dock).colors[0]) == BLUE
    layer.selected_data = {0}
    layer.remove_selected()
    assert told(dock) is None
    layer.keymap[coerce_keybinding("Control-Z")](layer)
    assert tuple(told(dock).colors[0]) == BLUE


def test_what_is_of_no_use_is_left_out_in_a_sentence(viewer, dock):
    layer = viewer.add_points(
        [[20, 30], [500, 30], [40, 50], [40, 50]],
        face_color=["red", "red", "red", "blue"],
        scale=(2, 2),
        translate=(5, 7),
        units=("um", "um"),
        name="mine",
    )
    dock.hints.layer.value = "mine"
    assert len(told(dock)) == 2
    assert tuple(told(dock).colors[1]) == (0, 0, 255)  # the later one
    assert (
        "1 hint outside the picture, 1 hint under a later one" in dock.hints.note.value
    )
    layer.face_color = np.array([[1, 0, 0, 0]] * 4)
    assert told(dock) is None and "without a colour" in dock.hints.note.value
    layer.face_color = "red"
    layer.data = np.random.default_rng(0).uniform(0, 100, (5000, 2))
    dock.live.show(paint=True, suggest=True)
    assert "at most 1000" in dock.hints.note.value


def test_a_table_that_napari_has_written_is_read_with_its_colours(
    viewer, dock, tmp_path
):
    dock.hints.add_hint((20, 30), RED, radius=6)
    dock.hints.add_hint((50, 60), BLUE, radius=3)
    before = told(dock).to_csv()
    points, about, _ = viewer.layers["scan hints"].as_layer_data_tuple()
    path = napari_write_points(str(tmp_path / "hints.csv"), points, about)
    assert Hints.from_csv(Path(path).read_text()).to_csv() == before
    viewer.layers.remove("scan hints")
    points, about, _ = csv_to_layer_data(path)
    layer = viewer.add_points(points, **about, name="again")
    layer.scale, layer.translate = (2, 2), (5, 7)
    layer.units = ("um", "um")
    dock.hints.layer.value = layer.name
    assert [bytes(c).hex() for c in told(dock).colors] == ["c83c28", "283cc8"]


@pytest.mark.parametrize("kind", ["labels", "shapes"])
def test_regions_tell_their_colours(viewer, qtbot, camera, kind):
    image = viewer.add_image(np.stack([camera, camera]), name="stack")
    if kind == "labels":
        labels = np.zeros((2, *camera.shape), np.uint8)
        labels[1, 20:60, 30:90] = 3
        layer = viewer.add_labels(labels)
        color = layer.get_color(3)
    else:
        box = [[1, 20, 30], [1, 20, 89], [1, 59, 89], [1, 59, 30]]
        layer = viewer.add_shapes([box], shape_type="polygon", face_color="red")
        color = np.array([1, 0, 0])
    axes = PlaneAxes.last(3)
    assert told_by(layer, image, axes, (0,)).hints is None
    hints = told_by(layer, image, axes, (1,)).hints
    assert (np.abs(hints.colors - np.rint(color[:3] * 255)) <= 1).all()
    covered = np.zeros(camera.shape, bool)
    for (_, y, x), radius in zip(hints.points.astype(int), hints.radius, strict=True):
        reach = int(radius)
        covered[y - reach : y + reach + 1, x - reach : x + reach + 1] = True
    inside = np.zeros(camera.shape, bool)
    inside[19:61, 29:91] = True
    assert not (covered & ~inside).any()
    assert covered[inside].mean() > 0.6


# -- suggestions


def test_suggestions_and_alternatives_are_one_click_away(viewer, qtbot, camera):
    viewer.add_image(camera, name="scan", contrast_limits=(0, 255))
    widget = open_dock(viewer)
    widget.hints.add_hint((30, 40), RED)
    swatches = widget.hints.colors.suggestions.swatches

    def offered():
        return [swatch for swatch in swatches if swatch.isVisibleTo(widget)]

    qtbot.waitUntil(lambda: len(offered()) >= 2, timeout=ENOUGH)
    assert "%" in offered()[1].text() and "#" in offered()[1].accessibleName()
    assert "c83c28, here #" in widget.hints.colors.current.accessibleName()
    wanted = offered()[1].color
    offered()[1].click()
    assert tuple(widget.hints.told(()).hints.colors[0]) == wanted
    assert widget.hints.colors.recent.swatches[0].color == RED

    widget.hints.alternatives.ask.click()
    thumbnails = widget.hints.alternatives.found
    qtbot.waitUntil(lambda: len(thumbnails.pictures) >= 2, timeout=ENOUGH)
    thumbnails.pictures[0].click()
    assert len(widget.hints.told(()).hints) == 2


def test_a_model_that_does_not_listen_says_so(
    viewer, qtbot, camera, make_checkpoint, tmp_path
):
    save(make_checkpoint(name="deaf"), tmp_path / "models" / "deaf.safetensors")
    viewer.add_image(camera)
    widget = open_dock(viewer)
    widget.show_preview.value = False
    widget.models.reset_choices()
    widget.palette_panel.reference.value = "DAB"
    widget.model.value = "deaf"
    assert "does not listen to hints" in widget.hints.missing.value
    assert "does not listen to a reference" in widget.palette_panel.note.value
    assert not widget.hints.add.isEnabled() and not widget.palette_panel.pad.isEnabled()
    run(widget, qtbot)
    assert "palette" not in viewer.layers[-1].metadata["colorgan"]


# -- palette


def test_a_click_makes_a_place_neutral(viewer, qtbot, camera):
    viewer.add_image(camera, name="scan", contrast_limits=(0, 255))
    widget = open_dock(viewer)
    widget.live._on_neutral((40.0, 50.0))
    qtbot.waitUntil(lambda: widget.palette_panel.pad.value is not None, timeout=ENOUGH)
    assert widget.palette_panel.strength.value == 1.0
    choice = widget.palette_panel.choice()
    assert choice.reference is None and choice.tint == widget.palette_panel.pad.value
    widget.palette_panel.no_tint.click()
    assert widget.palette_panel.choice() is None


def test_a_reference_that_is_gone_is_no_longer_one(viewer, dock):
    viewer.add_image(np.full((64, 64, 3), RED, np.uint8), rgb=True, name="red")
    dock.palette_panel.reference.value = "layer: red"
    assert dock.palette_panel.choice().palette().name == "red"
    viewer.layers.remove("red")
    assert dock.palette_panel.choice() is None


def test_a_tint_is_set_by_mouse_and_keyboard(qtbot):
    pad = TintPad()
    qtbot.addWidget(pad)
    pad.show()
    pad.resize(pad.sizeHint())
    QTest.mouseClick(pad, Qt.MouseButton.LeftButton, pos=pad.rect().topRight())
    a, b = pad.value
    assert a == pytest.approx(REACH, abs=1) and b == pytest.approx(REACH, abs=1)
    QTest.keyClick(pad, Qt.Key.Key_Left)
    assert pad.value[0] == pytest.approx(a - 1)
    assert "Tint: +" in pad.accessibleName()
    QTest.keyClick(pad, Qt.Key.Key_Escape)
    assert pad.value is None


def test_a_swatch_is_named_for_those_who_do_not_see_it(qtbot):
    swatch = Swatch("Suggestion 1")
    qtbot.addWidget(swatch)
    swatch.show_color(RED, (180, 70, 50), "34%")
    assert swatch.accessibleName() == "Suggestion 1: #c83c28, here #b44632, 34%"


# -- the dock as a whole


def test_the_preview_follows_what_is_displayed(viewer, qtbot, camera, monkeypatch):
    stack = np.stack([camera, 255 - camera])
    layer = viewer.add_image(stack, name="stack", contrast_limits=(0, 255))
    viewer.dims.set_current_step(0, 0)
    widget = open_dock(viewer)
    seen = []
    show = widget.preview.show_pictures
    monkeypatch.setattr(
        widget.preview,
        "show_pictures",
        lambda before, after: seen.append(before.mean()) or show(before, after),
    )
    widget.live.show()
    qtbot.waitUntil(lambda: bool(seen), timeout=ENOUGH)
    first = seen[-1]
    viewer.dims.set_current_step(0, 1)
    expected = 255 - first
    qtbot.waitUntil(lambda: abs(seen[-1] - expected) < 2, timeout=ENOUGH)
    layer.contrast_limits = (0, 500)
    qtbot.waitUntil(lambda: seen[-1] < 0.7 * expected, timeout=ENOUGH)


def test_the_layer_that_becomes_active_is_the_choice(viewer, qtbot, camera):
    first = viewer.add_image(camera, name="first")
    widget = open_dock(viewer)
    widget.show_preview.value = False
    second = viewer.add_image(255 - camera, name="second")
    assert widget.layers.value == [second]
    widget.layers.value = [first]
    viewer.add_points(np.zeros((1, 2)))
    assert widget.layers.value == [first]
    viewer.layers.selection.active = second
    assert widget.layers.value == [second]


def test_layers_of_hints_may_change_while_a_run_goes_on(viewer, qtbot, dock):
    dock.hints.add_hint((20, 30), RED)
    layer = viewer.layers["scan hints"]
    dock.run.native.click()
    layer.name = "renamed"
    layer.scale = (5, 5)
    layer.data = np.zeros((0, 2))
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: not dock.busy, timeout=ENOUGH)
    made = viewer.layers["scan colorized"].metadata["colorgan"]
    assert made["complete"] and "20,30,#c83c28" in made["hints"]


def test_corrections_become_a_pair_to_train_on(viewer, qtbot, dock):
    assert not dock.learning.isVisibleTo(dock)
    dock.hints.add_hint((20, 30), RED)
    run(dock, qtbot)
    assert dock.learning.isVisibleTo(dock)
    dock.learning.corrections.click()
    _, training = viewer.window.add_plugin_dock_widget("napari-colorgan", "Fine-tune")
    qtbot.waitUntil(lambda: len(training.pairs.pairs) == 1, timeout=ENOUGH)
    [pair] = training.pairs.pairs
    assert np.array_equal(pair.color, viewer.layers["scan colorized"].data)
    assert training.form.start.value == MODEL


def test_each_gray_layer_has_hints_of_its_own(viewer, dock, camera):
    first = viewer.layers["scan"]
    dock.hints.add_hint((20, 30), RED)
    second = viewer.add_image(255 - camera, name="other")
    assert dock.layers.value == [second] and told(dock) is None
    dock.hints.add_hint((50, 60), BLUE)
    assert [layer.name for layer in viewer.layers][-1] == "other hints"
    assert told(dock).points.tolist() == [[50, 60]]
    viewer.layers.selection.active = first
    assert told(dock).points.tolist() == [[20, 30]]
    dock.hints.layer.value = "none"
    viewer.layers.selection.active = second
    viewer.layers.selection.active = first
    assert told(dock) is None


def test_flat_regions_tell_a_stack_once(viewer, qtbot, camera):
    viewer.add_image(np.stack([camera] * 3), name="stack")
    widget = open_dock(viewer)
    widget.show_preview.value = False
    labels = np.zeros(camera.shape, np.uint8)
    labels[20:60, 30:90] = 1
    layer = viewer.add_labels(labels, name="flat")
    widget.hints.layer.value = "flat"
    once = told_by(layer, viewer.layers["stack"], PlaneAxes.last(3), (0,)).hints
    assert widget.live.wish().hints.to_csv() == once.to_csv()


def test_a_result_is_no_gray_layer_and_follows_the_limits(viewer, qtbot, camera):
    deep = camera.astype(np.uint16) * 16 + 500
    layer = viewer.add_image(deep, name="deep", contrast_limits=(800, 3500), gamma=0.8)
    widget = open_dock(viewer)
    run(widget, qtbot)
    assert widget.layers.choices == (layer,)
    made = viewer.layers["deep colorized"]
    layer.contrast_limits = (500, 6000)
    limits = (500.0, 6000.0)
    qtbot.waitUntil(
        lambda: made.metadata["colorgan"]["limits"] == limits, timeout=ENOUGH
    )
    assert shows(made, colorize(deep, MODEL, limits=(*limits, 0.8)))
