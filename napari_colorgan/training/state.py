"""The state of a training on disk, from which it goes on exactly.

A ZIP file, not compressed: one NumPy array per tensor, and `state.json` with all the
rest, in which tensors are referred to by number. Nothing in it can run code, and it is
written tensor by tensor, so that a large network neither needs its size in memory again
nor silences the job for long.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.errors import CheckpointError
from napari_colorgan.job import Job, Progress
from napari_colorgan.training.array_file import TooLarge, opened
from napari_colorgan.training.state_index import ENTRY, unpack

_AT_ONCE = 32 << 20  # bytes written between two events


@dataclass(frozen=True, slots=True)
class Saving(Progress):
    """A part of the state is written, `done` of `total` bytes."""


def write_state_job(path: Path, state: dict[str, Any]) -> Job[None]:
    """Replace `path` by `state`: dicts, lists, plain numbers, text and tensors.

    An older file stays whole until the new one is; a wish to stop is heard afterwards.

    Raises
    ------
    CheckpointError
        The file cannot be written.
    """
    tensors: list[Tensor] = []
    index = json.dumps(_packed(state, tensors))
    total = sum(tensor.nbytes for tensor in tensors)
    done = reported = 0
    with replacing(path) as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(ENTRY, index)
            for number, tensor in enumerate(tensors):
                with archive.open(f"{number}.npy", "w", force_zip64=True) as entry:
                    array = tensor.detach().cpu().numpy()
                    np.lib.format.write_array(entry, array, allow_pickle=False)
                done += tensor.nbytes
                if done - reported > _AT_ONCE:
                    reported = done
                    yield Saving(done, total)
    yield Saving(total, total)


def read_state(path: Path, most: int | None = None) -> dict[str, Any]:
    """Read what `write_state_job` has written; all of it is checked.

    Parameters
    ----------
    most : bytes that it may take; default as many as the file has

    Raises
    ------
    CheckpointError
        The file cannot be read, is no such state, or is larger.
    """
    with _readable(path):
        with opened(path) as file:
            if most is not None and file.size > most:
                raise TooLarge(
                    f"it has {file.size / 1e6:.0f} MB, and what is trained has at most "
                    f"{most / 1e6:.0f} MB"
                )
            state = unpack(file, lambda name: torch.from_numpy(file.array(name)))
        if not isinstance(state, dict):
            raise TypeError("no dict")
        return state


def read_plain(path: Path) -> dict[str, Any]:
    """Read a state with None in the place of each tensor; all of it is checked.

    It takes no memory, however large the tensors are said to be.

    Raises
    ------
    CheckpointError
        The file cannot be read or is no such state.
    """
    with _readable(path):
        with opened(path) as file:
            file.check()
            state = unpack(file, lambda _: None)
        if not isinstance(state, dict):
            raise TypeError("no dict")
        return state


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say what is wrong with a file, whatever it is."""
    try:
        yield
    except Exception as error:  # damage shows in a dozen ways
        reason = "it is damaged"
        if isinstance(error, OSError):
            reason = str(error.strerror or error)
        elif isinstance(error, TooLarge):
            reason = str(error)
        raise CheckpointError(
            f"Training cannot go on from '{path}': {reason}. Start anew, or remove it."
        ) from error


def check_settings(
    path: Path,
    saved: Mapping[str, Any],
    wanted: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> None:
    """Refuse to go on with settings other than those `saved` in the file.

    `defaults` are the values that settings newer than the file had when it was written.

    Raises
    ------
    CheckpointError
        A setting differs.
    """
    saved = {**defaults, **saved}
    for name, value in wanted.items():
        if saved.get(name) != value:
            raise CheckpointError(
                f"'{path}' was trained with {name} = {saved.get(name)!r}, now it is "
                f"{value!r}. Use the same settings to go on, or another output file."
            )


@contextmanager
def fitting(out: Path | None) -> Iterator[None]:
    """Say that it is the state of `out` which lacks something or has other shapes.

    Raises
    ------
    CheckpointError
    """
    try:
        yield
    except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        path = None if out is None else out.with_suffix(".state")
        raise CheckpointError(
            f"'{path}' does not fit this training, which cannot go on from it. Remove "
            "it to start anew, or use another output."
        ) from error


def _packed(value: Any, tensors: list[Tensor]) -> Any:
    """Value for JSON; dicts become lists, for optimizers have numbers as keys."""
    if isinstance(value, Tensor):
        tensors.append(value)
        return {"tensor": len(tensors) - 1}
    if isinstance(value, dict):
        return {"dict": [[k, _packed(v, tensors)] for k, v in value.items()]}
    if isinstance(value, list | tuple):
        return [_packed(v, tensors) for v in value]
    return value
