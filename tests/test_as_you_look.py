"""Layers that are coloured as they are looked at, in a viewer."""

import tempfile

import dask.array
import numpy as np
import pytest
import tifffile
import zarr

from napari_colorgan import colorize, save
from napari_colorgan.checkpoints import zoo
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import read_image, temporary
from napari_colorgan.job import finish
from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.colorize.saving import save_job, write_layer
from napari_colorgan.widgets.parts import settings as dock_settings

ENOUGH = 60_000  # ms; for what takes a second on an idle machine


@pytest.fixture
def viewer(make_napari_viewer, plugin, qtbot, tmp_path, monkeypatch, make_checkpoint):
    (tmp_path / "models").mkdir()
    save(
        make_checkpoint("compact", context="local", name="tiny"),
        tmp_path / "models" / "tiny.safetensors",
    )
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    viewer = make_napari_viewer()
    yield viewer
    viewer.layers.clear()


def open_dock(viewer):
    _, dock = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    dock.show_preview.value = False
    dock.model.value = "tiny"
    return dock


def look(dock, qtbot):
    dock.as_you_look.result.value = "as you look"
    before = len(dock._viewer.layers)
    dock.run.native.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=ENOUGH)
    assert len(dock._viewer.layers) == before + 1, dock.status.value
    return dock._viewer.layers[-1]


def is_made(plane):
    return (np.asarray(plane)[..., 3] == 255).all()


def is_gray(plane):
    return is_made(plane) and np.ptp(plane[..., :3].astype(int), axis=-1).max() < 8


def test_the_choice_is_there_for_layers_that_are_not_in_memory(viewer, gray):
    viewer.add_image(gray, name="in memory")
    dock = open_dock(viewer)
    assert dock.as_you_look.native.isHidden()
    lazy = viewer.add_image(dask.array.from_array(gray), name="lazy")
    dock.layers.value = [lazy]
    assert not dock.as_you_look.native.isHidden()
    assert dock.as_you_look.result.value == "now"


def test_a_stack_gets_colors_where_it_is_looked_at(viewer, qtbot, gray, tmp_path):
    stack = np.stack([gray, gray[::-1], gray[:, ::-1]])
    zarr.create_array(tmp_path / "in.zarr", data=stack, chunks=(1, 100, 100))
    source = viewer.add_image(
        dask.array.from_zarr(tmp_path / "in.zarr"), name="lazy", scale=(2, 3, 3)
    )
    viewer.dims.set_current_step(0, 1)
    dock = open_dock(viewer)
    result = look(dock, qtbot)
    assert result.rgb and result.data.shape == (*stack.shape, 4)
    np.testing.assert_allclose(result.scale, source.scale)
    qtbot.waitUntil(lambda: is_made(result.data[1]), timeout=ENOUGH)
    expected = colorize(stack, "tiny")
    assert np.abs(result.data[1][..., :3].astype(int) - expected[1]).max() <= 1
    assert not result.metadata[LAYER_KEY]["complete"]
    viewer.dims.set_current_step(0, 2)
    qtbot.waitUntil(lambda: is_made(result.data[2]), timeout=ENOUGH)
    dock.form.saturation.value = 0.0
    qtbot.waitUntil(lambda: is_gray(result.data[2]), timeout=ENOUGH)
    assert result.metadata[LAYER_KEY]["saturation"] == 0
    dock.form.saturation.value = 1.0
    qtbot.waitUntil(lambda: not is_gray(result.data[2]), timeout=ENOUGH)
    data, attributes, _ = result.as_layer_data_tuple()
    for name in ("in.zarr", "in.zarr/c/b.zarr"):
        with pytest.raises(BadImageFile, match="is read from"):
            finish(save_job(tmp_path / name, data, attributes))
    (path,) = write_layer(str(tmp_path / "saved.tif"), data, attributes)
    saved = tifffile.imread(path)
    assert np.abs(saved.astype(int) - expected).max() <= 1


def test_several_sizes_stay_several_and_end_with_the_layer(viewer, qtbot, gray):
    sizes = [dask.array.from_array(gray[::step, ::step], 100) for step in (1, 2)]
    viewer.add_image(sizes, multiscale=True, name="pyramid")
    dock = open_dock(viewer)
    result = look(dock, qtbot)
    assert result.multiscale
    assert [array.shape for array in result.data] == [(256, 320, 4), (128, 160, 4)]
    shown = result.data[result.data_level]
    qtbot.waitUntil(lambda: is_made(shown[:]), timeout=ENOUGH)
    viewer.layers.remove(result)
    assert not shown[:].any()


def test_a_result_larger_than_memory_is_on_disk_until_it_is_saved(
    viewer, qtbot, gray, tmp_path, monkeypatch
):
    monkeypatch.setattr(temporary, "_memory", lambda: 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    stack = np.stack([np.tile(gray, (3, 3)), np.tile(gray[::-1], (3, 3))])
    viewer.add_image(dask.array.from_array(stack, (1, 300, 300)), name="huge")
    dock = open_dock(viewer)
    dock.run.native.click()
    qtbot.waitUntil(lambda: not dock.busy, timeout=ENOUGH)
    result = viewer.layers[-1]
    assert result.multiscale and result.rgb, dock.status.value
    assert result.metadata[LAYER_KEY]["complete"]
    folders = list(tmp_path.glob(".colorgan-*.tmp"))
    assert len(folders) == 1
    expected = colorize(stack, "tiny")
    assert np.abs(np.asarray(result.data[0]).astype(int) - expected).max() <= 1
    assert result.data[1].shape == (2, 384, 480, 3)
    data, attributes, _ = result.as_layer_data_tuple()
    finish(save_job(tmp_path / "saved.zarr", data, attributes))
    monkeypatch.undo()
    saved = read_image(tmp_path / "saved.zarr")
    assert saved.axes == "TYXS" and saved.tags.made["complete"]
    assert np.array_equal(np.asarray(saved.array), np.asarray(result.data[0]))
