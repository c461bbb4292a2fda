"""The table of a layer of points: what a file told of them, and what it will tell."""

import contextlib
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Image, Points

from napari_colorgan.inference.hints import CHANNELS, ENDS, RADIUS, from_hex, to_hex

OF = "colorgan_hints_of"
"""Key in the metadata of points: the gray layer they were made for, by its name."""


def planes_of(
    layer: Points, points: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """First and last plane for which points hold, (K, D - 2, 2).

    Empty cells of a table mean without end, see `Hints.from_csv`; points that have no
    row of their own yet hold for their plane.
    """
    leading = points.shape[1] - 2
    planes = np.rint(points[:, :leading, None]).repeat(2, axis=2)
    told = _is_told(layer)
    for axis in range(leading):
        for end, endless in enumerate((-np.inf, np.inf)):
            name = f"{ENDS[end]}-{axis}"
            if name in layer.features:
                given = _numbers(layer, name)[told]
                planes[told, axis, end] = np.where(np.isnan(given), endless, given)
    return planes


def describe(layer: Points) -> list[int]:
    """Keep colours and radii of points in their table, which napari saves.

    Returns the numbers of the points that are new to it.
    """
    table, count = layer.features, len(layer.data)
    if not count:
        return []
    known = _is_told(layer)
    rgb = np.rint(np.asarray(layer.face_color)[:, :3] * 255).astype(np.uint8)
    sizes = np.broadcast_to(np.asarray(layer.size, float), count)
    described: dict[str, Any] = {
        "color": [to_hex(color) for color in rgb],
        "radius": np.round(sizes / 2, 2),
    }
    others = {name: table[name].to_numpy() for name in table if name not in described}
    layer.features = described | others
    return [number for number, told in enumerate(known) if not told]


def adopt(layer: Points, image: Image | None) -> None:
    """Let points look as their table tells, and tell it how they look from then on."""
    if OF not in layer.metadata:
        if (told := _is_told(layer)).any():
            layer.face_color = colors_of(layer)
            radii = _numbers(layer, "radius") if "radius" in layer.features else np.nan
            sizes = 2 * np.where(np.isnan(radii), RADIUS, radii)
            layer.size = np.where(told, sizes, layer.size)
        layer.metadata[OF] = "" if image is None else image.name


def colors_of(layer: Points) -> npt.NDArray[np.float64]:
    """RGBA of points, (K, 4) in [0, 1]: of a table's columns, or as they are shown."""
    shown = np.array(layer.face_color, float)
    if OF not in layer.metadata:
        levels = _levels(layer)
        told = np.isfinite(levels).all(1)
        shown[told] = np.insert(levels[told] / 255, 3, 1.0, axis=1)
    return shown


def _is_told(layer: Points) -> npt.NDArray[np.bool_]:
    """Whether points have a row in their table, as all do that a file told."""
    return np.asarray(np.isfinite(_levels(layer)).all(1))


def _levels(layer: Points) -> npt.NDArray[np.float64]:
    """Levels of points (K, 3), 0 to 255, as their table tells; NaN where it does not.

    Columns are named as `Hints.from_csv` reads them.
    """
    levels = np.full((len(layer.data), 3), np.nan)
    if "color" in layer.features:
        for number, text in enumerate(layer.features["color"]):
            with contextlib.suppress(ValueError):
                levels[number] = list(from_hex(str(text)))
    elif set(CHANNELS) <= set(layer.features):
        levels = np.stack([_numbers(layer, name) for name in CHANNELS], axis=1)
    return levels


def _numbers(layer: Points, name: str) -> npt.NDArray[np.float64]:
    """Return a column of a table (K,); NaN where a cell is empty, or holds words."""
    numbers = np.full(len(layer.data), np.nan)
    for number, cell in enumerate(layer.features[name]):
        with contextlib.suppress(TypeError, ValueError):
            numbers[number] = float(cell)
    return numbers
