"""Files that are read block by block: zarr stores and large TIFFs."""

import json
import pickle
import struct
from pathlib import Path

import google_crc32c
import numcodecs
import numpy as np
import pytest
import tifffile
import zarr
import zarr.codecs
from numpy.typing import NDArray
from skimage import data

from napari_colorgan.errors import BadImageFile, ColorSource
from napari_colorgan.image_io import ome_zarr, read_image, tiff
from napari_colorgan.image_io.blocks import Blocks
from napari_colorgan.inference import sampling
from napari_colorgan.inference.source import Source

GZIP = zarr.codecs.GzipCodec()
STACK = data.camera()[:300, :420].reshape(2, 150, 420)


def blocks_of(array: NDArray, sides: tuple[int, ...]) -> Blocks:
    return Blocks(
        array.shape, array.dtype, sides, lambda parts: array[parts], (blocks_of, ())
    )


@pytest.mark.parametrize(
    "index",
    [
        (),
        0,
        -1,
        slice(0, 1),
        (..., 3),
        (1, slice(3, 130, 7), slice(350, 2, -3)),
        (slice(None), 5),
        (..., slice(4, 4)),
        (1, 149, 419),
    ],
)
def test_blocks_are_indexed_like_numpy(index) -> None:
    blocks = blocks_of(STACK, (1, 64, 100))
    for array, same in (
        (blocks, STACK),
        (blocks.arranged((2, 1)), STACK[0].T),
        (blocks.transpose((2, 0, 1)), STACK.transpose(2, 0, 1)),
    ):
        try:
            expected = same[index]
        except IndexError:
            with pytest.raises(IndexError):
                array[index]
            continue
        assert array[index].shape == expected.shape
        assert np.array_equal(array[index], expected)


def test_only_blocks_that_are_needed_are_read() -> None:
    read = []

    def reading(parts):
        read.append(parts)
        return STACK[parts]

    blocks = Blocks(STACK.shape, STACK.dtype, (1, 50, 50), reading, (blocks_of, ()))
    for _ in range(2):
        blocks[1, 60:90, 60:160]
    assert len(read) == 3


def image_group(
    path: Path, array: NDArray, axes: str, version: str, **more: object
) -> None:
    """Write what other programs write: two levels, and axes with units."""
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    units = {"t": "second"} | dict.fromkeys("zyx", "micrometer")
    kinds = {"t": "time", "c": "channel"}
    named = [
        {"name": name, "type": kinds.get(name, "space")}
        | ({"unit": units[name]} if name in units else {})
        for name in axes
    ]
    scale = [{"c": 1.0, "t": 2.0, "z": 1.5}.get(name, 0.25) for name in axes]
    datasets = []
    for level in (0, 1):
        small = array[..., :: 1 + level, :: 1 + level]
        chunks = (*(1 for _ in array.shape[:-2]), 64, 64)
        group.create_array(str(level), data=small, chunks=chunks)
        transform = {"type": "scale", "scale": scale}
        datasets.append({"path": str(level), "coordinateTransformations": [transform]})
    about = {"multiscales": [{"axes": named, "datasets": datasets}]} | more
    group.attrs.update(about if version == "0.4" else {"ome": about})


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr_is_opened_with_axes_and_pixel_size(tmp_path, version) -> None:
    path = tmp_path / "a.ome.zarr"
    image_group(path, STACK[:, None, None], "tczyx", version)
    image = read_image(path, by_blocks=True)
    assert isinstance(image.array, Blocks)
    assert (image.axes, image.array.shape) == ("TYX", STACK.shape)
    size = image.pixel_size
    assert (size.y, size.x, size.z, size.t) == (0.25, 0.25, 1.5, 2.0)
    assert size.unit == "µm"
    again = pickle.loads(pickle.dumps(image.array))
    for array in (image.array, again, read_image(path).array):
        assert np.array_equal(array[...], STACK)


def test_channels_of_a_colour_picture_are_samples(tmp_path, photo) -> None:
    path = tmp_path / "slide.zarr"
    colors = ("FF0000", "00FF00", "0000FF")
    omero = {"channels": [{"color": color} for color in colors]}
    image_group(path, np.moveaxis(photo, -1, 0), "cyx", "0.5", omero=omero)
    image = read_image(path, by_blocks=True)
    assert image.axes == "YXS" and np.array_equal(image.array[...], photo)
    with pytest.raises(ColorSource):
        Source.of(image.array, axes=image.axes)
    image_group(path, np.moveaxis(photo, -1, 0), "cyx", "0.5")
    assert read_image(path).axes == "CYX"


@pytest.mark.parametrize("version", [2, 3])
def test_plain_arrays_are_opened(tmp_path, version) -> None:
    whole = zarr.create_array(
        tmp_path / "a.zarr", data=STACK, chunks=(1, 64, 64), zarr_format=version
    )
    assert whole.shape == STACK.shape
    group = zarr.open_group(tmp_path / "b.zarr", mode="w", zarr_format=version)
    group.create_array("only", data=STACK, chunks=(1, 64, 64))
    for path in ("a.zarr", "b.zarr", "b.zarr/only"):
        image = read_image(tmp_path / path, by_blocks=True)
        assert image.axes == "TYX" and np.array_equal(image.array[...], STACK)
    assert read_image(tmp_path / "a.zarr", "ZYX").axes == "ZYX"
    group.create_array("other", data=STACK, chunks=(1, 64, 64))
    with pytest.raises(BadImageFile, match=r"'only', 'other'.*Give the path of"):
        read_image(tmp_path / "b.zarr")


def test_chunks_of_many_planes_give_single_ones(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(ome_zarr, "_LARGE", 0)
    deep = np.zeros((300, 600, 200), np.uint16)
    zarr.create_array(tmp_path / "a.zarr", data=deep, chunks=(100, 200, 200))
    image = read_image(tmp_path / "a.zarr", by_blocks=True)
    assert image.array.sides == (1, 600, 200)
    (note,) = image.notes
    assert "chunks of 7 MB" in note


def test_folders_that_hold_no_image_are_refused(tmp_path) -> None:
    with pytest.raises(BadImageFile, match=r"a folder.* no zarr store"):
        read_image(tmp_path)
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    plate.attrs["ome"] = {"plate": {}}
    with pytest.raises(BadImageFile, match="plate or a well"):
        read_image(tmp_path / "plate.zarr")
    image_group(tmp_path / "b.zarr", STACK, "zyx", "0.5")
    group = zarr.open_group(tmp_path / "b.zarr")
    del group["0"]
    with pytest.raises(BadImageFile, match="lacks its full resolution '0'"):
        read_image(tmp_path / "b.zarr")
    image_group(tmp_path / "c.zarr", STACK, "yx", "0.5")
    with pytest.raises(BadImageFile, match=r"names 2 axes \(y, x\).*3 dimensions"):
        read_image(tmp_path / "c.zarr")


@pytest.fixture
def every_tiff(monkeypatch) -> None:
    monkeypatch.setattr(tiff, "_OPEN_ABOVE", 0)


@pytest.mark.usefixtures("every_tiff")
@pytest.mark.parametrize(
    ("array", "options"),
    [
        (STACK[0], {"tile": (64, 80)}),
        (STACK, {"tile": (64, 80), "compression": "zlib", "predictor": True}),
        (STACK.astype(">u2") * 9, {"tile": (64, 80), "byteorder": ">"}),
        (STACK, {"rowsperstrip": 40, "compression": "lzw"}),
        (STACK[0], {"photometric": "miniswhite", "tile": (64, 64)}),
        (STACK, {"tile": (64, 64), "ome": True, "metadata": {"axes": "ZYX"}}),
        (np.stack([STACK[0]] * 3, -1), {"tile": (64, 64), "photometric": "rgb"}),
        (
            data.astronaut()[:200, :300],
            {"tile": (64, 64), "photometric": "ycbcr", "compression": "jpeg"},
        ),
        (data.astronaut()[:200, :300], {"tile": (64, 64), "photometric": "cielab"}),
    ],
)
def test_tiffs_in_parts_are_read_as_before(tmp_path, array, options) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, array, **options)
    whole, image = read_image(path), read_image(path, by_blocks=True)
    assert isinstance(image.array, Blocks)
    assert (image.axes, image.pixel_size) == (whole.axes, whole.pixel_size)
    assert image.array.dtype == whole.array.dtype.newbyteorder("=")
    again = pickle.loads(pickle.dumps(image.array))
    for blocks in (image.array, again):
        assert np.array_equal(blocks[...], whole.array)
    part = (..., slice(30, 100), slice(70, 200))
    if "S" in image.axes:
        part = (*part, slice(None))
    assert np.array_equal(image.array[part], whole.array[part])


@pytest.mark.usefixtures("every_tiff")
def test_the_full_resolution_of_a_slide_is_opened(tmp_path) -> None:
    slide = np.ascontiguousarray(data.astronaut())
    text = "Aperio Image Library v11.2.1 \n512x512|AppMag = 20|MPP = 0.499"
    with tifffile.TiffWriter(tmp_path / "a.svs") as file:
        jpeg = {"photometric": "rgb", "metadata": None, "compression": "jpeg"}
        file.write(slide, tile=(128, 128), description=text, **jpeg)
        file.write(slide[::8, ::8], description=text, **jpeg)
        file.write(slide[::4, ::4], tile=(128, 128), description=text, **jpeg)
    image = read_image(tmp_path / "a.svs", by_blocks=True)
    assert isinstance(image.array, Blocks) and image.array.shape == slide.shape
    assert np.abs(image.array[...].astype(int) - slide).mean() < 4
    assert image.pixel_size is not None
    assert (image.pixel_size.x, image.pixel_size.unit) == (0.499, "µm")


@pytest.mark.usefixtures("every_tiff")
def test_tiffs_that_have_no_parts_are_read_whole(tmp_path) -> None:
    channels = {"tile": (64, 64), "photometric": "minisblack", "planarconfig": "contig"}
    for name, array, options in (
        ("one.tif", STACK[0], {}),
        ("channels.tif", np.stack([STACK[0]] * 5, -1), channels),
    ):
        tifffile.imwrite(tmp_path / name, array, **options)
        image = read_image(tmp_path / name, by_blocks=True)
        assert isinstance(image.array, np.ndarray)


def test_colour_is_looked_for_in_a_sample_and_noticed_when_it_is_read(
    monkeypatch,
) -> None:
    monkeypatch.setattr(sampling, "_PIXELS", 8 * 64**2)
    monkeypatch.setattr(sampling, "_SIDE", 64)
    gray = np.repeat(data.camera()[..., None], 3, -1)
    read = []

    def reading(parts):
        read.append(np.prod([part.stop - part.start for part in parts]))
        return gray[parts]

    def opened():
        return Blocks(gray.shape, gray.dtype, (64, 64, 3), reading, (opened, ()))

    source = Source.of(opened())
    assert sum(read) < gray.size / 2
    everything = source.plane().whole
    assert np.array_equal(source.read((), everything), gray[..., 0])
    gray[200, 210, 1] ^= 16
    source = Source.of(opened())
    assert source.channels == "equal"
    with pytest.raises(ColorSource, match="differ in rows 192-256 and columns 192-256"):
        source.read((), (slice(192, 256), slice(192, 256)))
    assert Source.of(data.astronaut(), from_color=True).channels == "color"
    with pytest.raises(ColorSource):
        Source.of(data.astronaut())


def _chunk_of(path: Path) -> Path:
    files = [file for file in path.rglob("*") if file.is_file()]
    return next(f for f in files if f.suffix != ".json" and f.name[0] != ".")


@pytest.mark.parametrize(
    ("version", "codec"),
    [
        (3, zarr.codecs.GzipCodec()),
        (3, zarr.codecs.ZstdCodec()),
        (3, zarr.codecs.BloscCodec()),
        (2, numcodecs.Zlib()),
        (2, numcodecs.LZ4()),
        (2, numcodecs.BZ2()),
        (2, numcodecs.LZMA()),
        (2, numcodecs.Zstd()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_chunk_that_unpacks_to_more_than_it_holds_is_refused(
    tmp_path, version, codec
) -> None:
    honest = {"chunks": (32, 32), "zarr_format": version, "compressors": codec}
    zarr.create_array(tmp_path / "a.zarr", data=STACK[0, :32, :32], **honest)
    path = tmp_path / "a.zarr"
    assert np.array_equal(read_image(path).array, STACK[0, :32, :32])
    large = np.ones((3000, 3000), np.uint8)
    more = {**honest, "chunks": large.shape}
    zarr.create_array(tmp_path / "b.zarr", data=large, **more)
    _chunk_of(path).write_bytes(_chunk_of(tmp_path / "b.zarr").read_bytes())
    with pytest.raises(BadImageFile, match=r"unpacks to more than the 1.02 kB"):
        read_image(path)


def test_a_shard_whose_chunks_unpack_to_more_is_refused(tmp_path) -> None:
    sides = {"chunks": (32, 32), "shards": (64, 64), "compressors": [GZIP]}
    zarr.create_array(tmp_path / "a.zarr", data=STACK[0, :64, :64], **sides)
    path = tmp_path / "a.zarr"
    assert np.array_equal(read_image(path).array, STACK[0, :64, :64])
    shard = _chunk_of(path)
    bomb = GZIP._gzip_codec.encode(bytes(1 << 20))
    index = struct.pack("<8Q", *(0, len(bomb)) * 4)
    sums = struct.pack("<L", google_crc32c.value(index))
    shard.write_bytes(bomb + index + sums)
    for part in (..., np.s_[:8, :8]):
        with pytest.raises(BadImageFile, match="unpacks to more"):
            read_image(path, by_blocks=True).array[part]


@pytest.mark.parametrize("place", ["filters", "compressor"])
def test_a_codec_that_runs_what_it_reads_is_refused(tmp_path, place) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=STACK[0], zarr_format=2, compressors=None)
    about = json.loads((path / ".zarray").read_text())
    pickled = {"id": "pickle", "protocol": 4}
    shuffled = {"id": "shuffle", "elementsize": 1}
    about[place] = [pickled, shuffled] if place == "filters" else pickled
    (path / ".zarray").write_text(json.dumps(about))
    ran = tmp_path / "ran"
    for chunk in path.glob("[0-9]*"):
        chunk.write_bytes(pickle.dumps(_Runs(str(ran))))
    with pytest.raises(BadImageFile):
        read_image(path)
    assert not ran.exists()


class _Runs:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return open, (self.path, "w")


def test_parts_of_stores_that_are_no_files_are_refused(tmp_path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=STACK[0], chunks=(64, 64))
    chunk = _chunk_of(path)
    chunk.unlink()
    chunk.symlink_to("/dev/zero")
    with pytest.raises(BadImageFile, match="a pipe or a device"):
        read_image(path)
    chunk.unlink()
    with chunk.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadImageFile, match="larger than all that it can hold"):
        read_image(path)


def test_chunks_far_larger_than_the_picture_are_refused(tmp_path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, shape=(8, 8), dtype="u1", chunks=(1 << 16, 1 << 16))
    with pytest.raises(BadImageFile, match="chunks that are far larger"):
        read_image(path)
