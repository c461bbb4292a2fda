"""A coloured array that is computed where and when it is looked at, by Dask."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from napari_colorgan.checkpoints import zoo
from napari_colorgan.declared import plain
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.given import equal_sample
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.intensity import Limits, lightness
from napari_colorgan.inference.lazy_graph import Chunks, Planner
from napari_colorgan.inference.lazy_tasks import Work
from napari_colorgan.inference.planes import (
    Wanted,
    cut_out,
    hints_within,
    only_planes,
    planes_within,
)
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.tiling import spans
from napari_colorgan.inference.travelling import TravellingModel

_SIDE = 1024  # px; about that of chunks, unless windows or the input say otherwise
_LEAST_SIDE, _LARGEST_SIDE = 16, 1 << 20  # px


def colorize_lazy(
    array: Any,
    model: str | Path | ColorizerSettings | Colorizer = zoo.DEFAULT,
    *,
    axes: str | None = None,
    limits: Limits | Sequence[float] | None = None,
    from_color: bool = False,
    hints: Hints | None = None,
    planes: Wanted = None,
    chunks: int | tuple[int, int] | None = None,
    **options: Any,
) -> Any:
    """Colour gray pictures lazily: a Dask array with the pixels of `colorize`.

    What all of a plane decides is found out by tasks of their own, each window is
    predicted once for all chunks that it has a part in, and any scheduler may compute
    it: Dask's threads or processes, or `distributed`. A model travels as its name and
    path; workers that were started as processes compute with one thread of torch each.
    What is found to be no number is black, without a warning.

    Parameters
    ----------
    array : (..., Y, X) of bool, any integer or any float type; dask, zarr or numpy. Its
        chunks may be of any sizes, if these are known
    model : a model's name, the path of a checkpoint, or settings of these; of a
        colorizer, its settings. `engine` is `torch` unless one is asked for
    axes, limits, from_color, hints, planes : as for `colorize`; default limits are
        found from a sample, which is computed at once
    chunks : rows and columns of the result's chunks in px. Default: in `local` context
        how far windows are apart, so that four windows make a chunk; in `whole`, those
        of the array, or about 1024
    options : the other settings, see `ColorizerSettings`

    Returns
    -------
    Dask array (..., Y, X, 3) uint8, sRGB; one plane a chunk

    Raises
    ------
    ColorganError
        One of its children. What depends on a worker, such as a model that it lacks, is
        raised where the array is computed.
    """
    if isinstance(model, Colorizer):
        if options:
            name, value = options.popitem()
            raise BadSetting(name, value, "left out, or said when it is made")
        settings, colorizer = model.settings, model
        settings = replace(settings, engine="torch")  # which was measured, not wished
    else:
        settings = ColorizerSettings.of(model, **options)
        engine = "torch" if settings.engine == "auto" else settings.engine
        colorizer = Colorizer(replace(settings, engine=engine))
    source = Source.of(array, axes=axes, limits=limits, from_color=from_color)
    chosen = planes_within(planes, source.leading)
    hints = hints_within(colorizer.checked(hints, source.shape), chosen)
    source = only_planes(source, chosen)
    travelling = TravellingModel.of(settings, colorizer)
    plan = planned(source, travelling, colorizer, hints=hints, chunks=chunks)
    return as_array(plan)


def planned(
    source: Source,
    model: TravellingModel,
    colorizer: Colorizer,
    *,
    hints: Hints | None = None,
    chunks: int | tuple[int, int] | None = None,
) -> Planner:
    """Return the plan of what `colorize_lazy` computes, for a source that was checked.

    Parameters
    ----------
    colorizer : of the model
    hints : checked

    Raises
    ------
    BadSetting
        Colours are to be steady: planes are then no tasks of their own.
    """
    from dask.base import tokenize

    source = cut_out(source)
    if (steady := colorizer.settings.steady) != 0:
        expected = "0 here, for Dask colours planes one by one, in any order"
        raise BadSetting("steady", steady, expected)
    sides = _sides(source, colorizer, chunks)
    gray, again, source = _gray(source, sides)
    work = Work(model, replace(source, array=None))
    told = None if hints is None else (hints.to_csv(), hints.points)
    parts = (gray.name, work, colorizer.tiling, told, sides)
    name = f"colors-{tokenize(*parts)}"
    return Planner(name, work, colorizer, Chunks(gray), Chunks(again), hints, sides)


def as_array(plan: Planner) -> Any:
    """Return the Dask array of a plan, (..., Y, X, 3) uint8."""
    import dask.array
    from dask.highlevelgraph import HighLevelGraph

    tasks = plan.graph(plan.painted())
    dependencies = [plan.gray.array, plan.again.array]
    graph = HighLevelGraph.from_collections(plan.name, tasks, dependencies)
    return dask.array.Array(graph, plan.name, plan.chunks, dtype=np.uint8)


def _gray(source: Source, sides: tuple[int, int]) -> tuple[Any, Any, Source]:
    """Return Dask arrays of gray (..., Y, X), for two readings, and their source.

    What can be read again need not be kept from the first reading to the second.
    """
    import dask.array

    array = source.array
    if isinstance(array, dask.array.Array):
        gray = again = array
    else:
        leading = (1,) * len(source.leading)
        samples = array.shape[len(leading) + 2 :]
        shape = (*leading, *map(_own_side, sides, _chunks_of(array, source)), *samples)
        gray = again = dask.array.from_array(array, shape, name=False)
        if not isinstance(array, np.ndarray):
            again = dask.array.from_array(array, shape, name=False)
    if source.channels == "none":
        return gray, again, source
    as_gray: Any = partial(lightness, limits=source.limits)
    meta = np.empty((0,) * (gray.ndim - 1), np.float32)
    if source.channels == "equal":
        if source.white is None:
            gray, again = gray[..., 0], again[..., 0]
            return gray, again, replace(source, channels="none")
        as_gray = partial(equal_sample, white=source.white, name=source.name)
        meta = meta.astype(gray.dtype)
    gray, again = (
        each.rechunk({-1: -1}).map_blocks(as_gray, drop_axis=-1, meta=meta)
        for each in (gray, again)
    )
    if source.channels == "color":
        source = replace(source, limits=Limits(0.0, 1.0))
    return gray, again, replace(source, channels="none", white=None)


def _chunks_of(array: Any, source: Source) -> tuple[int, int]:
    """Rows and columns in a chunk of an array; 1 if it has none."""
    chunks = getattr(array, "chunks", getattr(array, "sides", None))
    if not chunks or not all(isinstance(size, int) for size in chunks):
        return 1, 1
    height, width = chunks[len(source.leading) :][:2]
    return int(height), int(width)


def _own_side(wanted: int, own: int) -> int:
    """Return the multiple of an array's own side that is nearest to the wanted one."""
    return max(1, round(wanted / own)) * own


def _sides(
    source: Source, colorizer: Colorizer, chunks: int | tuple[int, int] | None
) -> tuple[int, int]:
    """Rows and columns of a chunk of the result, px."""
    if chunks is not None:
        given = chunks if isinstance(chunks, tuple | list) else (chunks, chunks)
        sides = [plain(side) for side in given]
        if len(sides) != 2 or not all(_is_side(side) for side in sides):
            expected = f"{_LEAST_SIDE} px or more, or such rows and columns"
            raise BadSetting("chunks", chunks, expected)
        return sides[0], sides[1]
    if colorizer.context == "local":
        steps = [_step(colorizer, length) for length in source.plane_shape]
        return steps[0], steps[1]
    array = source.array
    known = getattr(array, "chunksize", None)
    own = known[len(source.leading) :][:2] if known else _chunks_of(array, source)
    height, width = (_own_side(_SIDE, each) if each < _SIDE else _SIDE for each in own)
    return height, width


def _is_side(side: Any) -> bool:
    return type(side) is int and _LEAST_SIDE <= side <= _LARGEST_SIDE


def _step(colorizer: Colorizer, length: int) -> int:
    """How far windows are apart along a side, px."""
    first, *others = spans(length, colorizer.tiling, colorizer.stride)
    return others[0].read.start - first.read.start if others else length
