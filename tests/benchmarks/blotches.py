"""Find blotches: islands of red or blue that neither truth nor surroundings have."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.segmentation import find_boundaries

RGB = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

# Tuned by eye on 114 photographs of `natural`, 74 of them with 1.5 times its chroma, so
# that there was something to find. Wrong greens and yellows look like plants and wood.
_SMOOTHING = 2.0  # px, standard deviation: a speck is no blotch
_LEVELS = (20.0, 30.0, 45.0, 68.0)  # chroma: plainly seen on gray, and on other tints
_HUES = (230.0, 190.0)  # degrees in the plane of a and b: from blue, over red to orange
_AREA = (0.001, 0.1)  # parts of the picture
_RING = (6.0, 14.0)  # px around an island: its edge is over, its surroundings are
_TRUE = 0.4  # part of its colour that the truth may have: chroma 8 beside 20 looks gray
_AROUND = 0.5  # part that its surroundings may have


def find_blotches(image: RGB, truth: RGB) -> npt.NDArray[np.int32]:
    """Number the blotches of a coloured picture; (Y, X), 0 where there is none.

    Pictures have a shorter side of about 256 px.
    """
    ab, true = _smoothed(image), _smoothed(truth)
    found = np.zeros(ab.shape[:2], bool)
    for island in _islands(ab):
        direction = ab[island].mean(0)
        direction /= (direction**2).sum()  # so that the island itself has 1 of it
        distance = ndimage.distance_transform_edt(~island)
        ring = (_RING[0] < distance) & (distance <= _RING[1])
        in_truth, around = true[island] @ direction, ab[ring] @ direction
        if in_truth.mean() < _TRUE and around.mean() < _AROUND:
            found |= island
    blotches: npt.NDArray[np.int32] = ndimage.label(found)[0]
    return blotches


def outlined(image: RGB, blotches: npt.NDArray[np.int32]) -> RGB:
    """Return a picture with green lines around its blotches."""
    drawn = image.copy()
    drawn[find_boundaries(blotches, mode="outer")] = (0, 255, 0)
    return drawn


def _islands(ab: npt.NDArray[np.float64]) -> Iterator[Mask]:
    """Connected pixels, red to blue, whose chroma is above any of the levels."""
    chroma = np.hypot(ab[..., 0], ab[..., 1])
    hue = np.degrees(np.arctan2(ab[..., 1], ab[..., 0]))
    start, width = _HUES
    conspicuous = (hue - start) % 360 < width
    for level in _LEVELS:
        islands, _ = ndimage.label((chroma > level) & conspicuous)
        areas = np.bincount(islands.ravel()) / islands.size
        for number in range(1, len(areas)):
            if _AREA[0] <= areas[number] <= _AREA[1]:
                yield islands == number


def _smoothed(rgb: RGB) -> npt.NDArray[np.float64]:
    """Chroma ab (Y, X, 2) of a picture, without fine detail."""
    ab: npt.NDArray[np.float64] = ndimage.gaussian_filter(
        rgb2lab(rgb)[..., 1:], (_SMOOTHING, _SMOOTHING, 0)
    )
    return ab
