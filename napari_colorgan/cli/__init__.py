"""The command line: every command reads choices, starts a job and shows its events.

torch, napari and the readers of pictures are imported by the commands that need them,
so that help and lists come at once.
"""

import errno
import logging
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import napari_colorgan
from napari_colorgan.cli import (
    colorize,
    demo,
    evaluate,
    export,
    fine_tune,
    import_,
    info,
    models,
    train,
)
from napari_colorgan.cli._terminal import patient_output, say
from napari_colorgan.errors import ColorganError, shown


class _Commands(TyperGroup):
    """All commands; our errors become one line and exit code 2, also under a test."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        with patient_output():
            return super().main(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except ColorganError as error:
            say(f"Error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from None
        except OSError as error:  # of a path that no file can have, such as a long one
            if error.errno == errno.EPIPE:  # click knows what to do
                raise
            what = shown(str(error.filename)) if error.filename else "A file"
            say(
                f"Error: {what} cannot be read or written: {error.strerror or error}. "
                "Check the path and its permissions, or free some space.",
                err=True,
            )
            raise typer.Exit(2) from None


app = typer.Typer(
    name="colorgan",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain text for logs and screen readers, and a quick start
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run `colorgan` with the arguments of this process."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"napari-colorgan {napari_colorgan.__version__}")
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


for _command in (
    colorize.colorize,
    info.info,
    models.models,
    fine_tune.fine_tune,
    train.train,
    evaluate.evaluate,
    export.export,
    demo.demo,
):
    app.command(cls=train.TrainCommand if _command is train.train else None)(_command)
app.command("import")(import_.import_)
app.command("download", hidden=True)(import_.import_)  # its former name
