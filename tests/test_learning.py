"""The trainer learns: decoder first, then all of it, a GAN at the end."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_colorgan.color import enliven
from napari_colorgan.color_bins import BIN_CENTERS
from napari_colorgan.models.compact import Compact
from napari_colorgan.training import updates
from napari_colorgan.training.first_weights import (
    level,
)
from napari_colorgan.training.losses import color_loss
from napari_colorgan.training.networks import make_discriminator
from napari_colorgan.training.palettes import simulate_palettes
from napari_colorgan.training.samplers import Batch
from napari_colorgan.training.settings import TrainConfig
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import Diverged

TINY = {"widths": [8, 8, 8, 8]}
CPU = torch.device("cpu")


def config(**settings):
    small = {"steps": 6, "decoder_steps": 3, "batch": 2, "crop": 32, "cache_side": 48}
    small |= {"validation": 0.0, "task": "colorization"}
    return TrainConfig(**(small | settings))


def toy_batch(step):
    """Dark is red, bright is blue: a rule that anything can learn."""
    random = torch.Generator().manual_seed(step)
    source = F.interpolate(torch.rand(4, 1, 4, 4, generator=random), size=32) * 2 - 1
    target = torch.cat([-source, source], 1) * 0.4
    return Batch(source, target, torch.zeros(4, 3, 32, 32))


def toy_trainer(**settings):
    torch.manual_seed(6)
    generator = Compact(**TINY)
    level(generator, generator.decoder, toy_batch(0).source)
    return Trainer(generator, config(steps=200, **settings), CPU, steps=200)


def test_an_easy_rule_is_learned():
    trainer = toy_trainer(learning_rate=5e-3)
    losses = [trainer.step(toy_batch(step))["pixel"] for step in range(60)]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_the_encoder_rests_while_the_decoder_learns():
    trainer = toy_trainer(decoder_steps=2)
    encoder = [p.detach().clone() for p in trainer.generator.encoder_parameters()]
    decoder = trainer.generator.head.weight.detach().clone()

    def moved():
        pairs = zip(encoder, trainer.generator.encoder_parameters(), strict=True)
        return any(not torch.equal(a, b) for a, b in pairs)

    for step in range(2):
        trainer.step(toy_batch(step))
    assert not moved()
    assert not torch.equal(decoder, trainer.generator.head.weight)
    trainer.step(toy_batch(2))
    assert moved()


def test_a_palette_is_learned_while_the_colours_without_one_stay():
    trainer = doubtful_trainer(
        attention=0, addition_steps=4, learning_rate=1e-2, ema=0.0
    )
    generator, batch = trainer.generator, doubtful_batch(1)
    red = told(RED)

    def answers(palette=None):
        with torch.no_grad():
            return generator(batch.source, palette)[:, :2]

    plain, guided = answers(), answers(red)
    for step in range(4):
        trainer.step(replace(doubtful_batch(step), palette=red))
    assert torch.equal(answers(), plain)
    assert not torch.allclose(answers(red), guided, atol=1e-3)
    trainer.step(doubtful_batch(4))
    assert not torch.equal(answers(), plain)


def test_the_average_follows_the_weights():
    trainer = toy_trainer(ema=0.5, learning_rate=1e-2)
    start = trainer.generator.head.weight.detach().clone()
    for step in range(5):
        trainer.step(toy_batch(step))
    now, average = trainer.generator.head.weight, trainer.average["head.weight"]
    assert 0 < (average - now).norm() < (start - now).norm()


RED, BLUE = (60 / 110, 30 / 110), (10 / 110, -60 / 110)  # scaled ab


def doubtful_batch(step):
    """Dark is gray, bright is red or blue, and nothing tells which, but the palette."""
    batch = toy_batch(step)
    color = torch.tensor(RED if step % 3 else BLUE).view(1, 2, 1, 1)
    target = color * (batch.source > 0)
    return replace(batch, target=target, palette=None)


def told(color):
    """Return palettes of four pictures of one colour."""
    picture = torch.tensor(color).view(1, 2, 1, 1).expand(4, 2, 4, 4)
    sure = torch.ones(4)
    return simulate_palettes(picture, sure, np.random.default_rng(1))


def doubtful_trainer(steps=40, attention=1, **settings):
    torch.manual_seed(6)
    generator = Compact(**TINY, alternatives=True, attention=attention)
    level(generator, generator.decoder, doubtful_batch(0).source)
    settings = config(steps=steps, discriminator_width=8, **settings)
    judge = make_discriminator(settings, "colorization")
    return Trainer(generator, settings, CPU, steps=steps, discriminator=judge)


def test_colours_in_doubt_stay_apart_and_a_palette_decides():
    trainer = doubtful_trainer(steps=150, learning_rate=2e-2, decoder_steps=150)
    for step in range(150):
        batch = doubtful_batch(step)
        if step % 2:
            batch = replace(batch, palette=told(RED if step % 3 else BLUE))
        trainer.step(batch)
    batch = doubtful_batch(1000)
    bright = F.avg_pool2d(batch.source, 4)[:, 0] > 0.5
    alike = {
        name: torch.cdist(torch.tensor([color]), BIN_CENTERS)[0] < 20 / 110
        for name, color in {"red": RED, "blue": BLUE}.items()
    }

    def likelihoods(palette=None):
        with torch.no_grad():
            logits = trainer.generator.answer(batch.source, palette).logits
        likely = logits.softmax(1).movedim(1, -1)[bright].mean(0)
        return {name: float(likely[bins].sum()) for name, bins in alike.items()}

    plain = likelihoods()
    assert plain["red"] > plain["blue"] > 0.03
    assert plain["red"] + plain["blue"] > 0.7  # and not purple, between them
    assert likelihoods(told(BLUE))["blue"] > 0.7
    assert likelihoods(told(RED))["red"] > 0.7


def test_the_gan_comes_late():
    trainer = doubtful_trainer(gan_phase=0.25)
    found = [set(trainer.step(doubtful_batch(step))) for step in range(40)]
    assert all(losses == {"pixel", "likelihood"} for losses in found[:30])
    assert all("discriminator" in losses for losses in found[30:])


def test_the_discriminator_sees_the_vividness_of_the_settings(monkeypatch):
    asked = []
    monkeypatch.setattr(
        updates, "enliven", lambda x, v: asked.append(v) or enliven(x, v)
    )
    trainer = doubtful_trainer(gan_phase=1.0, vividness=0.7)
    trainer.step(doubtful_batch(0))
    assert asked == [0.7]


def test_a_loss_that_is_not_finite_ends_training_with_good_weights():
    trainer = toy_trainer()
    trainer.step(toy_batch(0))
    before = {k: v.clone() for k, v in trainer.generator.state_dict().items()}
    broken = replace(toy_batch(1), target=torch.full((4, 2, 32, 32), float("nan")))
    with pytest.raises(Diverged, match=r"loss became nan.*lower learning rate"):
        trainer.step(broken)
    after = trainer.generator.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def test_the_loss_is_zero_for_the_truth_and_grows_evenly():
    truth = torch.zeros(1, 2, 4, 4)
    losses = [float(color_loss(truth + e / 110, truth)) for e in range(0, 101, 20)]
    assert losses[0] == 0
    steps = np.diff(losses)
    assert 0 < steps[0] < steps[1]  # a small error is forgiven
    assert np.allclose(steps[1:], steps[1])  # a large one counts, but not squared
