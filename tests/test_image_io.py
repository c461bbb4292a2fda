"""Picture files keep their values, axes and pixel size on the way in and out."""

import contextlib
import os
import pickle
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin, TiffTags
from skimage import data

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import (
    PixelSize,
    ResultFile,
    check_output,
    read_image,
    tiff,
    writing,
)
from napari_colorgan.image_io.blocks import Blocks
from napari_colorgan.inference.source import Source


@pytest.fixture(scope="module")
def camera() -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.camera()[100:164, 200:296])


@pytest.fixture(scope="module")
def deep(camera) -> NDArray[np.uint16]:
    """The same with 16 bits that 8 could not hold."""
    return camera.astype(np.uint16) * 257 - np.arange(camera.shape[1], dtype=np.uint16)


@pytest.fixture(scope="module")
def stack(deep) -> NDArray[np.uint16]:
    """(T, Z, Y, X) = (3, 2, 64, 96)."""
    planes = [np.roll(deep, 5 * i, axis=1) for i in range(6)]
    return np.stack(planes).reshape(3, 2, *deep.shape)


@pytest.fixture(scope="module")
def astronaut() -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.astronaut()[:64, 200:296])


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.uint16])
def test_gray_keeps_every_bit(tmp_path: Path, deep, dtype, suffix: str) -> None:
    gray = deep > 30000 if dtype == np.bool_ else (deep / 257).astype(dtype)
    gray = deep if dtype == np.uint16 else gray
    path = tmp_path / f"gray{suffix}"
    Image.fromarray(gray).save(path)
    image = read_image(path)
    assert image.axes == "YX" and image.array.dtype == dtype
    np.testing.assert_array_equal(image.array, gray)


@pytest.mark.parametrize("dtype", [">u2", "<i2", "f4", ">f8", "f2", "u4"])
def test_tiff_of_any_type(tmp_path: Path, camera, dtype: str) -> None:
    gray = camera.astype(dtype) / np.array(2, dtype) if "f" in dtype else camera
    path = tmp_path / "gray.tif"
    tifffile.imwrite(path, gray.astype(dtype), byteorder=">" if ">" in dtype else "<")
    image = read_image(path)
    assert image.array.dtype.kind == np.dtype(dtype).kind
    np.testing.assert_array_equal(image.array, gray.astype(dtype))


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_everyday_pictures(tmp_path: Path, camera, astronaut, suffix: str) -> None:
    for picture in (camera, astronaut):
        path = tmp_path / f"picture{suffix}"
        Image.fromarray(picture).save(path)
        image = read_image(path)
        # WebP has no gray, its three channels are equal
        axes = "YX" if picture.ndim == 2 and suffix != ".webp" else "YXS"
        assert image.axes == axes
        found = image.array if image.array.ndim == picture.ndim else image.array[..., 0]
        assert np.abs(found.astype(int) - picture).mean() < 6


def test_palette_and_transparency(tmp_path: Path, camera, astronaut) -> None:
    few = Image.fromarray(astronaut).quantize(32)
    few.info["transparency"] = bytes(range(32))
    few.save(tmp_path / "palette.png")
    image = read_image(tmp_path / "palette.png")
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.array, np.asarray(few.convert("RGBA"))[..., :3])

    alpha = np.full_like(camera, 200)
    Image.fromarray(np.dstack([camera, alpha])).save(tmp_path / "la.png")
    np.testing.assert_array_equal(read_image(tmp_path / "la.png").array, camera)
    Image.fromarray(np.dstack([astronaut, alpha])).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(read_image(tmp_path / "rgba.png").array, astronaut)
    tifffile.imwrite(
        tmp_path / "la.tif",
        np.dstack([camera, alpha]),
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=["unassalpha"],
    )
    np.testing.assert_array_equal(read_image(tmp_path / "la.tif").array, camera)


@pytest.mark.parametrize("name", ["Software", "ImageDescription", "Copyright"])
def test_odd_exif_does_no_harm(tmp_path: Path, camera, name: str) -> None:
    path = tmp_path / "odd.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(camera).save(path, exif=exif, quality=95)
    upright = read_image(path).array
    code = next(code for code, tag in ExifTags.TAGS.items() if tag == name)
    ifd = TiffImagePlugin.ImageFileDirectory_v2()
    ifd.tagtype[code] = TiffTags.RATIONAL
    ifd[274], ifd[code] = 6, TiffImagePlugin.IFDRational(1, 3)
    content = b"Exif\0\0II*\0\x08\0\0\0" + ifd.tobytes(8)
    Image.fromarray(camera).save(path, exif=content, quality=95)
    np.testing.assert_array_equal(read_image(path).array, upright)


def test_a_photograph_stands_upright(tmp_path: Path, camera) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter, as phones store it
    Image.fromarray(camera).save(tmp_path / "phone.png", exif=exif)
    np.testing.assert_array_equal(
        read_image(tmp_path / "phone.png").array, np.rot90(camera, -1)
    )


def test_frames_become_time(tmp_path: Path, camera) -> None:
    frames = [Image.fromarray(np.roll(camera, shift)) for shift in (0, 7, 14)]
    frames[0].save(tmp_path / "film.png", save_all=True, append_images=frames[1:])
    image = read_image(tmp_path / "film.png")
    assert image.axes == "TYX" and image.array.shape == (3, *camera.shape)
    np.testing.assert_array_equal(image.array[2], np.roll(camera, 14))


def test_a_phone_s_second_picture_is_left_out(tmp_path: Path, astronaut) -> None:
    first, second = Image.fromarray(astronaut), Image.fromarray(astronaut[::2, ::2])
    path = tmp_path / "phone.jpg"
    first.save(path, "MPO", save_all=True, append_images=[second])
    image = read_image(path)
    assert image.axes == "YXS" and image.array.shape == astronaut.shape


def test_sixteen_bit_colour_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    path.write_bytes(rgb16_png(np.full((4, 5, 3), 0x1234, np.uint16)))
    image = read_image(path)
    assert image.axes == "YXS" and image.array.dtype == np.uint8
    assert "reduced to 8" in image.notes[0]


def rgb16_png(rgb: NDArray[np.uint16]) -> bytes:
    import struct
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
        )

    height, width = rgb.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_imagej_axes_and_pixel_size(tmp_path: Path, stack) -> None:
    path = tmp_path / "imagej.tif"
    tifffile.imwrite(
        path,
        stack,
        imagej=True,
        resolution=(4, 5),
        metadata={"axes": "TZYX", "spacing": 1.5, "unit": "um", "finterval": 30.0},
    )
    image = read_image(path)
    assert image.axes == "TZYX"
    assert image.pixel_size == PixelSize(y=0.2, x=0.25, unit="µm", z=1.5, t=30.0)
    np.testing.assert_array_equal(image.array, stack)


def test_imagej_lookup_table_is_no_colour(tmp_path: Path, camera) -> None:
    green = np.zeros((3, 256), np.uint16)
    green[1] = np.arange(256) * 257
    path = tmp_path / "green.tif"
    tifffile.imwrite(
        path,
        camera,
        photometric="palette",
        colormap=green,
        description="ImageJ=1.54f\nmin=0.0\nmax=255.0\n",
        metadata=None,
    )
    image = read_image(path)
    assert image.axes == "YX"
    np.testing.assert_array_equal(image.array, camera)


def test_ome_axes_and_pixel_size(tmp_path: Path, stack) -> None:
    path = tmp_path / "cells.ome.tif"
    metadata = {
        "axes": "TCYX",
        "PhysicalSizeX": 250.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 200.0,
        "PhysicalSizeYUnit": "nm",
        "TimeIncrement": 2.0,
        "TimeIncrementUnit": "s",
    }
    tifffile.imwrite(path, stack, metadata=metadata)
    image = read_image(path)
    assert image.axes == "TCYX"
    assert image.pixel_size == PixelSize(y=200, x=250, unit="nm", t=2)
    np.testing.assert_array_equal(image.array, stack)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (
            {"X": (500, "nm"), "Y": (0.5, "µm"), "Z": (0.002, "mm")},
            PixelSize(x=500, y=500, z=2000, unit="nm"),
        ),
        (
            {"X": (0.5, "µm"), "Y": (0.5, "µm"), "Z": (3, "reference frame")},
            PixelSize(x=0.5, y=0.5, unit="µm"),
        ),
        ({"Z": (2, "µm"), "T": (40, "ms")}, PixelSize(z=2, t=0.04, unit="µm")),
        ({"T": (2, "min")}, PixelSize(t=120)),
        ({"X": (3, "pixel"), "Y": (3, "pixel")}, PixelSize(x=3, y=3, unit="pixel")),
        ({"X": (1, "mm")}, None),
    ],
)
def test_ome_units(tmp_path: Path, stack, metadata, expected) -> None:
    path, back = tmp_path / "units.ome.tif", tmp_path / "back.ome.tif"
    keys = {"T": "TimeIncrement"} | {c: f"PhysicalSize{c}" for c in "XYZ"}
    about = {"axes": "TZYX"}
    for axis, (length, unit) in metadata.items():
        about |= {keys[axis]: float(length), f"{keys[axis]}Unit": unit}
    tifffile.imwrite(path, stack, metadata=about)
    size = read_image(path).pixel_size
    assert size == expected
    write(back, np.zeros((3, 2, 8, 9, 3), np.uint8), "TZ", size)
    if size is not None and size.unit != "pixel":
        assert read_image(back).pixel_size == size


def test_imagej_units(tmp_path: Path, stack) -> None:
    path = tmp_path / "units.tif"
    about = {"axes": "TZYX", "unit": "um", "yunit": "nm", "spacing": 2, "zunit": "mm"}
    about |= {"finterval": 40, "tunit": "ms"}
    tifffile.imwrite(path, stack, imagej=True, resolution=(2, 0.002), metadata=about)
    size = read_image(path).pixel_size
    nearly = pytest.approx(0.5)  # fractions of 32 bits hold no 0.002
    assert size == PixelSize(x=0.5, y=nearly, z=2000, t=0.04, unit="µm")


def test_letters_that_are_not_ours_are_renamed(tmp_path: Path, stack) -> None:
    path = tmp_path / "odd.tif"
    tifffile.imwrite(
        path,
        stack[None],
        photometric="minisblack",
        metadata={"axes": "AEHYX"},
    )
    image = read_image(path)
    assert image.array.shape == stack.shape  # A has length 1
    assert image.axes.endswith("YX") and len(set(image.axes)) == 4
    assert set(image.axes[:2]) <= set("TZCPRMQI")


def test_own_letters_leave_the_array_as_stored(tmp_path: Path, stack) -> None:
    """Three planes that tifffile took for planar RGB are planes if the user says so."""
    path = tmp_path / "planar.tif"
    tifffile.imwrite(path, stack[:, 0], photometric="rgb", planarconfig="separate")
    assert read_image(path).axes == "YXS"
    image = read_image(path, "ZYX")
    assert image.axes == "ZYX"
    np.testing.assert_array_equal(image.array, stack[:, 0])


def test_white_is_zero_and_palette_tiffs(tmp_path: Path, camera, astronaut) -> None:
    tifffile.imwrite(tmp_path / "fax.tif", 255 - camera, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "fax.tif").array, camera)
    few = Image.fromarray(astronaut).quantize(64)
    few.save(tmp_path / "palette.tif")
    image = read_image(tmp_path / "palette.tif")
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.array, np.asarray(few.convert("RGB")))


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_stacks(tmp_path: Path, stack, compression: str) -> None:
    planes = [Image.fromarray(plane) for plane in stack[:, 0]]
    path = tmp_path / "packed.tif"
    planes[0].save(
        path, save_all=True, append_images=planes[1:], compression=compression
    )
    image = read_image(path)
    assert image.array.shape == (3, 64, 96) and image.axes.endswith("YX")
    np.testing.assert_array_equal(image.array, stack[:, 0])


def test_jpeg_and_cmyk_tiffs(tmp_path: Path, astronaut) -> None:
    picture = Image.fromarray(astronaut)
    picture.save(tmp_path / "jpeg.tif", compression="jpeg")
    picture.convert("CMYK").save(tmp_path / "cmyk.tif")
    for name in ("jpeg.tif", "cmyk.tif"):
        image = read_image(tmp_path / name)
        assert image.axes == "YXS"
        assert np.abs(image.array.astype(int) - astronaut).mean() < 10


def test_codec_that_is_unknown_is_named(tmp_path: Path, astronaut) -> None:
    path = tmp_path / "packed.tif"
    tifffile.imwrite(path, astronaut, photometric="rgb", compression="zlib")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        place = file.pages[0].tags["Compression"].valueoffset
    content[place : place + 2] = (32809).to_bytes(2, "little")  # ThunderScan
    path.write_bytes(content)
    with pytest.raises(BadImageFile, match=r"THUNDERSCAN.*Save it without compr"):
        read_image(path)


@pytest.mark.parametrize(
    ("options", "axes"),
    [
        ({"imagej": True, "metadata": {"axes": "TZYX"}}, "TZYX"),
        ({"byteorder": ">", "metadata": {"axes": "TCYX"}}, "TCYX"),
    ],
)
def test_large_tiffs_are_read_by_seeking(
    tmp_path: Path, stack, monkeypatch, options, axes
) -> None:
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, stack, **options)
    monkeypatch.setattr(tiff, "_OPEN_ABOVE", 0)
    monkeypatch.setattr(tiff, "_SEEK_ABOVE", 0)
    image = read_image(path, by_blocks=True)
    again = pickle.loads(pickle.dumps(image.array))
    assert isinstance(image.array, Blocks) and image.axes == axes
    for array in (image.array, again, read_image(path).array):
        np.testing.assert_array_equal(array[...], stack)
    part = np.s_[1, ::-1, 3:40, 50::7]
    np.testing.assert_array_equal(image.array[part], stack[part])


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_large_colours_are_read_by_seeking(
    tmp_path: Path, astronaut, monkeypatch, planar: str
) -> None:
    path = tmp_path / "large.tif"
    stored = astronaut if planar == "contig" else np.moveaxis(astronaut, -1, 0)
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar)
    monkeypatch.setattr(tiff, "_OPEN_ABOVE", 0)
    monkeypatch.setattr(tiff, "_SEEK_ABOVE", 0)
    image = read_image(path, by_blocks=True)
    assert isinstance(image.array, Blocks) and image.axes == "YXS"
    np.testing.assert_array_equal(image.array[...], astronaut)
    np.testing.assert_array_equal(image.array[9:30, 5:7], astronaut[9:30, 5:7])


def test_a_tiff_that_is_shortened_while_it_is_read_is_told(
    tmp_path: Path, stack, monkeypatch
) -> None:
    """Mapped, it would end the process: a bus error."""
    monkeypatch.setattr(tiff, "_OPEN_ABOVE", 0)
    monkeypatch.setattr(tiff, "_SEEK_ABOVE", 0)
    for name, options in (("flat", {}), ("tiles", {"tile": (32, 32)})):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, stack, **options, metadata={"axes": "TZYX"})
        array = read_image(path, by_blocks=True).array
        source = Source.of(array, axes="TZYX", limits=(0, 65535))
        os.truncate(path, 20_000)
        for index in ((0, 0), (2, 1)):
            with contextlib.suppress(BadImageFile):
                source.plane(index).gray(source.plane(index).whole)
        with pytest.raises(BadImageFile, match="ends before its pixels do"):
            source.plane((2, 1)).gray(source.plane((2, 1)).whole)


def test_first_of_several_pictures(tmp_path: Path, camera, deep) -> None:
    with tifffile.TiffWriter(tmp_path / "several.tif") as writer:
        writer.write(deep)
        writer.write(camera[::2, ::2])
    image = read_image(tmp_path / "several.tif")
    np.testing.assert_array_equal(image.array, deep)
    assert "2 pictures" in image.notes[0]


@pytest.mark.parametrize("name", ["cut.png", "cut.jpg", "cut.tif", "cut.webp"])
def test_truncated(tmp_path: Path, astronaut, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(astronaut).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(BadImageFile, match=f"{name}.*damaged") as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    assert "without compression" not in str(caught.value)


def test_foreign_missing_empty(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("This is not a picture.")
    (tmp_path / "empty.tif").touch()
    (tmp_path / "header.tif").write_bytes(b"II*\0")
    for name in ("notes.png", "empty.tif"):
        with pytest.raises(BadImageFile, match="Give a PNG"):
            read_image(tmp_path / name)
    with pytest.raises(BadImageFile, match="damaged"):
        read_image(tmp_path / "header.tif")
    with pytest.raises(BadImageFile, match="No such file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(BadImageFile, match="cannot be read"):
        read_image(tmp_path)


# Writing


def write(path: Path, rgb: NDArray[np.uint8], leading: str = "", size=None) -> None:
    check_output(path, rgb.shape[:-1])
    with ResultFile(path, rgb.shape[:-1], leading, size) as result:
        result.array[...] = rgb


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.TIFF", "a.ome.tif"])
def test_plane_there_and_back(tmp_path: Path, astronaut, name: str) -> None:
    write(tmp_path / name, astronaut)
    image = read_image(tmp_path / name)
    assert image.axes == "YXS"
    np.testing.assert_array_equal(image.array, astronaut)
    assert os.listdir(tmp_path) == [name]


def test_jpeg_keeps_fine_colours(tmp_path: Path, astronaut) -> None:
    write(tmp_path / "a.jpg", astronaut)
    error = np.abs(read_image(tmp_path / "a.jpg").array.astype(int) - astronaut)
    assert error.mean() < 2


@pytest.mark.parametrize(
    ("name", "leading"),
    [
        ("a.tif", "T"),
        ("a.tif", "TZ"),
        ("a.tif", "ZT"),
        ("a.tif", "TC"),
        ("a.tif", "QI"),
        ("a.ome.tif", "TZ"),
        ("a.ome.tif", "TC"),
    ],
)
def test_axes_there_and_back(
    tmp_path: Path, astronaut, name: str, leading: str
) -> None:
    shape = (2, 3)[: len(leading)]
    rgb = np.stack([np.roll(astronaut, i, 0) for i in range(np.prod(shape))])
    rgb = rgb.reshape(*shape, *astronaut.shape)
    write(tmp_path / name, rgb, leading)
    image = read_image(tmp_path / name)
    assert image.axes == f"{leading}YXS"
    np.testing.assert_array_equal(image.array, rgb)


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif"])
def test_pixel_size_there_and_back(tmp_path: Path, astronaut, name: str) -> None:
    size = PixelSize(y=0.2, x=0.25, unit="µm", z=1.5, t=30.0)
    write(tmp_path / name, np.stack([astronaut] * 2)[None], "TZ", size)
    found = read_image(tmp_path / name).pixel_size
    assert found is not None and found.unit == "µm"
    assert (found.y, found.x) == pytest.approx((0.2, 0.25))
    assert (found.z, found.t) == (1.5, 30.0)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_dots_per_inch_there_and_back(tmp_path: Path, astronaut, name: str) -> None:
    write(tmp_path / name, astronaut, size=PixelSize(y=1 / 300, x=1 / 300, unit="in"))
    found = read_image(tmp_path / name).pixel_size
    assert found is not None and found.unit == "in"
    assert (1 / found.y, 1 / found.x) == pytest.approx((300, 300), rel=1e-3)


def test_channels_keep_their_pixel_size_in_plain_tags(
    tmp_path: Path, astronaut
) -> None:
    size = PixelSize(y=0.5, x=0.5, unit="µm")
    write(tmp_path / "a.tif", np.stack([astronaut] * 2), "C", size)
    found = read_image(tmp_path / "a.tif").pixel_size
    assert found is not None and found.unit == "cm"
    assert found.x == pytest.approx(0.5e-4)


def test_output_is_checked_before_work(tmp_path: Path) -> None:
    (tmp_path / "there.tif").write_text("old")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    plane, stack = (64, 96), (3, 64, 96)
    for name, shape, message in [
        ("a.gif", plane, r"ends in one of \.png, \.jpg"),
        ("a", plane, "cannot be written"),
        ("a.png", stack, r"one plane, but the result has 3.*\.tif"),
        ("a.jpg", (2, 70000), r"65500 px.*\.tif"),
        ("there.tif", plane, "exists already.*--force"),
        ("folder.png", plane, "is a folder"),
        ("nowhere/a.png", plane, "No such file.*Choose a folder"),
        ("file/a.png", plane, "Not a directory|No such file"),
    ]:
        with pytest.raises(BadImageFile, match=message):
            check_output(tmp_path / name, shape)
    check_output(tmp_path / "there.tif", plane, force=True)
    check_output(tmp_path / "a.png", (1, 1, *plane))
    assert (tmp_path / "there.tif").read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["file", "folder.png", "there.tif"]


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_failure_keeps_the_older_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    with pytest.raises(KeyError), ResultFile(path, (4, 5)) as result:
        result.array[0] = 7
        raise KeyError
    assert path.read_text() == "old" and os.listdir(tmp_path) == [name]


def test_full_disk_is_told_before_work(tmp_path: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with (
        pytest.raises(BadImageFile, match="No space left"),
        ResultFile(tmp_path / "a.tif", (4, 5)),
    ):
        pytest.fail("there is no room to work in")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="permissions are of another kind there")
def test_result_has_usual_permissions(tmp_path: Path, astronaut) -> None:
    (tmp_path / "usual").touch()
    write(tmp_path / "a.tif", astronaut)
    usual, found = (
        stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("usual", "a.tif")
    )
    assert found == usual


@pytest.fixture
def small_files() -> Iterator[None]:
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # an error instead
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.skipif(os.name == "nt", reason="such a limit is Unix's")
@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_a_result_that_finds_no_room_is_refused_before_the_work(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    with pytest.raises(BadImageFile, match="cannot be written: File too large"):
        check_output(path, (256, 256))
    with (
        pytest.raises(BadImageFile, match="File too large"),
        ResultFile(path, (256,) * 2),
    ):
        pytest.fail("it was begun")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.tif", "out.ome.tif"])
def test_a_full_disk_is_told_before_the_work(tmp_path: Path, name, monkeypatch) -> None:
    full = SimpleNamespace(total=10**9, used=10**9, free=150_000)
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: full)
    with pytest.raises(BadImageFile, match=r"may need 1\.2 MB, and there are 0\.1 MB"):
        check_output(tmp_path / name, (256, 256))
    assert not list(tmp_path.iterdir())


def test_what_is_reserved_is_given_back(tmp_path: Path, astronaut) -> None:
    for name in ("out.png", "out.jpg"):
        path = tmp_path / name
        with ResultFile(path, astronaut.shape[:2]) as result:
            result.array[:] = astronaut
        assert path.stat().st_size < astronaut.nbytes + 10_000
        assert np.abs(read_image(path).array.astype(int) - astronaut).mean() < 3
