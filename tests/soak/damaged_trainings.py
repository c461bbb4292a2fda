"""Files of trainings, which row `damaged` changes by chance and reads again."""

import atexit
import hashlib
import io
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_colorgan.job import finish
from napari_colorgan.training.pairs import load_pairs, pairs_of, save_pairs
from napari_colorgan.training.pairs.files import read_names
from napari_colorgan.training.state import read_plain, read_state, write_state_job

Read = Callable[[bytes], object]
"""Uses the content of a file as a training would; what it returns is as it was."""
Change = Callable[[np.random.Generator, bytes], bytes]

_MAGIC = b"\x93NUMPY"  # with which the header of an array begins
_HEADER = 128  # bytes


def files() -> dict[str, tuple[bytes, Read]]:
    """Content of an intact file of every kind, and how it is read."""
    return {
        ".state": (_written(_write_state), _read_state),
        "pairs.npz": (_written(_write_pairs), _read_pairs),
    }


def or_in_headers(change: Change) -> Change:
    """Return what changes a file, half of the time a bit where an array begins."""

    def changed(random: np.random.Generator, content: bytes) -> bytes:
        if random.integers(2):
            return change(random, content)
        starts = [match.start() for match in re.finditer(_MAGIC, content)]
        place = int(random.choice(starts)) + int(random.integers(_HEADER))
        flipped = content[place] ^ 1 << int(random.integers(8))
        return content[:place] + bytes([flipped]) + content[place + 1 :]

    return changed


def sealed_anew(change: Change) -> Change:
    """Return what changes the beginning of an entry, whose checksum is then right."""

    def changed(random: np.random.Generator, content: bytes) -> bytes:
        result = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(content)) as old,
            zipfile.ZipFile(result, "w") as new,
        ):
            entries = old.infolist()
            chosen = entries[random.integers(len(entries))]
            for entry in entries:
                part = old.read(entry)
                if entry is chosen:
                    part = change(random, part[:_HEADER]) + part[_HEADER:]
                new.writestr(entry.filename, part)
        return result.getvalue()

    return changed


def usable(read: Read) -> Read:
    """Return what reads a file of which the content may have changed."""

    def only_read(content: bytes) -> None:
        read(content)

    return only_read


def _write_state(path: Path) -> None:
    layer = torch.nn.Linear(64, 64)  # `zipfile` reads 4 kB ahead
    optimizer = torch.optim.Adam(layer.parameters())
    layer(torch.ones(2, 64)).sum().backward()
    optimizer.step()
    state = {
        "run": {"settings": {"steps": 9, "scheme": "fine-tune"}, "start": "a" * 64},
        "history": {"losses": [[1, 0.5], [2, 0.25]], "validations": []},
        "trainer": {"generator": layer.state_dict(), "done": 3},
        "optimizer": optimizer.state_dict(),
    }
    finish(write_state_job(path, state))


def _write_pairs(path: Path) -> None:
    y, x = np.mgrid[:77, :79]
    color = np.dstack([9 * y, 7 * x, y * x]).astype(np.uint8)
    save_pairs([*pairs_of(color, mask=y > 8, name="a"), *pairs_of(color)], path)


def _written(write: Callable[[Path], None]) -> bytes:
    torch.manual_seed(0)
    write(_place())
    return _place().read_bytes()


def _read_state(content: bytes) -> object:
    _place().write_bytes(content)
    read_plain(_place())
    return _digest(read_state(_place(), most=1 << 20))


def _read_pairs(content: bytes) -> object:
    _place().write_bytes(content)
    names = read_names(_place())
    pairs = load_pairs(_place())
    parts = [(p.name, p.from_color, p.gray, p.color, p.mask) for p in pairs]
    return _digest([names, parts])


def _digest(value: Any) -> str:
    sha = hashlib.sha256()

    def plain(part: Any) -> Any:
        if isinstance(part, torch.Tensor):
            part = part.numpy()
        if isinstance(part, np.ndarray):
            sha.update(f"{part.dtype} {part.shape}".encode() + part.tobytes())
            return "array"
        if isinstance(part, dict):
            return [[repr(key), plain(inner)] for key, inner in part.items()]
        return (
            [plain(inner) for inner in part] if isinstance(part, list | tuple) else part
        )

    sha.update(json.dumps(plain(value)).encode())
    return sha.hexdigest()


@cache
def _place() -> Path:
    folder = tempfile.mkdtemp(prefix="soak-")
    atexit.register(shutil.rmtree, folder)
    return Path(folder) / "a.file"
