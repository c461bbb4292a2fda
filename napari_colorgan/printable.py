"""Text of strangers, in which nothing acts upon a terminal or turns a line round."""

import re
from typing import Any, TypeVar

T = TypeVar("T")

# what moves the cursor or turns text round, and bytes of names that are not UTF-8
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"\ud800-\udfff]"
)
_BREAK = re.compile(r"\s*[\n\x0b\x0c\r\x1c-\x1e\x85\u2028\u2029]\s*")


def printable(text: str) -> str:
    """Write what cannot be shown as it stands in Python: a line break stays one."""
    return _UNPRINTABLE.sub(_escaped, text)


def one_line(text: str) -> str:
    """Return the same with blanks in the place of line breaks."""
    return printable(_BREAK.sub(" ", text.strip()))


def all_printable(value: T) -> T:
    """Return what JSON can hold with all texts in it printable."""
    changed: Any = value
    if isinstance(value, str):
        changed = printable(value)
    elif isinstance(value, list):
        changed = [all_printable(part) for part in value]
    elif isinstance(value, dict):
        changed = {printable(key): all_printable(part) for key, part in value.items()}
    result: T = changed
    return result


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as Python holds it in names
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
