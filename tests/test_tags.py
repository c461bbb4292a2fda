"""Files keep their words on the way through, and say how they were coloured."""

import json
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from napari_colorgan.image_io import PixelSize, ResultFile, Tags, read_image, tags

MADE = {"model": "natural", "digest": "1e5" * 20, "limits": (0.0, 255.0)}
WORDS = {
    "description": "Ein Blatt, 20 µm,\nvon oben",
    "artist": "Zoë Müller",
    "rights": "© 2024 Zoë Müller",
    "date": "2024:05:06 07:08:09",
    "make": "Zeiss",
    "camera": "Axioscan 7",
}
NAMES = ["a.png", "a.jpg", "a.tif", "a.ome.tif"]


@pytest.fixture(scope="module")
def rgb() -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.astronaut()[:64, 200:296])


def write(path: Path, rgb, leading: str = "", size=None, words=WORDS, made=MADE):
    shape = rgb.shape[:-1]
    first = None if made is None else {"complete": False}
    tags = Tags(**words)
    with ResultFile(path, shape, leading, size, tags=tags, made=first) as file:
        file.array[...] = rgb
        file.made = made
    return read_image(path)


@pytest.mark.parametrize("name", NAMES)
def test_words_and_record_there_and_back(tmp_path: Path, rgb, name: str) -> None:
    image = write(tmp_path / name, rgb)
    assert image.tags.words() == WORDS
    assert isinstance(image.tags.made, dict)
    assert image.tags.made["note"] == tags.NOTE
    assert image.tags.made["software"].startswith("napari-colorgan ")
    assert image.tags.made | {"limits": [0.0, 255.0]} == image.tags.made
    assert image.tags.made["digest"] == MADE["digest"]
    if name != "a.jpg":
        np.testing.assert_array_equal(image.array, rgb)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_that_was_not_coloured_says_nothing_of_it(
    tmp_path: Path, rgb, name: str
) -> None:
    image = write(tmp_path / name, rgb, words={}, made=None)
    assert image.tags == Tags()
    assert b"invented" not in (tmp_path / name).read_bytes()


def test_pillow_reads_what_we_write(tmp_path: Path, rgb) -> None:
    """Texts, EXIF and the profile, as another program sees them."""
    for name in ("a.png", "a.jpg", "a.tif"):
        write(tmp_path / name, rgb)
        with Image.open(tmp_path / name) as image:
            if name == "a.png":
                image.load()
                assert image.text["Author"] == WORDS["artist"]
                comment = image.text["Comment"]
            elif name == "a.jpg":
                exif = image.getexif()
                assert exif[305].startswith("napari-colorgan ")
                comment = exif.get_ifd(0x8769)[37510].removeprefix(b"ASCII\0\0\0")
            else:
                assert image.tag_v2[306] == WORDS["date"]
                comment = image.tag_v2[270].partition("colorgan=")[2]
            profile = image.info["icc_profile"]
        assert json.loads(comment)["note"] == tags.NOTE
        same = imagecodecs.cms_transform(
            rgb,
            profile,
            imagecodecs.cms_profile("srgb"),
            colorspace="rgb",
            outcolorspace="rgb",
        )
        assert np.abs(same.astype(int) - rgb).max() <= 1


@pytest.mark.parametrize("made", [MADE, MADE | {"long": "x" * 9000}])
def test_imagej_still_finds_axes_and_units(tmp_path: Path, rgb, made) -> None:
    path = tmp_path / "a.tif"
    stack = np.stack([rgb, rgb[::-1]] * 3).reshape(3, 2, *rgb.shape)
    size = PixelSize(y=0.2, x=0.25, unit="µm", z=1.5, t=30.0)
    image = write(path, stack, "TZ", size, made=made)
    with tifffile.TiffFile(path) as tiff:
        imagej = tiff.imagej_metadata
        assert tiff.series[0].axes == "TZYXS"
        assert tiff.series[0].dataoffset is not None  # one block, to be mapped
    assert (imagej["frames"], imagej["slices"]) == (3, 2)
    assert (imagej["unit"], imagej["spacing"]) == ("um", 1.5)
    assert imagej["finterval"] == 30.0
    assert imagej["Info"].startswith(WORDS["description"])
    assert tags.NOTE in imagej["Info"] and "..." not in imagej["Info"]
    assert image.pixel_size is not None and image.pixel_size.z == 1.5
    np.testing.assert_array_equal(tifffile.memmap(path, mode="r"), stack)


@pytest.mark.parametrize(("name", "leading"), [("a.tif", "QI"), ("a.ome.tif", "TC")])
def test_other_tiffs_keep_their_axes(tmp_path, rgb, name, leading) -> None:
    stack = np.stack([rgb, rgb[::-1]] * 3).reshape(3, 2, *rgb.shape)
    image = write(tmp_path / name, stack, leading, PixelSize(y=0.2, x=0.25, unit="µm"))
    assert image.axes == f"{leading}YXS"
    assert image.tags.description == WORDS["description"]
    assert image.tags.made["model"] == "natural"
    np.testing.assert_array_equal(tifffile.memmap(tmp_path / name, mode="r"), stack)


def test_what_other_programs_wrote_is_read(tmp_path: Path, rgb) -> None:
    exif = Image.Exif()
    exif[270], exif[271], exif[315] = "A leaf", "Canon", "Ann"
    exif[306] = "2020:01:01 00:00:00"  # when it was edited
    exif.get_ifd(0x8769)[36867] = "2019:02:03 04:05:06"
    taken = {"date": "2019:02:03 04:05:06", "artist": "Ann", "make": "Canon"}
    for name in ("a.jpg", "a.png", "a.webp"):
        Image.fromarray(rgb).save(tmp_path / name, exif=exif)
        words = read_image(tmp_path / name).tags.words()
        assert words == taken | {"description": "A leaf"}
    extra = [(315, "s", 0, "Ann", True)]
    tifffile.imwrite(
        tmp_path / "a.tif", rgb, description="A leaf", extratags=extra, metadata=None
    )
    found = read_image(tmp_path / "a.tif").tags
    assert (found.description, found.artist) == ("A leaf", "Ann")
    tifffile.imwrite(
        tmp_path / "j.tif", rgb[..., 0], imagej=True, metadata={"Info": "Slide 7"}
    )
    assert read_image(tmp_path / "j.tif").tags.description == "Slide 7"
    tifffile.imwrite(
        tmp_path / "o.ome.tif",
        rgb[..., 0],
        metadata={"Description": "Slide 8", "AcquisitionDate": "2024-01-02T03:04:05"},
    )
    found = read_image(tmp_path / "o.ome.tif").tags
    assert (found.description, found.date) == ("Slide 8", "2024-01-02T03:04:05")


@pytest.mark.parametrize("where", ["png", "jpg"])
def test_damaged_and_foreign_comments(tmp_path: Path, rgb, where: str) -> None:
    texts = {
        '{"software": "napari-colorgan 1.0", ': '{"software": "napari-colorgan 1.0",',
        "Made by hand": None,
        '["napari-colorgan"]': '["napari-colorgan"]',
        "napari-colorgan" + "[" * 5000: "napari-colorgan" + "[" * 5000,
    }
    for text, expected in texts.items():
        path = tmp_path / f"a.{where}"
        if where == "png":
            info = tags.PngInfo()
            info.add_text("Comment", text)
            Image.fromarray(rgb).save(path, pnginfo=info)
        else:
            exif = Image.Exif()
            exif.get_ifd(0x8769)[37510] = b"ASCII\0\0\0" + text.encode()
            Image.fromarray(rgb).save(path, exif=exif)
        assert read_image(path).tags.made == expected


@pytest.mark.parametrize("name", NAMES)
def test_odd_words_of_a_file_do_no_harm(tmp_path: Path, rgb, name: str) -> None:
    odd = "a<b>\x1b[2J&\x00 \x85\udcdf\uffff" + "\N{LEAF FLUTTERING IN WIND}" * 9000
    info = tags.PngInfo()
    for keyword in ("Description", "Author", "Copyright", "Creation Time"):
        info.add(b"iTXt", keyword.encode() + b"\0" * 5 + odd.encode(errors="replace"))
    Image.fromarray(rgb).save(tmp_path / "in.png", pnginfo=info)
    words = read_image(tmp_path / "in.png").tags.words()
    assert set(words) == {"description", "artist", "rights", "date"}
    words |= {"make": words["artist"], "camera": words["artist"]}
    kept = write(tmp_path / name, rgb, words=words).tags.words()
    assert set(kept) == set(words)
    for text in kept.values():
        assert text.startswith("a<b>[2J&") and len(text) > 1000


@pytest.mark.parametrize("name", NAMES)
def test_long_words_and_records_fit(tmp_path: Path, rgb, name: str) -> None:
    words = {"description": "ü" * 60_000, "artist": "x" * 60_000}
    image = write(tmp_path / name, rgb, words=words, made={"odd": ["y" * 99] * 9999})
    assert image.tags.description.startswith("ü" * 2000)
    assert image.tags.made["note"] == tags.NOTE
    assert len(image.tags.made["record"]) < 10_000


def test_equal_pictures_give_equal_files(tmp_path: Path, rgb) -> None:
    for name in ("a.png", "b.png"):
        write(tmp_path / name, rgb)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
