"""A generator, its optimizer and the moving average of its weights."""

import math
from typing import Any

import torch
from torch import Tensor

from napari_colorgan.errors import JobFailed
from napari_colorgan.models.compact import Compact
from napari_colorgan.training.config import TrainConfig
from napari_colorgan.training.losses import chroma_loss

_MAX_GRADIENT = 1.0  # norm to which gradients are clipped


class Trainer:
    """Updates a compact generator; everything it needs to go on is in `state`."""

    def __init__(
        self, generator: Compact, config: TrainConfig, device: torch.device
    ) -> None:
        self.config = config
        self.device = device
        self.generator = generator.to(device).train()
        self.encoder = generator.encoder_parameters()
        kept = {id(p) for p in self.encoder}
        self.optimizer = torch.optim.AdamW(
            [
                {"params": [p for p in generator.parameters() if id(p) not in kept]},
                {"params": self.encoder},
            ],
            weight_decay=config.weight_decay,
            betas=(0.9, 0.99),
        )
        self.average = {
            k: v.detach().clone() for k, v in generator.state_dict().items()
        }
        self.done = 0

    def step(self, source: Tensor, target: Tensor, hints: Tensor) -> float:
        """One update on scaled L (N, 1, H, W), scaled ab and hints; returns the loss.

        Raises
        ------
        JobFailed
            The loss is not finite; the weights are those before this step.
        """
        self._set_rates()
        source, target = source.to(self.device), target.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16):
            prediction = self.generator(source, hints.to(self.device))
        loss = chroma_loss(prediction.float(), target)
        if not math.isfinite(value := float(loss.detach())):
            raise JobFailed(
                f"The training loss became {value} at step {self.done}. Resume with a "
                "lower learning rate."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.generator.parameters(), _MAX_GRADIENT)
        self.optimizer.step()
        self.done += 1
        self._update_average()
        return value

    def state(self) -> dict[str, Any]:
        """All that changes during training, as tensors and plain numbers."""
        return {
            "generator": self.generator.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "done": self.done,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.generator.load_state_dict(state["generator"])
        self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.done = state["done"]

    def _set_rates(self) -> None:
        config = self.config
        fall = (1 + math.cos(math.pi * self.done / config.steps)) / 2
        whole = self.done >= config.decoder_steps
        decoder, encoder = self.optimizer.param_groups
        warm_up = min(1.0, (self.done + 1) / 100)
        decoder["lr"] = config.learning_rate * fall * warm_up
        encoder["lr"] = config.encoder_rate * fall if whole else 0.0
        for parameter in self.encoder:
            parameter.requires_grad_(whole)

    def _update_average(self) -> None:
        # a young average forgets faster, or it would remember the random start
        decay = min(self.config.ema, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            for name, value in self.generator.state_dict().items():
                self.average[name].lerp_(value, 1 - decay)
