"""What a state says beside its tensors, readable without torch."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ENTRY = "state.json"
"""Name of the entry of the ZIP file that refers to tensors by number."""


def read_index(path: Path) -> Any:
    """Read a state with None in the place of each tensor.

    Raises
    ------
    OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile
        The file cannot be read or is no such state.
    """
    with zipfile.ZipFile(path) as archive:
        return unpack(json.loads(archive.read(ENTRY)), lambda _: None)


def unpack(value: Any, tensor: Callable[[int], Any]) -> Any:
    """Make a state of what JSON holds: dicts are lists there, for keys may be numbers.

    Parameters
    ----------
    tensor : returns the one of a number
    """
    if isinstance(value, list):
        return [unpack(v, tensor) for v in value]
    if isinstance(value, dict):
        if "tensor" in value:
            return tensor(value["tensor"])
        return {k: unpack(v, tensor) for k, v in value["dict"]}
    return value
