"""A trainer's step follows from its number and its state, and from nothing else."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from napari_colorgan.job import finish
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.training import schemes
from napari_colorgan.training.networks import make_discriminator
from napari_colorgan.training.samplers import Batch
from napari_colorgan.training.settings import FineTuneConfig
from napari_colorgan.training.state import read_state, write_state_job
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import Diverged

CPU = torch.device("cpu")
SMALL = {
    "compact": {"widths": [8, 8, 8, 8]},
    "unet": {"depth": 6, "width": 4},  # the shallowest one with dropout
}


def toy_batch(step, side=64, channels=2):
    random = torch.Generator().manual_seed(step)
    source = torch.rand(2, 1, side, side, generator=random) * 2 - 1
    target = torch.rand(2, channels, side, side, generator=random) - 0.5
    return Batch(source, target)


def trainer_of(
    name="compact", scheme="fine-tune", *, steps=10, channels=2, seed=0, **settings
):
    small = {"patch": 64, "batch": 2, "discriminator_width": 4, "gan_phase": 0.4}
    config = FineTuneConfig.preset(scheme, **(small | settings))
    torch.manual_seed(seed)
    generator = build(GeneratorSpec(name, SMALL[name] | {"out_channels": channels}))
    task = "colorization" if channels == 2 else "translation"
    return Trainer(
        generator,
        config,
        CPU,
        steps=steps,
        discriminator=make_discriminator(config, task),
        precision="float32",
    )


def copies(network):
    return {k: v.detach().clone() for k, v in network.state_dict().items()}


def equal(a, b):
    """Whether nested dicts and lists of tensors and numbers are the same to the bit."""
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


# -- phases and rates


def test_the_discriminator_comes_late():
    trainer = trainer_of(steps=5)
    start = copies(trainer.discriminator)
    names = []
    for step in range(5):
        names.append(set(trainer.step(toy_batch(step))))
        if step == 2:
            assert equal(copies(trainer.discriminator), start)
    assert names[:3] == [{"pixel"}] * 3
    assert names[3:] == [{"pixel", "gan", "feature", "discriminator"}] * 2
    assert not equal(copies(trainer.discriminator), start)


def test_the_gan_weight_rises_within_a_third_of_its_phase(monkeypatch):
    asked = []
    monkeypatch.setattr(
        schemes,
        "late_gan_update",
        lambda *_, gan, feature, **_k: asked.append((gan, feature)) or {"pixel": 0.0},
    )
    trainer = trainer_of(steps=30, gan_phase=0.6, gan_weight=3.0, feature_weight=6.0)
    trainer.done = 12
    for step in range(12, 30):
        trainer.step(toy_batch(step))
    parts = [gan / 3 for gan, _ in asked]
    assert parts[:6] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1])
    assert parts[6:] == [1] * 12
    assert [feature for _, feature in asked] == pytest.approx([6 * p for p in parts])


def test_without_a_gan_phase_no_discriminator_is_needed():
    trainer = trainer_of(gan_phase=0.0, steps=2)
    assert trainer.discriminator is None
    assert [set(trainer.step(toy_batch(n))) for n in range(2)] == [{"pixel"}] * 2
    assert set(trainer.state()) == {"generator", "optimizer", "average", "done"}


def test_learning_rates_follow_the_settings():
    trainer = trainer_of(steps=4, learning_rate=0.1, encoder_rate=0.02)
    for step in range(4):
        trainer.step(toy_batch(step))
        rates = [group["lr"] for group in trainer.optimizer.param_groups]
        assert rates == list(schemes.scheme_of(trainer.config).rates(step, 4))
        assert rates[0] == pytest.approx(5 * rates[1])


def test_an_encoder_of_rate_zero_rests():
    trainer = trainer_of(encoder_rate=0.0, weight_decay=0.5)
    encoder = [p.detach().clone() for p in trainer.generator.encoder_parameters()]
    head = trainer.generator.head.weight.detach().clone()
    trainer.step(toy_batch(0))
    kept = zip(encoder, trainer.generator.encoder_parameters(), strict=True)
    assert all(torch.equal(a, b) and b.grad is None for a, b in kept)
    assert not torch.equal(head, trainer.generator.head.weight)


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
def test_the_published_schemes_use_adam(scheme):
    trainer = trainer_of("unet", scheme)
    for optimizer in (trainer.optimizer, trainer.discriminator_optimizer):
        assert type(optimizer) is torch.optim.Adam
        (group,) = optimizer.param_groups
        assert group["betas"] == (0.5, 0.999)
        assert group["weight_decay"] == 0
    trainer.step(toy_batch(0))
    assert trainer.optimizer.param_groups[0]["lr"] == 2e-4
    assert trainer.discriminator_optimizer.param_groups[0]["lr"] == 2e-4


# -- statistics


def norms(network):
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def test_fine_tuning_keeps_the_statistics_of_normalisation():
    trainer = trainer_of("unet", steps=4)
    before = [m.running_mean.clone() for m in norms(trainer.generator)]
    weights = [m.weight.detach().clone() for m in norms(trainer.generator)]
    assert before
    for step in range(4):
        trainer.step(toy_batch(step))
    for a, b, c in zip(before, norms(trainer.generator), weights, strict=True):
        assert torch.equal(a, b.running_mean)
        assert not torch.equal(b.weight, c)  # but scale and shift learn


def test_the_published_schemes_learn_statistics():
    trainer = trainer_of("unet", "paper")
    trainer.step(toy_batch(0))
    for network in (trainer.generator, trainer.discriminator):
        assert all(m.running_mean.any() for m in norms(network))
        assert all(m.num_batches_tracked > 0 for m in norms(network))


# -- the average


def test_the_average_is_a_moving_one_and_forgets_faster_when_young():
    trainer = trainer_of(ema=0.3, learning_rate=0.05)
    expected = copies(trainer.generator)
    for step in range(6):
        trainer.step(toy_batch(step))
        decay = min(0.3, (2 + step) / (11 + step))
        for name, value in trainer.generator.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    for name, value in trainer.average.items():
        assert torch.allclose(value, expected[name], atol=1e-6)
    head = trainer.average["head.weight"]
    assert not torch.allclose(head, trainer.generator.head.weight, atol=1e-4)


def test_whole_numbers_are_not_averaged():
    trainer = trainer_of("unet", "paper", ema=0.9)
    for step in range(3):
        trainer.step(toy_batch(step))
    tracked = [v for k, v in trainer.average.items() if k.endswith("tracked")]
    assert {v.dtype for v in tracked} == {torch.int64}
    assert {v.item() for v in tracked} == {3}


def test_without_averaging_the_weights_themselves_are_used():
    trainer = trainer_of(ema=0.0)
    trainer.step(toy_batch(0))
    assert equal(dict(trainer.average), copies(trainer.generator))
    assert "average" not in trainer.state()


# -- randomness


def test_a_step_depends_on_no_randomness_but_its_own():
    found = []
    for seed in (1, 2):
        trainer = trainer_of("unet", steps=2, gan_phase=0.5)
        torch.manual_seed(seed)
        for step in range(2):
            torch.rand(seed)
            trainer.step(toy_batch(step))
        found.append(copies(trainer.generator))
    assert equal(*found)


def test_a_step_leaves_torchs_randomness_alone():
    trainer = trainer_of("unet", steps=2, gan_phase=0.5)
    torch.manual_seed(7)
    expected = torch.rand(4)
    torch.manual_seed(7)
    for step in range(2):
        trainer.step(toy_batch(step))
    assert torch.equal(torch.rand(4), expected)


def test_dropout_differs_from_step_to_step_and_seed_to_seed():
    def first_loss(done, seed):
        trainer = trainer_of("unet", "paper", steps=100, learning_rate=0.0)
        trainer.config = replace(trainer.config, seed=seed)
        trainer.done = done
        return trainer.step(toy_batch(0))["pixel"]

    losses = {first_loss(0, 1), first_loss(1, 1), first_loss(0, 2)}
    assert len(losses) == 3
    assert first_loss(1, 1) in losses


# -- exact resume


@pytest.mark.parametrize(
    ("name", "scheme", "channels", "settings"),
    [
        ("compact", "fine-tune", 2, {}),
        ("compact", "fine-tune", 3, {}),
        ("compact", "fine-tune", 2, {"gan_phase": 0.0, "ema": 0.0}),
        ("unet", "fine-tune", 2, {}),
        ("unet", "paper", 2, {}),
        ("unet", "notebook", 3, {"ema": 0.5}),
    ],
)
def test_training_goes_on_from_a_file_as_if_it_had_not_stopped(
    tmp_path, name, scheme, channels, settings
):
    def make(seed=0):
        return trainer_of(
            name, scheme, steps=5, channels=channels, seed=seed, **settings
        )

    def batch(step):
        return toy_batch(step, channels=channels)

    straight = make()
    for stop_at in (1, 4):  # 3 steps without a discriminator, 2 with one
        while straight.done < stop_at:
            straight.step(batch(straight.done))
        file = tmp_path / f"{stop_at}.state"
        finish(write_state_job(file, straight.state()))
    while straight.done < 5:
        losses = straight.step(batch(straight.done))
    for stop_at in (1, 4):
        resumed = make(seed=9)  # other fresh weights: all must come from the file
        resumed.load_state(read_state(tmp_path / f"{stop_at}.state"))
        assert resumed.done == stop_at
        while resumed.done < 5:
            again = resumed.step(batch(resumed.done))
        assert again == losses
        assert equal(resumed.state(), straight.state())
        assert equal(dict(resumed.average), dict(straight.average))


def test_a_state_without_one_of_its_parts_does_not_load():
    state = trainer_of().state()
    for part in state:
        rest = {k: v for k, v in state.items() if k != part}
        with pytest.raises(KeyError, match=part):
            trainer_of().load_state(rest)


# -- numbers that are none, and precision


@pytest.mark.parametrize("done", [0, 8])  # without and with a discriminator
def test_after_a_bad_loss_the_weights_are_those_before(done):
    trainer = trainer_of()
    trainer.step(toy_batch(0))
    trainer.done = done
    weights, average = copies(trainer.generator), dict(trainer.average)
    average = {k: v.clone() for k, v in average.items()}
    bad = replace(toy_batch(1), target=torch.full((2, 2, 64, 64), torch.nan))
    with pytest.raises(Diverged):
        trainer.step(bad)
    assert trainer.done == done
    assert equal(copies(trainer.generator), weights)
    assert equal(dict(trainer.average), average)


@pytest.mark.parametrize("scheme", ["fine-tune", "paper", "notebook"])
def test_bfloat16_is_for_computing_only(scheme):
    name = "compact" if scheme == "fine-tune" else "unet"
    found = {}
    for precision in ("float32", "bfloat16"):
        trainer = trainer_of(name, scheme, steps=2, gan_phase=0.5)
        trainer.precision = precision
        found[precision] = [trainer.step(toy_batch(0)) for _ in range(2)]
        types = {p.dtype for p in trainer.generator.parameters()}
        types |= {p.dtype for p in trainer.discriminator.parameters()}
        assert types == {torch.float32}
    for a, b in zip(found["float32"], found["bfloat16"], strict=True):
        assert a.keys() == b.keys()
        assert a["pixel"] != b["pixel"]
        assert a["pixel"] == pytest.approx(b["pixel"], rel=0.05)
