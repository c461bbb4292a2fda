"""What colours given by a user are worth: palettes, tints and hints.

Photographs are compared at 256 px (shorter side), micrographs at their own size, with
their true lightness, means over pictures. Hints are squares of 9 px with the true mean
colour, anywhere. A palette of *another* picture is that of the next one in the folder,
by name; with `--halves`, that of the left half, and the right half is coloured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import typer
from collection import Collection
from default_models import LEVELS, Folders, Limit, print_table
from perceptual_distance import PerceptualDistance

from napari_colorgan.arrays import RGB
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.palettes import Palette
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training.evaluate import WHOLE_SIDE
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.scoring import gray_rgb

STRENGTHS = (0.25, 0.5, 1.0)
HINT = 9  # px
COUNTS = (1, 10, 50)
CURVE = (0, 1, 5, 10, 20, 50)  # hints; each holds those before it
HEADER = ("gain", "colourfulness", "CIEDE2000")
SHORT = (
    *("gray", "as it comes", "true palette"),
    *("palette of another, strength 0.5", "10 hints", "50 hints"),
)
ROW = ("PSNR gray", "gain", "CIEDE2000 gray → ours", "colourfulness")


@dataclass(frozen=True)
class Case:
    """A pair, and one of the same kind."""

    pair: Pair
    other: Pair
    seed: int


Guide = Callable[[Case], tuple[Palette | None, Hints | None]]


def nothing(_: Case) -> tuple[None, None]:
    return None, None


def palette_of(color: RGB, strength: float) -> Palette | None:
    """Palette of a picture; some that are nearly gray have none."""
    try:
        return Palette.of(color, strength)
    except BadSetting:
        return None


def own(case: Case) -> tuple[Palette | None, None]:
    return palette_of(case.pair.color, 1.0), None


def own_tint(case: Case) -> tuple[Palette | None, None]:
    palette = palette_of(case.pair.color, 1.0)
    return palette and replace(palette, colors=None), None


def others(strength: float) -> Guide:
    return lambda case: (palette_of(case.other.color, strength), None)


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


@dataclass(frozen=True)
class Run:
    """What is made of all cases of a folder, in one way."""

    name: str
    make: Callable[[Case], RGB]


GRAY = Run("gray", lambda case: gray_rgb(case.pair))


def guided(colorizer: Colorizer, guide: Guide) -> Callable[[Case], RGB]:
    def make(case: Case) -> RGB:
        palette, given = guide(case)
        told = colorizer if palette is None else colorizer.asked_for(palette=palette)
        gray = case.pair.gray
        return colorize(gray, told, axes="YX", limits=(0, 1), hints=given)

    return make


def runs_of(model: str) -> list[Run]:
    """Gray, alone at several vividness, and with help at the model's own."""
    colorizer = Colorizer(model, "cpu")
    runs = [GRAY]
    for level in LEVELS:
        vivid = Colorizer(model, "cpu", vividness=level)
        runs.append(Run(f"vividness {level:g}", guided(vivid, nothing)))
    guides = {"as it comes": nothing}
    if colorizer.takes_palette:
        guides |= {"true palette": own, "true tint": own_tint}
        for strength in STRENGTHS:
            name = f"palette of another, strength {strength:g}"
            guides[name] = others(strength)
    guides |= {f"{count} hints": hints(count) for count in COUNTS}
    return runs + [Run(name, guided(colorizer, guides[name])) for name in guides]


def summary(scored: Sequence[tuple[str, Figures]]) -> list[str]:
    """Return the cells of a folder's row, of runs whose first is gray."""
    (_, gray), (_, alone), *told = scored
    return [
        f"{gray.psnr:.1f} dB",
        f"**{alone.psnr - gray.psnr:+.2f} dB**",
        f"{gray.ciede2000:.1f} → {alone.ciede2000:.1f}",
        f"{100 * alone.colorfulness:.0f} %",
        *(f"{figures.psnr - gray.psnr:+.2f} dB" for _, figures in told),
    ]


def curve_of(model: str) -> list[Run]:
    """Gray, and what more and more hints make of it."""
    colorizer = Colorizer(model, "cpu")
    guides = {count: hints(count) if count else nothing for count in CURVE}
    runs = [Run(str(count), guided(colorizer, guides[count])) for count in CURVE]
    return [GRAY, *runs]


def gains(cases: Sequence[Case], runs: Sequence[Run]) -> list[str]:
    """PSNR of each run over that of the first one."""
    levels = [measured(run, cases, None)[0].psnr for run in runs]
    return [f"{level - levels[0]:+.2f} dB" for level in levels[1:]]


def main(
    model: Annotated[str, typer.Argument(help="A model's name, or a path.")],
    folders: Folders,
    limit: Limit = None,
    halves: Annotated[
        bool, typer.Option(help="Colour right halves, with the palette of the left.")
    ] = False,
    distance: Annotated[
        bool, typer.Option(help="VGG/HED distance, too: see perceptual_distance.py.")
    ] = False,
    curve: Annotated[
        bool, typer.Option(help="Gains against the number of hints alone.")
    ] = False,
    rows_only: Annotated[
        bool, typer.Option("--rows", help="A row a folder, as in the README.")
    ] = False,
) -> None:
    """Print what a model makes of pictures, alone and with help: a table a folder."""
    side = WHOLE_SIDE if Colorizer(model, "cpu").context == "whole" else None
    if curve:
        rows, runs = [], curve_of(model)
        for folder in folders:
            cases = list_cases(folder, limit, side=side, halves=halves)
            rows.append((f"{folder.name} ({len(cases)})", *gains(cases, runs)))
        print_table(("gain with hints", *(run.name for run in runs[1:])), rows)
        return
    runs = runs_of(model)
    if rows_only:
        runs, rows = [run for run in runs if run.name in SHORT], []
        for folder in folders:
            cases = list_cases(folder, limit, side=side, halves=halves)
            scored = [(run.name, measured(run, cases, None)[0]) for run in runs]
            rows.append((f"{folder.name} ({len(cases)})", *summary(scored)))
        told = [f"gain, {run.name}" for run in runs[2:]]
        print_table(
            (f"`{Colorizer(model).checkpoint.metadata.name}`", *ROW, *told), rows
        )
        return
    measure = PerceptualDistance() if distance else None
    for folder in folders:
        cases = list_cases(folder, limit, side=side, halves=halves)
        gray = None
        rows = []
        for run in runs:
            figures, away = measured(run, cases, measure)
            gray = gray or figures
            rows.append((run.name, *cells(figures, gray, away)))
        header = (*HEADER, "VGG/HED distance") if distance else HEADER
        title = f"`{model.rpartition('/')[2]}`, {folder.name} ({len(cases)})"
        print_table((title, *header), rows)


def measured(
    run: Run, cases: Sequence[Case], measure: PerceptualDistance | None
) -> tuple[Figures, float | None]:
    """Means over pictures; the distance, too, if it is measured."""
    figures, away = [], []
    for case in cases:
        image, truth = run.make(case), case.pair.color
        figures.append(compare(image, truth))
        if measure is not None:
            away.append(measure(image, truth))
    return Figures.mean(figures), float(np.mean(away)) if away else None


def cells(figures: Figures, gray: Figures, away: float | None) -> list[str]:
    shown = [
        f"{figures.psnr - gray.psnr:+.2f} dB",
        f"{100 * figures.colorfulness:.0f} %",
        f"{figures.ciede2000:.1f}",
    ]
    return shown if away is None else [*shown, f"{away:.4f}"]


def list_cases(
    folder: Collection,
    limit: int | None = None,
    *,
    side: int | None = WHOLE_SIDE,
    halves: bool = False,
) -> list[Case]:
    pairs = list(folder.pairs(limit, side))
    if halves:
        parted = [(half(pair, 1), half(pair, 0)) for pair in pairs]
    else:
        parted = list(zip(pairs, [*pairs[1:], *pairs[:1]], strict=True))
    return [Case(*pair, number) for number, pair in enumerate(parted)]


def half(pair: Pair, which: int) -> Pair:
    """Left (0) or right (1) half of a pair."""
    middle = pair.shape[1] // 2
    part = (slice(None), slice(which * middle, (which + 1) * middle))
    return replace(pair, gray=pair.gray[part], color=pair.color[part])


if __name__ == "__main__":
    typer.run(main)
