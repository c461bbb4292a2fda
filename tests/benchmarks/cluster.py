"""What a gigapixel costs on a cluster of worker processes, and how it scales.

Weak scaling: every worker gets as many pixels, whatever the number of workers.
"""

import time
from typing import Annotated

import numpy as np
import typer
from distributed import LocalCluster
from skimage import data

from napari_colorgan import ColorizerSettings, Source
from napari_colorgan.inference.cluster import cluster_job
from napari_colorgan.job import finish

MODELS = {"local": "micro", "whole": "natural"}


def main(
    workers: Annotated[
        list[int] | None, typer.Option(help="Numbers of workers; default 1, 2.")
    ] = None,
    side: Annotated[int, typer.Option(help="Px; of the square for one worker.")] = 6144,
) -> None:
    """Print seconds, worker hours per gigapixel and what of one worker's speed is left.

    Loading of the model is not timed; a scheduler and workers share this machine.
    """
    print(
        f"{'context':8s} {'workers':>7s} {'MP':>6s} {'s':>7s} {'h/GP':>6s} {'left':>6s}"
    )
    for context, model in MODELS.items():
        settings = ColorizerSettings(model=model, device="cpu")
        alone = 0.0
        for count in workers or [1, 2]:
            seconds = timed(settings, count, side)
            alone = alone or seconds
            pixels = count * side**2
            hours = seconds * count / pixels * 1e9 / 3600
            numbers = f"{pixels / 1e6:6.0f} {seconds:7.1f} {hours:6.2f}"
            print(f"{context:8s} {count:7d} {numbers} {alone / seconds:6.0%}")


def timed(settings: ColorizerSettings, count: int, side: int) -> float:
    """Seconds for a picture of `side` columns and rows for all workers."""
    with LocalCluster(count, threads_per_worker=1, dashboard_address=":0") as cluster:
        small = Source.of(picture(256, 1))
        address = cluster.scheduler_address
        finish(cluster_job(small, settings, address, forget))  # loads the model
        source = Source.of(picture(side, count))
        began = time.perf_counter()
        finish(cluster_job(source, settings, address, forget))
        return time.perf_counter() - began


def picture(side: int, count: int) -> np.ndarray:
    """A gray picture (count * side, side), of one that is repeated."""
    gray = data.camera()
    shape = (count * side, side)
    times = [-(-length // n) for length, n in zip(shape, gray.shape, strict=True)]
    return np.tile(gray, times)[: shape[0], : shape[1]]


def forget(index: object, region: object, rgb: object) -> None:
    """Keep nothing: what is written to a disk depends on the disk."""


if __name__ == "__main__":
    typer.run(main)
