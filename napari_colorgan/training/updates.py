"""How one step changes the networks; which one it is says `training.schemes`.

Each function takes the trainer's networks and a batch, updates the weights and returns
the losses of the step by name. A loss or gradient that is not finite raises `Diverged`
before the generator is touched.
"""

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_colorgan.color import enliven
from napari_colorgan.errors import JobFailed
from napari_colorgan.models.compact import Compact
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.augment import vary_judged
from napari_colorgan.training.losses import (
    KNEE,
    color_loss,
    feature_loss,
    gan_loss,
    hinge_loss,
    l1_loss,
    likelihood_loss,
)
from napari_colorgan.training.samplers import Batch
from napari_colorgan.training.team import ALONE, Team

_MAX_GRADIENT = 1.0  # norm to which gradients are clipped, unless as published
_LIKELIHOOD_WEIGHT = 0.15  # its loss is then about as large as the pixel loss
_LEAST_JUDGED = 24  # px: of less, the discriminator has no opinion

Losses = dict[str, float]


class Diverged(JobFailed):
    """A loss is not finite; the generator's weights are those before the step."""

    def __init__(self, name: str, value: float) -> None:
        super().__init__(
            f"The {name} became {value}: the training went wrong. Start again with a "
            "lower learning rate."
        )


@dataclass(frozen=True, slots=True)
class Networks:
    """What an update changes, and how it computes."""

    generator: nn.Module
    optimizer: torch.optim.Optimizer
    discriminator: PatchDiscriminator | None
    discriminator_optimizer: torch.optim.Optimizer | None
    autocast: Callable[[], AbstractContextManager[None]]
    team: Team = ALONE

    def generate(self, batch: Batch, *, doubts: bool = False) -> "Generated":
        """Answer to a batch, float32; with `doubts`, as `color.enliven` takes it."""
        generator = self.generator
        with self.autocast():
            if not isinstance(generator, Compact):
                return Generated(generator(batch.source).float())
            if not generator.alternatives:
                return Generated(generator(batch.source).float())
            answer = generator.answer(batch.source, batch.palette)
            prediction = answer.prediction() if doubts else answer.ab
        prediction = F.interpolate(prediction.float(), scale_factor=2, mode="bilinear")
        return Generated(prediction, answer.logits.float())


@dataclass(frozen=True, slots=True)
class Generated:
    """What a generator answers to a batch."""

    prediction: Tensor
    """(N, C, H, W); C is that of the target, or more: see `color.enliven`."""
    logits: Tensor | None = None
    """(N, Q, h, w): how likely each colour is, if it says so."""

    def losses(self, batch: Batch, knee: float, team: Team) -> dict[str, Tensor]:
        """How far it is from the target, by name; they are added up."""
        target, weight = batch.target, batch.weight
        losses = {"pixel": color_loss(self.prediction, target, weight, knee, team.mean)}
        if self.logits is not None:
            likelihood = likelihood_loss(self.logits, target, weight, team.mean)
            losses["likelihood"] = _LIKELIHOOD_WEIGHT * likelihood
        return losses


def pixel_update(networks: Networks, batch: Batch, *, knee: float = KNEE) -> Losses:
    """Lower the pixel loss, whose `knee` is explained at `losses.color_loss`.

    Where likelihoods are predicted, their loss is lowered with it.
    """
    losses = networks.generate(batch).losses(batch, knee, networks.team)
    total = torch.stack([*losses.values()]).sum()
    _descend(
        networks, networks.optimizer, total, networks.generator.parameters(), clip=True
    )
    return _numbers(losses, networks.team)


def late_gan_update(
    networks: Networks,
    batch: Batch,
    random: torch.Generator,
    *,
    gan: float,
    feature: float,
    vividness: float = 0.0,
    knee: float = KNEE,
) -> Losses:
    """Lower pixel loss + `gan` * hinge GAN loss + `feature` * feature matching.

    The discriminator learns first, from real and fake at once. Chroma is predicted at
    half resolution, so it is judged there, too, unless patches are tiny. Both see
    pictures moved and with holes. A prediction that tells its doubts is judged as it
    looks at `vividness`.
    """
    discriminator, optimizer = networks.discriminator, networks.discriminator_optimizer
    assert discriminator is not None and optimizer is not None
    generated = networks.generate(batch, doubts=vividness > 0)
    fake, real, source = generated.prediction, batch.target, batch.source
    if fake.shape[1] > real.shape[1]:
        fake = enliven(fake, vividness)
    if batch.weight is not None:  # what is not to be learned is no clue
        fake, real = fake * batch.weight, real * batch.weight
    if real.shape[1] == 2 and min(real.shape[-2:]) >= 2 * _LEAST_JUDGED:
        fake, real, source = (F.avg_pool2d(x, 2) for x in (fake, real, source))
    n = len(source)
    joined = torch.stack(
        [torch.cat([source, real], dim=1), torch.cat([source, fake], dim=1)]
    )
    seen = vary_judged(joined, random, networks.team.number * n).flatten(0, 1)
    sources, colors = seen[:, :1].detach(), seen[:, 1:]
    with networks.autocast():
        logits = discriminator(sources, colors.detach()).float()
    judged = hinge_loss(logits[:n], logits[n:])
    _descend(networks, optimizer, judged, discriminator.parameters(), clip=True)
    discriminator.requires_grad_(False)
    with networks.autocast():
        features = discriminator.features(sources, colors)
    discriminator.requires_grad_(True)
    matched = feature_loss(
        [f[:n].detach().float() for f in features[:-1]],
        [f[n:].float() for f in features[:-1]],
        networks.team.mean,
    )
    fooled = -features[-1][n:].float().mean()
    losses = generated.losses(batch, knee, networks.team)
    total = torch.stack([*losses.values()]).sum() + gan * fooled + feature * matched
    _descend(
        networks, networks.optimizer, total, networks.generator.parameters(), clip=True
    )
    told = {"gan": fooled, "feature": matched, "discriminator": judged}
    return _numbers(losses | told, networks.team)


def sequential_update(
    networks: Networks, batch: Batch, *, pixel_weight: float
) -> Losses:
    """Discriminator first, then the generator through the updated discriminator.

    Isola et al. 2017 (arXiv 1611.07004, 3.3): the discriminator's loss is halved, the
    generator's is GAN + `pixel_weight` * L1. Nothing is clipped.
    """
    discriminator, optimizer = networks.discriminator, networks.discriminator_optimizer
    assert discriminator is not None and optimizer is not None
    prediction = networks.generate(batch).prediction
    with networks.autocast():
        fake = discriminator(batch.source, prediction.detach()).float()
        real = discriminator(batch.source, batch.target).float()
    judged = (gan_loss(fake, False) + gan_loss(real, True)) / 2
    _descend(networks, optimizer, judged, discriminator.parameters())
    discriminator.requires_grad_(False)  # its gradients would be thrown away
    with networks.autocast():
        fooled = gan_loss(discriminator(batch.source, prediction).float(), True)
    discriminator.requires_grad_(True)
    pixel = l1_loss(prediction, batch.target, batch.weight, networks.team.mean)
    loss = fooled + pixel_weight * pixel
    _descend(networks, networks.optimizer, loss, networks.generator.parameters())
    told = {"pixel": pixel, "gan": fooled, "discriminator": judged}
    return _numbers(told, networks.team)


def simultaneous_update(
    networks: Networks, batch: Batch, *, pixel_weight: float
) -> Losses:
    """Both gradients from one forward pass, before either network is updated.

    The discriminator's loss is real + fake, not halved; the generator's is GAN +
    `pixel_weight` * L1, through the discriminator as it was.
    """
    discriminator, optimizer = networks.discriminator, networks.discriminator_optimizer
    assert discriminator is not None and optimizer is not None
    prediction = networks.generate(batch).prediction
    with networks.autocast():
        real = discriminator(batch.source, batch.target).float()
        fake = discriminator(batch.source, prediction).float()
    judged = gan_loss(real, True) + gan_loss(fake, False)
    fooled = gan_loss(fake, True)
    pixel = l1_loss(prediction, batch.target, batch.weight, networks.team.mean)
    loss = fooled + pixel_weight * pixel
    parts = {"discriminator's loss": judged, "generator's loss": loss}
    _check(parts, networks.team)
    of_discriminator = list(discriminator.parameters())
    of_generator = list(networks.generator.parameters())
    judged_gradients = torch.autograd.grad(judged, of_discriminator, retain_graph=True)
    gradients = torch.autograd.grad(loss, of_generator)
    for of_network in (judged_gradients, gradients):
        networks.team.average(of_network)
        norm = torch.nn.utils.get_total_norm(of_network)
        _check({"gradient": norm}, networks.team)
    for parameters, of_network, stepped in (
        (of_discriminator, judged_gradients, optimizer),
        (of_generator, gradients, networks.optimizer),
    ):
        for parameter, gradient in zip(parameters, of_network, strict=True):
            parameter.grad = gradient
        stepped.step()
        stepped.zero_grad(set_to_none=True)
    told = {"pixel": pixel, "gan": fooled, "discriminator": judged}
    return _numbers(told, networks.team)


def _descend(
    networks: Networks,
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    parameters: Iterable[nn.Parameter],
    *,
    clip: bool = False,
) -> None:
    """One update, of finite gradients only."""
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    learned = list(parameters)
    gradients = [p.grad for p in learned if p.grad is not None]
    networks.team.average(gradients)
    norm = torch.nn.utils.get_total_norm(gradients)
    _check({"loss": loss, "gradient": norm}, networks.team)
    if clip:
        torch.nn.utils.clip_grads_with_norm_(learned, _MAX_GRADIENT, norm)
    optimizer.step()


def _check(values: dict[str, Tensor], team: Team) -> None:
    for name, number in _numbers(values, team).items():
        if not math.isfinite(number):
            raise Diverged(name, number)


def _numbers(values: dict[str, Tensor], team: Team) -> Losses:
    """Values as numbers; a GPU is waited for once for all of them."""
    joined = torch.stack([*values.values()]).detach()
    numbers: list[float] = team.mean(joined).tolist()
    return dict(zip(values, numbers, strict=True))
