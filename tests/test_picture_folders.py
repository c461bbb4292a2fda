"""Folders of pictures: gray ones are left out, and bad ones are named."""

import numpy as np
import pytest
from PIL import Image

from napari_colorgan.errors import (
    BadImageFile,
    Stopped,
)
from napari_colorgan.job import Control, finish
from napari_colorgan.training.left_out import (
    is_color,
)
from napari_colorgan.training.pictures import list_files, read_pictures_job


def read_pictures(folders, side):
    return finish(read_pictures_job(folders, list_files(folders), side))


def save(folder, name, picture):
    Image.fromarray(picture).save(folder / name)


def test_gray_pictures_are_left_out(tmp_path, photo, gray):
    save(tmp_path, "color.png", photo)
    save(tmp_path, "gray.png", gray)
    save(tmp_path, "scan.png", np.repeat(gray[..., None], 3, axis=-1))
    save(tmp_path, "faded.png", (photo // 32 + gray[..., None] // 2).astype(np.uint8))
    cache = read_pictures([tmp_path], side=64)
    assert list(map(len, cache)) == [1]
    assert is_color(photo)
    assert not is_color(np.repeat(gray[..., None], 3, axis=-1))


@pytest.mark.parametrize("content", ["nothing", "gray", "no folder"])
def test_a_folder_without_color_is_named(tmp_path, gray, content):
    folder = tmp_path / content
    if content != "no folder":
        folder.mkdir()
    if content == "gray":
        save(folder, "a.png", gray)
    with pytest.raises(BadImageFile, match=rf"'.*{content}' holds no colour pictures"):
        read_pictures([folder], side=64)


def test_an_unreadable_picture_is_named(tmp_path, photo):
    save(tmp_path, "good.png", photo)
    content = (tmp_path / "good.png").read_bytes()
    bomb = bytearray((tmp_path / "good.png").read_bytes())
    bomb[16:24] = (1 << 20).to_bytes(4, "big") * 2  # width and height of a PNG
    for name, damaged in (
        ("cut.png", content[: len(content) // 2]),
        ("text.jpg", b"not a picture"),
        (
            "bomb.bmp",
            b"BM" + bytes(8) + (54).to_bytes(4, "little") * 2 + b"\xff\x0f" * 8,
        ),
        ("huge.png", bytes(bomb)),
    ):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(BadImageFile, match=rf"{name}' is "):
            read_pictures([tmp_path], side=64)
        (tmp_path / name).unlink()


def test_cached_pictures_have_the_side_asked_for_and_are_never_enlarged(photos):
    cache = read_pictures([photos], side=64)
    found = [one.color for one in cache[0]]
    assert len(found) == 6
    assert {min(p.shape[:2]) for p in found} <= {60, 64}
    assert all(p.dtype == np.uint8 for p in found)


def test_reading_folders_can_be_stopped(photos):
    control = Control()
    seen = []

    def stop_at_second(event):
        seen.append(event)
        if event.done == 2:
            control.request_stop()

    with pytest.raises(Stopped, match="nothing has changed"):
        job = read_pictures_job([photos], list_files([photos]), 64)
        finish(job, stop_at_second, control)
    assert [(e.done, e.total) for e in seen] == [(1, 6), (2, 6)]
