"""One step does what its scheme says, computed again here from the definitions."""

from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.models.unet import UNet
from napari_colorgan.training.augment import vary_judged
from napari_colorgan.training.first_weights import draw_weights
from napari_colorgan.training.losses import feature_loss
from napari_colorgan.training.networks import make_discriminator
from napari_colorgan.training.samplers import Batch
from napari_colorgan.training.settings import FineTuneConfig
from napari_colorgan.training.trainer import Trainer
from napari_colorgan.training.updates import (
    Diverged,
    Networks,
    late_gan_update,
    pixel_update,
    sequential_update,
    simultaneous_update,
)

CPU = torch.device("cpu")
RATE = 2e-4


def toy_batch(n=2, channels=2, side=32, seed=0):
    random = torch.Generator().manual_seed(seed)
    source = torch.rand(n, 1, side, side, generator=random) * 2 - 1
    target = torch.rand(n, channels, side, side, generator=random) - 0.5
    return Batch(source, target)


def networks_of(scheme, channels):
    """A small U-Net without dropout and a discriminator, weights from N(0, 0.02)."""
    torch.manual_seed(3)
    norm = {"norm_momentum": 0.2, "norm_eps": 1e-3} if scheme == "notebook" else {}
    generator = UNet(out_channels=channels, depth=5, width=8, **norm)
    discriminator = PatchDiscriminator(1 + channels, 8, **norm)
    draw_weights(generator)
    draw_weights(discriminator)
    return generator.train(), discriminator.train()


def trainer_of(scheme, generator, discriminator, **settings):
    small = {"patch": 32, "batch": 2, "precision": "float32"}
    return Trainer(
        generator,
        FineTuneConfig.preset(scheme, **(small | settings)),
        CPU,
        steps=100,
        discriminator=discriminator,
        precision="float32",
    )


class Adam:
    """Kingma & Ba 2015, algorithm 1, with the betas of the pix2pix paper."""

    def __init__(self, network, rate=RATE):
        self.parameters = list(network.parameters())
        self.rate = rate
        self.moments = [
            (torch.zeros_like(p), torch.zeros_like(p)) for p in self.parameters
        ]
        self.count = 0

    def step(self, gradients):
        self.count += 1
        with torch.no_grad():
            for p, g, (m, v) in zip(
                self.parameters, gradients, self.moments, strict=True
            ):
                m.mul_(0.5).add_(g, alpha=0.5)
                v.mul_(0.999).add_(g * g, alpha=0.001)
                first, second = m / (1 - 0.5**self.count), v / (1 - 0.999**self.count)
                p -= self.rate * first / (second.sqrt() + 1e-8)


def cross_entropy(logits, real):
    return F.softplus(-logits if real else logits).mean()


def paper_by_hand(generator, discriminator, batches):
    of_generator, of_discriminator = Adam(generator), Adam(discriminator)
    for batch in batches:
        fake = generator(batch.source)
        d_loss = 0.5 * (
            cross_entropy(discriminator(batch.source, batch.target), True)
            + cross_entropy(discriminator(batch.source, fake.detach()), False)
        )
        d_gradients = torch.autograd.grad(d_loss, of_discriminator.parameters)
        of_discriminator.step(d_gradients)  # before the generator asks it
        g_loss = cross_entropy(discriminator(batch.source, fake), True)
        g_loss = g_loss + 100 * (fake - batch.target).abs().mean()
        gradients = torch.autograd.grad(g_loss, of_generator.parameters)
        of_generator.step(gradients)
    return gradients, d_gradients


def notebook_by_hand(generator, discriminator, batches):
    of_generator, of_discriminator = Adam(generator), Adam(discriminator)
    for batch in batches:
        fake = generator(batch.source)
        real_logits = discriminator(batch.source, batch.target)
        fake_logits = discriminator(batch.source, fake)
        d_loss = cross_entropy(real_logits, True) + cross_entropy(fake_logits, False)
        g_loss = cross_entropy(fake_logits, True)
        g_loss = g_loss + 100 * (fake - batch.target).abs().mean()
        d_gradients = torch.autograd.grad(
            d_loss, of_discriminator.parameters, retain_graph=True
        )
        gradients = torch.autograd.grad(g_loss, of_generator.parameters)
        of_generator.step(gradients)
        of_discriminator.step(d_gradients)
    return gradients, d_gradients


def last_gradients(optimizer, before=None):
    """Gradients of the last step, from Adam's mean of them before and after."""
    found = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            mean = optimizer.state[parameter]["exp_avg"]
            earlier = 0 if before is None else before[parameter]
            found.append((mean - 0.5 * earlier) / 0.5)
    return found


def assert_close(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5 * b.abs().max().item())


def relative(a, b):
    """Distance of two lists of tensors in units of the second."""
    a, b = (torch.cat([t.flatten() for t in one]) for one in (a, b))
    return ((a - b).norm() / b.norm()).item()


# -- the two published schemes


@pytest.mark.parametrize(
    ("scheme", "by_hand", "channels"),
    [("paper", paper_by_hand, 2), ("notebook", notebook_by_hand, 3)],
)
@pytest.mark.parametrize("count", [1, 3])
def test_a_step_is_what_the_scheme_says(scheme, by_hand, channels, count):
    ours = networks_of(scheme, channels)
    theirs = deepcopy(ours)
    batches = [toy_batch(channels=channels, seed=n) for n in range(count)]
    trainer = trainer_of(scheme, *ours)
    for batch in batches[:-1]:
        trainer.step(batch)
    before = [
        {p: s["exp_avg"].clone() for p, s in optimizer.state.items()} or None
        for optimizer in (trainer.optimizer, trainer.discriminator_optimizer)
    ]
    start = deepcopy(ours)
    losses = trainer.step(batches[-1])
    gradients, d_gradients = by_hand(*theirs, batches)
    assert_close(last_gradients(trainer.optimizer, before[0]), gradients)
    assert_close(
        last_gradients(trainer.discriminator_optimizer, before[1]), d_gradients
    )
    for found, expected, old in zip(ours, theirs, start, strict=True):
        pairs = zip(found.parameters(), expected.parameters(), strict=True)
        for (a, b), c in zip(pairs, old.parameters(), strict=True):
            # Adam turns rounding of gradients near 0 into parts of a whole step
            assert ((a - b).abs() > 0.01 * RATE).float().mean() < 0.002
            assert (a - c).abs().max() > 0.1 * RATE
            assert (a - c).abs().max() < 2 * RATE
    assert set(losses) == {"pixel", "gan", "discriminator"}


def test_the_schemes_differ_in_the_order_of_updates_and_the_discriminators_loss():
    batch = toy_batch()
    found = {}
    for scheme in ("paper", "notebook"):
        for rate in (0.0, 0.05):
            pair = networks_of("paper", 2)
            settings = {"discriminator_rate": rate, "task": "colorization"}
            trainer = trainer_of(scheme, *pair, **settings)
            losses = trainer.step(batch)
            found[scheme, rate] = (
                last_gradients(trainer.optimizer),
                last_gradients(trainer.discriminator_optimizer),
                losses,
            )
    still, moved = found["paper", 0.0], found["paper", 0.05]
    notebook = found["notebook", 0.05]
    # with a discriminator that stays, both ask the same one
    assert_close(found["notebook", 0.0][0], still[0])
    # `notebook` asks the discriminator as it was, `paper` the updated one
    assert_close(notebook[0], found["notebook", 0.0][0])
    assert relative(moved[0], still[0]) > 1e-3
    assert moved[2]["gan"] != pytest.approx(notebook[2]["gan"], rel=1e-3)
    # and its loss is halved in `paper` alone
    assert_close(notebook[1], [2 * gradient for gradient in moved[1]])
    assert notebook[2]["discriminator"] == pytest.approx(2 * moved[2]["discriminator"])


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
def test_no_gradient_is_left_behind(scheme):
    pair = networks_of(scheme, 2)
    trainer = trainer_of(scheme, *pair, pixel_weight=0.0)
    trainer.step(toy_batch())
    once = (
        last_gradients(trainer.optimizer),
        last_gradients(trainer.discriminator_optimizer),
    )
    again = trainer_of(scheme, *networks_of(scheme, 2), pixel_weight=0.0)
    for network in (again.generator, again.discriminator):
        for parameter in network.parameters():
            parameter.grad = torch.ones_like(parameter)
    again.step(toy_batch())
    assert_close(last_gradients(again.optimizer), once[0])
    assert_close(last_gradients(again.discriminator_optimizer), once[1])
    assert all(p.requires_grad for p in pair[1].parameters())


@pytest.mark.parametrize("update", [sequential_update, simultaneous_update])
def test_l1_counts_marked_pixels_only(update):
    batch = toy_batch()
    weight = torch.zeros(2, 1, 32, 32)
    weight[:, :, :16] = 1
    networks = networks_for(*networks_of("paper", 2))
    losses = update(networks, replace(batch, weight=weight), pixel_weight=100.0)
    with torch.no_grad():
        prediction = networks_of("paper", 2)[0](batch.source)
    expected = (prediction - batch.target)[:, :, :16].abs().mean().item()
    assert losses["pixel"] == pytest.approx(expected, rel=1e-4)


# -- pixel loss first, a discriminator late


class Canvas(nn.Module):
    """Stands for a generator: its only parameter is its answer."""

    def __init__(self, like):
        super().__init__()
        self.picture = nn.Parameter(like * 0.5)

    def forward(self, source):
        return self.picture


def networks_for(generator, discriminator, rate=0.0):
    """Plain descent, so that gradients stay to be looked at."""
    return Networks(
        generator,
        torch.optim.SGD(generator.parameters(), lr=rate),
        discriminator,
        discriminator and torch.optim.SGD(discriminator.parameters(), lr=0.1),
        nullcontext,
    )


def late_discriminator(channels=2):
    config = FineTuneConfig(patch=64, discriminator_width=8)
    task = "colorization" if channels == 2 else "translation"
    return make_discriminator(config, task)


def late(batch, *, gan=0.5, feature=0.5, seed=1):
    """One late update on a canvas: gradient of the picture, discriminator, losses."""
    canvas = Canvas(batch.target)
    discriminator = late_discriminator(batch.target.shape[1])
    random = torch.Generator().manual_seed(seed)
    networks = networks_for(canvas, discriminator)
    losses = late_gan_update(networks, batch, random, gan=gan, feature=feature)
    return canvas.picture.grad, discriminator, losses


@pytest.mark.parametrize("channels", [2, 3])
def test_a_late_step_is_hinge_feature_matching_and_pixel_loss(channels):
    batch = toy_batch(channels=channels, side=64)
    found, judge, losses = late(batch, gan=0.3, feature=0.7)

    expected = late_discriminator(channels)
    picture = (batch.target * 0.5).requires_grad_()
    random = torch.Generator().manual_seed(1)
    real, fake, source = batch.target, picture, batch.source
    if channels == 2:  # chroma is predicted at half resolution
        real, fake, source = (
            x.unfold(2, 2, 2).unfold(3, 2, 2).mean((-2, -1))
            for x in (real, fake, source)
        )
    both = torch.stack([torch.cat([source, c], 1) for c in (real, fake)])
    real, fake = vary_judged(both, random)
    judged = 0.5 * (
        (1 - expected(real[:, :1], real[:, 1:])).clamp(min=0).mean()
        + (1 + expected(fake[:, :1].detach(), fake[:, 1:].detach())).clamp(min=0).mean()
    )
    gradients = torch.autograd.grad(judged, list(expected.parameters()))
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    with torch.no_grad():
        for parameter, gradient in zip(expected.parameters(), gradients, strict=True):
            parameter -= 0.1 * gradient / max(1.0, norm.item())
    for a, b in zip(judge.parameters(), expected.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-6)

    seen_real = expected.features(real[:, :1], real[:, 1:])
    seen_fake = expected.features(fake[:, :1], fake[:, 1:])
    matched = feature_loss([f.detach() for f in seen_real[:-1]], seen_fake[:-1])
    distance = (picture - batch.target).abs() * 110 / 20
    pixel = torch.where(distance < 1, distance**2 / 2, distance - 0.5).mean()
    loss = pixel - 0.3 * seen_fake[-1].mean() + 0.7 * matched
    (gradient,) = torch.autograd.grad(loss, picture)
    gradient = gradient / max(1.0, gradient.norm().item())
    assert torch.allclose(found, gradient, rtol=1e-3, atol=1e-7)
    assert losses["pixel"] == pytest.approx(pixel.item(), rel=1e-4)
    assert losses["feature"] == pytest.approx(matched.item(), rel=1e-4)
    assert losses["discriminator"] == pytest.approx(judged.item(), rel=1e-4)
    assert losses["gan"] == pytest.approx(-seen_fake[-1].mean().item(), rel=1e-4)


def test_what_a_mask_leaves_out_gives_no_gradient():
    batch = toy_batch(side=64)
    weight = torch.zeros(2, 1, 64, 64)
    weight[:, :, 10:40, 20:50] = 1
    found, judge, losses = late(replace(batch, weight=weight), gan=5.0, feature=5.0)
    outside = weight.expand_as(found) == 0
    assert found[~outside].any()
    assert not found[outside].any()
    disturbed = torch.where(weight == 1, batch.target, 0.9)
    _, again, repeated = late(
        replace(batch, target=disturbed, weight=weight), gan=5.0, feature=5.0
    )
    assert repeated == losses
    for a, b in zip(judge.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)
    plain, _, _ = late(batch, gan=5.0, feature=5.0)
    assert plain[outside].any()


def test_the_generators_wishes_do_not_move_the_discriminator():
    batch = toy_batch(side=64)
    start = late_discriminator()
    results = [late(batch, gan=gan, feature=gan) for gan in (0.0, 50.0)]
    moved = False
    for a, b, c in zip(
        *(judge.parameters() for _, judge, _ in results),
        start.parameters(),
        strict=True,
    ):
        assert torch.equal(a, b)
        assert torch.equal(a.grad, b.grad)
        assert a.requires_grad
        moved |= not torch.equal(a, c)
    assert moved
    assert not torch.equal(results[0][0], results[1][0])


def test_gradients_are_clipped_in_a_late_step():
    found, judge, _ = late(toy_batch(side=64), gan=1e4, feature=0.0)
    assert found.norm() == pytest.approx(1, rel=1e-3)
    assert torch.cat([p.grad.flatten() for p in judge.parameters()]).norm() < 1.001


@pytest.mark.parametrize("channels", [2, 3])
@pytest.mark.parametrize("side", [32, 64, 96])
def test_patches_of_every_size_can_be_judged(side, channels):
    found, _, losses = late(toy_batch(side=side, channels=channels))
    assert found.isfinite().all()
    assert losses["gan"] != 0


def test_the_discriminators_weights_of_the_published_schemes_are_not_clipped():
    networks = networks_for(*networks_of("paper", 2))
    sequential_update(networks, toy_batch(), pixel_weight=1e4)
    norms = [p.grad.norm() for p in networks.generator.parameters()]
    assert max(norms) > 10


# -- changes to what is judged


def test_all_versions_of_a_picture_change_alike():
    one = torch.rand(1, 3, 2, 40, 48)
    versions = torch.cat([one, one + 1, one * 3])
    random = torch.Generator().manual_seed(0)
    first, second, third = vary_judged(versions, random)
    kept = second != 0
    assert torch.allclose(second, (first + 1) * kept)
    assert torch.allclose(third, first * 3)
    assert not torch.equal(first[0] != 0, first[1] != 0)  # each picture differently
    share = kept.float().mean().item()
    assert share == pytest.approx(15 / 16, abs=0.01)  # a quarter of both sides is cut


def test_pictures_move_by_at_most_an_eighth():
    random = torch.Generator().manual_seed(0)
    shifts = []
    for _ in range(150):
        picture = torch.zeros(1, 1, 1, 32, 64)
        picture[..., 16, 32] = 1
        place = vary_judged(picture, random)[0, 0, 0].nonzero()
        shifts += (place - torch.tensor([16, 32])).tolist()
    rows, columns = torch.tensor(shifts).T
    assert set(rows.tolist()) == set(range(-4, 5))
    assert set(columns.tolist()) == set(range(-8, 9))


def test_the_change_passes_gradients_to_what_is_left():
    pictures = torch.rand(2, 2, 3, 32, 32, requires_grad=True)
    varied = vary_judged(pictures, torch.Generator().manual_seed(0))
    varied.sum().backward()
    assert set(pictures.grad.unique().tolist()) == {0.0, 1.0}
    assert pictures.grad.sum() == (varied != 0).sum()


# -- losses that are not finite


def state_of(network):
    return {k: v.clone() for k, v in network.state_dict().items()}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", ["pixel", "late", "paper", "notebook"])
def test_a_loss_that_is_not_finite_leaves_the_generator(kind, bad):
    batch = toy_batch(side=64)
    batch = replace(batch, target=torch.full_like(batch.target, bad))
    generator, discriminator = networks_of("paper", 2)
    if kind == "late":
        discriminator = late_discriminator()
    networks = networks_for(generator, discriminator, rate=0.1)
    before = [p.clone() for p in generator.parameters()]
    with pytest.raises(Diverged, match=r"became (nan|inf).*lower learning rate"):
        if kind == "pixel":
            pixel_update(networks, batch)
        elif kind == "late":
            random = torch.Generator().manual_seed(0)
            late_gan_update(networks, batch, random, gan=1.0, feature=1.0)
        elif kind == "paper":
            sequential_update(networks, batch, pixel_weight=100.0)
        else:
            simultaneous_update(networks, batch, pixel_weight=100.0)
    for a, b in zip(before, generator.parameters(), strict=True):
        assert torch.equal(a, b)


class Cliff(torch.autograd.Function):
    """Passes values, and a gradient that is no number."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * float("nan")


@pytest.mark.parametrize("kind", ["pixel", "late", "paper", "notebook"])
def test_a_gradient_that_is_not_finite_leaves_the_generator(kind):
    batch = toy_batch(side=64)

    class Broken(Canvas):
        def forward(self, source):
            return Cliff.apply(self.picture)

    canvas = Broken(batch.target)
    discriminator = late_discriminator()
    networks = networks_for(canvas, discriminator, rate=0.1)
    before = canvas.picture.detach().clone()
    with pytest.raises(Diverged):
        if kind == "pixel":
            pixel_update(networks, batch)
        elif kind == "late":
            random = torch.Generator().manual_seed(0)
            late_gan_update(networks, batch, random, gan=1.0, feature=1.0)
        elif kind == "paper":
            sequential_update(networks, batch, pixel_weight=100.0)
        else:
            simultaneous_update(networks, batch, pixel_weight=100.0)
    assert torch.equal(before, canvas.picture)
    assert all(p.isfinite().all() for p in discriminator.parameters())
