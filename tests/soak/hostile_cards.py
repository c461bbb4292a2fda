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
    card = f"# {name}\n\nA card.\n"
    path.with_suffix(".md").write_text(card, encoding="utf-8", errors="replace")
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
    files = {path.stem for path in zoo.user_folder().glob("*.safetensors")}
    told = {model.path.stem for model in models}  # a shipped one hides one of its name
    told |= {file.path.stem for file in zoo.look()[1]}
    assert files <= told, "one is not told of"
    for model in models:
        assert model.name.isprintable(), f"{model.name!r} is printed"
        _ = (model.card, model.size, model.picture, model.kind, model.origin)


def _list_shipped(_: Path) -> None:
    """Look for models where the user's folder is no folder."""
    assert "natural" in [model.name for model in zoo.list_models()]
    zoo.check_name("new name")
    assert not deleted.deleted_models()
    command("models")
    zoo.check_folder()


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
NO_FOLDER = Act("no folder of models", _list_shipped, models_folder, _CLI)
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


NAMES = {
    "escape sequences": "\x1b]0;title\x07\x1b[31mred",
    "text turned round": "\u202egnp.x",
    "bytes of no text": "\udcff\udcfe",
    "a line break": "a\nhonest",
    "nothing but a dot": ".",
    "a dash": "--help",
    "HTML": "<img src=x>",
    "a format": "%s{0.__class__}$(touch EXECUTED)`touch EXECUTED`",
    "a shipped model": "natural",
    "a shipped model in capitals": "NATURAL",
    "one that differs by what is not seen": "honest\u200b",
    "a device of Windows": "con",
    "240 letters": "x" * 240,
    "accents on accents": "x" + "\u0301" * 100,
}
"""Names of models by what is odd about them."""


def _named(name: str, folder: Path) -> Path:
    put_model(folder)
    return put_model(folder, name)


def _headers() -> Iterator[tuple[str, bytes]]:
    """Files that begin as a checkpoint does, by what is odd about them."""
    honest = checkpoint()
    yield "its length is 0", bytes(8) + honest[8:]
    yield "its length is 2^63", (1 << 63).to_bytes(8, "little") + honest[8:]
    yield "its length is 1 GiB", (1 << 30).to_bytes(8, "little") + honest[8:]
    yield "it is cut", honest[:100]
    texts: dict[str, Any] = {
        "is a list": "[]",
        "is 900 lists deep": "[" * 900 + "]" * 900,
        "is 100,000 lists deep": "[" * 100_000,
        "has a number of 5,000 digits": '{"a":' + "9" * 5000 + "}",
        "is not UTF-8": b'{"\xff": 1}',
        "names 50,000 tensors": json.dumps({str(n): 0 for n in range(50_000)}),
        "has metadata that are a list": '{"__metadata__": []}',
    }
    for name, text in texts.items():
        content = text if isinstance(text, bytes) else text.encode()
        yield f"it {name}", len(content).to_bytes(8, "little") + content
    deep: Any = []
    for _ in range(900):
        deep = [deep]
    for name, value in {
        "null": None,
        "a list": ["x"],
        "a number": 7,
        "900 lists deep": deep,
        "infinite": float("inf"),
        "true": True,
    }.items():
        for field in ("description", "generator", "working_size", "training"):
            yield f"{field} is {name}", checkpoint(**{field: value})


def _with_content(content: bytes, folder: Path) -> Path:
    put_model(folder)
    path = put_model(folder, "odd")
    path.write_bytes(content)
    return path


def _no_folder(make: Make, name: str, folder: Path) -> Path:
    """Put something odd in the place of a folder."""
    place = models_folder(folder)
    path = place / name if name else place
    if not name:
        path.rmdir()
    make(path)
    return path


def cases() -> Iterator[Case]:
    """Every odd file in every place."""
    for name, text in NAMES.items():
        for act in (LIST, MODELS):
            yield Case(f"a model's name is {name}", partial(_named, text), act)
    for name, content in _headers():
        for act in (LIST, FIND, INFO):
            yield Case(f"a header: {name}", partial(_with_content, content), act)
    for place in ("", "deleted"):
        for name, make in ODD.items():
            prepare = partial(_no_folder, make, place)
            yield Case(f"models/{place} is {name}", prepare, NO_FOLDER)
    for suffix in (".safetensors", ".md", ".jpg"):
        for name, make in ODD.items():
            prepare = partial(_beside, suffix, make)
            for act in (LIST, FIND, MODELS, CARD):
                yield Case(f"{suffix} is {name}", prepare, act)
    for name, make in ODD.items():
        prepare = partial(_in_deleted, ".safetensors", make)
        yield Case(f"deleted: {name}", prepare, CHECK)
