"""The Colorize dock, used as a user would: click, wait, look at the layers."""

import json
import os
import subprocess
import sys
import threading
import time

import dask.array as da
import numpy as np
import pytest
import torch
from PIL import Image
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_colorgan import Checkpoint, Metadata, colorize, save
from napari_colorgan.checkpoints import zoo
from napari_colorgan.inference.intensity import Limits
from napari_colorgan.job import Progress
from napari_colorgan.models.unet import UNet
from napari_colorgan.widgets import _settings
from napari_colorgan.widgets._layers import LayerSource, Refresher
from napari_colorgan.widgets._worker import LatestOnly

MODEL = "tiny"
UNSURE = "unsure"
ENOUGH = 60_000  # ms; for what takes a second on an idle machine


@pytest.fixture(scope="module")
def tiny() -> Checkpoint:
    """A small seeded generator with strong colours."""
    torch.manual_seed(3)
    options = {"depth": 5, "width": 8, "dropout": False, "norm": "none"}
    network = UNet(**options)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.1)
    return Checkpoint(
        Metadata(generator="unet", options=options, context="local", name=MODEL),
        network.state_dict(),
    )


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, tiny):
    """The user's folders, with one model in it."""
    (tmp_path / "models").mkdir()
    save(tiny, tmp_path / "models" / f"{MODEL}.safetensors")
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(_settings, "settings_file", lambda: tmp_path / "last.json")
    return tmp_path


@pytest.fixture
def unsure(make_checkpoint, home):
    """One more model of the user's, that tells how sure its colours are."""
    made = make_checkpoint(
        "compact",
        {"predicts_chroma": True},
        context="local",
        vividness=0.35,
        name=UNSURE,
    )
    save(made, home / "models" / f"{UNSURE}.safetensors")


@pytest.fixture
def viewer(make_napari_viewer, plugin, qtbot):
    viewer = make_napari_viewer()
    yield viewer
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


def open_dock(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    widget.show_preview.value = False
    widget.model.value = MODEL
    return widget


def run(widget, qtbot) -> None:
    widget.run.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)


def no_jobs() -> bool:
    from superqt.utils._qthreading import WorkerBase

    return not WorkerBase._worker_set


def is_colored(rgb) -> bool:
    return bool((np.ptp(np.asarray(rgb), axis=-1) > 8).mean() > 0.2)


def is_gray(rgb) -> bool:
    return not np.ptp(np.asarray(rgb), axis=-1).any()


def test_pressing_colorize_gives_a_new_colour_layer_where_its_source_is(
    viewer, qtbot, gray
):
    source = viewer.add_image(
        gray,
        name="scan",
        scale=(0.5, 0.25),
        translate=(3, 4),
        rotate=20,
        shear=[0.1],
        affine=[[1, 0.2, 5], [0, 1, 6], [0, 0, 1]],
        units=("um", "um"),
        axis_labels=("y", "x"),
    )
    widget = open_dock(viewer)
    run(widget, qtbot)
    result = viewer.layers[-1]
    assert result.rgb and result.data.dtype == np.uint8
    assert result.name == "scan colorized"
    assert is_colored(result.data)
    corner = (10.0, 30.0)
    np.testing.assert_allclose(
        result.data_to_world(corner), source.data_to_world(corner)
    )
    assert result.units == source.units and result.axis_labels == source.axis_labels
    made = result.metadata["colorgan"]
    assert made["model"] == MODEL and made["complete"] and len(made["digest"]) == 64
    assert made["limits"] == tuple(source.contrast_limits)
    np.testing.assert_array_equal(
        result.data, colorize(gray, MODEL, limits=source.contrast_limits)
    )


def test_running_again_leaves_the_first_result_alone(viewer, qtbot, gray):
    viewer.add_image(gray, name="scan")
    widget = open_dock(viewer)
    run(widget, qtbot)
    first = viewer.layers[-1]
    before = first.data.copy()
    run(widget, qtbot)
    assert len(viewer.layers) == 3
    assert len({layer.name for layer in viewer.layers}) == 3
    np.testing.assert_array_equal(first.data, before)


def test_the_picker_follows_the_viewer(viewer, qtbot, gray, photo):
    before = viewer.add_image(gray, name="before")  # opened before the dock
    viewer.add_image(photo, rgb=True, name="colour")
    viewer.add_labels(np.zeros((9, 9), int))
    widget = open_dock(viewer)
    assert list(widget.layers.choices) == [before]
    later = viewer.add_image(gray, name="later")
    assert set(widget.layers.choices) == {before, later}
    before.name = "renamed"
    texts = [widget.layers.native.item(i).text() for i in range(2)]
    assert "renamed" in texts and "before" not in texts
    viewer.layers.remove(before)
    assert list(widget.layers.choices) == [later]


def test_run_is_disabled_with_a_reason(viewer, qtbot, gray):
    widget = open_dock(viewer)
    assert not widget.run.enabled and "Open a gray image" in widget.reason.value
    layer = viewer.add_image(gray)
    assert widget.run.enabled and not widget.reason.value
    widget.layers.value = []
    assert not widget.run.enabled and "Choose at least one" in widget.reason.value
    widget.layers.value = [layer]
    viewer.layers.clear()
    assert not widget.run.enabled


def test_a_colour_picture_is_offered_by_its_lightness(viewer, qtbot, photo):
    viewer.add_image(photo, rgb=True, name="scan", scale=(2, 2))
    widget = open_dock(viewer)
    assert "already has colour" in widget.reason.value
    assert widget.picker.lightness.native.isVisibleTo(widget.native)
    widget.picker.lightness.native.click()
    gray = viewer.layers["scan lightness"]
    assert not gray.rgb and tuple(gray.scale) == (2, 2)
    run(widget, qtbot)
    assert is_colored(viewer.layers[-1].data)


def test_an_rgb_scan_with_equal_channels_becomes_that_channel(viewer, qtbot, gray):
    viewer.add_image(np.stack([gray] * 3, -1), rgb=True, name="scan")
    widget = open_dock(viewer)
    widget.picker.lightness.native.click()
    np.testing.assert_array_equal(viewer.layers["scan lightness"].data, gray)


def test_several_layers_are_coloured_in_turn(viewer, qtbot, gray):
    one = viewer.add_image(gray, name="one")
    two = viewer.add_image(255 - gray[:100], name="two")
    widget = open_dock(viewer)
    widget.layers.value = [one, two]
    run(widget, qtbot)
    assert is_colored(viewer.layers["one colorized"].data)
    assert is_colored(viewer.layers["two colorized"].data)
    assert viewer.layers["two colorized"].data.shape == (100, 320, 3)


def test_a_whole_stack_or_the_displayed_plane(viewer, qtbot, gray):
    planes = np.stack([gray, gray[::-1], gray[:, ::-1]])
    stack = viewer.add_image(
        planes, name="stack", scale=(3, 1, 1), translate=(10, 0, 0), rotate=(0, 0, 30)
    )
    viewer.dims.set_current_step(0, 1)
    widget = open_dock(viewer)
    run(widget, qtbot)
    whole = viewer.layers[-1]
    assert whole.data.shape == (*planes.shape, 3)
    widget.layers.value = [stack]
    widget.form.planes.value = "current plane"
    run(widget, qtbot)
    plane = viewer.layers[-1]
    assert plane.data.shape == (1, *gray.shape, 3)
    np.testing.assert_array_equal(plane.data[0], whole.data[1])
    np.testing.assert_allclose(
        plane.data_to_world((0, 5, 7)), stack.data_to_world((1, 5, 7))
    )


def test_gray_limits_are_those_displayed_unless_chosen_otherwise(viewer, qtbot, gray):
    wide = gray.astype(np.uint16) * 100
    layer = viewer.add_image(wide, name="wide", contrast_limits=(2000, 9000), gamma=0.7)
    widget = open_dock(viewer)
    run(widget, qtbot)
    shown = colorize(wide, MODEL, limits=Limits(2000, 9000, 0.7))
    np.testing.assert_array_equal(viewer.layers[-1].data, shown)
    widget.layers.value = [layer]
    widget.form.limits.value = "percentiles"
    run(widget, qtbot)
    np.testing.assert_array_equal(viewer.layers[-1].data, colorize(wide, MODEL))
    widget.layers.value = [layer]
    widget.form.limits.value = "full range"
    run(widget, qtbot)
    full = colorize(wide, MODEL, limits=(0, 65535))
    np.testing.assert_array_equal(viewer.layers[-1].data, full)


@pytest.fixture
def large(gray):
    """Enough windows for something to happen while they are coloured."""
    return np.tile(gray, (6, 6))


def start_large(viewer, qtbot, large):
    """Start a run and return the widget once the first window has its colours."""
    viewer.add_image(large, name="large")
    widget = open_dock(viewer)
    widget.form.tile.value = 448
    widget.run.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=ENOUGH)
    qtbot.waitUntil(lambda: widget.progress.value > 0, timeout=ENOUGH)
    assert widget.busy
    return widget


def wait_for_the_end(qtbot) -> None:
    """Let Qt delete what was closed, which its own event loop does at once."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


def test_stop_keeps_what_is_coloured(viewer, qtbot, large):
    widget = start_large(viewer, qtbot, large)
    assert not widget.run.enabled and widget.stop.enabled
    widget.stop.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    result = viewer.layers[-1]
    assert is_colored(result.data[:64, :64])
    assert is_gray(result.data[-64:, -64:])
    assert not result.metadata["colorgan"]["complete"]
    assert "kept" in widget.status.value
    assert widget.run.enabled and not widget.stop.enabled


def test_a_second_start_is_refused(viewer, qtbot, large):
    widget = start_large(viewer, qtbot, large)
    widget._on_run()
    widget.stop.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    assert len(viewer.layers) == 2


@pytest.mark.parametrize("name", ["large", "large colorized"])
def test_removing_a_layer_ends_its_run(viewer, qtbot, large, name, messages):
    widget = start_large(viewer, qtbot, large)
    viewer.layers.remove(name)
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    assert any("was removed" in text for text in messages)
    assert not any("unexpected" in text for text in messages)


def test_closing_the_dock_ends_the_run(viewer, qtbot, large, messages):
    widget = start_large(viewer, qtbot, large)
    control = widget._control
    viewer.window.remove_dock_widget(widget.native)
    wait_for_the_end(qtbot)
    assert control.stop
    assert not messages
    viewer.layers.clear()  # no slot of the dead widget may answer


def test_closing_the_viewer_ends_the_run(make_napari_viewer, plugin, qtbot, large):
    viewer = make_napari_viewer()
    widget = start_large(viewer, qtbot, large)
    control = widget._control
    viewer.close()
    wait_for_the_end(qtbot)
    assert control.stop


def test_no_thread_is_left_behind(viewer, qtbot, gray):
    viewer.add_image(gray)
    widget = open_dock(viewer)
    run(widget, qtbot)
    before = threading.active_count()
    run(widget, qtbot)
    assert threading.active_count() <= before


def test_a_file_that_is_no_model_is_refused_in_a_sentence(
    viewer, qtbot, home, messages
):
    widget = open_dock(viewer)
    offered = list(widget.model.choices)
    (home / "foreign.safetensors").write_bytes(b"nothing of ours")
    widget.models.add(home / "foreign.safetensors")
    assert any("not a checkpoint" in text for text in messages)
    assert list(widget.model.choices) == offered


def test_a_model_file_is_used_once_browsed(viewer, qtbot, home, tiny, gray):
    save(tiny, home / "mine.safetensors")
    viewer.add_image(gray)
    widget = open_dock(viewer)
    widget.models.add(home / "mine.safetensors")
    assert widget.model.value == str(home / "mine.safetensors")
    run(widget, qtbot)
    assert is_colored(viewer.layers[-1].data)


def test_a_model_deleted_meanwhile_gives_a_sentence(
    viewer, qtbot, home, gray, messages
):
    viewer.add_image(gray)
    widget = open_dock(viewer)
    (home / "models" / f"{MODEL}.safetensors").unlink()
    run(widget, qtbot)
    assert any("no model or checkpoint file called 'tiny'" in text for text in messages)
    assert len(viewer.layers) == 1
    assert widget.run.enabled


@pytest.mark.parametrize(
    ("error", "text"),
    [(ValueError("odd"), "unexpected went wrong (ValueError: odd)"),
     (RuntimeError("CUDA out of memory"), "Memory ran out"),
     (RuntimeError("mat1 and mat2"), "The computation failed: mat1 and mat2")],
)  # fmt: skip
def test_a_failing_run_says_so_and_can_be_repeated(
    viewer, qtbot, gray, messages, monkeypatch, error, text
):
    def fail(_) -> None:
        raise error

    viewer.add_image(gray)
    widget = open_dock(viewer)
    with monkeypatch.context() as patch:
        patch.setattr(LayerSource, "source", fail)
        run(widget, qtbot)
    assert any(text in message for message in messages)
    assert len(viewer.layers) == 1
    run(widget, qtbot)
    assert is_colored(viewer.layers[-1].data)


def test_nan_pixels_are_reported(viewer, qtbot, gray, messages):
    holes = gray / 255
    holes[10:12, 10:15] = np.nan
    viewer.add_image(holes, contrast_limits=(0, 1))
    widget = open_dock(viewer)
    run(widget, qtbot)
    assert any("10 pixels are NaN" in text for text in messages)
    assert not viewer.layers[-1].data[10:12, 10:15].any()


def test_dask_and_multiscale_layers(viewer, qtbot, gray):
    viewer.add_image(da.from_array(gray, chunks=100), name="lazy")
    widget = open_dock(viewer)
    run(widget, qtbot)
    limits = viewer.layers["lazy"].contrast_limits
    expected = colorize(gray, MODEL, limits=tuple(limits))
    np.testing.assert_array_equal(viewer.layers[-1].data, expected)
    pyramid = viewer.add_image([gray, gray[::2, ::2]], multiscale=True, name="pyramid")
    widget.layers.value = [pyramid]
    run(widget, qtbot)
    assert viewer.layers[-1].data.shape == (*gray.shape, 3)


def test_a_large_result_has_one_level(viewer, qtbot, gray):
    large = np.tile(gray, (1, 8))
    viewer.add_image(large, name="large")
    widget = open_dock(viewer)
    run(widget, qtbot)
    result = viewer.layers[-1]
    assert not result.multiscale and result.data.shape == (*large.shape, 3)
    assert is_colored(result.data)


def test_a_preview_appears_and_the_last_request_wins(viewer, qtbot, gray):
    viewer.add_image(gray, name="one")
    widget = open_dock(viewer)
    assert not widget._picture.isVisibleTo(widget.native)
    widget.show_preview.value = True
    qtbot.waitUntil(lambda: widget._picture.isVisibleTo(widget.native), timeout=ENOUGH)
    picture = widget._picture.grab().toImage()
    across = range(picture.width() // 4, picture.width() * 3 // 4, 5)
    colors = {picture.pixelColor(x, 60).getRgb()[:3] for x in across}
    assert any(max(c) - min(c) > 8 for c in colors)
    widget.show_preview.value = False
    assert not widget._picture.isVisibleTo(widget.native)


@pytest.mark.parametrize(("supersede", "expected"), [(True, "c"), (False, "ac")])
def test_of_many_requests_the_last_is_shown_and_no_more_than_there_is_time_for(
    qtbot, qapp, supersede, expected
):
    shown = []
    latest = LatestOnly(shown.append, shown.append)

    def job(name):
        for _ in range(20):
            time.sleep(0.01)
            yield Progress(0, 1)
        return name

    for name in "abc":
        latest.request(lambda name=name: job(name), supersede=supersede)
    qtbot.waitUntil(lambda: "c" in shown, timeout=ENOUGH)
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)
    assert "".join(shown) == expected


def test_vividness_is_that_of_the_chosen_model(viewer, unsure):
    widget = open_dock(viewer)
    slider = widget.form.vividness
    assert not slider.enabled and "does not tell" in slider.tooltip
    widget.model.value = UNSURE
    assert slider.enabled and slider.value == pytest.approx(0.35, abs=1e-6)
    assert "own: 0.35" in slider.tooltip
    slider.value = 0.8
    widget.model.value = MODEL
    assert not slider.enabled and slider.value == 0
    widget.model.value = UNSURE
    assert slider.value == pytest.approx(0.35, abs=1e-6)


def test_vividness_decides_how_pale_a_result_is(viewer, qtbot, gray, unsure):
    layer = viewer.add_image(gray)
    widget = open_dock(viewer)
    widget.model.value = UNSURE
    results = {}
    for vividness in (0.35, 0.0, 1.0):
        widget.layers.value = [layer]
        widget.form.vividness.value = vividness
        run(widget, qtbot)
        results[vividness] = viewer.layers[-1].data
        assert viewer.layers[-1].metadata["colorgan"]["vividness"] == vividness
    limits = tuple(layer.contrast_limits)
    own = colorize(gray, UNSURE, limits=limits)
    np.testing.assert_array_equal(results[0.35], own)
    chroma = {key: np.ptp(rgb, axis=-1).mean() for key, rgb in results.items()}
    assert chroma[0.0] < chroma[0.35] < chroma[1.0]


def test_the_preview_follows_vividness(viewer, qtbot, gray, unsure):
    viewer.add_image(gray)
    widget = open_dock(viewer)
    widget.model.value = UNSURE

    def chroma() -> float:
        picture = widget._picture.grab().toImage()
        middle = [picture.pixelColor(picture.width() // 2, y) for y in range(10, 200)]
        return float(np.ptp([color.getRgb()[:3] for color in middle], axis=1).mean())

    widget.show_preview.value = True
    qtbot.waitUntil(lambda: widget._picture.isVisibleTo(widget.native), timeout=ENOUGH)
    before = chroma()
    for vividness in np.linspace(0.4, 1, 50):  # as a drag does
        widget.form.vividness.value = float(vividness)
    qtbot.waitUntil(lambda: chroma() > 2 * before, timeout=ENOUGH)


def test_settings_are_remembered(viewer, qtbot, gray):
    viewer.add_image(gray)
    widget = open_dock(viewer)
    widget.form.limits.value = "percentiles"
    widget.form.context.value = "whole"
    widget.form.tile.value = 512
    run(widget, qtbot)
    viewer.window.remove_dock_widget(widget.native)
    again = open_dock(viewer)
    assert again.form.limits.value == "percentiles"
    assert again.form.context.value == "whole" and again.form.tile.value == 512


def test_vividness_is_remembered_with_its_model(viewer, qtbot, gray, unsure):
    viewer.add_image(gray)
    widget = open_dock(viewer)
    widget.model.value = UNSURE
    widget.form.vividness.value = 0.8
    run(widget, qtbot)

    def reopened():
        return viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")[1]

    viewer.window.remove_dock_widget(widget.native)
    widget = reopened()
    assert widget.model.value == UNSURE
    assert widget.form.vividness.value == pytest.approx(0.8, abs=1e-6)
    widget.form.vividness.value = 0.35  # the model's own again: nothing to remember
    run(widget, qtbot)
    assert "vividness" not in json.loads(_settings.settings_file().read_text())["last"]


@pytest.mark.parametrize("stored", [{MODEL: 0.8}, {UNSURE: 7}, {UNSURE: "red"}, 0.8])
def test_a_vividness_that_is_not_for_this_model_is_not_used(viewer, unsure, stored):
    _settings.save_settings({"model": UNSURE, "vividness": stored})
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    assert widget.model.value == UNSURE
    assert widget.form.vividness.value == pytest.approx(0.35, abs=1e-6)


def test_preferences_changed_later_win_over_what_was_used_last(viewer, gray):
    _settings.save_settings({"device": "cpu", "tile": 512})
    saved = json.loads(_settings.settings_file().read_text())
    assert _settings.load_settings()["tile"] == 512
    saved["preferences"]["tile"] = 2048  # what preferences were at that time
    _settings.settings_file().write_text(json.dumps(saved))
    assert _settings.load_settings()["tile"] == 1024


@pytest.mark.parametrize("damage", ["", "[]", '{"last": 3}', "{"])
def test_damaged_settings_count_as_none(viewer, damage):
    _settings.settings_file().write_text(damage)
    assert _settings.load_settings() == _settings.preferences()


@pytest.mark.parametrize("limits", ["as displayed", "percentiles"])
def test_copy_as_python_makes_the_same_picture(viewer, qtbot, gray, limits):
    stack = np.stack([gray * 3.0, 255.0 - gray])
    layer = viewer.add_image(
        stack, name="it's a stack", contrast_limits=(10, 200), gamma=1.2
    )
    widget = open_dock(viewer)
    widget.form.planes.value = "current plane"
    widget.form.limits.value = limits
    viewer.dims.set_current_step(0, 1)
    run(widget, qtbot)
    result = viewer.layers[-1].data[0]
    widget.layers.value = [layer]
    widget.copy.native.click()
    code = QApplication.clipboard().text()
    names = {"viewer": viewer}
    exec(code, names)
    np.testing.assert_array_equal(names["rgb"], result)


def test_copy_as_python_tells_vividness(viewer, qtbot, gray, unsure):
    layer = viewer.add_image(gray)
    widget = open_dock(viewer)
    assert "vividness" not in widget.as_python()
    widget.model.value = UNSURE
    widget.form.vividness.value = 0.945578  # as a drag leaves it; 0.95 is displayed
    assert "    vividness=0.95,\n" in widget.as_python()
    run(widget, qtbot)
    result = viewer.layers[-1].data
    widget.layers.value = [layer]
    names = {"viewer": viewer}
    exec(widget.as_python(), names)
    np.testing.assert_array_equal(names["rgb"], result)


def strip(path, *colors) -> None:
    """Write a strip of examples, one square of each colour."""
    squares = [np.full((40, 40, 3), color, np.uint8) for color in colors]
    Image.fromarray(np.concatenate(squares, axis=1)).save(path, quality=95)


def icon_of(widget, name):
    """The picture beside a name in the picker; None if there is none."""
    index = widget.model.choices.index(name)
    icon = widget.model.native.itemIcon(index)
    return None if icon.isNull() else icon.pixmap(32, 32).toImage()


def test_models_are_offered_with_their_pictures(viewer, home, unsure):
    red, blue = (230, 20, 20), (20, 20, 230)
    strip(home / "models" / f"{UNSURE}.jpg", red, blue)
    widget = open_dock(viewer)
    assert icon_of(widget, MODEL) is None
    assert not widget.models._examples.isVisibleTo(widget.native)
    icon = icon_of(widget, UNSURE)
    assert icon.width() == icon.height()
    for x in (2, icon.width() - 3):  # the first example, nothing of the second
        color = icon.pixelColor(x, 10)
        assert color.red() > 200 and color.blue() < 60
    widget.model.value = UNSURE
    examples = widget.models._examples
    assert examples.isVisibleTo(widget.native)
    assert examples.sizeHint().width() == 2 * examples.sizeHint().height()


def test_a_picture_that_cannot_be_read_is_left_out(viewer, home):
    (home / "models" / f"{MODEL}.jpg").write_bytes(b"no picture")
    widget = open_dock(viewer)
    assert icon_of(widget, MODEL) is None
    assert not widget.models._examples.isVisibleTo(widget.native)


def test_a_model_that_comes_later_is_offered_with_its_picture(viewer, home, tiny):
    widget = open_dock(viewer)
    save(tiny, home / "models" / "later.safetensors")
    strip(home / "models" / "later.jpg", (230, 20, 20))
    widget.choose_model("later")
    assert widget.model.value == "later"
    assert icon_of(widget, "later") is not None
    assert widget.models._examples.isVisibleTo(widget.native)


def test_the_result_is_redrawn_seldom_and_only_where_it_is_seen(viewer, gray):
    layer = viewer.add_image(np.stack([gray, gray]))
    times = iter([0.0, 0.05, 0.1, 5.0, 5.05, 5.5, 5.6])
    refresher = Refresher(layer, clock=lambda: next(times))
    here = (0.0, 0.0, 0.0)
    assert refresher.changed((0,), here)  # at 0, takes 0.05 s
    assert not refresher.changed((0,), here)  # 0.1: too soon
    assert refresher.changed((0,), here)  # 5.0, takes 0.05 s, next after 5.55
    assert not refresher.changed((0,), here)  # 5.5
    assert not refresher.changed((1,), here)  # another plane is shown


def test_drawing_a_large_result_counts_too(viewer):
    layer = viewer.add_image(np.zeros((4000, 5000, 3), np.uint8), rgb=True)
    times = iter([0.0, 0.0, 1.0, 2.0, 2.0])
    refresher = Refresher(layer, clock=lambda: next(times))
    drawn = [refresher.changed((), (0.0, 0.0)) for _ in range(3)]  # at 0, 1 and 2 s
    assert drawn == [True, False, True]  # 20 megapixels take 0.2 s to draw


def test_opening_the_dock_does_not_import_torch():
    code = (
        "import sys\n"
        "import napari_colorgan.widgets.colorize as module\n"
        "from napari.components import ViewerModel\n"
        "from qtpy.QtWidgets import QApplication\n"
        "import numpy\n"
        "app = QApplication([])\n"
        "viewer = ViewerModel()\n"
        "viewer.add_image(numpy.zeros((40, 40)))\n"
        "widget = module.ColorizeWidget(viewer)\n"
        "assert widget.run.enabled, widget.reason.value\n"
        "assert 'torch' not in sys.modules\n"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_a_sample_chooses_the_model_that_fits_it(viewer, qtbot):
    widget = open_dock(viewer)
    widget.show_preview.value = False
    viewer.open_sample("napari-colorgan", "micrograph")
    assert widget.model.value == "micro"
    (photograph,) = viewer.open_sample("napari-colorgan", "photograph")
    widget.layers.value = [photograph]
    assert widget.model.value == "natural"
    widget.model.value = MODEL  # the user knows better
    viewer.add_image(np.zeros((40, 40), np.uint8))
    assert widget.model.value == MODEL


def test_a_sample_that_is_open_already_chooses_its_model(viewer):
    viewer.open_sample("napari-colorgan", "stack")
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    assert widget.model.value == "micro"
