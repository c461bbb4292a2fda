"""Results leave napari whole: through its Save dialog, and through our button."""

import errno
import os
from pathlib import Path

import dask.array as da
import napari_builtins
import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel
from napari.layers import Image
from npe2 import PluginManifest
from qtpy.QtWidgets import QFileDialog

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import PixelSize, read_image, tags
from napari_colorgan.image_io.growing import GrowingFile
from napari_colorgan.image_io.ome_zarr_levels import OmeZarrLevels
from napari_colorgan.job import finish
from napari_colorgan.widgets.colorize import saving
from napari_colorgan.widgets.colorize.dock import ColorizeWidget
from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.parts import levels
from napari_colorgan.widgets.parts.layers import add_result

OURS = "napari-colorgan"
MADE = {"model": "tiny", "digest": "abc", "complete": True}
NAMES = ["a.png", "a.jpg", "a.tif", "a.ome.tif"]
ENOUGH = 60_000  # ms


@pytest.fixture
def builtins(plugin_settings, npe2pm) -> None:
    """napari's own writers; before ours, as in a real session."""
    manifest = Path(napari_builtins.__file__).parent / "builtins.yaml"
    npe2pm.register(PluginManifest.from_file(manifest))


@pytest.fixture
def viewer(builtins, plugin) -> ViewerModel:
    """Viewer without a window, which knows napari's writers and ours."""
    return ViewerModel()


@pytest.fixture
def window(builtins, plugin, make_napari_viewer):
    """Viewer with a window and its dialogs."""
    return make_napari_viewer()


def add(viewer, rgb, name="a colorized", **options) -> Image:
    """Add a layer as a run does, with its record."""
    layer = add_result(viewer, rgb, {"name": name} | options)
    layer.metadata[LAYER_KEY] = dict(MADE)
    viewer.layers.selection = {layer}
    return layer


def save_by_dialog(viewer, path: Path, writer: str, monkeypatch, *, selected=True):
    """Save as a user does in napari's dialog: a name, and a type of the list."""

    def ask(_parent, _caption, _folder, filter, **_):  # noqa: A002
        return str(path), next(k for k in filter.split(";;") if k.startswith(writer))

    monkeypatch.setattr(QFileDialog, "getSaveFileName", staticmethod(ask))
    viewer.window._qt_viewer._save_layers_dialog(selected=selected)


@pytest.mark.parametrize("writer", ["napari builtins lossless", OURS])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_large_result_is_saved_whole(
    window, photo, tmp_path, monkeypatch, name, writer
):
    for limit in ("AT_ONCE", "LARGE"):
        monkeypatch.setattr(levels, limit, photo[..., 0].size)
    large = np.tile(photo, (2, 2, 1))
    assert add(window, large).multiscale
    save_by_dialog(window, tmp_path / name, writer, monkeypatch)
    np.testing.assert_array_equal(read_image(tmp_path / name).array, large)


@pytest.mark.parametrize("name", NAMES)
def test_pixel_size_and_record_are_saved(viewer, photo, tmp_path, name):
    add(viewer, photo, scale=(0.2, 0.25), units=("mm", "mm"))
    viewer.layers.save(tmp_path / name, plugin=OURS)
    image = read_image(tmp_path / name)
    assert image.tags.made == image.tags.made | MADE | {"note": tags.NOTE}
    inch, known = 25.4, image.pixel_size
    factor = inch if known.unit == "in" else 1.0
    assert known.unit == ("in" if name in ("a.png", "a.jpg") else "mm")
    sizes = (known.y * factor, known.x * factor)
    assert sizes == pytest.approx((0.2, 0.25), rel=5e-3)  # JPEG has whole dpi
    if name != "a.jpg":
        np.testing.assert_array_equal(image.array, photo)


def test_napari_chooses_our_writer_for_ome(viewer, photo, tmp_path):
    add(viewer, photo, scale=(0.5, 0.5), units=("um", "um"))
    viewer.layers.save(tmp_path / "a.ome.tif")
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.is_ome
    assert read_image(tmp_path / "a.ome.tif").pixel_size.unit == "µm"


@pytest.mark.parametrize(
    ("axes", "options", "letters", "size"),
    [
        ("TYX", {"scale": (3, 2, 2), "units": ("ms", "um", "um")}, "T",
         PixelSize(y=2, x=2, unit="µm", t=0.003)),
        ("ZYX", {"scale": (3, 2, 1), "units": ("um", "um", "nm")}, "Z",
         PixelSize(y=2000, x=1, unit="nm", z=3000)),
        ("named", {"axis_labels": ("z", "y", "x"), "scale": (3, 2, 2)}, "Z",
         PixelSize(y=2, x=2, unit="pixel", z=3)),
        ("turned", {"axis_labels": ("y", "x", "z"), "scale": (2, 4, 3),
                    "units": ("um", "um", "um")}, "Z",
         PixelSize(y=2, x=4, unit="µm", z=3)),
        ("plain", {}, "T", None),
    ],
)  # fmt: skip
def test_stacks_keep_axes_and_sizes(
    viewer, photo, tmp_path, axes, options, letters, size
):
    stack = np.stack([photo, photo[::-1], photo[:, ::-1]])
    shown = stack.transpose(1, 2, 0, 3) if axes == "turned" else stack
    add(viewer, shown, **options)
    viewer.layers.save(tmp_path / "a.tif", selected=True, plugin=OURS)
    image = read_image(tmp_path / "a.tif")
    assert image.axes == f"{letters}YXS"
    np.testing.assert_array_equal(image.array, stack)
    if size is None:
        assert image.pixel_size is None
    else:
        found = image.pixel_size
        assert (found.unit, found.z, found.t) == (size.unit, size.z, size.t)
        assert (found.y, found.x) == pytest.approx((size.y, size.x))


def test_layers_of_others(viewer, photo, tmp_path):
    """RGB without a record, several levels, dask; all else is napari's to write."""
    viewer.add_image([photo, photo[::2, ::2]], rgb=True, multiscale=True, name="a")
    viewer.add_image(da.from_array(photo[::-1], chunks=100), rgb=True, name="b")
    for name, expected in (("a", photo), ("b", photo[::-1])):
        viewer.layers.selection = {viewer.layers[name]}
        viewer.layers.save(tmp_path / f"{name}.png", selected=True, plugin=OURS)
        image = read_image(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(image.array, expected)
        assert image.tags.made is None
    deep = photo.astype(np.uint16) * 257
    alpha = np.dstack([photo, photo[..., :1]])
    gray = photo[..., 0]
    for name, array in (("gray", gray), ("deep", deep), ("alpha.ome", alpha)):
        layer = viewer.add_image(array, rgb=array.ndim == 3, name=name)
        viewer.layers.selection = {layer}
        viewer.layers.save(tmp_path / f"{name}.tif", selected=True, plugin=OURS)
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"{name}.tif"), array)


def test_all_layers_into_a_folder(window, photo, tmp_path, monkeypatch):
    window.add_image(photo[..., 0], name="slide 1/2")
    add(window, photo, name="slide 1/2 colorized")
    add(window, photo[::-1], name="slide 1:2 colorized")
    folder = tmp_path / "new"
    save_by_dialog(
        window, folder, f"{OURS} with pixel sizes", monkeypatch, selected=False
    )
    assert sorted(os.listdir(folder)) == [
        "slide 1_2 colorized-2.tif",
        "slide 1_2 colorized.tif",
        "slide 1_2.tif",
    ]
    image = read_image(folder / "slide 1_2 colorized-2.tif")
    np.testing.assert_array_equal(image.array, photo[::-1])
    assert image.tags.made["model"] == "tiny"


def test_what_cannot_be_written_gives_a_sentence(viewer, photo, tmp_path):
    add(viewer, np.stack([photo, photo]))
    with pytest.raises(BadImageFile, match=r"one plane, but the result has 2.*\.tif"):
        viewer.layers.save(tmp_path / "a.png", selected=True, plugin=OURS)
    add(viewer, np.zeros((2, 66_000, 3), np.uint8))
    with pytest.raises(BadImageFile, match=r"at most 65500 px.*\.tif"):
        viewer.layers.save(tmp_path / "a.jpg", selected=True, plugin=OURS)
    with pytest.raises(BadImageFile, match=r"No such file.*Choose a folder"):
        viewer.layers.save(tmp_path / "no" / "a.tif", selected=True, plugin=OURS)
    assert os.listdir(tmp_path) == []


def test_a_name_without_a_type_becomes_a_tiff(window, photo, tmp_path, monkeypatch):
    add(window, photo)
    for _ in range(2):
        save_by_dialog(window, tmp_path / "slide 2.5", OURS, monkeypatch)
    assert sorted(os.listdir(tmp_path)) == ["slide 2.5-2.tif", "slide 2.5.tif"]


def test_a_record_of_somebody_else_is_no_obstacle(viewer, photo, tmp_path):
    add(viewer, photo).metadata[LAYER_KEY] = [object()]
    viewer.layers.save(tmp_path / "a.tif", selected=True, plugin=OURS)
    assert "object" in read_image(tmp_path / "a.tif").tags.made["record"]


# The button


@pytest.fixture
def answer(monkeypatch):
    """What the user answers to the button's question, and what it was."""
    asked = {"answer": ("", "")}

    def ask(_parent, caption, suggested, kinds, kind):
        asked.update(suggested=Path(suggested), kind=kind)
        return asked["answer"]

    monkeypatch.setattr(QFileDialog, "getSaveFileName", staticmethod(ask))
    return asked


def click(widget, qtbot) -> None:
    widget.save.native.click()
    qtbot.waitUntil(lambda: not widget.save._jobs.busy, timeout=ENOUGH)


def test_the_button_saves_the_result(viewer, photo, tmp_path, qtbot, answer, messages):
    widget = ColorizeWidget(viewer)
    qtbot.addWidget(widget)
    assert not widget.save.enabled
    viewer.add_image(photo, rgb=True, name="somebody's")
    widget.reset_choices()
    assert not widget.save.enabled
    training = {LAYER_KEY: {"preview": True}}
    viewer.add_image(photo, rgb=True, name="training preview", metadata=training)
    widget.reset_choices()
    assert not widget.save.enabled
    add(viewer, photo, name="leaf? colorized")
    widget.reset_choices()
    assert widget.save.enabled
    click(widget, qtbot)  # and think better of it
    assert os.listdir(tmp_path) == []
    assert answer["suggested"].name == "leaf_ colorized.png"
    answer["answer"] = (str(tmp_path / "leaf"), "TIFF (*.tif *.tiff)")
    click(widget, qtbot)
    assert os.listdir(tmp_path) == ["leaf.tif"]
    assert any("leaf.tif" in text for text in messages)
    image = read_image(tmp_path / "leaf.tif")
    np.testing.assert_array_equal(image.array, photo)
    assert image.tags.made["model"] == "tiny"


def test_the_button_saves_the_active_result(viewer, photo, tmp_path, qtbot, answer):
    first = add(viewer, photo, scale=(0.5, 0.5), units=("um", "um"))
    add(viewer, photo[::-1], name="b")
    viewer.layers.selection = {first}
    widget = ColorizeWidget(viewer)
    qtbot.addWidget(widget)
    answer["answer"] = (str(tmp_path / "a.png"), "PNG (*.png)")
    click(widget, qtbot)
    assert answer["suggested"].suffix == ".tif"  # which keeps micrometres
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").array, photo)


def test_a_failing_button_says_why(viewer, photo, tmp_path, qtbot, answer, messages):
    add(viewer, photo)
    widget = ColorizeWidget(viewer)
    qtbot.addWidget(widget)
    answer["answer"] = (str(tmp_path / "no" / "a.tif"), "TIFF (*.tif *.tiff)")
    click(widget, qtbot)
    assert any("Choose a folder that exists" in text for text in messages)
    assert widget.save.enabled


def test_no_store_that_is_read_is_replaced(
    viewer, photo, tmp_path, qtbot, answer, messages
):
    array = zarr.create_array(tmp_path / "g.zarr", data=photo[..., 0], chunks=(64, 64))
    lazy = da.from_zarr(tmp_path / "g.zarr").rechunk(50)
    blocks = read_image(tmp_path / "g.zarr", by_blocks=True).array
    (tmp_path / "link").symlink_to(tmp_path)
    add(viewer, photo)
    widget = ColorizeWidget(viewer)
    qtbot.addWidget(widget)
    answer["answer"] = (str(tmp_path / "link" / "g.zarr"), "OME-Zarr (*.zarr)")
    for gray in (array, lazy, lazy.map_blocks(np.negative), blocks):
        layer = viewer.add_image(gray, contrast_limits=(0, 255))
        messages.clear()
        click(widget, qtbot)
        assert any("is read from" in text for text in messages)
        viewer.layers.remove(layer)
    assert np.array_equal(array[...], photo[..., 0])
    click(widget, qtbot)  # nobody reads it any longer
    assert np.array_equal(read_image(tmp_path / "g.zarr").array, photo)
    assert sorted(os.listdir(tmp_path)) == ["g.zarr", "link"]


def test_of_a_store_that_fills_the_disk_nothing_is_kept(photo, tmp_path, monkeypatch):
    write = OmeZarrLevels.write

    def full(self, level, index, region, rgb):
        if region[1].start:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, level, index, region, rgb)

    monkeypatch.setattr(OmeZarrLevels, "write", full)
    wide = np.tile(photo, (1, 4, 1))
    data, attributes, _ = Image(wide, rgb=True).as_layer_data_tuple()
    with pytest.raises(BadImageFile, match=r"No space left.*Nothing of it is kept"):
        finish(saving.save_job(tmp_path / "a.zarr", data, attributes))
    assert not os.listdir(tmp_path)


def test_a_failed_save_keeps_the_store_that_was_there(photo, tmp_path, monkeypatch):
    zarr.create_array(tmp_path / "a.zarr", data=photo[..., 0])
    data, attributes, _ = Image(photo, rgb=True).as_layer_data_tuple()
    job = saving.save_job(tmp_path / "a.zarr", data, attributes)
    monkeypatch.setattr(GrowingFile, "complete", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        finish(job)
    assert os.listdir(tmp_path) == ["a.zarr"]
    assert np.array_equal(read_image(tmp_path / "a.zarr").array, photo[..., 0])


def test_a_stopped_save_leaves_nothing(photo, tmp_path):
    layer = Image(np.stack([photo, photo]), rgb=True)
    data, attributes, _ = layer.as_layer_data_tuple()
    job = saving.save_job(tmp_path / "a.tif", data, attributes)
    next(job)
    with pytest.raises(saving.Stopped, match="was not saved"):
        job.send(saving.STOP)
    assert os.listdir(tmp_path) == []
