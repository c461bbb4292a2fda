"""Text for a terminal, whatever it can show and whatever is in a file's name."""

import re
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import typer

_MOST_NOTES = 20

# what moves the cursor or turns text round, and bytes of names that are not UTF-8
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


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


def printable(text: str) -> str:
    """Write what cannot be shown as it stands in Python: a line break stays one."""
    return _UNPRINTABLE.sub(_escaped, text)


def show_anything() -> None:
    """Let no output fail for a character that a stream does not know."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as Python holds it in names
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
