"""The trainer learns: decoder first, then all of it, a GAN at the end."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_colorgan.color import enliven
from napari_colorgan.models.compact import Compact
from napari_colorgan.training import updates
from napari_colorgan.training.first_weights import (
    level,
)
from napari_colorgan.training.losses import chroma_loss
from napari_colorgan.training.networks import make_discriminator
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


def test_the_average_follows_the_weights():
    trainer = toy_trainer(ema=0.5, learning_rate=1e-2)
    start = trainer.generator.head.weight.detach().clone()
    for step in range(5):
        trainer.step(toy_batch(step))
    now, average = trainer.generator.head.weight, trainer.average["head.weight"]
    assert 0 < (average - now).norm() < (start - now).norm()


def chroma_batch(step):
    """Bright is vivid, in a hue that nothing tells."""
    batch = toy_batch(step)
    chroma = (batch.source + 1) * 0.3
    sign = 1 if step % 2 else -1
    return replace(batch, target=torch.cat([sign * chroma, 0 * chroma], 1))


def chroma_trainer(steps=40, **settings):
    torch.manual_seed(6)
    generator = Compact(**TINY, predicts_chroma=True)
    level(generator, generator.decoder, chroma_batch(0).source)
    settings = config(steps=steps, discriminator_width=8, **settings)
    judge = make_discriminator(settings, "colorization")
    return Trainer(generator, settings, CPU, steps=steps, discriminator=judge)


def test_vividness_is_learned_even_where_the_hue_is_in_doubt():
    trainer = chroma_trainer(steps=120, learning_rate=2e-2)
    for step in range(120):
        trainer.step(chroma_batch(step))
    batch = chroma_batch(1000)
    with torch.no_grad():
        prediction = trainer.generator(batch.source, batch.hints)
    wanted = batch.target.norm(dim=1)
    both = torch.stack([prediction[:, 2].flatten(), wanted.flatten()])
    assert torch.corrcoef(both)[0, 1] > 0.5
    assert prediction[:, :2].norm(dim=1).mean() < 0.5 * wanted.mean()


def test_the_gan_comes_late():
    trainer = chroma_trainer(gan_phase=0.25)
    found = [set(trainer.step(chroma_batch(step))) for step in range(40)]
    assert all(losses == {"pixel"} for losses in found[:30])
    assert all("discriminator" in losses for losses in found[30:])


def test_the_discriminator_sees_the_vividness_of_the_settings(monkeypatch):
    asked = []
    monkeypatch.setattr(
        updates, "enliven", lambda x, v: asked.append(v) or enliven(x, v)
    )
    trainer = chroma_trainer(gan_phase=1.0, vividness=0.7)
    trainer.step(chroma_batch(0))
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
    losses = [float(chroma_loss(truth + e / 110, truth)) for e in range(0, 101, 20)]
    assert losses[0] == 0
    steps = np.diff(losses)
    assert 0 < steps[0] < steps[1]  # a small error is forgiven
    assert np.allclose(steps[1:], steps[1])  # a large one counts, but not squared
