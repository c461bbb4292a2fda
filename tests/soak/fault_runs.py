"""What goes wrong in the Colorize dock, and what a user is to see of it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tests.soak.desk import LISTENS, Desk, Planes

Fault = Callable[[Desk], None]
SIDE = 48  # px


def gray(*leading: int) -> np.ndarray:
    """Make planes of noise, (..., 48, 48) uint8."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 255, (*leading, SIDE, SIDE), dtype=np.uint8)


def begin(desk: Desk, planes: Any, name: str = "scan", **options: Any) -> Any:
    """Add a layer, choose it alone, and press Run."""
    options = {"contrast_limits": (0, 255)} | options
    layer = add(desk, planes, name, **options)
    desk.colorize.run.native.click()
    return layer


def add(desk: Desk, planes: Any, name: str = "scan", **options: Any) -> Any:
    """Add a layer, choose it alone, and look at its first plane."""
    desk.open()
    dock = desk.colorize
    layer = desk.viewer.add_image(planes, name=name, rgb=False, **options)
    if layer.ndim > 2:
        desk.viewer.dims.set_current_step(0, 0)
    dock.layers.value = [layer]
    return layer


def held(desk: Desk, error: BaseException | None = None) -> tuple[Any, Planes]:
    """Begin a run that waits before its third plane; return its layer and array."""
    desk.open()
    dock, planes = desk.colorize, Planes(gray(5), hold=2, error=error)
    layer = begin(desk, planes)
    desk.wait(planes.held.is_set)
    desk.wait(lambda: "tile 2" in dock.status.value)
    return layer, planes


def ended(
    desk: Desk,
    said: str,
    why: str | None = None,
    layer: Any = None,
    *,
    others: bool = False,
) -> None:
    """Wait for the end of a run and look at what it leaves.

    Parameters
    ----------
    said : part of the dock's sentence
    why : part of the record's; None where there is no result
    layer : the result; default the topmost layer
    others : whether other jobs go on
    """
    dock = desk.colorize
    desk.wait(lambda: not dock.busy)
    desk.wait(lambda: others or desk.quiet())
    assert said in dock.status.value, desk.state()
    if dock.layers.value:
        assert dock.run.enabled and dock.run.native.isVisibleTo(dock), desk.state()
    for part in (dock.stop, dock.running.progress):
        assert not part.native.isVisibleTo(dock), desk.state()
    if why is not None:
        record = (layer or desk.viewer.layers[-1]).metadata["colorgan"]
        assert why in record["why"], record
        assert record["complete"] is (why == ""), record


def stop(desk: Desk) -> None:
    """Press Stop."""
    _, planes = held(desk)
    desk.colorize.stop.native.click()
    planes.go.set()
    ended(desk, "Stopped", "stopped by the user")


def layer_deleted(desk: Desk) -> None:
    """Delete the layer that is coloured."""
    layer, planes = held(desk)
    desk.viewer.layers.remove(layer)
    planes.go.set()
    ended(desk, "Stopped", "was removed")


def result_deleted(desk: Desk) -> None:
    """Delete the result."""
    _, planes = held(desk)
    result = desk.viewer.layers[-1]
    desk.viewer.layers.remove(result)
    planes.go.set()
    ended(desk, "Stopped", "was removed", result)


def all_deleted(desk: Desk) -> None:
    """Delete all layers."""
    _, planes = held(desk)
    result = desk.viewer.layers[-1]
    desk.viewer.layers.clear()
    planes.go.set()
    ended(desk, "", "was removed", result)


def data_replaced(desk: Desk) -> None:
    """Give the result other data, in the middle."""
    _, planes = held(desk)
    result = desk.viewer.layers[-1]
    result.data = np.zeros_like(result.data)
    planes.go.set()
    ended(desk, "Stopped", "its data were replaced")


def data_replaced_later(desk: Desk) -> None:
    """Give a finished result other data."""
    desk.open()
    begin(desk, gray(2))
    ended(desk, "Done", "")
    result = desk.viewer.layers[-1]
    result.data = np.zeros_like(result.data)
    ended(desk, "Done", "its data were replaced")


def source_replaced(desk: Desk) -> None:
    """Give the layer that is coloured other data: the run goes on with the old."""
    layer, planes = held(desk)
    layer.data = gray(3)
    planes.go.set()
    ended(desk, "Done", "")


def renamed(desk: Desk) -> None:
    """Rename both layers."""
    layer, planes = held(desk)
    layer.name, desk.viewer.layers[-1].name = "another", "<b>result</b>"
    planes.go.set()
    ended(desk, "Done", "")


def double_start(desk: Desk) -> None:
    """Start again, in all ways."""
    _, planes = held(desk)
    dock, count = desk.colorize, len(desk.viewer.layers)
    dock.run.native.click()
    dock._on_run()
    dock._on_visible()
    dock._on_lightness()
    planes.go.set()
    ended(desk, "Done", "")
    assert len(desk.viewer.layers) == count


def rapid_clicks(desk: Desk) -> None:
    """Press Run and Stop as fast as one can."""
    desk.open()
    dock = desk.colorize
    begin(desk, gray(3))
    for _ in range(15):
        dock.stop.native.click()
        dock.run.native.click()
        desk.rest(0.005)
    dock.stop.native.click()
    ended(desk, "")


def raising(error: BaseException, said: str) -> Fault:
    """Make a fault: the array raises this in the middle, and again at the next run."""

    def fault(desk: Desk) -> None:
        _, planes = held(desk, error)
        planes.go.set()
        ended(desk, said, said)
        desk.colorize.run.native.click()
        ended(desk, said, said)

    fault.__name__ = f"raises_{type(error).__name__}"
    return fault


def raising_at_once(desk: Desk) -> None:
    """The array raises what is no Exception at the first look, with a preview on."""
    desk.open()
    desk.colorize.show_preview.value = True
    begin(desk, Planes(gray(3), error=asyncio.CancelledError()))
    ended(desk, "broken off")
    desk.wait(lambda: "broken off" in desk.colorize.preview.text)


def after_a_good_run(desk: Desk) -> None:
    """A run that fails after one that did not: nothing says Done any more."""
    desk.open()
    begin(desk, gray(2))
    ended(desk, "Done", "")
    planes = Planes(gray(5), hold=2, error=OSError("gone"))
    planes.go.set()
    begin(desk, planes, "other")
    ended(desk, "cannot be read: gone", "cannot be read: gone")


def odd_hints(desk: Desk) -> None:
    """What is wished for cannot be made, after a run that was done."""
    desk.open()
    begin(desk, gray())
    ended(desk, "Done", "")
    from napari_colorgan.errors import BadSetting

    wrong = BadSetting("hints", 1, "colours")
    with mock.patch.object(desk.colorize.live, "wish", side_effect=wrong):
        desk.colorize.run.native.click()
    ended(desk, "hints is 1")


def values(name: str, make: Callable[[], np.ndarray], said: str) -> Fault:
    """Make a fault: a picture of unusual values is coloured, or refused."""

    def fault(desk: Desk) -> None:
        desk.open()
        limits = (0, 1) if make().dtype.kind == "f" else None
        begin(desk, make(), contrast_limits=limits)
        ended(desk, said)

    fault.__name__ = name
    return fault


def with_nan(value: float) -> np.ndarray:
    """Make a picture of which a part has no value."""
    picture = gray().astype(np.float32) / 255
    picture[5:20] = value
    return picture


def color_layer(desk: Desk, data: Any = None) -> Any:
    """Add a colour layer and make it the active one."""
    desk.open()
    _ = desk.colorize
    if data is None:
        data = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    layer = desk.viewer.add_image(data, rgb=True, name="rgb")
    desk.viewer.layers.selection.active = layer
    return layer


def rgb_as_source(desk: Desk) -> None:
    """A colour picture is refused in words, and its lightness offered."""
    color_layer(desk)
    dock = desk.colorize
    assert "already has colour" in dock.running.reason.value
    dock.run.native.click()
    dock.picker.lightness.native.click()
    ended(desk, "")
    assert "rgb lightness" in desk.viewer.layers
    dock.run.native.click()
    ended(desk, "Done", "")


def lightness_unreadable(desk: Desk) -> None:
    """The colour picture cannot be read any more."""
    rgb = np.random.default_rng(1).integers(0, 255, (4, SIDE, SIDE, 3), np.uint8)
    color_layer(desk, Planes(rgb, error=SystemExit(3)))
    desk.colorize.picker.lightness.native.click()
    ended(desk, "broken off")


def lightness_layer_deleted(desk: Desk) -> None:
    """The colour layer goes while its lightness is taken."""
    rgb = np.random.default_rng(1).integers(0, 255, (4, SIDE, SIDE, 3), np.uint8)
    planes = Planes(rgb, hold=0)
    layer = color_layer(desk, planes)
    desk.colorize.picker.lightness.native.click()
    desk.wait(planes.held.is_set)
    desk.viewer.layers.remove(layer)
    planes.go.set()
    ended(desk, "")
    assert any("was removed" in text for text in desk.said), desk.state()


def visible_region_fails(desk: Desk) -> None:
    """What is seen cannot be read once the gray result is there."""
    desk.open()
    planes = Planes(gray(5), hold=0, error=OSError("gone"))
    add(desk, planes)
    planes.go.set()
    desk.colorize.visible.native.click()
    desk.wait(lambda: "cannot be read: gone" in desk.colorize.status.value)
    ended(desk, "cannot be read: gone")
    desk.colorize.visible.native.click()
    desk.wait(lambda: any("gone" in text for text in desk.said))
    ended(desk, "cannot be read: gone")


def alternatives_fail(desk: Desk) -> None:
    """The plane cannot be read when other colours are asked for."""
    desk.open()
    dock = desk.colorize
    dock.form.choose_model(LISTENS)
    planes = Planes(gray(3), error=KeyboardInterrupt())
    add(desk, planes)
    dock.hints.alternatives.ask.click()
    desk.wait(lambda: "broken off" in dock.hints.note.value)
    assert "Looking" not in dock.hints.alternatives.ask.text()


def palette_file_gone(desk: Desk) -> None:
    """The reference picture is deleted before it is used."""
    desk.open()
    dock = desk.colorize
    dock.form.choose_model(LISTENS)
    panel = dock.palette_panel
    from napari_colorgan.widgets.colorize.palette_panel import Reference

    path = desk.folder / "gone.png"
    panel._files["file: gone.png"] = Reference("gone.png", path=path)
    panel.reset_choices()
    panel.reference.value = "file: gone.png"
    begin(desk, gray())
    ended(desk, "gone.png")
    panel.reference.value = "none"


def undo_of_hints(desk: Desk) -> None:
    """Hints are put, taken back, and put again during a run."""
    desk.colorize.form.choose_model(LISTENS)
    _, planes = held(desk)
    hints = desk.colorize.hints
    hints.add_hint((0, 10, 10), (200, 60, 40), radius=5)
    hints.add_hint((0, 20, 20), (20, 60, 240), radius=5)
    for change in (hints.undo.click, hints.undo.click, hints._listener.redo):
        change()
        desk.rest(0.01)
    planes.go.set()
    desk.wait(lambda: not desk.colorize.busy)
    ended(desk, "")


def dock_closed(desk: Desk) -> None:
    """Close the dock during a run."""
    _, planes = held(desk)
    result, dock = desk.viewer.layers[-1], desk._docks.pop("Colorize")
    desk.viewer.window.remove_dock_widget(dock)
    planes.go.set()
    desk.wait(desk.quiet)
    assert result.metadata["colorgan"]["why"] == "the dock was closed"
    desk.viewer.layers.clear()


def viewer_closed(desk: Desk) -> None:
    """Close the viewer during a run."""
    _, planes = held(desk)
    result = desk.viewer.layers[-1]
    desk.close()
    planes.go.set()
    desk.wait(desk.quiet)
    assert not result.metadata["colorgan"]["complete"]


def two_viewers(desk: Desk) -> None:
    """Two viewers colour at once; the second is closed in the middle."""
    _, planes = held(desk)
    other = Desk(desk.folder)
    other_layer, others = held(other)
    assert other_layer not in desk.viewer.layers
    result = other.viewer.layers[-1]
    other.close()
    others.go.set()
    planes.go.set()
    ended(desk, "Done", "")
    assert not result.metadata["colorgan"]["complete"]


@contextmanager
def asked_for(path: Path) -> Iterator[None]:
    """Answer the dialog that asks for a file."""
    from qtpy.QtWidgets import QFileDialog

    answer = staticmethod(lambda *_, **__: (str(path), ""))
    with mock.patch.object(QFileDialog, "getSaveFileName", answer):
        yield


def disk_full(desk: Desk) -> None:
    """There is no room for the file."""
    desk.open()
    begin(desk, gray())
    ended(desk, "Done", "")
    full = OSError(28, "No space left on device")
    with (
        asked_for(desk.folder / "a.png"),
        mock.patch("os.replace", side_effect=full),
        mock.patch("os.fsync", side_effect=full),
    ):
        desk.colorize.save.native.click()
        desk.wait(lambda: not desk.colorize.save._jobs.busy)
    ended(desk, "No space left")
    assert not (desk.folder / "a.png").exists() and desk.colorize.save.enabled


def no_such_folder(desk: Desk) -> None:
    """The folder of the file is a file."""
    desk.open()
    begin(desk, gray())
    ended(desk, "Done", "")
    (desk.folder / "file").write_text("")
    with asked_for(desk.folder / "file" / "a.tif"):
        desk.colorize.save.native.click()
        desk.wait(lambda: not desk.colorize.save._jobs.busy)
    ended(desk, "file")


def saved_while_running(desk: Desk) -> None:
    """A result is saved while the next run begins."""
    desk.open()
    begin(desk, gray(3))
    ended(desk, "Done", "")
    path = desk.folder / "b.tif"
    with asked_for(path):
        desk.colorize.save.native.click()
        desk.colorize.run.native.click()
        desk.wait(path.exists)
    ended(desk, "")


def as_python_fails(desk: Desk) -> None:
    """Limits are measured for the code, of what cannot be read."""
    desk.open()
    planes = Planes(gray(3).astype(np.uint16), error=SystemExit(1))
    add(desk, planes)
    desk.colorize.form.limits.value = "percentiles"
    try:
        desk.colorize.copy.native.click()
        desk.wait(lambda: bool(desk.said))
        ended(desk, "")
    finally:
        desk.colorize.form.limits.value = "as displayed"


def folder_of_odd_files(desk: Desk) -> None:
    """A folder has pictures that are none, and its results a place that is a file."""
    source = desk.folder / "pictures"
    source.mkdir(exist_ok=True)
    (source / "torn.png").write_bytes(b"\x89PNG torn")
    (source / "empty.tif").write_bytes(b"")
    folder = desk.colorize.folder
    for out, said in ((desk.folder / "out", "could not be"), (source / "torn.png", "")):
        folder.color_folder(source, out)
        desk.wait(lambda: not folder.jobs.busy)
        assert folder.start.enabled and folder.status.value, desk.state()
        assert said in folder.status.value, folder.status.value


def no_memory(desk: Desk) -> None:
    """Memory runs out wherever a network is used."""
    desk.open()
    what = "napari_colorgan.inference.colorizer.Colorizer._seen"
    error = RuntimeError("CUDA out of memory")
    with mock.patch(what, side_effect=error):
        begin(desk, gray(2))
        ended(desk, "memory of 'cpu'", "memory of 'cpu'")


EMPTY: tuple[Fault, ...] = (
    values("nan", lambda: with_nan(np.nan), "Done"),
    values("infinite", lambda: with_nan(-np.inf), "Done"),
    values("all_nan", lambda: np.full((SIDE, SIDE), np.nan, np.float32), "Done"),
    values("constant", lambda: np.full((SIDE, SIDE), 7, np.uint16), "Done"),
    values("one_px", lambda: np.ones((1, 1), np.uint8), "Done"),
    values("one_row", lambda: gray()[:1], "Done"),
    values("one_column", lambda: gray()[:, :1], "Done"),
    values("bool", lambda: gray() > 99, "Done"),
    values("float16", lambda: (gray() / 255).astype(np.float16), "Done"),
    values("big_endian", lambda: gray().astype(">u2"), "Done"),
)
RAISED: tuple[Fault, ...] = (
    raising(OSError("gone"), "cannot be read: gone"),
    raising(KeyboardInterrupt(), "KeyboardInterrupt"),
    raising(SystemExit(2), "SystemExit"),
    raising(asyncio.CancelledError(), "CancelledError"),
    raising(GeneratorExit(), "GeneratorExit"),
    raising(StopIteration(3), "cannot be read: 3"),
    raising(MemoryError(), "Memory ran out"),
)
RUNS: tuple[Fault, ...] = (
    *(RAISED[0], RAISED[1], data_replaced_later, result_deleted),
    *(after_a_good_run, lightness_unreadable, visible_region_fails),
    *(stop, layer_deleted, all_deleted, data_replaced, source_replaced, renamed),
    *(double_start, rapid_clicks, *RAISED[2:], raising_at_once, odd_hints),
    *(*EMPTY, rgb_as_source, lightness_layer_deleted, alternatives_fail),
    *(palette_file_gone, undo_of_hints, disk_full, no_such_folder),
    *(saved_while_running, as_python_fails, folder_of_odd_files, no_memory),
)
LAST: tuple[Fault, ...] = (dock_closed, two_viewers, viewer_closed)
"""After which a viewer is opened anew, which takes seconds."""
