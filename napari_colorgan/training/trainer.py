"""Networks, their optimizers, and the moving average of the generator's weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_colorgan.models import channels_last
from napari_colorgan.models.compact import Compact
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.training.precision import autocast
from napari_colorgan.training.samplers import Batch
from napari_colorgan.training.schemes import scheme_of
from napari_colorgan.training.settings import Precision, Settings
from napari_colorgan.training.team import ALONE, Team
from napari_colorgan.training.updates import Losses, Networks


class Trainer:
    """Updates a generator; everything it needs to go on is in `state`.

    What happens in a step follows from its number alone: learning rates, the phase, and
    the randomness of dropout and augmentation.

    Parameters
    ----------
    steps : of the whole run; the schedule follows from it
    discriminator : needed unless the settings have no GAN phase
    team : of processes, each of which learns from its part of a batch
    """

    def __init__(
        self,
        generator: nn.Module,
        config: Settings,
        device: torch.device,
        *,
        steps: int,
        discriminator: PatchDiscriminator | None = None,
        precision: Precision = "float32",
        team: Team = ALONE,
    ) -> None:
        self.config = config
        self.team = team
        self.device = device
        self.steps = steps
        self.precision = precision
        self.generator = _placed(generator, device)
        self.discriminator = None if discriminator is None else discriminator.to(device)
        self._encoder: list[nn.Parameter] = []
        self._plain: list[nn.Parameter] = []  # all that is no addition
        if isinstance(generator, Compact):
            self._encoder = generator.encoder_parameters()
            added = {p for layer in generator.additions() for p in layer.parameters()}
            self._plain = [p for p in generator.parameters() if p not in added]
        self._scheme = scheme_of(config)
        self.generator.train()
        if not self._scheme.learns_statistics:  # those of the checkpoint are kept
            for layer in self.generator.modules():
                if isinstance(layer, nn.BatchNorm2d):
                    layer.eval()
        self.optimizer = self._scheme.optimizer(self._parameter_groups())
        self.discriminator_optimizer: torch.optim.Optimizer | None = None
        if self.discriminator is not None:
            self.discriminator_optimizer = torch.optim.Adam(
                self.discriminator.parameters(),
                lr=config.discriminator_rate,
                betas=(0.5, 0.999),
            )
        self._average = (
            {k: v.detach().clone() for k, v in self._weights().items()}
            if config.ema
            else None
        )
        self.done = 0

    @property
    def average(self) -> Mapping[str, Tensor]:
        """Weights as they are meant to be used: averaged, if the settings say so."""
        return self._weights() if self._average is None else self._average

    def step(self, batch: Batch) -> Losses:
        """One update; returns the losses by name.

        Raises
        ------
        Diverged
            A loss is not finite; the generator is what it was before this step.
        """
        self._set_rates()
        networks = Networks(
            self.generator,
            self.optimizer,
            self.discriminator,
            self.discriminator_optimizer,
            partial(autocast, self.device, self.precision),
            self.team,
        )
        batch = batch.part(self.team.number, self.team.size)
        seed = np.random.default_rng([self.config.seed, self.done, 1]).integers(2**62)
        with _seeded(int(seed), self.device, self.team.number) as random:
            losses = self._scheme.update(networks, batch, random, self.done, self.steps)
        if self._scheme.learns_statistics:
            self._average_statistics()
        self.done += 1
        self._update_average()
        return losses

    def state(self) -> dict[str, Any]:
        """All that changes during training, as tensors and plain numbers."""
        state: dict[str, Any] = {
            "generator": self._weights(),
            "optimizer": self.optimizer.state_dict(),
            "done": self.done,
        }
        if self._average is not None:
            state["average"] = self._average
        if self.discriminator is not None and self.discriminator_optimizer is not None:
            state["discriminator"] = self.discriminator.state_dict()
            state["judge"] = self.discriminator_optimizer.state_dict()
        return state

    @property
    def most_bytes(self) -> int:
        """More than a state of these networks takes on the disk, whatever was done."""
        networks = [n for n in (self.generator, self.discriminator) if n is not None]
        count = sum(t.numel() for n in networks for t in n.state_dict().values())
        # each with two moments, an average and the best of it; and the curves
        return (64 << 20) + 6 * 4 * int(count)

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.generator.load_state_dict(state["generator"])
        self.optimizer.load_state_dict(state["optimizer"])
        _arrange(self.optimizer)
        if self._average is not None:
            for name, value in self._average.items():
                value.copy_(state["average"][name])
        if self.discriminator is not None and self.discriminator_optimizer is not None:
            self.discriminator.load_state_dict(state["discriminator"])
            self.discriminator_optimizer.load_state_dict(state["judge"])
        self.done = state["done"]

    def share_state(self) -> None:
        """Go on from what the first process of the team knows."""
        if self.team.size > 1:
            state = self.team.told(self.state())
            if not self.team.leads:
                self.load_state(state)

    def _average_statistics(self) -> None:
        """Make stored statistics the mean of those of all processes."""
        networks = [self.generator, self.discriminator]
        buffers = [b for n in networks if n is not None for b in n.buffers()]
        self.team.average([b for b in buffers if b.is_floating_point()])

    def _weights(self) -> dict[str, Tensor]:
        weights: dict[str, Tensor] = self.generator.state_dict()
        return weights

    def _parameter_groups(self) -> list[dict[str, Any]]:
        """All but the encoder's, and then these, if there is one."""
        encoder = {id(p) for p in self._encoder}
        others = [p for p in self.generator.parameters() if id(p) not in encoder]
        groups: list[dict[str, Any]] = [{"params": others}, {"params": self._encoder}]
        return groups if self._encoder else groups[:1]

    def _set_rates(self) -> None:
        rates = self._scheme.rates(self.done, self.steps)
        # without an encoder of its own, a generator has one group and one rate
        for group, rate in zip(self.optimizer.param_groups, rates, strict=False):
            group["lr"] = rate
        for parameter in self._plain:
            parameter.requires_grad_(not self._scheme.only_additions(self.done))
        if rates[1] == 0:
            for parameter in self._encoder:
                parameter.requires_grad_(False)

    def _update_average(self) -> None:
        if self._average is None:
            return
        # a young average forgets faster, or it would remember the start for long
        decay = min(self.config.ema, (1 + self.done) / (10 + self.done))
        weights = self._weights()
        real = [name for name, value in weights.items() if value.is_floating_point()]
        with torch.no_grad():
            torch._foreach_lerp_(
                [self._average[name] for name in real],
                [weights[name] for name in real],
                1 - decay,
            )
            for name in weights.keys() - real:
                self._average[name].copy_(weights[name])


def _arrange(optimizer: torch.optim.Optimizer) -> None:
    """Lay out what an optimizer has read as its weights are: it takes that for granted.

    A file keeps shapes, but not which of their dimensions come last in memory.
    """
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if value.shape == parameter.shape and value.stride() != parameter.stride():
                values[name] = torch.empty_like(parameter).copy_(value)


def _placed(generator: nn.Module, device: torch.device) -> nn.Module:
    """Put a generator on a device, in the layout in which it trains fastest.

    A step of `compact` on a CPU, 16 crops of 128 px in bfloat16, takes a fifth less
    time with channels last; the plain convolutions of the others gain nothing.
    """
    if isinstance(generator, Compact):
        return channels_last(generator, device)
    return generator.to(device)


@contextmanager
def _seeded(seed: int, device: torch.device, number: int) -> Iterator[torch.Generator]:
    """Seed torch's global generators, which dropout draws from, for a while.

    Processes of another `number` drop out others; what is yielded is alike in all.
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed + number)
        yield torch.Generator().manual_seed(seed)
