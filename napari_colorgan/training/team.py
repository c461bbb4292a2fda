"""Several processes that train one network together, as `torchrun` starts them.

Each step of a team is the step of one process with the joint batch: every process draws
that batch and learns from its own part of it, sums that losses are divided by are those
of all parts, and gradients are averaged before they are clipped. So all have the same
weights. The first process decides how long that goes on; it alone judges and writes.

What differs from one process: normalisation that learns statistics (schemes `paper` and
`notebook`) sees the part of a process, and stored statistics become the mean of all;
and each process drops out what it draws for itself.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from napari_colorgan.errors import BadSetting

T = TypeVar("T")

_PATIENCE = timedelta(hours=12)  # while the first one judges, the others wait


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a training; by default this one alone."""

    number: int = 0
    """Of this process."""
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process decides, judges and writes."""
        return self.number == 0

    def check_batch(self, batch: int) -> None:
        """Refuse a batch that cannot be divided.

        Raises
        ------
        BadSetting
        """
        if batch % self.size:
            expected = f"a multiple of {self.size}, the number of processes"
            raise BadSetting("batch", batch, expected)

    def told(self, value: T) -> T:
        """Return the value that the first process has."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def mean(self, value: Tensor) -> Tensor:
        """Mean over all processes, without gradient."""
        if self.size == 1:
            return value
        value = value.detach().clone()
        dist.all_reduce(value)
        return value / self.size

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes."""
        if self.size == 1 or not tensors:
            return
        joined = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        dist.all_reduce(joined)
        joined /= self.size
        sizes = [tensor.numel() for tensor in tensors]
        for tensor, mean in zip(tensors, torch.split(joined, sizes), strict=True):
            tensor.copy_(mean.view(tensor.shape))


ALONE = Team()


def is_started_together() -> bool:
    """Whether `torchrun` has started this process, with others or alone."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "WORLD_SIZE" in os.environ


@contextmanager
def joined(device: torch.device) -> Iterator[Team]:
    """Meet the other processes, on a CPU by gloo and on Nvidia's GPUs by NCCL."""
    if not is_started_together():
        yield ALONE
        return
    backend = "nccl" if device.type == "cuda" else "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(backend, timeout=_PATIENCE)
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """Return the GPU of this process, where each has one of its own."""
    if device.type != "cuda" or device.index is not None or not is_started_together():
        return device
    number = int(os.environ.get("LOCAL_RANK", "0"))
    return torch.device("cuda", number % torch.cuda.device_count())
