"""How fast arrays become colours, beside the U-Net of pix2pix in the same run.

Prints ratios, for seconds belong to a machine; and seconds, to see what they are of.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from skimage import data
from torch import Tensor

from napari_colorgan import Colorizer, colorize
from napari_colorgan.inference import engines
from napari_colorgan.models.unet import UNet

SIDE = 2048  # px
SMALL = 512  # px
Way = Callable[[int], object]
UNET = {"depth": 8, "width": 64, "dropout": False}


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Every line, in turns.")] = 5,
    local: Annotated[str, typer.Option(help="A model of local context.")] = "micro",
    whole: Annotated[str, typer.Option(help="A model of whole context.")] = "natural",
) -> None:
    """Print seconds and how many times as fast as the bare U-Net that is."""
    gray = picture(SIDE)
    unet = UNet(1, 3, **UNET).eval()
    source = torch.rand(1, 1, SIDE, SIDE)
    ways: dict[str, Way] = {"U-Net 256, bare forward": lambda _: forward(unet, source)}
    for engine in engines.possible_engines(torch.device("cpu")):
        colorizer = Colorizer(local, "cpu", engine=engine)
        ways[f"local, {engine}"] = partial(colored, gray, colorizer)
    seen = Colorizer(whole, "cpu")
    ways["whole"] = partial(colored, gray, seen)
    small = picture(SMALL)
    ways[f"{SMALL} px, whole"] = partial(colored, small, seen)
    taken = Colorizer(local, "cpu")
    ways[f"{SMALL} px, local, {taken.settings.engine}"] = partial(colored, small, taken)
    seconds = timed(ways, rounds)
    usual = seconds["U-Net 256, bare forward"]
    print(f"{torch.get_num_threads()} threads; {SIDE} px where nothing else is said")
    print(f"{'':28s} {'s':>7s} {'times as fast':>14s}")
    for name, took in seconds.items():
        print(f"{name:28s} {took:7.3f} {usual / took:14.1f}")
    print(f"{'colorgan colorize, 512 px':28s} {process(small, rounds):7.3f}")


def picture(side: int) -> np.ndarray:
    """A photograph continued by mirroring, (side, side) uint8."""
    gray = data.camera()
    both = np.vstack(
        [np.hstack([gray, gray[:, ::-1]]), np.hstack([gray[::-1], gray[::-1, ::-1]])]
    )
    count = -(-side // both.shape[0])
    return np.ascontiguousarray(np.tile(both, (count, count))[:side, :side])


@torch.inference_mode()
def forward(network: UNet, source: Tensor) -> Tensor:
    """What pix2pix computes, and nothing else."""
    return network(source)


def colored(gray: np.ndarray, colorizer: Colorizer, number: int) -> np.ndarray:
    """Colour a picture that was not seen before, for colorizers remember."""
    return colorize(np.roll(gray, 7 * number, axis=1), colorizer)


def timed(ways: dict[str, Way], rounds: int) -> dict[str, float]:
    """Median seconds of each, all in turns, after one to warm up."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way(number)
            if number:
                took[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in took.items()}


def process(gray: np.ndarray, rounds: int) -> float:
    """Median seconds of the whole command for one picture."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "gray.png"), Path(folder, "out.png")
        Image.fromarray(gray).save(source)
        command = ["colorize", str(source), str(result), "--force"]
        took = []
        for _ in range(rounds + 1):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "napari_colorgan", *command],
                check=True,
                capture_output=True,
            )
            took.append(time.perf_counter() - began)
        return statistics.median(took[1:])


if __name__ == "__main__":
    typer.run(main)
