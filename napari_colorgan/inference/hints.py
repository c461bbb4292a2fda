"""Colours that a user gives for places."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_colorgan.errors import BadImageFile, BadSetting
from napari_colorgan.regular import read_regular

MOST_HINTS = 1000
"""That a picture can have; generators learn with up to 60."""
_MOST_BYTES = 4 << 20  # of a table, far more than that many hints need
RADIUS = 4.0  # px
ENDS = ("from", "to")
"""What columns of a table that tell planes begin with."""
CHANNELS = ("red", "green", "blue")
"""Columns of a table that tell a colour, unless there is `color`."""


@dataclass(frozen=True, slots=True, eq=False)
class Hints:
    """Colours of places.

    Parameters
    ----------
    points : (K, 2) rows and columns in px, or (K, D) with the index of a plane before
        them; with two, they hold for every plane
    colors : (K, 3) uint8, sRGB; of them, generators read hue and chroma
    radius : px around a point to which its colour belongs; a number, or (K,)
    planes : (K, D - 2, 2), the first and the last index along each axis before rows and
        columns for which a hint holds; default the point's own

    Raises
    ------
    BadSetting
        Numbers are missing, not finite or too many, or one place has two colours.
    """

    points: npt.NDArray[np.float64]
    colors: npt.NDArray[np.uint8]
    radius: float | npt.NDArray[np.float64] = RADIUS
    planes: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        points = np.atleast_2d(_numbers("points", self.points))
        levels = np.atleast_2d(_numbers("colors", self.colors))
        if points.ndim != 2 or points.shape[1] < 2:
            raise BadSetting(
                "points", f"of shape {points.shape}", "(K, 2): row, column"
            )
        if levels.shape != (len(points), 3):
            found = f"of shape {levels.shape}"
            raise BadSetting("colors", found, f"({len(points)}, 3), one for each point")
        if len(points) > MOST_HINTS:
            raise BadSetting("hints", len(points), f"at most {MOST_HINTS}")
        if not (np.isfinite(levels) & (levels >= 0) & (levels <= 255)).all():
            raise BadSetting("colors", "not finite or outside", "levels from 0 to 255")
        radius = _numbers("radius", self.radius)
        if radius.shape not in ((), (1,), (len(points),)):
            found = f"of shape {radius.shape}"
            raise BadSetting("radius", found, "one number, or one for each point")
        radius = np.broadcast_to(radius, len(points))
        if not np.isfinite(points).all():
            raise BadSetting("points", "not finite", "rows and columns in px")
        if not (np.isfinite(radius) & (radius >= 0)).all():
            raise BadSetting("radius", self.radius, "0 px or more")
        colors = levels.astype(np.uint8)
        own = np.rint(points[:, :-2, None]).repeat(2, axis=2)
        planes = own if self.planes is None else _numbers("planes", self.planes)
        if planes.shape != own.shape:
            expected = f"{own.shape}: first and last along each axis"
            raise BadSetting("planes", f"of shape {planes.shape}", expected)
        if not (planes[..., 0] <= planes[..., 1]).all():  # also if one is NaN
            raise BadSetting("planes", "a last before its first", "first, then last")
        _check_unique(points, colors, planes)
        object.__setattr__(self, "planes", planes)
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "colors", colors)
        object.__setattr__(self, "radius", radius)

    def __len__(self) -> int:
        return len(self.points)

    def check(self, shape: Sequence[int]) -> None:
        """Check that all hints lie inside an array of gray pictures (..., Y, X).

        Raises
        ------
        BadSetting
            One lies outside, or points have another number of coordinates.
        """
        count = self.points.shape[1]
        if count not in (2, len(shape)):
            expected = " or ".join(map(str, sorted({2, len(shape)})))
            raise BadSetting(
                "hints", f"points of {count} coordinates", f"of {expected}"
            )
        sides = np.array(shape[-count:])
        outside = (self.points < -0.5) | (self.points > sides - 0.5)
        if outside.any():
            *index, y, x = self.points[outside.any(1)][0]
            plane = f"plane {', '.join(f'{i:.0f}' for i in index)}, " if index else ""
            found = f"at {plane}row {y:.0f}, column {x:.0f}"
            size = " x ".join(map(str, sides))
            expected = f"inside the picture of {size} px"
            raise BadSetting("a hint", found, expected)

    def of_plane(self, index: Sequence[int]) -> "Hints | None":
        """Hints of one plane, as rows and columns; None if it has none."""
        leading = self.points.shape[1] - 2
        first, last = np.moveaxis(self._planes, 2, 0)
        here = np.array(index)[:leading]
        held = ((first <= here) & (here <= last)).all(1)
        if not held.any():
            return None
        given = self.only(held)
        return Hints(given.points[:, leading:], given.colors, given.radius)

    def only(self, which: npt.NDArray[np.bool_]) -> "Hints":
        """Return some of the hints, (K,)."""
        return Hints(
            self.points[which],
            self.colors[which],
            np.asarray(self.radius)[which],
            self._planes[which],
        )

    def elsewhere(self, place: tuple[int, int]) -> "Hints | None":
        """Return hints but for those at a pixel; None if there are no others."""
        others = (np.rint(self.points[:, -2:]) != np.array(place)).any(1)
        return self.only(others) if others.any() else None

    def and_also(self, others: "Hints") -> "Hints":
        """Return these hints and others, of points with as many coordinates."""
        return Hints(
            np.concatenate([self.points, others.points]),
            np.concatenate([self.colors, others.colors]),
            np.concatenate([self.radius, others.radius]),
            np.concatenate([self._planes, others._planes]),
        )

    def to_csv(self) -> str:
        """Return a table as `Hints.from_csv` reads it; the record of a result's hints.

        Planes are told only where some hint holds for others than its own.
        """
        count = self.points.shape[1]
        names = [f"axis-{axis}" for axis in range(count)] + ["color", "radius"]
        own = np.rint(self.points[:, :-2, None]).repeat(2, axis=2)
        wider = not np.array_equal(self._planes, own)
        if wider:
            names += [f"{end}-{axis}" for axis in range(count - 2) for end in ENDS]
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(names)
        radii = np.asarray(self.radius)
        for number, (point, color) in enumerate(
            zip(self.points, self.colors, strict=True)
        ):
            ends = self._planes[number].ravel() if wider else ()
            numbers = [f"{value:.6g}" for value in (*point, radii[number], *ends)]
            table.writerow([*numbers[:count], to_hex(color), *numbers[count:]])
        return text.getvalue()

    @classmethod
    def from_csv(cls, text: str, name: str = "the table of hints") -> "Hints":
        """Read a table, such as napari saves of points, with colours.

        Columns `axis-0`, `axis-1`, ... (the last two are row and column), then `color`
        (``#c04020``) or `red`, `green`, `blue` (0 to 255). There may be `radius` in px,
        and `from-0`, `to-0`, ...: the planes for which a hint holds, without end where
        a cell is empty.

        Parameters
        ----------
        name : what errors call it

        Raises
        ------
        BadSetting
        """
        try:
            table = list(csv.DictReader(io.StringIO(text)))
        except csv.Error as error:
            raise BadSetting(name, str(error), "a table with a line for each") from None
        names = [name for name in (table[0] if table else ()) if name]
        axes = sorted(name for name in names if name.startswith("axis-"))
        if len(axes) < 2 or not ("color" in names or set(CHANNELS) <= set(names)):
            found = ", ".join(names) or "no rows"
            expected = "axis-0, axis-1 and color (#c04020), or red, green and blue"
            raise BadSetting(f"the header of {name}", found, expected)
        points, colors, radii, planes = [], [], [], []
        for number, row in enumerate(table, 2):
            try:
                point = [float(row[axis]) for axis in axes]
                points.append(point)
                if "color" in names:
                    colors.append(
                        [float(level) for level in from_hex(row["color"] or "")]
                    )
                else:
                    colors.append([float(row[channel]) for channel in CHANNELS])
                radii.append(float(row.get("radius") or RADIUS))
                planes.append([_planes_in(row, i, at) for i, at in enumerate(point)])
            except (TypeError, ValueError, OverflowError):  # of round(inf)
                found = ", ".join(str(value) for value in row.values())
                expected = "numbers of px, and a colour like #c04020"
                raise BadSetting(f"line {number} of {name}", found, expected) from None
        ends = np.array(planes)[:, :-2]
        return cls(np.array(points), np.array(colors), np.array(radii), ends)

    @property
    def _planes(self) -> npt.NDArray[np.float64]:
        return np.asarray(self.planes)

    def squares(
        self, rows: range, columns: range, size: tuple[int, int]
    ) -> list[tuple[slice, slice]]:
        """Return the pixels of each hint in the view of a part of a plane.

        Parameters
        ----------
        rows, columns : of the part, px; the points are inside
        size : height and width, px, at which it is seen
        """
        spans = [
            _spans(self.points[:, axis], self.radius, part, seen)
            for axis, (part, seen) in enumerate(zip((rows, columns), size, strict=True))
        ]
        return list(zip(*spans, strict=True))


def _numbers(name: str, given: Any) -> npt.NDArray[np.float64]:
    """Return numbers as floats; the shape is checked by who knows it."""
    try:
        return np.asarray(given, float)
    except Exception as error:  # of whatever type, whose methods raise what they like
        raise BadSetting(name, given, "numbers") from error


def read_hints(path: Path) -> Hints:
    """Read hints from a CSV file, see `Hints.from_csv`.

    Raises
    ------
    BadImageFile, BadSetting
    """
    try:
        content = read_regular(path, _MOST_BYTES)
        if len(content) > _MOST_BYTES:
            raise ValueError(f"it has more than {_MOST_BYTES >> 20} MB")
        text = content.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise BadImageFile(
            f"'{path}' cannot be read as a table of hints ({why}). Give a CSV file "
            "with columns axis-0, axis-1 and color."
        ) from error
    return Hints.from_csv(text, f"'{path.name}'")


def _planes_in(row: dict[str, str], axis: int, own: float) -> tuple[float, float]:
    """First and last index along an axis for which a row of a table holds."""
    if f"{ENDS[0]}-{axis}" not in row:
        return round(own), round(own)
    first, last = (float(row[f"{end}-{axis}"] or "nan") for end in ENDS)
    return (
        -math.inf if math.isnan(first) else first,
        math.inf if math.isnan(last) else last,
    )


def to_hex(color: Iterable[int]) -> str:
    """Write an sRGB colour of levels 0 to 255 as ``#c04020``."""
    return "#" + bytes(color).hex()


def from_hex(text: str) -> bytes:
    """Read the three levels of a colour like ``#c04020``; others raise ValueError."""
    digits = text.strip().removeprefix("#")
    if len(digits) != 6:
        raise ValueError(text)
    return bytes.fromhex(digits)


def _spans(
    centers: npt.NDArray[np.float64], radius: Any, part: range, seen: int
) -> list[slice]:
    """Pixels, in what is seen, of squares around centres in a plane."""
    factor = seen / len(part)
    middle = (centers + 0.5 - part.start) * factor
    reach = radius * factor
    # never lost, however small it is seen
    here = np.floor(middle).clip(0, seen - 1)
    first = np.minimum(np.ceil(middle - reach - 0.5), here).clip(0, None)
    last = np.maximum(np.floor(middle + reach - 0.5), here).clip(None, seen - 1)
    return [
        slice(int(start), int(end) + 1) for start, end in zip(first, last, strict=True)
    ]


def _check_unique(
    points: npt.NDArray[np.float64],
    colors: npt.NDArray[np.uint8],
    planes: npt.NDArray[np.float64],
) -> None:
    known: dict[tuple[int, ...], list[tuple[tuple[int, ...], Any]]] = {}
    for point, color, held in zip(
        np.rint(points[:, -2:]).astype(int), colors, planes, strict=True
    ):
        place, said = tuple(point.tolist()), tuple(color.tolist())
        for other, where in known.setdefault(place, []):
            meet = (held[:, 0] <= where[:, 1]) & (where[:, 0] <= held[:, 1])
            if other != said and meet.all():
                raise BadSetting(
                    f"the hint at row {place[0]}, column {place[1]}",
                    f"{other} and {said}",
                    "of one colour: take one of the two away",
                )
        known[place].append((said, held))
