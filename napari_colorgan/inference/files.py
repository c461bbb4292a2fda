"""Colour one file into another, whole in memory or chunk by chunk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_colorgan.checkpoints import zoo
from napari_colorgan.declared import path_of
from napari_colorgan.errors import BadImageFile, BadSetting, Stopped
from napari_colorgan.inference.events import InvalidPixels, TileDone
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.planes import (
    Planes,
    Wanted,
    hints_within,
    only_planes,
    planes_within,
    record_of_planes,
)
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import STOP, Job, Progress, finish

if TYPE_CHECKING:  # torch
    from napari_colorgan.checkpoints.store import Checkpoint
    from napari_colorgan.inference.colorizer import Colorizer

_CHUNKS = 2  # along each side of what a worker of a cluster paints at once


@dataclass(frozen=True, slots=True)
class Choices:
    """How pictures are read, and whether results are replaced or gone on with."""

    axes: str | None = None
    limits: Sequence[float] | None = None
    from_color: bool = False
    force: bool = False
    planes: Wanted = None
    resume: bool = False

    def planes_of(self, gray: Any) -> Planes:
        """Return which planes of a `Source` are to be coloured."""
        return planes_within(self.planes, gray.leading)

    def read(self, source: Path) -> tuple[Any, Any]:
        """Read a picture: its `ImageFile`, and its `Source`, of all planes."""
        from napari_colorgan.image_io import read_image
        from napari_colorgan.inference.source import Source

        image = read_image(source, self.axes, by_blocks=True)
        gray = Source.of(
            image.array,
            axes=image.axes,
            limits=self.limits,
            from_color=self.from_color,
            name=f"'{source}'",
        )
        return image, gray


@dataclass(slots=True)
class FileOutcome:
    """A picture that is coloured, and what becomes of it."""

    image: Any
    """Its `ImageFile`."""
    gray: Any
    """Its `Source`, of the planes that are coloured."""
    source: Path
    result: Path
    said: dict[str, Any]
    """What the record says of planes."""
    hints: Hints | None = None
    """Of these planes."""
    told: Hints | None = None
    """That were given."""
    notes: list[str] = field(default_factory=list)
    colorizer: Any = None
    last: TileDone | None = None
    """Of the events of pieces; None if there were none."""
    grows: bool = False
    """Whether the result is written chunk by chunk."""
    had_all: bool = False
    """Whether it was complete before."""

    @property
    def read_from(self) -> Path:
        """The file that is read, or the folder of the array in a store."""
        path: Path | None = getattr(self.image.array, "path", None)
        return path or self.source

    @property
    def is_complete(self) -> bool:
        """Whether all of it is coloured."""
        last = self.last
        return self.had_all or (last is not None and last.done == last.total)

    def note(self, event: Progress) -> None:
        """Remember what an event tells."""
        if isinstance(event, InvalidPixels):
            self.notes.append(str(event))
        elif isinstance(event, TileDone):
            self.last = event

    def record(self, **more: Any) -> dict[str, Any]:
        """Return how it is coloured, for its file."""
        from napari_colorgan.inference.colorize import record_of

        said = self.said | more
        return record_of(
            self.gray, self.colorizer, self.source.name, self.last, self.told, **said
        )


def color_file_job(
    source: Path,
    result: Path | Callable[[int], Path],
    settings: "ColorizerSettings | Colorizer",
    choices: Choices,
    hints: Hints | None = None,
    *,
    scheduler: str | None = None,
    of_many: bool = False,
) -> Job[FileOutcome]:
    """Colour a picture of a file or store into another.

    Zarr stores and TIFFs of more than 64 megapixels a plane are written chunk by chunk:
    they may be larger than memory, and on STOP what is finished is kept. Of others the
    rest is gray then.

    Parameters
    ----------
    result : or a function that names it for a number of planes
    scheduler : address of a Dask cluster that colours; None: this process does
    of_many : on STOP, keep nothing of those others; go on with what was begun chunk by
        chunk, unless it is replaced

    Raises
    ------
    ColorganError
    Stopped
        On STOP, if nothing is kept.
    """
    from napari_colorgan.image_io.begun import grows, is_begun
    from napari_colorgan.image_io.places import endangered

    image, whole = choices.read(source)
    planes = choices.planes_of(whole)
    gray = only_planes(whole, planes)
    if not isinstance(result, Path):
        result = result(gray.count)
    if of_many:
        choices = replace(choices, resume=is_begun(result) and not choices.force)
    if endangered([result], [source]):
        raise BadImageFile(
            f"'{result}' is the picture to be coloured, or holds it or lies in it, "
            "which would be lost. Choose another name for the result."
        )
    if hints is not None:
        hints.check(whole.shape)
    said = record_of_planes(planes, whole.leading)
    outcome = FileOutcome(image, gray, source, result, said)
    outcome.notes += image.notes
    outcome.told, outcome.hints = hints, hints_within(hints, planes)
    outcome.grows = grows(result, gray.shape, resume=choices.resume)
    if choices.resume and not outcome.grows:
        raise BadImageFile(
            f"'{result}' is of a type that is written at once, so that nothing of it "
            "can be gone on with. Give a name that ends in .zarr or .tif, or leave out "
            "--resume."
        )
    write = _grow_job if outcome.grows else _write_job
    job = write(outcome, settings, choices, scheduler)
    answer = None
    try:
        while True:
            event = job.send(answer)
            outcome.note(event)
            answer = yield event
            if answer is STOP and of_many and not outcome.is_complete:
                kept = "is not finished" if outcome.grows else "is not written"
                raise Stopped(f"'{result}' {kept}.")
    except StopIteration:
        return outcome
    finally:
        job.close()


def _write_job(
    outcome: FileOutcome,
    settings: "ColorizerSettings | Colorizer",
    choices: Choices,
    scheduler: str | None,
) -> Job[None]:
    """Write a result that appears when it is complete, or as far as it got."""
    from napari_colorgan.image_io import ResultFile, check_output

    image, gray, result = outcome.image, outcome.gray, outcome.result
    check_output(result, gray.shape, force=choices.force)
    with ResultFile(
        result,
        gray.shape,
        gray.axes.leading,
        image.pixel_size,
        tags=image.tags,
        made={"complete": False},
    ) as file:
        job = color_job(gray, settings, file.array, outcome.hints, scheduler)
        outcome.colorizer = yield from job
        if outcome.last is None:
            raise Stopped(f"Stopped: nothing was coloured, '{result}' is not written.")
        file.made = outcome.record()


def color_job(
    gray: Any,
    settings: "ColorizerSettings | Colorizer",
    out: Any,
    hints: Hints | None = None,
    scheduler: str | None = None,
) -> Job[Any]:
    """Colour into an array, here or on a cluster; return the colorizer.

    The array becomes gray first.
    """
    from napari_colorgan.inference.colorize import colorize_job

    if scheduler is not None:
        from napari_colorgan.inference.cluster import array_writer, cluster_job

        write, first = array_writer(out), partial(gray_into_job, gray, out)
        how: dict[str, Any] = {"hints": hints, "first": first}
        return (yield from cluster_job(gray, _only(settings), scheduler, write, **how))
    colorizer = yield from _loaded_job(settings)
    yield from gray_into_job(gray, out)
    yield from colorize_job(gray, colorizer, out=out, hints=hints)
    return colorizer


def gray_into_job(gray: Any, out: Any) -> Job[None]:
    """Write every plane in gray, one after the other: all may be more than memory."""
    from napari_colorgan.inference.colorize import gray_canvas_job

    for plane in gray.planes():
        of_plane = replace(gray, array=gray.array[plane.index])
        out[plane.index] = finish(gray_canvas_job(of_plane))
        if (yield Progress(0, 1)) is STOP:
            return


def _grow_job(
    outcome: FileOutcome,
    settings: "ColorizerSettings | Colorizer",
    choices: Choices,
    scheduler: str | None,
) -> Job[None]:
    """Write a result chunk by chunk, or go on with it."""
    from napari_colorgan.image_io.begun import check_growing, open_growing
    from napari_colorgan.inference.allocation import give_back_freed
    from napari_colorgan.inference.filling import digest_of, fill_job

    gray, result, hints = outcome.gray, outcome.result, outcome.hints
    leading = gray.axes.leading
    check_growing(result, leading, force=choices.force, resume=choices.resume)
    if scheduler is not None:
        settings = replace(_only(settings), engine="torch")
    give_back_freed()
    outcome.colorizer = colorizer = yield from _loaded_job(settings)
    image = outcome.image
    made = outcome.record(picture=digest_of(gray, outcome.read_from))
    where = result, gray.shape, leading, image.pixel_size
    file = open_growing(*where, tags=image.tags, made=made, resume=choices.resume)
    if file is None:
        outcome.had_all = True
        return
    with file:
        if scheduler is None:
            yield from fill_job(gray, colorizer, file, hints)
        else:
            from napari_colorgan.inference.cluster import cluster_job

            how: dict[str, Any] = {"hints": hints, "missing": file.lacks}
            how["sides"] = (_CHUNKS * file.chunk, _CHUNKS * file.chunk)
            colors = _only(settings)
            yield from cluster_job(gray, colors, scheduler, file.write, **how)
            file.write_pyramid()
        if not file.pixels:
            raise Stopped(f"Stopped: nothing was coloured, '{result}' is not written.")
        if file.is_finished:
            file.complete(made | {"complete": True})


def _only(settings: "ColorizerSettings | Colorizer") -> ColorizerSettings:
    return settings if isinstance(settings, ColorizerSettings) else settings.settings


def _loaded_job(settings: "ColorizerSettings | Colorizer") -> "Job[Colorizer]":
    from napari_colorgan.inference.colorize import colorizer_job

    if isinstance(settings, ColorizerSettings):
        return (yield from colorizer_job(settings))
    return settings


def colorize_file(
    source: Path | str,
    result: Path | str,
    model: "str | Path | Checkpoint | ColorizerSettings | Colorizer" = zoo.DEFAULT,
    *,
    axes: str | None = None,
    limits: Sequence[float] | None = None,
    from_color: bool = False,
    hints: Hints | None = None,
    force: bool = False,
    resume: bool = False,
    planes: Wanted = None,
    **options: Any,
) -> Path:
    """Colour a picture of a file into another file, which may be larger than memory.

    Parameters
    ----------
    source : PNG, JPEG, TIFF, WebP, BMP, GIF; OME-Zarr 0.4 or 0.5, or a zarr array
    result : ends in .png, .jpg, .tif, .ome.tif or .zarr (OME-Zarr 0.5 with a pyramid).
        A TIFF of more than 64 megapixels a plane has tiles and a pyramid
    model : a model's name, the path of a checkpoint, a checkpoint, settings or a
        colorizer, to which no options may be given
    axes : one letter per dimension, such as ``"TYX"``, if the file is unclear
    limits : gray values of black and white
    from_color : start from the lightness of a picture that has colour
    hints : colours of places
    force : replace `result`
    resume : go on with a `result` that ends in .zarr or .tif, if it was begun with the
        same settings; chunks that are finished are not coloured again
    planes : of a stack, see `colorize`; default all
    options : the other settings, see `ColorizerSettings`

    Returns
    -------
    `result`

    Raises
    ------
    ColorganError
        One of its children, saying what was found, what was expected and what to do.
    """
    from napari_colorgan.inference.colorizer import Colorizer

    expected = "the path of a file or a zarr store"
    paths = [path_of("source", source, expected), path_of("result", result, expected)]
    if not isinstance(model, Colorizer):
        model = ColorizerSettings.of(model, **options)
    if hints is not None and not isinstance(hints, Hints):
        raise BadSetting("hints", hints, "Hints, with points and colors")
    choices = Choices(axes, limits, from_color, force, planes, resume)
    finish(color_file_job(paths[0], paths[1], model, choices, hints))
    return paths[1]
