"""Model files of any origin are told apart by what is in them, and read once."""

import gzip
import hashlib
import io
import os
import pickle
import shutil
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from napari_colorgan.checkpoints import imports, zoo
from napari_colorgan.checkpoints.bioimageio import export_bioimageio_job
from napari_colorgan.checkpoints.imports import read_model
from napari_colorgan.checkpoints.package import CHECKPOINT
from napari_colorgan.checkpoints.pictures import as_jpeg
from napari_colorgan.checkpoints.standalone import quiet
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import CheckpointError
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.job import finish
from napari_colorgan.sample_data import picture_for
from napari_colorgan.training.state import write_state_job

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

    def read_last(path, check):
        content = read(path, check)
        path.write_bytes(b"another file")
        return content

    monkeypatch.setattr(imports, "read_bounded", read_last)
    found = read_model(file)
    assert found.ours == (file.suffix != ".pth")
    assert found.metadata.provenance.startswith(
        f"Imported from '{file.name}' (SHA-256 {sha256})."
    )
    assert found.metadata.provenance.endswith("Made from pairs.") == found.ours
    found.checkpoint.generator()


def test_what_is_absent_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be read: No such file"):
        read_model(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="it is a folder, not a file"):
        read_model(tmp_path)
    if hasattr(os, "mkfifo"):  # reading it would never end
        os.mkfifo(tmp_path / "pipe.pth")
        with pytest.raises(CheckpointError, match="it is a pipe, not a file"):
            read_model(tmp_path / "pipe.pth")


# -- what a file is that is no model


def saved(thing, **options) -> bytes:
    content = io.BytesIO()
    torch.save(thing, content, **options)
    return content.getvalue()


def zipped(*names) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.writestr(name, "something")
    return content.getvalue()


def picture(kind) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (8, 8)).save(content, kind)
    return content.getvalue()


def array() -> bytes:
    content = io.BytesIO()
    np.savez(content, a=np.zeros(3))
    return content.getvalue()


def onnx_file() -> bytes:
    import onnx

    graph = onnx.helper.make_graph([], "empty", [], [])
    return onnx.helper.make_model(graph, producer_name="pytorch").SerializeToString()


def torchscript() -> bytes:
    content = io.BytesIO()
    with quiet():
        torch.jit.save(torch.jit.trace(torch.nn.ReLU(), torch.zeros(1)), content)
    return content.getvalue()


def exported_program() -> bytes:
    content = io.BytesIO()
    torch.export.save(torch.export.export(torch.nn.ReLU(), (torch.ones(2),)), content)
    return content.getvalue()


def training_state() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mine.state"
        finish(write_state_job(path, {"step": 3, "weights": torch.zeros(2)}))
        return path.read_bytes()


def optimizer() -> bytes:
    network = torch.nn.Linear(2, 2)
    return saved(torch.optim.Adam(network.parameters()).state_dict())


def dictionary() -> bytes:
    weights = torch.nn.Linear(2, 2).state_dict()
    return saved({"epoch": 3, "netD": weights, "netG": weights})


def layers(**shapes) -> bytes:
    return saved({name.replace("_", "."): torch.zeros(s) for name, s in shapes.items()})


LFS = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 217710350\n"
)
REFUSED = {
    "empty": (lambda: b"", "is empty. Fetch it again"),
    "LFS pointer": (lambda: LFS, "Git LFS pointer.*217,710,350 bytes.*git lfs pull"),
    "web page": (
        lambda: b"\xef\xbb\xbf\n<!DOCTYPE html><html><title>Log in</title>",
        "is a web page.*log in.*in a browser",
    ),
    "text": (lambda: "Größe: 256 px\n".encode() * 999, "is a text, not a model"),
    "noise": (
        lambda: bytes(range(200, 256)) * 99,
        "is damaged or of an unknown kind, not a model",
    ),
    "gzip": (lambda: gzip.compress(b"weights"), "is an archive.*Unpack it"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(99), "HDF5 file, such as Keras"),
    "Keras": (
        lambda: zipped("config.json", "metadata.json", "model.weights.h5"),
        "is a Keras file",
    ),
    "ONNX": (onnx_file, "is an ONNX file, not a model"),
    "TorchScript": (torchscript, "is TorchScript: a program.*never run.*state_dict"),
    "pt2": (exported_program, r"torch.export wrote \(.pt2\).*never run.*state_dict"),
    "pickle": (lambda: pickle.dumps(["a"]), "a Python pickle, which could run any"),
    "PNG": (lambda: picture("PNG"), "is a picture"),
    "JPEG": (lambda: picture("JPEG"), "is a picture"),
    "TIFF": (lambda: picture("TIFF"), "is a picture"),
    "npz": (array, "arrays of NumPy"),
    "weights in a ZIP": (
        lambda: zipped("run/latest_net_G.pth", "run/options.txt"),
        "a ZIP archive. Unpack it and choose 'run/latest_net_G.pth'",
    ),
    "document": (
        lambda: zipped("word/document.xml", "[Content_Types].xml"),
        "a ZIP archive without a model in it .'word/document.xml'",
    ),
    "foreign package": (
        lambda: zipped("rdf.yaml", "weights.pt", "unet.py"),
        "a BioImage.IO package of another program.*never run here",
    ),
    "state of ours": (training_state, r"state of a training.*the .safetensors file"),
    "optimizer": (optimizer, "is the state of an optimizer"),
    "dictionary": (
        dictionary,
        r"'epoch', 'netD', 'netG'.*weights are in 'netG', 'netD'.*\['netG'\]",
    ),
    "safetensors": (
        lambda: safetensors.torch.save({"a": torch.zeros(3)}),
        "not a checkpoint of napari-colorgan",
    ),
    "foreign generator": (
        lambda: layers(model_0_weight=(64, 3, 4, 4), model_8_weight=(64, 3, 4, 4)),
        r"is no generator of the PyTorch pix2pix code.*64 x 3 x 4 x 4.*No other",
    ),
    "generator of 4 x 4 px": (
        lambda: layers(model_0_weight=(8, 1, 4, 4), model_2_weight=(3, 8, 4, 4)),
        "is no generator of the PyTorch pix2pix code",
    ),
    "changed U-Net": (
        lambda: layers(model_model_0_weight=(8, 1, 4, 4), model_up_weight=(8,)),
        "begins as a unet.*not its last layer",
    ),
    "changed ResNet": (
        lambda: layers(model_1_weight=(8, 3, 7, 7), model_10_block_1_weight=(8,)),
        "begins as a resnet.*not its last layer",
    ),
}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".zip"])
@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_file_that_is_no_model_is_called_what_it_is(tmp_path, kind, suffix):
    """Whatever its name says."""
    make, sentence = REFUSED[kind]
    path = tmp_path / f"file{suffix}"
    path.write_bytes(make())
    with pytest.raises(CheckpointError, match=sentence) as error:
        read_model(path)
    text = str(error.value)
    assert str(path) in text and text.endswith(".") and "\n" not in text
    assert "discriminator" not in text and len(text) < 500 + len(str(path))


@pytest.mark.parametrize("kind", ["LFS pointer", "web page", "empty"])
def test_a_model_that_is_named_by_such_a_file_says_so_too(tmp_path, kind):
    make, sentence = REFUSED[kind]
    (tmp_path / "mine.safetensors").write_bytes(make())
    with pytest.raises(CheckpointError, match=sentence):
        zoo.find(tmp_path / "mine.safetensors")


def test_weights_of_pix2pix_are_to_be_imported_before_they_are_used():
    with pytest.raises(CheckpointError, match="import it first: colorgan import"):
        zoo.find(WEIGHTS)


# -- packages of ours


PACKED = {
    "photograph": ("compact", {"predicts_chroma": True}, {"vividness": 0.8}),
    "micrograph": ("unet", {}, {"statistics": "picture", "context": "local"}),
}


@pytest.fixture(params=PACKED)
def packed(request, tmp_path, make_checkpoint, monkeypatch):
    """A checkpoint, and the file of a package of it."""
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # which takes long
    generator, options, about = PACKED[request.param]
    about = {"context": "whole", "working_size": 96, "license": "MIT"} | about
    checkpoint = make_checkpoint(generator, options, **about)
    job = export_bioimageio_job(
        checkpoint,
        tmp_path / "mine.zip",
        picture=picture_for(checkpoint.metadata.context),
        documentation="# test\n\nA card.\n",
        authors=["A. Painter"],
    )
    return checkpoint, finish(job)


def test_a_package_of_ours_comes_back(packed, gray, tmp_path, monkeypatch):
    checkpoint, path = packed
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    # another name, and only what is read: its programs are left alone
    content = rewritten(path, lambda name, part: b"1 / 0" if ".py" in name else part)
    (tmp_path / "other.pth").write_bytes(content)
    read = read_model(tmp_path / "other.pth")
    assert read.ours and read.metadata.provenance.startswith(
        "Imported from 'other.pth'"
    )
    about = replace(read.metadata, provenance=checkpoint.metadata.provenance)
    assert about == checkpoint.metadata
    model = read.install("mine")
    assert model.card == "# mine\n\nA card.\n"
    assert np.array_equal(colorize(gray, model.path), colorize(gray, checkpoint))


def rewritten(path, change) -> bytes:
    """The same package with other files in it; None leaves one out."""
    content = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            if (part := change(name, old.read(name))) is not None:
                new.writestr(name, part, zipfile.ZIP_DEFLATED)
    return content.getvalue()


@pytest.mark.parametrize("packed", ["photograph"], indirect=True)
def test_what_is_wrong_with_a_package_is_said(packed, tmp_path):
    _, path = packed
    name, weights = CHECKPOINT, bytes(1 << 24)
    cases = {
        "of an older napari-colorgan.*Export the model again": rewritten(
            path, lambda n, part: None if n == name else part
        ),
        "is damaged: 'checkpoint.safetensors' declares 16,777,216 bytes": rewritten(
            path, lambda n, part: weights if n == name else part
        ),
        "was changed after it was written": rewritten(
            path, lambda n, part: part[:-4] + b"abcd" if n == name else part
        ),
        "is damaged: ": path.read_bytes()[:-3000],
    }
    for sentence, content in cases.items():
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=sentence):
            read_model(path)


# -- what lies beside a file


def test_only_a_picture_of_moderate_size_comes_with_a_model(tmp_path, make_checkpoint):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    beside = tmp_path / "mine.jpg"
    for content, comes in (
        (picture("JPEG"), True),
        (picture("PNG"), False),
        (picture("JPEG")[:-100], False),
        (picture("JPEG") + bytes(9 << 20), False),
        (large(), False),
    ):
        beside.write_bytes(content)
        taken = read_model(tmp_path / "mine.safetensors").picture
        assert (taken == as_jpeg(content) != b"") if comes else taken == b""


def test_a_picture_is_stored_as_it_is_seen_and_nothing_else():
    content = io.BytesIO()
    red = Image.new("RGB", (40, 20), (200, 30, 30))
    exif = red.getexif()
    exif[270] = "where I live"
    red.save(content, "JPEG", comment=b"and when", exif=exif, icc_profile=b"a program")
    taken = as_jpeg(content.getvalue())
    with Image.open(io.BytesIO(taken)) as picture:
        assert picture.size == (40, 20)
        assert np.abs(np.asarray(picture, int) - (200, 30, 30)).max() < 9
    for words in (b"where I live", b"and when", b"a program"):
        assert words in content.getvalue() and words not in taken


def large() -> bytes:
    content = io.BytesIO()
    Image.new("L", (5000, 5000)).save(content, "JPEG")
    return content.getvalue()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_what_is_no_file_beside_a_model_is_not_read(tmp_path, make_checkpoint):
    save(make_checkpoint(), tmp_path / "mine.safetensors")
    os.mkfifo(tmp_path / "mine.jpg")
    (tmp_path / "mine.md").symlink_to("/dev/zero")
    read = read_model(tmp_path / "mine.safetensors")
    assert read.picture == b"" and read.source.own_card == ""
