"""The Colorize dock, used as a user would: click, wait, look at the layers."""

import json
import threading
import time

import dask.array as da
import numpy as np
import pytest
import torch
from dask import delayed
from napari.components import ViewerModel
from napari.layers import Image as ImageLayer
from napari.utils import Colormap
from PIL import Image
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_colorgan import Checkpoint, Metadata, colorize, save
from napari_colorgan.checkpoints import zoo
from napari_colorgan.inference.intensity import Limits, color_to_gray, scale
from napari_colorgan.job import Progress
from napari_colorgan.models.unet import UNet
from napari_colorgan.widgets.colorize.layer_picker import LayerPicker
from napari_colorgan.widgets.parts import levels
from napari_colorgan.widgets.parts import settings as dock_settings
from napari_colorgan.widgets.parts.layers import (
    LayerSource,
    Refresher,
    displayed_limits,
)
from napari_colorgan.widgets.parts.worker import LatestOnly
from napari_colorgan.widgets.parts.world import PlaneAxes, View

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


def assert_same(found, expected):
    """All but a few numbers are equal: sums are rounded as memory is aligned."""
    assert found.shape == expected.shape
    apart = np.abs(found.astype(int) - expected)
    assert apart.max() <= 1 and np.count_nonzero(apart) <= 1e-4 * apart.size


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, tiny):
    """The user's folders, with one model in it."""
    (tmp_path / "models").mkdir()
    save(tiny, tmp_path / "models" / f"{MODEL}.safetensors")
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    return tmp_path


@pytest.fixture
def unsure(make_checkpoint, home):
    """One more model of the user's, that tells how sure its colours are."""
    made = make_checkpoint(
        "compact",
        {"alternatives": True},
        context="local",
        vividness=0.35,
        name=UNSURE,
    )
    made.weights["head.weight"].zero_()
    made.weights["head.bias"].zero_()
    made.weights["head.bias"][0] = 0.02  # one colour, and it is sure of a hue
    made.weights["likelihood.bias"][0] = 100.0
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
    assert "invented" in made["note"]
    assert made["model"] == MODEL and made["complete"] and len(made["digest"]) == 64
    assert made["limits"] == tuple(source.contrast_limits)
    assert_same(result.data, colorize(gray, MODEL, limits=source.contrast_limits))


def test_running_again_leaves_the_first_result_alone(viewer, qtbot, gray):
    viewer.add_image(gray, name="scan")
    widget = open_dock(viewer)
    run(widget, qtbot)
    first = viewer.layers[-1]
    before = first.data.copy()
    run(widget, qtbot)
    assert len(viewer.layers) == 3
    assert len({layer.name for layer in viewer.layers}) == 3
    assert_same(first.data, before)


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


def test_a_layer_that_got_colour_is_chosen_no_longer(qtbot, photo):
    viewer = ViewerModel()
    gray_in_rgb = np.repeat(photo[..., :1], 3, axis=-1)
    layer = viewer.add_image(gray_in_rgb, rgb=True)
    picker = LayerPicker(viewer)
    picker.suggest()
    assert picker.layers.value == [layer]
    layer.data = photo
    picker.reset_choices()
    assert picker.layers.value == []


def test_run_is_disabled_with_a_reason(viewer, qtbot, gray):
    widget = open_dock(viewer)
    assert not widget.run.enabled and "Open a gray image" in widget.running.reason.value
    layer = viewer.add_image(gray)
    assert widget.run.enabled and not widget.running.reason.value
    widget.layers.value = []
    assert (
        not widget.run.enabled and "Choose at least one" in widget.running.reason.value
    )
    widget.layers.value = [layer]
    viewer.layers.clear()
    assert not widget.run.enabled


def test_a_colour_picture_is_offered_by_its_lightness(viewer, qtbot, photo):
    viewer.add_image(photo, rgb=True, name="scan", scale=(2, 2), axis_labels=("y", "x"))
    widget = open_dock(viewer)
    assert "already has colour" in widget.running.reason.value
    assert widget.picker.lightness.native.isVisibleTo(widget)
    widget.picker.lightness.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    gray = viewer.layers["scan lightness"]
    assert not gray.rgb and tuple(gray.scale) == (2, 2)
    assert gray.axis_labels == ("y", "x")
    np.testing.assert_array_equal(gray.data, color_to_gray(photo))
    run(widget, qtbot)
    assert is_colored(viewer.layers[-1].data)


def test_the_lightness_of_what_cannot_be_read(viewer, qtbot, tmp_path, photo, messages):
    np.save(tmp_path / "photo.npy", photo)
    read = delayed(np.load)(tmp_path / "photo.npy")
    lazy = da.from_delayed(read, photo.shape, photo.dtype)
    viewer.add_image(lazy, rgb=True, name="lazy")
    widget = open_dock(viewer)
    (tmp_path / "photo.npy").unlink()
    widget.picker.lightness.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    assert messages[0].startswith("The layer 'lazy' cannot be read: ")
    assert widget.status.value == messages[0]
    assert not widget.stop.native.isVisibleTo(widget)
    assert len(viewer.layers) == 1


def test_an_rgb_scan_with_equal_channels_is_gray(viewer, qtbot, gray):
    scan = viewer.add_image(np.stack([gray] * 3, -1), rgb=True, name="scan")
    widget = open_dock(viewer)
    assert widget.layers.value == [scan]
    assert not widget.picker.lightness.native.isVisibleTo(widget)
    run(widget, qtbot)
    assert viewer.layers["scan colorized"].data.shape == (*gray.shape, 3)
    assert "layer.data[..., 0]" in widget.as_python()
    widget.reset_choices()
    assert widget.layers.choices == (scan,)


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
    assert_same(plane.data[0], whole.data[1])
    np.testing.assert_allclose(
        plane.data_to_world((0, 5, 7)), stack.data_to_world((1, 5, 7))
    )


def test_gray_limits_are_those_displayed_unless_chosen_otherwise(viewer, qtbot, gray):
    wide = gray.astype(np.uint16) * 100
    layer = viewer.add_image(wide, name="wide", contrast_limits=(2000, 9000), gamma=0.7)
    widget = open_dock(viewer)
    run(widget, qtbot)
    shown = colorize(wide, MODEL, limits=Limits(2000, 9000, 0.7))
    assert_same(viewer.layers[-1].data, shown)
    widget.layers.value = [layer]
    widget.form.limits.value = "percentiles"
    run(widget, qtbot)
    assert_same(viewer.layers[-1].data, colorize(wide, MODEL))
    widget.layers.value = [layer]
    widget.form.limits.value = "full range"
    run(widget, qtbot)
    full = colorize(wide, MODEL, limits=(0, 65535))
    assert_same(viewer.layers[-1].data, full)


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
    qtbot.waitUntil(lambda: widget.running.progress.value > 0, timeout=ENOUGH)
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
    made = result.metadata["colorgan"]
    assert not made["complete"] and made["why"] == "stopped by the user"
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
    result = viewer.layers["large colorized"]
    viewer.layers.remove(name)
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    assert any("was removed" in text for text in messages)
    assert not any("unexpected" in text for text in messages)
    made = result.metadata["colorgan"]
    assert not made["complete"] and made["why"] == f"the layer '{name}' was removed"
    assert "Stopped" in widget.status.value


def test_other_data_in_the_result_end_its_run(viewer, qtbot, large, messages):
    widget = start_large(viewer, qtbot, large)
    result = viewer.layers[-1]
    result.data = np.zeros((40, 50, 3), np.uint8)
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    assert any("its data were replaced" in text for text in messages)
    made = result.metadata["colorgan"]
    assert not made["complete"] and "replaced" in made["why"]
    assert "Stopped" in widget.status.value


def test_closing_the_dock_ends_the_run(viewer, qtbot, large, messages):
    widget = start_large(viewer, qtbot, large)
    control = widget.running.jobs.control
    viewer.window.remove_dock_widget(widget)
    wait_for_the_end(qtbot)
    assert control.stop
    [message] = messages
    assert "Colorize: 'large' was stopped because its dock was closed." in message
    made = viewer.layers[-1].metadata["colorgan"]
    assert not made["complete"] and made["why"] == "the dock was closed"
    assert made["model"] == MODEL and made["source"] == "large"
    viewer.layers.clear()  # no slot of the dead widget may answer


def test_closing_the_viewer_ends_the_run(make_napari_viewer, plugin, qtbot, large):
    viewer = make_napari_viewer()
    widget = start_large(viewer, qtbot, large)
    control, result = widget.running.jobs.control, viewer.layers[-1]
    viewer.close()
    wait_for_the_end(qtbot)
    assert control.stop
    assert not result.metadata["colorgan"]["complete"]


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
    assert any("not a model" in text for text in messages)
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
    "colormap",
    ["gray_r", "gist_yarg", "I Blue", Colormap([[1, 1, 0.9], [0.2, 0, 0]], name="own")],
)
def test_a_colormap_from_light_to_dark_is_a_negative(viewer, qtbot, gray, colormap):
    layer = viewer.add_image(
        gray, name="em", contrast_limits=(0, 255), colormap=colormap
    )
    widget = open_dock(viewer)
    run(widget, qtbot)
    result = viewer.layers[-1]
    negative = colorize(255 - gray, MODEL, limits=(0, 255))
    assert np.abs(result.data.astype(int) - negative).max() <= 1
    assert result.metadata["colorgan"]["inverted"]
    widget.layers.value = [layer]
    widget.form.limits.value = "full range"  # of the type, not of the display
    run(widget, qtbot)
    assert_same(viewer.layers[-1].data, colorize(gray, MODEL))


@pytest.mark.parametrize("colormap", ["gray", "red", "viridis", "PiYG", "hsv", "RdBu"])
def test_other_colormaps_are_no_negative(gray, colormap):
    assert not displayed_limits(ImageLayer(gray, colormap=colormap)).inverted


@pytest.mark.parametrize("colormap", ["gray", "gray_r"])
def test_the_gray_of_a_run_is_what_is_displayed(gray, colormap):
    layer = ImageLayer(gray, contrast_limits=(30, 180), gamma=0.6, colormap=colormap)
    levels = np.arange(256)
    shown = np.clip((levels - 30) / 150, 0, 1) ** 0.6
    expected = layer.colormap.map(shown.astype(np.float32))[:, 0]
    assert np.allclose(scale(levels, displayed_limits(layer)), expected, atol=1e-6)


def pictures(gray) -> list:
    """Three different planes."""
    small = gray[:70, :90]
    return [small, small[::-1], 255 - small]


@pytest.mark.parametrize(
    ("labels", "order"),
    [(("Y", "x", "z"), (0, 1, 2)), (None, (2, 0, 1)), (("y", "x", "z"), (1, 2, 0))],
)
def test_planes_are_those_of_labels_or_of_the_display(
    viewer, qtbot, gray, labels, order
):
    stack = np.stack(pictures(gray), axis=-1)
    source = viewer.add_image(
        stack, rgb=False, contrast_limits=(0, 255), axis_labels=labels, scale=(1, 1, 5)
    )
    viewer.dims.order = order
    widget = open_dock(viewer)
    run(widget, qtbot)
    result = viewer.layers[-1]
    assert result.data.shape == (*stack.shape, 3)
    for z, picture in enumerate(pictures(gray)):
        assert_same(result.data[:, :, z], colorize(picture, MODEL))
    corner = (5, 7, 2)
    np.testing.assert_allclose(
        result.data_to_world(corner), source.data_to_world(corner)
    )


def test_labels_of_the_viewer_count_too(viewer, qtbot, gray):
    viewer.add_image(
        np.stack(pictures(gray), axis=-1), rgb=False, contrast_limits=(0, 255)
    )
    viewer.dims.axis_labels = ("y", "x", "z")
    widget = open_dock(viewer)
    run(widget, qtbot)
    expected = colorize(pictures(gray)[1], MODEL)
    assert_same(viewer.layers[-1].data[:, :, 1], expected)


@pytest.mark.parametrize("labels", [None, ("y", "x", "z")])
def test_the_current_plane_is_the_one_that_is_shown(viewer, qtbot, gray, labels):
    stack = np.stack(pictures(gray) * 20, axis=-1)
    viewer.add_image(stack, contrast_limits=(0, 255), axis_labels=labels)
    viewer.dims.order = (1, 0, 2)
    viewer.dims.set_current_step(1, 33)
    widget = open_dock(viewer)
    widget.form.planes.value = "current plane"
    run(widget, qtbot)
    result = viewer.layers[-1]
    assert result.data.shape == (70, 1, 60, 3)
    expected = colorize(stack[:, 33], MODEL)
    assert_same(result.data[:, 0], expected)
    assert result.data_to_world((0, 0, 0)) == (0, 33, 0)
    assert result.metadata["colorgan"]["plane"] == (33,)


def test_what_is_drawn_lies_over_its_source(make_napari_viewer, plugin, qtbot, gray):
    viewer = make_napari_viewer(show=True)
    stack = np.stack(pictures(gray), axis=-1)
    viewer.add_image(stack, rgb=False, contrast_limits=(0, 255), scale=(1, 1, 4))
    viewer.dims.order = (2, 0, 1)
    viewer.dims.set_current_step(2, 1)
    viewer.reset_view()
    widget = open_dock(viewer)
    run(widget, qtbot)
    result = viewer.layers[-1]
    shown = viewer.screenshot(flash=False)[..., :3].astype(float)
    result.visible = False
    below = viewer.screenshot(flash=False)[..., :3].astype(float)
    assert is_colored(shown[shown.any(axis=-1)])
    # colours keep the lightness: as gray, both are one picture
    kept = np.corrcoef(color_to_gray(shown / 255).ravel(), below[..., 0].ravel())
    assert kept[0, 1] > 0.99


def test_layers_of_other_dimensions_and_units_may_come(viewer, qtbot, gray, messages):
    widget = open_dock(viewer)
    widget.show_preview.value = True
    viewer.add_image(gray, units=("um", "um"), axis_labels=("y", "x"))
    stack = np.stack(pictures(gray), axis=-1)
    layer = viewer.add_image(stack, rgb=False, axis_labels=("y", "x", "z"))
    viewer.layers[0].units = ("pixel", "pixel")
    viewer.add_image(gray, units=("s", "um"))
    widget.layers.value = [layer]
    assert widget.run.enabled
    widget.show_preview.value = False
    run(widget, qtbot)
    assert viewer.layers[-1].data.shape == (70, 90, 3, 3)
    assert all("Inconsistent units" in text for text in messages)  # napari's own


def test_a_plane_is_found_where_layers_have_other_units(viewer, qtbot, gray):
    stack = np.stack(pictures(gray))
    layer = viewer.add_image(stack, contrast_limits=(0, 255), units=("um",) * 3)
    viewer.add_image(gray, units=("nm", "nm"), scale=(100, 100))
    viewer.dims.set_point(0, 2000)
    widget = open_dock(viewer)
    widget.layers.value = [layer]
    widget.form.planes.value = "current plane"
    run(widget, qtbot)
    expected = colorize(pictures(gray)[2], MODEL)
    assert_same(viewer.layers[-1].data[0], expected)


@pytest.fixture
def files(tmp_path, gray):
    """A lazy stack of planes, and the files it is read from."""
    paths = [tmp_path / f"plane {i}.npy" for i in range(8)]
    plane = np.tile(gray, (2, 2))
    for path in paths:
        np.save(path, plane)
    read = delayed(np.load)
    lazy = [da.from_delayed(read(path), plane.shape, plane.dtype) for path in paths]
    return da.stack(lazy), paths


def test_a_layer_that_cannot_be_read_is_named(viewer, qtbot, files, messages):
    lazy, paths = files
    viewer.add_image(lazy.astype("u2"), name="lazy", contrast_limits=(0, 255))
    widget = open_dock(viewer)
    paths[5].unlink()
    run(widget, qtbot)
    (message,) = messages
    assert message.startswith("The layer 'lazy' cannot be read: ")
    assert "plane 5.npy" in message and "report" not in message
    assert widget.status.value == message and widget.run.enabled
    made = viewer.layers[-1].metadata["colorgan"]  # of what could be read
    assert not made["complete"] and made["why"] == message
    colorful = np.ptp(viewer.layers[-1].data, axis=-1).max((1, 2)) > 5
    assert colorful.tolist() == [True] * 5 + [False] * 3


def test_an_error_in_the_middle_is_kept_with_the_result(viewer, qtbot, files, messages):
    lazy, paths = files
    viewer.add_image(lazy, name="lazy", contrast_limits=(0, 255))
    widget = open_dock(viewer)
    widget.form.tile.value = 448
    widget.run.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=ENOUGH)
    made = viewer.layers[-1].metadata["colorgan"]
    assert not made["complete"] and made["why"] == "in progress"
    paths[-1].unlink()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    made = viewer.layers[-1].metadata["colorgan"]
    assert made["model"] == MODEL and not made["complete"]
    assert "plane 7.npy" in made["why"] and made["why"] == widget.status.value


def test_a_preview_that_fails_says_so_until_one_succeeds(viewer, qtbot, files, gray):
    lazy, paths = files
    broken = viewer.add_image(lazy, name="lazy", contrast_limits=(0, 255))
    good = viewer.add_image(gray, name="good")
    widget = open_dock(viewer)
    for path in paths:
        path.unlink()
    widget.layers.value = [broken]
    widget.show_preview.value = True
    said = "The layer 'lazy' cannot be read"
    qtbot.waitUntil(lambda: said in widget.preview.text, timeout=ENOUGH)
    widget.layers.value = [good]
    qtbot.waitUntil(lambda: widget.preview.has_picture, timeout=ENOUGH)
    assert not widget.preview.text


def test_how_a_run_ended_stays_said_beside_the_preview(viewer, qtbot, gray):
    viewer.add_image(gray, name="scan")
    widget = open_dock(viewer)
    widget.show_preview.value = True
    run(widget, qtbot)
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)  # the preview is made anew
    assert widget.preview.has_picture and widget.status.value.startswith("Done in ")


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
    assert any("10 pixels have no value" in text for text in messages)
    assert not viewer.layers[-1].data[10:12, 10:15].any()


def test_dask_and_multiscale_layers(viewer, qtbot, gray):
    viewer.add_image(da.from_array(gray, chunks=100), name="lazy")
    widget = open_dock(viewer)
    run(widget, qtbot)
    limits = viewer.layers["lazy"].contrast_limits
    expected = colorize(gray, MODEL, limits=tuple(limits))
    assert_same(viewer.layers[-1].data, expected)
    pyramid = viewer.add_image([gray, gray[::2, ::2]], multiscale=True, name="pyramid")
    widget.layers.value = [pyramid]
    run(widget, qtbot)
    assert viewer.layers[-1].data.shape == (*gray.shape, 3)


def test_a_large_result_is_drawn_in_sizes_and_is_one_array(
    viewer, qtbot, gray, monkeypatch
):
    for name in ("AT_ONCE", "LARGE"):
        monkeypatch.setattr(levels, name, gray.size // 3)
    viewer.add_image(gray, name="large")
    widget = open_dock(viewer)
    widget.visible.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2 and not widget.busy, timeout=ENOUGH)
    result = viewer.layers[-1]
    assert [each.shape[1] for each in result.data[:2]] == [320, 160]
    run(widget, qtbot)
    assert np.asarray(result.data).shape == (*gray.shape, 3)
    assert is_colored(result.data) and is_colored(result.data[1])
    np.testing.assert_array_equal(result.data[1], result.data[:, :][::2, ::2])


def test_a_preview_appears_and_the_last_request_wins(viewer, qtbot, gray):
    viewer.add_image(gray, name="one")
    widget = open_dock(viewer)
    assert not widget.preview.isVisibleTo(widget)
    widget.show_preview.value = True
    assert widget.preview.isVisibleTo(widget)  # its place is kept
    qtbot.waitUntil(lambda: widget.preview.has_picture, timeout=ENOUGH)

    def chroma() -> int:
        picture = widget.preview.grab().toImage()
        across = range(picture.width() // 4, picture.width() * 3 // 4, 5)
        colors = [picture.pixelColor(x, 60).getRgb()[:3] for x in across]
        return max(max(color) - min(color) for color in colors)

    assert chroma() > 8
    QTest.keyClick(widget.preview, Qt.Key.Key_Right)
    assert widget.preview.split == pytest.approx(0.55)
    widget.preview.move_split(1.0)
    assert chroma() == 0  # the divider itself is beyond
    widget.show_preview.value = False
    assert not widget.preview.isVisibleTo(widget)


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
    assert_same(results[0.35], own)
    chroma = {key: np.ptp(rgb, axis=-1).mean() for key, rgb in results.items()}
    assert chroma[0.0] < chroma[0.35] < chroma[1.0]


def test_the_preview_follows_vividness(viewer, qtbot, gray, unsure):
    viewer.add_image(gray)
    widget = open_dock(viewer)
    widget.model.value = UNSURE

    def chroma() -> float:
        picture = widget.preview.grab().toImage()
        right = picture.width() // 2 + 20  # of the divider
        middle = [picture.pixelColor(right, y) for y in range(10, 200)]
        return float(np.ptp([color.getRgb()[:3] for color in middle], axis=1).mean())

    widget.form.vividness.value = 0.0
    widget.show_preview.value = True
    qtbot.waitUntil(lambda: widget.preview.has_picture, timeout=ENOUGH)
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
    viewer.window.remove_dock_widget(widget)
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

    viewer.window.remove_dock_widget(widget)
    widget = reopened()
    assert widget.model.value == UNSURE
    assert widget.form.vividness.value == pytest.approx(0.8, abs=1e-6)
    widget.form.vividness.value = 0.35  # the model's own again: nothing to remember
    run(widget, qtbot)
    assert (
        "vividness" not in json.loads(dock_settings.settings_file().read_text())["last"]
    )


@pytest.mark.parametrize("stored", [{MODEL: 0.8}, {UNSURE: 7}, {UNSURE: "red"}, 0.8])
def test_a_vividness_that_is_not_for_this_model_is_not_used(viewer, unsure, stored):
    dock_settings.save_settings({"model": UNSURE, "vividness": stored})
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    assert widget.model.value == UNSURE
    assert widget.form.vividness.value == pytest.approx(0.35, abs=1e-6)


def test_preferences_changed_later_win_over_what_was_used_last(viewer, gray):
    dock_settings.save_settings({"device": "cpu", "tile": 512})
    saved = json.loads(dock_settings.settings_file().read_text())
    assert dock_settings.load_settings()["tile"] == 512
    saved["preferences"]["tile"] = 2048  # what preferences were at that time
    dock_settings.settings_file().write_text(json.dumps(saved))
    assert dock_settings.load_settings()["tile"] == 1152


@pytest.mark.parametrize("damage", ["", "[]", '{"last": 3}', "{"])
def test_damaged_settings_count_as_none(viewer, damage):
    dock_settings.settings_file().write_text(damage)
    assert dock_settings.load_settings() == dock_settings.preferences()


PLACED = {
    "scale": (3, 0.5, 0.25),
    "translate": (10, 3, 4),
    "rotate": (0, 0, 20),
    "affine": [[1, 0, 0, 0], [0, 1, 0.2, 5], [0, 0, 1, 6], [0, 0, 0, 1]],
    "units": ("um", "nm", "nm"),
    "axis_labels": ("t", "y", "x"),
}
LAST = {
    "scale": (0.5, 0.25, 3),
    "translate": (3, 4, 10),
    "affine": [[1, 0, 0, 5], [0, 2, 0, 6], [0, 0, 1, 0], [0, 0, 0, 1]],
    "units": ("nm", "nm", "um"),
    "axis_labels": ("y", "x", "z"),
}


@pytest.mark.parametrize(
    ("limits", "planes", "place"),
    [
        ("as displayed", "whole stack", PLACED),
        ("as displayed, inverted", "whole stack", LAST),
        ("as displayed, inverted", "current plane", LAST),
        ("percentiles", "current plane", PLACED),
    ],
)
def test_copy_as_python_makes_the_same_layer(
    viewer, qtbot, gray, limits, planes, place
):
    stack = np.stack([gray[:40, :60] * 3.0, 255.0 - gray[:40, :60]])
    layer = viewer.add_image(
        stack if place is PLACED else np.moveaxis(stack, 0, -1),
        name="it's a stack",
        contrast_limits=(10, 200),
        gamma=1.2,
        colormap="gray_r" if "inverted" in limits else "gray",
        **place,
    )
    widget = open_dock(viewer)
    widget.form.planes.value = planes
    widget.form.limits.value = limits.split(",")[0]
    if place is LAST:
        viewer.dims.order = (2, 0, 1)
    viewer.dims.set_current_step(0 if place is PLACED else 2, 1)
    run(widget, qtbot)
    result = viewer.layers[-1]
    widget.layers.value = [layer]
    widget.copy.native.click()
    exec(QApplication.clipboard().text(), {"viewer": viewer})
    again = viewer.layers[-1]
    assert again is not result and again.rgb
    assert_same(again.data, result.data)
    for what in ("scale", "translate", "rotate", "shear", "affine"):
        np.testing.assert_allclose(getattr(again, what), getattr(result, what))
    assert again.units == result.units and again.axis_labels == result.axis_labels
    assert viewer.dims.units is not None  # napari drops those that do not fit


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
    assert_same(names["rgb"], result)


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
    assert not widget.models._examples.isVisibleTo(widget)
    icon = icon_of(widget, UNSURE)
    assert icon.width() == icon.height()
    for x in (2, icon.width() - 3):  # the first example, nothing of the second
        color = icon.pixelColor(x, 10)
        assert color.red() > 200 and color.blue() < 60
    widget.model.value = UNSURE
    examples = widget.models._examples
    assert examples.isVisibleTo(widget)
    assert examples.sizeHint().width() == 2 * examples.sizeHint().height()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>'


@pytest.mark.parametrize("content", [b"no picture", SVG])
def test_a_picture_that_cannot_be_read_is_left_out(viewer, home, content):
    (home / "models" / f"{MODEL}.jpg").write_bytes(content)
    widget = open_dock(viewer)
    assert icon_of(widget, MODEL) is None
    assert not widget.models._examples.isVisibleTo(widget)


def test_a_model_that_comes_later_is_offered_with_its_picture(viewer, home, tiny):
    widget = open_dock(viewer)
    save(tiny, home / "models" / "later.safetensors")
    strip(home / "models" / "later.jpg", (230, 20, 20))
    widget.choose_model("later")
    assert widget.model.value == "later"
    assert icon_of(widget, "later") is not None
    assert widget.models._examples.isVisibleTo(widget)


def test_the_result_is_redrawn_seldom_and_only_where_it_is_seen(viewer, gray):
    layer = viewer.add_image(np.stack([gray, gray]))
    times = iter([0.0, 0.05, 0.1, 5.0, 5.05, 5.5, 5.5, 5.6, 5.6])
    axes = PlaneAxes.last(3)
    viewer.dims.set_current_step(0, 0)
    here = View.of(viewer)
    refresher = Refresher(layer, axes, clock=lambda: next(times))
    assert refresher.changed((0,), here)  # at 0, takes 0.05 s
    assert not refresher.changed((0,), here)  # 0.1: too soon
    assert refresher.changed((0,), here)  # 5.0, takes 0.05 s, next after 5.55
    assert not refresher.changed((0,), here)  # 5.5
    assert not refresher.changed((1,), here)  # another plane is shown
    viewer.dims.order = (1, 0, 2)  # now a line of each is shown
    assert refresher.changed((1,), View.of(viewer))  # 5.6


def test_drawing_a_large_result_counts_too(viewer):
    layer = viewer.add_image(np.zeros((4000, 5000, 3), np.uint8), rgb=True)
    times = iter([0.0, 0.0, 1.0, 2.0, 2.0])
    refresher = Refresher(layer, PlaneAxes.last(2), clock=lambda: next(times))
    here = View.of(viewer)
    drawn = [refresher.changed((), here) for _ in range(3)]  # at 0, 1 and 2 s
    assert drawn == [True, False, True]  # 20 megapixels take 0.2 s to draw


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
