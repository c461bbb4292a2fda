"""`colorgan fine-tune`: what it says, keeps and refuses; how it stops and goes on."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data
from typer.testing import CliRunner, Result

from napari_colorgan import cli
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import load, save
from napari_colorgan.image_io import read_image
from napari_colorgan.training import runs

Command = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def command(*arguments: object, code: int = 0) -> Result:
        result = runner.invoke(cli.app, [str(argument) for argument in arguments])
        assert result.exit_code == code, (result.output, result.exception)
        return result

    return command


@pytest.fixture
def color(tmp_path: Path) -> Path:
    """Folder of four parts of a stained tissue."""
    folder = tmp_path / "color"
    folder.mkdir()
    tissue = data.immunohistochemistry()
    for number in range(4):
        part = tissue[100 * number :][:96, :112]
        Image.fromarray(part).save(folder / f"part{number}.png")
    return folder


@pytest.fixture
def model(tmp_path: Path, make_checkpoint) -> Path:
    path = tmp_path / "small.safetensors"
    save(make_checkpoint("compact", license="CC0-1.0", context="local"), path)
    return path


QUICK = ("--patch", 64, "--batch", 1, "--device", "cpu", "--seed", 3)


@pytest.fixture
def arguments(color: Path, model: Path) -> list[object]:
    return ["fine-tune", "--color", color, "--model", model, *QUICK]


def one_sentence(result: Result) -> str:
    """The message on stderr, which is a single line and no traceback."""
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ") and line.endswith(".")
    return line


def test_a_model_is_made_that_colors(run: Command, arguments, color) -> None:
    about = ("--name", "mine", "--license", "CC-BY-4.0", "--description", "My tissue.")
    result = run(*arguments, "--out", "own.safetensors", "--steps", 4, *about)
    plan, parts, *steps = result.stdout.splitlines()
    assert plan.startswith("Colorization on cpu") and "4 steps" in plan
    assert sorted(re.findall(r"'(part\d)'", parts)) == [f"part{n}" for n in range(4)]
    assert steps[0].startswith("Step 0: PSNR") and "+0.00 over before" in steps[0]
    assert any(line.startswith("Step 4: ") for line in steps)
    assert "own.safetensors" in result.stdout and "left gray" in result.stdout
    metadata = load("own.safetensors").metadata
    assert (metadata.name, metadata.license) == ("mine", "CC-BY-4.0")
    assert metadata.description == "My tissue."
    picture = color / "part0.png"
    run("colorize", picture, "a.png", "--from-color", "--model", "own.safetensors")
    assert np.ptp(read_image(Path("a.png")).array, axis=-1).mean() > 1


def test_the_summary_tells_of_the_best(run: Command, arguments) -> None:
    result = run(*arguments, "--out", "own.safetensors", "--steps", 4)
    best = [line for line in result.stdout.splitlines() if line.endswith(", best")][-1]
    step, psnr = re.match(r"Step (\d+): PSNR ([\d.]+) dB", best).groups()
    assert f"the best model, of step {step} " in result.stdout
    (line,) = [s for s in result.stdout.splitlines() if s.startswith("PSNR, dB")]
    assert line.split()[2] == psnr


def test_gray_pictures_of_their_own_are_translated(run: Command, color, model) -> None:
    Path("gray").mkdir()
    for path in color.iterdir():
        gray = np.asarray(Image.open(path).convert("L"))
        Image.fromarray(255 - gray).save(Path("gray") / path.name)
    arguments = ("fine-tune", "--color", color, "--gray", "gray", "--model", model)
    result = run(*arguments, *QUICK, "--out", "own.safetensors", "--steps", 2)
    assert "Translation" in result.stdout
    assert load("own.safetensors").metadata.codec == "rgb"
    result = run(
        *arguments, *QUICK, "--out", "b.safetensors", "--steps", 2,
        "--task", "colorization",
    )  # fmt: skip
    assert load("b.safetensors").metadata.codec == "lab"


def test_a_report_of_the_held_out_part(run: Command, arguments) -> None:
    result = run(
        *arguments, "--out", "own.safetensors", "--steps", 3, "--report", "report"
    )
    page = Path("report/index.html").read_text("utf-8")
    (held_out,) = re.findall(r"tested on '(part\d)'", result.stdout)
    assert held_out in page and "<svg" in page and "before" in page
    assert {p.name for p in Path("report").iterdir()} == {
        "curves.csv",
        "images",
        "images.csv",
        "index.html",
    }
    assert "the report" in result.stdout


def test_scratch_and_schemes_start_fresh(run: Command, color) -> None:
    arguments = ("fine-tune", "--color", color, *QUICK, "--steps", 1)
    run(*arguments, "--model", "scratch", "--out", "a.safetensors", "--report", "r")
    assert load("a.safetensors").metadata.generator == "compact"
    assert "before" not in Path("r/images.csv").read_text()
    for option in ("--scheme", "--recipe"):  # which it was called at first
        bad = run(
            *arguments, option, "paper", "--model", "micro", "--out", "b.safetensors",
            code=2,
        )  # fmt: skip
        assert "starts from scratch" in one_sentence(bad)


def test_notes_tell_of_doubtful_pairs(run: Command, arguments, color) -> None:
    nearly_gray = np.full((96, 112, 3), 90, np.uint8)
    nearly_gray[::2, ::2, 0] = 93
    Image.fromarray(nearly_gray).save(color / "pale.png")
    result = run(*arguments, "--out", "own.safetensors", "--steps", 1)
    assert "Note: 1 step is too few for a result" in result.stderr
    assert "(all steps are done, after " in result.stdout
    assert any(
        line.startswith("Note: ") and "'pale' is nearly gray" in line
        for line in result.stderr.splitlines()
    )


def test_a_shift_is_noted(run: Command, color, model) -> None:
    Path("gray").mkdir()
    tissue = data.immunohistochemistry()
    for number in range(2):
        part = tissue[200 * number :][:190, :200]
        Image.fromarray(part).save(color / f"part{number}.png")
        moved = Image.fromarray(tissue[200 * number :][:190, 6:206]).convert("L")
        moved.save(Path("gray") / f"part{number}.png")
    for number in (2, 3):
        (color / f"part{number}.png").unlink()
    result = run(
        "fine-tune", "--color", color, "--gray", "gray", "--model", model, *QUICK,
        "--out", "own.safetensors", "--steps", 1,
    )  # fmt: skip
    assert "'part0' is shifted by 6.0 px" in result.stderr


BAD = {
    "another type": (("--out", "own.pt"), ".safetensors"),
    "no such folder": (("--out", "no/own.safetensors"), "a folder that exists"),
    "two budgets": (("--minutes", 1, "--steps", 5), "--minutes"),
    "no steps": (("--steps", 0), "at least 1"),
    "no time": (("--minutes", 0), "above 0"),
    "an odd patch": (("--patch", 50), "multiple of 32"),
    "no batch": (("--batch", 0), "at least 1"),
    "a negative seed": (("--seed", -1), "at least 0"),
    "no such model": (("--model", "no"), "called 'no'"),
    "no such device": (("--device", "tpu"), "device"),
    "nothing to resume": (("--resume",), "own.state"),
    "a report elsewhere": (("--report", "color"), "--report"),
}


@pytest.mark.parametrize("case", BAD)
def test_settings_are_checked_before_folders_are_read(
    run: Command, color, case: str
) -> None:
    extra, words = BAD[case]
    (color / "broken.png").write_text("no picture")  # would be named otherwise
    arguments = ["fine-tune", "--color", color, "--out", "own.safetensors"]
    assert words in one_sentence(run(*arguments, *extra, code=2))
    assert [p.name for p in color.parent.iterdir()] == ["color"]


def test_bad_folders_are_one_sentence(run: Command, arguments, color) -> None:
    out = ("--out", "own.safetensors", "--steps", 1)
    Path("empty").mkdir()
    for folder in ("missing", "empty"):
        bad = run("fine-tune", "--color", folder, "--model", "scratch", *out, code=2)
        assert folder in one_sentence(bad)
    bad = run(*arguments, "--gray", "empty", *out, code=2)
    assert "empty" in one_sentence(bad)
    Path("gray").mkdir()
    Image.open(color / "part0.png").convert("L").save("gray/part0.png")
    assert "part3" in one_sentence(run(*arguments, "--gray", "gray", *out, code=2))
    (color / "part1.png").write_text("no picture")
    assert "part1.png" in one_sentence(run(*arguments, *out, "--strict", code=2))
    assert not Path("own.safetensors").exists()


def test_nothing_is_overwritten_without_resume(run: Command, arguments) -> None:
    for name in ("own.safetensors", "own.state"):
        Path(name).write_text("precious")
        bad = run(*arguments, "--out", "own.safetensors", "--steps", 1, code=2)
        assert name in one_sentence(bad) and "--resume" in one_sentence(bad)
        assert Path(name).read_text() == "precious"
        Path(name).unlink()


@pytest.mark.parametrize(
    "extra",
    [("--scheme", "novel"), ("--task", "magic"), ("--context", "huge"), ()],
)
def test_usage_errors_exit_with_2(run: Command, arguments, extra) -> None:
    out = ("--out", "own.safetensors") if extra else ()
    assert "Error: " in run(*arguments, *out, *extra, code=2).stderr


def test_resume_is_refused_with_other_settings(run: Command, arguments, color) -> None:
    out = ("--out", "own.safetensors", "--steps")
    run(*arguments, *out, 2)
    made = load("own.safetensors").digest
    assert "steps" in one_sentence(run(*arguments, *out, 3, "--resume", code=2))
    (color / "part3.png").unlink()
    bad = run(*arguments, *out, 2, "--resume", code=2)
    assert "other pairs" in one_sentence(bad)
    assert load("own.safetensors").digest == made
    Path("own.state").write_bytes(Path("own.state").read_bytes()[:500])
    bad = run(*arguments, *out, 2, "--resume", code=2)
    assert "own.state" in one_sentence(bad)


# stopping


def start(*arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "napari_colorgan", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


@pytest.mark.skipif(os.name == "nt", reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_resume_goes_on(run: Command, arguments, number) -> None:
    steps = ("--steps", 40)
    process = start(*arguments, "--out", "own.safetensors", *steps)
    seen = ""
    while "Step 4:" not in seen:
        line = process.stdout.readline()
        assert line, (seen, process.communicate())
        seen += line
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 128 + number, stderr
    assert "--resume goes on" in stderr and "(stopped, after " in stdout
    assert "own.safetensors" in stderr and not list(Path().glob(".*"))
    last = int(re.findall(r"Step (\d+):", seen + stdout)[-1])
    assert load("own.safetensors")
    resumed = run(*arguments, "--out", "own.safetensors", *steps, "--resume")
    assert f"from step {last} " in resumed.stdout
    following = [int(step) for step in re.findall(r"Step (\d+):", resumed.stdout)]
    assert following == sorted(following) and last < following[0] < following[-1] <= 40


def test_bad_pictures_are_named_and_left_out(run: Command, arguments, color) -> None:
    (color / "part9.png").write_bytes(b"no picture")
    strict = run(*arguments, "--out", "a.safetensors", "--steps", 1, "--strict", code=2)
    assert "part9.png' is not a picture" in one_sentence(strict)
    result = run(*arguments, "--out", "a.safetensors", "--steps", 1)
    note, few, worse = result.stderr.splitlines()
    assert "too few" in few
    assert note.startswith("Note: 1 of 5 pictures cannot be used") and "part9" in note
    assert "worse than pictures left gray" in worse  # after one step
    scores = ("evaluate", "--color", color, "--model", "a.safetensors")
    assert "1 of 5 pictures cannot be used" in run(*scores).stderr
    assert "part9.png' is not" in one_sentence(run(*scores, "--strict", code=2))


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folders of models and of trainings."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path / "training")
    return tmp_path


def test_a_named_model_is_installed_with_card_and_picture(
    run: Command, arguments, folders: Path
) -> None:
    result = run(*arguments, "--name", "my tissue", "--steps", 2)
    assert "--model 'my tissue'" in result.stdout
    model = zoo.find("my tissue")
    assert model.picture and "## On the held-out part" in model.card
    assert not [path for path in (folders / "training").iterdir() if path.is_dir()]
    message = one_sentence(run(*arguments, "--name", "my tissue", code=2))
    assert "already have a model" in message
    run(*arguments, "--name", "my tissue", "--steps", 1, "--replace")
    assert zoo.find("my tissue").metadata.training["steps_done"] <= 1


def test_a_model_without_a_name_or_a_file_is_refused(run: Command, arguments) -> None:
    assert "or --out" in one_sentence(run(*arguments, "--steps", 2, code=2))


def test_a_named_training_is_not_lost(run: Command, arguments, folders: Path) -> None:
    folder = runs.RunFolder.named("mine")
    folder.path.mkdir(parents=True)
    folder.state.write_bytes(b"of a training that was stopped")
    message = one_sentence(run(*arguments, "--name", "mine", code=2))
    assert "--resume" in message and "--replace" in message
    assert folder.state.exists()
    message = one_sentence(run(*arguments, "--name", "other", "--resume", code=2))
    assert "there is no" in message


def test_a_name_belongs_to_one_training_at_a_time(
    run: Command, arguments, folders: Path
) -> None:
    folder = runs.RunFolder.named("mine")
    steps = "--steps", 1
    with folder.reserved():
        for more in ((), ("--replace",), ("--resume",)):
            bad = run(*arguments, "--name", "mine", *steps, *more, code=2)
            assert "Another training" in one_sentence(bad)
            assert "'mine model'" in one_sentence(bad)
        assert not folder.path.exists()
        run(*arguments, "--name", "other", *steps)
    run(*arguments, "--name", "mine", *steps)


def test_a_folder_of_trainings_that_cannot_be_made_gives_a_sentence(
    run: Command, arguments, folders: Path
) -> None:
    (folders / "training").write_text("a file where the folder should be")
    message = one_sentence(run(*arguments, "--name", "mine", code=2))
    assert "cannot be made" in message
