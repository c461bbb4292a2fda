"""What is seen of a layer gets its colours with one click."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image

from napari_colorgan import colorize
from napari_colorgan.inference.live import PiecePainted
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.widgets.colorize import visible
from napari_colorgan.widgets.colorize.results import Result, Results
from napari_colorgan.widgets.colorize.studio import Asked
from napari_colorgan.widgets.parts.layers import read_source
from napari_colorgan.widgets.parts.levels import corners
from napari_colorgan.widgets.parts.world import View

MODEL = "listening"
ENOUGH = 60_000  # ms; for what takes a second on an idle machine


@pytest.fixture
def viewer(home, viewer):
    viewer.show()
    return viewer


def open_dock(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    widget.show_preview.value = False
    widget.model.value = MODEL
    return widget


def look_at(viewer, qtbot, center, zoom):
    """Turn the camera; return rows and columns that are seen of the last layer."""
    layer = viewer.layers[-1]
    before = layer.corner_pixels.copy()
    viewer.scene.camera.zoom, viewer.scene.camera.center = zoom, center
    qtbot.waitUntil(lambda: (layer.corner_pixels != before).any(), timeout=ENOUGH)
    low, high = layer.corner_pixels[:, -2:]
    return tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))


def click(widget, qtbot, layer="scan"):
    """Press the button; return the result once it is painted."""
    widget.visible.native.click()
    layers, name = widget._viewer.layers, f"{layer} colorized"
    qtbot.waitUntil(
        lambda: name in layers and "model" in layers[name].metadata["colorgan"],
        timeout=ENOUGH,
    )
    return layers[name]


def test_what_is_seen_and_nothing_else_has_the_colours_of_a_run(viewer, qtbot, camera):
    viewer.add_image(camera, name="scan", contrast_limits=(0, 255), scale=(2, 2))
    widget = open_dock(viewer)
    widget.form.live.value = False  # this button is for now, not for later
    seen = look_at(viewer, qtbot, (60, 90), 8)
    assert 20 < seen[0].stop - seen[0].start < 120
    result = click(widget, qtbot)
    whole = colorize(camera, MODEL)
    expected = np.repeat(camera[..., None], 3, -1)
    expected[seen] = whole[seen]
    assert np.abs(result.data.astype(int) - expected).max() <= 1
    assert tuple(result.scale) == (2, 2)
    made = result.metadata["colorgan"]
    assert not made["complete"] and made["why"] == "only what was seen has colours"

    seen = look_at(viewer, qtbot, (100, 200), 9)
    widget.visible.native.click()
    expected[seen] = whole[seen]
    qtbot.waitUntil(
        lambda: np.abs(result.data.astype(int) - expected).max() <= 1, timeout=ENOUGH
    )
    widget.run.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    assert len(viewer.layers) == 2  # the rest of the same
    assert np.abs(result.data.astype(int) - whole).max() <= 1
    assert result.metadata["colorgan"]["complete"]


def test_what_is_seen_of_a_plane_of_a_stack(viewer, qtbot, camera):
    stack = np.stack([camera, camera[::-1], camera[:, ::-1]])
    viewer.add_image(stack, name="stack", contrast_limits=(0, 255))
    viewer.dims.set_current_step(0, 1)
    widget = open_dock(viewer)
    seen = look_at(viewer, qtbot, (0, 60, 80), 6)
    result = click(widget, qtbot, "stack")
    expected = np.repeat(stack[1][..., None], 3, -1)
    expected[seen] = colorize(camera[::-1], MODEL)[seen]
    assert np.abs(result.data[1].astype(int) - expected).max() <= 1
    for other in (0, 2):
        assert (result.data[other] == stack[other][..., None]).all()


def test_where_nothing_is_seen_a_sentence_says_so(viewer, qtbot, camera, messages):
    viewer.add_image(np.stack([camera] * 2), name="scan")
    widget = open_dock(viewer)
    viewer.dims.ndisplay = 3
    widget.visible.native.click()
    assert messages == ["Show the layer in 2D to colour what is seen of it."]
    viewer.dims.ndisplay = 2
    look_at(viewer, qtbot, (0, 2000, 2000), 9)
    widget.visible.native.click()
    qtbot.waitUntil(lambda: not widget.busy, timeout=ENOUGH)
    assert messages[1:] == ["Nothing of 'scan' is in view."]


def test_what_is_seen_of_a_coarse_level_counts_in_full_resolution(camera):
    layer = Image([camera, camera[::2, ::2], camera[::4, ::4]], multiscale=True)
    layer.data_level = 1
    layer.corner_pixels = np.array([[10, 5], [19, 69]])
    assert corners(layer).tolist() == [[20, 10], [39, 139]]


def test_what_is_seen_of_a_large_picture_is_drawn_while_it_is_painted(camera):
    viewer = ViewerModel()
    gray = viewer.add_image(camera)
    canvas = np.repeat(camera[..., None], 3, -1)
    shown = viewer.add_image(canvas, rgb=True, metadata={"colorgan": {}})
    source = read_source(gray, View.of(viewer), "full range", "whole stack")
    results, drawn = Results(viewer), []
    results.note(gray, Result(shown, canvas, source))
    shown.events.set_data.connect(lambda: drawn.append(None))
    asked = Asked(source, ColorizerSettings(model=MODEL), None, None, 320)
    for done in (1, 2):
        piece = PiecePainted(done, 9, (slice(9), slice(9)), canvas[:9, :9])
        results.paint(gray, piece, asked, {"model": MODEL})
        assert len(drawn) == done


def test_what_does_not_fit_into_memory_is_for_as_you_look(
    viewer, camera, messages, monkeypatch
):
    needed = []
    monkeypatch.setattr(visible, "fits_memory", lambda n: needed.append(n) or False)
    viewer.add_image(np.stack([camera] * 3), name="slide")
    widget = open_dock(viewer)
    widget.visible.native.click()
    (message,) = messages
    assert "does not fit into memory" in message and "as you look" in message
    assert needed == [9 * camera.size]
    assert len(viewer.layers) == 1 and not widget.busy
