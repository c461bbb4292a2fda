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
from typing import TYPE_CHECKING, TypeVar

from napari_colorgan.errors import BadSetting, JobFailed

if TYPE_CHECKING:  # torch, which a process that is alone imports when it needs it
    from torch import Tensor

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
        """Return the value that the first process has.

        Raises
        ------
        JobFailed
            Another process has ended.
        """
        if self.size == 1:
            return value
        import torch.distributed as dist

        values = [value]
        try:
            dist.broadcast_object_list(values, src=0)
        except RuntimeError as error:
            raise JobFailed(
                "Another process of this training has ended, so this one does, too."
            ) from error
        return values[0]

    def mean(self, value: "Tensor") -> "Tensor":
        """Mean over all processes, without gradient."""
        if self.size == 1:
            return value
        import torch.distributed as dist

        value = value.detach().clone()
        dist.all_reduce(value)
        return value / self.size

    def average(self, tensors: "Sequence[Tensor]") -> None:
        """Replace tensors by their means over all processes."""
        if self.size == 1 or not tensors:
            return
        import torch

        joined = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        means = self.mean(joined)
        sizes = [tensor.numel() for tensor in tensors]
        for tensor, mean in zip(tensors, torch.split(means, sizes), strict=True):
            tensor.copy_(mean.view(tensor.shape))


ALONE = Team()


@contextmanager
def joined(device: str) -> Iterator[Team]:
    """Meet the other processes, on CPUs by gloo and on Nvidia's GPUs by NCCL.

    Parameters
    ----------
    device : what `own_device` returned
    """
    if not _are_together():
        yield ALONE
        return
    import torch
    import torch.distributed as dist

    is_gpu = device.startswith("cuda")
    if is_gpu:
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if is_gpu else "gloo", timeout=_PATIENCE)
    try:
        yield Team(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def own_device(wish: str) -> str:
    """Return the device of this process: of several GPUs, each has one of its own.

    Raises
    ------
    BadSetting
        The device is unknown, is not here, or is one that processes cannot share work
        on.
    """
    if not _are_together():
        return wish
    import torch

    from napari_colorgan.inference.device import choose_device

    device = choose_device(wish)
    if device.type == "cuda" and device.index is None:
        number = int(os.environ["LOCAL_RANK"])
        if number >= (count := torch.cuda.device_count()):
            expected = f"at most {count}, one for each GPU, or used with --device cpu"
            raise BadSetting(
                "--nproc-per-node", os.environ["LOCAL_WORLD_SIZE"], expected
            )
        return f"cuda:{number}"
    if device.type == "mps":
        if wish == "auto":
            return "cpu"
        raise BadSetting("device", wish, "cpu or cuda, for several processes")
    return str(device)


def _are_together() -> bool:
    """Whether `torchrun` has started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "WORLD_SIZE" in os.environ
