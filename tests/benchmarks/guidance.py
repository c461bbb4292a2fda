"""What colours given by a user are worth: palettes, tints and hints.

Photographs are compared at 256 px (shorter side) with their true lightness, means over
pictures: gain in PSNR over gray, and colourfulness as a part of the truth's. Hints are
squares of 9 px with the true mean colour, anywhere. A palette of *another* picture is
that of the next one in the folder, by name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from collection import Collection
from default_models import LEVELS, Folders, Limit, gain_cell, print_table

from napari_colorgan.inference.colorize import colorize
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints, Palette
from napari_colorgan.metrics import colorfulness, psnr
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.scoring import gray_rgb

STRENGTHS = (0.25, 0.5, 1.0)
HINT = 9  # px
COUNTS = (1, 10, 50)


@dataclass(frozen=True)
class Case:
    """A pair, and one of the same kind."""

    pair: Pair
    other: Pair
    seed: int


Guide = Callable[[Case], tuple[Palette | None, Hints | None]]


def nothing(_: Case) -> tuple[None, None]:
    return None, None


def own(case: Case) -> tuple[Palette, None]:
    return Palette.of(case.pair.color, 1.0), None


def own_tint(case: Case) -> tuple[Palette, None]:
    tint = Palette.of(case.pair.color).tint
    return Palette(None, tint, 1.0), None


def others(strength: float) -> Guide:
    return lambda case: (Palette.of(case.other.color, strength), None)


def hints(count: int) -> Guide:
    def guide(case: Case) -> tuple[None, Hints]:
        rng = np.random.default_rng([1, case.seed])
        color = case.pair.color
        points, colors = [], []
        for _ in range(count):
            top, left = (int(rng.integers(side - HINT + 1)) for side in case.pair.shape)
            inside = color[top : top + HINT, left : left + HINT]
            points.append((top + HINT // 2, left + HINT // 2))
            colors.append(inside.mean((0, 1)).round())
        _, first = np.unique(points, axis=0, return_index=True)
        return None, Hints(np.array(points)[first], np.array(colors)[first], HINT / 2)

    return guide


def cell(colorizer: Colorizer, cases: Sequence[Case], guide: Guide) -> str:
    """Mean gain and colourfulness."""
    gains, colors, true = [], [], []
    for case in cases:
        palette, given = guide(case)
        told = colorizer if palette is None else colorizer.with_palette(palette)
        gray = case.pair.gray
        image = colorize(gray, told, axes="YX", limits=(0, 1), hints=given)
        truth = case.pair.color
        gains.append(psnr(image, truth) - psnr(gray_rgb(case.pair), truth))
        colors.append(colorfulness(image))
        true.append(colorfulness(truth))
    return gain_cell(float(np.mean(gains)), float(np.mean(colors) / np.mean(true)))


def main(
    model: Annotated[str, typer.Argument(help="A model's name, or a path.")],
    folders: Folders,
    limit: Limit = None,
) -> None:
    """Print what a model makes of photographs, alone and with help."""
    runs: dict[str, tuple[float | None, Guide]] = {
        f"vividness {level:g}": (level, nothing) for level in LEVELS
    }
    runs["nothing given"] = (None, nothing)
    runs["true palette"] = (None, own)
    runs["true tint"] = (None, own_tint)
    for strength in STRENGTHS:
        name = f"palette of another, strength {strength:g}"
        runs[name] = (None, others(strength))
    runs |= {f"{count} hints": (None, hints(count)) for count in COUNTS}
    cases = {folder.name: list_cases(folder, limit) for folder in folders}
    rows = []
    for name, (level, guide) in runs.items():
        settings = {} if level is None else {"vividness": level}
        colorizer = Colorizer(model, "cpu", **settings)
        cells = [cell(colorizer, of_folder, guide) for of_folder in cases.values()]
        rows.append((name, *cells))
    print_table((f"`{Path(model).stem}`", *cases), rows)


def list_cases(folder: Collection, limit: int | None) -> list[Case]:
    pairs = list(folder.pairs(limit))
    return [
        Case(pair, pairs[(number + 1) % len(pairs)], number)
        for number, pair in enumerate(pairs)
    ]


if __name__ == "__main__":
    typer.run(main)
