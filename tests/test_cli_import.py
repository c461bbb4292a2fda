"""`colorgan import` and `colorgan export`: pix2pix weights in, pix2pix weights out."""

import errno
import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from typer.testing import CliRunner

from napari_colorgan import cli
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import load, save
from napari_colorgan.errors import ColorganError, ColorganWarning
from napari_colorgan.inference.install import import_model

GOLDENS = Path(__file__).parent / "goldens"
WEIGHTS = GOLDENS / "unet256_batch_1to2_net_G.pth"
RESNET = GOLDENS / "resnet6_instance_3to3_net_G.pth"


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Folder of the user's models, which does not exist yet."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    return tmp_path / "models"


@pytest.fixture
def run(tmp_path, models, monkeypatch):
    """Run a command; returns what it printed, or the one line of its error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments, code=0):
        result = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        if code == 0:
            return result.stdout
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("Error: ") and line.endswith(".")
        return line

    return command


def test_an_imported_model_colors_and_goes_out_bit_for_bit(run, tmp_path):
    printed = run("import", WEIGHTS, "--name", "mine", "--license", "CC0-1.0")
    for words in ("'mine'", "U-Net of 8 halvings", "colorization", "picture"):
        assert words in printed
    assert "mine" in run("models")
    Image.fromarray(data.camera()[:64, :96]).save("in.png")
    run("colorize", "in.png", "out.png", "--model", "mine")
    assert np.ptp(np.asarray(Image.open("out.png")), axis=-1).mean() > 5
    printed = run("export", "mine", "--format", "pix2pix", "--out", "mine.pth")
    assert "'mine.pth'" in printed
    original = torch.load(WEIGHTS, weights_only=True)
    written = torch.load(tmp_path / "mine.pth", weights_only=True)
    assert list(written) == list(original)
    assert all(torch.equal(written[k], original[k]) for k in original)


def test_the_card_says_what_is_known(run, tmp_path):
    shutil.copytree(GOLDENS / "with_options", tmp_path / "run")
    shutil.copy(WEIGHTS, tmp_path / "run" / "latest_net_G.pth")
    run("import", "run/latest_net_G.pth", "--license", "CC0-1.0")
    card = run("models", "latest_net_G")
    for words in (
        "# latest_net_G",
        "Colorization",
        "at once, its shorter side reduced to 256 px",
        "mean and variance of each picture",
        "- depth: 8",
        "- direction: AtoB",
        "'latest_net_G.pth' (SHA-256",
        "CC0-1.0",
    ):
        assert words in card
    run("import", RESNET, "--name", "other")
    card = run("models", "other")
    for words in (
        "Translation",
        "full resolution",
        "Not stated: no options",
        "ask who",
    ):
        assert words in card


def test_options_reach_the_model(run, models):
    run(
        "import",
        WEIGHTS,
        "--name",
        "mine",
        "--context",
        "whole",
        "--statistics",
        "stored",
        "--no-dropout",
    )
    assert zoo.find("mine").picture  # what it does to a sample
    about = load(models / "mine.safetensors").metadata
    assert (about.context, about.statistics) == ("whole", "stored")
    assert not about.options["dropout"]
    assert about.license == ""


def test_a_model_is_replaced_only_when_asked(run, models):
    run("import", WEIGHTS, "--name", "mine")
    assert "already have a model called 'mine'" in run(
        "import", RESNET, "--name", "mine", code=2
    )
    assert load(models / "mine.safetensors").metadata.generator == "unet"
    run("import", RESNET, "--name", "mine", "--replace")
    assert load(models / "mine.safetensors").metadata.generator == "resnet"


def test_a_file_of_a_colleague_is_imported(run, models, tmp_path, make_checkpoint):
    theirs = make_checkpoint(context="whole", provenance="Seeded.", license="MIT")
    save(theirs, tmp_path / "theirs.safetensors")
    (tmp_path / "theirs.md").write_text("# theirs\n\nA card.\n")
    printed = run("import", "theirs.safetensors", "--name", "mine")
    assert "colorization, whole context, stored statistics" in printed
    assert run("models", "mine").startswith("# mine\n\nA card.")
    model = zoo.find("mine")
    assert model.origin == "imported" and model.picture
    assert load(model.path).weights.keys() == theirs.weights.keys()
    message = run("import", "theirs.safetensors", "--statistics", "picture", code=2)
    assert "statistics is 'picture'; it must be left out, for 'theirs.saf" in message


def test_what_has_no_checksum_is_said_and_can_be_compared(run, tmp_path):
    """A bit that has changed in weights of torch before 1.6 shows nowhere else."""
    weights = torch.load(RESNET, weights_only=True)
    torch.save(weights, "old.pth", _use_new_zipfile_serialization=False)
    content = bytearray((tmp_path / "old.pth").read_bytes())
    sha256 = hashlib.sha256(content).hexdigest()
    printed = run("import", "old.pth", "--name", "mine")
    (line,) = (line for line in printed.splitlines() if "checksum" in line)
    assert line.startswith("'old.pth' is of an old kind") and line.endswith(sha256)
    assert f"(SHA-256 {sha256})" in zoo.find("mine").metadata.provenance
    checked = ("--sha256", sha256.upper(), "--name")
    assert "checksum" not in run("import", "old.pth", *checked, "checked")
    assert "checksum" not in run("import", RESNET, "--name", "new")
    content[-99] ^= 1
    (tmp_path / "old.pth").write_bytes(content)
    with pytest.warns(ColorganWarning, match="checksum"):
        import_model("old.pth", "changed")
    assert "not the file that was meant" in run(
        "import", "old.pth", *checked, "no", code=2
    )
    with pytest.raises(ColorganError, match="not the file that was meant"):
        import_model(RESNET, "no", sha256=sha256)
    assert {model.name for model in zoo.list_models()} >= {"changed", "checked"}
    assert "no" not in {model.name for model in zoo.list_models()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((WEIGHTS, "--name", "a/b"), "name is 'a/b'"),
        ((WEIGHTS, "--name", "natural"), "a shipped model has this name"),
        (("absent.pth",), "'absent.pth' cannot be read"),
        ((GOLDENS / "README.md",), "is a text, not a model"),
        ((RESNET, "--statistics", "stored"), "it must be 'picture'"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing(run, models, arguments, message):
    assert message in run("import", *arguments, code=2)
    assert not models.exists()


def test_a_full_disk_leaves_no_part_of_a_model(run, models, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_colorgan.checkpoints.atomic.os.fsync", full)
    assert "No space left on device" in run("import", WEIGHTS, code=2)
    assert list(models.iterdir()) == []


def test_a_full_disk_leaves_an_older_export_whole(run, tmp_path, monkeypatch):
    run("import", WEIGHTS, "--name", "mine")
    (tmp_path / "mine.pth").write_text("older")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_colorgan.checkpoints.atomic.os.fsync", full)
    arguments = ("--format", "pix2pix", "--out", "mine.pth", "--force")
    assert "No space left on device" in run("export", "mine", *arguments, code=2)
    assert (tmp_path / "mine.pth").read_text() == "older"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.pth", "models"}


def test_a_file_is_exported_by_its_path(run, tmp_path, make_checkpoint):
    save(make_checkpoint("resnet"), tmp_path / "mine.safetensors")
    run("export", "mine.safetensors", "--format", "pix2pix", "--out", "mine.pth")
    assert "model.1.weight" in torch.load(tmp_path / "mine.pth", weights_only=True)


def test_an_export_replaces_a_file_only_when_asked(run, tmp_path):
    run("import", RESNET, "--name", "mine")
    (tmp_path / "mine.pth").write_text("older")
    arguments = ("export", "mine", "--format", "pix2pix", "--out", "mine.pth")
    assert "--force" in run(*arguments, code=2)
    assert (tmp_path / "mine.pth").read_text() == "older"
    run(*arguments, "--force")
    assert (tmp_path / "mine.pth").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("name", "out", "message"),
    [
        ("natural", "a.pth", "has only U-Nets and ResNets"),
        ("moon", "a.pth", "no model or checkpoint file called 'moon'"),
        ("natural", "a.pt", "a name that ends in .pth"),
        ("natural", "no/a.pth", "a folder that exists"),
    ],
)
def test_what_cannot_be_exported_leaves_nothing(run, tmp_path, name, out, message):
    arguments = ("--format", "pix2pix", "--out", out)
    assert message in run("export", name, *arguments, code=2)
    assert list(tmp_path.iterdir()) == []
