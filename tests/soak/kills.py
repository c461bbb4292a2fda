"""Processes are killed while they write; afterwards all is whole, consistent and clean.

Each trial forks a process that does one thing again and again, with two versions in
turn, and kills it within one of them. What must hold is checked after what the next
process does at its start: it lists the models, and uses the folders.
"""

import csv
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from napari_colorgan import drafts
from napari_colorgan.checkpoints import deleted, store, zoo
from napari_colorgan.checkpoints.changes import rename
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.image_io import ResultFile, read_image
from napari_colorgan.image_io.begun import is_begun, open_growing, replacing
from napari_colorgan.job import finish
from napari_colorgan.metrics import Figures
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.report.writing import Report
from napari_colorgan.training.scoring import Scored
from napari_colorgan.training.state import read_state, write_state_job
from tests.soak.row import Row, Trial

MANY: Final = 20
"""Models of a former version, for each can be changed but once."""
_SIDE: Final = 600  # px of a result: two chunks of a store
_WAIT: Final = 20.0  # s for the first action
_NAMES: Final = ("one", "other")


@dataclass
class Place:
    """What actions work on."""

    folder: Path
    """Empty at first."""
    made: dict[Any, Any] = field(default_factory=dict)
    """Of what actions remember between each other, in one process."""

    def fault_of_files(self, *names: str) -> str:
        """What of the folder should not be there."""
        drafts.sweep(self.folder)
        strays = {path.name for path in self.folder.iterdir()} - set(names)
        return f"{len(strays)} stray: {sorted(strays)[:3]}" if strays else ""


@dataclass(frozen=True)
class Action:
    """What is done again and again, and what must hold whenever it is ended.

    Attributes
    ----------
    kind : in a word
    do : the n-th time; it may need the times before
    fault : what is wrong afterwards; empty: nothing
    prepare : once, before all
    most : how often it can be done
    """

    kind: str
    do: Callable[[Place, int], object]
    fault: Callable[[Place], str]
    prepare: Callable[[Place], object] = lambda place: None
    most: int = 1 << 30


def trials(rng: np.random.Generator, folder: Path) -> Iterator[Trial]:
    """Kill each kind of action in turn."""
    torch.set_num_threads(1)  # others would not be there after a fork
    for number in range(1 << 30):
        action = ACTIONS[number % len(ACTIONS)]
        place = Place(folder / str(number))
        place.folder.mkdir()
        _clear(zoo.user_folder())
        action.prepare(place)
        _kill(action, place, rng.random())
        try:
            fault = action.fault(place)
        except Exception as error:  # whatever cannot be read is torn
            fault = f"torn: {type(error).__name__}: {error}"
        yield Trial(f"{action.kind}: {fault}" if fault else "", action.kind)
        _clear(place.folder)


def _kill(action: Action, place: Place, share: float) -> None:
    """Do something in another process, and kill it within the second time or third."""
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        for number in range(action.most):
            action.do(place, number)
            os.write(writer, b".")
        os._exit(0)
    os.close(writer)
    start = time.monotonic()
    if os.read(reader, 1):  # it was done once
        took = min(time.monotonic() - start, _WAIT)
        time.sleep(took * share * min(2, action.most - 1))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(reader)
    assert status in (0, signal.SIGKILL), f"{action.kind}: ended with {status}"


def _clear(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


# -- models


def _checkpoint(version: int) -> store.Checkpoint:
    about = Metadata(generator="compact", description=f"version {version}")
    weights = {str(n): torch.full((64, 1024), float(version)) for n in range(4)}
    return store.Checkpoint(about, weights)


def _card(name: str, version: int) -> str:
    return f"# {name}\n\nversion {version}\n"


def _picture(version: int) -> bytes:
    return b"\xff\xd8\xff" + bytes([version]) * 20_000


def _install(name: str, version: int) -> None:
    zoo.install(
        _checkpoint(version),
        name,
        _card(name, version),
        picture=_picture(version),
        replace_old=True,
    )


def _older(name: str, version: int) -> None:
    """Put a model into the folder as former versions did."""
    path = zoo.user_folder() / f"{name}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = _checkpoint(version)
    about = Metadata(
        generator="compact", description=made.metadata.description, name=name
    )
    store.save(store.Checkpoint(about, made.weights), path)
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
    checkpoint = store.load(model.path)
    version = int(checkpoint.weights["0"][0, 0])
    if checkpoint.metadata.description != f"version {version}":
        return "inconsistent: description"
    if model.path.parent == zoo.user_folder():
        checkpoint = zoo.open_model(model.name)
        if checkpoint.metadata.name != model.name:
            return "inconsistent: name inside"
    picture = model.picture
    if isinstance(picture, Path):
        picture = picture.read_bytes()
    card = model.card
    if card != _card(model.name, version):
        return f"inconsistent: card {card[:30]!r} of version {version}"
    return "" if picture == _picture(version) else "inconsistent: picture"


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


# -- files


def _save(place: Place, number: int) -> None:
    store.save(_checkpoint(number % 2), place.folder / "a.safetensors")


def _fault_of_save(place: Place) -> str:
    store.load(place.folder / "a.safetensors")
    return place.fault_of_files("a.safetensors")


def _state(place: Place, number: int) -> None:
    state = {"version": number, "weights": torch.full((300_000,), float(number))}
    finish(write_state_job(place.folder / "a.state", state))


def _fault_of_state(place: Place) -> str:
    state = read_state(place.folder / "a.state")
    if not (state["weights"] == state["version"]).all():
        return "torn: of two versions"
    return place.fault_of_files("a.state")


def _result(name: str) -> Callable[[Place, int], None]:
    def do(place: Place, number: int) -> None:
        path = place.folder / name
        with ResultFile(path, (_SIDE, _SIDE), made={"version": number}) as file:
            file.array[:] = np.full(3, number % 200, np.uint8)

    return do


def _fault_of_result(name: str) -> Callable[[Place], str]:
    def fault(place: Place) -> str:
        image = read_image(place.folder / name)
        made = image.tags.made
        assert isinstance(made, dict)
        if not (np.asarray(image.array) == made["version"] % 200).all():
            return "torn: of two versions"
        return place.fault_of_files(name)

    return fault


def _grow(path: Path, number: int, *, resume: bool = False) -> None:
    record = {"version": number}
    file = open_growing(path, (_SIDE, _SIDE), "", made=record, resume=resume)
    if file is None:
        return
    rgb = np.full((_SIDE, _SIDE, 3), number % 200, np.uint8)
    with file:
        for region in file.missing(()):
            file.write((), region, rgb[region])
        file.complete(record | {"complete": True})


def _replace_store(place: Place, number: int) -> None:
    with replacing(place.folder / "a.zarr") as path:
        _grow(path, number)


def _fault_of_store(place: Place) -> str:
    drafts.sweep(place.folder)
    image = read_image(place.folder / "a.zarr")
    made = image.tags.made
    assert isinstance(made, dict)
    if not (np.asarray(image.array) == made["version"] % 200).all():
        return "torn: of two versions"
    if not made.get("complete"):
        return "torn: not complete"
    return place.fault_of_files("a.zarr")


def _grow_anew(name: str) -> Callable[[Place, int], None]:
    return lambda place, number: _grow(place.folder / name, number)


def _fault_of_grown(name: str) -> Callable[[Place], str]:
    """What was begun in place can be gone on with, to what it would have become."""

    def fault(place: Place) -> str:
        drafts.sweep(place.folder)
        path = place.folder / name
        if path.exists() and not is_begun(path):
            return _whole(path) or place.fault_of_files(name)
        number = _version_begun(path)
        _grow(path, number, resume=True)
        return _whole(path) or place.fault_of_files(name)

    return fault


def _version_begun(path: Path) -> int:
    text = path.with_name(f".{path.name}.progress").read_text().partition("\n")[0]
    return int(re.findall(r'"version": (\d+)', text)[0]) if text else 1


def _whole(path: Path) -> str:
    image = read_image(path)
    made = image.tags.made
    assert isinstance(made, dict)
    whole = (np.asarray(image.array) == made["version"] % 200).all()
    return "" if whole and made.get("complete") else "torn: not complete"


def _report(place: Place, number: int) -> None:
    picture = np.full((64, 64, 3), number % 200, np.uint8)
    pair = Pair("a", np.zeros((64, 64), np.float32), picture)
    figures = Figures(**dict.fromkeys(Figures.__dataclass_fields__, 1.0))
    report = Report(place.folder / "report", {})
    for _ in range(3):
        report.add(pair, Scored(name="a", figures=figures, gray=figures, image=picture))
    report.finish()


def _fault_of_report(place: Place) -> str:
    folder = place.folder / "report"
    for part in (folder, folder / "images"):
        drafts.sweep(part)
    for path in (path for path in folder.rglob("*") if path.is_file()):
        if path.name.startswith("."):
            return f"1 stray: {path.name}"
        if path.suffix == ".png":
            np.asarray(read_image(path).array)
        elif path.suffix == ".html":
            assert path.read_text().endswith("</html>\n"), path.name
        else:
            rows = list(csv.reader(path.open()))
            assert len({len(row) for row in rows}) == 1 and len(rows) == 4, path.name
    return ""


ACTIONS: Final = (
    Action("install", lambda _, n: _install("one", n % 2), _fault_of_models(1)),
    Action("rename", _do_rename, _fault_of_models(1), lambda _: _install("one", 1)),
    Action("delete", _do_delete, _fault_of_models(1), lambda _: _install("one", 1)),
    Action(
        "rename older",
        lambda _, n: rename(f"m{n}", f"new{n}"),
        _fault_of_models(MANY),
        _many_older,
        MANY,
    ),
    Action("PNG", _result("a.png"), _fault_of_result("a.png")),
    Action("OME-Zarr", _replace_store, _fault_of_store),
    Action("state", _state, _fault_of_state),
    Action("TIFF", _result("a.tif"), _fault_of_result("a.tif")),
    Action("report", _report, _fault_of_report),
    Action("save", _save, _fault_of_save),
    Action(
        "delete older",
        lambda _, n: deleted.delete(f"m{n}"),
        _fault_of_models(MANY),
        _many_older,
        MANY,
    ),
    Action(
        "install older",
        lambda _, n: _install(f"m{n}", 1 - n % 2),
        _fault_of_models(MANY),
        _many_older,
        MANY,
    ),
    Action("begun OME-Zarr", _grow_anew("b.zarr"), _fault_of_grown("b.zarr")),
    Action("begun TIFF", _grow_anew("b.tif"), _fault_of_grown("b.tif")),
)

ROW = Row(
    "processes killed while they save, install, rename, delete or write results",
    "nothing is torn, nothing of two versions, no stray file after the next start",
    1000,
    trials,
)
