"""A run waits for a full disk: nothing that was trained is lost, files stay whole."""

import errno
import os

import pytest
import torch

from napari_colorgan.checkpoints.store import load
from napari_colorgan.errors import CheckpointError
from napari_colorgan.job import Control, Waiting, finish
from napari_colorgan.training import runs
from napari_colorgan.training.fine_tune import fine_tune_job
from napari_colorgan.training.logs import Logs
from napari_colorgan.training.pairs import pairs_of
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.reserving import OutputBusy
from napari_colorgan.training.run_files import RunFiles
from napari_colorgan.training.runs import RunFolder, RunSettings
from napari_colorgan.training.settings import FineTuneConfig, TrainConfig
from napari_colorgan.training.state import read_state
from napari_colorgan.training.train import train_job


@pytest.fixture(scope="module")
def checkpoint(make_checkpoint):
    return make_checkpoint("compact", {"widths": [8, 8, 8, 8]})


@pytest.fixture
def disk(monkeypatch):
    """A disk that has no space until its list of errors is empty."""
    errors = []
    flush = os.fsync

    def fsync(number):
        if errors:
            raise OSError(errors.pop(), "No space left on device")
        flush(number)

    monkeypatch.setattr(os, "fsync", fsync)
    return errors


def save(files, checkpoint, step, on_event=None, control=None):
    state = {"step": step, "weights": torch.full((3,), float(step))}
    return finish(files.save_job(step, state, checkpoint), on_event, control)


def files_of(folder, kept=None):
    return RunFiles(folder / "a.safetensors", kept, steps=9)


@pytest.mark.parametrize("full", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_waited_for(tmp_path, disk, checkpoint, full):
    files, control, reasons = files_of(tmp_path), Control(), []

    def listen(event):
        if isinstance(event, Waiting):
            assert control.pause
            reasons.append((event.done, event.total, event.tries, event.reason))
            control.resume()

    disk += [full, full]
    assert save(files, checkpoint, 5, listen, control)
    reason = f"'{tmp_path / 'a.safetensors'}' cannot be written: No space left on "
    assert reasons == [(5, 9, 1, reason + "device."), (5, 9, 2, reason + "device.")]
    assert files.unsaved == ""
    assert read_state(tmp_path / "a.state")["step"] == 5
    assert load(tmp_path / "a.safetensors").digest == checkpoint.digest
    assert len(list(tmp_path.iterdir())) == 2


def test_where_nobody_can_go_on_it_ends_and_says_what_is_kept(
    tmp_path, disk, checkpoint
):
    files = files_of(tmp_path)
    disk += [errno.ENOSPC] * 9
    assert not save(files, checkpoint, 2)
    said = f"the state of 2 steps could not be saved in '{tmp_path}' (No space"
    assert files.unsaved.startswith(said)
    disk.clear()
    assert finish(files.keep_job(2, checkpoint))  # is small enough
    assert files.unsaved.startswith(said)
    assert save(files, checkpoint, 3)
    disk += [errno.ENOSPC] * 9
    assert not save(files, checkpoint, 4)
    assert files.unsaved == (
        f"step 3 of 4 is the last that is saved in '{tmp_path}' (No space left on "
        "device)"
    )
    assert read_state(tmp_path / "a.state")["step"] == 3
    assert len(list(tmp_path.iterdir())) == 2


def test_what_never_worked_is_an_error_and_what_did_may_work_again(
    tmp_path, disk, checkpoint
):
    disk += [errno.EACCES]
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(files_of(tmp_path), checkpoint, 1)
    disk += [errno.EIO, errno.EIO]
    assert not save(files_of(tmp_path, kept=3), checkpoint, 4)


def test_a_table_goes_on_where_the_training_does(tmp_path):
    out = tmp_path / "a.safetensors"
    logs = Logs(out, 0)
    for step in (100, 200, 300):
        logs.add_loss(step, 1.5 * step, 1 / step)
    table = (tmp_path / "a.csv").read_text()
    assert table.splitlines()[0] == "step,seconds,loss"
    (tmp_path / "a.csv").write_text(table + "400,600,0.00")  # killed while it wrote
    logs = Logs(out, 200)
    logs.add_loss(300, 450, 1 / 300)
    assert (tmp_path / "a.csv").read_text() == table


def test_rows_wait_for_a_full_disk(tmp_path):
    out = tmp_path / "a.safetensors"
    logs = Logs(out, 0)
    (tmp_path / "a.csv").mkdir()  # as good as full
    logs.add_loss(100, 1, 0.5)
    (tmp_path / "a.csv").rmdir()
    logs.add_loss(200, 2, 0.25)
    text = (tmp_path / "a.csv").read_text()
    assert text == "step,seconds,loss\n100,1,0.50000\n200,2,0.25000\n"


def test_an_output_belongs_to_one_training_at_a_time(tmp_path, checkpoint, photo):
    out = tmp_path / "a.safetensors"
    pair = pairs_of(photo[:64, :64])
    jobs = [
        fine_tune_job(pair, checkpoint, FineTuneConfig(steps=1), device="cpu", out=out)
        for _ in range(2)
    ]
    next(jobs[0])
    with pytest.raises(OutputBusy, match=r"writing '.*a\.safetensors'\. Wait for"):
        next(jobs[1])
    recipe = Recipe(TrainConfig(), {}, {"name": "compact", "widths": [8] * 4})
    folders = train_job([tmp_path], recipe, out, device=torch.device("cpu"))
    with pytest.raises(OutputBusy):
        next(folders)
    jobs[0].close()
    assert not list(tmp_path.iterdir())


def test_a_run_that_was_killed_while_it_began_or_went_leaves_nothing(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path)
    begun, going = RunFolder.new(), RunFolder(tmp_path / "2026-01-01 01.01.01 (2)")
    begun.create()  # no settings yet
    settings = RunSettings(start="micro", device="cpu", config=FineTuneConfig())
    going.create(settings)  # no pairs yet
    named = RunFolder.named("2026")
    named.create()  # of the command line
    assert not runs.unfinished()
    left = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert left == {named.name}
