"""Settings that are declared with their ranges, checked where they are given.

A field of a frozen dataclass is annotated with `Annotated[int, Range]` (or float, or
str), a `Literal` of words, a plain class, or several of these with `|`.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from napari_colorgan.errors import BadSetting

_LARGEST = 1 << 53  # whole numbers beyond it are no setting, and some are no float


@dataclass(frozen=True, slots=True)
class Range:
    """Which values a setting may have: in words, and as a test that NaN fails."""

    words: str
    allows: Callable[[Any], bool]


def check_declared(settings: Any, **names: Any) -> None:
    """Check every field of a frozen dataclass; numbers of numpy become Python's.

    Parameters
    ----------
    names : that annotations use and that only type checkers know; `Any`: not checked

    Raises
    ------
    BadSetting
        A value is not what its field is declared to be.
    """
    kinds = get_type_hints(type(settings), localns=names, include_extras=True)
    for name, kind in kinds.items():
        given = getattr(settings, name)
        value = plain(given)
        if not allows(kind, value):
            raise BadSetting(name, given, words(kind))
        if value is not given:
            object.__setattr__(settings, name, value)


def check_names(values: Iterable[str], known: Iterable[str]) -> None:
    """Check that settings are known.

    Raises
    ------
    BadSetting
    """
    if unknown := sorted(set(values) - set(known)):
        raise BadSetting("setting", unknown[0], f"one of {', '.join(sorted(known))}")


def path_of(name: str, given: Any, expected: str = "the path of a file") -> Path:
    """Return a path as such, whether there is something or not.

    Raises
    ------
    BadSetting
        It is no path, or none that a file can have here.
    """
    if not isinstance(given, str | PathLike):
        raise BadSetting(name, given, expected)
    try:
        os.lstat(given)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, ValueError) as error:  # too long, NUL, half of a surrogate pair
        why = getattr(error, "strerror", None) or error
        raise BadSetting(name, given, f"{expected} as can be there: {why}") from None
    return Path(given)


def plain(value: Any) -> Any:
    """Return a number of another library as Python's own, and all else as it is."""
    if type(value) in (bool, int, float) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def allows(kind: Any, value: Any) -> bool:
    """Whether a value is of a declared kind: a word, None, a number in its range."""
    parts = get_args(kind)
    if kind is Any:
        return True
    if isinstance(kind, type) and not parts:
        return isinstance(value, kind)
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in parts
    if get_origin(kind) is not Annotated:
        return any(allows(part, value) for part in parts)
    number, span = parts
    right = int | float if number is float else number
    if not isinstance(value, right) or type(value) is bool:
        return False
    if isinstance(value, int) and abs(value) > _LARGEST:
        return False
    return bool(span.allows(value))


def words(kind: Any) -> str:
    """Say what a value of a declared kind must be."""
    parts = get_args(kind)
    if get_origin(kind) is Annotated:
        return str(parts[1].words)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(parts)}"
    if not parts:
        return "text" if kind is str else f"a {kind.__name__}"
    said = [words(part) for part in parts if part is not NoneType]
    return ", ".join([said[0], *(word.removeprefix("one of ") for word in said[1:])])
