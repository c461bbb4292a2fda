"""Pictures to learn from are read like any others, and bad ones are named."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_colorgan.errors import BadImageFile, BadPair
from napari_colorgan.image_io import read_image
from napari_colorgan.job import finish
from napari_colorgan.training.evaluate import pair_readers
from napari_colorgan.training.left_out import LeftOut, PicturesLeftOut
from napari_colorgan.training.pictures import (
    PictureFile,
    list_files,
    read_file,
    read_pairs,
    read_pictures_job,
)


@pytest.fixture
def small(photo):
    """Part of a colour photograph, higher than wide, (64, 48, 3)."""
    return np.ascontiguousarray(photo[100:164, 100:148])


def read_alone(path):
    """Pixels of the pictures in a file, as train and as evaluate read them."""
    file = PictureFile(path.name, path)
    learned = [picture.color for picture in read_file(file, 999)]
    judged = [pair.color for pair in read_pairs(file)]
    ((_, read),) = [one for one in pair_readers(path.parent) if one[0] == path.name]
    compared = [pair.color for pair in read()]
    assert len(learned) == len(judged) == len(compared)
    for pixels in zip(learned, judged, compared, strict=True):
        assert all(np.array_equal(pixels[0], other) for other in pixels)
    return learned


def turned(path, picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(picture).save(path, exif=exif)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.bmp"])
def test_ordinary_pictures_have_the_pixels_of_pillow(tmp_path, small, name):
    Image.fromarray(small).save(tmp_path / name)
    with Image.open(tmp_path / name) as image:
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(read_alone(tmp_path / name)[0], expected)


def test_a_photograph_that_a_camera_turned_stands_upright(tmp_path, small):
    turned(tmp_path / "a.png", np.rot90(small))
    assert np.array_equal(read_alone(tmp_path / "a.png")[0], small)


@pytest.mark.parametrize("code", ["f4", "u2", "u1"])
def test_tiffs_of_any_type_are_learned_from(tmp_path, small, code):
    full = 1 if code == "f4" else np.iinfo(code).max
    picture = (small / 255 * full).astype(code)
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    assert np.abs(read_alone(tmp_path / "a.tif")[0].astype(int) - small).max() <= 1


def test_every_plane_of_a_stack_is_a_picture(tmp_path, small):
    stack = np.stack([small, small[::-1], small[:, ::-1]])
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="rgb")
    assert np.array_equal(read_alone(tmp_path / "a.tif"), stack)
    names = [pair.name for pair in pair_readers(tmp_path)[0][1]()]
    assert names == ["a.tif [0]", "a.tif [1]", "a.tif [2]"]


def test_every_frame_of_a_gif_is_a_picture(tmp_path, small):
    frames = [Image.fromarray(small), Image.fromarray(small[::-1])]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert len(read_alone(tmp_path / "a.gif")) == 2


def read_folder(folder, *, strict=False):
    left_out, events = LeftOut(strict=strict), []
    files = list_files([folder], None, left_out)
    cache = finish(
        read_pictures_job([folder], files, 64, left_out=left_out), events.append
    )
    assert [(e.done, e.total) for e in events][-1] == (len(files[0]),) * 2
    return sum(map(len, cache)), left_out.notes


@pytest.fixture
def folder(tmp_path, photo):
    """Five pictures, two of which are damaged."""
    for number in range(5):
        part = photo[20 * number :][:50, :70]
        Image.fromarray(part).save(tmp_path / f"{number}.png")
    for number in (1, 4):
        path = tmp_path / f"{number}.png"
        path.write_bytes(path.read_bytes()[:800])
    return tmp_path


def test_bad_pictures_are_named_and_the_others_read(folder, gray):
    Image.fromarray(gray).save(folder / "gray.png")
    read, (bad, no_color) = read_folder(folder)
    assert read == 3
    assert bad.startswith("2 of 6 pictures cannot be used and are left out: '")
    assert "1.png' is damaged" in bad and "4.png' is damaged" in bad
    assert no_color.startswith("1 of 6 pictures have no colour")
    assert "gray.png" in no_color
    with pytest.raises(BadImageFile, match=r"1\.png' is damaged"):
        read_folder(folder, strict=True)


def test_more_bad_pictures_than_good_ones_are_an_error(folder):
    (folder / "0.png").write_bytes(b"no picture")
    with pytest.raises(BadImageFile, match=r"half of 5 .*0\.png' is not a pic"):
        read_folder(folder)


def test_the_error_of_the_only_picture_is_its_own(folder):
    for number in (0, 1, 2, 3):
        (folder / f"{number}.png").unlink()
    with pytest.raises(BadImageFile, match=r"^'.*4\.png' is damaged"):
        read_folder(folder)


def test_only_some_of_many_are_named():
    left_out = LeftOut()
    left_out.expect(20)
    for number in range(8):
        with left_out.if_bad(f"{number}"):
            raise BadPair(f"Number {number} is bad.")
    (note,) = left_out.notes
    assert note.endswith("Number 4 is bad. And 3 more.")
    (event,) = left_out.events()
    assert event == PicturesLeftOut(20, 20, (note,))
    assert left_out.names == tuple("01234567")


def test_a_scan_of_a_gray_picture_is_no_bad_one(tmp_path, small, gray):
    Image.fromarray(small).save(tmp_path / "a.png")
    scan = Image.fromarray(gray).convert("RGB")
    scan.save(tmp_path / "b.webp", quality=40)
    assert np.ptp(read_image(tmp_path / "b.webp").array, axis=-1).max() == 1
    read, notes = read_folder(tmp_path)
    assert read == 1 and "1 of 2 pictures have no colour" in notes[0]
