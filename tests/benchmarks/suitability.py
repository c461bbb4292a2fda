"""Calibration of `inference.suitability`: photographs or micrographs, by their gray.

A linear classifier of `traits` (logistic regression), in which each folder weighs the
same. Each picture is judged by what the other folders say, and twice: as it is, and
with another gamma and some noise.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
import typer
from collection import Collection
from default_models import print_table

from napari_colorgan.image_io.folders import list_pictures
from napari_colorgan.image_io.reading import read_image
from napari_colorgan.inference import suitability
from napari_colorgan.inference.source import Source

GAMMA, NOISE = 0.5, 0.01  # largest logarithm; standard deviation
DECAY = 3e-3
Numbers = npt.NDArray[np.float64]


def traits_of(folder: Collection, limit: int) -> Iterator[Numbers]:
    """Traits of up to `limit` pictures, each twice."""
    rng = np.random.default_rng(1)
    files = np.array(list_pictures(folder.folder))
    for file in rng.permutation(files)[:limit]:
        array = read_image(file).array
        gray = suitability.reduced(Source.of(array, from_color=True).plane())
        if gray is None:
            continue
        yield suitability.traits(gray)
        other = gray ** np.exp(rng.uniform(-GAMMA, GAMMA))
        yield suitability.traits(other + rng.normal(0, NOISE, gray.shape))


def fit(groups: list[Numbers], kinds: list[bool]) -> tuple[Numbers, ...]:
    """Bias, weights, mean and scale; `kinds` says which groups are micrographs."""
    every = np.concatenate(groups)
    mean, scale = every.mean(0), every.std(0)
    truth = torch.from_numpy(np.repeat(kinds, [len(each) for each in groups])).double()
    shares = [
        1 / len(each) / kinds.count(kind)
        for each, kind in zip(groups, kinds, strict=True)
    ]
    weight = torch.from_numpy(np.repeat(shares, [len(each) for each in groups])) / 2
    z = torch.from_numpy((every - mean) / scale)
    found = torch.zeros(z.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([found], max_iter=200)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        said = z @ found[1:] + found[0]
        wrong = F.binary_cross_entropy_with_logits(said, truth, weight, reduction="sum")
        total = wrong + DECAY * found[1:].square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    bias, *weights = found.detach().tolist()
    return np.array(bias), np.array(weights), mean, scale


def main(
    photographs: Annotated[list[str], typer.Option(metavar="[NAME=]FOLDER")],
    micrographs: Annotated[list[str], typer.Option(metavar="[NAME=]FOLDER")],
    limit: Annotated[int, typer.Option(help="Pictures of each folder.")] = 130,
) -> None:
    """Print how often a folder is taken for either kind, and the constants."""
    folders = [Collection.parse(each) for each in (*photographs, *micrographs)]
    kinds = [False] * len(photographs) + [True] * len(micrographs)
    groups = [np.stack(list(traits_of(folder, limit))) for folder in folders]
    rows, likeness = [], []
    for number, (folder, group) in enumerate(zip(folders, groups, strict=True)):
        others = [at for at in range(len(groups)) if at != number]
        bias, weights, mean, scale = fit(
            [groups[at] for at in others], [kinds[at] for at in others]
        )
        said = (group - mean) / scale @ weights + bias
        likeness.append(said)
        micro = (said > suitability.MICROGRAPH).mean()
        photo = (said < suitability.PHOTOGRAPH).mean()
        kind = "micrographs" if kinds[number] else "photographs"
        rows.append(
            (folder.name, kind, str(len(said) // 2), f"{micro:.1%}", f"{photo:.1%}")
        )
    print_table(
        ("folder", "kind", "pictures", "taken for micrograph", "for photograph"), rows
    )
    for kind in (False, True):
        ours = np.concatenate(
            [each for each, its in zip(likeness, kinds, strict=True) if its is kind]
        )
        print("micrographs" if kind else "photographs", len(ours) // 2)
        print(f"  taken for micrograph: {(ours > suitability.MICROGRAPH).mean():.1%}")
        print(f"  taken for photograph: {(ours < suitability.PHOTOGRAPH).mean():.1%}")
    names = ("bias", "weights", "mean", "scale")
    for name, numbers in zip(names, fit(groups, kinds), strict=True):
        print(name, np.round(numbers, 3).tolist())


if __name__ == "__main__":
    typer.run(main)
