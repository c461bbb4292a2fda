"""Minutes become steps once, from timed steps on copies."""

import functools
import types

import pytest
import torch

from napari_colorgan.color import LabCodec
from napari_colorgan.errors import OutOfMemory, Stopped
from napari_colorgan.job import Control, finish
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.training import budget
from napari_colorgan.training.budget import Measuring, plan_job, trainer_of_copies
from napari_colorgan.training.networks import make_discriminator
from napari_colorgan.training.pairs import pairs_of
from napari_colorgan.training.patch_sampler import PatchSampler
from napari_colorgan.training.settings import FineTuneConfig
from napari_colorgan.training.trainer import Trainer

BOTH = ("float32", "bfloat16")


class Clock:
    """Time as a test tells it."""

    def __init__(self, monkeypatch):
        self.now = 100.0
        read = types.SimpleNamespace(
            monotonic=lambda: self.now, perf_counter=lambda: self.now
        )
        monkeypatch.setattr(budget, "time", read)


@pytest.fixture
def plan(monkeypatch, photo):
    """Plan with steps that take scripted seconds; returns plan and events.

    `float32`, `bfloat16`: of a step; `judged`: of one with a discriminator; `first`: of
    a warm-up.
    """
    clock = Clock(monkeypatch)

    def plan(
        *,
        float32=0.1,
        bfloat16=0.2,
        judged=None,
        first=3.0,
        validation=0.0,
        scheme="fine-tune",
        **settings,
    ):
        config = FineTuneConfig.preset(scheme, **({"patch": 32} | settings))
        asked = config.precision
        choices = BOTH if asked == "auto" else (asked,)
        sampler = PatchSampler(pairs_of(photo), config, LabCodec())

        class Timed:
            def __init__(self, precision):
                self.seconds = {"float32": float32, "bfloat16": bfloat16}[precision]
                self.count = 0

            def step(self, batch):
                self.count += 1
                if isinstance(self.seconds, Exception):
                    raise self.seconds
                took = self.seconds if self.done == 0 or judged is None else judged
                clock.now += took + (first if self.count == 1 else 0)

        events = []
        job = plan_job(Timed, sampler, config, choices, validation=validation)
        return finish(job, events.append), events

    return plan


# -- precision


@pytest.mark.parametrize(
    ("float32", "bfloat16", "expected"),
    [
        (0.1, 0.05, "bfloat16"),
        (0.1, 0.2, "float32"),
        (0.1, 0.1, "float32"),
        (0.1, 0.098, "float32"),  # a draw is none
    ],
)
def test_the_precision_is_the_faster_one(plan, float32, bfloat16, expected):
    assert plan(float32=float32, bfloat16=bfloat16)[0].precision == expected


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_that_is_asked_for_is_used(plan, precision):
    found, events = plan(float32=0.1, bfloat16=0.2, precision=precision)
    assert found.precision == precision
    assert len(events) < len(plan()[1])


def test_a_device_without_bfloat16_uses_float32(plan):
    error = RuntimeError("bfloat16 is not supported on this device")
    assert plan(bfloat16=error)[0].precision == "float32"


def test_memory_that_runs_out_is_reported(plan):
    with pytest.raises(OutOfMemory):
        plan(bfloat16=RuntimeError("CUDA out of memory"))


# -- steps


def test_minutes_become_as_many_steps_as_fit(plan):
    settings = {"minutes": 2.0, "gan_phase": 0.0, "first": 0.0}
    found, _ = plan(float32=0.1, bfloat16=0.2, **settings)
    assert found.steps == pytest.approx(1200, abs=1)
    assert 120 < found.seconds < 130  # previews take a few percent, beside the steps


def test_a_slower_machine_does_fewer_steps(plan):
    fast, slow = (plan(float32=s, bfloat16=9.0, first=0.0)[0] for s in (0.1, 0.2))
    assert fast.steps == pytest.approx(2 * slow.steps, rel=0.02)


def test_more_minutes_are_more_steps(plan):
    few, many = (plan(minutes=minutes)[0].steps for minutes in (2.0, 8.0))
    assert many == pytest.approx(4 * few, abs=4)


def test_steps_with_a_discriminator_are_counted_with_their_own_time(plan):
    plain = plan(gan_phase=0.0, first=0.0)[0]
    half = plan(gan_phase=0.5, judged=0.3, first=0.0)[0]
    assert half.steps == pytest.approx(plain.steps / 2, rel=0.02)
    assert half.seconds == pytest.approx(plain.seconds, rel=0.02)


def test_the_published_schemes_have_no_late_phase(plan):
    a = plan(scheme="paper", judged=9.0, first=0.0)[0]
    b = plan(scheme="paper", first=0.0)[0]
    assert a == b


def test_the_first_step_warms_up_and_does_not_count(plan):
    slow_start = plan(first=10.0, minutes=10.0)[0]
    assert slow_start.steps * 0.1 > 500


def test_minutes_are_for_the_steps_alone(plan):
    quick = plan(minutes=2.0)[0]
    slow = plan(minutes=2.0, first=300.0, validation=60.0)[0]
    assert slow.steps == pytest.approx(quick.steps, abs=1)
    assert slow.seconds == pytest.approx(quick.seconds + 4 * 60, rel=0.01)


def test_validations_have_their_part_of_the_time(plan):
    quick = plan(minutes=5.0, validations=30, validation=0.01)[0]
    assert 29 <= quick.steps / quick.validate_every <= 30
    slow = plan(minutes=5.0, validations=30, validation=3.0)[0]
    assert slow.steps / slow.validate_every <= 10  # 30 s of 300
    slower = plan(minutes=1.0, validations=30, validation=5.0)[0]
    assert 2 < slower.steps / slower.validate_every <= 4  # but a few there must be


def test_steps_that_are_asked_for_are_done(plan):
    found, _ = plan(steps=70, validations=20, minutes=0.01, validation=3.0)
    assert found.steps == 70
    assert found.validate_every == 4
    assert found.seconds > 60


@pytest.mark.parametrize("settings", [{"minutes": 1e-6}, {"steps": 1}])
def test_there_is_always_a_step_and_a_positive_estimate(plan, settings):
    found, _ = plan(**settings)
    assert found.steps == 1
    assert found.validate_every == 1
    assert found.seconds > 0


def test_measuring_shows_progress(plan):
    events = plan()[1]
    assert {type(e) for e in events} == {Measuring}
    assert [e.done for e in events] == list(range(1, len(events) + 1))
    assert events[-1].done == events[-1].total
    for others in ({"scheme": "paper"}, {"gan_phase": 0.0}, {"precision": "float32"}):
        events = plan(**others)[1]
        assert events[-1].done == events[-1].total


# -- nothing is consumed


@pytest.mark.parametrize("number", [1, 2, 7])
def test_a_stop_while_measuring_leaves_nothing(photo, number):
    config = FineTuneConfig(patch=64, batch=1)
    sampler = PatchSampler(pairs_of(photo), config, LabCodec())
    control, events = Control(), []

    def listen(event):
        events.append(event)
        if len(events) == number:
            control.request_stop()

    job = plan_job(lambda _: real_trainer(config), sampler, config, BOTH, validation=0)
    with pytest.raises(Stopped, match="before the first step; nothing was trained"):
        finish(job, listen, control)
    assert len(events) == number


def real_trainer(config):
    torch.manual_seed(0)
    options = {"depth": 6, "width": 4}  # with dropout and normalisation
    generator = build(GeneratorSpec("unet", options))
    discriminator = make_discriminator(config, "colorization")
    return Trainer(generator, config, CPU, steps=2, discriminator=discriminator)


CPU = torch.device("cpu")


@pytest.mark.parametrize("scheme", ["fine-tune", "paper"])
def test_measuring_consumes_nothing_of_the_training(photo, scheme):
    config = FineTuneConfig.preset(
        scheme, patch=64, batch=1, gan_phase=0.5, discriminator_width=4
    )
    sampler = PatchSampler(pairs_of(photo), config, LabCodec())
    trainer = real_trainer(config)
    untouched = real_trainer(config)
    networks = trainer.generator, trainer.discriminator
    copied = functools.partial(trainer_of_copies, *networks, config, CPU)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    finish(plan_job(copied, sampler, config, BOTH, validation=0.0))
    assert torch.equal(torch.rand(2), expected)
    assert trainer.done == 0
    assert not trainer.optimizer.state and not trainer.discriminator_optimizer.state
    for a, b in ((trainer, untouched), (trainer, untouched)):
        for network in ("generator", "discriminator"):
            states = getattr(a, network).state_dict(), getattr(b, network).state_dict()
            assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])
        for step in range(2):
            batch = sampler.batch(step)
            assert a.step(batch) == b.step(batch)
