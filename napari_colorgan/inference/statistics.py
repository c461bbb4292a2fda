"""Normalisation statistics of one picture, for generators that need them.

Classic pix2pix normalises with the mean and variance of the picture at hand. In windows
that would give every window a tone of its own. So the statistics are measured once per
plane, pooled over windows spread across it, and then held fixed for all its windows.
"""

import copy
import threading

import torch
from torch import Tensor, nn

from napari_colorgan.models.norm import hold_statistics

Statistics = dict[str, Tensor]
"""Replacements for the running statistics of a network's layers, by buffer name."""


class StatisticsMeter:
    """Measures what the normalisation layers of a copy of `generator` see.

    From then on, `generator` itself normalises by what is put into it.
    """

    def __init__(self, generator: nn.Module) -> None:
        hold_statistics(generator)
        self._network = copy.deepcopy(generator).eval()
        self._lock = threading.Lock()
        self._layers = {
            name: module
            for name, module in self._network.named_modules()
            if isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d)
        }
        for layer in self._layers.values():
            layer.register_forward_pre_hook(_pool)

    def measure(self, source: Tensor) -> Statistics:
        """Statistics pooled over `source` (N, C, H, W), for `functional_call`."""
        with self._lock:
            self._network(source)
            statistics = {}
            for name, layer in self._layers.items():
                mean, var = layer.running_mean, layer.running_var
                assert mean is not None and var is not None  # `_pool` has set them
                statistics[f"{name}.running_mean"] = mean
                statistics[f"{name}.running_var"] = var
            return statistics


def _pool(layer: nn.Module, inputs: tuple[Tensor]) -> None:
    """Replace the layer's statistics by those of its input, before it uses them."""
    var, mean = torch.var_mean(inputs[0].float(), dim=(0, 2, 3), correction=0)
    layer.running_mean, layer.running_var = mean, var
