"""Colours given in a terminal: a reference picture, and hints from a table."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_colorgan import Hints, Palette, colorize
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, load, save
from napari_colorgan.cli import app
from napari_colorgan.image_io.reading import read_image
from napari_colorgan.models.compact import Compact

OPTIONS = {"widths": [8, 8, 8, 8], "alternatives": True}
RED = (200, 60, 40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model that listens and a plain one, a gray picture, a reference and hints."""
    folder = tmp_path_factory.mktemp("hints")
    torch.manual_seed(3)
    network = Compact(**OPTIONS)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    metadata = Metadata(generator="compact", options=OPTIONS, name="listening")
    save(Checkpoint(metadata, network.state_dict()), folder / "model.safetensors")
    plain = {"widths": [8, 8, 8, 8]}
    metadata = Metadata(generator="compact", options=plain, name="plain")
    weights = Compact(**plain).state_dict()
    save(Checkpoint(metadata, weights), folder / "plain.safetensors")
    random = np.random.default_rng(4)
    gray = random.integers(0, 256, (64, 96), np.uint8)
    Image.fromarray(gray).save(folder / "gray.png")
    Image.fromarray(np.full((32, 32, 3), RED, np.uint8)).save(folder / "red.png")
    (folder / "hints.csv").write_text("axis-0,axis-1,color\n20,30,#c83c28\n")
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch):
    """Colour the picture with options; returns result and what it says."""
    monkeypatch.chdir(folder)

    def colored(*options, source="gray.png"):
        out = tmp_path / "out.png"
        words = ["colorize", source, str(out), "--model", "model.safetensors"]
        result = CliRunner().invoke(app, [*words, "--force", *options])
        image = read_image(out).array if out.exists() else None
        return image, result

    return colored


def test_a_reference_and_hints_are_those_of_python(run, folder, tmp_path):
    model = load(folder / "model.safetensors")
    gray = read_image(folder / "gray.png").array
    palette = Palette.of(np.full((32, 32, 3), RED, np.uint8), 0.9, "red.png")
    hints = Hints([[20, 30]], [RED])
    out = tmp_path / "out.png"
    plain, _ = run()
    tinted, _ = run("--reference", "red.png", "--strength", "0.9")
    hinted, _ = run("--hints", "hints.csv")
    assert Hints.from_csv(read_image(out).tags.made["hints"]).to_csv() == hints.to_csv()
    assert np.array_equal(tinted, colorize(gray, model, palette=palette))
    assert np.array_equal(hinted, colorize(gray, model, hints=hints))
    assert not np.array_equal(plain, tinted) and not np.array_equal(plain, hinted)


@pytest.mark.parametrize(
    ("options", "palette"),
    [
        (["--palette", "h&e"], Palette.preset("H&E")),
        (["--palette", "daylight", "--strength", "1"], Palette.preset("daylight", 1.0)),
        (["--tint", "-8", "12"], Palette.tinted(-8, 12)),
    ],
)
def test_palettes_without_a_picture_are_those_of_python(run, folder, options, palette):
    model = load(folder / "model.safetensors")
    gray = read_image(folder / "gray.png").array
    image, _ = run(*options)
    assert np.array_equal(image, colorize(gray, model, palette=palette))
    assert not np.array_equal(image, colorize(gray, model))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--reference", "gray.png"], "a colour picture (Y, X, 3) of uint8"),
        (["--reference", "absent.png"], "absent.png"),
        (["--reference", "red.png", "--strength", "2"], "from 0 to 1"),
        (["--strength", "0.7"], "used together with --reference, --palette, --tint"),
        (["--palette", "sepia"], "one of warm print, daylight, H&E, DAB, Giemsa"),
        (["--palette", "DAB", "--tint", "5", "9"], "left out beside --palette"),
        (["--tint", "nan", "9"], "each at most 200"),
        (["--hints", "red.png"], "table of hints"),
        (["--model", "plain.safetensors", "--reference", "red.png"], "takes none"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(run, options, message):
    image, result = run(*options)
    assert image is None
    assert result.exit_code == 2
    text = " ".join(result.output.split())
    assert message in text and "Traceback" not in text


def test_hints_are_of_one_picture(run, folder, tmp_path):
    words = ["colorize", str(folder), str(tmp_path / "many"), "--hints", "hints.csv"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "left out for several pictures" in " ".join(result.output.split())
