"""The command line: every command reads choices, starts a job and shows its events.

torch, napari and the readers of pictures are imported by the commands that need them,
so that help and lists come at once.
"""

import importlib.util
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Literal, Self, TypeVar

import typer
from typer.core import TyperGroup

import napari_colorgan
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.errors import BadImageFile, BadSetting, ColorganError, Stopped
from napari_colorgan.job import STOP, Control, Job, Progress, finish

R = TypeVar("R")

_KINDS = {"lab": "colorization", "rgb": "translation"}
_QT_BINDINGS = ("PyQt6", "PySide6", "PyQt5", "PySide2")
_PROBE_SECONDS = 120  # the first Qt program on a machine waits for a cache of fonts


class _Commands(TyperGroup):
    """All commands; our errors become one line and exit code 2, also under a test."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ColorganError as error:
            typer.echo(f"Error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from None


app = typer.Typer(
    name="colorgan",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text for logs and screen readers, and a quick start
    pretty_exceptions_enable=False,
)

ModelName = Annotated[
    str, typer.Option("--model", help="A model's name, or the path of a checkpoint.")
]
Device = Annotated[
    str, typer.Option("--device", help="auto, cpu, cuda, cuda:1, ... or mps.")
]
ContextChoice = Annotated[
    Context | None,
    typer.Option(
        "--context",
        help="whole: see each plane at once, reduced (photographs); local: in windows "
        "at full resolution (micrographs). Default: as the model was trained.",
    ),
]


def main() -> None:
    """Run `colorgan` with the arguments of this process."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-colorgan {napari_colorgan.__version__}")
        raise typer.Exit


@app.callback()
def _prepare(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the version.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Colour gray images with pix2pix generators."""
    # it describes damaged files line by line, and we in one sentence
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)


@app.command()
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

    with _Run("Colouring") as run:
        with ResultFile(
            result, gray.shape, gray.axes.leading, image.pixel_size
        ) as file:
            loading = colorizer_job(model, device=device, context=context, tile=tile)
            colorizer = run.finish(_color_job(gray, loading, file.array), remember)
            if not last.done:
                run.exit_if_stopped(f"nothing was coloured, '{result}' is not written")
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


@app.command()
def models(
    name: Annotated[
        str | None, typer.Argument(help="Print the card of this model.")
    ] = None,
) -> None:
    """List the models, or print the card of one."""
    if name is not None:
        typer.echo(zoo.find(name).card)
        return
    rows = [("NAME", "GENERATOR", "KIND", "CONTEXT", "LICENCE")]
    descriptions = [""]
    for model in zoo.list_models():
        about = model.metadata
        kind, licence = _KINDS[about.codec], about.license or "not stated"
        rows.append((model.name, about.generator, kind, about.context, licence))
        descriptions.append(model.description)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row, description in zip(rows, descriptions, strict=True):
        cells = (c.ljust(width) for c, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
        if description:
            typer.echo(f"    {description}")


@app.command()
def train(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="With colour pictures.")
    ],
    out: Annotated[
        Path,
        typer.Option(help="Checkpoint to write, NAME.safetensors; NAME.state goes on."),
    ],
    recipe: Annotated[
        str, typer.Option(help="Name of a shipped recipe, or a TOML file.")
    ] = "natural",
    steps: Annotated[
        int | None, typer.Option(help="Instead of the recipe's; shapes the schedule.")
    ] = None,
    batch: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    crop: Annotated[
        int | None, typer.Option(help="Px, instead of the recipe's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the recipe's.")] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0, help="Stop after this time; the same command goes on."),
    ] = None,
    working_size: Annotated[
        int | None,
        typer.Option(min=32, max=4096, help="Px, for the context whole."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Default: that of the file.")] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="Licence of the checkpoint.")
    ] = None,
    provenance: Annotated[
        str | None, typer.Option(help="What it is made from, and on which terms.")
    ] = None,
    description: Annotated[str | None, typer.Option(help="One line for lists.")] = None,
    device: Device = "auto",
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of the CPU; default all.")
    ] = None,
) -> None:
    """Train a colorization model on folders of colour pictures.

    Ctrl-C, --minutes or a crash lose little: the same command goes on from NAME.state.
    """
    from napari_colorgan.training.config import Recipe

    chosen = Recipe.from_toml(_find_recipe(recipe))
    config = replace(
        chosen.config, **_given(steps=steps, batch=batch, crop=crop, seed=seed)
    )
    metadata = replace(
        chosen.metadata,
        name=name or chosen.metadata.name or out.stem,
        **_given(
            working_size=working_size,
            license=license_,
            provenance=provenance,
            description=description,
        ),
    )
    state = out.with_suffix(".state")
    if out.suffix != ".safetensors":
        raise BadSetting("--out", str(out), "a name that ends in .safetensors")
    _check_writable("--out", out)
    if out.exists() and not state.exists():
        raise BadSetting(
            "--out", str(out), f"a new file, for it exists and '{state}' does not"
        )
    import torch

    from napari_colorgan.inference.device import choose_device
    from napari_colorgan.training.train import StepDone, train_job

    if threads is not None:
        torch.set_num_threads(threads)
    last: Progress = Progress(0, config.steps)

    def remember(event: Progress) -> None:
        nonlocal last
        if isinstance(event, StepDone):
            last = event
            run.label = f"Training, loss {event.loss:.4f}"

    job = train_job(
        folders,
        config,
        out,
        metadata=metadata,
        device=choose_device(device),
        minutes=minutes,
    )
    with _Run("Training") as run:
        checkpoint = run.finish(job, remember)
        done = checkpoint.metadata.training["steps_done"]
        loss = f", loss {last.loss:.4f}" if isinstance(last, StepDone) else ""
        typer.echo(f"'{out}': {done} of {config.steps} steps{loss}.")
        if done < config.steps:
            typer.echo("The same command goes on from here.")
        run.exit_if_stopped(f"'{out}' holds the training so far")


@app.command()
def evaluate(
    color: Annotated[Path, typer.Option(help="Folder with colour pictures.")],
    model: ModelName = zoo.DEFAULT,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many pictures.")
    ] = None,
    side: Annotated[
        int, typer.Option(min=32, help="Shorter side of the pictures in px.")
    ] = 256,
    context: ContextChoice = None,
    device: Device = "auto",
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the scores here, too.")
    ] = None,
) -> None:
    """Compare a model's colours with the true ones of colour pictures."""
    zoo.find(model)
    if json_file is not None:
        _check_writable("--json", json_file)
    from napari_colorgan.inference.colorize import colorizer_job
    from napari_colorgan.training.evaluate import Scores, evaluate_job

    def job() -> Job[tuple[dict[str, Any], Scores]]:
        colorizer = yield from colorizer_job(model, device=device, context=context)
        scores = yield from evaluate_job(color, colorizer, limit=limit, side=side)
        return colorizer.settings(), scores

    with _Run("Comparing") as run:
        settings, scores = run.finish(job())
        typer.echo(str(scores))
        if json_file is not None:
            content = settings | {"model": model} | scores.as_dict()
            json_file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
        run.exit_if_stopped("these are the scores of the pictures so far")


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option(help="Folder for pictures, where no window can open.")
    ] = Path(),
    model: ModelName = zoo.DEFAULT,
) -> None:
    """Open napari with a sample photograph and colour it."""
    zoo.find(model)
    if reason := _why_no_window():
        typer.echo(f"{reason}, so the sample is coloured into files.")
        _write_demo(out, model)
    else:
        _show_demo(model)


def _show_demo(model: str) -> None:
    import napari

    viewer = napari.Viewer(title="napari-colorgan")
    viewer.open_sample("napari-colorgan", "photograph")
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    if model in widget.model.choices:
        widget.model.value = model
    else:
        widget.add_model(Path(model))
    widget.run.native.click()
    napari.run()


def _write_demo(folder: Path, model: str) -> None:
    import numpy as np

    from napari_colorgan.image_io import ResultFile, check_output
    from napari_colorgan.inference.source import Source
    from napari_colorgan.sample_data import photograph

    gray = Source.of(photograph()[0][0], axes="YX", name="the sample")
    height, width = gray.shape
    colored, both = (
        folder / f"colorgan-demo{end}.png" for end in ("", "-side-by-side")
    )
    check_output(colored, (height, width), force=True)
    from napari_colorgan.inference.colorize import colorizer_job

    canvas = np.zeros((height, width, 3), np.uint8)
    with _Run("Colouring") as run:
        run.finish(_color_job(gray, colorizer_job(model), canvas))
        run.exit_if_stopped("nothing is written")
    with ResultFile(colored, (height, width)) as file:
        file.array[...] = canvas
    with ResultFile(both, (height, 2 * width)) as file:
        file.array[:, :width] = gray.array[..., None]
        file.array[:, width:] = canvas
    typer.echo(f"'{colored}': the sample, coloured by '{model}'.")
    typer.echo(f"'{both}': before and after.")


def _why_no_window() -> str:
    """Why napari cannot open here, as the begin of a sentence; empty if it can."""
    linux = sys.platform.startswith("linux")
    if linux and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "There is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    if not any(importlib.util.find_spec(name) for name in _QT_BINDINGS):
        return (
            "napari has no Qt to open windows with (pip install 'napari-colorgan[all]' "
            "brings it)"
        )
    # where the display or a library of the system is missing, Qt ends the process
    program = "from qtpy.QtWidgets import QApplication; QApplication([])"
    try:
        probe = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=_PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return "Qt does not start here"
    if probe.returncode:
        said = [line for line in probe.stderr.splitlines() if line.strip()]
        return f"Qt cannot open a window ({said[0] if said else probe.returncode})"
    return ""


def _color_job(gray: Any, loading: Job[Any], out: Any) -> Job[Any]:
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


def _given(**options: Any) -> dict[str, Any]:
    """Those options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _find_recipe(name: str) -> Path:
    folder = Path(str(files("napari_colorgan"))) / "training" / "recipes"
    if (shipped := folder / f"{name}.toml").is_file():
        return shipped
    if not name.endswith(".toml"):
        known = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
        raise BadSetting(
            "--recipe", name, f"one of {known}, or the path of a TOML file"
        )
    return Path(name)


def _check_writable(option: str, path: Path) -> None:
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise BadSetting(
            option, str(path), "a file in a folder that exists and may be written to"
        )


class _Run:
    """Jobs of one command: a progress bar, and signals as the wish to stop.

    The first Ctrl-C or SIGTERM asks the job to keep what it has, a second one ends the
    process as it would without us.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self._control = Control()
        self._signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if isinstance(error, Stopped):
            self.exit_if_stopped(str(error).rstrip("."))
        return False

    def finish(
        self, job: Job[R], on_event: Callable[[Progress], object] | None = None
    ) -> R:
        """Run a job to its end and show how far it is, if anybody is there to see."""
        with ExitStack() as stack:
            bar: Any = None

            def show(event: Progress) -> None:
                nonlocal bar
                if on_event is not None:
                    on_event(event)
                if not sys.stderr.isatty():
                    return
                if bar is None:
                    bar = stack.enter_context(
                        typer.progressbar(
                            length=event.total, label=self.label, file=sys.stderr
                        )
                    )
                bar.length, bar.label = event.total, self.label
                bar.update(max(0, event.done - bar.pos))

            return finish(job, show, self._control)

    def exit_if_stopped(self, what_is_kept: str) -> None:
        """End the command with the exit code of the signal, if there was one."""
        if self._signal is not None:
            typer.echo(f"Stopped: {what_is_kept}.", err=True)
            raise typer.Exit(128 + self._signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        self._control.request_stop()
        signal.signal(number, self._before[number])
