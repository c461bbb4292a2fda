"""Weights from a PyTorch file of any origin; nothing in it is executed.

With `weights_only`, `torch.load` runs no code, but it believes what a file declares: a
megabyte may unpack to gigabytes, a tensor without strides may claim terabytes. So sizes
and names are checked before, and what was not checked never reaches torch.
"""

import io
import os
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from napari_colorgan.checkpoints.archive import open_zip
from napari_colorgan.checkpoints.foreign import (
    HEAD,
    HOW_TO_SAVE,
    LEGACY,
    ZIP,
    declares_too_much,
    refusal,
    zip_refusal,
)
from napari_colorgan.checkpoints.pickled import Pickle, is_weights
from napari_colorgan.errors import CheckpointError, some

_MAX_PICKLE = 1 << 20  # bytes; what is no tensor, in a U-Net 20 kB
_MAX_ENTRIES = 4096
_MAX_REST = 1 << 22  # bytes besides numbers

_ENTRY = re.compile(
    r"[^/]+/(data\.pkl|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id|data/\d+)"
)
_GENERATOR = re.compile(r"(net|model)?_?g(en\w*)?(_?(a|b|ab|ba|ema|running))?", re.I)


def declared_in(file: BinaryIO, path: Path) -> dict[str, Tensor]:
    """Weights by name as a .pth file declares them, on the device `meta`.

    Little of the file is read, whatever its size; `path` is named in errors.

    Raises
    ------
    CheckpointError
        It holds anything but one dictionary of tensors, or not what it declares.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(HEAD)
    if not head.startswith((ZIP, LEGACY)):
        raise refusal(head, path)
    try:
        declared = (_in_zip if head.startswith(ZIP) else _in_legacy)(file, size, path)
    except CheckpointError:
        raise
    except Exception as error:  # the readers raise a dozen types on damage
        raise _damaged(path) from error
    if not isinstance(declared, dict) or not declared:
        raise CheckpointError(
            f"'{path}' holds no weights by name but {type(declared).__name__!r}. "
            f"{HOW_TO_SAVE}"
        )
    if not is_weights(declared):
        raise _several(declared, path)
    used = sum(tensor.nbytes for tensor in declared.values())
    if used > size:
        raise declares_too_much(path)
    if size > 4 * used + _MAX_REST:  # a weight may be a part of other numbers
        raise CheckpointError(
            f"'{path}' has {size:,} bytes, but weights in it only {used:,}. Fetch it "
            "again, or save the weights alone."
        )
    return {str(name): tensor for name, tensor in declared.items()}


def weights_of(content: bytes, path: Path) -> dict[str, Tensor]:
    """Weights by name, in the content of a .pth file; `path` is named in errors.

    Raises
    ------
    CheckpointError
        See `declared_in`; or its numbers are damaged.
    """
    declared = declared_in(io.BytesIO(content), path)
    try:
        file = _copied(content) if content.startswith(ZIP) else io.BytesIO(content)
        loaded = torch.load(file, map_location="cpu", weights_only=True)
        # its own attributes are the file's, too
        weights = {str(name): value for name, value in dict.items(loaded)}
        same = weights.keys() == declared.keys() and all(
            (tensor.shape, tensor.dtype) == (declared[k].shape, declared[k].dtype)
            for k, tensor in weights.items()
        )
    except Exception as error:  # both readers raise a dozen types on damage
        raise _damaged(path) from error
    if not same:
        raise _damaged(path)
    return {name: tensor.detach() for name, tensor in weights.items()}


def _in_zip(file: BinaryIO, size: int, path: Path) -> Any:
    """Return what the pickle in a file of torch 1.6 or newer declares."""
    with open_zip(file) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if not names or not all(map(_ENTRY.fullmatch, names)):
            raise zip_refusal(names, path)
        if (
            len(entries) > _MAX_ENTRIES
            or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            or sum(entry.file_size for entry in entries) > size
        ):
            raise declares_too_much(path)
        (name,) = (name for name in names if name.endswith("/data.pkl"))
        with archive.open(name) as part:
            pickled = part.read(_MAX_PICKLE)
    return Pickle(size, path).read(io.BytesIO(pickled))


def _in_legacy(file: BinaryIO, size: int, path: Path) -> Any:
    """Return the same of an older one: version, system, weights, keys, numbers."""
    file.seek(0)
    pickles = io.BytesIO(file.read(_MAX_PICKLE))
    pickles.seek(len(LEGACY))
    _, _, declared, _ = (Pickle(size, path).read(pickles) for _ in range(4))
    return declared


def _copied(content: bytes) -> io.BytesIO:
    """Copy what was checked in a ZIP file, so that torch sees nothing else.

    Every part is read to its end, where its checksum is compared.
    """
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as archive,
        zipfile.ZipFile(result, "w") as copy,
    ):
        for entry in archive.infolist():
            copy.writestr(entry.filename, archive.read(entry))
    result.seek(0)
    return result


def _several(things: dict[Any, Any], path: Path) -> CheckpointError:
    """Say where in a dictionary the weights of a generator are."""
    if {"state", "param_groups"} <= set(things):
        return CheckpointError(
            f"'{path}' is the state of an optimizer, which trains a network and is "
            "none. Choose the file of the generator, such as 'latest_net_G.pth'."
        )
    names = [name for name, value in things.items() if is_weights(value)]
    if not names:
        return CheckpointError(
            f"'{path}' holds several things ({few(map(str, things))}) and no weights "
            "by name alone. Choose a file of the generator's weights, such as "
            "'latest_net_G.pth'."
        )
    names.sort(key=lambda name: not _GENERATOR.fullmatch(str(name)))
    return CheckpointError(
        f"'{path}' holds several things ({few(map(str, things))}); weights are in "
        f"{few(map(str, names))}. Save those of the generator alone, and import that "
        f"file: torch.save(torch.load(FILE)[{str(names[0])[:60]!r}], 'net_G.pth')."
    )


def few(names: Iterable[str]) -> str:
    """Name the first ones, for a sentence, whatever letters are in them."""
    return some((repr(name[:60])[1:-1] for name in names), 3)


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(
        f"'{path}' is damaged: its weights cannot be read. Fetch it again."
    )
