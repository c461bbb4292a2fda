"""Pictures that lie at different places of the same world."""

from dataclasses import dataclass

from napari_colorgan.arrays import Region
from napari_colorgan.errors import BadPair, PairMismatch
from napari_colorgan.training.pairs.pair import MIN_SIDE

_TOLERANCE = 0.25  # px: what a shift or a drift may leave between two pixels


@dataclass(frozen=True, slots=True)
class Placement:
    """Size and place of a picture, each along Y and X."""

    shape: tuple[int, int]
    """px."""
    scale: tuple[float, float]
    """Size of a pixel in the unit of the world."""
    translate: tuple[float, float]
    """Place of the centre of the first pixel in the world."""


def common_regions(gray: Placement, color: Placement) -> tuple[Region, Region]:
    """Regions of a gray and a colour picture in which they show the same pixels.

    Raises
    ------
    PairMismatch
        They begin at the same place but are not of the same size.
    BadPair
        Their pixels differ in size or are shifted by part of a pixel, to more than
        0.25 px; or they share less than 16 px a side.
    """
    on_gray, on_color = [], []
    for axis, name in enumerate("YX"):
        first, second = gray.scale[axis], color.scale[axis]
        length = max(gray.shape[axis], color.shape[axis])
        if not abs(second / first - 1) * length <= _TOLERANCE:
            raise BadPair(
                f"A pixel of the gray picture is {first:g} long along {name}, one of "
                f"the colour picture {second:g}. A pair needs pixels of one size: "
                "resample one of them onto the other."
            )
        shift = (color.translate[axis] - gray.translate[axis]) / first
        if not abs((shift + 0.5) % 1 - 0.5) <= _TOLERANCE:  # nor NaN
            raise BadPair(
                f"The colour picture is shifted by {shift:.2f} px along {name} against "
                "the gray one. A pair needs a whole number: resample one of them onto "
                "the other."
            )
        offset = round(shift)
        start = max(0, offset)
        stop = min(gray.shape[axis], offset + color.shape[axis])
        on_gray.append(slice(start, stop))
        on_color.append(slice(start - offset, stop - offset))
    starts = [part.start for part in on_gray + on_color]
    if gray.shape != color.shape and not any(starts):
        raise PairMismatch(
            "The gray picture", "the colour picture", gray.shape, color.shape
        )
    height, width = (max(0, part.stop - part.start) for part in on_gray)
    if min(height, width) < MIN_SIDE:
        raise BadPair(
            f"The gray and the colour picture have {height} x {width} px in common; "
            f"{MIN_SIDE} x {MIN_SIDE} px are needed. Place them over each other."
        )
    return (on_gray[0], on_gray[1]), (on_color[0], on_color[1])
