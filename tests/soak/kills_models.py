"""Models that are installed, renamed, deleted and brought back, and what must hold."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Final

import torch

from napari_colorgan.checkpoints import deleted, store, zoo
from napari_colorgan.checkpoints.changes import rename
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.models import GeneratorSpec, build
from tests.soak.killing import Action, Place

MANY: Final = 20
"""Models of a former version, for each can be changed but once."""
_NAMES: Final = ("one", "other")


_OPTIONS: Final = {"depth": 5, "width": 8, "dropout": False}


@cache
def checkpoint(version: int) -> store.Checkpoint:
    """Make a checkpoint all of whose weights are the number of a version, and one."""
    network = build(GeneratorSpec("unet", _OPTIONS))
    about = Metadata(
        generator="unet", options=_OPTIONS, description=f"version {version}"
    )
    weights = {
        name: torch.full_like(weight, version + 1)
        for name, weight in network.state_dict().items()
    }
    return store.Checkpoint(about, weights)


def _card(name: str, version: int) -> str:
    return f"# {name}\n\nversion {version}\n"


def _picture(version: int) -> bytes:
    return b"\xff\xd8\xff" + bytes([version]) * 20_000


def _install(name: str, version: int) -> None:
    zoo.install(
        checkpoint(version),
        name,
        _card(name, version),
        picture=_picture(version),
        replace_old=True,
    )


def _older(name: str, version: int) -> None:
    """Put a model into the folder as former versions did."""
    path = zoo.user_folder() / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = checkpoint(version)
    store.save(replace(made, metadata=replace(made.metadata, name=name)), path)
    path.with_suffix(".md").write_text(_card(name, version))
    path.with_suffix(".jpg").write_bytes(_picture(version))


def _fault_of_models(count: int) -> Callable[[Place], str]:
    def fault(_: Place) -> str:
        models = [model for model in zoo.list_models() if not model.shipped]
        gone = deleted.deleted_models()
        faults = [_fault_of_model(model) for model in models]
        for one in gone:
            faults.append(_fault_of_model(zoo.find(one.path)))
        if len(faults) != count:
            faults.append(f"{len(faults)} of {count} models")
        expected = {model.path for model in models} | {one.path for one in gone}
        expected |= {
            path.with_suffix(suffix) for path in expected for suffix in (".md", ".jpg")
        }
        folder = zoo.user_folder()
        strays = {path for path in folder.rglob("*") if path.is_file()} - expected
        strays |= {p for p in folder.glob("deleted/*") if not any(p.iterdir())}
        if strays:
            faults.append(f"stray: {sorted(path.name for path in strays)[:3]}")
        return "; ".join(filter(None, faults))

    return fault


def _fault_of_model(model: zoo.Model) -> str:
    """What of a model is of another version, or of another name."""
    stored = store.load(model.path)
    version = int(next(iter(stored.weights.values())).flatten()[0]) - 1
    if stored.metadata.description != f"version {version}":
        return "inconsistent: description"
    if model.path.parent == zoo.user_folder():
        if zoo.open_model(model.name).metadata.name != model.name:
            return "inconsistent: name inside"
    card = model.card
    if card != _card(model.name, version):
        return f"inconsistent: card {card[:30]!r} of version {version}"
    return "" if model.picture == _picture(version) else "inconsistent: picture"


def _do_rename(_: Place, number: int) -> None:
    rename(_NAMES[number % 2], _NAMES[1 - number % 2])


def _do_delete(place: Place, number: int) -> None:
    if number % 2:
        deleted.restore(place.made["deleted"])
    else:
        place.made["deleted"] = deleted.delete("one")


def _many_older(_: Place) -> None:
    for number in range(MANY):
        _older(f"m{number}", number % 2)


def _changed(kind: str, do: Callable[[str, int], object]) -> Action:
    """Each of many models of a former version in turn."""
    return Action(
        kind,
        lambda _, number: do(f"m{number}", number),
        _fault_of_models(MANY),
        _many_older,
        MANY,
    )


INSTALL = Action("install", lambda _, n: _install("one", n % 2), _fault_of_models(1))
RENAME = Action("rename", _do_rename, _fault_of_models(1), lambda _: _install("one", 1))
DELETE = Action(
    "delete, bring back",
    _do_delete,
    _fault_of_models(1),
    lambda _: _install("one", 1),
)
OLDER = (
    _changed("rename older", lambda name, _: rename(name, f"new {name}")),
    _changed("delete older", lambda name, _: deleted.delete(name)),
    _changed("install over older", lambda name, n: _install(name, 1 - n % 2)),
)
