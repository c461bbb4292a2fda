"""Colour one file into another, whole in memory or chunk by chunk."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.inference.events import InvalidPixels, TileDone
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import STOP, Job, Progress, finish

if TYPE_CHECKING:  # torch
    from napari_colorgan.checkpoints.store import Checkpoint
    from napari_colorgan.inference.colorizer import Colorizer


@dataclass(frozen=True, slots=True)
class Choices:
    """How pictures are read, and whether results are replaced or gone on with."""

    axes: str | None = None
    limits: tuple[float, float] | None = None
    from_color: bool = False
    force: bool = False
    resume: bool = False

    def read(self, source: Path) -> tuple[Any, Any]:
        """Read a picture: its `ImageFile`, and its `Source`."""
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
    """What became of a picture."""

    gray: Any
    """Its `Source`."""
    notes: list[str] = field(default_factory=list)
    colorizer: Any = None
    last: TileDone | None = None
    """Of the events of pieces; None if nothing was left to be coloured."""
    grows: bool = False
    """Whether the result is written chunk by chunk."""

    @property
    def is_complete(self) -> bool:
        """Whether all of it is coloured."""
        return self.last is None or self.last.done == self.last.total

    def note(self, event: Progress) -> None:
        """Remember what an event tells."""
        if isinstance(event, InvalidPixels):
            self.notes.append(f"{event}")
        elif isinstance(event, TileDone):
            self.last = event


def color_file_job(
    source: Path,
    result: Path,
    settings: "ColorizerSettings | Colorizer",
    choices: Choices,
    hints: Hints | None = None,
    *,
    keep_parts: bool = True,
) -> Job[FileOutcome]:
    """Colour a picture of a file or store into another.

    Zarr stores and TIFFs of more than 64 megapixels a plane are written chunk by chunk:
    they may be larger than memory, and what is finished is kept on STOP. Of others the
    rest is then gray.

    Parameters
    ----------
    keep_parts : keep those others, too, if anything is coloured

    Raises
    ------
    ColorganError
    Stopped
        On STOP, and nothing is kept.
    """
    from napari_colorgan.image_io.begun import grows

    image, gray = choices.read(source)
    if result.exists() and result.samefile(source):
        raise BadImageFile(
            f"'{result}' is the picture to be coloured, which would be lost. Give "
            "another name for the result."
        )
    outcome = FileOutcome(gray, list(image.notes))
    outcome.grows = grows(result, gray.shape, resume=choices.resume)
    write = _grow_job if outcome.grows else _write_job
    job = write(image, outcome, source.name, result, settings, choices, hints)
    answer = None
    try:
        while True:
            event = job.send(answer)
            outcome.note(event)
            answer = yield event
            if answer is STOP and not (keep_parts or outcome.grows):
                if not outcome.is_complete or outcome.last is None:
                    raise Stopped(f"'{result}' is not written.")
    except StopIteration:
        return outcome
    finally:
        job.close()


def _write_job(
    image: Any,
    outcome: FileOutcome,
    name: str,
    result: Path,
    settings: "ColorizerSettings | Colorizer",
    choices: Choices,
    hints: Hints | None,
) -> Job[None]:
    """Write a result that appears when it is complete, or as far as it got."""
    from napari_colorgan.image_io import ResultFile, check_output
    from napari_colorgan.inference.colorize import record_of

    gray = outcome.gray
    check_output(result, gray.shape, force=choices.force)
    with ResultFile(
        result,
        gray.shape,
        gray.axes.leading,
        image.pixel_size,
        tags=image.tags,
        made={"complete": False},
    ) as file:
        outcome.colorizer = yield from _loaded_job(settings)
        yield from color_into_job(gray, outcome.colorizer, file.array, hints)
        if outcome.last is None:
            raise Stopped(
                f"Stopped: nothing was coloured, '{result}' is not written."
            )
        file.made = record_of(gray, outcome.colorizer, name, outcome.last, hints)


def _grow_job(
    image: Any,
    outcome: FileOutcome,
    name: str,
    result: Path,
    settings: "ColorizerSettings | Colorizer",
    choices: Choices,
    hints: Hints | None,
) -> Job[None]:
    """Write a result chunk by chunk, or go on with it."""
    from napari_colorgan.image_io.begun import check_growing, open_growing
    from napari_colorgan.inference.colorize import record_of
    from napari_colorgan.inference.filling import digest_of, fill_job

    gray, leading = outcome.gray, outcome.gray.axes.leading
    ways = {"force": choices.force, "resume": choices.resume}
    check_growing(result, leading, **ways)
    outcome.colorizer = colorizer = yield from _loaded_job(settings)
    made = record_of(gray, colorizer, name, None, hints, picture=digest_of(gray))
    file = open_growing(
        result,
        gray.shape,
        leading,
        image.pixel_size,
        tags=image.tags,
        made=made,
        resume=choices.resume,
    )
    if file is None:
        return
    with file:
        if (yield from fill_job(gray, colorizer, file, hints)):
            file.complete(made | {"complete": True})


def _loaded_job(settings: "ColorizerSettings | Colorizer") -> "Job[Colorizer]":
    from napari_colorgan.inference.colorize import colorizer_job

    if isinstance(settings, ColorizerSettings):
        return (yield from colorizer_job(settings))
    return settings


def color_into_job(
    gray: Any, colorizer: Any, out: Any, hints: Hints | None = None
) -> Job[None]:
    """Colour into `out`, which becomes gray first.

    This is done plane by plane, for `out` may be larger than memory.
    """
    from napari_colorgan.inference.colorize import colorize_job, gray_canvas_job

    for plane in gray.planes():
        of_plane = replace(gray, array=gray.array[plane.index])
        out[plane.index] = finish(gray_canvas_job(of_plane))
        if (yield Progress(0, 1)) is STOP:
            return
    yield from colorize_job(gray, colorizer, out=out, hints=hints)


def colorize_file(
    source: Path | str,
    result: Path | str,
    model: "str | Path | Checkpoint | ColorizerSettings | Colorizer | None" = None,
    *,
    axes: str | None = None,
    limits: Sequence[float] | None = None,
    from_color: bool = False,
    hints: Hints | None = None,
    force: bool = False,
    resume: bool = False,
    **options: Any,
) -> Path:
    """Colour a picture of a file into another file, which may be larger than memory.

    Parameters
    ----------
    source : PNG, JPEG, TIFF, WebP, BMP, GIF; OME-Zarr 0.4 or 0.5, or a zarr array
    result : ends in .png, .jpg, .tif, .ome.tif or .zarr (OME-Zarr 0.5 with a pyramid).
        A TIFF of more than 64 megapixels a plane has tiles and a pyramid
    model : a model's name, the path of a checkpoint, a checkpoint, settings or a
        colorizer; default `natural`
    axes : one letter per dimension, such as ``"TYX"``, if the file is unclear
    limits : gray values of black and white
    from_color : start from the lightness of a picture that has colour
    hints : colours of places
    force : replace `result`
    resume : go on with a `result` that ends in .zarr or .tif, if it was begun with the
        same settings; chunks that are finished are not coloured again
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

    if not isinstance(model, Colorizer):
        chosen = {} if model is None else {"model": model}
        if isinstance(model, ColorizerSettings):
            model = ColorizerSettings.of(model, **options)
        else:
            model = ColorizerSettings(**chosen, **options)
    between = None if limits is None else (float(limits[0]), float(limits[1]))
    choices = Choices(axes, between, from_color, force, resume)
    path = Path(result)
    finish(color_file_job(Path(source), path, model, choices, hints))
    return path
