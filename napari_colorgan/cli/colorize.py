"""`colorgan colorize`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import ContextChoice, Device, ModelName, Vividness
from napari_colorgan.cli._run import Run
from napari_colorgan.errors import BadImageFile
from napari_colorgan.job import STOP, Job, Progress, finish


def colorize(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="PNG, JPEG, TIFF, WebP, BMP or GIF.")
    ],
    result: Annotated[
        Path, typer.Argument(metavar="OUT", help="PNG, JPEG or TIFF; stacks: TIFF.")
    ],
    model: ModelName = zoo.DEFAULT,
    axes: Annotated[
        str | None,
        typer.Option(help="One letter per dimension, such as TYX, if IN is unclear."),
    ] = None,
    limits: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="LOW HIGH",
            help="Gray values of black and white. Default: the full range of 8 bits, "
            "else the 0.1 and 99.9 % percentiles.",
        ),
    ] = None,
    context: ContextChoice = None,
    device: Device = "auto",
    tile: Annotated[
        int | None, typer.Option(help="Side of a local window in px (1024).")
    ] = None,
    vividness: Vividness = None,
    from_color: Annotated[
        bool, typer.Option("--from-color", help="Use the lightness of a colour IN.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace OUT.")] = False,
) -> None:
    """Colour a gray image or stack.

    Ctrl-C keeps what is coloured by then and leaves the rest gray.
    """
    from napari_colorgan.image_io import ResultFile, check_output, read_image
    from napari_colorgan.inference.source import Source

    zoo.find(model)  # quick to say that there is none
    image = read_image(source, axes)
    gray = Source.of(
        image.array,
        axes=image.axes,
        limits=limits,
        from_color=from_color,
        name=f"'{source}'",
    )
    if result.exists() and result.samefile(source):
        raise BadImageFile(
            f"'{result}' is the picture to be coloured, which would be lost. Give "
            "another name for the result."
        )
    check_output(result, gray.shape, force=force)
    from napari_colorgan.inference.colorize import (
        InvalidPixels,
        ModelLoaded,
        TileDone,
        colorizer_job,
    )

    notes, last = list(image.notes), Progress(0, 1)

    def remember(event: Progress) -> None:
        nonlocal last
        if isinstance(event, ModelLoaded) and event.note:
            notes.append(event.note)
        elif isinstance(event, InvalidPixels):
            notes.append(str(event))
        elif isinstance(event, TileDone):
            last = event

    with Run("Colouring") as run:
        with ResultFile(
            result,
            gray.shape,
            gray.axes.leading,
            image.pixel_size,
            tags=image.tags,
            made={"complete": False},
        ) as file:
            loading = colorizer_job(
                model, device=device, context=context, tile=tile, vividness=vividness
            )
            colorizer = run.finish(color_job(gray, loading, file.array), remember)
            if not last.done:
                run.exit_if_stopped(f"nothing was coloured, '{result}' is not written")
            complete = last.done == last.total
            file.made = colorizer.record(gray, source.name, complete=complete)
        for note in notes:
            typer.echo(f"Note: {note}", err=True)
        settings = colorizer.settings()
        used = "its lightness" if gray.channels == "color" else "gray values"
        typer.echo(
            f"'{result}': {' x '.join(map(str, gray.shape))} px, coloured by "
            f"'{model}' ({settings['context']} context, {settings['device']}) from "
            f"{used} {gray.limits.low:g} (black) to {gray.limits.high:g} (white)."
        )
        run.exit_if_stopped(
            f"{last.done} of {last.total} tiles are coloured, the rest is gray"
        )


def color_job(gray: Any, loading: Job[Any], out: Any) -> Job[Any]:
    """Colour into `out` with what `loading` makes, and return that.

    `out` becomes gray first, plane by plane, for it may be larger than memory.
    """
    from napari_colorgan.inference.colorize import colorize_job, gray_canvas_job

    colorizer = yield from loading
    for plane in gray.planes():
        one = replace(gray, array=gray.array[plane.index])
        out[plane.index] = finish(gray_canvas_job(one))
        if (yield Progress(0, 1)) is STOP:
            return colorizer
    yield from colorize_job(gray, colorizer, out=out)
    return colorizer
