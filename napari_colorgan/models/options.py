"""Which values the options of a generator may have: its signature says so.

Options come from files of anyone, where any JSON may stand.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from napari_colorgan.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers that are possible."""

    least: float
    most: float


Width: TypeAlias = Annotated[int, Range(1, 1024)]
"""How many channels a layer has; those of pix2pix have 64 to 512."""
Share: TypeAlias = Annotated[float, Range(0, 1)]
Epsilon: TypeAlias = Annotated[float, Range(1e-12, 1)]
"""What is added to a variance, so that none is 0."""


def check_options(
    generator: str, options: Mapping[str, Any], signature: inspect.Signature
) -> None:
    """Raise `BadSetting` unless a generator of this signature can have these options.

    Parameters
    ----------
    generator : its name, for errors
    """
    for name, value in options.items():
        if name not in signature.parameters:
            known = ", ".join(sorted(signature.parameters))
            expected = f"one of {known}"
            raise BadSetting(f"option of generator '{generator}'", name, expected)
        kind = signature.parameters[name].annotation
        if not _fits(value, kind):
            raise BadSetting(name, value, _said(kind))


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of an annotated type; True is no number, a list a tuple."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        number, limits = parts
        return _fits(value, number) and limits.least <= value <= limits.most
    if origin is Literal:
        return any(type(value) is type(part) and value == part for part in parts)
    if origin is tuple:
        return (
            isinstance(value, tuple | list)
            and len(value) == len(parts)
            and all(map(_fits, value, parts))
        )
    return type(value) is kind or (kind is float and type(value) is int)


def _said(kind: Any) -> str:
    """Say which values are of an annotated type."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        number, limits = parts
        whole = "whole " if number is int else ""
        return f"a {whole}number from {limits.least:g} to {limits.most:g}"
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}"
    if origin is tuple:
        return f"{len(parts)} times {_said(parts[0])}"
    return "True or False"
