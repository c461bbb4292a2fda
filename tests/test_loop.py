"""Folders are trained on in the same loop as pairs: best kept, patience, previews."""

import csv
import itertools

import pytest
import torch
from PIL import Image
from skimage import data

from napari_colorgan.checkpoints.store import load
from napari_colorgan.errors import CheckpointError, Stopped
from napari_colorgan.job import STOP, Control, finish
from napari_colorgan.metrics import Figures
from napari_colorgan.training import loop, networks, train
from napari_colorgan.training.events import Previewed, StepDone, Validated
from napari_colorgan.training.fine_tune import fine_tune
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.settings import TrainConfig
from napari_colorgan.training.state import read_state, write_state_job
from napari_colorgan.training.train import train_job
from napari_colorgan.training.updates import Diverged
from napari_colorgan.training.validation import Judgement, Validation

SMALL = {
    "steps": 6,
    "decoder_steps": 3,
    "batch": 2,
    "crop": 32,
    "cache_side": 48,
    "task": "colorization",
    "validation": 0.4,
}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of five colour photographs."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(5):
        part = data.astronaut()[number * 60 : number * 60 + 96, 100:220]
        Image.fromarray(part).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def run(tmp_path, photos, monkeypatch):
    """Train a tiny generator; returns the result and the events."""
    monkeypatch.setattr(networks, "load_imagenet_encoder", lambda generator: None)

    def run(name="a", *, stop_at=None, judge_every=1, minutes=None, **settings):
        previews = settings.pop("previews", False)
        events, control = [], Control()

        def listen(event):
            events.append(event)
            if isinstance(event, StepDone) and event.done == stop_at:
                control.request_stop()

        recipe = Recipe(
            TrainConfig(**(SMALL | settings)),
            {"name": name},
            {"name": "compact", "widths": [8, 8, 8, 8]},
        )
        job = train_job(
            [photos],
            recipe,
            tmp_path / f"{name}.safetensors",
            device=torch.device("cpu"),
            judged=[photos],
            judge_every=judge_every,
            minutes=minutes,
            previews=previews,
        )
        return finish(job, listen, control), events

    return run


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def script(monkeypatch, psnrs):
    """Let validations find these figures, one after the other."""
    psnrs = iter(psnrs)

    def job(self, colorizer, done=0, total=1):
        figures = Figures(psnr=next(psnrs), ssim=0.5, ciede2000=9.0, colorfulness=1)
        return Judgement(figures, {}, [[data.astronaut()[:9, :9]]])
        yield

    monkeypatch.setattr(Validation, "job", job)


def test_the_best_by_the_held_out_pictures_is_kept(run, monkeypatch, tmp_path):
    script(monkeypatch, [20, 24, 23, 22, 21, 20])
    trained, events = run()
    validated = of_kind(events, Validated)
    assert [event.done for event in validated] == [1, 2, 3, 4, 5, 6]
    assert [event.best for event in validated] == [True, True, *[False] * 4]
    assert trained.best.metadata.training["steps_done"] == 2
    assert trained.best.metadata.training["scores"]["psnr"] == 24
    assert trained.last.metadata.training["steps_done"] == 6
    assert load(tmp_path / "a.safetensors").digest == trained.best.digest
    assert trained.history.validations == validated


def test_pictures_that_are_learned_from_have_no_say(run):
    trained, events = run(validation=0.0)
    assert len(of_kind(events, Validated)) == 6
    assert not any(event.best for event in of_kind(events, Validated))
    assert trained.best.metadata.training["steps_done"] == 6
    weights = zip(
        trained.best.weights.values(), trained.last.weights.values(), strict=True
    )
    assert all(torch.equal(a, b) for a, b in weights)


def test_a_training_ends_when_patience_is_lost(run, monkeypatch):
    script(monkeypatch, [20, 24, 23, 23, *[0] * 20])
    trained, events = run(patience=2)
    assert trained.ended == "no better score in 2 tests"
    assert of_kind(events, StepDone)[-1].done == 4
    script(monkeypatch, [20, 24, *[23] * 20])
    assert run("b")[0].ended == "all steps are done"  # nobody asked for patience


def test_the_best_is_still_known_when_a_training_goes_on(run, monkeypatch):
    script(monkeypatch, [20, 24, 0])  # the last one is not kept
    run(stop_at=3)
    script(monkeypatch, [23, 22, 21, 20])
    trained, _ = run()
    assert trained.best.metadata.training["steps_done"] == 2
    assert [v.done for v in trained.history.validations] == [1, 2, 3, 4, 5, 6]


def test_a_training_shows_pictures_and_the_time_left(run, monkeypatch):
    monkeypatch.setattr(train, "_PREVIEW_EVERY", 0.0)
    monkeypatch.setattr(loop, "_PREVIEW_EVERY", -1.0)
    monkeypatch.setattr(loop, "_PREVIEW_SHARE", 1e9)
    _, events = run(judge_every=4, previews=True)
    shown = of_kind(events, Previewed)
    assert len(shown) > 3
    assert all(event.now.shape == event.truth.shape for event in shown)
    steps = of_kind(events, StepDone)
    assert [event.epoch for event in steps] == [n // 2 for n in range(1, 7)]  # 3 of 5
    assert all(event.seconds_left > 0 for event in steps[:-1])
    assert steps[-1].seconds_left == 0
    _, events = run("b", minutes=0)
    assert not of_kind(events, Previewed)  # nobody has asked for them
    assert [event.seconds_left for event in of_kind(events, StepDone)] == [0]


def test_judging_that_is_stopped_is_not_waited_for(run, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_LOG_EVERY", 1)
    monkeypatch.setattr("napari_colorgan.training.validation._PIXELS", 0)
    trained, events = run(stop_at=2)
    assert trained.ended == "stopped"
    assert [event.done for event in of_kind(events, Validated)] == [1]
    assert trained.last.metadata.training["steps_done"] == 2
    assert trained.best.metadata.training["steps_done"] == 1


def test_a_state_of_an_older_version_goes_on_as_if_nothing_had_changed(run, tmp_path):
    straight, _ = run("straight")
    run(stop_at=3)
    path = tmp_path / "a.state"
    state = read_state(path)
    settings = {k: v for k, v in state["run"]["settings"].items() if k != "patience"}
    older = state["trainer"] | {"settings": settings, "seconds": 12.0}
    finish(write_state_job(path, older))
    trained, events = run()
    assert of_kind(events, StepDone)[0].done == 4
    assert trained.last.metadata.training["hours"] > 12 / 3600
    for name, value in straight.last.weights.items():
        assert torch.equal(value, trained.last.weights[name])


def test_the_state_of_a_fine_tuning_is_refused(run, tmp_path):
    state = {"run": {"settings": {"scheme": "fine-tune", "patch": 64}}}
    finish(write_state_job(tmp_path / "a.state", state))
    with pytest.raises(CheckpointError, match=r"scheme = 'fine-tune', now .*'phases'"):
        run()
    finish(write_state_job(tmp_path / "a.state", {"run": 3}))
    with pytest.raises(CheckpointError, match=r"a\.state' does not fit"):
        run()


@pytest.mark.parametrize("validation", [0.0, 0.4])
def test_a_loss_that_is_no_number_leaves_the_best(run, monkeypatch, validation):
    count = itertools.count(1)
    original = train.Trainer.step

    def step(self, batch):
        if next(count) == 4:
            raise Diverged("loss", float("nan"))
        return original(self, batch)

    monkeypatch.setattr(train.Trainer, "step", step)
    if not validation:
        with pytest.raises(Diverged):
            run(validation=validation)
    else:
        trained, _ = run(validation=validation)
        assert "became nan" in trained.ended
        assert trained.best.metadata.training["steps_done"] <= 3


def test_fine_tuning_writes_its_loss_down(
    tmp_path, photo, make_checkpoint, monkeypatch
):
    monkeypatch.setattr(loop, "_LOG_EVERY", 2)
    base = make_checkpoint("compact", {"widths": [8, 8, 8, 8]})
    fine_tune(
        [photo[:64, :64], photo[64:128, :64]],
        base,
        out=tmp_path / "a.safetensors",
        device="cpu",
        steps=5,
        patch=32,
        batch=1,
    )
    with (tmp_path / "a.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2, 4]
    assert all(float(row["loss"]) > 0 for row in rows)


@pytest.mark.parametrize("number", [0, 6, 8, 9, 10, 11, 13, 20])
def test_a_stop_at_any_event_is_heard_at_the_next_step(run, photos, tmp_path, number):
    out = tmp_path / "a.safetensors"
    recipe = Recipe(TrainConfig(**SMALL), {}, {"name": "compact", "widths": [8] * 4})
    job = train_job([photos], recipe, out, device=torch.device("cpu"), judge_every=3)
    for _ in range(number + 1):
        next(job)
    steps = 0
    try:
        while True:
            steps += isinstance(job.send(STOP), StepDone)
    except StopIteration as end:
        assert steps <= 1
        assert end.value.last.metadata.training["steps_done"] >= 1
        assert out.is_file() and out.with_suffix(".state").is_file()
    except Stopped:
        assert not list(tmp_path.iterdir())
