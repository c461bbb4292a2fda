"""Checks of settings; each raises `BadSetting` for the first that is impossible."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from napari_colorgan.errors import BadSetting


def check_names(values: Mapping[str, Any], known: Iterable[str]) -> None:
    """Check that settings are known."""
    if unknown := sorted(set(values) - set(known)):
        raise BadSetting("setting", unknown[0], f"one of {', '.join(sorted(known))}")


def check_choice(config: object, name: str, choices: tuple[str, ...]) -> None:
    """Check that a setting is one of a few words."""
    if (value := getattr(config, name)) not in choices:
        raise BadSetting(name, value, f"one of {choices}")


def check_real(config: object, *names: str) -> None:
    """Check that settings are numbers, which True is not."""
    for name in names:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadSetting(name, value, "a number")


def check_whole(config: object, *names: str, least: int) -> None:
    """Check that settings are whole numbers, also in their type."""
    for name in names:
        value = getattr(config, name)
        if type(value) is not int or value < least:
            raise BadSetting(name, value, f"a whole number of at least {least}")


def check_not_negative(config: object, *names: str) -> None:
    """Check that settings are finite, and not below 0."""
    for name in names:
        if not 0 <= (value := getattr(config, name)) < math.inf:
            raise BadSetting(name, value, "0 or a positive number")


def check_part(config: object, *names: str) -> None:
    """Check that settings are parts of a whole."""
    for name in names:
        if not 0 <= (value := getattr(config, name)) <= 1:
            raise BadSetting(name, value, "from 0 to 1")
