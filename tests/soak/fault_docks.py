"""What goes wrong in the Fine-tune and Model manager docks, alone and beside others."""

import asyncio
import math
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from tests.soak.desk import MODEL, Desk
from tests.soak.fault_runs import Fault, begin, color_layer, ended, gray, held

SIDE = 64  # px


def picture() -> np.ndarray:
    """Make a colour picture of large patches, (64, 64, 3) uint8."""
    small = np.random.default_rng(2).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return np.kron(small, np.ones((8, 8, 1), np.uint8))


def pair(desk: Desk, colors: Any = None, grays: Any = None) -> None:
    """Add a pair of layers, and wait until it was read and checked, or refused."""
    dock = desk.fine_tune
    layer = color_layer(desk, picture() if colors is None else colors)
    dock.pairs.color.value = layer
    dock.pairs.gray.value = None
    if grays is not None:
        dock.pairs.gray.value = desk.viewer.add_image(grays, name="g")
    dock.pairs.add.native.click()
    desk.wait(lambda: not dock.pairs.busy)
    rows = dock.pairs
    desk.wait(lambda: not rows.pairs or rows.summary is not None or rows.missing)


def train(desk: Desk, until: int = 1) -> None:
    """Start a training that would not end, and wait for its first steps."""
    dock = desk.fine_tune
    dock.form.start.value = MODEL
    dock.form.budget.value, dock.form.steps.value = "steps", 100_000
    dock.form.patch.value, dock.form.batch.value = 32, 1
    dock.form.device.value = "cpu"
    dock.controls.start.native.click()
    assert dock.busy, dock.controls.reason.value
    desk.wait(lambda: len(dock.training.plot.loss.curve) >= until or not dock.busy)


def free(desk: Desk, said: str) -> None:
    """Wait for the end of a training, and look at what the dock says."""
    dock = desk.fine_tune
    desk.wait(lambda: not dock.busy)
    desk.wait(desk.quiet)
    texts = [dock.training.status.value, dock.outcome.figures.value, *desk.said]
    assert any(said in text for text in texts), (texts, desk.state())
    buttons = dock.controls
    assert buttons.start.native.isVisibleTo(dock), desk.state()
    assert not buttons.pause.native.isVisibleTo(dock), desk.state()
    assert dock.pairs.pickers.native.isVisibleTo(dock), desk.state()


def refused(name: str, grays: Any, said: str, colors: Any = None) -> Fault:
    """Make a fault: a pair that cannot be learned from."""

    def fault(desk: Desk) -> None:
        pair(desk, colors, grays)
        panel = desk.fine_tune.pairs
        assert said in panel.reason.value, (panel.reason.value, desk.state())
        assert not panel.pairs and panel.add.enabled
        assert not desk.fine_tune.controls.start.enabled

    fault.__name__ = name
    return fault


def no_pairs(desk: Desk) -> None:
    """Start without a pair."""
    color_layer(desk)
    dock = desk.fine_tune
    dock.controls.start.native.click()
    dock._on_start()
    assert not dock.busy and "Add a pair" in dock.controls.reason.value


def broken_off(error: BaseException, said: str) -> Fault:
    """Make a fault: a step of the training raises this."""

    def fault(desk: Desk) -> None:
        pair(desk)
        step = "napari_colorgan.training.trainer.Trainer.step"
        with mock.patch(step, side_effect=error):
            train(desk)
            free(desk, said)

    fault.__name__ = f"step_raises_{type(error).__name__}"
    return fault


def lost_layers(desk: Desk) -> None:
    """The layers of the pairs, and the preview, go while a model is trained."""
    pair(desk)
    train(desk)
    desk.viewer.layers.clear()
    desk.rest(0.2)
    assert desk.fine_tune.busy
    desk.fine_tune.controls.stop_last.native.click()
    free(desk, "Ended")


def stopped_at_once(desk: Desk) -> None:
    """Stop before the first step, again and again; pause between."""
    pair(desk)
    train(desk, until=0)
    controls = desk.fine_tune.controls
    for button in (controls.pause, controls.stop_best, controls.stop_last):
        button.native.click()
    desk.wait(lambda: not desk.fine_tune.busy)
    desk.wait(desk.quiet)
    assert controls.start.native.isVisibleTo(desk.fine_tune)


def trained_while_colored(desk: Desk) -> None:
    """A model is trained while it colours, and the training waits meanwhile."""
    pair(desk)
    train(desk)
    desk.fine_tune.controls.pause.native.click()
    _, planes = held(desk)
    planes.go.set()
    ended(desk, "Done", "", others=True)
    desk.fine_tune.controls.pause.native.click()
    begin(desk, gray(3), "more")
    ended(desk, "Done", "", others=True)
    desk.fine_tune.controls.stop_best.native.click()
    free(desk, "Ended")


def not_a_number(desk: Desk) -> None:
    """Losses are no numbers any more."""
    pair(desk)
    never = SimpleNamespace(**(vars(math) | {"isfinite": lambda _: False}))
    with mock.patch("napari_colorgan.training.updates.math", never):
        train(desk)
        free(desk, "")
    dock = desk.fine_tune
    assert dock.training.status.value or dock.outcome.outcome, desk.state()


def model_deleted(desk: Desk) -> None:
    """The chosen model is deleted in the Model manager while it colours."""
    from napari_colorgan.checkpoints.changes import duplicate

    duplicate(MODEL, "copy")
    desk.open()
    dock, manager = desk.colorize, desk.models
    dock.choose_model("copy")
    _, planes = held(desk)
    manager.models.show_models("copy")
    with mock.patch.object(manager.upkeep, "ask", lambda _: True):
        manager.buttons.delete.native.click()
    desk.wait(lambda: not manager.busy)
    planes.go.set()
    desk.wait(lambda: not dock.busy)
    ended(desk, "Done", "")
    assert "copy" not in dock.model.choices
    dock.run.native.click()
    ended(desk, "Done")


def model_file(content: bytes | None) -> Fault:
    """Make a fault: the file of the chosen model is deleted, or torn, after its use."""

    def fault(desk: Desk) -> None:
        from napari_colorgan.checkpoints import zoo
        from napari_colorgan.checkpoints.changes import duplicate

        name = "lost" if content is None else "torn"
        path = duplicate(MODEL, name).path
        kept = path.read_bytes()
        dock = desk.colorize
        dock.choose_model(name)
        begin(desk, gray())
        ended(desk, "Done", "")
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        dock.run.native.click()
        ended(desk, name)
        assert "Done" not in dock.status.value, dock.status.value
        manager = desk.models
        manager.models.show_models(MODEL)
        assert zoo.list_models()
        path.write_bytes(kept)
        from napari_colorgan.checkpoints.deleted import delete

        delete(name)
        dock.models.reset_choices()

    fault.__name__ = "model_lost" if content is None else "model_torn"
    return fault


def odd_import(desk: Desk) -> None:
    """A file that is no model is imported, and one that is not there."""
    path = desk.folder / "odd.pth"
    path.write_bytes(b"PK\x03\x04 no model")
    desk.open()
    manager = desk.models
    for where in (path, desk.folder / "gone.safetensors"):
        manager.transfer.read(where)
        desk.wait(lambda: not manager.busy)
        assert manager.work.status.value, desk.state()
        assert manager.work.question is None
    assert not manager.work.stop.native.isVisibleTo(manager)


def unwritable_models(desk: Desk) -> None:
    """Nothing can be written where models are."""
    from napari_colorgan.checkpoints import zoo

    desk.open()
    manager = desk.models
    manager.models.show_models(MODEL)
    model = zoo.find(MODEL)
    full = OSError(30, "Read-only file system")
    with mock.patch("os.replace", side_effect=full), mock.patch("os.rename", full):
        manager.upkeep.duplicate(model)
        manager.work.question.ok.click()
        desk.wait(lambda: not manager.busy)
    assert manager.work.status.value, desk.state()
    assert any("Read-only" in text for text in desk.said), desk.state()


def odd_export(desk: Desk) -> None:
    """A model is written into a folder that is not there."""
    from napari_colorgan.checkpoints import zoo
    from napari_colorgan.checkpoints.formats import ExportAs

    desk.open()
    manager = desk.models
    (desk.folder / "no folder").write_text("")
    path = desk.folder / "no folder" / "a.safetensors"
    manager.transfer.write(zoo.find(MODEL), path, ExportAs(format="checkpoint"))
    desk.wait(lambda: not manager.busy)
    assert manager.work.status.value and desk.said, desk.state()


CANCELLED = asyncio.CancelledError()
DOCKS: tuple[Fault, ...] = (
    refused("mismatched_pair", np.zeros((9, 9), np.uint8), "9 x 9 px"),
    refused("gray_colors", None, "is gray", np.full((SIDE, SIDE, 3), 7, np.uint8)),
    refused("nan_pair", np.full((SIDE, SIDE), np.nan, np.float32), "NaN"),
    *(no_pairs, stopped_at_once, lost_layers, trained_while_colored),
    broken_off(CANCELLED, "broken off"),
    broken_off(RuntimeError("CUDA out of memory"), "Memory ran out"),
    *(not_a_number, model_deleted, model_file(None), model_file(b"torn")),
    *(odd_import, unwritable_models, odd_export),
)
