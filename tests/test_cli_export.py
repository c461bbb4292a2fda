"""`colorgan export`: packages and networks for other programs."""

import sys
import zipfile

import pytest
import torch
import yaml
from typer.testing import CliRunner

from napari_colorgan import cli
from napari_colorgan.checkpoints import onnx
from napari_colorgan.checkpoints.extras import MissingExtra
from napari_colorgan.checkpoints.store import load, save

PACKAGE = ("--format", "bioimageio", "--out", "mine.zip")


@pytest.fixture
def run(tmp_path, monkeypatch, make_checkpoint):
    """Run `colorgan export` beside a checkpoint; returns what it printed, or its error.

    ONNX files are not made: what is in them is the matter of test_export.py.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(onnx, "onnx_of", lambda *_: b"a network")
    monkeypatch.setattr("napari_colorgan.checkpoints.bioimageio.check_onnx", _missing)
    save(make_checkpoint(license="", name="mine"), tmp_path / "mine.safetensors")

    def command(*arguments, code=0):
        words = ["export", "mine.safetensors", *arguments]
        result = CliRunner().invoke(cli.app, words)
        assert result.exit_code == code, result.output
        if code == 0:
            return result.stdout
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        return line

    return command


def _missing():
    raise MissingExtra("ONNX", "onnx")


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_package_says_who_made_it_and_on_which_terms(run, tmp_path):
    names = ("--author", "A. Painter", "--author", "B. Dyer")
    said = run(*PACKAGE, *names, "--license", "CC-BY-4.0", "--parent", "affable-shark")
    assert said == "'mine.zip': 'mine', a BioImage.IO package.\n"
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        about = yaml.safe_load(archive.read("rdf.yaml"))
        assert archive.read("README.md").startswith(b"# mine")
    assert [author["name"] for author in about["authors"]] == ["A. Painter", "B. Dyer"]
    assert (about["license"], about["parent"]["id"]) == ("CC-BY-4.0", "affable-shark")


def test_onnx_is_one_file(run, tmp_path):
    said = run("--format", "onnx", "--out", "mine.onnx")
    assert said == "'mine.onnx': 'mine', ONNX, gray in [0, 1] to RGB.\n"
    assert (tmp_path / "mine.onnx").read_bytes() == b"a network"
    assert files(tmp_path) == ["mine.onnx", "mine.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (PACKAGE, "authors is ''; it must be one name or more (--author"),
        ((*PACKAGE, "--author", "A."), "is not stated. Give one: --license"),
        (
            (*PACKAGE, "--author", "A.", "--license", "mine"),
            "is 'mine', which is none. Give one: --license",
        ),
        (("--format", "bioimageio", "--out", "mine.onnx"), "a name that ends in .zip"),
        (("--format", "onnx", "--out", "mine.zip"), "a name that ends in .onnx"),
        (("--format", "onnx", "--out", "no/mine.onnx"), "a folder that exists"),
        (("--format", "onnx", "--out", "a.onnx", "--author", "A."), "--author is"),
        (("--format", "onnx", "--out", "a.onnx", "--license", "MIT"), "--license is"),
        (("--format", "pix2pix", "--out", "a.pth", "--parent", "shark"), "--parent is"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    run, tmp_path, arguments, message
):
    assert message in run(*arguments, code=2)
    assert files(tmp_path) == ["mine.safetensors"]


def test_an_older_file_is_replaced_only_when_asked(run, tmp_path):
    (tmp_path / "mine.onnx").write_text("older")
    arguments = ("--format", "onnx", "--out", "mine.onnx")
    assert "--force" in run(*arguments, code=2)
    assert (tmp_path / "mine.onnx").read_text() == "older"
    run(*arguments, "--force")
    assert (tmp_path / "mine.onnx").read_text() == "a network"


def test_a_full_disk_leaves_the_older_file_whole(run, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    (tmp_path / "mine.zip").write_text("older")
    monkeypatch.setattr("napari_colorgan.checkpoints.atomic.os.fsync", full)
    about = ("--author", "A.", "--license", "MIT", "--force")
    assert "No space left on device" in run(*PACKAGE, *about, code=2)
    assert files(tmp_path) == ["mine.safetensors", "mine.zip"]
    assert (tmp_path / "mine.zip").read_text() == "older"


def test_torch_failing_is_one_sentence(run, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("no kernel\nand many lines")

    monkeypatch.setattr(torch.jit, "trace", fail)
    line = run(*PACKAGE, "--author", "A.", "--license", "MIT", code=2)
    assert "The computation failed: no kernel" in line
    assert files(tmp_path) == ["mine.safetensors"]


def test_a_format_that_is_not_installed_is_refused_before_work(
    run, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    monkeypatch.setattr("napari_colorgan.cli.export.export_job", None)  # never run
    said = run("--format", "onnx", "--out", "mine.onnx", code=2)
    assert "pip install 'napari-colorgan[onnx]'" in said
    assert files(tmp_path) == ["mine.safetensors"]


def test_the_suffix_tells_the_format(run, tmp_path):
    said = run("--out", "copy.safetensors")
    assert said == "'copy.safetensors': 'mine', for another user of napari-colorgan.\n"
    digests = {
        load(tmp_path / f"{name}.safetensors").digest for name in ("copy", "mine")
    }
    assert len(digests) == 1
    expected = "a name that ends in .safetensors or .pth or .zip or .onnx"
    assert expected in run("--out", "copy.tif", code=2)
