"""The likeliest colours of a place, as a model sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import AB_SCALE
from napari_colorgan.color_bins import BIN_CENTERS
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.source import Plane, Source
from napari_colorgan.inference.views import seen

_SIDE = 384  # px; what `local` sees around a place
_ALIKE = 14 / AB_SCALE  # scaled ab; colours as near as this are suggested as one


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A colour that a place may have."""

    rgb: tuple[int, int, int]
    """sRGB, 0 to 255, at the place's own lightness."""
    likelihood: float
    """0 to 1; those of all suggestions add up to 1 at most."""


def suggest(
    array: Source | Any,
    place: tuple[float, float],
    model: str | Path | Checkpoint | ColorizerSettings | Colorizer = zoo.DEFAULT,
    *,
    count: int = 5,
    index: tuple[int, ...] = (),
    hints: Hints | None = None,
) -> list[Suggestion]:
    """Return the likeliest colours of a place, the likeliest first.

    Parameters
    ----------
    array : a source, or an array as `colorize` takes it
    place : row and column, px
    model : as `colorize` takes it; one that knows how likely colours are
    count : how many at most
    index : of the plane along the leading axes
    hints : colours that are given already

    Raises
    ------
    BadSetting
        The place or a hint is outside the picture, or the model knows no
        alternatives.
    """
    source = array if isinstance(array, Source) else Source.of(array)
    colorizer = model if isinstance(model, Colorizer) else Colorizer(model)
    plane = source.plane(index)
    y, x = (round(at) for at in place)
    if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
        size = f"{plane.shape[0]} x {plane.shape[1]} px"
        raise BadSetting("place", tuple(place), f"inside the picture of {size}")
    here = colorizer.checked(hints, source.shape)
    here = None if here is None else here.of_plane(plane.index)
    likelihoods = _likelihoods_at(plane, colorizer, (y, x), here)
    gray = torch.from_numpy(plane.gray((slice(y, y + 1), slice(x, x + 1))))[None, None]
    suggestions = []
    for color, likelihood in _modes(likelihoods, count):
        rgb = colorizer.decode(gray, color.view(1, 2, 1, 1))[0, 0, 0].tolist()
        suggestions.append(Suggestion((rgb[0], rgb[1], rgb[2]), likelihood))
    return suggestions


def _likelihoods_at(
    plane: Plane, colorizer: Colorizer, place: tuple[int, int], hints: Hints | None
) -> Tensor:
    """How likely each colour of `color_bins` is at a pixel of a plane, (Q,)."""
    if colorizer.context == "whole":
        gray, told = seen(plane, colorizer, hints)
        inside = zip(place, plane.shape, strict=True)
        parts = [(at + 0.5) / length for at, length in inside]
    else:
        rows, columns = (range(at - _SIDE // 2, at + _SIDE // 2) for at in place)
        gray = torch.from_numpy(plane.reflected(rows, columns))[None, None]
        told = None if hints is None else hints.tensor(rows, columns, (_SIDE, _SIDE))
        parts = [0.5, 0.5]
    likelihoods = colorizer.likelihoods(gray, told)[0]
    y, x = (
        min(int(part * length), length - 1)
        for part, length in zip(parts, likelihoods.shape[1:], strict=True)
    )
    return likelihoods[:, y, x]


def _modes(likelihoods: Tensor, count: int) -> list[tuple[Tensor, float]]:
    """Scaled (a, b) of groups of colours alike, and how likely each group is."""
    centers = BIN_CENTERS
    alike = torch.cdist(centers, centers) <= _ALIKE
    left = likelihoods.clone()
    modes = []
    for _ in range(count):
        together = alike.to(left) @ left
        best = int(together.argmax())
        mass = together[best].item()
        if mass <= 0:
            break
        members = alike[best].to(left) * left
        modes.append((members @ centers / mass, mass))
        left = left * ~alike[best]
    return modes
