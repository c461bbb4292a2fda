"""Colorizers side by side on the same pictures, also by feature distance."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from collection import Collection
from feature_distance import EfficientNetLite2, Features, frechet_distance

from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.metrics import Figures
from napari_colorgan.training.scoring import gray_rgb, score

GRAY = "left gray"
HEADER = ("pictures", "", "PSNR", "gain", "CIEDE2000", "colourfulness", "distance")


@dataclass(frozen=True)
class Seen:
    """Figures of a coloured picture, and the features of it and of its truth."""

    figures: Figures
    features: Features
    truth: Features


Group = Mapping[str, Sequence[Seen]]
"""By what coloured them, what was seen of the same pictures."""


def compare(
    collection: Collection,
    colorizers: Mapping[str, Colorizer],
    network: EfficientNetLite2,
    limit: int | None = None,
) -> Group:
    """Look at every picture left gray, and as each colorizer colours it."""
    seen: dict[str, list[Seen]] = defaultdict(list)
    for pair in collection.pairs(limit):
        truth = network.features(pair.color)
        scored = {name: score(pair, one) for name, one in colorizers.items()}
        gray = next(iter(scored.values())).gray
        seen[GRAY].append(Seen(gray, network.features(gray_rgb(pair)), truth))
        for name, one in scored.items():
            features = network.features(one.image)
            seen[name].append(Seen(one.figures, features, truth))
    return seen


def together(groups: Sequence[Group]) -> Group:
    """All groups as one."""
    return {
        name: [one for group in groups for one in group[name]] for name in groups[0]
    }


def mean(ones: Sequence[Seen]) -> Figures:
    """Mean figures."""
    return Figures.mean([one.figures for one in ones])


def comparison_rows(title: str, group: Group) -> Iterator[tuple[str, ...]]:
    """Cells under `HEADER`."""
    gray = mean(group[GRAY])
    for name, ones in group.items():
        figures = mean(ones)
        distance = frechet_distance(
            np.stack([one.features for one in ones]),
            np.stack([one.truth for one in ones]),
        )
        yield (
            f"{title} ({len(ones)})",
            name,
            f"{figures.psnr:.2f} dB",
            f"{figures.psnr - gray.psnr:+.2f} dB",
            f"{figures.ciede2000:.1f}",
            f"{100 * figures.colorfulness:.0f} %",
            f"{distance:.1f}",
        )
