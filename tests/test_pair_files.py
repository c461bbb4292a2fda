"""Pairs come from folders, and go into one file and back."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.color import gray2rgb

from napari_colorgan import sample_data
from napari_colorgan.errors import (
    BadImageFile,
    BadPair,
    CheckpointError,
    PairMismatch,
    Stopped,
)
from napari_colorgan.job import STOP, Progress, finish
from napari_colorgan.training.left_out import PicturesLeftOut
from napari_colorgan.training.pairs import (
    Pair,
    digest,
    load_pairs,
    pairs_of,
    read_folders_job,
    save_pairs,
)

GRAY_STACK, STACK = (layer[0] for layer in sample_data.pair())


def read(*folders: Path) -> list[Pair]:
    return finish(read_folders_job(*folders, strict=True))


def read_good(*folders: Path) -> tuple[list[Pair], str]:
    """Return what can be used, and what is said of the rest."""
    events: list[Progress] = []
    pairs = finish(read_folders_job(*folders), events.append)
    told = [event for event in events if isinstance(event, PicturesLeftOut)]
    return pairs, " ".join(note for event in told for note in event.notes)


def write(path: Path, array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Three colour pictures and their gray ones, of other types."""
    color, gray = tmp_path / "color", tmp_path / "gray"
    for number, name in enumerate(("a", "b", "more/a")):
        write(color / f"{name}.png", STACK[number])
    write(gray / "a.png", GRAY_STACK[0])
    write(gray / "b.bmp", gray2rgb(GRAY_STACK[1]))  # equal channels
    (gray / "more").mkdir()
    tifffile.imwrite(gray / "more" / "a.ome.tif", GRAY_STACK[2].astype(np.uint16) * 16)
    (gray / "notes.txt").write_text("no picture")
    return color, gray


def test_a_folder_of_colour_pictures(folders: tuple[Path, Path]) -> None:
    pairs = read(folders[0])
    assert [pair.name for pair in pairs] == ["a", "b", "more/a"]
    for pair, truth in zip(pairs, STACK, strict=False):
        assert pair.from_color
        assert digest([pair]) == digest(pairs_of(truth, name=pair.name))


def test_two_folders_are_matched_by_name(folders: tuple[Path, Path]) -> None:
    pairs = read(*folders)
    assert [pair.name for pair in pairs] == ["a", "b", "more/a"]
    for number, pair in enumerate(pairs):
        np.testing.assert_array_equal(pair.color, STACK[number])
        assert not pair.from_color
    np.testing.assert_array_equal(pairs[1].gray, GRAY_STACK[1] / np.float32(255))
    sixteen = pairs_of(STACK[2], GRAY_STACK[2].astype(np.uint16) * 16)[0]
    np.testing.assert_array_equal(pairs[2].gray, sixteen.gray)


def test_stacks_in_files_give_a_pair_per_plane(tmp_path: Path) -> None:
    for kind, array in (("color", STACK), ("gray", GRAY_STACK)):
        (tmp_path / kind).mkdir()
        axes = "ZYXS"[: array.ndim]
        photometric = "rgb" if kind == "color" else "minisblack"
        path = tmp_path / kind / "s.tif"
        tifffile.imwrite(path, array, photometric=photometric, metadata={"axes": axes})
    pairs = read(tmp_path / "color", tmp_path / "gray")
    assert [pair.name for pair in pairs] == [f"s [{i}]" for i in range(4)]
    assert digest(pairs) == digest(pairs_of(STACK, GRAY_STACK, name="s"))


def test_every_file_is_an_event(folders: tuple[Path, Path]) -> None:
    events = list(read_folders_job(*folders))
    assert [(event.done, event.total) for event in events] == [
        (number, 3) for number in range(1, 4)
    ]
    assert len(list(read_folders_job(folders[0]))) == 3


@pytest.mark.parametrize("after", range(1, 4))
def test_stop_ends_the_reading(folders: tuple[Path, Path], after: int) -> None:
    job = read_folders_job(*folders)
    for _ in range(after):
        next(job)
    with pytest.raises(Stopped, match="nothing has changed"):
        job.send(STOP)


def test_every_picture_without_a_partner_is_named(folders: tuple[Path, Path]) -> None:
    color, gray = folders
    write(color / "c.png", STACK[3])
    write(color / "d.png", STACK[3])
    write(gray / "e.png", GRAY_STACK[3])
    with pytest.raises(BadPair) as caught:
        read(color, gray)
    for path in (color / "c.png", color / "d.png", gray / "e.png"):
        assert f"'{path}'" in str(caught.value)
    assert "a.png" not in str(caught.value)
    pairs, notes = read_good(color, gray)
    assert [pair.name for pair in pairs] == ["a", "b", "more/a"]
    assert notes.startswith("3 of 6 pictures cannot be used")
    assert f"'{gray / 'e.png'}' has no partner of the same name." in notes
    write(gray / "f.png", GRAY_STACK[3])
    with pytest.raises(BadImageFile, match=r"More than half of 7 .*f\.png' has no"):
        read_good(color, gray)


def test_two_pictures_of_one_name_are_named(folders: tuple[Path, Path]) -> None:
    color, gray = folders
    write(gray / "b.png", GRAY_STACK[1])
    with pytest.raises(BadPair, match=r"type only: 'b\.bmp', 'b\.png'\. Keep one"):
        read(color, gray)
    write(color / "a.jpg", STACK[0])
    with pytest.raises(BadPair, match=r"'a\.jpg', 'a\.png'\."):
        read(color)


def test_pictures_in_the_wrong_folder_are_named(folders: tuple[Path, Path]) -> None:
    color, gray = folders
    write(color / "a.png", gray2rgb(GRAY_STACK[0]))
    with pytest.raises(BadPair, match=r"color/a\.png' is a gray picture among the col"):
        read(color, gray)
    assert len(read_good(color, gray)[0]) == 2
    write(gray / "b.bmp", STACK[1])
    with pytest.raises(BadImageFile, match=r"half of 3 .*b\.bmp' is a colour picture"):
        read_good(color, gray)


def test_a_scan_that_is_off_by_one_is_gray(folders: tuple[Path, Path]) -> None:
    color, gray = folders
    scan = gray2rgb(GRAY_STACK[1])
    scan[7, 9, 1] += 1
    write(gray / "b.bmp", scan)
    Image.fromarray(gray2rgb(GRAY_STACK[0])).save(gray / "a.webp", quality=60)
    (gray / "a.png").unlink()
    pairs = read(color, gray)
    np.testing.assert_array_equal(pairs[1].gray, GRAY_STACK[1] / np.float32(255))
    assert abs(pairs[0].gray - GRAY_STACK[0] / np.float32(255)).mean() < 0.02


@pytest.mark.parametrize("inner", ["gray", "color"])
def test_a_folder_in_the_other_one_is_no_part_of_it(folders, inner: str) -> None:
    color, gray = folders
    if inner == "gray":
        gray = gray.rename(color / "gray")
    else:
        color = color.rename(gray / "color")
    assert [pair.name for pair in read(color, gray)] == ["a", "b", "more/a"]


def test_names_of_other_systems_match(folders: tuple[Path, Path]) -> None:
    color, gray = folders
    (color / "a.png").rename(color / "F\u00e4rbung.PNG")
    (gray / "a.png").rename(gray / "Fa\u0308rbung.png")
    (gray / "more" / "a.ome.tif").rename(gray / "more" / "A.TIF")
    pairs = read(color, gray)
    assert [pair.name for pair in pairs] == ["F\u00e4rbung", "b", "more/a"]
    np.testing.assert_array_equal(pairs[0].gray, GRAY_STACK[0] / np.float32(255))


def test_what_programs_leave_in_folders_is_no_picture(folders) -> None:
    color, gray = folders
    (color / "._a.png").write_bytes(b"\0\5\x16\7")
    write(color / ".ipynb_checkpoints" / "a-checkpoint.png", STACK[0])
    write(gray / "__MACOSX" / "a.png", GRAY_STACK[0])
    pairs, notes = read_good(color, gray)
    assert [pair.name for pair in pairs] == ["a", "b", "more/a"]
    assert notes.startswith("2 hidden or cached entries are left out: ")
    assert "1 hidden or cached entries are left out: " in notes
    assert str(color / "._a.png") in notes


def test_folders_without_pictures(tmp_path: Path, folders: tuple[Path, Path]) -> None:
    with pytest.raises(BadImageFile, match=r"nowhere' is not a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(BadImageFile, match=r"is not a folder.*gray pictures"):
        read(folders[0], folders[1] / "notes.txt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    with pytest.raises(BadImageFile, match=r"empty' holds no pictures\. .*\.png"):
        read(tmp_path / "empty")


def test_files_that_fit_nothing(folders: tuple[Path, Path]) -> None:
    color, gray = folders
    write(gray / "b.bmp", GRAY_STACK[1][:, 1:])
    with pytest.raises(PairMismatch, match=r"'b' is 240 x 239 px"):
        read(color, gray)
    (gray / "b.bmp").write_bytes(b"not a picture at all")
    with pytest.raises(BadImageFile, match=r"b\.bmp' is not a picture"):
        read(color, gray)
    pairs, notes = read_good(color, gray)
    assert [pair.name for pair in pairs] == ["a", "more/a"]
    assert "1 of 3 pictures cannot be used" in notes and "b.bmp' is not a" in notes
    tifffile.imwrite(color / "b.tif", np.zeros((2, 30, 1), np.uint8)[..., 0])
    (color / "b.png").unlink()
    with pytest.raises(BadPair, match=r"b\.tif' is a gray picture among"):
        read(color)


# one file with all pixels


def some_pairs() -> list[Pair]:
    mask = GRAY_STACK[0] > 120
    name = 'Färbung "7" [0]'
    return [
        *pairs_of(STACK[0], mask=mask, name=name),
        *pairs_of(STACK[1:3], GRAY_STACK[1:3].astype(np.uint16) * 9, name="b"),
    ]


def test_pairs_come_back_as_they_were(tmp_path: Path) -> None:
    pairs, path = some_pairs(), tmp_path / "run.pairs"
    save_pairs(pairs, path)
    loaded = load_pairs(path)
    assert digest(loaded) == digest(pairs)
    assert [pair.from_color for pair in loaded] == [True, False, False]
    assert list(tmp_path.iterdir()) == [path]
    save_pairs(pairs[:1], path)
    assert digest(load_pairs(path)) == digest(pairs[:1])
    save_pairs([], path)
    assert load_pairs(path) == []


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch) -> None:
    pairs, path = some_pairs(), tmp_path / "run.pairs"
    with pytest.raises(
        CheckpointError, match=r"x/run\.pairs' cannot be written: No su"
    ):
        save_pairs(pairs, tmp_path / "x" / "run.pairs")
    save_pairs(pairs, path)

    def full(*_args, **_options) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_pairs(pairs[:1], path)
    assert list(tmp_path.iterdir()) == [path]
    assert digest(load_pairs(path)) == digest(pairs)


def changed(path: Path, *, compressed=False, **changes) -> None:
    with np.load(path) as old:
        arrays = dict(old)
    for name, value in changes.items():
        arrays[name] = value
    with path.open("wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **arrays)


def encoded(about) -> np.ndarray:
    return np.frombuffer(json.dumps(about).encode(), np.uint8)


def renamed(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


def hide_the_mask(path: Path) -> None:
    """Let the entry before it say that it has a comment, which ends after it."""
    content = bytearray(path.read_bytes())
    place = content.rindex(b"color_0.npy") - 46  # in the list at the file's end
    content[place + 32] = 46 + len("mask_0.npy")
    path.write_bytes(content)


DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "foreign": lambda path: path.write_bytes(b"GIF89a" * 99),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:99999]),
    "a flipped bit": lambda path: path.write_bytes(
        path.read_bytes().replace(STACK[0, 9].tobytes(), bytes(720))
    ),
    "another format": lambda path: changed(
        path, about=encoded({"format": 2, "pairs": []})
    ),
    "no list": lambda path: changed(path, about=encoded([])),
    "an array missing": lambda path: changed(
        path,
        about=encoded({"format": 1, "pairs": [{"name": "a", "from_color": True}] * 4}),
    ),
    "another shape": lambda path: changed(path, gray_0=np.zeros((4, 4), np.float32)),
    "another type": lambda path: changed(path, mask_0=GRAY_STACK[0]),
    "a mask under another name": lambda path: renamed(path, b"mask_0", b"mask_4"),
    "a mask that is hidden": hide_the_mask,
    "compressed": lambda path: changed(path, compressed=True),
    "objects": lambda path: changed(path, gray_0=np.array([{}], object)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "run.pairs"
    save_pairs(some_pairs(), path)
    DAMAGE[damage](path)
    with pytest.raises(CheckpointError, match=r"run\.pairs' holds no pairs .* again"):
        load_pairs(path)
