"""What a state says beside its tensors, readable without torch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_colorgan.training.array_file import ArrayFile, opened

ENTRY = "state.json"
"""Name of the entry of the ZIP file that refers to tensors by number."""


def read_index(path: Path) -> Any:
    """Read a state with None in the place of each tensor.

    Raises
    ------
    Exception
        Of a dozen types: the file cannot be read or is no such state.
    """
    with opened(path) as file:
        return unpack(file, lambda _: None)


def unpack(file: ArrayFile, tensor: Callable[[str], Any]) -> Any:
    """Make a state of what a file holds.

    Parameters
    ----------
    tensor : returns what belongs in the place of the array of a name; called once for
        every array there is

    Raises
    ------
    Exception
        Of a dozen types: it is no such state.
    """
    unread = set(file.names) - {ENTRY}

    def take(number: int) -> Any:
        unread.remove(f"{number}.npy")  # raises where it is absent, or read already
        return tensor(str(number))

    state = _unpacked(json.loads(file.text(ENTRY)), take)
    if unread:
        raise ValueError("it holds more than it should")
    return state


def _unpacked(value: Any, take: Callable[[int], Any]) -> Any:
    """Undo `state._packed`: dicts are lists in JSON, for their keys may be numbers."""
    if isinstance(value, list):
        return [_unpacked(v, take) for v in value]
    if isinstance(value, dict):
        if "tensor" in value:
            return take(value["tensor"])
        return {k: _unpacked(v, take) for k, v in value["dict"]}
    return value
