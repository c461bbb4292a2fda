"""What is in the making: seen by nobody, and gone when its process is."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from napari_colorgan import drafts
from napari_colorgan.drafts import (
    Draft,
    DraftFolder,
    remove_folder,
    sweep,
    sweep_own,
    write_whole,
)
from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import temporary
from napari_colorgan.image_io.temporary import TemporaryFolder, fits_memory

NAME = ".colorgan-01234567-0123456789abcdef.tmp"  # of another computer


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def killed(work: Callable[[], object]) -> None:
    """Do something in a process that is killed at its end."""
    if not (pid := os.fork()):
        try:
            kept = work()
            os.kill(os.getpid(), signal.SIGKILL)
            del kept
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def test_folders_of_processes_that_are_gone_are_swept(place):
    mine = TemporaryFolder(1)
    killed(lambda: TemporaryFolder(1))
    others = {"napari-colorgan-notes", ".colorgan-notes.tmp"}
    for other in others:
        (place / other).mkdir()
    assert len(names(place)) == 4
    sweep(place)
    assert names(place) == {mine.path.name} | others
    del mine
    assert names(place) == others


def test_files_of_processes_that_are_gone_are_swept(place):
    def work() -> Draft:
        draft = Draft(place / "a")
        draft.path.write_bytes(b"half")
        return draft

    with Draft(place / "b") as mine:
        killed(work)
        assert len(names(place)) == 2
        sweep(place)
        assert names(place) == {mine.path.name}
        mine.path.write_bytes(b"whole")
        mine.publish()
    assert names(place) == {"b"} and (place / "b").read_bytes() == b"whole"


def test_what_is_used_first_is_swept_first(place):
    killed(lambda: Draft(place / "a"))
    write_whole(place / "b", b"")
    assert names(place) == {"b"}


@pytest.mark.parametrize("days", [1, 30])
def test_drafts_of_other_computers_go_by_age(place, days):
    (place / NAME).touch()
    when = time.time() - days * 24 * 3600
    os.utime(place / NAME, (when, when))
    sweep(place)
    assert (place / NAME).exists() == (days < 7)


@pytest.mark.parametrize("sweeper", [sweep, sweep_own])
@pytest.mark.parametrize("days", [0, 2])
def test_drafts_of_former_versions_go_by_age_in_folders_of_ours(place, sweeper, days):
    (place / ".0123456789abcdef.tmp").touch()
    when = time.time() - days * 24 * 3600
    os.utime(place / ".0123456789abcdef.tmp", (when, when))
    sweeper(place)
    assert bool(names(place)) == (not days or sweeper is sweep)


def test_without_locks_drafts_go_by_age(place, monkeypatch):
    def no_locks(*_):
        raise OSError(95, "not supported")

    monkeypatch.setattr(drafts.fcntl, "flock", no_locks)
    with Draft(place / "a") as draft:
        sweep(place)
        assert draft.path.exists()
        os.utime(draft.path, (0, 0))
        sweep(place)
        assert not draft.path.exists()


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_draft_is_left_alone(place, kind):
    (place / "precious").mkdir()
    path = place / NAME
    os.mkfifo(path) if kind == "pipe" else path.symlink_to(place / "precious")
    sweep(place)
    assert names(place) == {"precious", NAME}


@pytest.mark.parametrize("step", ["before", "between", "after"])
def test_a_swap_that_was_killed_is_finished(place, step, monkeypatch):
    """A store cannot take the place of another in one step."""
    (place / "a.zarr").mkdir()
    (place / "a.zarr" / "old").touch()

    def work() -> None:
        draft = DraftFolder(place)
        (draft.new / "a.zarr").mkdir()
        (draft.new / "a.zarr" / "new").touch()
        if step == "between":
            (place / "a.zarr").rename(draft.old / "a.zarr")
        elif step == "after":
            draft.swap("a.zarr")

    killed(work)
    sweep(place)
    assert names(place) == {"a.zarr"}
    assert names(place / "a.zarr") == {"old" if step == "before" else "new"}


def test_a_swap_that_fails_changes_nothing(place, monkeypatch):
    (place / "a").mkdir()
    with DraftFolder(place) as draft, pytest.raises(FileNotFoundError):
        draft.swap("a")
    assert names(place) == {"a"}


def test_what_cannot_be_put_back_is_kept(place, monkeypatch):
    (place / "a").mkdir()
    draft = DraftFolder(place)
    (place / "a").rename(draft.old / "a")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", _fail)
        draft.close()
    assert (draft.old / "a").is_dir()
    sweep(place)
    assert names(place) == {"a"}


def _fail(*_: object) -> None:
    raise PermissionError


def test_a_folder_is_removed_whole(place):
    (place / "a" / "b").mkdir(parents=True)
    remove_folder(place / "a")
    assert not names(place)


def test_a_link_stays_a_link(place):
    write_whole(place / "a", b"1")
    (place / "b").symlink_to(place / "a")
    write_whole(place / "b", b"2")
    assert (place / "b").is_symlink() and (place / "a").read_bytes() == b"2"


def test_a_disk_without_room_is_named(place):
    with pytest.raises(BadImageFile, match="TMPDIR"):
        TemporaryFolder(1 << 62)


def test_a_result_may_fill_a_share_of_memory(monkeypatch):
    monkeypatch.setattr(temporary, "_memory", lambda: 1000)
    assert fits_memory(250) and not fits_memory(251)
