"""Colour arrays: jobs for widgets and the command line, plain functions for Python."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from napari_colorgan import __version__
from napari_colorgan.arrays import RGB, Region
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import (
    BadArray,
    BadImageFile,
    BadSetting,
    ColorganWarning,
    OutOfMemory,
)
from napari_colorgan.image_io.tags import NOTE
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.engines import to_be_measured
from napari_colorgan.inference.events import (
    EnginesTried,
    InvalidPixels,
    ModelLoaded,
    PlaneGray,
    TileDone,
)
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.intensity import Limits
from napari_colorgan.inference.palettes import Palette
from napari_colorgan.inference.planes import (
    Wanted,
    hints_within,
    only_planes,
    planes_within,
)
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.steady import plane_in_stack, planes_in_order
from napari_colorgan.inference.tiling import Tiling, rectangles, within
from napari_colorgan.inference.views import paint, prepare
from napari_colorgan.job import STOP, Job, Progress, finish

_GRAY_SIDE = 2048  # px of the pieces converted at once


def colorizer_job(
    model: str | Path | Checkpoint | ColorizerSettings = zoo.DEFAULT, **options: Any
) -> Job[Colorizer]:
    """Load a model and put it on a device.

    Parameters
    ----------
    model : settings; or a model, for which `options` are those of `ColorizerSettings`

    Raises
    ------
    UnknownModel, CheckpointError, BadSetting, TileTooSmall
    """
    settings = ColorizerSettings.of(model, **options)
    if (metadata := to_be_measured(settings)) is not None:
        yield EnginesTried(0, 1, metadata.name)
    colorizer = Colorizer(settings)
    name = colorizer.checkpoint.metadata.name
    yield ModelLoaded(0, 1, name, str(colorizer.device), colorizer.note)
    return colorizer


def colorize_job(
    source: Source,
    colorizer: Colorizer,
    *,
    out: Any = None,
    first: tuple[int, ...] | None = None,
    hints: Hints | None = None,
) -> Job[Any]:
    """Colour every plane of `source`, piece by piece.

    Parameters
    ----------
    out : where to write, (..., Y, X, 3) uint8 with numpy's basic indexing; it should
        start as what `gray_canvas_job` makes, for on STOP what is not coloured yet
        stays as it is. Default: such an array is made.
    first : index of the plane to begin with
    hints : colours of places

    Returns
    -------
    `out`; every px is written once, unless memory ran out and a plane was begun again
    with smaller windows. Pixels that are NaN or infinite are black, and a last event
    tells how many.

    Raises
    ------
    OutOfMemory, BadSetting
    """
    if out is None:
        out = yield from gray_canvas_job(source)
    shape = (*source.shape, 3)
    if tuple(out.shape) != shape or out.dtype != np.uint8:
        what = f"{out.dtype} of shape {tuple(out.shape)}"
        raise BadSetting("out", what, f"uint8 of shape {shape}")
    hints = colorizer.checked(hints, source.shape)
    before, left, invalid = 0, source.count, 0
    tiling: Tiling | None = None
    for plane in planes_in_order(source, first):
        here = 0
        told = None if hints is None else hints.of_plane(plane.index)
        loaded = plane.loaded()
        prepared = prepare(loaded, colorizer, tiling, told)
        for piece in paint(loaded, prepared, plane.whole, colorizer):
            out[(*plane.index, *piece.region)] = piece.rgb
            # a plane that is begun again is also counted again
            here = piece.invalid if piece.number == 1 else here + piece.invalid
            tiling = piece.tiling  # the next plane begins with what memory has room for
            done, total = before + piece.number, before + piece.count * left
            event = TileDone(done, total, plane.index, piece.region, tiling)
            if (yield event) is STOP:
                return out
        before, left, invalid = before + piece.count, left - 1, invalid + here
    if invalid:
        yield InvalidPixels(before, before, invalid)
    return out


def colorize(
    array: Any,
    model: str | Path | Checkpoint | ColorizerSettings | Colorizer = zoo.DEFAULT,
    *,
    axes: str | None = None,
    limits: Limits | Sequence[float] | None = None,
    context: Context | None = None,
    device: str = "auto",
    engine: str = "auto",
    tile: int | None = None,
    vividness: float | None = None,
    from_color: bool = False,
    palette: Palette | None = None,
    hints: Hints | None = None,
    saturation: float | None = None,
    warmth: float | None = None,
    steady: float | None = None,
    planes: Wanted = None,
) -> RGB:
    """Colour an array of gray pictures.

    Parameters
    ----------
    array : (..., Y, X) of bool, any integer or any float type; numpy, dask or zarr
    model : a model's name, the path of a checkpoint, a checkpoint; or a colorizer or
        its settings, which decide about context, device, engine, tile, vividness,
        palette, saturation, warmth and steady: these must then be left out
    axes : one letter per dimension, such as ``"TYX"``; default (..., Y, X), or RGB
        samples where the last of three or more dimensions is 3 or 4 long
    limits : gray values of black and white, and optionally gamma; default the full
        range of bool and uint8, otherwise the 0.1 and 99.9 % percentiles of a sample
        of the whole array
    context : `whole` (the plane resized once, for photographs) or `local` (windows at
        native resolution, for micrographs); default the model's own
    device : `auto`, `cpu`, `cuda` or `mps`
    engine : what computes, see `ColorizerSettings`
    tile : side of a `local` window in px; default 1152
    vividness : 0 (cautious: pale where the model is in doubt) to 1 (vivid), for models
        that know their doubts; default the model's own
    from_color : start from the lightness of a picture that has colour
    palette : which colours there are, such as those of a reference (`Palette.of`), for
        models that take one
    hints : colours of places, for models that take them
    saturation, warmth : all colours stronger (0 to 2, default 1), or as in warmer light
        (-1 to 1, default 0), for models that keep lightness
    steady : how much colours stay from plane to plane of T or Z, 0 (default) to 1
    planes : a slice or a range along the first leading axis, or a tuple of them, one
        for each; default all. Limits are measured on all, and `hints` count all

    Returns
    -------
    (..., Y, X, 3) uint8, sRGB

    Raises
    ------
    ColorganError
        One of its children, saying what was found, what was expected and what to do.

    Warns
    -----
    ColorganWarning
        Some pixels are NaN or infinite; they are black in the result.
    """
    source = Source.of(array, axes=axes, limits=limits, from_color=from_color)
    chosen = planes_within(planes, source.leading)
    options: dict[str, Any] = {
        "context": context,
        "device": None if _is_auto(device) else device,
        "engine": None if _is_auto(engine) else engine,
        "tile": tile,
        "vividness": vividness,
        "palette": palette,
        "saturation": saturation,
        "warmth": warmth,
        "steady": steady,
    }
    given = {name: value for name, value in options.items() if value is not None}
    if not isinstance(model, ColorizerSettings | Colorizer):
        model = ColorizerSettings(model=model, **given)
    elif given:
        name, value = given.popitem()
        kind = type(model).__name__
        raise BadSetting(name, value, f"left out, or said when the {kind} is made")
    colorizer = _loaded(model)
    told = hints_within(colorizer.checked(hints, source.shape), chosen)
    source = only_planes(source, chosen)
    try:
        out = np.empty((*source.shape, 3), np.uint8)  # for nothing stops this
    except (MemoryError, ValueError):  # ValueError: more than can be counted
        size = " x ".join(map(str, source.shape))
        raise OutOfMemory(
            f"A result of {size} px does not fit into memory. Colour some of its "
            "planes, or all of it with colorize_lazy or into a .zarr."
        ) from None
    result: RGB = finish(colorize_job(source, colorizer, out=out, hints=told), _warn)
    return result


def colorize_region(
    source: Source | Any,
    model: str | Path | Checkpoint | ColorizerSettings | Colorizer,
    region: Region,
    index: tuple[int, ...] = (),
    hints: Hints | None = None,
) -> RGB:
    """Colour part of one plane as it would be within the whole, reading what it needs.

    In `whole` context, a colorizer predicts once for all regions of a plane.

    Parameters
    ----------
    source : a source, or an array as for `colorize`
    model : a colorizer for several regions; or what one can be made of
    region : slices of rows and columns with start and stop in px
    index : of the plane along the leading axes
    hints : colours of places

    Returns
    -------
    (Y, X, 3) uint8
    """
    sides = region if isinstance(region, tuple | list) else ()
    if len(sides) != 2 or not all(map(_is_span, sides)):
        expected = "slices of rows and columns with start and stop in px"
        raise BadSetting("region", region, expected)
    if not isinstance(source, Source):
        source = Source.of(source)
    return finish(region_job(source, _loaded(model), region, index, hints))


def region_job(
    source: Source,
    colorizer: Colorizer,
    region: Region,
    index: tuple[int, ...],
    hints: Hints | None = None,
) -> Job[RGB]:
    """Colour part of one plane as `colorize_region` does; on STOP the rest is black."""
    plane = plane_in_stack(source, index)
    (top, bottom, _), (left, right, _) = (
        part.indices(length) for part, length in zip(region, plane.shape, strict=True)
    )
    out = np.zeros((max(0, bottom - top), max(0, right - left), 3), np.uint8)
    if not out.size:
        return out
    part = (slice(top, bottom), slice(left, right))
    hints = colorizer.checked(hints, source.shape)
    told = None if hints is None else hints.of_plane(plane.index)
    prepared = prepare(plane, colorizer, hints=told)
    for piece in paint(plane, prepared, part, colorizer):
        out[within(part, piece.region)] = piece.rgb
        done, total = piece.number, piece.count
        if (yield TileDone(done, total, index, piece.region, piece.tiling)) is STOP:
            break
    return out


def gray_canvas_job(source: Source) -> Job[RGB]:
    """Every plane in gray, as RGB (..., Y, X, 3) uint8: a result before it has colour.

    On STOP the planes that are left stay black, as do those that cannot be read: what
    colours them says why, after those before them.

    Raises
    ------
    BadArray
        No plane can be read.
    """
    out = np.zeros((*source.shape, 3), np.uint8)
    unread = 0
    for done, plane in enumerate(source.planes(), 1):
        try:
            canvas, loaded = out[plane.index], plane.loaded()
            for region in rectangles(plane.whole, _GRAY_SIDE):
                gray = (loaded.gray(region) * 255).round().astype(np.uint8)
                canvas[region] = gray[..., None]
        except (BadArray, BadImageFile):
            unread += 1
            if unread == source.count:
                raise
        if (yield PlaneGray(done, source.count)) is STOP:
            break
    return out


def record_of(
    source: Source,
    colorizer: Colorizer,
    name: str,
    last: TileDone | None = None,
    hints: Hints | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return how a result was made, for its file or its layer.

    Parameters
    ----------
    name : of what was coloured
    hints : that were given; they stand in the record as `Hints.from_csv` reads them
    last : event of `colorize_job`; None if nothing is coloured yet
    more : what else there is to say, or instead
    """
    record = {"note": NOTE, "version": __version__} | colorizer.used()
    if last is not None and last.tiling is not None:
        record["tile"] = last.tiling.window
    if hints is not None:
        record["hints"] = hints.to_csv()
    return record | {
        "source": name,
        "used": "lightness" if source.channels == "color" else "gray values",
        "limits": (source.limits.low, source.limits.high),
        "gamma": source.limits.gamma,
        "inverted": source.limits.inverted,
        "complete": last is not None and last.done == last.total,
        **more,
    }


def _is_auto(wish: Any) -> bool:
    return isinstance(wish, str) and wish == "auto"


def _is_span(part: Any) -> bool:
    """Whether this is a slice of whole numbers, or None."""
    if not isinstance(part, slice) or part.step not in (None, 1):
        return False
    ends = (part.start, part.stop)
    return all(end is None or isinstance(end, int | np.integer) for end in ends)


def _loaded(
    model: str | Path | Checkpoint | ColorizerSettings | Colorizer,
) -> Colorizer:
    return model if isinstance(model, Colorizer) else finish(colorizer_job(model))


def _warn(event: Progress) -> None:
    if isinstance(event, InvalidPixels):
        warnings.warn(str(event), ColorganWarning, stacklevel=4)
