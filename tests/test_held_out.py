"""Pictures held out are chosen once, and no copy of them is learned from."""

import csv
import json
import shutil

import pytest
import torch
from PIL import Image

from napari_colorgan.errors import (
    BadImageFile,
    CheckpointError,
)
from napari_colorgan.training import train
from napari_colorgan.training.holding_out import hold_out, keep
from napari_colorgan.training.left_out import (
    PicturesLeftOut,
)
from napari_colorgan.training.pictures import list_files, read_pictures_job


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def save(folder, name, picture):
    Image.fromarray(picture).save(folder / name)


def test_held_out_pictures_are_chosen_once_and_never_learned_from(
    train_small, tmp_path, photos, monkeypatch
):
    read = []
    monkeypatch.setattr(
        train,
        "read_pictures_job",
        lambda folders, files, *rest, **options: (
            read.append({f.name for f in files[0]})
            or read_pictures_job(folders, files, *rest, **options)
        ),
    )
    train_small(stop_at=2, validation=0.34)
    record = tmp_path / "a.split.json"
    (held,) = json.loads(record.read_text())["held_out"]
    assert len(held) == 2 and not set(held) & read[0]
    assert len(read[0]) == 4
    rows = rows_of(tmp_path / "a.scores.csv")
    assert {row["folder"] for row in rows} == {"held out"}
    train_small(validation=0.34)
    assert read[0] == read[1]
    with pytest.raises(CheckpointError, match="other folders"):
        train_small(folders=[photos, photos], validation=0.34)
    record.write_text(json.dumps({"held_out": [["gone.png"]]}))
    with pytest.raises(BadImageFile, match=r"no longer there: gone\.png"):
        train_small(validation=0.34)
    record.write_text("nonsense")
    with pytest.raises(CheckpointError, match=r"split\.json' cannot be read"):
        train_small(validation=0.34)


def test_a_single_picture_cannot_be_held_out(train_small, tmp_path, photo):
    folder = tmp_path / "one"
    folder.mkdir()
    save(folder, "only.png", photo[:64, :64])
    with pytest.raises(BadImageFile, match=r"only\.png' is the only picture"):
        train_small(folders=[folder], validation=0.5)
    assert train_small(folders=[folder], validation=0.0)[0].metadata.name == "a"


def test_copies_of_held_out_pictures_are_not_learned_from(
    train_small, tmp_path, photos
):
    folder = tmp_path / "copies"
    shutil.copytree(photos, folder / "photos")
    shutil.copytree(photos, folder / ".ipynb_checkpoints")
    for name in ("0", "1", "2"):
        with Image.open(photos / f"{name}.png") as image:
            image.save(folder / f"copy {name}.bmp")
    options = {"folders": [folder], "validation": 0.2}
    _, events = train_small(stop_at=3, **options)
    (told,) = [event for event in events if isinstance(event, PicturesLeftOut)]
    record = json.loads((tmp_path / "a.split.json").read_text())
    (held,) = record["held_out"]
    doubled = [name for name in held if not name.endswith("JPG")]
    assert doubled and len(held) == 2
    assert told.notes[0].startswith(f"{len(doubled)} pictures equal ones that are held")
    assert "6 hidden or cached" in told.notes[1]
    resumed, _ = train_small(**options)
    whole, _ = train_small("b", **options)
    assert same_weights(resumed, whole)


def test_a_training_that_learned_from_copies_goes_on_as_it_was(tmp_path, photos):
    record = tmp_path / "a.split.json"
    record.write_text(json.dumps({"held_out": [["0.png"]]}))
    parts = hold_out(list_files([photos]), 0.2, 3, record)
    assert [file.name for file in parts.held_out[0]] == ["0.png"]
    assert parts.apart == []
    keep(parts.held_out, record)
    assert hold_out(list_files([photos]), 0.2, 3, record).apart == parts.held_out[0]


def same_weights(a, b):
    return all(torch.equal(a.weights[k], b.weights[k]) for k in a.weights)
