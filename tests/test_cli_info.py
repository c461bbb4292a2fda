"""`colorgan info` and the record that `colorgan colorize` leaves in files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data
from typer.testing import CliRunner, Result

from napari_colorgan import cli, save
from napari_colorgan.image_io import PixelSize, ResultFile, Tags, read_image, tags

Command = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(cli.app, [str(word) for word in arguments])
        assert result.exit_code == code, result.output
        return result

    return command


@pytest.fixture
def checkpoint(make_checkpoint):
    return make_checkpoint(
        context="local", name="small", description="Random.", license="CC0-1.0"
    )


@pytest.fixture
def model(checkpoint, tmp_path: Path) -> Path:
    save(checkpoint, tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.tif", "out.ome.tif"])
def test_a_coloured_file_says_so(run: Command, model, checkpoint, name: str) -> None:
    exif = Image.Exif()
    exif[315], exif[33432], exif[306] = "Ann", "CC BY Ann", "1956:07:08 09:10:11"
    gray = data.camera()[40:104, 150:246]
    Image.fromarray(gray).save("in.jpg", exif=exif, dpi=(300, 300))
    run("colorize", "in.jpg", name, "--model", model, "--limits", 3, 200)
    image = read_image(Path(name))
    kept = {"artist": "Ann", "rights": "CC BY Ann", "date": "1956:07:08 09:10:11"}
    assert image.tags.words() == kept
    made = image.tags.made
    assert isinstance(made, dict) and made["digest"] == checkpoint.digest
    assert (made["source"], made["limits"]) == ("in.jpg", [3, 200])
    assert made["complete"] is True
    shown = run("info", name).stdout
    for text in (
        tags.NOTE,
        "small",
        checkpoint.digest,
        "Artist: Ann",
        "64 x 96 px",
        "x 300 dpi",
    ):
        assert text in shown
    assert "limits: [3.0, 200.0]" in shown and "colour, uint8" in shown


def test_info_of_a_file_that_was_not_coloured(run: Command) -> None:
    metadata = {"axes": "TZYX", "spacing": 2.0, "unit": "um", "finterval": 5.0}
    stack = np.zeros((3, 2, 40, 50), np.uint16)
    tifffile.imwrite("in.tif", stack, imagej=True, resolution=(4, 2), metadata=metadata)
    assert run("info", "in.tif").stdout.splitlines() == [
        "in.tif:",
        "  Size: 3 x 2 x 40 x 50 px (TZYX)",
        "  Type: gray, uint16",
        "  Pixel size: x 0.25 µm, y 0.5 µm, z 2 µm, t 5 s",
    ]


def test_info_of_a_model(run: Command, model, checkpoint) -> None:
    shown = run("info", model).stdout
    for text in ("Model: small", "unet, local", "CC0-1.0", checkpoint.digest):
        assert text in shown


def test_bad_files_are_named_and_the_rest_is_shown(run: Command, model) -> None:
    Path("bad.png").write_text("no picture")
    Path("bad.safetensors").write_text("no model")
    for name in ("bad.png", "bad.safetensors", "missing.tif"):
        result = run("info", name, code=2)
        assert name in result.stderr and result.stdout == ""
    result = run("info", "bad.png", model, "missing.tif", code=1)
    assert "Model: small" in result.stdout
    assert len(result.stderr.splitlines()) == 2


def test_text_of_strangers_is_harmless(run: Command) -> None:
    evil = "a\x1b]0;title\x07b\n\u202ec\x9b31m" + "x" * 5000
    with ResultFile(
        Path("a.png"),
        (40, 50),
        size=PixelSize(y=1, x=1, unit="in"),
        tags=Tags(description=evil, artist=evil),
        made={evil: {"deep": [evil]}, "model": evil},
    ):
        pass
    for text in ('{"software": "napari-colorgan\x1b[2J', "[" * 9 + "napari-colorgan"):
        info = tags.PngInfo()
        info.add_text("Comment", text)
        Image.new("L", (40, 50)).save("b.png", pnginfo=info)
        shown = run("info", "a.png", "b.png").stdout
        assert all(line.isprintable() for line in shown.splitlines())
        assert "\\x1b" in shown and "damaged" in shown
        assert max(map(len, shown.splitlines())) < 3000
