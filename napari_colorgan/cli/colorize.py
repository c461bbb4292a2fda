"""`colorgan colorize`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from napari_colorgan.checkpoints import zoo
from napari_colorgan.cli._options import (
    ContextChoice,
    Device,
    ModelName,
    Vividness,
    given,
)
from napari_colorgan.cli._run import Run
from napari_colorgan.cli._terminal import say, say_notes
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.batch import (
    BatchProgress,
    color_many_job,
    expanded,
    is_folder,
)
from napari_colorgan.inference.files import Choices, color_file_job
from napari_colorgan.inference.hints import Hints, read_hints
from napari_colorgan.inference.palettes import PRESETS, Palette, read_palette
from napari_colorgan.inference.settings import ENGINES, ColorizerSettings

_LISTED = ", ".join(PRESETS)


def colorize(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN...",
            help="PNG, JPEG, TIFF, WebP, BMP, GIF or zarr; or several, folders of "
            "them, or a pattern such as 'scans/*.tif'.",
        ),
    ],
    result: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="PNG, JPEG, TIFF or .zarr (OME-Zarr); stacks: TIFF or .zarr. For "
            "several: a folder, made if there is none; names stay, types where they "
            "can be written.",
        ),
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
    engine: Annotated[
        str,
        typer.Option(
            help=f"What computes: {', '.join(ENGINES)}. Default: in windows what is "
            "fastest here, else torch."
        ),
    ] = "auto",
    tile: Annotated[
        int | None, typer.Option(help="Side of a local window in px (1152).")
    ] = None,
    vividness: Vividness = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE",
            help="A colour picture with the colours that IN should have, somewhere.",
        ),
    ] = None,
    palette: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Instead of a reference, colours that come along: {_LISTED}.",
        ),
    ] = None,
    tint: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="A B",
            help="Or a mean colour, in Lab: from green to red, from blue to yellow.",
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(
            help="How likely it is that these fit, 0 to 1 (0.5, a tint 1); 1: of the "
            "same slide."
        ),
    ] = None,
    hints: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Colours of places: columns axis-0, axis-1, color (#c04020), radius; "
            "such as napari saves of points, with a colour for each; from-0, to-0: "
            "planes of a stack.",
        ),
    ] = None,
    saturation: Annotated[
        float, typer.Option(help="All colours stronger or paler, 0 to 2.")
    ] = 1.0,
    warmth: Annotated[
        float, typer.Option(help="Warmer or colder light, -1 to 1.")
    ] = 0.0,
    steady: Annotated[
        float,
        typer.Option(
            help="How much colours stay from plane to plane of T or Z, where the gray "
            "does, 0 to 1."
        ),
    ] = 0.0,
    planes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="A:B",
            help="Of a stack, only the planes A to B, counted from 0; once for each of "
            "several axes.",
        ),
    ] = None,
    from_color: Annotated[
        bool, typer.Option("--from-color", help="Use the lightness of a colour IN.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace OUT, or results in it.")
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Let the workers of a Dask cluster colour: what `dask scheduler` "
            "prints, such as tcp://10.0.0.1:8786. Extra: cluster.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with an OUT that was begun, .zarr or .tif; of many: as "
            "--skip-existing.",
        ),
    ] = False,
    skip: Annotated[
        bool,
        typer.Option(
            "--skip-existing", help="Of many: go on with those that have no result yet."
        ),
    ] = False,
) -> None:
    """Colour a gray image or stack, or many into a folder.

    Ctrl-C keeps what is coloured by then and leaves the rest gray; of many, those that
    are finished. What cannot be coloured is named at the end (exit code 1).
    """
    choices = Choices(axes, limits, from_color, force, read_planes(planes), resume)
    zoo.find(model)  # quick to say that there is none
    settings = ColorizerSettings(
        model=model,
        context=context,
        device=device,
        engine=engine,
        tile=tile,
        vividness=vividness,
        saturation=saturation,
        warmth=warmth,
        steady=steady,
        palette=_palette_of(reference, palette, tint, strength),
    )
    told = None if hints is None else read_hints(hints)
    matched = expanded(sources)
    # one file and a folder, for a pattern of the shell may match one file only
    into_folder = matched != sources or (result.is_dir() and not result.suffix)
    sources = matched
    if len(sources) > 1 or is_folder(sources[0]) or into_folder:
        for option, value in {"--hints": hints, "--scheduler": scheduler}.items():
            if value is not None:
                raise BadSetting(option, str(value), "left out for several pictures")
        _colorize_many(sources, result, choices, settings, skip=skip or resume)
    else:
        _colorize_one(sources[0], result, choices, settings, told, scheduler)


def read_planes(options: list[str] | None) -> tuple[slice | range, ...] | None:
    """Read values of --planes: the first and the last plane along an axis."""
    if not options:
        return None
    parts: list[slice | range] = []
    for option in options:
        first, _, last = option.partition(":")
        try:
            start, stop = int(first or 0), int(last) + 1 if last else None
        except ValueError:
            start, stop = -1, None
        if ":" not in option or start < 0 or (stop is not None and stop <= start):
            expected = "the first and the last plane, such as 3:7, counted from 0"
            raise BadSetting("--planes", option, expected)
        parts.append(slice(start, None) if stop is None else range(start, stop))
    return tuple(parts)


def _palette_of(
    reference: Path | None,
    preset: str | None,
    tint: tuple[float, float] | None,
    strength: float | None,
) -> Palette | None:
    """Return the palette that was asked for, in whichever way."""
    asked = {"--reference": reference, "--palette": preset, "--tint": tint}
    named = given(**asked)
    if len(named) > 1:
        option, value = named.popitem()
        raise BadSetting(option, value, f"left out beside {', '.join(named)}")
    if strength is not None and not named:
        expected = f"used together with {', '.join(asked)}"
        raise BadSetting("--strength", strength, expected)
    believed = given(strength=strength)
    if reference is not None:
        return read_palette(reference, **believed)
    if preset is not None:
        return Palette.preset(preset, **believed)
    return None if tint is None else Palette.tinted(*tint, **believed)


def _colorize_one(
    source: Path,
    result: Path,
    choices: Choices,
    settings: ColorizerSettings,
    hints: Hints | None,
    scheduler: str | None,
) -> None:
    with Run("Colouring") as run:
        job = color_file_job(
            source, result, settings, choices, hints, scheduler=scheduler
        )
        outcome = run.finish(job)
        gray, colorizer, last = outcome.gray, outcome.colorizer, outcome.last
        say_notes([*outcome.notes, colorizer.note])
        if outcome.had_all:
            say(f"'{result}' is complete already.")
            return
        used = "its lightness" if gray.channels == "color" else "gray values"
        say(
            f"'{result}': {' x '.join(map(str, gray.shape))} px, {_by(colorizer)} from "
            f"{used} {gray.limits.low:g} (black) to {gray.limits.high:g} (white)."
        )
        if last is not None and outcome.grows:
            share = f"{last.done / last.total:.0%} is finished"
            run.exit_if_stopped(f"{share}, the rest is black; --resume goes on with it")
        elif last is not None:
            run.exit_if_stopped(
                f"{last.done} of {last.total} tiles are coloured, the rest is gray"
            )


def _colorize_many(
    sources: list[Path],
    out: Path,
    choices: Choices,
    settings: ColorizerSettings,
    *,
    skip: bool,
) -> None:
    with Run("Colouring") as run:
        job = color_many_job(sources, out, settings, choices, skip=skip)
        outcome = run.finish(job, shown=BatchProgress)
        if not outcome.count:
            say(f"'{out}' has all results already.")
            return
        say_notes([*outcome.notes, outcome.colorizer.note])
        by = _by(outcome.colorizer)
        say(f"'{out}': {outcome.done} of {outcome.count} pictures, {by}.")
        for failure in outcome.failures:
            say(f"Not coloured: {failure}", err=True)
        run.exit_if_stopped(f"'{out}' holds the pictures that were finished")
    if outcome.failures:
        raise typer.Exit(1)


def _by(colorizer: Any) -> str:
    settings = colorizer.settings
    return (
        f"coloured by '{settings.model}' ({settings.context} context, "
        f"{settings.device}, {settings.engine})"
    )
