"""The likeliest colours of a place, as a model sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import AB_SCALE, rgb_to_lab
from napari_colorgan.color_bins import BIN_CENTERS
from napari_colorgan.color_bytes import lab_to_bytes
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.looking import learned_from, shown, view_around
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.source import Plane, Source

_SPREAD = 12 / AB_SCALE  # scaled ab; how far a colour may be from a hint's, for sure
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
    here = colorizer.checked(hints, source.shape)
    here = None if here is None else here.of_plane(plane.index)
    return suggest_in(plane, place, colorizer, count=count, hints=here)


def suggest_in(
    plane: Plane,
    place: tuple[float, float],
    colorizer: Colorizer,
    *,
    count: int = 5,
    hints: Hints | None = None,
) -> list[Suggestion]:
    """Return the likeliest colours of a place of a plane, which has these hints."""
    try:
        y, x = (round(at) for at in place)
    except (TypeError, ValueError, OverflowError):  # of other types, NaN, infinity
        raise BadSetting("place", place, "two numbers: row and column") from None
    if not (0 <= y < plane.shape[0] and 0 <= x < plane.shape[1]):
        size = f"{plane.shape[0]} x {plane.shape[1]} px"
        raise BadSetting("place", tuple(place), f"inside the picture of {size}")
    likelihoods = _likelihoods_at(plane, colorizer, (y, x), hints)
    gray = _gray_at(plane, (y, x))
    suggestions = []
    for color, likelihood in _modes(likelihoods, count):
        rgb = colorizer.decode(gray, color.view(1, 2, 1, 1))[0, 0, 0].tolist()
        suggestions.append(Suggestion((rgb[0], rgb[1], rgb[2]), likelihood))
    return suggestions


def colors_at(
    plane: Plane, place: tuple[int, int], colors: Sequence[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """Return what colours become at a place, whose lightness stays, sRGB 0 to 255."""
    if not colors:
        return []
    levels = torch.tensor(colors).T[None, :, None] / 255  # (1, 3, 1, K)
    ab = rgb_to_lab(levels)[:, 1:] / AB_SCALE
    gray = _gray_at(plane, place).expand(1, 1, 1, len(colors))
    shown = lab_to_bytes(gray, ab)[0, 0].tolist()
    return [(red, green, blue) for red, green, blue in shown]


def _gray_at(plane: Plane, place: tuple[int, int]) -> Tensor:
    y, x = place
    gray = plane.gray((slice(y, y + 1), slice(x, x + 1)))
    return torch.from_numpy(gray)[None, None]


def _likelihoods_at(
    plane: Plane, colorizer: Colorizer, place: tuple[int, int], hints: Hints | None
) -> Tensor:
    """How likely each colour of `color_bins` is at a pixel of a plane, (Q,).

    What hints say of it makes colours like that likelier, as far as it is certain.
    """
    gray, rows, columns = shown(plane, place, colorizer)
    likelihoods = colorizer.likelihoods(gray)[0]
    y, x = _pixel_of(place, rows, columns, likelihoods.shape[1:])
    here = likelihoods[:, y, x]
    if hints is None:
        return here
    view = view_around(plane, place, colorizer)
    told = learned_from(hints, plane, colorizer, view)
    view = view.near(place)
    y, x = _pixel_of(place, view.rows, view.columns, view.coarse)
    places = view.field.places(torch.tensor([y * view.coarse[1] + x]))
    y, x = _pixel_of(place, view.rows, view.columns, view.gray.shape)
    hinted = view.prediction[:, y, x] + told.at(places)[0]
    apart = (BIN_CENTERS - hinted).square().sum(1)
    here = here * (-0.5 * told.certainty(places) * apart / _SPREAD**2).exp()
    return here / here.sum().clamp(min=1e-12)


def _pixel_of(
    place: tuple[int, int], rows: range, columns: range, size: Sequence[int]
) -> tuple[int, int]:
    """Row and column, in a view of some size of rows and columns, of a place."""
    y, x = (
        max(0, min(int((at - side.start + 0.5) / len(side) * length), length - 1))
        for at, side, length in zip(place, (rows, columns), size, strict=True)
    )
    return y, x


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
