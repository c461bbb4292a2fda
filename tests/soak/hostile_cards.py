"""Odd files in the folder of models, and what a model shows of itself."""

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unicodedata import category

from napari_colorgan.checkpoints import deleted, zoo
from tests.soak.case import Act, Case, models_folder

_DELETED = "2026-01-02 03.04.05.000006"
_CLI = ("napari_colorgan.cli",)

Make = Callable[[Path], object]
"""Puts something odd at a path."""


DIGEST = "0" * 64
"""What each of the checkpoints below says is its digest."""


def checkpoint(entries: dict[str, object] | None = None, **about: Any) -> bytes:
    """Content of a checkpoint without weights; its digest is wrong.

    Parameters
    ----------
    entries : more of the header's; what is None is missing
    about : fields of the metadata
    """
    fields = {"schema": 1, "generator": "compact", "description": "Honest."} | about
    ours = {"napari_colorgan": json.dumps(fields), "napari_colorgan_sha256": DIGEST}
    ours = {k: v for k, v in (ours | (entries or {})).items() if v is not None}
    text = json.dumps({"__metadata__": ours}).encode()
    return len(text).to_bytes(8, "little") + text


def put_model(folder: Path, name: str = "honest", **about: Any) -> Path:
    """Put a model with a card into the user's folder."""
    path = models_folder(folder) / f"{name}.safetensors"
    path.write_bytes(checkpoint(**about))
    path.with_suffix(".md").write_text(f"# {name}\n\nA card.\n")
    return path


# -- odd files


def _socket(path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as server:
        here = Path.cwd()
        os.chdir(path.parent)  # an address has at most 107 letters
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(3 << 30)


ODD: dict[str, Make] = {
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "a socket": _socket,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to /dev/random": lambda path: path.symlink_to("/dev/random"),
    "a link to /dev/tty": lambda path: path.symlink_to("/dev/tty"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "an empty file": Path.touch,
    "a file of 3 GiB": _sparse,
    "a file of noise": lambda path: path.write_bytes(os.urandom(5000)),
}

# -- what is done


def _list(_: Path) -> None:
    """Look at all that a list tells, in Python."""
    models = zoo.list_models()
    assert "honest" in [model.name for model in models], "the others are gone"
    for model in models:
        assert model.name.isprintable(), f"{model.name!r} is printed"
        _ = (model.card, model.size, model.picture, model.kind, model.origin)


def _find(_: Path) -> None:
    zoo.find("odd")


def _check(_: Path) -> None:
    zoo.check_name("new name")
    deleted.deleted_models()


def command(*arguments: str) -> None:
    """Run `colorgan` in this process, and check what it says."""
    from napari_colorgan.cli import main

    sys.argv = ["colorgan", *arguments]
    said = Path("/proc/self/fd/1").resolve()
    try:
        main()
    except SystemExit as end:
        assert end.code in (None, 0, 1, 2), f"exit code {end.code}"
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    text = said.read_text(encoding="utf-8")
    bad = [c for c in text if category(c) in ("Cc", "Cs") and c not in "\n\t"]
    assert not bad, f"{bad[0]!r} is printed"
    assert "Traceback" not in text, text[-300:]


def _models_command(_: Path) -> None:
    command("models")
    assert "honest" in Path("/proc/self/fd/1").resolve().read_text()


def _honest(folder: Path) -> Path:
    put_model(folder, "odd")
    return put_model(folder)


LIST = Act("the list in Python", _list, _honest)
FIND = Act("a model by its name", _find, _honest)
CHECK = Act("a new name, and undo", _check, _honest)
MODELS = Act("colorgan models", _models_command, _honest, _CLI)
CARD = Act("colorgan models NAME", lambda _: command("models", "odd"), _honest, _CLI)
INFO = Act("colorgan info", lambda p: command("info", str(p)), _honest, _CLI)


def _beside(suffix: str, make: Make, folder: Path) -> Path:
    """Put something odd beside, or in the place of, a model."""
    put_model(folder)
    path = put_model(folder, "odd").with_suffix(suffix)
    path.unlink(missing_ok=True)
    make(path)
    return path


def _in_deleted(suffix: str, make: Make, folder: Path) -> Path:
    put_model(folder)
    path = models_folder(folder) / "deleted" / _DELETED / f"gone{suffix}"
    path.parent.mkdir(parents=True)
    make(path)
    return path


def cases() -> Iterator[Case]:
    """Every odd file in every place."""
    for suffix in (".safetensors", ".md", ".jpg"):
        for name, make in ODD.items():
            prepare = partial(_beside, suffix, make)
            for act in (LIST, FIND, MODELS, CARD):
                yield Case(f"{suffix} is {name}", prepare, act)
    for name, make in ODD.items():
        prepare = partial(_in_deleted, ".safetensors", make)
        yield Case(f"deleted: {name}", prepare, CHECK)
