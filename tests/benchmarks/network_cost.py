"""What the compact generator costs beside the U-Net of the pix2pix paper, in one run.

python tests/benchmarks/network_cost.py
"""

import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from napari_colorgan.models import GeneratorSpec, build, count_parameters

ROUNDS = 7


def seconds(network: torch.nn.Module, source: torch.Tensor) -> float:
    began = time.perf_counter()
    network(source)
    return time.perf_counter() - began


def giga_products(network: torch.nn.Module, side: int) -> float:
    """1e9 multiplications for a square picture of `side` px."""
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, side, side))
    return counter.get_total_flops() / 2e9


@torch.inference_mode()
def main() -> None:
    layout = torch.channels_last
    compact, unet = (
        build(GeneratorSpec(name)).eval().to(memory_format=layout)
        for name in ("compact", "unet")
    )
    print(f"{'':22}{'compact':>10}{'U-Net 256':>12}{'ratio':>8}")
    millions = [count_parameters(n) / 1e6 for n in (compact, unet)]
    row("parameters, millions", *millions)
    for side in (256, 1024):
        source = torch.rand(1, 1, side, side).mul(2).sub(1).to(memory_format=layout)
        counts = [giga_products(network, side) for network in (compact, unet)]
        row(f"{side} px: 1e9 products", *counts)
        pairs = [
            (seconds(compact, source), seconds(unet, source)) for _ in range(ROUNDS)
        ]
        row(
            f"{side} px: ms",
            *(1000 * statistics.median(t) for t in zip(*pairs, strict=True)),
        )


def row(name: str, ours: float, theirs: float) -> None:
    print(f"{name:22}{ours:10.2f}{theirs:12.2f}{ours / theirs:8.2f}")


if __name__ == "__main__":
    main()
