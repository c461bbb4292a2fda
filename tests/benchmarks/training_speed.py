"""Steps of a training in a second, beside those of another checkout, in turns.

git worktree add /tmp/before COMMIT
python tests/benchmarks/training_speed.py --against /tmp/before

Every round starts a process of each, with the default settings of a fine-tuning from
`micro` on a picture that comes along. With --together, crops that the processes of
torchrun learn from in a second, each from as many as one would alone:

OMP_NUM_THREADS=1 torchrun --standalone --nproc-per-node 2 \
    tests/benchmarks/training_speed.py --together
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

HERE = Path(__file__).parents[2]
PHASES = {"pixel loss": 0.0, "GAN phase": 1.0}
PRECISIONS = ("float32", "bfloat16")
WARM = 3  # steps
BATCH = 4  # crops of a step, for each process


def main(
    against: Annotated[
        Path | None, typer.Option(help="Another checkout of this repository.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    steps: Annotated[int, typer.Option(min=1, help="Of each, in every round.")] = 12,
    together: Annotated[bool, typer.Option("--together")] = False,
    measure: Annotated[bool, typer.Option("--measure", hidden=True)] = False,
) -> None:
    """Print steps (or crops) per second."""
    if measure:
        print(json.dumps(measured(steps)))
    elif together:
        weak_scaling(rounds * steps)
    else:
        checkouts = [HERE] if against is None else [against.resolve(), HERE]
        compare(checkouts, rounds, steps)


def compare(checkouts: Sequence[Path], rounds: int, steps: int) -> None:
    """Print medians over rounds, and ratios to the first checkout."""
    found = [
        [process(checkout, steps) for checkout in checkouts] for _ in range(rounds)
    ]
    heads = [*(checkout.name for checkout in checkouts), "ratio"]
    print(f"{'steps per second':24}", *(f"{head[-12:]:>12}" for head in heads))
    for name in found[0][0]:
        each = [
            statistics.median(turn[number][name] for turn in found)
            for number in range(len(checkouts))
        ]
        print(
            f"{name:24}", *(f"{value:12.2f}" for value in (*each, each[-1] / each[0]))
        )


def process(checkout: Path, steps: int) -> dict[str, float]:
    """Measure a checkout by this very file, in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, "--measure", "--steps", str(steps)],
        env=os.environ | {"PYTHONPATH": str(checkout)},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(answer.stdout.splitlines()[-1])


def measured(steps: int) -> dict[str, float]:
    """Steps per second by phase and precision."""
    return {
        f"{phase}, {precision}": 1 / seconds(share, precision, steps)
        for precision in PRECISIONS
        for phase, share in PHASES.items()
    }


def seconds(gan_phase: float, precision: str, steps: int) -> float:
    """Median of a step, with what it learns from made and its weights averaged."""
    trainer, sampler = make(gan_phase, precision)
    took = []
    for _ in range(WARM + steps):
        began = time.perf_counter()
        trainer.step(sampler.batch(trainer.done))
        took.append(time.perf_counter() - began)
    return statistics.median(took[WARM:])


def make(gan_phase: float, precision: str, batch: int = BATCH, **together):
    """What a fine-tuning from `micro` steps with."""
    import torch
    from skimage import data

    from napari_colorgan.color import LabCodec
    from napari_colorgan.training.networks import (
        base_of,
        make_discriminator,
        make_generator,
    )
    from napari_colorgan.training.pairs import pairs_of
    from napari_colorgan.training.patch_sampler import PatchSampler
    from napari_colorgan.training.settings import FineTuneConfig
    from napari_colorgan.training.trainer import Trainer

    config = FineTuneConfig(gan_phase=gan_phase, context="local", batch=batch)
    pairs = pairs_of(data.immunohistochemistry(), name="tissue")
    cpu = torch.device("cpu")
    sampler = PatchSampler(pairs, config, LabCodec(), cpu, palettes=True)
    sample = sampler.batch(0).source
    base = base_of("micro", config)
    _, generator = make_generator(base, config, "colorization", sample)
    trainer = Trainer(
        generator,
        config,
        cpu,
        steps=1000,
        discriminator=make_discriminator(config, "colorization"),
        precision=precision,
        **together,  # which older checkouts do not know
    )
    return trainer, sampler


def weak_scaling(steps: int) -> None:
    """Print crops per second of all processes, and of one of them."""
    from napari_colorgan.training.team import joined

    with joined("cpu") as team:
        batch = BATCH * team.size
        trainer, sampler = make(0.0, "float32", batch, team=team)
        trainer.share_state()
        took = []
        for _ in range(WARM + steps):
            began = time.perf_counter()
            trainer.step(sampler.batch(trainer.done))
            took.append(time.perf_counter() - began)
        rate = batch / statistics.median(took[WARM:])
        if team.leads:
            print(f"{team.size} processes, {batch} crops a step: {rate:.2f} crops/s")


if __name__ == "__main__":
    typer.run(main)
