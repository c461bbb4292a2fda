"""A run on pairs: learns, can be stopped anywhere, and goes on exactly."""

import errno
import gc
import itertools
import math
import os
import re
import types
import weakref

import numpy as np
import pytest
import torch
from skimage import data

from napari_colorgan.checkpoints.store import Checkpoint, load
from napari_colorgan.errors import (
    BadPair,
    BadSetting,
    CheckpointError,
    ColorganError,
    Stopped,
    UnknownModel,
)
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.job import STOP, Control, Waiting, finish
from napari_colorgan.metrics import Figures
from napari_colorgan.models import compact
from napari_colorgan.training import fine_tune as module
from napari_colorgan.training import loop, schemes, trainer, updates
from napari_colorgan.training.budget import Measuring
from napari_colorgan.training.events import (
    Planned,
    Preparing,
    Previewed,
    StepDone,
    Trained,
    Validated,
)
from napari_colorgan.training.fine_tune import fine_tune, fine_tune_job
from napari_colorgan.training.pairs import Pair, pairs_of
from napari_colorgan.training.settings import FineTuneConfig
from napari_colorgan.training.state import Saving, read_state, write_state_job
from napari_colorgan.training.validation import Judgement, Validation

SMALL = {
    "steps": 10,
    "validations": 3,  # at 4 and 8; and at the end
    "patch": 32,
    "batch": 2,
    "gan_phase": 0.4,  # from step 6 on
    "discriminator_width": 4,
    "precision": "float32",  # what is measured to be faster may change
}


@pytest.fixture(autouse=True)
def thin(monkeypatch):
    """Compact generators of a few thousand weights, for speed."""
    stages = tuple(
        compact._Stage(kernel=3, stride=s.stride, expand=1, out=8, repeats=1)
        for s in compact._STAGES
    )
    monkeypatch.setattr(compact, "_STAGES", stages)
    fresh = schemes.Paper.generator

    def smaller(self, channels, patch):
        name, options = fresh(self, channels, patch)
        return name, options | {"width": 4}

    monkeypatch.setattr(schemes.Paper, "generator", smaller)


@pytest.fixture
def base(thin, make_checkpoint):
    """A start: a compact generator with strong colours."""
    return make_checkpoint(
        "compact",
        {"widths": [8, 8, 8, 8]},
        name="start",
        license="CC0-1.0",
        provenance="Some pictures.",
    )


@pytest.fixture(scope="module")
def pairs():
    """Three pairs of one photograph."""
    picture = data.astronaut()
    return [
        pairs_of(picture[n : n + 64, 60:156], name=name)[0]
        for name, n in (("top", 0), ("middle", 70), ("bottom", 140))
    ]


@pytest.fixture
def run(tmp_path, base, pairs):
    """Run a small training; returns its result and events.

    `stop` : called with each event; a stop is wished for when it returns true
    `each` : called with each event
    """

    def run(
        name="a",
        *,
        stop=None,
        each=None,
        resume=False,
        model=base,
        using=pairs,
        scheme="fine-tune",
        **settings,
    ):
        events, control = [], Control()
        run.control = control

        def listen(event):
            events.append(event)
            if each is not None:
                each(event)
            if stop is not None and stop(event):
                control.request_stop()

        out = None if name is None else tmp_path / f"{name}.safetensors"
        config = FineTuneConfig.preset(scheme, **(SMALL | settings))
        job = fine_tune_job(using, model, config, device="cpu", out=out, resume=resume)
        return finish(job, listen, control), events

    return run


def of_kind(events, kind):
    return [event for event in events if isinstance(event, kind)]


def at_step(number):
    return lambda event: isinstance(event, StepDone) and event.done == number


def equal(a, b):
    """Whether nested dicts and lists of tensors and numbers are the same to the bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b or (a != a and b != b)


def same(a, b):
    """Whether two checkpoints are the same to the bit, scores included."""
    return a.digest == b.digest


def states_equal(folder, first, second):
    """Whether two runs left the same state, but for the time that it took."""
    states = [read_state(folder / f"{name}.state") for name in (first, second)]
    for state in states:
        del state["plan"]["seconds"], state["plan"]["step"], state["seconds"]
    return equal(*states)


# -- a whole run


def test_a_run_plans_steps_and_validates(run, tmp_path, base):
    result, events = run()
    assert isinstance(result, Trained)
    assert result.ended == "all steps are done"
    kinds = [type(e) for e in events]
    assert kinds.count(Planned) == 1
    planned = kinds.index(Planned)
    assert set(kinds[:planned]) == {Preparing, Measuring}
    assert Preparing not in kinds[planned:] and Measuring not in kinds[planned:]
    plan = events[planned]
    assert (plan.done, plan.total, plan.task) == (0, 10, "colorization")
    assert (plan.device, plan.precision) == ("cpu", "float32")
    assert plan.seconds > 0
    assert set(plan.trained) | set(plan.held_out) == {"top", "middle", "bottom"}
    assert not set(plan.trained) & set(plan.held_out)
    steps = of_kind(events, StepDone)
    assert [(e.done, e.total) for e in steps] == [(n, 10) for n in range(1, 11)]
    assert [e.done for e in of_kind(events, Validated)] == [0, 4, 8, 10]
    assert [e.done for e in of_kind(result.history.validations, Validated)] == [
        0,
        4,
        8,
        10,
    ]
    assert of_kind(events, Saving) and of_kind(events, Previewed)
    assert all(set(e.losses) == {"pixel"} for e in steps[:6])
    assert all("discriminator" in e.losses for e in steps[6:])


def test_epochs_grow_and_the_time_left_runs_out(run, pairs):
    _, events = run()
    steps = of_kind(events, StepDone)
    # two of the pairs are learned from: 12 patches of 32 x 32 px, two per step
    assert [e.epoch for e in steps] == [n // 6 for n in range(1, 11)]
    left = [e.seconds_left for e in steps]
    assert all(a > b for a, b in itertools.pairwise(left))
    assert left[-1] == 0


def test_the_time_left_follows_the_steps_once_there_are_some(run, monkeypatch):
    clock = fake_clock(monkeypatch, step=2.0)
    monkeypatch.setattr(loop, "_WARM", 4)
    left = []

    def each(event):
        if isinstance(event, StepDone):
            left.append(event.seconds_left)
            clock.now += 1000.0  # a pause, which does not count

    run(each=each, gan_phase=0.0)
    for number, seconds in enumerate(left, 1):
        if number > 4:
            passed = 2.0 * (number - 1)
            assert seconds == pytest.approx((10 - number) * passed / number)


def fake_clock(monkeypatch, step=0.0):
    """Replace the time of a run: every step takes `clock.step` seconds, a test more."""
    clock = types.SimpleNamespace(now=1000.0, step=step)
    original = trainer.Trainer.step

    def timed(self, batch):
        clock.now += clock.step
        return original(self, batch)

    monkeypatch.setattr(trainer.Trainer, "step", timed)
    clock.monotonic = lambda: clock.now
    for file in (module, loop):  # the one takes the time, the other compares
        monkeypatch.setattr(file, "time", clock)
    return clock


def test_the_loss_shown_is_a_moving_average(run):
    _, events = run()
    steps = of_kind(events, StepDone)
    expected = steps[0].losses["pixel"]
    for step in steps:
        expected = 0.98 * expected + 0.02 * step.losses["pixel"]
        assert step.loss == pytest.approx(expected)
    assert run("b")[0].history.losses == [(e.done, e.loss) for e in steps]


def test_fine_tuning_brings_colors_closer_to_the_truth(run, base, pairs):
    settings = {
        "steps": 120,
        "gan_phase": 0.0,
        "ema": 0.9,
        "patience": 0,
        "palettes": 0.0,
    }
    result, events = run(None, learning_rate=5e-3, encoder_rate=5e-3, **settings)
    first, last = (result.history.validations[i] for i in (0, -1))
    assert last.now.psnr > first.now.psnr + 1
    losses = [e.loss for e in of_kind(events, StepDone)]
    assert losses[-1] < 0.8 * losses[0]
    # the baselines stay what they are, and the first validation is the second one
    assert len({(v.gray.psnr, v.before.psnr) for v in result.history.validations}) == 1
    assert first.now == first.before
    held_out = next(p for p in pairs if p.name in of_kind(events, Planned)[0].held_out)
    found = colorize(held_out.gray, result.best, limits=(0, 1)).astype(float)
    start = colorize(held_out.gray, base, limits=(0, 1)).astype(float)
    truth = held_out.color.astype(float)
    assert np.mean((found - truth) ** 2) < np.mean((start - truth) ** 2)


def test_equal_seeds_train_alike(run):
    a, b, c = run("a")[0], run("b")[0], run("c", seed=2)[0]
    assert same(a.last, b.last) and same(a.best, b.best)
    assert not same(a.last, c.last)


def test_a_run_without_a_file_makes_the_same_weights(run, tmp_path):
    without, with_file = run(None)[0], run("a")[0]
    assert same(without.last, with_file.last)
    assert {path.name for path in tmp_path.iterdir()} == {"a.safetensors", "a.state"}


def test_nothing_of_a_run_stays_in_memory(run, monkeypatch):
    made = []
    original = trainer.Trainer.__init__

    def noted(self, generator, *args, **others):
        made.append(weakref.ref(generator))
        original(self, generator, *args, **others)

    monkeypatch.setattr(trainer.Trainer, "__init__", noted)
    result, _ = run()
    gc.collect()
    assert len(made) > 1
    assert [ref for ref in made if ref() is not None] == []
    assert result.last.generator() is not None


def test_a_run_leaves_torchs_randomness_alone(run):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    run(None)
    assert torch.equal(torch.rand(2), expected)


# -- the checkpoints it makes


def test_the_best_checkpoint_is_on_disk_and_colors(run, tmp_path, gray):
    result, _ = run()
    loaded = load(tmp_path / "a.safetensors")
    assert same(loaded, result.best)
    for checkpoint in (loaded, result.last):
        assert {v.dtype for v in checkpoint.weights.values()} == {torch.float16}
        assert colorize(gray[:70, :90], checkpoint).shape == (70, 90, 3)


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
def test_checkpoints_of_the_published_schemes_color_too(run, tmp_path, gray, scheme):
    result, _ = run(scheme=scheme, steps=3, batch=2)
    assert result.best.metadata.generator == "unet"
    for checkpoint in (load(tmp_path / "a.safetensors"), result.last, result.best):
        tracked = [v for k, v in checkpoint.weights.items() if k.endswith("tracked")]
        assert {v.dtype for v in tracked} == {torch.int64}
        assert colorize(gray[:70, :90], checkpoint).shape == (70, 90, 3)
    assert result.last.weights["down.1.2.num_batches_tracked"] == 3
    expected = "whole" if scheme == "notebook" else "local"
    assert result.best.metadata.context == expected


def test_the_notebook_shows_whole_pictures_whatever_the_context(run):
    result, _ = run(None, scheme="notebook", steps=1, context="local")
    assert result.best.metadata.context == "whole"
    assert result.best.metadata.working_size == 32
    assert result.best.metadata.codec == "rgb"


def test_a_checkpoint_says_where_it_comes_from(run, base):
    result, events = run()
    about = result.best.metadata
    trained = of_kind(events, Planned)[0].trained
    assert about.license == "CC0-1.0"
    assert "start" in about.provenance and "Some pictures." in about.provenance
    assert all(name in about.provenance for name in trained)
    assert about.name == "start fine-tuned"
    training = about.training
    assert training["seed"] == 1 and training["scheme"] == "fine-tune"
    for checkpoint in (result.best, result.last):
        found = checkpoint.metadata.training
        (shown,) = (
            v for v in result.history.validations if v.done == found["steps_done"]
        )
        assert found["scores"]["psnr"] == shown.now.psnr
        assert found["scores_gray"]["psnr"] == shown.gray.psnr
        assert found["scores_before"]["psnr"] == shown.before.psnr
    assert result.last.metadata.training["steps_done"] == 10
    assert base.metadata.training == {}


def test_a_fresh_model_claims_no_license(run):
    about = run(None, model="scratch", steps=1)[0].best.metadata
    assert about.license == ""
    assert "fresh weights" in about.provenance


def test_a_name_can_be_given(pairs, base):
    given = {"name": "mine", "description": "Of my slides.", "license": "MIT"}
    result = fine_tune(pairs, base, about=given, device="cpu", **(SMALL | {"steps": 1}))
    about = result.best.metadata
    assert {key: getattr(about, key) for key in given} == given
    assert "start" in about.provenance
    with pytest.raises(BadSetting, match=r"'author'; .*license"):
        fine_tune(pairs, base, about={"author": "me"}, device="cpu", **SMALL)


def test_weights_that_were_best_are_copies(run, monkeypatch):
    script(monkeypatch, [20, 25, 21, 22])
    result, _ = run()
    assert result.best.metadata.training["steps_done"] == 4
    script(monkeypatch, [20, 25, 21, 22])
    stopped, _ = run("b", stop=lambda e: isinstance(e, Validated) and e.done == 4)
    assert equal(dict(result.best.weights), dict(stopped.last.weights))
    assert not equal(dict(result.best.weights), dict(result.last.weights))


# -- stop


def test_a_stop_before_the_first_step_has_nothing_to_keep(run, tmp_path):
    for kind in (Preparing, Measuring):
        with pytest.raises(Stopped, match="nothing was trained"):
            run(stop=lambda event, kind=kind: isinstance(event, kind))
    for number in range(3):
        with pytest.raises(Stopped):
            run(stop=lambda e, n=number: isinstance(e, Preparing) and e.done == n)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "stop",
    [
        lambda e: isinstance(e, Planned),
        lambda e: isinstance(e, Validated),
        lambda e: isinstance(e, Previewed),
        lambda e: isinstance(e, Saving),
        lambda e: isinstance(e, StepDone),
        lambda e: isinstance(e, StepDone) and e.done == 4,
        lambda e: isinstance(e, Validated) and e.done == 4,
        lambda e: isinstance(e, StepDone) and e.done == 7,
        lambda e: isinstance(e, StepDone) and e.done == 10,
    ],
    ids="planned validated previewed saving step step4 validated4 step7 step10".split(),
)
def test_a_stop_ends_a_run_within_a_step_with_a_usable_result(
    run, tmp_path, gray, stop
):
    result, events = run(stop=stop)
    first = next(i for i, event in enumerate(events) if stop(event))
    later = events[first + 1 :]
    assert len(of_kind(later, StepDone)) <= 1
    done = of_kind(events, StepDone)[-1].done
    assert result.ended == ("stopped" if done < 10 else result.ended)
    assert result.last.metadata.training["steps_done"] == done
    assert same(load(tmp_path / "a.safetensors"), result.best)
    assert read_state(tmp_path / "a.state")["trainer"]["done"] == done
    for checkpoint in (result.best, result.last):
        assert colorize(gray[:40, :40], checkpoint).shape == (40, 40, 3)


def test_a_closed_run_leaves_nothing_half_written(tmp_path, base, pairs):
    config = FineTuneConfig(**SMALL)
    out = tmp_path / "a.safetensors"
    job = fine_tune_job(pairs, base, config, device="cpu", out=out)
    for event in job:
        if isinstance(event, Saving):
            job.close()
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]


# -- exact resume


VARIANTS = {
    "augmented": {"gray_augmentation": 0.5},
    "translation": {"task": "translation", "gray_augmentation": 0.5},
    "whole": {"context": "whole", "ema": 0.0},
    # the shallowest U-Net with dropout; its discriminator is there from the start
    "paper": {"scheme": "paper", "patch": 64, "steps": 7, "batch": 1},
    "notebook": {"scheme": "notebook", "patch": 64, "steps": 7, "ema": 0.5},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_resumed_run_equals_an_uninterrupted_one(run, tmp_path, variant):
    settings = VARIANTS[variant]
    straight, _ = run("straight", **settings)
    steps = settings.get("steps", 10)
    every = -(-steps // 3)
    # also where it is about to be validated, and in the GAN phase, and at the end
    for number in (1, every, steps - 1, steps):
        name = f"stopped{number}"
        stopped, _ = run(name, stop=at_step(number), **settings)
        assert stopped.last.metadata.training["steps_done"] == number
        resumed, events = run(name, resume=True, **settings)
        found = [e.done for e in of_kind(events, StepDone)]
        assert found == list(range(number + 1, steps + 1))
        assert of_kind(events, Planned)[0].done == number
        assert same(straight.last, resumed.last)
        assert same(straight.best, resumed.best)
        assert straight.history == resumed.history
        assert states_equal(tmp_path, "straight", name)


def test_a_run_may_be_stopped_many_times(run, tmp_path):
    straight, _ = run("straight")
    run("a", stop=at_step(1))
    for number in (2, 4, 8, 9):
        run("a", stop=at_step(number), resume=True)
    for kind in (Planned, Saving, Validated, Previewed):
        run("b", stop=lambda e, k=kind: isinstance(e, k), resume=kind is not Planned)
    for name in ("a", "b"):
        resumed, _ = run(name, resume=True)
        assert same(straight.last, resumed.last) and same(straight.best, resumed.best)
        assert straight.history == resumed.history
        assert states_equal(tmp_path, "straight", name)


def test_a_full_disk_changes_nothing_but_the_time(run, tmp_path, monkeypatch):
    straight, _ = run("straight")
    count, flush, waited = itertools.count(), os.fsync, []

    def fsync(number):
        if next(count) % 5 in (0, 3):  # a state, a state again, and a checkpoint
            raise OSError(errno.ENOSPC, "No space left on device")
        flush(number)

    def resume(event):
        if isinstance(event, Waiting):
            waited.append(event.done)
            run.control.resume()

    monkeypatch.setattr(os, "fsync", fsync)
    trained, _ = run("a", each=resume)
    assert len(waited) > 5 and trained.unsaved == ""
    assert same(straight.last, trained.last) and same(straight.best, trained.best)
    assert states_equal(tmp_path, "straight", "a")


def test_a_setting_newer_than_the_run_had_its_default(run, tmp_path):
    straight, _ = run("straight")
    run("a", stop=at_step(2))
    path = tmp_path / "a.state"
    state = read_state(path)
    default = state["run"]["settings"].pop("weight_decay")
    finish(write_state_job(path, state))
    other = 2 * default
    with pytest.raises(CheckpointError, match=rf"= {default}, now it is {other}"):
        run("a", resume=True, weight_decay=other)
    resumed, _ = run("a", resume=True)
    assert same(straight.last, resumed.last)


@pytest.mark.parametrize("at", [4, 8])
def test_a_stop_between_a_validation_and_its_file_costs_nothing(run, tmp_path, at):
    straight, _ = run("straight")
    run("a", stop=lambda e: isinstance(e, Validated) and e.done == at)
    resumed, _ = run("a", resume=True)
    assert same(straight.best, resumed.best)
    assert straight.history == resumed.history
    assert states_equal(tmp_path, "straight", "a")


@pytest.mark.parametrize("how", ["error", "closed"])
@pytest.mark.parametrize("at", [6, 9])
def test_after_a_crash_a_run_goes_on_from_its_last_file(
    run, tmp_path, base, pairs, how, at
):
    straight, _ = run("straight")
    crash = at_step(at)
    if how == "error":

        def fail(event):
            if crash(event):
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run("a", each=fail)
    else:
        config = FineTuneConfig(**SMALL)
        out = tmp_path / "a.safetensors"
        job = fine_tune_job(pairs, base, config, device="cpu", out=out)
        next(event for event in job if crash(event))
        job.close()
    saved = 4 if at == 6 else 8
    assert read_state(tmp_path / "a.state")["trainer"]["done"] == saved
    assert load(tmp_path / "a.safetensors").metadata.training["steps_done"] <= saved
    resumed, events = run("a", resume=True)
    assert of_kind(events, StepDone)[0].done == saved + 1
    assert same(straight.last, resumed.last) and same(straight.best, resumed.best)
    assert straight.history == resumed.history
    assert states_equal(tmp_path, "straight", "a")


def test_previews_and_their_absence_change_nothing(run, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_PREVIEW_EVERY", 1e9)
    few, events = run("few")
    assert len(of_kind(events, Previewed)) <= 2
    monkeypatch.setattr(loop, "_PREVIEW_EVERY", -1.0)
    monkeypatch.setattr(loop, "_PREVIEW_SHARE", math.inf)
    many, events = run("many")
    assert len(of_kind(events, Previewed)) > 7
    assert same(few.last, many.last) and same(few.best, many.best)
    assert states_equal(tmp_path, "few", "many")


def test_validations_change_nothing_but_what_is_best(run):
    few, many = run("few", validations=1)[0], run("many", validations=10)[0]
    assert len(few.history.validations) == 2
    assert len(many.history.validations) == 11
    assert equal(dict(few.last.weights), dict(many.last.weights))


def test_a_finished_run_is_not_trained_again(run):
    first, _ = run()
    again, events = run(resume=True)
    assert of_kind(events, StepDone) == []
    assert same(first.best, again.best) and same(first.last, again.last)
    assert first.history == again.history


def test_a_resumed_run_does_not_measure_again(run, tmp_path, monkeypatch):
    settings = {"minutes": 0.2, "steps": None, "precision": "auto"}
    run(stop=at_step(1), **settings)
    state = read_state(tmp_path / "a.state")

    def fail(*args, **others):
        raise AssertionError("measured again")

    monkeypatch.setattr(module, "plan_job", fail)
    _, events = run(stop=at_step(2), resume=True, **settings)
    plan = of_kind(events, Planned)[0]
    assert plan.total == state["plan"]["steps"]
    assert plan.precision == state["plan"]["precision"]
    assert of_kind(events, StepDone)[0].total == plan.total
    assert read_state(tmp_path / "a.state")["plan"] == state["plan"]


def test_autosave_of_large_networks_waits(run, tmp_path, monkeypatch):
    clock = fake_clock(monkeypatch)
    monkeypatch.setattr(loop, "_LARGE", 0)
    saved = []

    def each(event):
        if isinstance(event, StepDone):
            clock.now += 50
        if isinstance(event, Saving) and event.done == event.total:
            path = tmp_path / "a.state"
            saved.append(read_state(path)["trainer"]["done"])

    run(each=each, validations=10)
    assert saved == [1, 4, 7, 10]  # at the first validation and every 2 minutes


def test_a_state_is_written_once_per_step(run, tmp_path):
    saved = []

    def each(event):
        if isinstance(event, Saving) and event.done == event.total:
            saved.append(read_state(tmp_path / "a.state")["trainer"]["done"])

    run(each=each, stop=lambda event: isinstance(event, Saving))
    run(each=each, resume=True, stop=at_step(6))
    run(each=each, resume=True)
    assert saved == [4, 5, 6, 8, 10]  # a stop while it is written: one more step


# -- states of other runs


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": 3}, r"trained with batch = 2, now it is 3"),
        ({"steps": 11}, r"trained with steps = 10, now it is 11"),
        ({"seed": 5, "batch": 3}, r"trained with seed = 1"),  # the first one
        ({"ema": 0.5}, r"trained with ema = 0\.9+, now it is 0\.5"),
        ({"scheme": "paper"}, r"trained with scheme = 'fine-tune', now it is 'paper'"),
    ],
)
def test_other_settings_do_not_go_on(run, tmp_path, settings, message):
    run(stop=at_step(1))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(CheckpointError, match=message):
        run(resume=True, **settings)
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


def test_other_pairs_and_another_start_do_not_go_on(run, pairs, make_checkpoint):
    run(stop=at_step(1))
    with pytest.raises(CheckpointError, match="training on other pairs"):
        run(resume=True, using=pairs[:2])
    with pytest.raises(CheckpointError, match="training on other pairs"):
        run(resume=True, using=pairs[::-1])
    other = make_checkpoint("compact", {"widths": [8, 8, 8, 8]}, seed=7)
    with pytest.raises(CheckpointError, match="another model"):
        run(resume=True, model=other)
    with pytest.raises(CheckpointError, match="another model"):
        run(resume=True, model="scratch")


def test_a_missing_state_is_named(run):
    with pytest.raises(CheckpointError, match=r"a\.state': No such file"):
        run(resume=True)
    with pytest.raises(BadSetting, match=r"resume is True; .*`out`"):
        run(None, resume=True)


@pytest.mark.parametrize(
    "part",
    ["run", "plan", "trainer", "loss", "best", "best_step", "best_goodness", "history"],
)
def test_a_state_without_one_of_its_parts_is_refused(run, tmp_path, part):
    run(stop=at_step(1))
    path = tmp_path / "a.state"
    state = read_state(path)
    for broken in (
        {k: v for k, v in state.items() if k != part},
        state | {part: {"a": 1}},
    ):
        if part in ("loss", "best", "best_step", "best_goodness") and part in broken:
            continue
        finish(write_state_job(path, broken))
        with pytest.raises(CheckpointError, match=r"a\.state'.*(does not fit|damaged)"):
            run(resume=True)


def test_the_state_of_another_kind_of_training_is_refused(run, tmp_path):
    state = {"generator": {}, "done": 3, "settings": {"steps": 5}}
    finish(write_state_job(tmp_path / "a.state", state))
    with pytest.raises(CheckpointError, match=r"a\.state'"):
        run(resume=True)


# -- input that cannot be used


def test_no_pairs_is_an_answer(run, tmp_path):
    with pytest.raises(BadPair, match="no pairs"):
        run(using=[])
    with pytest.raises(BadPair, match="no pairs"):
        fine_tune([])


@pytest.mark.parametrize("name", ["a.pth", "a", "a.state"])
def test_the_output_must_be_a_checkpoint(pairs, base, tmp_path, name):
    with pytest.raises(BadSetting, match=r"out is .*ends in \.safetensors"):
        fine_tune(pairs, base, out=tmp_path / name, device="cpu", **SMALL)


def test_an_output_in_a_folder_that_is_not_there_is_refused_at_once(
    pairs, base, tmp_path
):
    out = tmp_path / "absent" / "a.safetensors"
    config = FineTuneConfig(**SMALL)
    job = fine_tune_job(pairs, base, config, device="cpu", out=out)
    with pytest.raises(ColorganError, match="absent"):
        next(job)


def test_unknown_models_devices_and_settings_are_named(pairs, base):
    with pytest.raises(UnknownModel, match="'absent'"):
        fine_tune(pairs, "absent", device="cpu")
    with pytest.raises(BadSetting, match="device is 'tpu'"):
        fine_tune(pairs, base, device="tpu")
    with pytest.raises(BadSetting, match=r"setting is 'epochs'"):
        fine_tune(pairs, base, device="cpu", epochs=3)
    with pytest.raises(BadSetting, match=r"scheme is 'cyclegan'"):
        fine_tune(pairs, base, device="cpu", scheme="cyclegan")


def test_a_unet_with_an_odd_patch_is_refused(run):
    with pytest.raises(BadSetting, match=r"patch is 96; .*64, 128"):
        run(scheme="paper", patch=96)


# -- numbers that are none


@pytest.mark.parametrize("at", [3, 7])
@pytest.mark.parametrize("scheme", ["fine-tune", "paper"])
def test_a_loss_that_is_no_number_ends_the_run_with_the_best_weights(
    run, tmp_path, gray, monkeypatch, at, scheme
):
    break_the_loss(monkeypatch, at)
    settings = {"patch": 64, "batch": 1} if scheme == "paper" else {}
    result, events = run(scheme=scheme, **settings)
    assert "became nan" in result.ended and "lower learning rate" in result.ended
    assert of_kind(events, StepDone)[-1].done == at - 1
    assert all(v.isfinite().all() for v in result.last.weights.values())
    assert colorize(gray[:64, :64], result.best).shape == (64, 64, 3)
    # the best so far is on disk, and the state, if there is one, can be read
    assert same(load(tmp_path / "a.safetensors"), result.best)
    if at > 4:
        assert read_state(tmp_path / "a.state")["trainer"]["done"] == 4


def break_the_loss(monkeypatch, at):
    """Let the pixel loss of one step be NaN; those of the calibration are not."""
    count = itertools.count(1)
    running = []
    original = loop.Loop.run
    monkeypatch.setattr(
        loop.Loop, "run", lambda self: running.append(1) or original(self)
    )

    def broken(loss):
        def compute(*args):
            value = loss(*args)
            return value * math.nan if running and next(count) == at else value

        return compute

    for name in ("color_loss", "l1_loss"):
        monkeypatch.setattr(updates, name, broken(getattr(updates, name)))


def test_after_a_loss_that_was_no_number_a_run_can_go_on(run, monkeypatch, tmp_path):
    straight, _ = run("straight")
    with monkeypatch.context() as patched:
        break_the_loss(patched, 7)
        run("a")
    resumed, _ = run("a", resume=True)
    assert same(straight.last, resumed.last) and same(straight.best, resumed.best)


# -- the best one, and the end


def script(monkeypatch, psnrs, colorfulness=None):
    """Let validations find these figures, one after the other (by steps done)."""
    found = iter(psnrs)
    vivid = iter(colorfulness or itertools.repeat(1.0))
    calls = []

    def job(self, colorizer, done=0, total=1):
        calls.append(colorizer)
        if len(calls) == 1:  # for its time alone
            figures = Figures(psnr=0, ssim=0, ciede2000=0, colorfulness=1)
        else:
            figures = Figures(
                psnr=next(found), ssim=0.5, ciede2000=9.0, colorfulness=next(vivid)
            )
        return Judgement(figures, {}, [])
        yield

    monkeypatch.setattr(Validation, "job", job)


def test_the_best_is_kept_although_later_ones_are_worse(run, monkeypatch, tmp_path):
    script(monkeypatch, [20, 24, 23, 22, 21, 20])
    result, events = run(validations=5, steps=10)
    assert [e.best for e in of_kind(events, Validated)] == [True, True, *[False] * 4]
    assert result.best.metadata.training["steps_done"] == 2
    assert result.best.metadata.training["scores"]["psnr"] == 24
    assert result.last.metadata.training["scores"]["psnr"] == 20
    assert same(load(tmp_path / "a.safetensors"), result.best)
    assert not equal(dict(result.best.weights), dict(result.last.weights))
    assert result.ended == "all steps are done"


def test_the_start_itself_is_kept_if_nothing_is_better(run, monkeypatch, base):
    script(monkeypatch, [30, 20, 21, 22])
    result, _ = run()
    assert result.best.metadata.training["steps_done"] == 0
    for name, value in result.best.weights.items():
        assert torch.equal(value, base.weights[name].half())


def test_a_little_less_psnr_with_more_of_the_color_is_better(run, monkeypatch):
    script(monkeypatch, [20, 24, 23.8, 19], [0.0, 0.6, 0.95, 1.0])
    result, _ = run()
    assert result.best.metadata.training["steps_done"] == 8


def test_a_run_ends_when_patience_is_lost(run, monkeypatch):
    script(monkeypatch, [20, 24, 23, 23, 23, *[0] * 20])
    result, events = run(validations=10, patience=3)
    assert result.ended == "no better score in 3 tests"
    assert of_kind(events, StepDone)[-1].done == 4
    assert result.best.metadata.training["steps_done"] == 1
    script(monkeypatch, [20, 24, *[23] * 30])
    assert run("b", validations=10, patience=0)[0].ended == "all steps are done"


def test_patience_that_was_lost_is_not_found_again(run, monkeypatch):
    script(monkeypatch, [20, 24, 23, 23, 23, *[0] * 20])
    first, _ = run(validations=10, patience=3)
    again, events = run(validations=10, patience=3, resume=True)
    assert of_kind(events, StepDone) == []
    assert again.ended == first.ended
    assert same(again.best, first.best)
    assert again.history == first.history


def test_a_better_score_restores_patience(run, monkeypatch):
    script(monkeypatch, [20, 24, 23, 23, 25, 24, 24, 26, 25, 25, 25])
    result, events = run(validations=10, patience=3)
    assert result.ended == "no better score in 3 tests"
    assert of_kind(events, StepDone)[-1].done == 10
    assert result.best.metadata.training["steps_done"] == 7


def test_overfitting_is_noticed(run, monkeypatch):
    # the loss falls all the while
    losses = iter(np.linspace(1.0, 0.1, 200).tolist())

    def update(*args, **others):
        return {"pixel": next(losses)}

    for name in ("pixel_update", "late_gan_update"):
        monkeypatch.setattr(schemes, name, update)
    script(monkeypatch, [20, 24, 23.9, 23.8, 23.75, 23.5, 23, 24.5, 24, 20, 20])
    _, events = run(validations=10, patience=0)
    noticed = [e.done for e in of_kind(events, Validated) if e.overfitting]
    # not at once, not for 0.25 dB; a new best one is no overfitting, nor are two after
    assert noticed == [5, 6, 10]


def test_a_loss_that_rises_as_well_is_no_overfitting(run, monkeypatch):
    losses = iter(np.linspace(0.1, 1.0, 200).tolist())

    def update(*args, **others):
        return {"pixel": next(losses)}

    for name in ("pixel_update", "late_gan_update"):
        monkeypatch.setattr(schemes, name, update)
    script(monkeypatch, [20, 24, *[20] * 20])
    _, events = run(validations=10, patience=0)
    assert not any(e.overfitting for e in of_kind(events, Validated))


def test_figures_that_are_no_numbers_still_leave_a_result(run, monkeypatch, gray):
    script(monkeypatch, [math.nan] * 20)
    result, _ = run()
    assert colorize(gray[:40, :40], result.best).shape == (40, 40, 3)


# -- time


def test_the_clock_only_stops_a_run(run, monkeypatch, tmp_path):
    settings = {"steps": None, "minutes": 1.0, "validations": 5}
    plan = module.Plan(steps=10, validate_every=2, precision="float32", seconds=50.0)

    def planned(*args, **others):
        return plan
        yield

    monkeypatch.setattr(module, "plan_job", planned)
    straight, _ = run("straight", **settings)
    rates = []
    original = trainer.Trainer.step

    def noted(self, batch):
        losses = original(self, batch)
        rates.append([group["lr"] for group in self.optimizer.param_groups])
        return losses

    monkeypatch.setattr(trainer.Trainer, "step", noted)
    clock = fake_clock(monkeypatch, step=20.0)
    short, slow_events = run("a", **settings)
    assert short.ended == "the time is up"
    done = of_kind(slow_events, StepDone)[-1].done
    assert done == 4  # the first step after 62.5 s: a quarter more than planned
    config = FineTuneConfig.preset("fine-tune", **(SMALL | settings))
    assert rates == [
        list(schemes.scheme_of(config).rates(step, 10)) for step in range(4)
    ]
    assert all(e.total == 10 for e in of_kind(slow_events, StepDone))
    clock.step = 0.0
    resumed, _ = run("a", resume=True, **settings)  # it has time again
    assert same(straight.last, resumed.last) and same(straight.best, resumed.best)
    assert straight.history == resumed.history


def test_a_pause_takes_nothing_of_the_time(run, monkeypatch):
    plan = module.Plan(steps=6, validate_every=2, precision="float32", seconds=50.0)

    def planned(*args, **others):
        return plan
        yield

    monkeypatch.setattr(module, "plan_job", planned)
    clock = fake_clock(monkeypatch, step=1.0)

    def pause(event):
        clock.now += 1000.0

    result, _ = run(each=pause, steps=None, minutes=1.0)
    assert result.ended == "all steps are done"


def test_steps_that_were_asked_for_are_not_stopped_by_the_clock(run, monkeypatch):
    fake_clock(monkeypatch, step=1000.0)
    result, _ = run(minutes=0.01)
    assert result.ended == "all steps are done"


def test_minutes_are_planned_for_and_shown_first(run):
    # a budget that is gone before it begins: still a step, and a result
    result, events = run(steps=None, minutes=1e-4)
    plan = of_kind(events, Planned)[0]
    assert plan.total == 1 and plan.seconds > 0
    assert of_kind(events, StepDone)[-1].done == 1
    assert result.last.metadata.training["steps_done"] == 1
    assert re.fullmatch(r"1 step is too few .* about 20: \d+ s of .*", plan.warning)
    _, events = run("enough", steps=20, stop=at_step(1))
    assert not of_kind(events, Planned)[0].warning
    result, events = run("enough", steps=20, stop=at_step(2), resume=True)
    curves = of_kind(events, Planned)[0].history
    assert [step for step, _ in curves.losses] == [1]
    assert [event.done for event in curves.validations] == [0]
    assert len(result.history.losses) == 2 and result.seconds > 0


# -- kinds of pairs and starts


def test_the_task_follows_from_the_pairs(run, base):
    picture = data.astronaut()[:64, 60:156]
    inverted = 1 - pairs_of(picture)[0].gray
    using = [Pair(str(n), inverted, picture) for n in range(2)]
    result, events = run(None, using=using, steps=2)
    assert of_kind(events, Planned)[0].task == "translation"
    assert result.best.metadata.codec == "rgb"
    assert result.best.generator().out_channels == 3
    forced, events = run(None, using=using, steps=2, task="colorization")
    assert of_kind(events, Planned)[0].task == "colorization"
    assert forced.best.metadata.codec == "lab"


def test_a_single_pair_is_divided(run, pairs):
    result, events = run(None, using=pairs[:1], steps=2)
    plan = of_kind(events, Planned)[0]
    (trained,), (held_out,) = plan.trained, plan.held_out
    assert trained.startswith("top (left") and held_out.startswith("top (right")
    assert result.history.validations[-1].done == 2


def test_a_part_of_a_picture_is_enough(run, pairs, photo):
    mask = np.zeros(photo.shape[:2], bool)
    mask[40:140, 60:220] = True
    using = pairs_of(photo, mask=mask, name="masked")
    result, _ = run(None, using=using)
    assert result.ended == "all steps are done"
    assert math.isfinite(result.history.validations[-1].now.psnr)


def test_pictures_smaller_than_a_patch_can_be_learned_from(run, photo):
    using = [pairs_of(photo[n : n + 20, :24], name=str(n))[0] for n in (0, 40)]
    result, _ = run(None, using=using, steps=7, patch=64)
    assert of_kind(result.history.validations, Validated)[-1].done == 7


def test_photographs_are_seen_whole_if_the_start_does(run, make_checkpoint):
    whole = make_checkpoint(
        "compact", {"widths": [8, 8, 8, 8]}, context="whole", working_size=288
    )
    about = run(None, model=whole, steps=1)[0].best.metadata
    assert (about.context, about.working_size) == ("whole", 288)
    about = run(None, model=whole, steps=1, context="local")[0].best.metadata
    assert about.context == "local"


@pytest.mark.parametrize("generator", ["unet", "compact"])
def test_a_start_of_any_kind_learns(run, make_checkpoint, generator, gray):
    options = {"widths": [8, 8, 8, 8]} if generator == "compact" else {}
    for codec, channels in (("lab", 2), ("rgb", 3)):
        model = make_checkpoint(
            generator, options | {"out_channels": channels}, codec=codec
        )
        result, _ = run(None, model=model, steps=5, gan_phase=0.4)
        assert result.best.metadata.generator == generator
        assert result.best.metadata.codec == "lab"  # what the pairs teach
        assert colorize(gray[:40, :40], result.last).shape == (40, 40, 3)


# -- the plain function


def test_arrays_tuples_and_pairs_are_pairs(base, photo, gray, tmp_path):
    events = []
    result = fine_tune(
        [
            photo[:64, :64],
            (gray[64:128, :96], photo[64:128, :96]),
            *pairs_of(photo[128:]),
        ],
        base,
        out=str(tmp_path / "a.safetensors"),
        device="cpu",
        on_event=events.append,
        **(SMALL | {"steps": 3}),
    )
    plan = of_kind(events, Planned)[0]
    assert {*plan.trained, *plan.held_out} == {"pair 1", "pair 2", "pair"}
    assert same(load(tmp_path / "a.safetensors"), result.best)
    again = fine_tune(
        [
            photo[:64, :64],
            (gray[64:128, :96], photo[64:128, :96]),
            *pairs_of(photo[128:]),
        ],
        base,
        out=tmp_path / "a.safetensors",
        resume=True,
        device="cpu",
        **(SMALL | {"steps": 3}),
    )
    assert same(again.best, result.best)


def test_stacks_are_pairs_per_plane(base, photo):
    events = []
    stack = np.stack([photo[n : n + 48, :64] for n in (0, 50, 100)])
    settings = SMALL | {"steps": 1}
    fine_tune([stack], base, device="cpu", on_event=events.append, **settings)
    plan = of_kind(events, Planned)[0]
    assert len(plan.trained) + len(plan.held_out) == 3


def test_gray_pictures_are_no_truth(base, gray):
    with pytest.raises(BadPair, match="'pair 1'"):
        fine_tune([np.repeat(gray[..., None], 3, -1)], base, device="cpu", **SMALL)


def test_a_wish_to_stop_may_be_sent_by_hand(base, pairs):
    job = fine_tune_job(pairs, base, FineTuneConfig(**SMALL), device="cpu")
    event = next(job)
    while not isinstance(event, StepDone):
        event = next(job)
    try:
        while True:
            event = job.send(STOP)
            assert not isinstance(event, StepDone)
    except StopIteration as end:
        assert end.value.ended == "stopped"
        assert isinstance(end.value.best, Checkpoint)


def test_patches_grow_to_what_a_start_can_read(run, make_checkpoint, pairs):
    unet = make_checkpoint("unet", {"depth": 6})
    made, _ = run(None, model=unet, patch=96, steps=2)
    assert made.best.metadata.options["depth"] == 6
    assert made.best.metadata.training["patch"] == 96  # as it was asked for
    assert colorize(pairs[0].gray, made.best).shape == (64, 96, 3)
