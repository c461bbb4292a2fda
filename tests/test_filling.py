"""Results that are written chunk by chunk: OME-Zarr and tiled TIFF, of any size."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from skimage import data
from typer.testing import CliRunner

from napari_colorgan import cli, colorize, colorize_file
from napari_colorgan.checkpoints.store import save
from napari_colorgan.drafts import sweep
from napari_colorgan.errors import BadImageFile, ColorSource, Stopped
from napari_colorgan.image_io import begun as begin
from napari_colorgan.image_io import growing, ome_zarr_levels, read_image
from napari_colorgan.image_io.blocks import Blocks
from napari_colorgan.image_io.growing import halved, level_shapes
from napari_colorgan.inference import filling, sampling
from napari_colorgan.inference.events import TileDone
from napari_colorgan.inference.files import Choices, color_file_job
from napari_colorgan.inference.source import Plane
from napari_colorgan.job import Control, finish

CHUNK = 64
GRAY = np.ascontiguousarray(data.camera()[:300, :420])


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing, "CHUNK", CHUNK)


@pytest.fixture(scope="module")
def colorizer(make_colorizer):
    return make_colorizer("compact", context="local", tiling=(160, 32, 16))


def store(path: Path, array: NDArray, **options: object) -> Path:
    chunks = (*(1 for _ in array.shape[:-2]), 100, 100)
    zarr.create_array(path, data=array, chunks=chunks, **options)
    return path


def read(path: Path) -> NDArray[np.uint8]:
    return read_image(path).array


@pytest.mark.parametrize("name", ["out.zarr", "out.tif", "out.ome.tif"])
@pytest.mark.parametrize("context", ["local", "whole"])
def test_chunks_have_the_colours_of_the_whole(
    tmp_path, make_colorizer, monkeypatch, name, context
) -> None:
    monkeypatch.setattr(Plane, "loaded", None)  # no plane is held in memory
    colorizer = make_colorizer("compact", context=context, tiling=(160, 32, 16))
    gray = np.stack([GRAY, GRAY[::-1]]).astype(np.uint16) * 50
    source = store(tmp_path / "in.zarr", gray, dimension_names=None)
    result = colorize_file(
        source, tmp_path / name, colorizer, axes="ZYX", limits=(0, 9000), resume=True
    )
    monkeypatch.undo()
    expected = colorize(gray, colorizer, limits=(0, 9000))
    image = read_image(result)
    assert image.axes == "ZYXS" and np.array_equal(image.array, expected)
    made = image.tags.made
    assert isinstance(made, dict) and made["complete"] and made["limits"] == [0, 9000]
    assert not list(tmp_path.glob(".*"))  # nothing is left to go on with


def test_each_window_is_predicted_once(tmp_path, colorizer, monkeypatch) -> None:
    seen = []
    kind = type(colorizer)
    predict = kind.predict

    def counting(self, gray, statistics):
        seen.append(gray.numel())
        return predict(self, gray, statistics)

    monkeypatch.setattr(kind, "predict", counting)
    gray = np.tile(GRAY, (1, 2))
    colorize_file(store(tmp_path / "a.zarr", gray), tmp_path / "b.zarr", colorizer)
    windows = len(seen)
    seen.clear()
    monkeypatch.setattr(filling, "_WIDE", 7 * CHUNK)
    colorize_file(tmp_path / "a.zarr", tmp_path / "c.zarr", colorizer)
    assert windows < len(seen) < 1.6 * windows  # of stripes, those at their borders
    seen.clear()
    assert np.array_equal(read(tmp_path / "b.zarr"), read(tmp_path / "c.zarr"))
    colorize(gray, colorizer.forgetful())
    assert windows == len(seen)


def test_the_pyramid_is_made_of_means(tmp_path, colorizer) -> None:
    source = store(tmp_path / "a.zarr", GRAY)
    colorize_file(source, tmp_path / "b.zarr", colorizer)
    colorize_file(source, tmp_path / "b.tif", colorizer, resume=True)
    group = zarr.open_group(tmp_path / "b.zarr", mode="r")
    about = group.attrs["ome"]
    assert about["version"] == "0.5"
    (image,) = about["multiscales"]
    assert [axis["name"] for axis in image["axes"]] == ["c", "y", "x"]
    assert about["omero"]["channels"][0]["color"] == "FF0000"
    expected = read(tmp_path / "b.zarr")
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.is_bigtiff and tiff.pages[0].is_tiled
        levels = tiff.series[0].levels
        assert len(levels) == len(image["datasets"]) == len(level_shapes(GRAY.shape))
        for number, dataset in enumerate(image["datasets"]):
            level = np.moveaxis(group[dataset["path"]][...], 0, -1)
            assert np.array_equal(level, expected)
            assert np.array_equal(levels[number].asarray(), expected)
            expected = halved(expected)
    scales = [each["coordinateTransformations"] for each in image["datasets"]]
    assert scales[1][0]["scale"] == [1, 2, 2]
    assert scales[1][1]["translation"] == [0, 0.5, 0.5]


@pytest.mark.parametrize("name", ["b.zarr", "b.tif"])
def test_black_chunks_are_finished_too(tmp_path, colorizer, name) -> None:
    dark = GRAY.copy()
    dark[:150, :150] = 0
    source = store(tmp_path / "a.zarr", dark)
    result = colorize_file(source, tmp_path / name, colorizer, resume=True)
    made = read(result)
    assert not made[:CHUNK, :CHUNK].any()
    assert np.array_equal(made, colorize(dark, colorizer))


def test_axes_pixel_size_and_words_are_kept(tmp_path, colorizer) -> None:
    stack = np.stack([GRAY[:70, :80]] * 6).reshape(2, 3, 70, 80)
    about = {"axes": "TZYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25}
    about |= {"PhysicalSizeZ": 2.0, "TimeIncrement": 3.0, "TimeIncrementUnit": "s"}
    first_path = tmp_path / "a.ome.tif"
    tifffile.imwrite(first_path, stack, metadata=about)
    first = read_image(first_path)
    result = colorize_file(first_path, tmp_path / "b.zarr", colorizer)
    again = colorize_file(result, tmp_path / "c.ome.tif", colorizer, from_color=True)
    for path in (result, again):
        image = read_image(path)
        assert (image.axes, image.pixel_size) == ("TZYXS", first.pixel_size)
    stored = zarr.open_group(result, mode="r")["0"]
    assert stored.shape == (2, 3, 3, 70, 80)
    assert stored.metadata.dimension_names == ("t", "c", "z", "y", "x")
    with pytest.raises(BadImageFile, match=r"cannot hold the axis C.*--axes ZYX"):
        colorize_file(
            tmp_path / "a.ome.tif", tmp_path / "d.zarr", colorizer, axes="TCYX"
        )


PROGRAM = """
import os, signal, sys
from napari_colorgan.image_io import growing
from napari_colorgan.inference import files
from napari_colorgan import colorize_file
growing.CHUNK = 64
write, count = growing.GrowingFile.write, 0
def killed(self, *arguments):
    global count
    count += 1
    if count == 12:
        levels = self._levels
        sync = type(levels).write
        self._levels.write = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
    write(self, *arguments)
growing.GrowingFile.write = killed
colorize_file("a.zarr", sys.argv[1], "small.safetensors", engine="torch", tile=224,
              device="cpu", resume=True)
"""


@pytest.mark.parametrize("name", ["out.zarr", "out.tif"])
def test_a_killed_run_is_gone_on_with(
    tmp_path, make_checkpoint, monkeypatch, name
) -> None:
    monkeypatch.chdir(tmp_path)
    save(make_checkpoint("compact", context="local"), Path("small.safetensors"))
    store(Path("a.zarr"), np.tile(GRAY, (1, 2)))
    options = {"engine": "torch", "tile": 224, "device": "cpu", "resume": True}
    done = subprocess.run([sys.executable, "-c", PROGRAM, name], check=False)
    assert done.returncode == -signal.SIGKILL
    (record,) = Path().glob(".out.*.progress")
    record.write_bytes(record.read_bytes() + b"0 3")  # a line that was never finished
    half = read(Path(name))
    assert half.any() and not half[-64:].any()  # it can be looked at
    written = []
    write = growing.GrowingFile.write
    monkeypatch.setattr(
        growing.GrowingFile,
        "write",
        lambda self, *rest: (written.append(rest[:2]), write(self, *rest)),
    )
    with pytest.raises(BadImageFile, match=r"was begun with saturation unsaid.* 0\.5"):
        colorize_file("a.zarr", name, "small.safetensors", saturation=0.5, **options)
    colorize_file("a.zarr", name, "small.safetensors", **options)
    cells = growing.grid_of((300, 840))
    assert 0 < len(written) < np.prod(cells) - 5
    again = Path(f"again-{name}")
    colorize_file("a.zarr", again, "small.safetensors", **options)
    for level in range(len(level_shapes((300, 840)))):
        assert np.array_equal(level_of(Path(name), level), level_of(again, level))


def level_of(path: Path, level: int) -> NDArray[np.uint8]:
    if path.suffix == ".zarr":
        return zarr.open_group(path, mode="r")[str(level)][...]
    with tifffile.TiffFile(path) as tiff:
        return tiff.series[0].levels[level].asarray()


def stop_after(count: int, source: Path, result: Path, colorizer) -> list[TileDone]:
    control, events = Control(), []

    def listen(event) -> None:
        if isinstance(event, TileDone):
            events.append(event)
            if len(events) == count:
                control.request_stop()

    finish(color_file_job(source, result, colorizer, Choices()), listen, control)
    return events


def test_a_stopped_run_is_gone_on_with_only_in_the_same_way(
    tmp_path, colorizer, make_colorizer
) -> None:
    source, result = store(tmp_path / "a.zarr", GRAY), tmp_path / "b.zarr"
    events = stop_after(4, source, result, colorizer)
    assert 0 < events[-1].done < events[-1].total
    assert not read_image(result).tags.made["complete"]
    other = make_colorizer("compact", context="local", seed=1, tiling=(160, 32, 16))
    dark = store(tmp_path / "dark.zarr", GRAY // 2)
    for begun, with_what, options, message in (
        (source, other, {}, "other weights of the model"),
        (dark, colorizer, {}, "another picture"),
        (source, colorizer, {"limits": (0, 99)}, r"limits \[0.0, 255.0\].*99"),
    ):
        with pytest.raises(BadImageFile, match=f"was begun with .*{message}.*--force"):
            colorize_file(begun, result, with_what, resume=True, **options)
    with pytest.raises(BadImageFile, match=r"exists already.*--resume.*--force"):
        colorize_file(source, result, colorizer)
    source.rename(tmp_path / "moved.zarr")
    colorize_file(tmp_path / "moved.zarr", result, colorizer, resume=True)
    assert np.array_equal(read(result), colorize(GRAY, colorizer))
    colorize_file(tmp_path / "moved.zarr", result, colorizer, resume=True)
    with pytest.raises(BadImageFile, match="another picture"):
        colorize_file(dark, result, colorizer, resume=True)
    colorize_file(dark, result, colorizer, force=True)
    assert np.array_equal(read(result), colorize(GRAY // 2, colorizer))


def test_of_a_run_without_a_finished_chunk_nothing_is_left(
    tmp_path, colorizer, monkeypatch
) -> None:
    monkeypatch.setattr(growing, "CHUNK", 512)
    source = store(tmp_path / "a.zarr", GRAY)
    with pytest.raises(Stopped, match="nothing was coloured"):
        stop_after(1, source, tmp_path / "b.zarr", colorizer)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_what_cannot_be_begun_is_said(tmp_path, colorizer) -> None:
    source = store(tmp_path / "a.zarr", GRAY)
    (tmp_path / "folder.zarr").mkdir()
    (tmp_path / "link.zarr").symlink_to(tmp_path / "foreign.zarr")
    (tmp_path / "folder.zarr" / "mine.txt").touch()
    zarr.create_array(tmp_path / "foreign.zarr", shape=(9, 9), dtype=np.uint8)
    for name, options, message in (
        ("nowhere/b.zarr", {}, "there is no folder"),
        ("folder.zarr", {"force": True}, "no zarr store, so it is not replaced"),
        ("foreign.zarr", {"resume": True}, "was not begun here"),
        ("b.png", {"resume": True}, "written at once"),
        ("a.zarr", {"force": True}, "would be lost"),
        ("a.zarr/c/b.zarr", {}, "would be lost"),
        ("link.zarr", {"force": True}, "is a link to the store .* remove the link"),
    ):
        with pytest.raises(BadImageFile, match=message):
            colorize_file(source, tmp_path / name, colorizer, **options)
    assert (tmp_path / "folder.zarr" / "mine.txt").exists()


@pytest.mark.parametrize(
    ("given", "result"),
    [("0", "../s.zarr"), ("0", "1/b.zarr"), ("0", "../link.zarr"), ("", "0/b.zarr")],
)
def test_a_store_is_not_lost_to_its_own_colours(
    tmp_path, colorizer, given, result
) -> None:
    group = tmp_path / "s.zarr"
    zarr.create_group(group)
    array = store(group / "0", GRAY[:70, :80])
    (tmp_path / "link.zarr").symlink_to(group)
    with pytest.raises(BadImageFile, match=r"would be lost\. Choose another"):
        colorize_file(group / given, group / result, colorizer, force=True)
    assert np.array_equal(read(array), GRAY[:70, :80])


@pytest.mark.parametrize("name", ["a.zarr", "a.tif"])
def test_a_change_between_what_is_probed_is_another_picture(
    tmp_path, colorizer, name
) -> None:
    wide = np.tile(GRAY, (1, 2))
    source, result = tmp_path / name, tmp_path / "b.zarr"
    write = store if name == "a.zarr" else tifffile.imwrite
    write(source, wide)
    stop_after(4, source, result, colorizer)
    copied = tmp_path / f"copied-{name}"
    shutil.copytree(source, copied) if source.is_dir() else shutil.copy2(source, copied)
    if source.is_dir():
        zarr.open_array(source, mode="r+")[70, 70] = 0
    else:
        tifffile.memmap(source)[70, 70] = 0
        os.utime(source, ns=(0, 0))
    with pytest.raises(BadImageFile, match="begun with another picture"):
        colorize_file(source, result, colorizer, resume=True)
    colorize_file(copied, result, colorizer, resume=True)
    assert np.array_equal(read(result), colorize(wide, colorizer))


def test_a_full_disk_loses_nothing_that_is_finished(
    tmp_path, colorizer, monkeypatch
) -> None:
    source, result = store(tmp_path / "a.zarr", GRAY), tmp_path / "b.zarr"
    write, room = ome_zarr_levels.OmeZarrLevels.write, 9

    def full(*arguments):
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(*arguments)

    monkeypatch.setattr(ome_zarr_levels.OmeZarrLevels, "write", full)
    with pytest.raises(BadImageFile, match=r"No space left.*finished stays.*--resume"):
        colorize_file(source, result, colorizer)
    room = 1000
    colorize_file(source, result, colorizer, resume=True)
    assert np.array_equal(read(result), colorize(GRAY, colorizer))
    room = 0
    with pytest.raises(BadImageFile, match="No space left"):
        colorize_file(source, tmp_path / "c.zarr", colorizer)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_colour_that_appears_late_ends_the_run_and_keeps_what_is_done(
    tmp_path, colorizer, monkeypatch
) -> None:
    monkeypatch.setattr(sampling, "_PIXELS", 4 * 32**2)
    monkeypatch.setattr(sampling, "_SIDE", 32)
    rgb = np.repeat(GRAY[..., None], 3, -1)
    rgb[200, 100] = 255, 0, 0
    zarr.create_array(tmp_path / "a.zarr", data=rgb, chunks=(100, 100, 3))
    with pytest.raises(ColorSource, match="differ in rows"):
        colorize_file(tmp_path / "a.zarr", tmp_path / "b.zarr", colorizer)
    assert read(tmp_path / "b.zarr").any()


def test_planes_of_a_stack_are_coloured_without_the_others(
    tmp_path, colorizer, monkeypatch
) -> None:
    stack = np.stack([GRAY, GRAY[::-1], GRAY // 2, GRAY])
    source = store(tmp_path / "a.zarr", stack)
    monkeypatch.setattr(Plane, "loaded", None)
    result = colorize_file(
        source, tmp_path / "b.zarr", colorizer, axes="ZYX", planes=slice(1, 3)
    )
    monkeypatch.undo()
    assert np.array_equal(read(result), colorize(stack[1:3], colorizer))
    made = json.loads(json.dumps(read_image(result).tags.made))
    assert made["planes"] == [[1, 2]]


def test_colours_of_stacks_are_steady_here_too(tmp_path, make_colorizer) -> None:
    colorizer = make_colorizer("compact", context="whole").asked_for(steady=1.0)
    stack = np.stack([GRAY, GRAY // 2 + 60])
    source = store(tmp_path / "a.zarr", stack)
    result = colorize_file(source, tmp_path / "b.zarr", colorizer, axes="TYX")
    assert np.array_equal(read(result), colorize(stack, colorizer, axes="TYX"))


def test_a_command_goes_on_with_what_it_began(
    tmp_path, colorizer, make_checkpoint, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save(make_checkpoint("compact", context="local"), Path("small.safetensors"))
    tifffile.imwrite("a.tif", GRAY, tile=(64, 64))

    def run(*arguments: str, code: int = 0) -> str:
        given = ["colorize", *arguments, "--model", "small.safetensors"]
        result = CliRunner().invoke(cli.app, [*given, "--device", "cpu"])
        assert result.exit_code == code, result.output
        return result.output

    assert "300 x 420 px" in run("a.tif", "out.zarr")
    assert "is complete already" in run("a.tif", "out.zarr", "--resume")
    assert "exists already" in run("a.tif", "out.zarr", code=2)
    assert "out.zarr" in run("a.tif", "out.zarr", "--force")
    assert "complete: true" in CliRunner().invoke(cli.app, ["info", "out.zarr"]).output
    assert isinstance(read_image(Path("out.zarr"), by_blocks=True).array, Blocks)


@pytest.mark.parametrize("name", ["out.zarr", "out.tif"])
@pytest.mark.parametrize("step", ["created", "recorded", "replaced"])
def test_what_was_killed_while_it_was_begun_can_be_gone_on_with(
    tmp_path, monkeypatch, name, step
) -> None:
    """What was there stays until all is ready to be begun."""
    path, gray = tmp_path / name, np.zeros((CHUNK, CHUNK), np.uint8)
    monkeypatch.setattr(begin, "LARGE", 0)

    def write(version: int, *, resume: bool = False) -> None:
        made = {"version": version}
        file = begin.open_growing(path, gray.shape, "", made=made, resume=resume)
        with file:
            rgb = np.full((*gray.shape, 3), version, np.uint8)
            file.write((), (slice(0, CHUNK), slice(0, CHUNK)), rgb)
            file.complete(made | {"complete": True})

    rename, replace = Path.rename, Path.replace

    def kill(*paths: object, **_: object) -> None:
        if step != "recorded" or path in paths:
            os.kill(os.getpid(), signal.SIGKILL)

    write(1)
    if not (pid := os.fork()):
        if step == "recorded":
            monkeypatch.setattr(Path, "rename", lambda *a: kill(*a) or rename(*a))
            monkeypatch.setattr(Path, "replace", lambda *a: kill(*a) or replace(*a))
        elif step == "created":
            monkeypatch.setattr(begin.Finished, "begin", kill)
        else:
            monkeypatch.setattr(begin, "GrowingFile", kill)
        write(2)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    sweep(tmp_path)
    assert begin.is_begun(path) == (step != "created")
    if step != "replaced":
        assert read(path).max() == 1
    if begin.is_begun(path):
        write(2, resume=True)
        assert read(path).max() == read(path).min() == 2
    assert {path.name for path in tmp_path.iterdir()} == {name}
