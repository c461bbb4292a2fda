"""Whether a model was made for what it is shown: a hint, never a refusal."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from napari_colorgan.arrays import Gray
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.source import Plane

Kind: TypeAlias = Literal["photograph", "micrograph"]

MADE_FOR: dict[str, Kind] = {"natural": "photograph", "micro": "micrograph"}
"""Of all other models, such as fine-tuned ones, nobody knows."""

SIDE = 160  # px; shorter side at which a plane is judged
_SAMPLED = 4  # of these px, along each side, one such is the mean of
_LEAST_SIDE = 64  # px
_LEAST_RANGE = 0.06  # of gray: in less, there is nothing but noise
_BLOCKS = 5  # along each side, in which contrast is compared

# Logistic regression on 1,600 photographs (16 collections) and 605 micrographs (7: H&E,
# blood, nuclei), each collection weighing the same, with other gammas and noise, too.
# Judged by the other collections (`tests/benchmarks/suitability.py`, 60 of each), 65 %
# of photographs are told from micrographs and 1.8 % are taken for some, most often food
# and fields from above; 56 % of micrographs are told, and 0.8 % taken for photographs.
# There was nothing of fluorescence or electron microscopes: `micro` is for none of it.
MICROGRAPH, PHOTOGRAPH = 2.3, -2.3
"""Likeness to a micrograph, in logits, from which it is said that a plane is one, and
below which, that it is a photograph."""
_BIAS = -1.64
_WEIGHTS = np.array([0.71, 1.304, -1.593, -0.95, -1.01, -1.084, -0.035, -0.672])
_MEAN = np.array([0.136, 0.548, -1.822, -2.095, 0.422, 0.598, -0.027, -1.846])
_SCALE = np.array([0.125, 0.215, 0.909, 0.822, 0.218, 0.082, 0.214, 0.878])


def doubt_about(plane: Plane, colorizer: Colorizer) -> str:
    """Return a sentence if a plane is not of the kind that a model was made for.

    Empty if it is, if that is not clear, or if nobody knows what the model is for.
    """
    name = colorizer.checkpoint.metadata.name
    made_for = MADE_FOR.get(name)
    looks = None if made_for is None else kind_of(plane)
    if looks in (None, made_for):
        return ""
    other = next(model for model, kind in MADE_FOR.items() if kind == looks)
    return (
        f"This does not look like the {made_for}s that '{name}' was made for; if it is "
        f"a {looks}, '{other}' does better."
    )


def kind_of(plane: Plane) -> Kind | None:
    """Tell what a plane looks like; None where that is not clear."""
    gray = reduced(plane)
    if gray is None:
        return None
    likeness = float((traits(gray) - _MEAN) / _SCALE @ _WEIGHTS + _BIAS)
    if likeness > MICROGRAPH:
        return "micrograph"
    return "photograph" if likeness < PHOTOGRAPH else None


def reduced(plane: Plane) -> Gray | None:
    """Gray at the size at which it is judged, from 0 to 1; None if there is too little.

    Whatever its limits, 99 % of it are stretched to black and white.
    """
    shortest = min(plane.shape)
    if shortest < _LEAST_SIDE:
        return None
    step = max(1, shortest // (_SAMPLED * SIDE))
    height, width = plane.shape
    sample = plane.gray((slice(0, height, step), slice(0, width, step)))
    factor = max(1.0, min(sample.shape) / SIDE)
    size = (round(sample.shape[0] / factor), round(sample.shape[1] / factor))
    gray = F.adaptive_avg_pool2d(torch.from_numpy(sample)[None, None], size)[0, 0]
    black, white = np.percentile(gray.numpy(), (0.5, 99.5))
    if white - black < _LEAST_RANGE:
        return None
    stretched: Gray = ((gray.numpy() - black) / (white - black)).clip(0, 1)
    return stretched


def traits(gray: Gray) -> npt.NDArray[np.float64]:
    """Measure what tells photographs from micrographs, (8,), of `reduced` gray.

    Stained glass is brighter than most of what is on it, contrast is the same all over,
    and nothing lies along or across; outdoors there is a sky above, indoors there are
    walls and floors.
    """
    z = (gray - gray.mean()) / (gray.std() + 1e-4)
    down, right = np.diff(z, axis=0)[:, :-1], np.diff(z, axis=1)[:-1]
    energy = down**2 + right**2
    total = energy.mean() + 1e-9
    blocks = [
        block.std()
        for band in np.array_split(z, _BLOCKS, axis=0)
        for block in np.array_split(band, _BLOCKS, axis=1)
    ]
    along = ((right**2 - down**2) ** 2 / np.maximum(energy, 1e-9)).mean()
    return np.array(
        [
            np.percentile(gray, 5),
            np.median(gray),
            np.log(z.mean(axis=1).var() + 1e-3),  # layers, such as a sky
            np.log(z.mean(axis=0).var() + 1e-3),
            np.std(blocks) / (np.mean(blocks) + 1e-6),  # uneven contrast
            along / total,  # edges along rows and columns
            ((right**2).mean() - (down**2).mean()) / total,
            np.log(total),  # detail
        ]
    )
