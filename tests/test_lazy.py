"""Lazy results have the pixels of `colorize`, whatever their chunks and scheduler."""

import pickle
from dataclasses import replace

import dask
import dask.array
import numpy as np
import pytest
import zarr

from napari_colorgan import Hints, Palette, Source, colorize, colorize_lazy
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import (
    BadArray,
    BadSetting,
    CheckpointError,
    ColorSource,
)
from napari_colorgan.inference import travelling
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.lazy import as_array, planned
from napari_colorgan.inference.planes import only_planes
from napari_colorgan.inference.tiling import Tiling

TILE = Tiling(192, 32, 32)


@pytest.fixture(scope="module")
def path(make_checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save(make_checkpoint("compact"), path)
    return path


@pytest.fixture(scope="module")
def listening(make_listening, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "listening.safetensors"
    save(make_listening(0.1), path)
    return path


def colorizer_of(path, **options):
    """One with windows so small that there are many."""
    colorizer = Colorizer(path, **options)
    colorizer.tiling = TILE
    return colorizer


def difference(a, b):
    a, b = (np.asarray(each).astype(int) for each in (a, b))
    assert a.shape == b.shape
    return np.abs(a - b).max()


@pytest.mark.parametrize("context", ["whole", "local"])
def test_lazy_colors_are_those_of_colorize(gray, path, context):
    colorizer = colorizer_of(path, context=context)
    lazy = colorize_lazy(gray, colorizer, chunks=(100, 90))
    assert lazy.shape == (*gray.shape, 3) and lazy.dtype == np.uint8
    whole = colorize(gray, colorizer)
    assert difference(lazy, whole) <= 1
    assert difference(lazy[150:170, 20:200], whole[150:170, 20:200]) <= 1


@pytest.mark.parametrize("context", ["whole", "local"])
def test_chunks_of_the_input_decide_nothing(gray, path, context, tmp_path):
    stack = np.stack([gray, gray[::-1], gray[:, ::-1]]).astype(np.uint16) * 100
    colorizer = colorizer_of(path, context=context)
    expected = colorize(stack, colorizer, limits=(0, 25000))
    irregular = ((2, 1), (37, 0, 150, 69), (300, 20))
    for array in (
        dask.array.from_array(stack, irregular),
        zarr.create_array(tmp_path / "a.zarr", data=stack, chunks=(1, 64, 128)),
    ):
        lazy = colorize_lazy(array, colorizer, limits=(0, 25000))
        assert lazy.chunks[0] == (1, 1, 1)
        assert difference(lazy, expected) <= 1


def test_axes_and_equal_samples_are_understood(gray, path):
    rgb = np.repeat(gray[..., None], 3, axis=-1)
    colorizer = colorizer_of(path, context="local")
    expected = colorize(gray, colorizer)
    assert difference(colorize_lazy(rgb, colorizer), expected) <= 1
    turned = dask.array.from_array(gray.T, (90, 90))
    assert difference(colorize_lazy(turned, colorizer, axes="XY"), expected) <= 1


def test_some_planes_are_some_chunks(gray, path):
    stack = np.stack([gray, gray[::-1], gray[:, ::-1]])
    colorizer = colorizer_of(path, context="local")
    model = travelling.TravellingModel.of(colorizer.settings, colorizer)
    for array in (stack, dask.array.from_array(stack, (2, 100, 100))):
        source = only_planes(Source.of(array), (range(1, 3),))
        plan = planned(source, model, colorizer)
        assert isinstance(plan.gray.array, dask.array.Array)
        expected = colorize(stack, colorizer)[1:]
        assert difference(as_array(plan), expected) <= 1
        asked = colorize_lazy(array, colorizer, planes=range(1, 3))
        assert difference(asked, expected) <= 1
    with pytest.raises(BadArray, match=r"is a path: 'slide.zarr'.* colorize_file"):
        colorize_lazy("slide.zarr", colorizer)


def test_samples_that_nobody_compared_are_compared(gray, path):
    rgb = np.repeat(gray[..., None], 3, axis=-1)
    colorizer = colorizer_of(path, context="local")
    source = replace(Source.of(rgb), white=255.0)
    model = travelling.TravellingModel.of(colorizer.settings, colorizer)
    plan = planned(source, model, colorizer)
    assert difference(as_array(plan), colorize(gray, colorizer)) <= 1
    rgb[100:, 100:, 0] = 0
    with pytest.raises(ColorSource):
        as_array(planned(source, model, colorizer)).compute()


@pytest.mark.parametrize("context", ["whole", "local"])
def test_lightness_of_a_color_picture_is_used_where_asked_for(photo, path, context):
    colorizer = colorizer_of(path, context=context)
    lazy = colorize_lazy(photo, colorizer, from_color=True)
    assert difference(lazy, colorize(photo, colorizer, from_color=True)) <= 1


@pytest.mark.parametrize("context", ["whole", "local"])
def test_hints_and_palettes_travel(gray, listening, context):
    palette = Palette.tinted(20, -20)
    colorizer = colorizer_of(listening, context=context, palette=palette)
    stack = np.stack([gray, gray])
    hints = Hints([[1, 40, 50], [1, 200, 280]], [[200, 40, 40], [30, 60, 200]])
    lazy = colorize_lazy(stack, colorizer, hints=hints, chunks=100)
    whole = colorize(stack, colorizer, hints=hints)
    assert difference(lazy, whole) <= 1
    assert difference(whole[0], whole[1]) > 1
    assert difference(colorize_lazy(gray, listening, context=context), whole[0]) > 1


def test_networks_that_normalise_by_picture_do_so(gray, make_checkpoint, tmp_path):
    path = tmp_path / "unet.safetensors"
    save(make_checkpoint("unet", statistics="picture"), path)
    colorizer = colorizer_of(path, context="local")
    assert difference(colorize_lazy(gray, colorizer), colorize(gray, colorizer)) <= 1


def test_pixels_without_a_value_are_black(gray, path):
    holed = gray / 255
    holed[30:40, 50:60] = np.nan
    lazy = np.asarray(colorize_lazy(holed, path, limits=(0, 1), chunks=64))
    assert not lazy[30:40, 50:60].any() and lazy.any(-1).mean() > 0.9


def test_each_window_is_predicted_once(gray, path, monkeypatch):
    colorizer, seen = colorizer_of(path, context="local"), []
    look = Colorizer._look
    monkeypatch.setattr(
        Colorizer, "_look", lambda *args: seen.append(args) or look(*args)
    )
    travelling._kept.clear()
    lazy = colorize_lazy(gray, colorizer, chunks=64)
    np.asarray(lazy)
    windows = {key for key in lazy.dask if str(key[0]).startswith("window-")}
    assert len(seen) == len(windows) > 3


def test_weights_do_not_travel(gray, path):
    lazy = colorize_lazy(gray, path, chunks=128)
    assert len(pickle.dumps(lazy)) < gray.nbytes + path.stat().st_size / 10
    assert colorize_lazy(gray, path).name != lazy.name


def test_a_process_keeps_few_models(path):
    for working_size in (64, 96, 128, 128):
        colorizer = Colorizer(path, working_size=working_size, context="whole")
        model = travelling.TravellingModel.of(colorizer.settings, colorizer)
        assert model.colorizer().working_size == working_size
    assert len(travelling._kept) == 2
    vivid = replace(model, settings=replace(model.settings, saturation=0.5))
    assert vivid.colorizer().settings.saturation == 0.5
    assert len(travelling._kept) == 2


def test_another_model_of_the_name_is_not_taken(gray, path, make_checkpoint, tmp_path):
    own = tmp_path / "own.safetensors"
    save(make_checkpoint("compact"), own)
    lazy = colorize_lazy(gray, own)
    save(make_checkpoint("compact", seed=1), own)
    travelling._kept.clear()
    with pytest.raises(CheckpointError, match="another model of this name"):
        lazy.compute(scheduler="synchronous")
    own.unlink()
    with pytest.raises(CheckpointError, match="no such model"):
        lazy.compute(scheduler="synchronous")


def test_what_cannot_be_lazy_is_refused(gray, path, make_checkpoint):
    with pytest.raises(BadSetting, match="a checkpoint in memory"):
        colorize_lazy(gray, make_checkpoint("compact"))
    unknown = dask.array.from_array(gray)
    unknown = unknown[unknown[:, 0] > 5]
    with pytest.raises(BadArray, match="compute_chunk_sizes"):
        colorize_lazy(unknown, path)
    with pytest.raises(BadArray, match="empty"):
        colorize_lazy(dask.array.zeros((0, 5)), path)
    with pytest.raises(BadSetting, match="16 px or more"):
        colorize_lazy(gray, path, chunks=5)
    with pytest.raises(BadSetting, match="left out"):
        colorize_lazy(gray, Colorizer(path), vividness=0.5)
