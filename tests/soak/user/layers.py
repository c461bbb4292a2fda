"""Layers such as users open: of all kinds that napari shows, and all small."""

from collections.abc import Callable
from typing import Any

import dask.array as da
import numpy as np
from numpy.random import Generator


def _uint8(viewer: Any, random: Generator) -> Any:
    return viewer.add_image(random.integers(0, 256, (40, 56), np.uint8), name="scan")


def _micrograph(viewer: Any, random: Generator) -> Any:
    values = random.integers(100, 4000, (48, 40), np.uint16)
    placed = {"scale": (0.5, 0.25), "translate": (3, -4), "units": ("um", "um")}
    return viewer.add_image(values, name="micrograph", rotate=20, **placed)


def _holes(viewer: Any, random: Generator) -> Any:
    values = random.random((32, 32), np.float32)
    values[3:9, :7], values[0, 0], values[-1, -1] = np.nan, np.inf, -np.inf
    return viewer.add_image(values, contrast_limits=(0, 1), name="holes")


def _nothing(viewer: Any, random: Generator) -> Any:
    return viewer.add_image(
        np.full((24, 24), np.nan), contrast_limits=(0, 1), name="nothing"
    )


def _flat(viewer: Any, random: Generator) -> Any:
    return viewer.add_image(np.zeros((20, 30), ">i2"), name="flat")


def _mask(viewer: Any, random: Generator) -> Any:
    return viewer.add_image(random.random((16, 24)) > 0.5, name="mask")


def _pixel(viewer: Any, random: Generator) -> Any:
    shape = [(1, 1), (2, 3), (1, 40), (33, 1)][random.integers(4)]
    return viewer.add_image(random.random(shape), name="tiny")


def _stack(viewer: Any, random: Generator) -> Any:
    stack = random.integers(0, 256, (3, 24, 32), np.uint8)
    return viewer.add_image(stack, axis_labels=("t", "y", "x"), name="stack")


def _turned(viewer: Any, random: Generator) -> Any:
    stack = random.random((24, 32, 3), np.float32)
    return viewer.add_image(
        stack, rgb=False, axis_labels=("y", "x", "z"), name="turned"
    )


def _five(viewer: Any, random: Generator) -> Any:
    return viewer.add_image(random.random((2, 1, 2, 16, 20)), name="five dimensions")


def _lazy(viewer: Any, random: Generator) -> Any:
    values = random.integers(0, 256, (2, 40, 40), np.uint8)
    return viewer.add_image(da.from_array(values, chunks=(1, 16, 16)), name="lazy")


def _lazy_plane(viewer: Any, random: Generator) -> Any:
    values = da.from_array(random.random((64, 64)), chunks=32)
    return viewer.add_image(values, contrast_limits=(0, 1), name="lazy plane")


def _levels(viewer: Any, random: Generator) -> Any:
    values = random.integers(0, 256, (96, 96), np.uint8)
    levels = [values, values[::2, ::2], values[::4, ::4]]
    return viewer.add_image(levels, multiscale=True, name="levels")


def _rgb(viewer: Any, random: Generator) -> Any:
    values = random.integers(0, 256, (40, 56, 3), np.uint8)
    return viewer.add_image(values, rgb=True, name="colour")


def _rgba(viewer: Any, random: Generator) -> Any:
    return viewer.add_image(random.random((32, 48, 4)), rgb=True, name="colour float")


def _rgb_stack(viewer: Any, random: Generator) -> Any:
    values = random.integers(0, 65536, (3, 24, 32, 3), np.uint16)
    return viewer.add_image(values, rgb=True, name="colour stack")


def _rgb_levels(viewer: Any, random: Generator) -> Any:
    values = da.from_array(random.integers(0, 256, (96, 96, 3), np.uint8), 48)
    levels = [values, values[::2, ::2]]
    return viewer.add_image(levels, rgb=True, multiscale=True, name="colour levels")


def _gray_rgb(viewer: Any, random: Generator) -> Any:
    values = random.integers(0, 256, (32, 32, 1), np.uint8)
    return viewer.add_image(values.repeat(3, 2), rgb=True, name="gray in RGB")


def _labels(viewer: Any, random: Generator) -> Any:
    return viewer.add_labels(random.integers(0, 4, (40, 56)), name="labels")


def _points(viewer: Any, random: Generator) -> Any:
    return viewer.add_points(random.random((4, 2)) * 32, name="points")


def _empty_points(viewer: Any, random: Generator) -> Any:
    return viewer.add_points(ndim=3, name="no points")


def _shapes(viewer: Any, random: Generator) -> Any:
    corners = random.random((4, 2)) * 30
    return viewer.add_shapes([corners], shape_type="polygon", name="shapes")


def _vectors(viewer: Any, random: Generator) -> Any:
    return viewer.add_vectors(random.random((3, 2, 2)) * 20, name="vectors")


KINDS: tuple[Callable[[Any, Generator], Any], ...] = (
    _uint8,
    _rgb,
    _micrograph,
    _stack,
    _lazy,
    _levels,
    _rgb_stack,
    _holes,
    _points,
    _labels,
    _turned,
    _rgba,
    _pixel,
    _lazy_plane,
    _rgb_levels,
    _gray_rgb,
    _five,
    _shapes,
    _flat,
    _mask,
    _nothing,
    _empty_points,
    _vectors,
)
"""Each adds a layer to a viewer."""
