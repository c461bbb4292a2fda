"""Arrays of any kind are coloured completely, alike in parts and as a whole."""

import threading
import time
import warnings
from asyncio import CancelledError
from dataclasses import replace

import dask.array
import numpy as np
import pytest
import torch
import zarr
from skimage import color, data

from napari_colorgan.errors import (
    BadArray,
    BadSetting,
    CheckpointError,
    ColorganError,
    ColorganWarning,
    ColorSource,
    JobFailed,
    OutOfMemory,
    TileTooSmall,
    UnknownModel,
)
from napari_colorgan.inference.colorize import (
    InvalidPixels,
    ModelLoaded,
    TileDone,
    colorize,
    colorize_job,
    colorize_region,
    colorizer_job,
    gray_canvas_job,
    record_of,
)
from napari_colorgan.inference.files import colorize_file
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.source import Source
from napari_colorgan.job import STOP, Control, finish
from napari_colorgan.metrics import colorfulness

REAL = ["?", *np.typecodes["AllInteger"], *np.typecodes["Float"]]
KINDS = {
    "batch": ("unet", {"norm": "batch"}, "stored"),
    "batch of the picture": ("unet", {"norm": "batch"}, "picture"),
    "instance of the picture": ("unet", {"norm": "instance"}, "picture"),
    "no norm": ("unet", {"norm": "none"}, "stored"),
    "deep": ("unet", {"norm": "batch", "depth": 7, "width": 4}, "stored"),
    "compact": ("compact", {}, "stored"),
}


@pytest.fixture(scope="module")
def local(make_colorizer):
    return make_colorizer(context="local")


@pytest.fixture(scope="module")
def whole(make_colorizer):
    return make_colorizer(context="whole", working_size=128)


def difference(a, b):
    return int(np.abs(a.astype(int) - b).max())


def lightness(gray):
    return color.rgb2lab(np.repeat(np.asarray(gray)[..., None], 3, axis=-1))[..., 0]


# -- any array


@pytest.mark.parametrize("code", REAL)
@pytest.mark.parametrize("context", ["local", "whole"])
def test_every_real_type_gets_color_and_keeps_its_lightness(
    gray, local, whole, code, context
):
    dtype = np.dtype(code)
    array = gray[:128, :160]
    if dtype.kind == "b":
        array = array > 127
    else:
        array = (array / (255 if dtype.kind == "f" else 2.5)).astype(dtype)
    result = colorize(array, {"local": local, "whole": whole}[context])
    assert result.shape == (*array.shape, 3)
    assert result.dtype == np.uint8
    if dtype.kind != "b":  # black and white hold no colour
        assert colorfulness(result) > 10
    source = Source.of(array)
    wanted = lightness(source.plane().gray(source.plane().whole))
    assert np.abs(color.rgb2lab(result)[..., 0] - wanted).max() < 2  # 8-bit rounding


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 9), (9, 1), (2, 3), (3, 1000), (700, 2), (129, 255)]
)
@pytest.mark.parametrize("kind", ["batch", "instance of the picture", "compact"])
@pytest.mark.parametrize("context", ["local", "whole"])
def test_every_size_works(make_colorizer, shape, kind, context):
    name, options, statistics = KINDS[kind]
    colorizer = make_colorizer(
        name, options, statistics=statistics, context=context, working_size=64
    )
    array = np.resize(data.camera()[::3, ::3], shape)
    result = colorize(array, colorizer)
    assert result.shape == (*shape, 3)
    assert np.abs(color.rgb2lab(result)[..., 0] - lightness(array)).max() < 2


@pytest.mark.parametrize("leading", [(), (1,), (3,), (2, 1, 2), (1, 1, 1, 1, 1)])
def test_any_number_of_leading_axes(gray, local, leading):
    stack = np.broadcast_to(gray[:60, :70], (*leading, 60, 70))
    result = colorize(stack, local)
    assert result.shape == (*leading, 60, 70, 3)
    one = colorize(gray[:60, :70], local)
    assert (result == one).all()


@pytest.mark.parametrize("letters", ["TZYX", "ZTXY", "YXTZ", "XTYZ"])
def test_axes_in_any_order_give_the_same_colors(gray, local, letters):
    stack = np.stack([gray[i * 30 :, i * 20 :][:40, :50] for i in range(6)])
    stack = stack.reshape(2, 3, 40, 50)
    permuted = stack.transpose(["TZYX".index(c) for c in letters])
    result = colorize(permuted, local, axes=letters)
    expected = colorize(stack, local)
    if letters.index("Z") < letters.index("T"):  # leading axes keep the array's order
        expected = expected.swapaxes(0, 1)
    assert np.array_equal(result, expected)


def test_lazy_arrays_are_colored_like_numpy(gray, local, whole, tmp_path):
    stack = np.stack([gray, gray[::-1]]).astype(np.uint16) * 9
    dask_array = dask.array.from_array(stack, chunks=(1, 50, 50))
    zarr_array = zarr.create_array(tmp_path / "a.zarr", data=stack, chunks=(1, 64, 64))
    for colorizer in (local, whole):
        expected = colorize(stack, colorizer)
        assert np.array_equal(colorize(dask_array, colorizer), expected)
        assert np.array_equal(colorize(zarr_array, colorizer), expected)


def test_a_color_picture_is_refused_or_its_lightness_is_used(photo, local):
    with pytest.raises(ColorSource, match="from_color=True"):
        colorize(photo, local)
    result = colorize(photo, local, from_color=True)
    shift = color.rgb2lab(result)[..., 0] - color.rgb2lab(photo)[..., 0]
    assert np.abs(shift).max() < 2
    assert difference(result, photo) > 50


def test_limits_decide_about_the_gray(gray, local):
    narrow = colorize(gray, local, limits=(100, 110))
    assert not narrow[gray <= 100].any()
    assert (narrow[gray >= 110] == 255).all()


# -- a part is a part of the whole

REGIONS = [
    (slice(0, 256), slice(0, 320)),
    (slice(0, 1), slice(0, 1)),
    (slice(255, 256), slice(319, 320)),
    (slice(60, 200), slice(100, 101)),
    (slice(79, 81), slice(63, 161)),
    (slice(200, 256), slice(0, 320)),
    (slice(17, 130), slice(43, 300)),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("context", ["local", "whole"])
def test_a_region_alone_equals_the_region_of_the_whole(
    gray, make_colorizer, kind, context
):
    name, options, statistics = KINDS[kind]
    colorizer = make_colorizer(
        name, options, statistics=statistics, context=context, working_size=96
    )
    everything = colorize(gray, colorizer)
    assert colorfulness(everything) > 10
    for region in REGIONS:
        alone = colorize_region(gray, colorizer, region)
        assert difference(alone, everything[region]) <= 1, region


def test_a_region_alone_equals_the_whole_at_the_real_halo(make_checkpoint):
    picture = data.camera()
    job = colorizer_job(make_checkpoint("unet"), device="cpu", tile=416)
    colorizer = finish(job)
    everything = colorize(picture, colorizer)
    region = (slice(170, 300), slice(90, 222))
    alone = colorize_region(picture, colorizer, region)
    assert difference(alone, everything[region]) <= 1


def test_a_region_of_a_stack_has_the_limits_of_the_stack(gray, local):
    stack = np.stack([gray // 4, gray]).astype(np.float32)
    everything = colorize(stack, local)
    region = (slice(20, 90), slice(30, 200))
    for index in (0, 1):
        alone = colorize_region(stack, local, region, (index,))
        assert difference(alone, everything[index][region]) <= 1


def test_open_regions_reach_to_the_border(gray, local):
    everything = colorize(gray, local)
    open_ended = colorize_region(gray, local, (slice(None), slice(-50, None)))
    assert difference(open_ended, everything[:, -50:]) <= 1
    beyond = colorize_region(gray, local, (slice(250, 999), slice(0, 10)))
    assert beyond.shape == (6, 10, 3)
    assert colorize_region(gray, local, (slice(9, 5), slice(0, 10))).size == 0


def test_a_region_of_a_plane_that_is_not_there_is_refused(gray, local):
    stack = np.stack([gray, gray])
    for index in ((), (2,), (0, 0)):
        with pytest.raises(BadSetting, match="index"):
            colorize_region(stack, local, (slice(0, 9), slice(0, 9)), index)


def test_windows_at_once_change_nothing(gray, make_colorizer):
    for statistics in ("stored", "picture"):
        colorizer = make_colorizer("unet", statistics=statistics)
        one = colorize(gray, colorizer)
        colorizer.tiling = replace(colorizer.tiling, at_once=3)
        assert difference(colorize(gray, colorizer), one) <= 1


def test_threads_do_not_mix_the_statistics_of_their_pictures(gray, make_colorizer):
    colorizer = make_colorizer("unet", {"norm": "instance"}, statistics="picture")
    pictures = [gray[:120, :120], 255 - gray[-120:, -120:] // 2]
    expected = [colorize(p, colorizer) for p in pictures]
    # the worst moment for the other thread: statistics are set, the network not run
    colorizer._generator.register_forward_pre_hook(lambda *_: time.sleep(0.05))
    errors = []

    def work(number):
        for _ in range(3):
            result = colorize(pictures[number], colorizer)
            errors.append(difference(result, expected[number]))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(errors) == 6
    assert max(errors) <= 1


# -- pixels that are no numbers


@pytest.mark.parametrize("context", ["local", "whole"])
@pytest.mark.parametrize("kind", ["batch", "instance of the picture", "compact"])
def test_invalid_pixels_are_black_reported_and_never_spread(
    gray, make_colorizer, context, kind
):
    name, options, statistics = KINDS[kind]
    colorizer = make_colorizer(
        name, options, statistics=statistics, context=context, working_size=96
    )
    holes = (gray / 255).astype(np.float32)
    holes[40:44, 60:90] = np.nan
    holes[120, 100] = np.inf
    holes[:, 200] = -np.inf
    mask = ~np.isfinite(holes)
    with pytest.warns(ColorganWarning, match=rf"^{mask.sum()} pixels have no value"):
        result = colorize(holes, colorizer, limits=(0, 1))
    fill = np.float32(Source.of(holes, limits=(0, 1)).fill)
    filled = colorize(np.where(mask, fill, holes), colorizer, limits=(0, 1))
    assert (result[mask] == 0).all()
    assert np.array_equal(result[~mask], filled[~mask])


def test_the_report_is_the_last_event_and_names_the_caller(gray, local):
    holes = np.where(gray > 200, np.nan, gray / 255)
    events = []
    finish(colorize_job(Source.of(holes), local), events.append)
    assert isinstance(events[-1], InvalidPixels)
    assert events[-1].count == np.isnan(holes).sum()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        colorize(holes, local)
    assert [w.filename for w in caught] == [__file__]


def test_a_picture_without_a_number_is_black(local):
    with pytest.warns(ColorganWarning, match="^120 pixels"):
        assert not colorize(np.full((10, 12), np.nan), local).any()


def test_masked_pixels_are_black(gray, local):
    mask = gray > 180
    with pytest.warns(ColorganWarning, match=f"^{mask.sum()} pixels"):
        result = colorize(np.ma.masked_array(gray, mask), local)
    assert (result[mask] == 0).all()
    assert np.abs(color.rgb2lab(result)[..., 0] - lightness(gray))[~mask].max() < 2


# -- jobs


class Recorder:
    """Counts how often each px is written; nothing can be read from it."""

    dtype = np.dtype(np.uint8)

    def __init__(self, shape):
        self.shape = shape
        self.written = np.zeros(shape, np.uint8)

    def __setitem__(self, key, value):
        assert value.shape == self.written[key].shape
        assert value.dtype == np.uint8
        self.written[key] += 1


@pytest.mark.parametrize("context", ["local", "whole"])
@pytest.mark.parametrize("shape", [(2, 256, 320), (600, 1100), (1, 1), (1, 3, 533)])
def test_every_pixel_is_written_exactly_once(local, whole, context, shape):
    array = np.resize(data.camera()[::2, ::2], shape)
    out = Recorder((*shape, 3))
    colorizer = {"local": local, "whole": whole}[context]
    events = []
    finish(colorize_job(Source.of(array), colorizer, out=out), events.append)
    assert (out.written == 1).all()
    final = np.zeros(shape, int)
    for event in events:
        final[(*event.index, *event.region)] += 1
    assert (final == 1).all()


@pytest.mark.parametrize("context", ["local", "whole"])
def test_progress_counts_up_to_its_total(gray, local, whole, context):
    stack = np.stack([gray] * 3).astype(np.float32)
    stack[1, 5, 5] = np.nan
    events = []
    colorizer = {"local": local, "whole": whole}[context]
    finish(colorize_job(Source.of(stack), colorizer), events.append)
    for kind in {type(event) for event in events}:
        kin = [event for event in events if type(event) is kind]
        assert all(event.done <= event.total == kin[0].total for event in kin)
        assert kin[-1].done == kin[-1].total
        assert len({event.done for event in kin}) == len(kin)
        assert [e.done for e in kin] == sorted(e.done for e in kin)


def test_the_shown_plane_comes_first(gray, local):
    source = Source.of(np.stack([gray] * 3))
    events = []
    finish(colorize_job(source, local, first=(2,)), events.append)
    tiles = [event.index for event in events if isinstance(event, TileDone)]
    assert tiles[0] == (2,)
    assert list(dict.fromkeys(tiles)) == [(2,), (0,), (1,)]
    with pytest.raises(BadSetting, match="index"):
        finish(colorize_job(source, local, first=(3,)))


@pytest.mark.parametrize("tiles", [1, 5, 14])
def test_stop_keeps_what_is_done_and_leaves_the_rest_gray(gray, local, tiles):
    source = Source.of(np.stack([gray, gray[::-1]]))
    canvas = finish(gray_canvas_job(source))
    everything = colorize(source.array, local)
    out, seen, control = canvas.copy(), [], Control()

    def stop_in_time(event):
        seen.append(event)
        if len(seen) == tiles:
            control.request_stop()

    result = finish(colorize_job(source, local, out=out), stop_in_time, control)
    assert result is out
    assert len(seen) == tiles
    colored = np.zeros(source.shape, bool)
    for event in seen:
        colored[(*event.index, *event.region)] = True
    assert np.array_equal(out[colored], everything[colored])
    assert np.array_equal(out[~colored], canvas[~colored])


def test_a_result_starts_as_the_gray_picture(gray):
    stack = np.stack([gray, gray // 2])
    canvas = finish(gray_canvas_job(Source.of(stack)))
    assert np.array_equal(canvas, np.repeat(stack[..., None], 3, axis=-1))


def test_stopping_the_gray_canvas_leaves_the_rest_black(gray):
    job = gray_canvas_job(Source.of(np.stack([gray] * 3)))
    next(job)
    with pytest.raises(StopIteration) as end:
        job.send(STOP)
    assert end.value.value[0].any()
    assert not end.value.value[1:].any()


@pytest.mark.parametrize(
    "out",
    [
        np.zeros((256, 320, 3), np.float32),
        np.zeros((256, 320), np.uint8),
        np.zeros((320, 256, 3), np.uint8),
    ],
)
def test_an_unfitting_result_array_is_refused(gray, local, out):
    with pytest.raises(BadSetting, match=r"uint8 of shape \(256, 320, 3\)"):
        finish(colorize_job(Source.of(gray), local, out=out))


def test_the_model_is_announced_with_its_device(make_checkpoint):
    events = []
    checkpoint = make_checkpoint("unet")
    colorizer = finish(colorizer_job(checkpoint, device="cpu"), events.append)
    assert isinstance(events[0], ModelLoaded)
    assert (events[0].name, events[0].device) == ("test", "cpu")
    used = colorizer.used()
    assert used["digest"] == checkpoint.digest
    assert used["context"] == "local"
    assert used["tile"] == colorizer.tiling.window == 1152


# -- memory


def forget(colorizer, monkeypatch, largest, error=torch.OutOfMemoryError):
    """Let predictions of more than `largest` px run out of memory."""
    predict, sizes = colorizer._predict, []

    def limited(gray, statistics):
        sizes.append(gray.numel())
        if gray.numel() > largest:
            raise error("CUDA out of memory. Tried to allocate 20.00 MiB")
        return predict(gray, statistics)

    monkeypatch.setattr(colorizer, "_predict", limited)
    return sizes


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_smaller_windows_are_used_when_memory_runs_out(
    gray, make_colorizer, monkeypatch, error
):
    colorizer = make_colorizer(tiling=(448, 32, 16, 4))
    before = dict(vars(colorizer))
    sizes = forget(colorizer, monkeypatch, 200 * 200, error)
    source, events = Source.of(gray), []
    result = finish(colorize_job(source, colorizer), events.append)
    assert events[-1].tiling.window < 448
    assert sizes[0] > 200 * 200 >= sizes[-1]
    assert (
        record_of(source, colorizer, "it", events[-1])["tile"]
        == events[-1].tiling.window
    )
    assert vars(colorizer) | {"_predict": None} == before | {"_predict": None}
    fresh = make_colorizer(tiling=(events[-1].tiling.window, 32, 16))
    assert np.array_equal(result, colorize(gray, fresh))


def test_memory_that_runs_out_in_the_middle_of_a_stack(
    gray, make_colorizer, monkeypatch
):
    stack = np.stack([gray] * 3) / 255
    stack[:, 3, :7] = np.nan  # within the first window of each plane
    colorizer = make_colorizer(tiling=(320, 32, 16))
    predict, calls = colorizer._predict, []

    def fail_once(picture, statistics):
        calls.append(1)
        if len(calls) == 4:
            raise torch.OutOfMemoryError("out of memory")
        return predict(picture, statistics)

    monkeypatch.setattr(colorizer, "_predict", fail_once)
    events = []
    source = Source.of(stack)
    result = finish(colorize_job(source, colorizer), events.append)
    tiles = [event.tiling.window for event in events if isinstance(event, TileDone)]
    assert tiles == sorted(tiles, reverse=True) and len(set(tiles)) == 2
    assert events[-1].count == 21  # each px once, however often it was begun
    assert all(event.done <= event.total for event in events)
    assert events[-1].done == events[-1].total
    for plane in result:
        assert colorfulness(plane) > 10


@pytest.mark.parametrize("context", ["local", "whole"])
def test_memory_that_never_suffices_ends_in_a_clear_message(
    gray, make_colorizer, monkeypatch, context
):
    colorizer = make_colorizer(context=context, tiling=(448, 32, 16))
    sizes = forget(colorizer, monkeypatch, 0)
    with pytest.raises(OutOfMemory, match=r"does not fit .* of 'cpu'"):
        colorize(gray, colorizer)
    if context == "local":
        assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) > 1


def test_a_region_shrinks_its_windows_too(gray, make_colorizer, monkeypatch):
    colorizer = make_colorizer(tiling=(448, 32, 16))
    sizes = forget(colorizer, monkeypatch, 200 * 200)
    region = (slice(100, 200), slice(100, 200))
    alone = colorize_region(gray, colorizer, region)
    assert sizes[0] > 200 * 200 >= sizes[-1]
    assert difference(alone, colorize(gray, colorizer)[region]) <= 1


def test_memory_that_runs_out_for_one_thread_leaves_others_their_windows(
    gray, make_colorizer, monkeypatch
):
    colorizer = make_colorizer(tiling=(448, 32, 16))
    predict, tiles = colorizer._predict, {}

    def limited(picture, statistics):
        if threading.current_thread().name == "poor" and picture.numel() > 200 * 200:
            raise torch.OutOfMemoryError("out of memory")
        return predict(picture, statistics)

    def work():
        events = []
        finish(colorize_job(Source.of(gray), colorizer), events.append)
        used = {e.tiling.window for e in events if isinstance(e, TileDone)}
        tiles[threading.current_thread().name] = used

    monkeypatch.setattr(colorizer, "_predict", limited)
    threads = [threading.Thread(target=work, name=name) for name in ("poor", "rich")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    work()
    assert tiles.pop("poor").isdisjoint({448})
    assert list(tiles.values()) == [{448}, {448}]


@pytest.mark.parametrize("part", [colorize, colorize_region])
def test_other_errors_of_torch_are_told_in_our_words(
    gray, make_colorizer, monkeypatch, part
):
    colorizer = make_colorizer()

    def fail(*args):
        raise RuntimeError("Input type and weight type should be the same")

    monkeypatch.setattr(colorizer, "_predict", fail)
    more = [(slice(0, 9), slice(0, 9))] if part is colorize_region else []
    with pytest.raises(JobFailed, match="Input type and weight type"):
        part(gray, colorizer, *more)


# -- settings


def test_bad_settings_are_explained_before_anything_is_computed(gray, make_checkpoint):
    model = make_checkpoint("unet")
    for error, match, settings in (
        (TileTooSmall, "416 px or more", {"tile": 100}),
        (TileTooSmall, "416 px or more", {"tile": -1}),
        (TileTooSmall, "416 px or more", {"tile": 0}),
        (BadSetting, "one of whole, local", {"context": "global"}),
        (BadSetting, "one of auto, cpu", {"device": "tpu"}),
        (BadArray, "letters", {"axes": "TYX"}),
    ):
        with pytest.raises(error, match=match):
            colorize(gray, model, **settings)
    with pytest.raises(UnknownModel, match="'moon'"):
        colorize(gray, "moon")
    with pytest.raises(BadArray, match="complex"):
        colorize(gray.astype(complex), model)


@pytest.mark.parametrize(
    ("options", "codec", "message"),
    [
        ({"out_channels": 3}, "lab", "writes 3 channels; its codec 'lab' needs 2"),
        ({"out_channels": 2}, "rgb", "writes 2 channels; its codec 'rgb' needs 3"),
    ],
)
def test_a_generator_that_does_not_fit_its_codec_is_refused(
    gray, make_checkpoint, options, codec, message
):
    checkpoint = make_checkpoint("unet", options, codec=codec)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.generator()  # so it is not imported, either
    with pytest.raises(CheckpointError, match=message):
        colorize(gray, checkpoint)


@pytest.mark.parametrize("generator", ["unet", "compact"])
@pytest.mark.parametrize("context", ["local", "whole"])
def test_translation_invents_all_of_rgb(gray, make_colorizer, generator, context):
    colorizer = make_colorizer(
        generator, {"out_channels": 3}, codec="rgb", context=context, working_size=96
    )
    result = colorize(gray, colorizer)
    assert result.shape == (*gray.shape, 3)
    assert colorfulness(result) > 10
    region = (slice(30, 140), slice(99, 222))
    alone = colorize_region(gray, colorizer, region)
    assert difference(alone, result[region]) <= 1


@pytest.mark.parametrize("context", ["whole", "local"])
def test_vividness_goes_from_pale_to_vivid(gray, make_checkpoint, context):
    options = {"predicts_chroma": True}
    model = make_checkpoint("compact", options, context=context, vividness=0.5)
    found = {v: colorize(gray, model, vividness=v) for v in (0.0, 0.5, 1.0)}
    assert np.array_equal(found[0.5], colorize(gray, model))
    chroma = [color.rgb2lab(found[v])[..., 1:] for v in (0.0, 0.5, 1.0)]
    lengths = [np.linalg.norm(ab, axis=-1).mean() for ab in chroma]
    assert lengths[0] < lengths[1] < lengths[2]


def test_vividness_is_refused_where_it_means_nothing(gray, make_checkpoint):
    plain = make_checkpoint("compact", name="plain")
    with pytest.raises(BadSetting, match=r"vividness is 0\.5; .*left out.*'plain'"):
        colorize(gray, plain, vividness=0.5)
    vivid = make_checkpoint("compact", {"predicts_chroma": True}, vividness=0.5)
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(BadSetting, match="from 0"):
            colorize(gray, vivid, vividness=value)


def test_options_that_a_colorizer_has_decided_are_not_ignored(make_colorizer):
    gray = np.zeros((32, 32), np.uint8)
    for option in ({"tile": 512}, {"device": "cpu"}, {"vividness": 0.5}):
        with pytest.raises(BadSetting, match="said when the Colorizer is made"):
            colorize(gray, make_colorizer(), **option)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda gray, model: colorize(_unknown(gray), model), "compute_chunk_sizes"),
        (lambda gray, model: colorize(gray, model, axes=True), "axes is True"),
        (lambda gray, model: colorize(gray, model, hints=[1]), "hints is"),
        (lambda gray, model: colorize(np.ndarray, model), "the class ndarray"),
        (lambda gray, model: colorize(_Gives("text"), model), "not numbers"),
        (lambda gray, model: colorize(_Raises(MemoryError()), model), "Memory ran out"),
        (
            lambda gray, model: colorize(
                np.broadcast_to(gray[0, 0], 2 * [10**9]), model
            ),
            "does not fit into memory",
        ),
        (lambda gray, model: colorize_region(gray, model, 5), "region is 5"),
        (lambda gray, model: colorize_region(gray, model, (1, 2)), "region is"),
        (
            lambda gray, model: colorize_region(gray, model, np.s_[:5, :5], 0.5),
            "index is 0.5",
        ),
        (lambda gray, model: colorize_file(None, "out.png", model), "source is None"),
        (lambda gray, model: colorize_file("a\0.png", "b.png", model), "source is"),
        (lambda gray, model: Hints("red", [[1, 2, 3]]), "points is 'red'"),
        (lambda gray, model: Hints([[1, 2]], [[1, 2, 3]], "x"), "radius is 'x'"),
    ],
)
def test_arguments_of_other_types_are_refused_in_a_sentence(gray, local, wrong, named):
    with pytest.raises(ColorganError, match=named) as refused:
        wrong(gray, local)
    assert str(refused.value).endswith(".")


def _unknown(gray):
    array = dask.array.from_array(gray)
    return array[array.sum(1) > 0]


class _Gives:
    shape, dtype, ndim = (9, 9), np.dtype("u2"), 2

    def __init__(self, values):
        self.values = values

    def __getitem__(self, _):
        return self.values


class _Raises(_Gives):
    def __getitem__(self, _):
        raise self.values


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, CancelledError])
def test_what_ends_a_program_passes_through(local, error):
    with pytest.raises(error):
        colorize(_Raises(error()), local)


def test_a_number_beyond_64_bits_warns_nobody(local):
    array = np.full((9, 9), 1, np.longdouble)
    array[3] = np.finfo(np.longdouble).max
    assert colorize(array, local).shape == (9, 9, 3)
