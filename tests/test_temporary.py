"""Places of results that are larger than memory and not saved yet."""

import os
import subprocess
import sys
import tempfile

import pytest

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import temporary
from napari_colorgan.image_io.temporary import TemporaryFolder, fits_memory, sweep


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_folders_of_processes_that_are_gone_are_swept(place):
    mine = TemporaryFolder(1)
    program = (
        "import os, tempfile; from napari_colorgan.image_io import temporary;"
        f"tempfile.tempdir = {str(place)!r};"
        "own = temporary.TemporaryFolder(1);"
        "print(own.path, flush=True); os._exit(1)"
    )
    run = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE)
    theirs = run.stdout.decode().strip()
    other = place / "napari-colorgan-notes"
    other.mkdir()
    assert os.path.isdir(theirs)
    sweep()
    assert not os.path.isdir(theirs)
    assert mine.path.is_dir() and other.is_dir()
    del mine
    assert list(place.iterdir()) == [other]


def test_a_disk_without_room_is_named(place):
    with pytest.raises(BadImageFile, match="TMPDIR"):
        TemporaryFolder(1 << 62)


def test_a_result_may_fill_a_share_of_memory(monkeypatch):
    monkeypatch.setattr(temporary, "_memory", lambda: 1000)
    assert fits_memory(250) and not fits_memory(251)
