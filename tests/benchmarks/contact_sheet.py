"""Make a contact sheet: gray, ours, truth of every picture.

python tests/benchmarks/contact_sheet.py OUT [--model NAME] [--pictures FOLDER ...]

Without folders, of photographs that come with scikit-image: public domain or CC0. With
`--versions`, ours are three: at vividness 0.3 and 0.7, and with the true palette.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from collection import Collection
from PIL import Image
from skimage import data

from napari_colorgan import Colorizer, Palette
from napari_colorgan.metrics import psnr
from napari_colorgan.training.evaluate import WHOLE_SIDE
from napari_colorgan.training.pairs import Pair, gray_of
from napari_colorgan.training.panels import contact_sheet
from napari_colorgan.training.scoring import color_pair, gray_rgb

OURS = "scikit-image"
SIDE = 200  # px of a picture on the sheet
LEVELS = (0.3, 0.7)


def photographs() -> dict[str, np.ndarray]:
    """Public domain and CC0 pictures that come with scikit-image."""
    names = ("coffee", "chelsea", "astronaut", "rocket", "retina", "hubble_deep_field")
    return {name: np.asarray(getattr(data, name)()) for name in names}


def photograph_pairs() -> Iterator[Pair]:
    """The same at 256 px (shorter side), as in the evaluation."""
    for name, rgb in photographs().items():
        factor = WHOLE_SIDE / min(rgb.shape[:2])
        size = (round(rgb.shape[1] * factor), round(rgb.shape[0] * factor))
        image = Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC)
        truth = np.asarray(image)
        yield Pair(name, gray_of(truth), truth, from_color=True)


def wrapped(
    columns: Sequence[Sequence[np.ndarray]], count: int
) -> list[list[np.ndarray]]:
    """Continue below what is more than `count` columns."""
    return [
        [picture for column in columns[start::count] for picture in column]
        for start in range(min(count, len(columns)))
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="natural")
    parser.add_argument("--pictures", nargs="+", default=[OURS])
    parser.add_argument("--most", type=int, default=12, help="of each folder")
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--versions", action="store_true")
    options = parser.parse_args()
    colorizer = Colorizer(options.model)
    muted, vivid = (Colorizer(options.model, vividness=level) for level in LEVELS)
    side = WHOLE_SIDE if colorizer.context == "whole" else None
    columns = []
    for name in options.pictures:
        if name == OURS:
            pairs = photograph_pairs()
        else:
            pairs = Collection.parse(name).pairs(options.most, side)
        for pair in pairs:
            gray, ours = gray_rgb(pair), color_pair(pair, colorizer)
            shown = [ours]
            if options.versions:
                told = colorizer.asked_for(palette=Palette.of(pair.color, strength=1.0))
                shown = [color_pair(pair, each) for each in (muted, vivid, told)]
            columns.append((gray, *shown, pair.color))
            gain = psnr(ours, pair.color) - psnr(gray, pair.color)
            print(f"{pair.name}: {gain:+.2f} dB over gray")
    contact_sheet(wrapped(columns, options.columns), SIDE).save(options.out, quality=88)


if __name__ == "__main__":
    main()
