"""Folders are searched for the user's pictures, not for what programs leave there."""

import os
import unicodedata
from pathlib import Path

import pytest

from napari_colorgan.image_io.folders import find_pictures, list_pictures, match_names


def make(folder: Path, *names: str) -> list[Path]:
    paths = [folder / name for name in names]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return paths


def test_pictures_are_found_at_any_depth_and_sorted(tmp_path):
    found = make(tmp_path, "b.PNG", "a/c.jpeg", "a/b.tif", "c.webp", "d.gif", "e.bmp")
    make(tmp_path, "notes.txt", "a/b.safetensors")
    assert list_pictures(tmp_path) == sorted(found)
    assert list_pictures(tmp_path / "nowhere") == []


def test_hidden_and_cached_entries_are_left_out(tmp_path):
    mine = make(tmp_path, "p0.png", "deep/er/p1.png", "thumb.png")
    others = make(
        tmp_path,
        "._p0.png",
        "deep/.ipynb_checkpoints/p1-checkpoint.png",
        "__MACOSX/deep/._p1.png",
        ".thumbnails/large/p0.png",
        "@eaDir/p0.png/SYNOPHOTO_THUMB_M.jpg",
        "$RECYCLE.BIN/$R1.png",
        "Thumbs/p0.png",
    )
    others.append(tmp_path / "@eaDir" / "p0.png")  # a folder
    listing = find_pictures(tmp_path)
    assert listing.files == tuple(sorted(mine))
    assert listing.left_out == tuple(sorted(others))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such pipes")
def test_only_files_count(tmp_path):
    (mine,) = make(tmp_path, "a.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(mine)
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(tmp_path / "pipe.png")
    listing = find_pictures(tmp_path)
    assert [path.name for path in listing.files] == ["a.png", "link.png"]
    assert [p.name for p in listing.left_out] == [
        "folder.png", "nowhere.png", "pipe.png",
    ]  # fmt: skip


def test_a_folder_that_is_itself_hidden_may_be_given(tmp_path):
    mine = make(tmp_path / ".cache" / "thumbnails", "a.png")
    assert list_pictures(tmp_path / ".cache" / "thumbnails") == mine


@pytest.mark.parametrize("given", ["gray", "link", "more/../gray"])
def test_a_folder_within_can_be_left_alone(tmp_path, given):
    mine = make(tmp_path, "a.png", "more/a.png", "more/gray/a.png")
    make(tmp_path, "gray/a.png", "gray/deep/b.png")
    (tmp_path / "link").symlink_to("gray")
    listing = find_pictures(tmp_path, without=tmp_path / given)
    assert listing.files == tuple(sorted(mine))
    assert listing.left_out == ()


def test_names_match_whatever_the_system_made_of_them():
    composed = unicodedata.normalize("NFC", "Färbung é")
    apart = unicodedata.normalize("NFD", composed)
    assert composed != apart
    names = [composed, "P0", "a", "stra\udcdfe", "alone"]
    others = [apart, "p0", "a", "stra\udcdfe", "other"]
    assert match_names(names, others) == {
        composed: apart,
        "P0": "p0",
        "a": "a",
        "stra\udcdfe": "stra\udcdfe",
    }


def test_the_same_name_comes_first_and_what_is_ambiguous_stays_alone():
    assert match_names(["a", "A"], ["A", "a"]) == {"a": "a", "A": "A"}
    assert match_names(["a", "A"], ["a"]) == {"a": "a"}
    assert match_names(["a"], ["A", "a"]) == {"a": "a"}
    assert match_names(["AB", "aB"], ["ab"]) == {}
    assert match_names(["ab"], ["AB", "aB"]) == {}
