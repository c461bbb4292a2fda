"""Models that leave: the same colours in TorchScript, ONNX and BioImage.IO packages."""

import ast
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from PIL import Image
from skimage import data

from napari_colorgan import color
from napari_colorgan.checkpoints import bioimageio, onnx
from napari_colorgan.checkpoints.bioimageio import export_bioimageio_job
from napari_colorgan.checkpoints.extras import MissingExtra
from napari_colorgan.checkpoints.onnx import export_onnx_job
from napari_colorgan.checkpoints.pix2pix import read_pix2pix
from napari_colorgan.checkpoints.standalone import (
    architecture_source,
    arguments_of,
    quiet,
    standalone_of,
)
from napari_colorgan.errors import BadSetting, CheckpointError, Stopped
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import STOP, finish
from napari_colorgan.models import standalone
from napari_colorgan.sample_data import picture_for

GOLDENS = Path(__file__).parent / "goldens"
CPU = torch.device("cpu")
KINDS = {
    "photograph": (
        "compact",
        {"alternatives": True, "attention": 1},
        "whole",
        "stored",
        0.8,
    ),
    "compact": ("compact", {"predicts_chroma": True}, "local", "stored", 0.8),
    "batch of picture": ("unet", {}, "whole", "picture", None),
    "instance": (
        "unet",
        {"norm": "instance", "in_channels": 3, "out_channels": 3},
        "local",
        "picture",
        None,
    ),
    "ResNet": ("resnet", {"out_channels": 3}, "local", "picture", None),
}
"""Generator, options, context, statistics and vividness."""


@pytest.fixture(scope="module")
def make(make_checkpoint):
    def make_kind(kind):
        generator, options, context, statistics, vividness = KINDS[kind]
        return make_checkpoint(
            generator,
            options,
            codec="rgb" if options.get("out_channels") == 3 else "lab",
            context=context,
            working_size=160,
            statistics=statistics,
            vividness=vividness,
            levels="spread" if kind == "photograph" else None,
            license="CC0-1.0",
        )

    return make_kind


@pytest.fixture
def no_onnx(monkeypatch):
    """As if the extra was not installed."""
    monkeypatch.setitem(sys.modules, "onnxscript", None)


def batch(count, height, width):
    """Gray in [0, 1] (N, 1, H, W): parts of a photograph, from dark to bright."""
    camera = torch.from_numpy(data.camera() / np.float32(255))
    parts = [
        camera[20 * i : 20 * i + height, 30 * i :][:, :width] for i in range(count)
    ]
    return torch.stack(parts)[:, None]


def predicted(network, gray):
    with torch.no_grad():
        return network(gray).numpy()


def both_colorings(checkpoint, shape):
    """A picture as napari colours it, and as an exported network does; 0 to 255."""
    picture = data.camera()[: shape[0], 100 : 100 + shape[1]]
    ours = colorize(picture, Colorizer(checkpoint, CPU), limits=(0, 255))
    gray = torch.from_numpy(picture / np.float32(255))[None, None]
    theirs = predicted(standalone_of(checkpoint), gray)[0].transpose(1, 2, 0)
    return ours, theirs * 255


def script_of(content):
    with quiet():  # torch wishes for another format, which Fiji cannot read
        return torch.jit.load(io.BytesIO(content))


def opened(path):
    """Description and files of a package."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    return yaml.safe_load(files["rdf.yaml"]), files


def package(checkpoint, path, **changes):
    about = {"authors": ["A. Painter"], "documentation": "# A card\n"} | changes
    return finish(
        export_bioimageio_job(
            checkpoint, path, picture=picture_for(checkpoint.metadata.context), **about
        )
    )


# -- one network from gray to RGB


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(240, 320), (300, 181), (90, 130)])
def test_an_exported_network_gives_the_colors_of_napari(make, kind, shape):
    ours, theirs = both_colorings(make(kind), shape)
    # half a level is rounding; the rest is how finely chroma is fitted
    assert abs(theirs - ours).max() < 2
    assert abs(theirs - ours).mean() < 0.3
    assert ours.std(axis=-1).mean() > 1


@pytest.mark.parametrize("name", ["unet256_batch_1to2", "resnet9_instance_3to3"])
@pytest.mark.parametrize("shape", [(240, 320), (20, 27)])
def test_an_imported_model_has_the_same_statistics_when_exported(name, shape):
    """They are those of the picture, and of none of what is reflected around it."""
    checkpoint = read_pix2pix(GOLDENS / f"{name}_net_G.pth")
    about = checkpoint.metadata
    assert (about.context, about.statistics) == ("local", "picture")
    ours, theirs = both_colorings(checkpoint, shape)
    assert abs(theirs - ours).max() < 2
    assert abs(theirs - ours).mean() < 0.3
    assert ours.std(axis=-1).mean() > 1


def test_long_and_tiny_pictures_are_seen_at_a_bounded_size():
    for height, width in [(8, 8), (20, 3000), (5000, 100), (9, 700)]:
        seen = standalone._reduced(torch.rand(1, 1, height, width), 256, 32)
        assert seen.shape[2] * seen.shape[3] <= 4.5 * 256**2
        assert seen.shape[2] % 32 == seen.shape[3] % 32 == 0


def test_colors_outside_srgb_become_those_of_the_codec():
    lightness = torch.linspace(0, 100, 60).view(1, 1, -1, 1).expand(1, 1, 60, 60)
    ab = torch.rand(1, 2, 60, 60, generator=torch.manual_seed(0)) * 220 - 110
    lab = torch.cat([lightness, ab], dim=1)
    ours = color.lab_to_rgb(color.fit_every_chroma(lab))
    gray = color.lightness_to_gray(lightness)
    theirs = color.LabCodec().decode(gray, ab / color.AB_SCALE)
    assert (ours - theirs).abs().max() < 1e-5
    assert torch.allclose(color.rgb_to_lab(ours)[:, :1], lightness, atol=0.1)


def test_every_picture_of_a_batch_has_statistics_of_its_own(make):
    network = standalone_of(make("instance"))
    both = torch.cat([batch(1, 64, 96), 0.2 * batch(1, 64, 96)])
    together = predicted(network, both)
    for i in range(2):
        alone = predicted(network, both[i : i + 1])
        assert np.allclose(together[i], alone[0], atol=1e-5)


def test_values_outside_the_range_are_clipped(make):
    network, gray = standalone_of(make("compact")), batch(1, 64, 64)
    assert np.array_equal(
        predicted(network, gray * 3 - 1), predicted(network, (gray * 3 - 1).clamp(0, 1))
    )


def test_a_codec_that_does_not_fit_is_refused(make_checkpoint):
    with pytest.raises(CheckpointError, match="2 channels"):
        standalone_of(make_checkpoint("compact", codec="rgb"))


# -- the source of the architecture


def test_the_source_runs_without_us_and_gives_the_same(make, tmp_path):
    (tmp_path / "architecture.py").write_text(architecture_source())
    cases = []
    for kind in KINDS:
        checkpoint = make(kind)
        network, gray = standalone_of(checkpoint), batch(2, 70, 90)
        arguments, weights = arguments_of(checkpoint.metadata), network.state_dict()
        cases.append((arguments, weights, gray, predicted(network, gray)))
    torch.save(cases, tmp_path / "cases.pt")
    program = """
import sys, torch
sys.modules["napari_colorgan"] = None  # importing it would fail
from architecture import build_standalone
for arguments, weights, gray, expected in torch.load("cases.pt", weights_only=False):
    network = build_standalone(**arguments)
    network.load_state_dict(weights)
    with torch.no_grad():  # 1e-7 of gray do that
        assert abs(network(gray).numpy() - expected).max() < 1e-4, arguments
"""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def test_the_source_gives_no_name_to_two_things():
    names = []
    for node in ast.parse(architecture_source()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names += [
                name.id
                for target in targets
                for name in ast.walk(target)
                if isinstance(name, ast.Name)
            ]
    assert "build_standalone" in names
    assert sorted(set(names)) == sorted(names)


# -- ONNX and TorchScript


# each export takes half a minute; `natural`, the slowest, is exported and compared by
# `bioimageio_check.py`, and every other operation is in one of these
@pytest.mark.parametrize("kind", ["batch of picture", "ResNet"])
def test_onnx_and_torchscript_agree_with_torch(make, kind, tmp_path, monkeypatch):
    exact = kind != "batch of picture"
    if not exact:  # of 20 bisections, two: the exporter takes a minute for the others
        monkeypatch.setattr(color, "_BISECTIONS", 2)
    checkpoint = make(kind)
    network = standalone_of(checkpoint)
    path = finish(export_onnx_job(checkpoint, tmp_path / "model.onnx"))
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    session = onnxruntime.InferenceSession(path)
    script = script_of(bioimageio._torchscript_of(network, batch(1, 64, 96)))
    for shape in [(1, 256, 256), (2, 130, 201), (3, 33, 64), (1, 20, 300), (2, 8, 9)]:
        gray = batch(*shape)
        expected = predicted(network, gray)
        (found,) = session.run(["rgb"], {"gray": gray.numpy()})
        assert abs(found - expected).max() < 1e-4
        assert abs(predicted(script, gray) - expected).max() < 1e-5
        assert expected.shape == (shape[0], 3, *shape[1:])
    if exact:
        picture = data.camera()[:240, 100:420]
        gray = (picture / np.float32(255))[None, None]
        (found,) = session.run(["rgb"], {"gray": gray})
        napari = colorize(picture, Colorizer(checkpoint, CPU), limits=(0, 255))
        assert abs(found[0].transpose(1, 2, 0) * 255 - napari).max() < 2
    about = session.get_modelmeta().custom_metadata_map
    assert (about["name"], about["license"]) == ("test", "CC0-1.0")


# -- BioImage.IO packages


def test_a_package_holds_all_that_it_names(make, tmp_path):
    checkpoint = make("instance")
    path = package(
        checkpoint,
        tmp_path / "model.zip",
        authors=["A. Painter", "B. Dyer"],
        license="CC-BY-4.0",
        parent="affable-shark",
    )
    about, files = opened(path)
    assert [author["name"] for author in about["authors"]] == ["A. Painter", "B. Dyer"]
    assert (about["license"], about["parent"]["id"]) == ("CC-BY-4.0", "affable-shark")
    assert about["cite"][0]["doi"] == "10.48550/arXiv.1611.07004"
    assert about["config"]["napari_colorgan"]["digest"] == checkpoint.digest
    gray, rgb = (np.load(io.BytesIO(files[name])) for name in ("gray.npy", "rgb.npy"))
    card = files["README.md"].decode()
    cover = Image.open(io.BytesIO(files["cover.png"]))
    script = script_of(files["weights-torchscript.pt"])
    session = onnxruntime.InferenceSession(files["weights.onnx"])
    assert gray.shape[2:] == rgb.shape[2:] and rgb.shape[1] == 3
    assert np.array_equal(predicted(standalone_of(checkpoint), torch.tensor(gray)), rgb)
    assert np.allclose(predicted(script, torch.from_numpy(gray)), rgb, atol=1e-5)
    assert np.allclose(session.run(None, {"gray": gray})[0], rgb, atol=1e-4)
    assert card.startswith("# A card") and "## Validation" in card
    assert "tiles may differ in tone" in card
    left, right = np.hsplit(np.asarray(cover), 2)
    assert left.shape == right.shape == (256, 256, 3)
    left = left[:, :-8]  # without the seam, which resizing blurs
    assert np.ptp(left, axis=2).max() == 0 < np.ptp(right, axis=2).max()


@pytest.mark.parametrize(
    ("kind", "smallest", "step", "halo"),
    [("photograph", 32, 1, 0), ("compact", 128, 32, 48), ("ResNet", 60, 4, 28)],
)
def test_sizes_that_a_package_promises_work(
    make, tmp_path, no_onnx, kind, smallest, step, halo
):
    about, _ = opened(package(make(kind), tmp_path / "model.zip"))
    for axis in about["inputs"][0]["axes"][2:]:
        assert axis["size"] == {"min": smallest, "step": step}
    halos = [axis.get("halo", 0) for axis in about["outputs"][0]["axes"][2:]]
    assert halos == [halo, halo]
    network = standalone_of(make(kind))
    for side in (smallest, smallest + step):
        assert predicted(network, batch(1, side, side)).shape == (1, 3, side, side)


def test_tiles_without_their_halo_are_parts_of_the_whole(make_checkpoint):
    checkpoint = make_checkpoint("resnet", {"norm": "none"})
    network = standalone_of(checkpoint)
    halo = network.generator.halo
    picture = batch(1, 256, 256)
    tile = predicted(network, picture[..., 64:192, 32:200])
    whole = predicted(network, picture)[..., 64:192, 32:200]
    inside = (..., slice(halo, -halo), slice(halo, -halo))
    assert np.allclose(tile[inside], whole[inside], atol=1e-5)


def test_any_name_and_description_fit_the_format(make_checkpoint, tmp_path, no_onnx):
    for name in ("a", "Färbung: H&E/1", "x" * 200):
        checkpoint = make_checkpoint(name=name, description=name * 9, license="MIT")
        about, _ = opened(package(checkpoint, tmp_path / "model.zip"))
        assert about["name"].startswith("colorgan ")


def test_a_package_says_what_it_cannot_be_told(make_checkpoint, tmp_path, no_onnx):
    def told(name, **about):
        options = {"alternatives": True} if name == "doubting" else None
        checkpoint = make_checkpoint("compact", options, name=name, **about)
        path = package(checkpoint, tmp_path / f"{name}.zip", license="MIT")
        return str(opened(path)[1]["README.md"], "utf-8")

    about = {"vividness": 0.25}
    sentence = "takes no colour hints and no palette; its vividness is 0.25."
    assert sentence in told("doubting", **about)
    assert "takes no colour hints. Made by" in told("plain")


@pytest.mark.parametrize(
    ("own", "given", "message"),
    [
        ("", "", "is not stated. Give one: --license"),
        ("free for research", "", "is 'free for research', which is none. Give one"),
        ("MIT", "my own", "is 'my own', which is none. Give one: --license"),
    ],
)
def test_a_licence_must_be_an_spdx_identifier(
    make_checkpoint, tmp_path, own, given, message
):
    checkpoint = make_checkpoint(license=own)
    with pytest.raises(CheckpointError, match=message):
        package(checkpoint, tmp_path / "model.zip", license=given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "authors", [[], [" "], ["A. Painter", ""], "A. Painter", [None], 3]
)
def test_somebody_with_a_name_must_have_made_it(make, tmp_path, authors):
    with pytest.raises(BadSetting, match="--author"):
        package(make("compact"), tmp_path / "model.zip", authors=authors)
    assert list(tmp_path.iterdir()) == []


# -- what may be missing, and ends that come early


def test_without_onnx_a_package_has_the_other_formats(make, tmp_path, no_onnx):
    _, files = opened(package(make("compact"), tmp_path / "model.zip"))
    assert {"weights.pt", "architecture.py", "weights-torchscript.pt"} < set(files)
    assert "weights.onnx" not in files


def test_a_missing_extra_is_named(make, tmp_path, no_onnx, monkeypatch):
    with pytest.raises(MissingExtra, match=r"pip install 'napari-colorgan\[onnx\]'"):
        finish(export_onnx_job(make("compact"), tmp_path / "model.onnx"))
    monkeypatch.setitem(sys.modules, "bioimageio.spec", None)
    with pytest.raises(MissingExtra, match=r"'napari-colorgan\[bioimageio\]'"):
        package(make("compact"), tmp_path / "model.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", ["onnx", "bioimageio"])
def test_stop_leaves_nothing(make, tmp_path, format_, monkeypatch):
    for module in (onnx, bioimageio):
        monkeypatch.setattr(module, "onnx_of", lambda *_: b"slow to make")

    def start():
        if format_ == "onnx":
            return export_onnx_job(make("compact"), tmp_path / "model")
        return export_bioimageio_job(
            make("compact"),
            tmp_path / "model",
            picture=np.zeros((64, 64), np.float32),
            documentation="",
            authors=["A. Painter"],
        )

    for done in range(next(start()).total):
        job = start()
        for _ in range(done + 1):
            next(job)
        with pytest.raises(Stopped, match="nothing was written"):
            job.send(STOP)
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["the package", "the result"])
def test_a_full_disk_leaves_nothing(make, tmp_path, no_onnx, monkeypatch, where):
    def full(*_):
        raise OSError(28, "No space left on device")

    if where == "the result":
        monkeypatch.setattr("napari_colorgan.checkpoints.atomic.os.fsync", full)
    else:
        monkeypatch.setattr("pathlib.Path.write_bytes", full)
    monkeypatch.setattr(bioimageio.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(CheckpointError, match="No space left on device"):
        package(make("compact"), tmp_path / "model.zip")
    assert list(tmp_path.iterdir()) == []
