"""What is printed: whole, or a sentence and an exit code; nothing ends the work."""

import errno
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_colorgan import cli
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import save

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="needs /dev/full"
)


@pytest.fixture(params=["at once", "when its buffer is full"])
def full(request) -> Iterator[TextIO]:
    """A place where no byte can be written, as a log on a full disk."""
    file = open("/dev/full", "wb", buffering=0)
    wrapped = file if request.param == "at once" else io.BufferedWriter(file)
    with io.TextIOWrapper(wrapped, write_through=True) as stream:
        yield stream


@pytest.fixture
def closed() -> Iterator[TextIO]:
    """A pipe that nobody reads any more, as behind `| head`."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as stream:
        yield stream


def end_of(*arguments: str) -> int:
    """Exit code of a command that prints to `sys.stdout`."""
    with pytest.raises(SystemExit) as end:
        cli.app(list(arguments))
    return int(end.value.code or 0)


@pytest.mark.parametrize(
    "arguments", [["models"], ["models", "natural"], ["--help"], ["--version"]]
)
def test_a_full_disk_is_a_sentence(arguments, full, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", full)
    assert end_of(*arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: The output cannot be written: No space left")
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["models"], ["models", "natural"]])
def test_who_reads_no_further_is_told_nothing(arguments, closed, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", closed)
    assert end_of(*arguments) == 1
    assert capsys.readouterr().err == ""


def test_an_error_keeps_its_exit_code(full, monkeypatch):
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr(sys, "stderr", full)
    assert end_of("models", "nobody") == 2
    assert sys.stderr is full  # as it was


def test_a_path_that_no_file_can_have_is_a_sentence(capsys):
    assert end_of("fine-tune", "--color", "x" * 300, "--out", "a.safetensors") == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: 'xxx") and said.count("\n") == 1
    assert end_of("colorize", "a.png", "x" * 300 + ".png") == 2
    assert "File name too long" in capsys.readouterr().err


def test_a_disk_that_is_full_after_the_work_is_a_sentence(monkeypatch, capsys):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("napari_colorgan.checkpoints.zoo.look", refuse)
    assert end_of("models") == 2
    said = capsys.readouterr().err
    assert "cannot be read or written: No space left" in said and said.count("\n") == 1


def test_the_work_is_done_all_the_same(full, monkeypatch, tmp_path, make_checkpoint):
    save(make_checkpoint("compact"), tmp_path / "tiny.safetensors")
    Image.fromarray(np.arange(4096, dtype=np.uint8).reshape(64, 64)).save(
        tmp_path / "in.png"
    )
    monkeypatch.setattr(sys, "stdout", full)
    places = [str(tmp_path / name) for name in ("in.png", "out.png")]
    assert end_of("colorize", *places, "--model", str(tmp_path / "tiny.safetensors"))
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.size == (64, 64) and picture.mode == "RGB"


def test_models_names_what_it_cannot_read(monkeypatch, tmp_path: Path):
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path)
    (tmp_path / "torn.safetensors").touch()
    (tmp_path / "\x1b[31mred.safetensors").symlink_to("/dev/zero")
    result = CliRunner().invoke(cli.app, ["models"])
    assert result.exit_code == 0 and "natural" in result.stdout
    assert result.stderr.splitlines() == [
        r"Note: '\x1b[31mred' cannot be read, because it has a name with signs that "
        "cannot be shown. Rename the file.",
        "Note: 'torn' cannot be read, because it is empty. Fetch it again.",
    ]
