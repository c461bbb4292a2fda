"""Several colourings of one plane, each as a model could have meant it."""

from dataclasses import dataclass

import numpy as np
import torch.nn.functional as F

from napari_colorgan.arrays import RGB
from napari_colorgan.color import sureness
from napari_colorgan.color_bins import mean_chroma, mean_color
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.live import PreviewReady, live_job
from napari_colorgan.inference.looking import shown
from napari_colorgan.inference.source import Plane
from napari_colorgan.inference.suggestions import Suggestion, suggest_in
from napari_colorgan.job import STOP, Job

_LARGE = 8  # parts of a side: doubts of places as large as this count


@dataclass(frozen=True, slots=True)
class Alternative:
    """A colouring that follows from one more hint."""

    suggestion: Suggestion
    place: tuple[int, int]
    """Of the hint: row and column, px."""
    radius: float
    """Of the hint, px."""
    rgb: RGB
    """The plane in small, (Y, X, 3)."""


def alternatives_job(
    plane: Plane,
    colorizer: Colorizer,
    hints: Hints | None = None,
    *,
    side: int,
    count: int = 4,
    place: tuple[int, int] | None = None,
) -> Job[list[Alternative]]:
    """Colour a plane as the likeliest colours of its most doubtful place would have it.

    Parameters
    ----------
    hints : of this plane, which stay
    side : of the small pictures, px
    count : how many at most; there are fewer where the model is sure
    place : row and column, px, around which `local` context looks; default the middle

    Raises
    ------
    BadSetting
        The model knows no alternatives.
    """
    y, x = place or tuple(length // 2 for length in plane.shape)
    at, radius = most_doubtful(plane, colorizer, (y, x))
    found = []
    for suggestion in suggest_in(plane, at, colorizer, count=count, hints=hints):
        told = with_hint(hints, at, suggestion.rgb, radius)
        for event in live_job(plane, colorizer, told, side=side, place=at):
            if isinstance(event, PreviewReady):
                found.append(Alternative(suggestion, at, radius, event.rgb))
                if (yield event) is STOP:
                    return found
    return found


def most_doubtful(
    plane: Plane, colorizer: Colorizer, place: tuple[int, int]
) -> tuple[tuple[int, int], float]:
    """Return the place where colours agree least, and half the size of a place, px.

    Of all of the plane in `whole` context, in `local` of what is around a place.
    """
    gray, rows, columns = shown(plane, place, colorizer)
    likelihoods = colorizer.likelihoods(gray)
    expected = mean_chroma(likelihoods)
    doubt = expected * (1 - sureness(mean_color(likelihoods), expected))
    light = F.interpolate(gray, tuple(doubt.shape[2:]), mode="area")
    doubt = doubt * light * (1 - light)  # colours hardly show in black or in white
    height, width = doubt.shape[2:]
    size = max(1, min(height, width) // _LARGE)
    spread = F.avg_pool2d(doubt, size, stride=1)[0, 0]
    row, column = divmod(int(spread.argmax()), spread.shape[1])
    y, x = (
        part.start + (first + size / 2) * len(part) / count
        for part, first, count in (
            (rows, row, height),
            (columns, column, width),
        )
    )
    inside = np.clip((y, x), 0, np.array(plane.shape) - 1).astype(int).tolist()
    return (inside[0], inside[1]), size / 4 * len(rows) / height


def with_hint(
    hints: Hints | None,
    place: tuple[float, float],
    rgb: tuple[int, int, int],
    radius: float,
) -> Hints:
    """Return hints of a plane and one more."""
    more = Hints(np.array([place]), np.array([rgb]), radius)
    return more if hints is None else hints.and_also(more)
