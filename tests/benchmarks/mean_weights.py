"""Write the mean of the weights of two checkpoints of one training.

python tests/benchmarks/mean_weights.py EARLIER LATER OUT

A network that has learned long knows its own pictures best, a younger one is better on
others; half way between them is nearly as good as the better one on either (Wortsman et
al. 2022, arXiv 2109.01903). `natural` was made so.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from napari_colorgan import Checkpoint, load, save


def mean(earlier: Checkpoint, later: Checkpoint) -> Checkpoint:
    """Mean of the weights; of which steps is added to what `later` tells."""
    weights = {
        name: ((earlier.weights[name].float() + value.float()) / 2).to(value)
        for name, value in later.weights.items()
    }
    about = later.metadata
    steps = [one.metadata.training["steps_done"] for one in (earlier, later)]
    training = dict(about.training) | {"mean_of_steps": steps}
    return Checkpoint(replace(about, training=training), weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("earlier", "later", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    save(mean(load(given.earlier), load(given.later)), given.out)


if __name__ == "__main__":
    main()
