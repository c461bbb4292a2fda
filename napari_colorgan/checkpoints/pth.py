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
from pathlib import Path

import torch
from torch import Tensor

from napari_colorgan.errors import CheckpointError

_MAX_FILE = 1 << 30  # bytes; a U-Net of 10 halvings has 0.3 GB
_MAX_PICKLE = 1 << 20  # bytes; what is no tensor, in a U-Net 20 kB
_MAX_ENTRIES = 4096

_ZIP = b"PK\x03\x04"
_LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2)  # before torch 1.6, of 2020
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
_HOW_TO_SAVE = "Save its weights where it was made: torch.save(net.state_dict(), FILE)"


def read_bounded(path: Path) -> bytes:
    """Read a file, unless it is larger than any generator.

    Raises
    ------
    CheckpointError
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE + 1)
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
    if not content.startswith((_ZIP, _LEGACY)):
        raise CheckpointError(
            f"'{path}' is not a file that torch.save wrote. Choose a .pth file of "
            "weights, such as 'latest_net_G.pth'."
        )
    try:
        checked = _checked_zip if content.startswith(_ZIP) else _checked_legacy
        found = torch.load(
            checked(content, path), map_location="cpu", weights_only=True
        )
    except CheckpointError:
        raise
    except Exception as error:  # both readers raise a dozen types on damage
        raise CheckpointError(
            f"'{path}' is damaged: its weights cannot be read. Fetch it again."
        ) from error
    if not isinstance(found, dict) or not found:
        raise CheckpointError(
            f"'{path}' holds no weights by name but {type(found).__name__!r}. "
            f"{_HOW_TO_SAVE}."
        )
    weights = dict(dict.items(found))  # its own attributes are the file's, too
    if others := [k for k, v in weights.items() if not isinstance(v, Tensor)]:
        raise CheckpointError(
            f"'{path}' holds several things, such as {str(others[0])[:60]!r}, and not "
            "the weights of one generator alone. Save these into a file of their own, "
            "with torch.save."
        )
    if sum(t.numel() * t.element_size() for t in weights.values()) > len(content):
        raise _too_large(path)
    return {str(name): tensor.detach() for name, tensor in weights.items()}


def _checked_zip(content: bytes, path: Path) -> io.BytesIO:
    """Copy what is expected in the file, so that torch sees nothing else."""
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        entries = found.infolist()
        for entry in entries:
            if not _ENTRY.fullmatch(entry.filename):
                raise CheckpointError(
                    f"'{path}' holds {entry.filename[:60]!r}: it is a program, such as "
                    f"TorchScript or .pt2, which is never run. {_HOW_TO_SAVE}."
                )
        if (
            len(entries) > _MAX_ENTRIES
            or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
            or sum(entry.file_size for entry in entries) > len(content)
        ):
            raise _too_large(path)
        result = io.BytesIO()
        with zipfile.ZipFile(result, "w") as copy:
            for entry in entries:
                part = found.read(entry)
                if entry.filename.endswith("/data.pkl"):
                    _check_pickle(io.BytesIO(part[:_MAX_PICKLE]), len(content), path)
                copy.writestr(entry.filename, part)
    result.seek(0)
    return result


def _checked_legacy(content: bytes, path: Path) -> io.BytesIO:
    """Check the pickles that precede the numbers: version, system, weights, keys."""
    pickles = io.BytesIO(content[:_MAX_PICKLE])
    pickles.seek(len(_LEGACY))
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
                f"could run any program. {_HOW_TO_SAVE}."
            )
        if isinstance(argument, int) and argument > limit:
            raise _too_large(path)


def _too_large(path: Path) -> CheckpointError:
    return CheckpointError(
        f"'{path}' declares more than it holds, as no honest file of weights does. "
        "Fetch it again from where it was made."
    )
