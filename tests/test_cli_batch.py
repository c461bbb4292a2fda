"""`colorgan colorize` of many pictures: one process, and a bad one stops no other."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from skimage import data
from typer.testing import CliRunner, Result

from napari_colorgan import cli
from napari_colorgan.checkpoints.store import load, save
from napari_colorgan.image_io import read_image
from napari_colorgan.inference.batch import (
    BatchOutcome,
    BatchProgress,
    Item,
    color_all_job,
)
from napari_colorgan.inference.files import Choices
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import Control, finish
from napari_colorgan.printable import printable

Command = Callable[..., Result]
GRAY = np.ascontiguousarray(data.camera()[40:104, 150:230])


@pytest.fixture
def model(tmp_path: Path, make_checkpoint) -> Path:
    path = tmp_path / "small.safetensors"
    save(make_checkpoint("unet", context="local"), path)
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path) -> Command:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def command(*arguments: object, code: int = 0) -> Result:
        given = ["colorize", *arguments, "--model", model, "--device", "cpu"]
        result = runner.invoke(cli.app, [str(argument) for argument in given])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return command


def write(*paths: str) -> None:
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(GRAY).save(path)


def files(folder: str) -> list[str]:
    root = Path(folder)
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*.*"))


def test_a_folder_is_coloured_into_another(run: Command) -> None:
    write("in/a.png", "in/b.jpg", "in/sub/c.bmp", "in/.thumbnails/a.png", "in/._a.png")
    Path("in/slide.czi").write_bytes(b"of another program")
    tifffile.imwrite("in/stack.tif", np.stack([GRAY, GRAY[::-1]]))
    frames = [Image.fromarray(GRAY), Image.fromarray(GRAY[::-1])]
    frames[0].save("in/film.gif", save_all=True, append_images=frames[1:])
    result = run("in", "out")
    assert files("out") == ["a.png", "b.jpg", "film.tif", "stack.tif", "sub/c.png"]
    assert "5 of 5 pictures" in result.stdout
    assert "2 hidden or cached entries are left out" in result.stderr
    assert f"cannot be read are left out: '{Path('in/slide.czi')}'" in result.stderr
    assert read_image(Path("out/stack.tif")).array.shape == (2, *GRAY.shape, 3)
    made = CliRunner().invoke(cli.app, ["info", "out/sub/c.png"]).stdout
    assert "source: c.bmp" in made and "complete: true" in made
    run("in/a.png", "alone.png")
    alone = read_image(Path("alone.png")).array
    assert np.array_equal(read_image(Path("out/a.png")).array, alone)
    assert np.ptp(alone, axis=-1).max() > 5


def test_files_and_folders_may_be_mixed(run: Command) -> None:
    write("a.png", "b.png", "more/c.png")
    Path("out").mkdir()
    run("a.png", "b.png", "more", "out")
    assert files("out") == ["a.png", "b.png", "c.png"]
    write("d.png")
    run("d.png", "out")  # as where a pattern of the shell matches one file
    assert files("out") == ["a.png", "b.png", "c.png", "d.png"]


def test_patterns_are_expanded_also_where_the_shell_does_not(run: Command) -> None:
    write("in/a.png", "in/b.png", "in/c.jpg", "in/sub/d.png")
    assert "2 of 2 pictures" in run("in/*.png", "out").stdout
    assert files("out") == ["a.png", "b.png"]
    run("in/c.*", "one")  # one match is a folder's, too
    assert files("one") == ["c.jpg"]
    run("in/**/*.png", "all")
    assert files("all") == ["a.png", "b.png", "d.png"]
    assert "Nothing matches 'in/*.tif'" in run("in/*.tif", "out", code=2).stderr
    Path("in/b.png").write_bytes(b"no picture")
    result = run("in/*.png", "again", code=1)
    assert "1 of 2 pictures" in result.stdout and "'in/b.png'" in result.stderr
    assert files("again") == ["a.png"]


def test_stores_of_a_folder_become_stores_and_are_gone_on_with(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("in/a.png")
    for name in ("b", "c"):
        zarr.create_array(f"in/{name}.zarr", data=GRAY, chunks=(32, 32))
    run("in", "out")
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "a.png",
        "b.zarr",
        "c.zarr",
    ]
    expected = read_image(Path("out/a.png")).array
    assert np.array_equal(read_image(Path("out/b.zarr")).array, expected)
    before = Path("out/.c.zarr.progress")
    before.write_text("[{}, [1, 1, 1]]\n")  # as if it was only begun
    shown = run("in", "out", "--resume", code=1)
    assert "0 of 1 pictures" in shown.stdout and "was begun with" in shown.stderr
    assert "3 of 3 pictures" in run("in", "out", "--force").stdout
    assert "all results already" in run("in", "out", "--resume").stdout
    refused = run("in", "in/b.zarr/out", "--force", code=2).stderr
    assert "lie in one" in refused and not Path("in/b.zarr/out").exists()


def test_equal_names_of_other_types_stay_apart(run: Command) -> None:
    write("in/a.png", "in/a.bmp", "in/a.jpg", "in/b.bmp", "in/b.gif")
    run("in", "out")
    assert files("out") == ["a.bmp.png", "a.jpg", "a.png", "b.bmp.png", "b.gif.png"]


def test_many_pictures_go_on_where_they_ended(run: Command) -> None:
    write("in/a.png", "in/b.png", "out/b.png")
    tifffile.imwrite("in/stack.tif", np.stack([GRAY, GRAY]))
    before = Path("out/b.png").read_bytes()
    assert "2 of 2 pictures" in run("in", "out", "--skip-existing").stdout
    assert files("out") == ["a.png", "b.png", "stack.tif"]
    assert Path("out/b.png").read_bytes() == before
    assert "all results already" in run("in", "out", "--skip-existing").stdout


def test_bad_pictures_are_named_at_the_end(run: Command) -> None:
    write("in/a.png", "in/z.png")
    Path("in/bad.png").write_bytes(b"no picture")
    Image.fromarray(data.astronaut()[:64, :64]).save("in/color.png")
    result = run("in", "out", code=1)
    assert files("out") == ["a.png", "z.png"]
    assert "2 of 4 pictures" in result.stdout
    bad, color = result.stderr.splitlines()[-2:]
    assert bad.startswith(f"Not coloured: '{Path('in/bad.png')}' is not a picture")
    assert color.startswith(f"Not coloured: '{Path('in/color.png')}' already has colo")


def test_results_are_replaced_only_by_force_and_sources_never(run: Command) -> None:
    write("in/a.png", "in/b.png", "out/b.png")
    before = Path("out/b.png").read_bytes()
    result = run("in", "out", code=2)
    assert f"1 of 2 results exist already: '{Path('out/b.png')}'" in result.stderr
    assert files("out") == ["b.png"] and Path("out/b.png").read_bytes() == before
    run("in", "out", "--force")
    assert Path("out/b.png").read_bytes() != before
    for options in ((), ("--force",)):
        result = run("in", "in", *options, code=2)
        assert "would take the place of a picture" in result.stderr
    assert np.array_equal(read_image(Path("in/a.png")).array, GRAY)


def test_results_within_the_folder_are_not_coloured_again(run: Command) -> None:
    write("in/a.png")
    run("in", "in/coloured")
    assert "1 of 1 pictures" in run("in", "in/coloured", "--force").stdout
    assert files("in/coloured") == ["a.png"]


def test_what_cannot_be_a_batch_is_refused_at_once(run: Command) -> None:
    write("a.png", "b.png", "a.bmp", "more/a.png")
    Path("empty").mkdir()
    for arguments, words in (
        (("a.png", "b.png", "c.png"), "'c.png' is no folder"),
        (("a.png", "a.bmp", "b.png"), "'b.png' is no folder"),
        (("a.png", "more/a.png", "out"), "Several pictures would become 'out/a.png'"),
        (("empty", "out"), "'empty' holds no pictures"),
    ):
        assert words in run(*arguments, code=2).stderr
    assert not Path("out").exists()


def test_stop_keeps_the_pictures_that_are_finished(tmp_path: Path, model: Path) -> None:
    items = []
    for number in range(3):
        path = tmp_path / f"{number}.png"
        Image.fromarray(GRAY).save(path)
        items.append(Item(path, Path(path.name)))
    # after the model: gray, coloured and written, of each picture
    for stop_at, kept in (
        (2, []),
        (3, ["0.png"]),
        (5, ["0.png"]),
        (7, ["0.png", "1.png"]),
    ):
        control, out, events = Control(), tmp_path / f"out{stop_at}", []

        def listen(event, control=control, events=events, stop_at=stop_at):
            events.append(event)
            if len(events) == stop_at:
                control.request_stop()

        settings = ColorizerSettings(model=model, device="cpu")
        choices, outcome = Choices(None, None, False, False), BatchOutcome()
        job = color_all_job(items, out, settings, choices, outcome)
        finish(job, listen, control)
        assert outcome.done == len(kept)
        assert sorted(path.name for path in out.iterdir()) == kept


def test_a_bar_covers_all_pictures(tmp_path: Path, model: Path) -> None:
    items = []
    for number in range(2):
        path = tmp_path / f"{number}.png"
        Image.fromarray(GRAY).save(path)
        items.append(Item(path, Path(path.name)))
    settings, events = ColorizerSettings(model=model, device="cpu"), []
    choices = Choices(None, None, False, False)
    job = color_all_job(items, tmp_path / "out", settings, choices, BatchOutcome())
    finish(job, events.append)
    shown = [event for event in events if isinstance(event, BatchProgress)]
    done = [event.done for event in shown]
    assert done == sorted(done) and done[-1] == shown[-1].total
    assert (shown[-1].finished, {event.count for event in shown}) == (2, {2})


@pytest.fixture
def latin(tmp_path: Path) -> bytes:
    """Name of a picture that is no UTF-8; skips where the system wants it to be."""
    name = b"stra\xdfe.png"
    Image.fromarray(GRAY).save(tmp_path / "x.png")
    try:
        os.rename(tmp_path / "x.png", os.fsencode(tmp_path) + b"/" + name)
    except OSError:
        pytest.skip("this file system knows only UTF-8")
    return name


def test_a_name_that_is_no_text_is_coloured_and_shown(run, latin: bytes) -> None:
    result = run(os.fsdecode(latin), "out.png")
    assert Path("out.png").exists() and result.exit_code == 0
    Path("out.png").unlink()
    result = run(os.fsdecode(latin), os.fsdecode(b"\xdf.png"))
    assert r"'\xdf.png': 64 x 80 px" in result.stdout
    Path("out").mkdir()
    run(os.fsdecode(latin), "out")
    assert os.listdir(b"out") == [latin]


def test_what_would_act_upon_a_terminal_is_printed_as_text() -> None:
    assert printable("a\x1b[2J\rb\u202egnp\n\tä µ\xa0€") == (
        "a\\x1b[2J\\x0db\\u202egnp\n\tä µ\xa0€"
    )
    assert printable("stra\udcdfe") == "stra\\xdfe"


def test_a_model_of_such_names_is_whole(run, latin: bytes, tmp_path: Path) -> None:
    Path("color").mkdir()
    for number in range(3):
        part = data.immunohistochemistry()[100 * number :][:64, :64]
        name = os.fsdecode(b"stra\xdfe%d.png" % number)
        Image.fromarray(part).save(Path("color") / name)
    out = os.fsdecode(b"m\xdf.safetensors")
    arguments = ["fine-tune", "--color", "color", "--out", out, "--steps", "1"]
    arguments += ["--patch", "64", "--batch", "1", "--device", "cpu", "--report", "r"]
    arguments += ["--model", "scratch"]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 0, result.output
    assert r"'stra\xdfe" in result.stdout
    assert "stra" in Path("r/index.html").read_text("utf-8")
    metadata = load(out).metadata
    assert (metadata.name + metadata.provenance).encode()
    arguments = ["evaluate", "--color", "color", "--model", out, "--device", "cpu"]
    result = CliRunner().invoke(cli.app, [*arguments, "--json", "s.json"])
    assert result.exit_code == 0, result.output
    assert r"stra\udcdfe0.png" in Path("s.json").read_text("utf-8")
