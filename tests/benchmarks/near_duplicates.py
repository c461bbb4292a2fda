"""Find pictures of one folder that another folder holds, too, or nearly so."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_colorgan.image_io import read_image
from napari_colorgan.image_io.folders import list_pictures

SAME = 0.985
"""Correlation of thumbnails above which pictures are taken for the same.

Down to 0.95 come, at most, other pictures of one person before one wall.
"""

_SIDE = 24  # px of a thumbnail

Thumbnails = npt.NDArray[np.float32]


def near_duplicates(train: Path, judged: Path, same: float = SAME) -> dict[Path, Path]:
    """Pictures below `judged` and the one below `train` that each is most like.

    Compared are gray thumbnails, also mirrored: another size, colour or file type hides
    nothing, another section does.
    """
    known, asked = list_pictures(train), list_pictures(judged)
    thumbnails, others = _thumbnails(known), _thumbnails(asked)
    likeness = np.maximum(
        _flat(others) @ _flat(thumbnails).T,
        _flat(others[..., ::-1]) @ _flat(thumbnails).T,
    )
    best = likeness.argmax(1)
    return {
        path: known[index]
        for path, index, row in zip(asked, best, likeness, strict=True)
        if row[index] > same
    }


def _thumbnails(paths: list[Path]) -> Thumbnails:
    """Gray (N, Y, X), each of mean 0 and length 1."""
    size = (_SIDE, _SIDE)
    gray = np.stack(
        [
            np.asarray(
                Image.fromarray(read_image(path).array)
                .convert("L")
                .resize(size, Image.Resampling.BOX),
                np.float32,
            )
            for path in paths
        ]
    )
    gray -= gray.mean((1, 2), keepdims=True)
    length = np.sqrt((gray**2).sum((1, 2), keepdims=True))
    return gray / np.maximum(length, 1)  # one gray level all over is like nothing


def _flat(thumbnails: Thumbnails) -> Thumbnails:
    return thumbnails.reshape(len(thumbnails), -1)
