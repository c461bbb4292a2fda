"""Write the mean of the weights of checkpoints that began with the same ones.

python tests/benchmarks/mean_weights.py CHECKPOINT... OUT

A network that has learned long knows its own pictures best, a younger one is better on
others; half way between them is nearly as good as the better one on either (Wortsman et
al. 2022a, arXiv 2109.01903). Trainings that went apart from one start lie in one valley
of the loss, and their mean is better than each (2022b, arXiv 2203.05482). `natural` was
made so.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from napari_colorgan import Checkpoint, load, save


def mean(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Mean of the weights; of which steps is added to what the last one tells."""
    *_, last = checkpoints
    weights = {
        name: torch.stack([one.weights[name].float() for one in checkpoints])
        .mean(0)
        .to(value)
        for name, value in last.weights.items()
    }
    steps = [one.metadata.training["steps_done"] for one in checkpoints]
    training = dict(last.metadata.training) | {"mean_of_steps": steps}
    return Checkpoint(replace(last.metadata, training=training), weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    save(mean([load(path) for path in given.checkpoints]), given.out)


if __name__ == "__main__":
    main()
