"""Checkpoints, states, results and reports that are written, and what must hold."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch

from napari_colorgan import drafts
from napari_colorgan.checkpoints import store
from napari_colorgan.image_io import ResultFile, read_image
from napari_colorgan.image_io.begun import is_begun, open_growing, replacing
from napari_colorgan.job import finish
from napari_colorgan.metrics import Figures
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.report.writing import Report
from napari_colorgan.training.scoring import Scored
from napari_colorgan.training.state import read_state, write_state_job
from tests.soak.killing import Action, Place
from tests.soak.kills_models import checkpoint

_SIDE: Final = 600  # px of a result: two chunks of a store


def _save(place: Place, number: int) -> None:
    store.save(checkpoint(number % 2), place.folder / "a.safetensors")


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


PNG, TIFF = (
    Action(kind, _result(name), _fault_of_result(name))
    for kind, name in (("PNG", "a.png"), ("TIFF", "a.tif"))
)
STORE = Action("OME-Zarr", _replace_store, _fault_of_store)
BEGUN = tuple(
    Action(f"begun {kind}", _grow_anew(name), _fault_of_grown(name))
    for kind, name in (("OME-Zarr", "b.zarr"), ("TIFF", "b.tif"))
)
STATE = Action("state", _state, _fault_of_state)
REPORT = Action("report", _report, _fault_of_report)
SAVE = Action("save", _save, _fault_of_save)
