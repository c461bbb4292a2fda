"""What a GPU gives in the minutes for which there is one, in one command each.

Needs torch, numpy, scikit-image, safetensors and typer, but not napari: run it as
`PYTHONPATH=. python tests/benchmarks/gpu/gpu.py ...` from the top of a checkout.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import typer

from napari_colorgan.checkpoints.store import load
from napari_colorgan.color import CODECS
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.device import choose_device
from napari_colorgan.job import finish
from napari_colorgan.models import GeneratorSpec, build
from napari_colorgan.training.archives import Archive
from napari_colorgan.training.picture_sampler import PictureSampler
from napari_colorgan.training.precision import untimed_precision
from napari_colorgan.training.recipe import Recipe, find_recipe
from napari_colorgan.training.train import train_job
from napari_colorgan.training.trainer import Trainer

BATCHES = (64, 128, 256, 512)
WARM, TIMED = 4, 12  # steps
SIDES = [512, 2048, 4096]  # px
PART = 16 << 20  # bytes of a file that is brought back
ROUND = 2.0  # minutes after which weights and state are written
MOST_RATE = 2.0  # times the rate of the recipe, however large the batch

app = typer.Typer(
    help=__doc__,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, ...")]


@app.command()
def train(
    out: Annotated[Path, typer.Argument(help="Folder for what is made.")],
    archives: Annotated[list[Path], typer.Argument(help="Of `pack.py --most 24`.")],
    minutes: Annotated[float, typer.Option(help="Of training, in all.")] = 8.0,
    recipe: str = "natural",
    start: Annotated[Path | None, typer.Option(help="Weights to begin with.")] = None,
    batch: Annotated[int | None, typer.Option(help="Default: the fastest.")] = None,
    judge: Annotated[list[Path] | None, typer.Option(help="Folder to score.")] = None,
    device: Device = "auto",
) -> None:
    """Train by a recipe, with as many steps and as large batches as there is time for.

    OUT gets model.safetensors, recipe.toml and the state in parts of 16 MiB, every two
    minutes. To go on anywhere: `cat OUT/model.state.* > OUT/model.state`, then
    `colorgan train ARCHIVE... --recipe OUT/recipe.toml --out OUT/model.safetensors`,
    with the same --start.
    """
    torch.backends.cudnn.benchmark = True
    out.mkdir(parents=True, exist_ok=True)
    on = choose_device(device)
    usual = Recipe.from_toml(find_recipe(recipe))
    speeds = {
        size: speed(archives[:1], usual.replaced(batch=size), on)
        for size in ([batch] if batch else BATCHES)
    }
    for size, crops in speeds.items():
        print(f"batch {size}: {crops:.0f} crops per second", flush=True)
    best = max(speeds, key=lambda size: speeds[size])
    steps = max(1, round(60 * minutes * speeds[best] / best))
    write_recipe(out / "recipe.toml", recipe, usual, best, steps)
    planned = Recipe.from_toml(out / "recipe.toml")
    planned = replace(planned, about={"name": "model"} | dict(planned.about))
    model, began = out / "model.safetensors", time.monotonic()
    while True:
        trained = finish(
            train_job(
                archives,
                planned,
                model,
                device=on,
                start=None if start is None else load(start),
                minutes=ROUND,
                judged=judge or (),
                judge_every=steps,
            )
        )
        write_parts(model.with_suffix(".state"))
        done = trained.last.metadata.training["steps_done"]
        passed = time.monotonic() - began
        print(f"{done} of {steps} steps in {passed:.0f} s", flush=True)
        if done >= steps:
            break


@app.command()
def check(
    models: list[Path],
    sides: Annotated[list[int], typer.Option("--side", help="Px.")] = SIDES,
    device: Device = "auto",
) -> None:
    """Time models in both contexts on the CPU and a device; tell how far colours are.

    From an array to bytes, the fastest of three. Levels apart are of the CPU's float32.
    """
    print("| model | context | px | CPU | device | engine | times | > 1 level apart |")
    print("|---|---|---|---|---|---|---|---|")
    for model in models:
        for context in ("whole", "local"):
            exact = Colorizer(load(model), "cpu", context=context, engine="torch")
            fast = Colorizer(load(model), device, context=context)
            for side in sides:
                gray = blocks(side)
                (slow, true), (quick, image) = (
                    timed(gray, colorizer) for colorizer in (exact, fast)
                )
                apart = (np.abs(image.astype(int) - true) > 1).mean()
                cells = (
                    *(model.stem, context, f"{side} x {side}"),
                    *(f"{1000 * seconds:.0f} ms" for seconds in (slow, quick)),
                    *(fast.settings.engine, f"{slow / quick:.1f}", f"{apart:.3%}"),
                )
                print(f"| {' | '.join(cells)} |", flush=True)


def blocks(side: int) -> npt.NDArray[np.uint8]:
    """Something with edges and flat parts, (side, side)."""
    rng = np.random.default_rng(1)
    gray = rng.integers(0, 256, 2 * [-(-side // 16)], np.uint8)
    return gray.repeat(16, 0).repeat(16, 1)[:side, :side]


def timed(
    gray: npt.NDArray[np.uint8], colorizer: Colorizer
) -> tuple[float, npt.NDArray[np.uint8]]:
    """Seconds for a picture, and its colours.

    Then of others, for a colorizer remembers the latest.
    """
    image, seconds = colorize(gray, colorizer, axes="YX"), []
    for number in range(1, 4):
        other = np.roll(gray, 7 * number, axis=1)
        began = time.perf_counter()
        colorize(other, colorizer, axes="YX")
        seconds.append(time.perf_counter() - began)
    return min(seconds), image


def speed(archives: Sequence[Path], recipe: Recipe, device: torch.device) -> float:
    """Crops of a recipe that are sampled and trained in a second."""
    config = recipe.config
    as_lab = device.type != "cuda"
    pictures = [Archive(path, config.cache_side, as_lab=as_lab) for path in archives]
    metadata = recipe.metadata
    sampler = PictureSampler(pictures, config, CODECS["lab"](), device, palettes=True)
    generator = build(GeneratorSpec(metadata.generator, dict(metadata.options)))
    precision = untimed_precision(device)
    trainer = Trainer(generator, config, device, steps=10**6, precision=precision)
    trainer.done = config.decoder_steps  # the slower part
    began = 0.0
    for number in range(WARM + TIMED):
        if number == WARM:
            began = time.perf_counter()
        trainer.step(sampler.batch(number))  # its losses wait for the GPU
    return TIMED * config.batch / (time.perf_counter() - began)


def write_recipe(path: Path, base: str, usual: Recipe, batch: int, steps: int) -> None:
    """Write the recipe with another batch and number of steps, and rates that fit."""
    config = usual.config
    faster = min(MOST_RATE, (batch / config.batch) ** 0.5)
    settings = {
        "batch": batch,
        "steps": steps,
        "decoder_steps": round(steps * config.decoder_steps / config.steps),
        "learning_rate": config.learning_rate * faster,
        "encoder_rate": config.encoder_rate * faster,
    }
    lines = [f'base = "{base}"', "[training]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_parts(path: Path) -> None:
    """Write a file again in parts: NAME.000, NAME.001, ..."""
    content = path.read_bytes()
    for number, first in enumerate(range(0, len(content), PART)):
        part = path.with_name(f"{path.name}.{number:03}")
        part.write_bytes(content[first : first + PART])


if __name__ == "__main__":
    app()
