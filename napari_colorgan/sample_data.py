"""Pictures to try the plugin with, offline: File > Open Sample in napari."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_colorgan.arrays import RGB

LayerData = tuple[NDArray[Any], dict[str, Any], Literal["image"]]
"""Data, keyword arguments and type of one napari layer."""

MODEL = "colorgan_model"
"""Key in a sample layer's metadata: the name of the shipped model that fits it."""

DATA = Path(__file__).parent / "data"
"""Folder of the shipped pictures; its PROVENANCE.txt tells where they come from."""

_SIDE = 240  # px; leaves 32 between two corners, as when a picture is split


def photograph() -> list[LayerData]:
    """Open scikit-image's photographer: (512, 512) uint8."""
    from skimage import data

    meta = {"name": "photograph", "metadata": {MODEL: "natural"}}
    return [(np.asarray(data.camera()), meta, "image")]


def micrograph() -> list[LayerData]:
    """Open a blood smear: (480, 640) uint16 that uses 12 bits, as cameras do."""
    meta = {"name": "blood smear", "metadata": {MODEL: "micro"}}
    return [(_read("blood_smear.tif"), meta, "image")]


def stack() -> list[LayerData]:
    """Open four fields of a stained tissue: (4, 256, 320) uint8."""
    meta = {
        "name": "stained tissue",
        "axis_labels": ("field", "y", "x"),
        "metadata": {MODEL: "micro"},
    }
    return [(_read("stained_nuclei.tif"), meta, "image")]


def pair() -> list[LayerData]:
    """Open four fields of a tissue in gray and in colour, to fine-tune a model on.

    Two layers of the same pixels: (4, 240, 240) uint8 and (4, 240, 240, 3) uint8. The
    gray one has the lightness of the other. They are the corners of scikit-image's
    picture of a brown stain (DAB), which the model `micro` does not know.
    """
    from skimage import data
    from skimage.color import lab2rgb, rgb2lab

    color = _corners(np.asarray(data.immunohistochemistry()))
    lightness = rgb2lab(color) * (1, 0, 0)
    gray = np.rint(lab2rgb(lightness)[..., 0] * 255).astype(np.uint8)
    meta: dict[str, Any] = {"axis_labels": ("field", "y", "x")}
    fitting = {"metadata": {MODEL: "micro"}}
    return [
        (gray, {"name": "tissue (gray)", **fitting, **meta}, "image"),
        (color, {"name": "tissue (colour)", "rgb": True, **meta}, "image"),
    ]


def picture_for(context: Literal["whole", "local"]) -> NDArray[np.float32]:
    """Return the sample to show a model of a context on: (Y, X) in [0, 1]."""
    if context == "whole":
        [(picture, _, _)] = photograph()
    else:
        [(fields, _, _)] = stack()
        picture = fields[0]
    return np.asarray(picture / 255, np.float32)


def _corners(picture: RGB) -> RGB:
    """Cut (4, 240, 240, 3) out of (512, 512, 3): no cell is in two of them."""
    ends = slice(_SIDE), slice(-_SIDE, None)
    return np.stack([picture[y, x] for y in ends for x in ends])


def _read(name: str) -> NDArray[Any]:
    import tifffile

    return np.asarray(tifffile.imread(DATA / name))
