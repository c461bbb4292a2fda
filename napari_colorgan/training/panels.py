"""Pictures beside each other, to compare them by eye."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from napari_colorgan.arrays import RGB

_GAP = 4  # px
_WHITE = 255


def side_by_side(pictures: Sequence[RGB], gap: int = _GAP) -> RGB:
    """Put pictures (Y, X, 3) of one height in a row, with white gaps (px) between."""
    white = np.full((pictures[0].shape[0], gap, 3), _WHITE, np.uint8)
    row = [part for picture in pictures for part in (picture, white)]
    return np.concatenate(row[:-1], axis=1)


def contact_sheet(columns: Sequence[Sequence[RGB]], side: int) -> Image.Image:
    """Pictures (Y, X, 3) in columns, the middle of each, `side` px large."""
    step = side + _GAP
    rows = max(map(len, columns))
    size = (step * len(columns) - _GAP, step * rows - _GAP)
    sheet = Image.new("RGB", size, "white")
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures):
            sheet.paste(_square(picture, side), (column * step, row * step))
    return sheet


def _square(rgb: RGB, side: int) -> Image.Image:
    height, width = rgb.shape[:2]
    part = min(height, width)
    left, top = (width - part) // 2, (height - part) // 2
    image = Image.fromarray(rgb).crop((left, top, left + part, top + part))
    return image.resize((side, side), Image.Resampling.LANCZOS)
