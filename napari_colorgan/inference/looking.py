"""How a generator looks at a plane: at all of it, reduced, or around a place."""

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.color import spread
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hinted import View
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.kriging import Kriging, Places
from napari_colorgan.inference.source import Plane, reflect
from napari_colorgan.inference.statistics import Statistics
from napari_colorgan.inference.steady import Seen, steadied
from napari_colorgan.inference.tiling import Tiling, spans

_MOST_SQUARES = 4  # input of `whole`, in squares of the working size: bounds its memory
_LONGEST = 16  # sides of that square: around a thin strip, the border is what costs
GRID = 32  # px; stride of the compact generator
_MOST_ENLARGED = 4.0  # beyond that, a tiny plane would only become a blur
_CELL = 192  # px; places in such a square are looked at together ...
_SURROUNDINGS = 384  # px; ... in its surroundings


def predicted(plane: Plane, colorizer: Colorizer) -> tuple[Tensor, Tensor, Tensor]:
    """Gray (1, 1, h, w) of a plane at about its working size, prediction and features.

    The picture's border is the border of what the generator sees, as in training: where
    the sky begins tells that it is sky. So sides are stretched to a multiple of 32 px
    instead of padded; only strides above that need reflection.
    """
    gray = _seen(plane, colorizer)
    stride = colorizer.stride
    size = gray.shape[-2:]
    y, x = (reflect(range(-(-length // stride) * stride), length) for length in size)
    prediction, features = colorizer.look_once(gray[..., y[:, None], x])
    return gray, prediction[..., : size[0], : size[1]], features


def whole_in_stack(plane: Plane, seen: Seen, colorizer: Colorizer) -> Tensor:
    """Prediction (1, C, h, w) for a plane as `whole` sees it, steadied by others.

    Parameters
    ----------
    seen : gray and prediction of the plane alone, see `predicted`
    """

    def look(other: Plane) -> Seen:
        gray, prediction, _ = predicted(other, colorizer)
        return gray, prediction

    return steadied(plane, seen, colorizer, "whole", look)


def window_in_stack(
    plane: Plane,
    rows: range,
    columns: range,
    seen: Seen,
    colorizer: Colorizer,
    statistics: Callable[[Plane], Statistics | None] = lambda _: None,
) -> Tensor:
    """Prediction (1, C, H, W) of a window, steadied by those of other planes.

    Parameters
    ----------
    seen : gray of the window and its own prediction
    statistics : of another plane
    """

    def look(other: Plane) -> Seen:
        gray = torch.from_numpy(other.reflected(rows, columns))[None, None]
        if colorizer.remembers_windows:
            return gray, colorizer.look_once(gray)[0]
        return gray, colorizer.predict(gray, statistics(other))

    return steadied(plane, seen, colorizer, (rows, columns), look)


def shown(
    plane: Plane, place: tuple[int, int], colorizer: Colorizer
) -> tuple[Tensor, range, range]:
    """Return what is looked at around a place, (1, 1, h, w), its rows and columns.

    In `whole` context that is all of the plane; in `local`, one square of a grid, so
    that places beside each other share it.
    """
    if colorizer.context == "whole":
        height, width = plane.shape
        return _seen(plane, colorizer), range(height), range(width)
    tops = (at // _CELL * _CELL - (_SURROUNDINGS - _CELL) // 2 for at in place)
    rows, columns = (range(top, top + _SURROUNDINGS) for top in tops)
    return torch.from_numpy(plane.reflected(rows, columns))[None, None], rows, columns


def view_around(
    plane: Plane,
    place: tuple[int, int],
    colorizer: Colorizer,
    tiling: Tiling | None = None,
) -> View:
    """Look at what is around a place, with a colorizer that takes hints.

    In `local` context that is the window that is the last to colour the place, so that
    what hints tell is compared with what is coloured, and nothing is looked at twice.

    Parameters
    ----------
    tiling : of those windows; default the colorizer's
    """
    if colorizer.context == "whole":
        rows, columns = map(range, plane.shape)
        gray, prediction, features = predicted(plane, colorizer)
        prediction = whole_in_stack(plane, (gray, prediction), colorizer)
    else:
        rows, columns = window_of(plane.shape, place, colorizer, tiling)
        gray = torch.from_numpy(plane.reflected(rows, columns))[None, None]
        prediction, features = colorizer.look_once(gray)
        seen = gray, prediction
        prediction = window_in_stack(plane, rows, columns, seen, colorizer)
    said = prediction[0].cpu(), features[0].cpu()
    return View(gray[0, 0], *said, rows, columns, plane.shape)


def window_of(
    shape: tuple[int, int],
    place: tuple[int, int],
    colorizer: Colorizer,
    tiling: Tiling | None,
) -> tuple[range, range]:
    """Rows and columns that the last window reads by which a place is coloured."""
    rows, columns = (
        next(
            span.read
            for span in spans(length, tiling or colorizer.tiling, colorizer.stride)
            if at < span.final.stop
        )
        for length, at in zip(shape, place, strict=True)
    )
    return rows, columns


def learned_from(
    hints: Hints,
    plane: Plane,
    colorizer: Colorizer,
    view: View | None = None,
    tiling: Tiling | None = None,
) -> Kriging:
    """Find out what hints tell of a plane, whatever the region that is coloured.

    Parameters
    ----------
    view : of all of the plane, in `whole` context
    tiling : of windows in `local` context; default the colorizer's
    """
    if colorizer.context == "whole":
        here = view or view_around(plane, (0, 0), colorizer)
        return Kriging(*here.known(hints))
    places = pixels_of(hints, plane.shape)
    windows = [window_of(plane.shape, place, colorizer, tiling) for place in places]
    known = []
    for window in dict.fromkeys(windows):
        here = view_around(plane, places[windows.index(window)], colorizer, tiling)
        inside = np.array([each == window for each in windows])
        known.append(here.known(hints.only(inside)))
    told, lacking = zip(*known, strict=True)
    return Kriging(Places.together(told), torch.cat(lacking))


def pixels_of(hints: Hints, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Rows and columns of the pixels of a plane that are nearest to hints."""
    last = np.array(shape) - 1
    return [(int(y), int(x)) for y, x in np.rint(hints.points).clip(0, last)]


def seen_factor(shape: tuple[int, int], working_size: int) -> int:
    """By how much a plane is reduced before `whole` resizes it to what it sees."""
    size = _seen_shape(shape, working_size)
    return max(1, min(p // s for p, s in zip(shape, size, strict=True)))


def _seen(plane: Plane, colorizer: Colorizer) -> Tensor:
    """Return a plane as `whole` sees it, (1, 1, h, w)."""
    size = _seen_shape(plane.shape, colorizer.working_size)
    factor = seen_factor(plane.shape, colorizer.working_size)
    gray = torch.from_numpy(plane.reduced(factor))[None, None]
    gray = F.interpolate(gray, size, mode="bilinear", antialias=True).clamp(0, 1)
    if colorizer.checkpoint.metadata.levels == "spread":
        gray = spread(gray)
    return gray


def _seen_shape(shape: tuple[int, int], working_size: int) -> tuple[int, int]:
    height, width = working_shape(shape, working_size)
    return _on_grid(height), _on_grid(width)


def working_shape(shape: tuple[int, int], working_size: int) -> tuple[int, int]:
    """Height and width in px at which a `whole` generator sees a plane."""
    factor = min(
        working_size / min(shape),
        working_size * math.sqrt(_MOST_SQUARES / (shape[0] * shape[1])),
        working_size * _LONGEST / max(shape),
        _MOST_ENLARGED,
    )
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def _on_grid(length: int) -> int:
    """Return the multiple of 32 px that is nearest to a length."""
    return max(GRID, round(length / GRID) * GRID)
