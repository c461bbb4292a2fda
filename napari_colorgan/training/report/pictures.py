"""The pictures of a quality report: panels side by side, errors as colours."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor

from napari_colorgan.arrays import RGB, Mask
from napari_colorgan.training.panels import side_by_side

PANEL = 1024
"""Px; longer sides are reduced."""

ERROR_RANGE = 20.0
"""CIEDE2000 that has the last of `ERROR_COLORS`; what is more has it, too."""
ERROR_COLORS = ("#0b0b2a", "#3d1a78", "#8c2981", "#d8456c", "#fe9f6d", "#fcfdbf")
"""From no difference to `ERROR_RANGE`, evenly spaced; lighter is worse."""

_GAP = 8  # px between panels, white
_NOT_JUDGED = (128, 128, 128)


def _reduction(shape: tuple[int, ...]) -> tuple[int, int]:
    """Width and height in px at which a picture is shown."""
    height, width = shape[:2]
    factor = min(1.0, PANEL / max(height, width))
    return max(1, round(width * factor)), max(1, round(height * factor))


def compared(panels: Sequence[RGB]) -> Image.Image:
    """Put pictures (Y, X, 3) of one shape in a row, reduced where they are large."""
    size = _reduction(panels[0].shape)
    reduced = [
        np.asarray(Image.fromarray(panel).resize(size, Image.Resampling.LANCZOS))
        for panel in panels
    ]
    return Image.fromarray(side_by_side(reduced, _GAP))


def error_colors(difference: npt.NDArray[np.float32], mask: Mask | None) -> Image.Image:
    """Colour an error map (Y, X), reduced where it is large; outside `mask` gray."""
    size = _reduction(difference.shape)

    def reduced(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        small = Image.fromarray(samples).resize(size, Image.Resampling.BOX)
        return np.asarray(small, np.float32)

    anchors = np.array([ImageColor.getrgb(name) for name in ERROR_COLORS])
    place = reduced(difference) / ERROR_RANGE * (len(anchors) - 1)
    positions = np.arange(len(anchors))
    colors = np.stack([np.interp(place, positions, c) for c in anchors.T], axis=-1)
    if mask is not None:
        colors[reduced(mask.astype(np.float32)) < 0.5] = _NOT_JUDGED
    return Image.fromarray(colors.round().astype(np.uint8))
