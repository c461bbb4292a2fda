"""Begin a narrower generator with what a wider one has learned."""

from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from napari_colorgan.models.compact import Compact


def is_narrower(generator: Compact, than: Compact) -> bool:
    """Whether the decoder has fewer channels, and all else is the same."""
    facts = [(g.encoder, g.out_channels, g.predicts_chroma) for g in (generator, than)]
    ours, theirs = (
        [layer.out_channels for layer in _layers(g)] for g in (generator, than)
    )
    if facts[0] != facts[1] or ours == theirs:
        return False
    return all(a <= b for a, b in zip(ours, theirs, strict=True))


@torch.no_grad()
def take_over(generator: Compact, wide: Compact, source: Tensor) -> None:
    """Give `generator` the encoder of `wide` and, of its decoder, what matters most.

    A channel matters as much as it varies over pictures, times the norm of the weights
    that read it: what is kept then colours nearly as before. (Li et al. 2017, arXiv
    1608.08710, rank the channels of a layer by the norms of its own weights.)

    Parameters
    ----------
    generator : narrower than `wide`, see `is_narrower`; its weights are replaced
    source : (N, 1, H, W) in [-1, 1], pictures that tell what varies
    """
    for name in ("stem", "stem_hints", "stages"):
        getattr(generator, name).load_state_dict(getattr(wide, name).state_dict())
    ours, theirs = _layers(generator), _layers(wide)
    kept = [
        torch.topk(matters, layer.out_channels).indices.sort().values
        for matters, layer in zip(_importance(wide, source), ours, strict=False)
    ]
    kept.append(torch.arange(wide.head.out_channels))
    hints, wide_hints = _hints(generator), _hints(wide)
    columns = torch.arange(theirs[0].in_channels)
    for index, (layer, wider, rows) in enumerate(zip(ours, theirs, kept, strict=True)):
        layer.weight.copy_(wider.weight[rows][:, columns])
        if layer.bias is not None and wider.bias is not None:
            layer.bias.copy_(wider.bias[rows])
        if layer in hints:
            hints[layer].weight.copy_(wide_hints[wider].weight[rows])
        if index + 1 < len(theirs):  # the next reads these and all of a skip connection
            skip = torch.arange(wider.out_channels, theirs[index + 1].in_channels)
            columns = torch.cat([rows, skip])


def _layers(generator: Compact) -> list[nn.Conv2d]:
    """Convolutions after the encoder; each reads the one before, some skips besides."""
    layers = []
    step: Any
    for step in generator.decoder:
        layers += [step.project, step.join, step.refine]
    return [layer for layer in [*layers, generator.head] if layer is not None]


def _hints(generator: Compact) -> dict[nn.Conv2d, nn.Conv2d]:
    """Layers that are given hints, and what reads the hints for them."""
    found = {}
    step: Any
    for step in generator.decoder:
        found[step.join] = step.join_hints
    return found


def _importance(generator: Compact, source: Tensor) -> list[Tensor]:
    """Of every channel that a layer hands to the next."""
    found: list[Tensor] = []

    def measure(layer: nn.Conv2d, reader: nn.Conv2d, read: tuple[Tensor]) -> None:
        varies = read[0][:, : layer.out_channels].std((0, 2, 3))
        weights = reader.weight[:, : layer.out_channels]
        found.append(varies * weights.square().sum((0, 2, 3)).sqrt())

    hooks = [
        reader.register_forward_pre_hook(partial(measure, layer))
        for layer, reader in pairwise(_layers(generator))
    ]
    generator(source)
    for hook in hooks:
        hook.remove()
    return found
