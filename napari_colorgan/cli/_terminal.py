"""Text for a terminal, whatever it can show and whatever is in a file's name."""

import sys
from collections.abc import Sequence
from io import TextIOWrapper

import typer

from napari_colorgan.printable import printable

_MOST_NOTES = 20


def say(text: str, *, err: bool = False) -> None:
    """Print a line of which nothing acts upon the terminal."""
    typer.echo(printable(text), err=err)


def say_notes(notes: Sequence[str]) -> None:
    """Print what the user should know, on stderr; not more than fits a screen."""
    notes = [note for note in notes if note]
    for note in notes[:_MOST_NOTES]:
        say(f"Note: {note}", err=True)
    if more := len(notes[_MOST_NOTES:]):
        say(f"Note: There are {more} more such notes.", err=True)


def show_anything() -> None:
    """Let no output fail for a character that a stream does not know."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
