"""Arrays of any origin, as they are given: checked, and read in parts."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from napari_colorgan.arrays import Array
from napari_colorgan.errors import BadArray, BadImageFile, ColorSource
from napari_colorgan.inference.intensity import has_color
from napari_colorgan.job import is_out_of_memory


def as_array(array: Any, name: str) -> Any:
    """Return `array` itself if it is like numpy's, otherwise numpy's view of it.

    Raises
    ------
    BadArray
        It is something else.
    """
    if isinstance(array, str | PathLike):
        raise BadArray(
            f"{name} is a path: {str(array)!r}. Open it and give its array, or use "
            "colorize_file."
        )
    if isinstance(array, type):
        raise BadArray(f"{name} is the class {array.__name__}. Give an array.")
    if hasattr(array, "dims") and hasattr(array, "data"):  # xarray's names for numpy's
        array = array.data
    if hasattr(array, "shape") and isinstance(getattr(array, "dtype", None), np.dtype):
        return array
    try:
        return np.asarray(array)
    except (ValueError, TypeError, RuntimeError) as error:
        raise BadArray(f"{name} cannot be read as an array: {error}.") from error


def check_chunks(array: Any) -> None:
    """Raise `BadArray` if it is not known how large an array or its chunks are."""
    chunks = getattr(array, "chunks", None) or ()
    sizes = [*getattr(array, "shape", ()), *(n for each in chunks for n in _all(each))]
    if any(size != size for size in sizes):  # NaN
        raise BadArray(
            "The sizes of the array's chunks are unknown, so its windows cannot be "
            "laid. Call its method compute_chunk_sizes() first."
        )


def _all(sizes: Any) -> Sequence[float]:
    return sizes if isinstance(sizes, tuple) else (sizes,)  # zarr: the same for all


def in_order(array: Any, order: tuple[int, ...]) -> Any:
    """Return an array, or a view of it, with its axes in another order."""
    if order == tuple(range(len(order))):
        return array
    if not hasattr(array, "transpose"):  # zarr arrays cannot be transposed, views can
        import dask.array

        array = dask.array.from_array(array)
    return array.transpose(order)


def unmasked(array: "np.ma.MaskedArray[Any, Any]") -> Array:
    """Return an array whose masked values are NaN, and so are masked in the result."""
    if not np.ma.is_masked(array):
        return np.asarray(array)
    values = np.asarray(array.data, np.promote_types(array.dtype, np.float32))
    return np.where(np.ma.getmaskarray(array), np.nan, values)


def read_part(array: Any, part: Any, name: str) -> Array:
    """Read part of an array of any origin, such as a file that may be gone by now.

    Parameters
    ----------
    part : an index as numpy's
    name : what errors call the array

    Raises
    ------
    BadImageFile
        Its file has become shorter.
    BadArray
        It cannot be read, for any other reason.
    """
    try:
        values = np.asarray(array[part])
        if values.dtype.kind not in "buif":
            raise TypeError(f"it gives {values.dtype}, not numbers")
        return values
    except BadImageFile:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        cause = str(error).strip().split("\n")[0] or type(error).__name__
        raise BadArray(
            f"{name} cannot be read: {cause.rstrip('.')}. Check that its file is still "
            "where it was and whole, then open it again."
        ) from error


def equal_sample(values: Array, white: float, name: str) -> Array:
    """Return one of the samples (..., Y, X) of RGB (..., Y, X, 3 or 4).

    Parameters
    ----------
    white : largest value of the picture, as far as it was seen
    name : what errors call the array

    Raises
    ------
    ColorSource
        The samples differ.
    """
    if has_color(values, white):
        raise ColorSource(name)
    return values[..., 0]
