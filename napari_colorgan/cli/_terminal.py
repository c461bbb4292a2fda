"""Text for a terminal, whatever it can show and whatever is in a file's name."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import Any, TextIO

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


@contextlib.contextmanager
def patient_output() -> Iterator[None]:
    """Let no work end for what cannot be printed.

    A character that a stream does not know is escaped. Where the disk of a log is full
    or `| head` has read enough, the work goes on, and the process ends with an exit
    code, and with a sentence if nobody wished it.
    """
    streams = sys.stdout, sys.stderr
    for stream in streams:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    outputs = [_Patient(stream) for stream in streams]
    sys.stdout, sys.stderr = outputs
    try:
        yield
    finally:
        lost = [output.end() for output in outputs]
        errors = [error for error in lost if error is not None]
        if any(error.errno != errno.EPIPE for error in errors):
            say(
                f"Error: The output cannot be written: {errors[0].strerror}. What else "
                "the command makes is made. Print to another place, or free some "
                "space.",
                err=True,
            )
            outputs[1].end()
        sys.stdout, sys.stderr = streams
        if errors and not _failed(sys.exc_info()[1]):
            raise SystemExit(1)


class _Patient:
    """A stream whose errors are told at the end."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None: it was closed before the program began
        self._error: OSError | None = None

    def write(self, text: str) -> int:
        """Write, or try to."""
        try:
            if self._stream is not None:
                self._stream.write(text)
        except OSError as error:
            self._error = error
        return len(text)

    def flush(self) -> None:
        """Let what was written arrive, or try to."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except OSError as error:
            self._error = error

    def end(self) -> OSError | None:
        """Return what went wrong; Python, which flushes once more, finds nothing."""
        self.flush()
        if self._error is not None and self._stream is not None:
            with open(os.devnull, "wb") as nothing:
                os.dup2(nothing.fileno(), self._stream.fileno())
        return self._error

    def isatty(self) -> bool:
        """Whether somebody may be there to see."""
        return self._stream is not None and self._stream.isatty()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _failed(error: BaseException | None) -> bool:
    """Whether a command ends with an exit code of its own."""
    if isinstance(error, SystemExit):
        return error.code not in (None, 0)
    return error is not None
