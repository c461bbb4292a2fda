"""Palettes that come with the plugin, made from pictures with clear terms.

Each is the mean over pictures of which colours they have, and of their tint. Which
pictures these were stands in `napari_colorgan/data/PROVENANCE.txt`.
"""

import json
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import typer
from collection import Collection
from skimage.color import lab2rgb, rgb2lab

from napari_colorgan.arrays import RGB
from napari_colorgan.image_io.folders import list_pictures
from napari_colorgan.image_io.reading import read_image
from napari_colorgan.inference.palettes import PRESET_FILE, PRESETS, Palette

PARTS = 10_000  # shares are stored in parts of all: rarer colours are left out
FADED = 0.65  # part of its chroma that a print keeps
PAPER = (3.0, 13.0)  # a and b of its paper, which tints all of it
GLASS = 95  # percentile of each channel that is the light without a stain


def printed(picture: RGB) -> RGB:
    """Fade colours, on warm paper."""
    lab = rgb2lab(picture)
    lab[..., 1:] = FADED * lab[..., 1:] + PAPER
    return np.rint(lab2rgb(lab) * 255).astype(np.uint8)


def on_white_glass(picture: RGB) -> RGB:
    """Take the colour of the lamp from a micrograph."""
    light = np.percentile(picture, GLASS, axis=(0, 1))
    balanced = picture * (light.mean() / light)
    return np.rint(balanced.clip(0, 255)).astype(np.uint8)


TREATMENTS = {"warm print": printed, "Giemsa": on_white_glass}


def mean_palette(pictures: Sequence[RGB]) -> dict[str, list[float]]:
    """Return what is stored of the palettes of pictures."""
    palettes = [Palette.of(picture) for picture in pictures]
    colors = np.mean([palette.colors for palette in palettes], axis=0)
    tint = np.mean([palette.tint for palette in palettes], axis=0)
    return {
        "colors": np.rint(colors * PARTS).astype(int).tolist(),
        "tint": tint.round(1).tolist(),
    }


def main(
    sources: Annotated[
        list[str], typer.Argument(metavar="NAME=FOLDER...", help="A preset's pictures.")
    ],
) -> None:
    """Make presets anew; those that are not named stay."""
    stored = json.loads(PRESET_FILE.read_text()) if PRESET_FILE.exists() else {}
    for source in map(Collection.parse, sources):
        if source.name not in PRESETS:
            raise typer.BadParameter(f"no preset: {source.name}")
        files = list_pictures(source.folder)
        treat = TREATMENTS.get(source.name, lambda picture: picture)
        stored[source.name] = mean_palette(
            [treat(read_image(file).array) for file in files]
        )
        print(f"{source.name}: {len(files)} pictures, {stored[source.name]['tint']}")
    lines = (f"{json.dumps(name)}: {json.dumps(stored[name])}" for name in stored)
    PRESET_FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    typer.run(main)
