"""An array seen as gray planes with fixed limits."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from napari_colorgan.arrays import Array, Gray, Mask, Region
from napari_colorgan.errors import BadArray, BadSetting, ColorSource
from napari_colorgan.inference.axes import Axes, indices, letters_of
from napari_colorgan.inference.given import (
    as_array,
    check_chunks,
    in_order,
    read_part,
    unmasked,
)
from napari_colorgan.inference.intensity import (
    Limits,
    check_dtype,
    color_spread,
    full_range,
    has_color,
    is_color,
    lightness,
    percentile_limits,
    scale,
)
from napari_colorgan.inference.sampling import (
    is_all_seen,
    spread_parts,
    spread_planes,
)
from napari_colorgan.job import explain

_SAMPLED_PIXELS = 1 << 20
_BAND = 1 << 21  # px read at once where a whole plane is reduced, and
_ACROSS = 4096  # columns, or chunks of wide planes would be read many times
# resampling overshoots [0, 1] a little; beyond this, other values were meant
_FLOAT_COLORS = (-1.0, 2.0)
_CAMERA_WHITES = tuple(2.0**bits - 1 for bits in (8, 10, 12, 14, 16))


@dataclass(frozen=True)
class Source:
    """Gray planes of an array (..., Y, X), and the limits that all of them share.

    `array` is anything with a shape, a dtype and numpy's basic indexing: numpy, dask,
    zarr, `Blocks` of files. Only the parts needed are read.
    """

    array: Any
    """(..., Y, X), or (..., Y, X, S) with RGB samples."""
    axes: Axes
    limits: Limits
    channels: Literal["none", "equal", "color"] = "none"
    """Whether there are RGB samples, and whether these differ."""
    fill: float = 0.5
    """Gray in [0, 1] that stands in for NaN and infinite pixels."""
    name: str = "The array"
    """What errors call it."""
    white: float | None = None
    """Of equal samples, the largest value of those that were compared; None if all
    were. The others are when they are read."""

    @classmethod
    def of(
        cls,
        array: Any,
        *,
        axes: str | None = None,
        limits: Limits | Sequence[float] | None = None,
        from_color: bool = False,
        name: str = "the array",
    ) -> Self:
        """Check `array` and fix its limits.

        Parameters
        ----------
        axes : one letter per dimension, such as ``"TYX"``; default (..., Y, X), or
            (..., Y, X, S) where the last of three or more dimensions is 3 or 4 long
        limits : gray values of black and white, and optionally gamma. Default: the
            full range of bool and uint8, otherwise the 0.1 and 99.9 % percentiles of a
            sample of at most 2**20 px of 16 planes; of colours, see `color_limits`
        from_color : take the lightness of a picture that has colour
        name : what errors call the array

        Raises
        ------
        BadArray, BadAxes, ColorSource, BadSetting
        """
        name = name[0].upper() + name[1:]
        try:
            return cls._of(array, axes, limits, from_color, name)
        except (MemoryError, RuntimeError) as error:  # of whatever computes it
            raise explain(error) from error

    @classmethod
    def _of(
        cls,
        array: Any,
        axes: str | None,
        limits: Limits | Sequence[float] | None,
        from_color: bool,
        name: str,
    ) -> Self:
        if axes is not None and not isinstance(axes, str):
            expected = "letters, one per dimension, such as 'TYX'"
            raise BadSetting("axes", axes, expected)
        axes = axes or letters_of([str(each) for each in getattr(array, "dims", ())])
        array = as_array(array, name)
        check_chunks(array)
        dtype = np.dtype(array.dtype)
        check_dtype(dtype, name)
        if isinstance(array, np.ma.MaskedArray):
            array = unmasked(array)
        shape = tuple(int(n) for n in array.shape)
        named = Axes.of(shape, axes)
        if 0 in shape:
            raise BadArray(
                f"{name} is empty: its shape is {shape}. Every dimension needs at "
                "least one pixel."
            )
        array = in_order(array, named.order)
        limits = None if limits is None else Limits.of(limits)
        channels: Literal["none", "equal"] = "none"
        white = None
        if "S" in named.letters:
            colored, white = _seen_colors(array, name)
            if colored and not from_color:
                raise ColorSource(name)
            if colored:
                limits = limits or color_limits(array, dtype, name)
                return cls(array, named, limits, "color", name=name)
            channels = "equal"
        source = cls(array, named, Limits(0.0, 1.0), channels, name=name, white=white)
        if limits is None and (dtype.kind == "b" or dtype == np.uint8):
            limits = full_range(dtype)
        if limits is not None and np.dtype(array.dtype).kind != "f":
            return replace(source, limits=limits)
        sample = source._sample()
        limits = limits or percentile_limits(sample)
        finite = sample[np.isfinite(sample)]
        # scaled first: the mean of two of the largest floats is infinite
        fill = float(np.median(scale(finite, limits))) if finite.size else 0.5
        return replace(source, limits=limits, fill=fill)

    def like(self, array: Any) -> "Source":
        """Return a source of the same kind, of an array with the same dimensions."""
        array = in_order(as_array(array, self.name), self.axes.order)
        return replace(self, array=array)

    @property
    def leading(self) -> tuple[int, ...]:
        """Lengths of the leading axes."""
        shape = self.array.shape
        return tuple(shape[:-2] if self.channels == "none" else shape[:-3])

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of every plane in px."""
        height, width = self.array.shape[len(self.leading) :][:2]
        return int(height), int(width)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the gray array, (..., Y, X)."""
        return (*self.leading, *self.plane_shape)

    def plane(self, index: tuple[int, ...] = ()) -> "Plane":
        """Return the plane at `index` of the leading axes.

        Raises
        ------
        BadSetting
            There is none.
        """
        if (
            not isinstance(index, tuple)
            or len(index) != len(self.leading)
            or not all(isinstance(i, int | np.integer) for i in index)
            or not all(map(range.__contains__, map(range, self.leading), index))
        ):
            lengths = " x ".join(map(str, self.leading))
            expected = f"the position of one of {lengths} planes" if lengths else "()"
            raise BadSetting("index", index, expected)
        return Plane(self, index)

    def planes(self, first: tuple[int, ...] | None = None) -> Iterator["Plane"]:
        """All planes in order, but `first` first."""
        return map(self.plane, indices(self.leading, first))

    @property
    def count(self) -> int:
        """How many planes there are."""
        return math.prod(self.leading)

    def read(self, index: tuple[int, ...], region: Region) -> Array:
        """Values of part of a plane as they are; lightness in [0, 1] for colour.

        Raises
        ------
        BadArray
            They cannot be read.
        ColorSource
            Samples differ here, in a picture whose others are equal.
        """
        values = read_part(self.array, (*index, *region), self.name)
        if self.channels == "color":
            return lightness(values, self.limits)
        if self.channels == "none":
            return values
        if self.white is not None and has_color(values, self.white):
            (top, bottom), (left, right) = ((p.start, p.stop) for p in region)
            plane = f" of plane {', '.join(map(str, index))}" if index else ""
            where = f" in rows {top}-{bottom} and columns {left}-{right}{plane}"
            raise ColorSource(self.name, where)
        return values[..., 0]

    def _sample(self) -> Array:
        """At most 2**20 px of at most 16 planes, evenly spread."""
        sampled = spread_planes(self.leading)
        height, width = self.plane_shape
        each = _SAMPLED_PIXELS // len(sampled)
        stride = max(math.isqrt(height * width // each), 1, -(-height // each))
        across = each // -(-height // stride)
        region = (slice(0, height, stride), slice(0, width, -(-width // across)))
        return np.concatenate([self.read(index, region).ravel() for index in sampled])


def color_limits(array: Any, dtype: np.dtype[Any], name: str) -> Limits:
    """Values of black and white of RGB (..., Y, X, 3 or 4), of a sample if it is large.

    All of bool and uint8, and 0 ... 1 of floats that hardly leave it. Deeper pictures
    seldom fill their type: from 0 to the white of the camera, of 8, 10, 12, 14 or 16
    bits, that could have made them. What is negative fills its type.

    Parameters
    ----------
    dtype : that the colours had when they were stored
    name : what errors call the array

    Raises
    ------
    BadArray
        No such range holds floats.
    """
    full = full_range(dtype)
    if dtype.kind == "b" or dtype == np.uint8:
        return full
    low, high = math.inf, -math.inf
    for index, region in spread_parts(array.shape[:-3], array.shape[-3:-1]):
        values = read_part(array, (*index, *region), name)[..., :3]
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if dtype.kind == "f" and _FLOAT_COLORS[0] <= low and high <= _FLOAT_COLORS[1]:
        return full
    most = high if dtype.kind == "f" else full.high
    if low >= -high / 4:  # resampling overshoots a little
        return Limits(0.0, next((w for w in _CAMERA_WHITES if high <= w), most))
    if dtype.kind == "f":
        raise BadArray(
            f"{name} has no range of colours. Its values lie in {low:g} ... {high:g}; "
            "floating point colours lie in 0 ... 1. Divide by the value of white, or "
            "convert to uint8."
        )
    return full


def _seen_colors(array: Any, name: str) -> tuple[bool, float | None]:
    """Whether RGB (..., Y, X, 3 or 4) has colour; `Source.white` if it is sampled."""
    leading, shape = tuple(array.shape[:-3]), tuple(array.shape[-3:-1])
    dtype = np.dtype(array.dtype)
    if is_all_seen(leading, shape):
        planes = (read_part(array, index, name) for index in indices(leading))
        return any(map(has_color, planes)), None
    apart = largest = 0.0
    for index, region in spread_parts(leading, shape):
        here = color_spread(read_part(array, (*index, *region), name))
        apart, largest = max(apart, here[0]), max(largest, here[1])
        if dtype == np.uint8 and is_color(apart, 255, dtype):
            break
    return is_color(apart, largest, dtype), largest


@dataclass(frozen=True)
class Plane:
    """One YX plane of a source."""

    source: Source
    index: tuple[int, ...]
    around: tuple[tuple[int, "Plane"], ...] = field(
        default=(), compare=False, repr=False
    )
    """Planes that steady its colours, and how many planes away each is."""
    said: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)
    """What was found out of it to steady others."""

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.source.plane_shape

    @property
    def whole(self) -> Region:
        """Return the region that is all of the plane."""
        height, width = self.shape
        return slice(0, height), slice(0, width)

    def loaded(self) -> "Plane":
        """Return this plane with its values in memory, read and computed only once."""
        if isinstance(self.source.array, np.ndarray):
            return self
        values = read_part(self.source.array, self.index, self.source.name)
        return Plane(replace(self.source, array=values), (), self.around)

    def read(self, region: Region) -> tuple[Gray, Mask | None]:
        """Gray in [0, 1] (Y, X), and which px are NaN or infinite; None if no px is.

        These have the source's fill.
        """
        values = self.source.read(self.index, region)
        is_color = self.source.channels == "color"
        gray = values if is_color else scale(values, self.source.limits)
        if values.dtype.kind != "f" or (finite := np.isfinite(values)).all():
            return gray, None
        gray[~finite] = self.source.fill
        return gray, ~finite

    def gray(self, region: Region) -> Gray:
        """Gray in [0, 1] (Y, X); pixels that are not finite have the source's fill."""
        return self.read(region)[0]

    def invalid(self, region: Region) -> Mask | None:
        """Which pixels are NaN or infinite; None if no pixel is."""
        return self.read(region)[1]

    def reflected(self, rows: range, columns: range) -> Gray:
        """Gray of a window that may reach beyond the plane, continued by reflection.

        By index, so that a window may be larger than the plane: 1 x 1 px works.
        """
        y, x = reflect(rows, self.shape[0]), reflect(columns, self.shape[1])
        top, left = int(y.min()), int(x.min())
        region = (slice(top, int(y.max()) + 1), slice(left, int(x.max()) + 1))
        return self.gray(region)[np.ix_(y - top, x - left)]

    def reduced(self, factor: int) -> Gray:
        """Gray of the whole plane, averaged over blocks of `factor` px."""
        height, width = self.shape
        across = max(1, _ACROSS // factor) * factor
        down = max(1, _BAND // (min(width, across) * factor)) * factor
        # one column of blocks after the other: chunks of files are used while they last
        columns = [
            [
                _block_mean(self.gray((rows, part)), factor)
                for rows in _cut(height, down)
            ]
            for part in _cut(width, across)
        ]
        return np.concatenate([np.concatenate(each) for each in columns], axis=1)


def _cut(length: int, side: int) -> list[slice]:
    return [slice(at, min(at + side, length)) for at in range(0, length, side)]


def reflect(positions: range, length: int) -> npt.NDArray[np.intp]:
    """Mirror positions at the first and last px, into 0 ... length - 1."""
    if length == 1:
        return np.zeros(len(positions), np.intp)
    period = 2 * length - 2
    folded = np.arange(positions.start, positions.stop) % period
    return np.minimum(folded, period - folded).astype(np.intp)


def _block_mean(gray: Gray, factor: int) -> Gray:
    """Mean over blocks; blocks at the far borders may be smaller."""
    if factor == 1:
        return gray
    height, width = gray.shape
    sums = block_sums(block_sums(gray, factor).T, factor).T
    tall = np.diff([*range(0, height, factor), height])
    wide = np.diff([*range(0, width, factor), width])
    means: Gray = (sums / np.outer(tall, wide)).astype(np.float32)
    return means


def block_sums(values: npt.NDArray[Any], factor: int) -> npt.NDArray[np.float64]:
    """Sum `factor` rows each, at the end fewer; 10 times as fast as `reduceat`."""
    whole = len(values) // factor
    blocks = values[: whole * factor].reshape(whole, factor, values.shape[1])
    sums: npt.NDArray[np.float64] = blocks.sum(1, dtype=np.float64)
    if rest := len(values) - whole * factor:
        last = values[-rest:].sum(0, keepdims=True, dtype=np.float64)
        sums = np.concatenate([sums, last])
    return sums
