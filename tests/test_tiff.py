"""TIFFs of every kind read as other programs show them."""

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps
from skimage import data

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io import read_image

SRGB = ImageCms.createProfile("sRGB")


@pytest.fixture(scope="module")
def camera() -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.camera()[100:164, 200:297])


@pytest.fixture(scope="module")
def astronaut() -> NDArray[np.uint8]:
    return np.ascontiguousarray(data.astronaut()[:64, 200:297])


def by_pillow(path: Path, mode: str = "L") -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(ImageOps.exif_transpose(image).convert(mode))


def difference(a: NDArray[Any], b: NDArray[Any]) -> int:
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b.astype(int)).max())


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize(
    "compression", [None, "tiff_lzw", "tiff_deflate", "packbits", "jpeg", "zstd"]
)
def test_white_is_white(
    tmp_path: Path, camera, compression: str | None, photometric: int
) -> None:
    path = tmp_path / "gray.tif"
    tags = {262: photometric}
    try:
        Image.fromarray(camera).save(path, compression=compression, tiffinfo=tags)
    except OSError:
        pytest.skip("this Pillow was built without ZSTD")
    image = read_image(path)
    assert image.axes == "YX" and image.array.dtype == np.uint8
    assert difference(image.array, by_pillow(path)) == 0


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("compression", [None, "group3", "group4", "tiff_lzw"])
def test_white_is_white_of_one_bit(
    tmp_path: Path, camera, compression: str | None, photometric: int
) -> None:
    path = tmp_path / "fax.tif"
    fax = Image.fromarray(camera > 100)
    fax.save(path, compression=compression, tiffinfo={262: photometric})
    array = read_image(path).array
    assert array.dtype == np.bool_
    np.testing.assert_array_equal(array, by_pillow(path, "1"))


@pytest.mark.parametrize("dtype", ["i2", "i4", "f4", "u2"])
def test_white_is_white_of_other_types(tmp_path: Path, camera, dtype: str) -> None:
    """Pillow knows none of them: dark and light must only have changed places."""
    path = tmp_path / "deep.tif"
    values = camera.astype(dtype) - np.array(90).astype(dtype)
    tifffile.imwrite(path, values, photometric="miniswhite")
    array = read_image(path).array
    assert array.dtype == values.dtype
    step = np.diff(array.astype(np.float64), axis=1)
    np.testing.assert_array_equal(step, -np.diff(values.astype(np.float64), axis=1))


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_fill_eight(
    tmp_path: Path, camera, bits: int, photometric: int
) -> None:
    path = tmp_path / "packed.tif"
    packed = camera >> (8 - bits)
    tifffile.imwrite(path, packed, bitspersample=bits, photometric=photometric)
    assert difference(read_image(path).array, by_pillow(path)) == 0


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_packed_bits_of_cameras(
    tmp_path: Path, camera, bits: int, photometric: int
) -> None:
    path = tmp_path / "packed.tif"
    deep = camera.astype(np.uint16) << (bits - 8)
    stored = deep if photometric else (1 << bits) - 1 - deep
    tifffile.imwrite(path, stored, bitspersample=bits, photometric=photometric)
    np.testing.assert_array_equal(read_image(path).array, deep)


@pytest.mark.parametrize("scale", [1, 257])  # some programs write 8 bits as 16
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palettes(tmp_path: Path, astronaut, bits: int, scale: int) -> None:
    path = tmp_path / "palette.tif"
    palette = Image.fromarray(astronaut).quantize(2**bits)
    table = np.array(palette.getpalette(), np.uint16).reshape(-1, 3).T * scale
    tifffile.imwrite(
        path,
        np.asarray(palette),
        bitspersample=bits,
        extratags=[(320, "H", table.size, table.ravel().tolist(), True)],
    )
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["PhotometricInterpretation"].overwrite(3)
    image = read_image(path)
    assert image.axes == "YXS"
    assert difference(image.array, np.asarray(palette.convert("RGB"))) == 0


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["plain", "deflate", "rgb"])
def test_orientation(
    tmp_path: Path, camera, astronaut, kind: str, orientation: int
) -> None:
    path, packed = tmp_path / "turned.tif", tmp_path / "packed.tif"
    array = astronaut if kind == "rgb" else camera
    for file in (packed, path):  # Pillow 13 garbles those of one byte that it maps
        tifffile.imwrite(
            file,
            array,
            photometric="rgb" if kind == "rgb" else "minisblack",
            compression="zlib" if kind == "deflate" or file == packed else None,
            resolution=(200, 100),
            resolutionunit="inch",
            metadata=None,
            extratags=[(274, "H", 1, orientation, True)],
        )
    image = read_image(path)
    shown = by_pillow(packed, "RGB" if kind == "rgb" else "L")
    assert difference(image.array, shown) == 0
    size = image.pixel_size
    assert size is not None and (size.x < size.y) == (orientation < 5)


def test_cmyk(tmp_path: Path, astronaut) -> None:
    path = tmp_path / "print.tif"
    Image.fromarray(astronaut).convert("CMYK").save(path)
    image = read_image(path)
    assert image.axes == "YXS"
    assert difference(image.array, by_pillow(path, "RGB")) <= 1


@pytest.mark.parametrize("suffix", [".tif", ".jpg"])
def test_cmyk_beside_a_profile_of_something_else(
    tmp_path: Path, astronaut, suffix: str
) -> None:
    path = tmp_path / f"print{suffix}"
    picture = Image.fromarray(astronaut).convert("CMYK")
    picture.save(path, icc_profile=imagecodecs.cms_profile("srgb"))
    assert difference(read_image(path).array, by_pillow(path, "RGB")) <= 1


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "jpeg"])
def test_ycbcr(tmp_path: Path, astronaut, compression: str | None) -> None:
    path = tmp_path / "video.tif"
    picture = Image.fromarray(astronaut).convert("YCbCr")
    picture.save(path, compression=compression)
    # before 13, Pillow cannot read what it wrote without compression
    exact = by_pillow(path, "RGB") if compression else np.array(picture.convert("RGB"))
    assert difference(read_image(path).array, exact) <= 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", ["cielab", "icclab"])
def test_lab(tmp_path: Path, astronaut, kind: str, dtype: type) -> None:
    """Converted there by Pillow's colour management, to 8 bits; a and b are signed."""
    lab_profile = ImageCms.createProfile("LAB")
    stored = np.asarray(
        ImageCms.profileToProfile(
            Image.fromarray(astronaut), SRGB, lab_profile, outputMode="LAB"
        )
    )
    if kind == "icclab":
        stored = stored ^ np.array([0, 128, 128], np.uint8)
    if dtype == np.uint16:
        steps = (257 if kind == "cielab" else 256, 256, 256)
        stored = stored.astype(np.uint16) * np.array(steps, np.uint16)
    path = tmp_path / "lab.tif"
    tifffile.imwrite(path, stored, photometric=kind)
    image = read_image(path)
    assert image.axes == "YXS" and image.array.dtype == dtype
    levels = image.array / (257 if dtype == np.uint16 else 1)
    assert np.abs(levels - astronaut).max() < 3  # there and back by Pillow: 4


def test_colours_that_are_not_known_are_named(tmp_path: Path, camera) -> None:
    path = tmp_path / "raw.tif"
    tifffile.imwrite(path, camera, photometric="cfa")
    with pytest.raises(BadImageFile, match=r"CFA.*save it as RGB"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".webp"])
def test_colour_profiles(tmp_path: Path, astronaut, suffix: str) -> None:
    profile = imagecodecs.cms_profile("adobergb")
    path = tmp_path / f"wide{suffix}"
    Image.fromarray(astronaut).save(path, icc_profile=profile)
    with Image.open(path) as image:
        managed = ImageCms.profileToProfile(
            image, ImageCms.getOpenProfile(_file(tmp_path, profile)), SRGB
        )
    array = read_image(path).array
    assert difference(array, np.asarray(managed)) <= 1
    assert difference(array, by_pillow(path, "RGB")) > 10  # it says something else


def test_colour_profiles_of_deep_and_gray_pictures(tmp_path: Path, astronaut) -> None:
    wide = imagecodecs.cms_profile("adobergb")
    shallow, deep = tmp_path / "8.tif", tmp_path / "16.tif"
    for path, array in ((shallow, astronaut), (deep, astronaut.astype("u2") * 257)):
        tifffile.imwrite(path, array, photometric="rgb", iccprofile=wide)
    levels = read_image(deep).array / 257
    assert np.abs(levels - read_image(shallow).array).max() <= 1
    linear = imagecodecs.cms_profile("gray", gamma=1.0)
    path = tmp_path / "gray.tif"
    tifffile.imwrite(path, np.full((20, 30), 55, np.uint8), iccprofile=linear)
    # IEC 61966-2-1: 55 / 255 of the light
    assert abs(int(read_image(path).array[0, 0]) - 128) <= 1


def test_srgb_and_damaged_profiles_change_nothing(tmp_path: Path, astronaut) -> None:
    own = ImageCms.ImageCmsProfile(SRGB).tobytes()
    damaged = own[:16] + b"RGB " + bytes(200)
    for name, profile in (("own", own), ("damaged", damaged)):
        path = tmp_path / f"{name}.png"
        Image.fromarray(astronaut).save(path, icc_profile=profile)
        image = read_image(path)
        assert difference(image.array, astronaut) == 0
        assert bool(image.notes) == (name == "damaged")


def _file(folder: Path, content: bytes) -> str:
    path = folder / "profile.icc"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("marked", [True, False])
def test_thumbnail_first(tmp_path: Path, camera, astronaut, marked: bool) -> None:
    path = tmp_path / "thumbnail.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(camera[::4, ::4], subfiletype=int(marked), resolution=(10, 10))
        writer.write(astronaut, photometric="rgb", resolution=(300, 300))
    image = read_image(path)
    np.testing.assert_array_equal(image.array, astronaut)
    assert "picture 2" in image.notes[0]


@pytest.mark.parametrize("dtype", ["i2", "f4", "u1"])
def test_missing_values_of_gdal(tmp_path: Path, camera, dtype: str) -> None:
    path = tmp_path / "map.tif"
    nodata = 255 if dtype == "u1" else -9999
    values = (camera // 2).astype(dtype)
    values[:5] = nodata
    tifffile.imwrite(path, values, extratags=[(42113, "s", 0, str(nodata), True)])
    array = read_image(path).array
    assert isinstance(array, np.ma.MaskedArray)
    assert array.mask[:5].all() and not array.mask[5:].any()
    np.testing.assert_array_equal(array[5:], values[5:])
