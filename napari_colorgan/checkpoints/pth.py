"""Weights from a PyTorch file of any origin; nothing in it is executed.

With `weights_only`, `torch.load` runs no code, but it believes what a file declares: a
megabyte may unpack to gigabytes, a tensor without strides may claim terabytes. So sizes
and names are checked before, and what was not checked never reaches torch.
"""

import io
import pickle
import pickletools
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_colorgan.checkpoints.foreign import (
    HOW_TO_SAVE,
    ZIP,
    refusal,
    zip_refusal,
)
from napari_colorgan.errors import CheckpointError, some
from napari_colorgan.regular import read_regular

_MAX_FILE = 1 << 30  # bytes; a U-Net of 10 halvings has 0.3 GB
_MAX_PICKLE = 1 << 20  # bytes; what is no tensor, in a U-Net 20 kB
_MAX_ENTRIES = 4096

LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
"""How files of torch before 1.6, of 2020, begin; unlike ZIP, without a checksum."""

_ENTRY = re.compile(
    r"[^/]+/(data\.pkl|version|byteorder|\.format_version|\.storage_alignment"
    r"|\.data/serialization_id|data/\d+)"
)
_GLOBALS = frozenset(  # as pickletools writes them
    [
        "collections OrderedDict",
        "torch._utils _rebuild_tensor",
        "torch._utils _rebuild_tensor_v2",
        "torch._utils _rebuild_parameter",
        "torch BFloat16Storage",
        "torch DoubleStorage",
        "torch FloatStorage",
        "torch HalfStorage",
        "torch LongStorage",
    ]
)
_GENERATOR = re.compile(r"(net|model)?_?g(en\w*)?(_?(a|b|ab|ba|ema|running))?", re.I)


def read_bounded(path: Path) -> bytes:
    """Read a file, unless it is larger than any generator.

    Raises
    ------
    CheckpointError
    """
    try:
        content = read_regular(path, _MAX_FILE)
    except OSError as error:
        raise CheckpointError(
            f"'{path}' cannot be read: {error.strerror}. Check the path and its "
            "permissions."
        ) from error
    if len(content) > _MAX_FILE:
        raise CheckpointError(
            f"'{path}' has more than {_MAX_FILE >> 30} GB, which no generator needs. "
            "Choose the file of the generator alone."
        )
    return content


def weights_of(content: bytes, path: Path) -> dict[str, Tensor]:
    """Weights by name, in the content of a .pth file; `path` is named in errors.

    Raises
    ------
    CheckpointError
        It holds anything but one dictionary of tensors, or not what it declares.
    """
    if not content.startswith((ZIP, LEGACY)):
        raise refusal(content, path)
    try:
        checked = _checked_zip if content.startswith(ZIP) else _checked_legacy
        loaded = torch.load(
            checked(content, path), map_location="cpu", weights_only=True
        )
    except CheckpointError:
        raise
    except Exception as error:  # both readers raise a dozen types on damage
        raise CheckpointError(
            f"'{path}' is damaged: its weights cannot be read. Fetch it again."
        ) from error
    if not isinstance(loaded, dict) or not loaded:
        raise CheckpointError(
            f"'{path}' holds no weights by name but {type(loaded).__name__!r}. "
            f"{HOW_TO_SAVE}"
        )
    weights = dict(dict.items(loaded))  # its own attributes are the file's, too
    if not all(isinstance(value, Tensor) for value in weights.values()):
        raise _several(weights, path)
    if sum(t.numel() * t.element_size() for t in weights.values()) > len(content):
        raise _too_large(path)
    return {str(name): tensor.detach() for name, tensor in weights.items()}


def _checked_zip(content: bytes, path: Path) -> io.BytesIO:
    """Copy what is expected in the file, so that torch sees nothing else."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if not names or not all(map(_ENTRY.fullmatch, names)):
            raise zip_refusal(names, path)
        if (
            len(entries) > _MAX_ENTRIES
            or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            or sum(entry.file_size for entry in entries) > len(content)
        ):
            raise _too_large(path)
        result = io.BytesIO()
        with zipfile.ZipFile(result, "w") as copy:
            for entry in entries:
                part = archive.read(entry)
                if entry.filename.endswith("/data.pkl"):
                    _check_pickle(io.BytesIO(part[:_MAX_PICKLE]), len(content), path)
                copy.writestr(entry.filename, part)
    result.seek(0)
    return result


def _checked_legacy(content: bytes, path: Path) -> io.BytesIO:
    """Check the pickles that precede the numbers: version, system, weights, keys."""
    pickles = io.BytesIO(content[:_MAX_PICKLE])
    pickles.seek(len(LEGACY))
    for _ in range(4):
        _check_pickle(pickles, len(content), path)
    return io.BytesIO(content)


def _check_pickle(file: io.BytesIO, limit: int, path: Path) -> None:
    """Refuse a pickle of anything but tensors, or with a number above `limit`."""
    for code, argument, _ in pickletools.genops(file):
        if code.name == "GLOBAL" and argument not in _GLOBALS:
            name = str(argument).replace(" ", ".")[:60]
            raise CheckpointError(
                f"'{path}' holds Python objects ({name!r}) besides weights; to open it "
                f"could run any program. {HOW_TO_SAVE}"
            )
        if isinstance(argument, int) and argument > limit:
            raise _too_large(path)


def _several(things: dict[Any, Any], path: Path) -> CheckpointError:
    """Say where in a dictionary the weights of a generator are."""
    if {"state", "param_groups"} <= set(things):
        return CheckpointError(
            f"'{path}' is the state of an optimizer, which trains a network and is "
            "none. Choose the file of the generator, such as 'latest_net_G.pth'."
        )
    names = [name for name, value in things.items() if _is_weights(value)]
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


def _is_weights(value: object) -> bool:
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(tensor, Tensor) for tensor in dict.values(value))
    )


def few(names: Iterable[str]) -> str:
    """Name the first ones, for a sentence, whatever letters are in them."""
    return some((repr(name[:60])[1:-1] for name in names), 3)


def _too_large(path: Path) -> CheckpointError:
    return CheckpointError(
        f"'{path}' declares more than it holds, as no honest file of weights does. "
        "Fetch it again from where it was made."
    )
