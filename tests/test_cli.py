"""`colorgan` as a user calls it: files in, files out, one sentence where it cannot."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
import zarr
from numpy.typing import NDArray
from PIL import Image
from skimage import color, data
from typer.testing import CliRunner, Result

import napari_colorgan
from napari_colorgan import cli
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.image_io import read_image
from napari_colorgan.models.unet import UNet

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint; what it predicts is some colour, the same every time."""
    torch.manual_seed(0)
    metadata = Metadata(
        generator="unet",
        options={"depth": 5, "width": 8},
        context="local",
        name="small",
        description="Random colours.",
        license="CC0-1.0",
    )
    path = tmp_path_factory.mktemp("models") / "small.safetensors"
    save(Checkpoint(metadata, UNet(depth=5, width=8).state_dict()), path)
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def command(*arguments: object, code: int = 0) -> Result:
        result = runner.invoke(cli.app, [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        return result

    return command


@pytest.fixture
def camera(tmp_path: Path) -> NDArray[np.uint8]:
    """Part of a gray photograph, and the file camera.png of it."""
    gray = np.ascontiguousarray(data.camera()[40:200, 150:340])
    Image.fromarray(gray).save(tmp_path / "camera.png", dpi=(300, 300))
    return gray


def lightness(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    return color.rgb2lab(rgb)[..., 0]


def is_colored(rgb: NDArray[np.uint8]) -> bool:
    return bool((rgb.max(-1) > rgb.min(-1)).mean() > 0.5)


def one_sentence(result: Result) -> str:
    """The message on stderr, which is a single line and no traceback."""
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ") and line.endswith(".")
    return line


# colorize


@pytest.mark.parametrize("out", ["out.png", "out.jpg", "out.tif"])
def test_colorize_keeps_lightness(run: Command, camera, model, out: str) -> None:
    result = run("colorize", "camera.png", out, "--model", model)
    image = read_image(Path(out))
    assert image.axes == "YXS" and image.array.shape == (*camera.shape, 3)
    assert is_colored(image.array)
    difference = lightness(image.array) - lightness(np.dstack([camera] * 3))
    assert np.median(np.abs(difference)) < 1
    assert image.pixel_size is not None and 1 / image.pixel_size.x == pytest.approx(
        300, 1e-3
    )
    for word in (out, str(model), "160 x 190", "local", "cpu", "0 (black)", "255"):
        assert word in result.stdout


def test_a_zarr_store_is_coloured_like_any_picture(run: Command, camera, model) -> None:
    zarr.create_array("in.zarr", data=camera, chunks=(64, 64))
    for name in ("in.zarr", "camera.png"):
        run("colorize", name, f"{name}.tif", "--model", model, "--device", "cpu")
    images = [
        read_image(Path(f"{name}.tif")).array for name in ("in.zarr", "camera.png")
    ]
    assert np.array_equal(*images)
    assert "gray, uint8" in run("info", "in.zarr").stdout


def test_colorize_equals_python(run: Command, camera, model) -> None:
    arguments = ("--limits", "20", "180.5", "--context", "whole", "--device", "cpu")
    result = run(
        "colorize", "camera.png", "out.tif", "--model", model, *arguments, "--tile", 512
    )
    expected = napari_colorgan.colorize(
        camera, str(model), limits=(20, 180.5), context="whole", device="cpu"
    )
    np.testing.assert_array_equal(read_image(Path("out.tif")).array, expected)
    assert "20 (black) to 180.5 (white)" in result.stdout


def test_colorize_hyperstack_from_imagej(run: Command, camera, model) -> None:
    planes = np.stack([camera, camera[::-1]] * 3).reshape(3, 2, *camera.shape)
    deep = planes.astype(np.uint16) * 16
    metadata = {"axes": "TZYX", "spacing": 2.0, "unit": "um", "finterval": 5.0}
    tifffile.imwrite("in.tif", deep, imagej=True, resolution=(4, 4), metadata=metadata)
    result = run("colorize", "in.tif", "out.tif", "--model", model)
    image, source = read_image(Path("out.tif")), read_image(Path("in.tif"))
    assert image.axes == "TZYXS" and image.array.shape == (*deep.shape, 3)
    assert image.pixel_size == source.pixel_size
    assert is_colored(image.array)
    low, high = np.percentile(deep, (0.1, 99.9))
    assert f"{low:g} (black) to {high:g} (white)" in result.stdout


def test_colorize_ome_and_float(run: Command, camera, model) -> None:
    stack = np.stack([camera, camera[:, ::-1]]).astype(np.float32) / 255
    stack[0, :3, :3] = np.nan
    tifffile.imwrite("in.ome.tif", stack, metadata={"axes": "CYX"})
    result = run("colorize", "in.ome.tif", "out.ome.tif", "--model", model)
    image = read_image(Path("out.ome.tif"))
    assert image.axes == "CYXS" and not image.array[0, :3, :3].any()
    assert "9 pixels have no value" in result.stderr


def test_own_axes_win(run: Command, camera, model) -> None:
    tifffile.imwrite("in.tif", np.dstack([camera] * 5), metadata={"axes": "ZYX"})
    run("colorize", "in.tif", "out.tif", "--model", model, "--axes", "YXT")
    image = read_image(Path("out.tif"))
    assert image.axes == "TYXS" and image.array.shape == (5, *camera.shape, 3)


def test_equal_channels_are_gray(run: Command, camera, model) -> None:
    Image.fromarray(np.dstack([camera] * 3)).save("scan.jpg", quality=100)
    Image.fromarray(np.dstack([camera] * 3)).save("scan.png")
    run("colorize", "scan.png", "scan.tif", "--model", model)
    run("colorize", "camera.png", "gray.tif", "--model", model)
    scan, gray = (read_image(Path(name)).array for name in ("scan.tif", "gray.tif"))
    np.testing.assert_array_equal(scan, gray)


def test_real_colour_needs_consent(run: Command, tmp_path: Path, model) -> None:
    astronaut = data.astronaut()[:150, 150:300]
    Image.fromarray(astronaut).save("astronaut.png")
    arguments = ("colorize", "astronaut.png", "out.png", "--model", model)
    message = one_sentence(run(*arguments, code=2))
    assert "astronaut.png" in message and "--from-color" in message
    result = run(*arguments, "--from-color")
    assert "lightness" in result.stdout
    difference = lightness(read_image(Path("out.png")).array) - lightness(astronaut)
    assert np.median(np.abs(difference)) < 1


def test_overwrites_only_with_force(run: Command, camera, model) -> None:
    Path("out.png").write_text("precious")
    arguments = ("colorize", "camera.png", "out.png", "--model", model)
    assert "--force" in one_sentence(run(*arguments, code=2))
    assert Path("out.png").read_text() == "precious"
    run(*arguments, "--force")
    assert is_colored(read_image(Path("out.png")).array)
    assert sorted(os.listdir()) == ["camera.png", "out.png"]


BAD = {
    "no such picture": (("no.png", "out.png"), "No such file"),
    "not a picture": (("notes.png", "out.png"), "not a picture"),
    "a truncated picture": (("cut.png", "out.png"), "damaged"),
    "a complex array": (("complex.tif", "out.png"), "complex"),
    "too many axes": (("camera.png", "out.png", "--axes", "TYX"), "3 letters"),
    "an unknown axis": (("camera.png", "out.png", "--axes", "YW"), "unknown letter"),
    "an axis twice": (("camera.png", "out.png", "--axes", "YY"), "twice"),
    "equal limits": (("camera.png", "out.png", "--limits", "5", "5"), "low before"),
    "endless limits": (("camera.png", "out.png", "--limits", "0", "inf"), "finite"),
    "a tiny tile": (("camera.png", "out.png", "--tile", "16"), "too small"),
    "a negative tile": (("camera.png", "out.png", "--tile", "-5"), "too small"),
    "no such device": (("camera.png", "out.png", "--device", "tpu"), "device is 'tpu'"),
    "no such model": (("camera.png", "out.png", "--model", "no"), "called 'no'"),
    "a foreign model": (("camera.png", "out.png", "--model", "notes.png"), "not a"),
    "a cut model": (("camera.png", "out.png", "--model", "cut.safetensors"), "damaged"),
    "no such folder": (("camera.png", "no/out.png"), "No such file"),
    "an unknown type": (("camera.png", "out.xyz"), "ends in one of"),
    "a folder as output": (("camera.png", "folder.png"), "is a folder"),
    "a stack into a PNG": (("stack.tif", "out.png"), ".tif"),
    "the input as output": (("camera.png", "camera.png", "--force"), "would be lost"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(run: Command, camera, model, case: str) -> None:
    Path("notes.png").write_text("Buy milk.")
    Path("cut.png").write_bytes(Path("camera.png").read_bytes()[:9000])
    Path("cut.safetensors").write_bytes(model.read_bytes()[:-100])
    Path("folder.png").mkdir()
    tifffile.imwrite("complex.tif", camera.astype(np.complex64))
    tifffile.imwrite("stack.tif", np.stack([camera] * 5), metadata={"axes": "TYX"})
    before = {path: path.stat().st_mtime_ns for path in Path().iterdir()}
    arguments, words = BAD[case]
    chosen = () if "--model" in arguments else ("--model", model)
    message = one_sentence(run("colorize", *arguments, *chosen, code=2))
    assert words in message
    assert before == {path: path.stat().st_mtime_ns for path in Path().iterdir()}


@pytest.mark.parametrize(
    "arguments",
    [
        ("colorize", "camera.png"),
        ("colorize", "camera.png", "out.png", "--context", "huge"),
        ("colorize", "camera.png", "out.png", "--limits", "5"),
        ("paint",),
        ("evaluate", "--limit", "3"),
    ],
)
def test_usage_errors_exit_with_2(run: Command, camera, arguments) -> None:
    assert "Error: " in run(*arguments, code=2).stderr


# stopping


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "napari_colorgan", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stop_keeps_what_is_done(tmp_path: Path, camera, model, number) -> None:
    """A signal amid many tiles: the first are coloured, the last are gray."""
    large = np.tile(camera, (96, 2))  # enough for a busy machine to see it begin
    tifffile.imwrite(tmp_path / "large.tif", large)
    out = tmp_path / "out.tif"
    arguments = ("--model", model, "--tile", 448, "--device", "cpu")
    arguments += ("--engine", "torch")  # others need no time to be stopped in
    process = start("colorize", tmp_path / "large.tif", out, *arguments)
    wait_for(lambda: any(map(is_started, tmp_path.glob(".colorgan-*"))), process)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 128 + number, stderr
    assert "the rest is gray" in stderr and str(out) in stdout
    image = read_image(out)
    rgb = image.array
    assert isinstance(image.tags.made, dict) and image.tags.made["complete"] is False
    assert is_colored(rgb[:30]) and (rgb[-1] == large[-1, :, None]).all()
    assert not list(tmp_path.glob(".*"))


def is_started(path: Path) -> bool:
    try:
        return is_colored(tifffile.imread(path)[:30])
    except (OSError, ValueError, tifffile.TiffFileError):
        return False


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> object:
    end = time.monotonic() + 120
    while not (result := condition()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.01)
    return result


# models, help


def test_models_lists_and_prints_cards(run: Command, model, monkeypatch) -> None:
    from napari_colorgan.checkpoints import zoo

    monkeypatch.setattr(zoo, "user_folder", lambda: model.parent)
    listed = run("models").stdout
    row = next(line for line in listed.splitlines() if line.startswith("small"))
    assert row.split() == ["small", "unet", "colorization", "local", "CC0-1.0"]
    assert "Random colours." in listed
    assert run("models", "small").stdout.startswith("# small")
    assert "no model" in one_sentence(run("models", "no", code=2))


@pytest.mark.parametrize("arguments", [["--help"], ["models"], ["colorize", "--help"]])
def test_help_and_lists_do_without_torch(arguments: list[str]) -> None:
    program = (
        "import sys, atexit; from napari_colorgan.cli import main; atexit.register("
        "lambda: print('torch' in sys.modules, 'napari' in sys.modules)); "
        f"sys.argv[1:] = {arguments}; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False False\n") and not done.stderr


def test_module_is_the_command() -> None:
    process = start("--version")
    stdout, _ = process.communicate()
    assert stdout == f"napari-colorgan {napari_colorgan.__version__}\n"


# train, evaluate


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("astronaut", "coffee", "chelsea"):
        picture = Image.fromarray(getattr(data, name)())
        picture.resize((128, 96)).save(folder / f"{name}.png")
    Image.fromarray(data.camera()[::4, ::4]).save(folder / "gray.png")
    return folder


def test_evaluate(run: Command, photos, model) -> None:
    arguments = ("evaluate", "--color", photos, "--model", model)
    result = run(*arguments, "--json", "scores.json", "--report", "report")
    scores = json.loads(Path("scores.json").read_text())
    assert scores["pictures"] == 3 and scores["context"] == "local"
    assert [row["name"] for row in scores["rows"]] == [
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
    ]
    names = ("psnr", "psnr_gray", "gain", "ciede2000", "ciede2000_gray", "ssim")
    for name in names:
        assert f"{scores[name]:.2f}"[:4] in result.stdout
    assert f"{100 * scores['colorfulness']:.0f} %" in result.stdout
    assert "1 of 4 pictures" in result.stderr and "gray.png" in result.stderr
    assert "index.html" in result.stdout and Path("report/index.html").is_file()
    assert "2 pictures" in run(*arguments, "--limit", 2).stdout
    small = run(*arguments, "--side", 32, "--json", "small.json")
    assert small.stdout != result.stdout
    Path("empty").mkdir()
    for color_folder in ("empty", "missing"):
        bad = run("evaluate", "--color", color_folder, "--model", model, code=2)
        assert "no colour pictures" in one_sentence(bad)
    bad = run(*arguments, "--json", "missing/scores.json", code=2)
    assert "--json" in one_sentence(bad)
    bad = run(*arguments, "--report", photos, code=2)
    assert "--report" in one_sentence(bad)


def test_evaluate_two_folders(run: Command, photos, model) -> None:
    Path("gray").mkdir()
    (photos / "gray.png").unlink()
    for path in photos.iterdir():
        Image.open(path).convert("L").save(Path("gray") / path.name)
    arguments = ("evaluate", "--color", photos, "--gray", "gray", "--model", model)
    assert "3 pictures" in run(*arguments).stdout
    (Path("gray") / "coffee.png").unlink()
    assert "coffee.png" in one_sentence(run(*arguments, "--strict", code=2))
    assert "coffee.png' has no partner" in run(*arguments).stderr
    bad = run(*arguments[:3], "--gray", "missing", "--model", model, code=2)
    assert "missing" in one_sentence(bad)


def test_train_goes_on_and_its_model_works(run: Command, photos, camera) -> None:
    arguments = ["train", photos, "--out", "own.safetensors", "--name", "mine"]
    arguments += ["--device", "cpu", "--recipe", "small.toml"]
    Path("small.toml").write_text(
        'base = "natural"\n[training]\nbatch = 1\ncrop = 32\nseed = 3\n'
        '[model]\nlicense = "CC0-1.0"\nworking_size = 64\n'
    )
    first = run(*arguments, "--steps", 3, "--minutes", 0)
    assert "1 of 3 steps" in first.stdout and "goes on" in first.stdout
    assert "3 of 3 steps" in run(*arguments, "--steps", 3).stdout
    assert "steps" in one_sentence(run(*arguments, "--steps", 5, code=2))
    run("colorize", "camera.png", "out.png", "--model", "own.safetensors")
    card = run("models", "own.safetensors").stdout
    assert "CC0-1.0" in card and "whole" in card
    Path("own.state").unlink()
    assert "own.state" in one_sentence(run(*arguments, code=2))


def test_train_checks_settings_first(run: Command, photos) -> None:
    good = ["train", photos, "--out", "own.safetensors"]
    Path("recipe.toml").write_text("[training]\nsteps = 10\nbatchsize = 3\n")
    Path("crop.toml").write_text("[training]\ncrop = 33\n")
    for arguments, words in [
        ([*good[:-1], "own.pt"], ".safetensors"),
        ([*good[:-1], "no/own.safetensors"], "a folder that exists"),
        ([*good, "--recipe", "no"], "natural"),
        ([*good, "--recipe", "no.toml"], "readable TOML"),
        ([*good, "--recipe", "recipe.toml"], "batchsize"),
        ([*good, "--steps", 0], "at least 1"),
        ([*good, "--crop", 64], "'crop = ...' below '[training]'"),
        ([*good, "--license=MIT"], "'license = ...' below '[model]'"),
        ([*good, "--threads", 2], "OMP_NUM_THREADS"),
        ([*good, "--recipe", "crop.toml"], "multiple of 32"),
        ([*good, "--device", "tpu"], "device"),
        (["train", "missing", *good[2:]], "no colour pictures"),
        ([*good, "--start", "nobody"], "no model or checkpoint file called 'nobody'"),
    ]:
        assert words in one_sentence(run(*arguments, code=2))
    assert sorted(os.listdir()) == ["crop.toml", "photos", "recipe.toml"]


# demo


def test_demo_without_display_writes_files(run: Command, model, monkeypatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for _ in range(2):  # it may replace its own files
        result = run("demo", "--model", model)
    assert "no display" in result.stdout
    colored = read_image(Path("colorgan-demo.png")).array
    made = read_image(Path("colorgan-demo.png")).tags.made
    assert isinstance(made, dict) and made["model"] == "small"
    both = read_image(Path("colorgan-demo-side-by-side.png")).array
    assert is_colored(colored) and both.shape == (512, 1024, 3)
    np.testing.assert_array_equal(both[:, 512:], colored)
    np.testing.assert_array_equal(both[:, :512, 0], data.camera())
    bad = run("demo", "--out", "missing", "--model", model, code=2)
    assert "cannot be written" in bad.stderr


def test_demo_says_why_there_is_no_window(monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cli.demo, "_QT_BINDINGS", ())
    assert "no Qt" in cli.demo._why_no_window()
    monkeypatch.undo()
    monkeypatch.setenv("QT_QPA_PLATFORM", "none-such")
    monkeypatch.setenv("DISPLAY", ":0")
    assert "Qt cannot open a window" in cli.demo._why_no_window()


def test_demo_opens_napari_and_presses_run(tmp_path: Path, model) -> None:
    """In a process of its own: the demo owns the viewer and Qt's event loop."""
    program = f"""
import napari, time
from pathlib import Path
from qtpy.QtWidgets import QApplication

def run():
    viewer = napari.current_viewer()
    end = time.monotonic() + 100
    while time.monotonic() < end:
        QApplication.processEvents()
        made = viewer.layers[-1].metadata.get("colorgan", {{}})
        if made.get("complete"):
            break
        time.sleep(0.02)
    print([(layer.name, layer.rgb) for layer in viewer.layers])
    side = 512 * viewer.camera.zoom
    print(side <= min(viewer.screenshot(flash=False).shape[:2]), "that it is all seen")
    print(viewer.layers[1].metadata["colorgan"]["complete"])
    viewer.close()

napari.run = run
from napari_colorgan import cli
cli.demo._show_demo({str(model)!r})
"""
    settings = {"NAPARI_CONFIG": str(tmp_path / "settings.yaml")}
    settings |= {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | settings,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "('photograph', False)" in done.stdout and ", True)" in done.stdout
    assert "True that it is all seen" in done.stdout
    assert done.stdout.rstrip().endswith("True")


def test_train_on_two_folders_with_another_generator(run: Command, photos) -> None:
    Path("gray").mkdir()
    (photos / "gray.png").unlink()
    for path in photos.iterdir():
        Image.open(path).convert("L").save(Path("gray") / path.name)
    arguments = ["train", "--color", photos, "--gray", "gray", "--out", "a.safetensors"]
    arguments += ["--recipe", "small.toml", "--device", "cpu"]
    Path("small.toml").write_text(
        '[generator]\nname = "unet"\ndepth = 5\nwidth = 8\n[training]\n'
        'scheme = "paper"\nsteps = 2\nbatch = 1\ncrop = 32\nema = 0.0\n'
        "discriminator_width = 8\nvalidation = 0.4\n"
    )
    Path("far.toml").write_text('base = "small"\n[training]\nvalidation = 2\n')
    assert "2 of 2 steps" in run(*arguments).stdout
    (held,) = json.loads(Path("a.split.json").read_text())["held_out"]
    assert len(held) == 1
    assert Path("a.jpg").is_file() and "held out" in Path("a.scores.csv").read_text()
    for extra, words in [
        (["--generator", "unet9"], "unet256"),
        (["--generator", "unet256"], "multiple of 256 px"),
        ([photos], "one folder of colour pictures"),
        (["--recipe", "far.toml"], "from 0 to 0.9"),
    ]:
        bad = run(*arguments[:6], "b.safetensors", *arguments[7:], *extra, code=2)
        assert words in one_sentence(bad)
    assert "FOLDER" in one_sentence(run("train", "--out", "c.safetensors", code=2))


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_any_stream_can_show_a_card(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "napari_colorgan", "models", "natural"],
        env=os.environ | {"PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == b""
    assert done.stdout.startswith(b"# natural")
