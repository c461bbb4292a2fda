"""Model files of any origin are told apart by what is in them, and read once."""

import hashlib
import shutil
from pathlib import Path

import pytest

from napari_colorgan.checkpoints import imports
from napari_colorgan.checkpoints.imports import read_model
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import CheckpointError

WEIGHTS = Path(__file__).parent / "goldens" / "resnet6_instance_3to3_net_G.pth"


@pytest.fixture(params=["mine.safetensors", "mine.bin", "latest_net_G.pth"])
def file(request, tmp_path, make_checkpoint):
    """A model of ours, one under another name, or one of the pix2pix code."""
    path = tmp_path / request.param
    if path.suffix == ".pth":
        shutil.copy(WEIGHTS, path)
    else:
        save(make_checkpoint(provenance="Made from pairs."), path)
    return path


def test_a_file_is_read_once(file, monkeypatch):
    """What is stored is what was checked, whatever becomes of the file meanwhile."""
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    read = imports.read_bounded

    def read_last(path):
        content = read(path)
        path.write_bytes(b"another file")
        return content

    monkeypatch.setattr(imports, "read_bounded", read_last)
    found = read_model(file, "somewhere")
    assert found.ours == (file.suffix != ".pth")
    assert found.metadata.provenance.startswith(
        f"Imported from 'somewhere' (SHA-256 {sha256})."
    )
    assert found.metadata.provenance.endswith("Made from pairs.") == found.ours
    found.checkpoint.generator()


def test_what_is_absent_or_no_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        read_model(tmp_path / "absent.safetensors")
    for name, message in (
        ("web.safetensors", "not a checkpoint of napari-colorgan"),
        ("web.pth", "not a file that torch.save wrote"),
    ):
        (tmp_path / name).write_text("<html>")
        with pytest.raises(CheckpointError, match=message):
            read_model(tmp_path / name)
