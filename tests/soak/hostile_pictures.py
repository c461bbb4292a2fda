"""Pictures that are made to fill the memory, to hang or to end what reads them."""

import itertools
import json
import os
import pickle
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.soak.case import Act, Case, marker
from tests.soak.hostile_cards import ODD, command

Make = Callable[[Path], Path]
"""Makes a picture in a folder, and returns its path."""
_NEEDS = ("napari_colorgan.image_io", "zarr", "imagecodecs")

# -- the bytes of formats, without the libraries that would refuse to write these


def tiff(
    *pages: dict[int, Any],
    data: bytes = bytes(64),
    loop: bool = False,
    order: str = "<",
) -> bytes:
    """Write a TIFF whose pages have these tags beside those of 8 x 8 px of gray.

    Parameters
    ----------
    pages : by code, numbers (LONG), texts, or (type, count, value or its place)
    data : of the only strip of every page
    loop : whether the last page is followed by the first
    """
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", 0)
    body = bytearray(head + data + bytes(len(data) % 2))
    starts, links = [], [4]
    for page in pages:
        tags = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8}
        tags |= {279: len(data)} | page
        entries = b""
        for code, value in sorted(tags.items()):
            if isinstance(value, bytes):
                place = len(body)
                body += value + bytes(len(value) % 2)
                value = (2, len(value), place)
            kind, count, held = value if isinstance(value, tuple) else (4, 1, value)
            entries += struct.pack(f"{order}HHLL", code, kind, count, held)
        starts.append(len(body))
        body += struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
        links.append(len(body) - 4)
    follow = [*starts, starts[0] if loop else 0]
    for link, start in zip(links, follow, strict=True):
        struct.pack_into(f"{order}L", body, link, start)
    return bytes(body)


def png(width: int, height: int, *chunks: tuple[bytes, bytes], depth: int = 8) -> bytes:
    """Write a PNG of gray with these chunks after its header."""
    header = struct.pack(">LLBBBBB", width, height, depth, 0, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        content += struct.pack(">L", len(body)) + kind + body
        content += struct.pack(">L", zlib.crc32(kind + body))
    return content


def packed(count: int) -> bytes:
    """Zeros, packed by zlib to a thousandth: one block of 1 MiB again and again."""
    stream = zlib.compressobj(9, wbits=-15)
    block = stream.compress(bytes(1 << 20)) + stream.flush(zlib.Z_FULL_FLUSH)
    total = count >> 20 << 20
    check = (total % 65521) << 16 | 1  # Adler-32 of zeros
    end = b"\x03\0" + struct.pack(">L", check)
    return b"\x78\xda" + block * (count >> 20) + end


def gif(width: int, height: int, frames: int) -> bytes:
    """Write a GIF of frames of one pixel each on a large canvas."""
    content = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    content += bytes((0, 0, 0, 255, 255, 255))
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return content + frame * frames + b"\x3b"


def jpeg(rows: int, columns: int, scans: int = 1) -> bytes:
    """Write a JPEG whose header says how large it is, of hardly any data."""
    import imagecodecs

    small: bytes = imagecodecs.jpeg8_encode(np.zeros((16, 16), np.uint8), 50)
    at = small.index(b"\xff\xc0")
    sides = struct.pack(">HH", rows, columns)
    start = small.index(b"\xff\xda")
    return small[: at + 5] + sides + small[at + 9 : start] + small[start:-2] * scans


# -- pictures


def _file(name: str, content: Callable[[], bytes], folder: Path) -> Path:
    path = folder / name
    path.write_bytes(content())
    return path


def _sparse_tag(folder: Path) -> Path:
    """Offsets of strips without number, in a file that takes no room."""
    path = folder / "a.tif"
    count = 1 << 28
    path.write_bytes(tiff({273: (4, count, 4096), 279: (4, count, 4096)}))
    os.truncate(path, 3 << 30)
    return path


def _odd(make: Callable[[Path], object], name: str, folder: Path) -> Path:
    make(folder / name)
    return folder / name


def _store(
    folder: Path, *, chunk: bytes | None = None, version: int = 2, **about: Any
) -> Path:
    """Write a zarr array of 8 x 8 px, one chunk, with other metadata."""
    path = folder / "a.zarr"
    path.mkdir()
    if version == 2:
        fields = {"zarr_format": 2, "shape": [8, 8], "chunks": [8, 8], "dtype": "|u1"}
        fields |= {"fill_value": 0, "order": "C", "filters": None, "compressor": None}
        (path / ".zarray").write_text(json.dumps(fields | about))
        place = path / "0.0"
    else:
        sides = about.pop("chunks", [8, 8])
        grid = {"name": "regular", "configuration": {"chunk_shape": sides}}
        keys = {"name": "default", "configuration": {"separator": "/"}}
        fields = {"zarr_format": 3, "node_type": "array", "shape": [8, 8]}
        fields |= {"data_type": "uint8", "fill_value": 0, "attributes": {}}
        fields |= {"chunk_grid": grid, "chunk_key_encoding": keys}
        fields |= {"codecs": [{"name": "bytes"}]}
        (path / "zarr.json").write_text(json.dumps(fields | about))
        place = path / "c" / "0" / "0"
        place.parent.mkdir(parents=True)
    place.write_bytes(bytes(64) if chunk is None else chunk)
    return path


def _odd_chunk(make: Callable[[Path], object], folder: Path) -> Path:
    path = _store(folder)
    (path / "0.0").unlink()
    make(path / "0.0")
    return path


class _Runs:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


def _pickled(where: str, folder: Path) -> Path:
    runs = pickle.dumps(_Runs(marker(folder)))
    codec = {"id": "pickle", "protocol": 4}
    shuffled = {"id": "shuffle", "elementsize": 1}
    about: dict[str, Any] = {
        "compressor": {"compressor": codec},
        "filter": {"filters": [codec]},
        "first filter": {"filters": [codec, shuffled]},
        "last filter": {"filters": [shuffled, codec]},
        "objects": {"dtype": "|O", "filters": [codec]},
    }[where]
    return _store(folder, chunk=runs, **about)


def _group(folder: Path, ome: object) -> Path:
    path = _store(folder).rename(folder / "0")
    group = folder / "a.zarr"
    group.mkdir()
    path.rename(group / "0")
    (group / ".zgroup").write_text('{"zarr_format": 2}')
    (group / ".zattrs").write_text(json.dumps(ome))
    return group


def _ome(pixels: str, rest: str = "") -> bytes:
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/'
        f'2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
        f'Type="uint8" SizeX="8" SizeY="8" {pixels}</Pixels></Image>{rest}</OME>'
    )
    return tiff({270: xml.encode() + b"\0"})


_SIZES = 'SizeC="1" SizeZ="1" SizeT="1">'


def _ome_of_files(name: str, folder: Path) -> Path:
    os.mkfifo(folder / "pipe.tif")
    data = f'<TiffData><UUID FileName="{name}">urn:uuid:1</UUID></TiffData>'
    return _file("a.ome.tif", lambda: _ome(_SIZES + data), folder)


def _nested(depth: int) -> bytes:
    return _ome(_SIZES, "<a>" * depth + "</a>" * depth)


def _laughs() -> bytes:
    """Entities that stand for others, ten each."""
    lines = ['<!ENTITY a0 "ha">']
    lines += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    xml = f'<?xml version="1.0"?><!DOCTYPE OME [{"".join(lines)}]><OME>&a9;</OME>'
    return tiff({270: xml.encode() + b"\0"})


def _sub_ifds(count: int) -> bytes:
    """A page that lists itself below itself, many times."""
    start = 8 + 64 + 4 * count
    places = struct.pack(f"<{count}L", *[start] * count)
    return tiff({330: (4, count, 72)}, data=bytes(64) + places)


_TIFFS: dict[str, Callable[[], bytes]] = {
    "60,000 pages": lambda: tiff(*[{}] * 60_000),
    "60,000 pages of two sizes": lambda: tiff(*[{256: 7}, {256: 8}] * 30_000),
    "6,000 pages of two sizes, large": lambda: tiff(
        *[{256: 7}, {256: 8}] * 3_000, data=bytes(8_000_000)
    ),
    "pages in a circle": lambda: tiff({}, {}, {}, loop=True),
    "a page that follows itself": lambda: tiff({}, loop=True),
    "pages below themselves": lambda: _sub_ifds(4000),
    "one strip of 1.5 GB, packed": lambda: tiff(
        {256: 1 << 15, 257: 48_000, 259: 8, 278: 48_000}, data=packed(1 << 21)
    ),
    "a strip that unpacks to 1.5 GB": lambda: tiff({259: 8}, data=packed(1536 << 20)),
    "a tile of 1.5 GB": lambda: tiff(
        {259: 8, 322: 1 << 15, 323: 48_000, 324: 8, 325: 2000}, data=packed(2 << 20)
    ),
    "2 ** 31 px wide": lambda: tiff({256: (1 << 31) - 1}),
    "2 ** 31 px wide and high": lambda: tiff({256: 1 << 31, 257: 1 << 31}),
    "rows in strips without end": lambda: tiff({278: (1 << 32) - 1}),
    "strips of no row": lambda: tiff({278: 0}),
    "0 px": lambda: tiff({256: 0, 257: 0}),
    "255 samples": lambda: tiff({277: 255}),
    "65,535 samples": lambda: tiff({277: 65535, 258: 8}),
    "1,000,000 bits": lambda: tiff({258: 1_000_000}),
    "a tag of 4 GB": lambda: tiff({270: (2, (1 << 32) - 1, 8)}),
    "a profile of 2 GB": lambda: tiff({34675: (7, 1 << 31, 8)}),
    "offsets without number": lambda: tiff(
        {273: (4, 1 << 30, 8), 279: (4, 1 << 30, 8)}
    ),
    "60,000 tags": lambda: tiff(dict.fromkeys(range(1000, 61_000), 1)),
    "a stack of ImageJ of 2 ** 31 planes": lambda: tiff(
        {270: b"ImageJ=1.54\nimages=2147483648\nslices=2147483648\nhyperstack=true\n\0"}
    ),
    "a shape of 2 ** 40 planes": lambda: tiff(
        {270: b'{"shape": [1099511627776, 8, 8], "truncated": true}\0'}
    ),
    "OME of 2 ** 31 planes": lambda: _ome(
        'SizeC="1" SizeZ="2147483648" SizeT="1"><TiffData/>'
    ),
    "OME of 2 ** 62 planes": lambda: _ome(
        'SizeC="1" SizeZ="2147483648" SizeT="2147483648">'
        '<TiffData FirstZ="2147483647" FirstT="2147483647" IFD="0"/>'
    ),
    "OME with a plane count of 2 ** 33": lambda: _ome(
        f'{_SIZES}<TiffData PlaneCount="8589934592"/>'
    ),
    "OME in 20,000 elements": lambda: _nested(20_000),
    "OME of entities": _laughs,
    "GeoTIFF keys without number": lambda: tiff({34735: (3, 1 << 24, 8)}),
    "JPEG of 65,500 x 65,500 px in 8 x 8": lambda: tiff(
        {259: 7}, data=jpeg(65_500, 65_500)
    ),
    "PNG of 2 ** 31 px in 8 x 8": lambda: tiff(
        {259: 34933}, data=png(1 << 16, 1 << 15, (b"IDAT", packed(1 << 21)))
    ),
    "LZW of noise": lambda: tiff({259: 5}, data=os.urandom(5000)),
    "a palette of one colour": lambda: tiff({262: 3, 320: (3, 3, 8)}),
    "YCbCr of nothing": lambda: tiff({262: 6, 277: 3, 530: (3, 2, 0)}),
    "orientation of a text": lambda: tiff({274: b"eight\0"}),
    "a fax of 65,000 x 65,000 px": lambda: tiff(
        {256: 65_000, 257: 65_000, 258: 1, 259: 4, 278: 65_000}
    ),
}

_OTHERS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "a GIF of 2,000 frames of 65,000 px": (
        "a.gif",
        lambda: gif(65_000, 1000, 2000),
    ),
    "a GIF of 100 frames of 10,000 x 10,000 px": (
        "a.gif",
        lambda: gif(10_000, 10_000, 100),
    ),
    "a GIF of 65,535 x 65,535 px": ("a.gif", lambda: gif(65_535, 65_535, 1)),
    "a PNG of 178 megapixels": (
        "a.png",
        lambda: png(13_370, 13_370, (b"IDAT", packed(179 << 20))),
    ),
    "a PNG of 2 ** 31 px": (
        "a.png",
        lambda: png(1 << 16, 1 << 15, (b"IDAT", packed(1 << 21))),
    ),
    "a PNG with a text of 1 GB": (
        "a.png",
        lambda: png(8, 8, (b"zTXt", b"Comment\0\0" + packed(1 << 30))),
    ),
    "a PNG with a profile of 1 GB": (
        "a.png",
        lambda: png(8, 8, (b"iCCP", b"sRGB\0\0" + packed(1 << 30))),
    ),
    "a PNG with 300,000 texts": (
        "a.png",
        lambda: png(8, 8, *[(b"tEXt", b"Comment\0x")] * 300_000),
    ),
    "a PNG of 2 ** 31 frames": (
        "a.png",
        lambda: png(
            8,
            8,
            (b"acTL", struct.pack(">LL", (1 << 31) - 1, 0)),
            (b"IDAT", zlib.compress(bytes(72))),
        ),
    ),
    "a JPEG of 65,500 x 65,500 px": ("a.jpg", lambda: jpeg(65_500, 65_500)),
    "a JPEG of 13,000 x 13,000 px": ("a.jpg", lambda: jpeg(13_000, 13_000)),
    "a JPEG of 10,000 scans": ("a.jpg", lambda: jpeg(4000, 4000, 10_000)),
    "a BMP of 30,000 x 30,000 px": (
        "a.bmp",
        lambda: (
            b"BM"
            + struct.pack("<LLL", 54, 0, 54)
            + struct.pack("<LllHHLLllLL", 40, 30_000, 30_000, 1, 24, 0, 0, 0, 0, 0, 0)
        ),
    ),
    "a BMP of negative sides": (
        "a.bmp",
        lambda: (
            b"BM"
            + struct.pack("<LLL", 54, 0, 54)
            + struct.pack("<LllHHLLllLL", 40, -8, -(1 << 31), 1, 8, 1, 0, 0, 0, 0, 0)
        ),
    ),
    "a WebP of 16,383 x 16,383 px": (
        "a.webp",
        lambda: (
            b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f"
            + struct.pack("<L", 16382 | 16382 << 14)
            + bytes(9)
        ),
    ),
    "an SVG": ("a.png", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "a PostScript program": (
        "a.png",
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox",
    ),
    "an empty file": ("a.png", lambda: b""),
    "zeros": ("a.tif", lambda: bytes(5000)),
}


def _bombs() -> Iterator[tuple[str, Make]]:
    """Yield chunks of zarr that unpack to 1 GiB, or say so."""
    import bz2
    import lzma

    count = 1 << 30
    yield "zlib of 1 GiB", partial(_packed_store, {"id": "zlib"}, lambda: packed(count))
    blosc = struct.pack("<BBBBLLL", 2, 1, 0x33, 1, (1 << 31) - 1, 1 << 20, 40) + bytes(
        24
    )
    options = {"id": "blosc", "cname": "lz4", "clevel": 1, "shuffle": 0}
    yield "blosc of 2 GiB", partial(_packed_store, options, lambda: blosc)
    zstd = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<L", count) + b"\x01\0\0"
    yield "zstd of 1 GiB", partial(_packed_store, {"id": "zstd"}, lambda: zstd)
    lz4 = struct.pack("<L", (1 << 31) - 1) + bytes(20)
    yield "lz4 of 2 GiB", partial(_packed_store, {"id": "lz4"}, lambda: lz4)
    for name, pack in (("bz2", bz2.compress), ("lzma", lzma.compress)):
        codec = {"id": name}
        yield name, partial(_packed_store, codec, partial(_many_streams, pack))
    twice = {"compressor": {"id": "zlib"}, "filters": [{"id": "zlib", "level": 1}]}
    bomb = partial(_twice, twice)
    yield "zlib of zlib", bomb


def _many_streams(pack: Callable[[bytes], bytes]) -> bytes:
    """Streams behind each other, 1 GiB together, which libraries take for one."""
    return pack(bytes(1 << 24)) * 64


def _packed_store(codec: dict[str, Any], chunk: Callable[[], bytes], f: Path) -> Path:
    return _store(f, chunk=chunk(), compressor=codec)


def _twice(about: dict[str, Any], folder: Path) -> Path:
    return _store(folder, chunk=zlib.compress(packed(1 << 30)), **about)


def _stores() -> Iterator[tuple[str, Make]]:
    yield from _bombs()
    for where in ("compressor", "filter", "first filter", "last filter", "objects"):
        yield f"a program as {where}", partial(_pickled, where)
    for name, make in ODD.items():
        yield f"a chunk that is {name}", partial(_odd_chunk, make)
    sides: Sequence[tuple[str, dict[str, Any]]] = (
        ("chunks of 2 ** 40 px", {"chunks": [1 << 20, 1 << 20]}),
        ("a shape of 2 ** 60 px", {"shape": [1 << 30, 1 << 30], "chunks": [512, 512]}),
        ("a shape of 2 ** 80 px", {"shape": [1 << 40, 1 << 40], "chunks": [512, 512]}),
        ("a negative shape", {"shape": [-8, -8]}),
        ("chunks of no px", {"chunks": [0, 8]}),
        ("40 dimensions", {"shape": [1] * 40, "chunks": [1] * 40}),
        ("2,000 dimensions", {"shape": [1] * 2000, "chunks": [1] * 2000}),
        ("a type of 1 GB", {"dtype": "|S1000000000"}),
        ("structures", {"dtype": [["a", "|u1"], ["b", "|u1"]]}),
        ("dates", {"dtype": "<M8[ns]"}),
        ("a codec of nobody", {"compressor": {"id": "nobody"}}),
        ("fill values of text", {"fill_value": "red"}),
    )
    for name, about in sides:
        yield name, partial(_store, **about)
    bad: object = []
    for _ in range(900):
        bad = [bad]
    for name, ome in (
        ("images without number", {"multiscales": [{}] * 300_000}),
        ("no datasets", {"multiscales": [{"datasets": []}]}),
        ("a path above", {"multiscales": [{"datasets": [{"path": "../../0"}]}]}),
        ("a path of numbers", {"multiscales": [{"datasets": [{"path": 0}]}]}),
        ("lists in lists", {"multiscales": bad}),
        (
            "axes of numbers",
            {"multiscales": [{"datasets": [{"path": "0"}], "axes": 7}]},
        ),
    ):
        yield f"OME-Zarr: {name}", partial(_group, ome=ome)


def pictures() -> Iterator[tuple[str, Make]]:
    """Name each picture, and how it is made."""
    for name, content in _TIFFS.items():
        suffix = ".ome.tif" if "OME" in name else ".tif"
        yield f"TIFF: {name}", partial(_file, f"a{suffix}", content)
    yield "TIFF: offsets in a sparse file", _sparse_tag
    for name in ("pipe.tif", "/dev/zero", "../../../../dev/zero"):
        yield f"TIFF: a part in {name}", partial(_ome_of_files, name)
    for name, (file, content) in _OTHERS.items():
        yield name, partial(_file, file, content)
    for name, make in ODD.items():
        yield f"a picture that is {name}", partial(_odd, make, "a.png")
    for name, store in _stores():
        yield f"zarr: {name}", store


# -- what is done with them


def _read(path: Path) -> object:
    from napari_colorgan.image_io import read_image

    return read_image(path)


def _begin(path: Path) -> object:
    """Open a picture as to colour it, and read its first plane if it is small."""
    from napari_colorgan.errors import BadArray
    from napari_colorgan.inference.files import Choices

    _, gray = Choices(from_color=True).read(path)
    assert gray.count > 0
    plane = next(iter(gray.planes()))
    if max(plane.shape) > 10_000:
        raise BadArray("It is too large to be read here.")
    return plane.gray(plane.whole)


def _palette(path: Path) -> object:
    from napari_colorgan.inference.palettes import read_palette

    return read_palette(path)


def _honest(folder: Path) -> Path:
    from PIL import Image

    path = folder / "honest.png"
    colors = np.random.default_rng(1).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(colors).save(path)
    return path


READ = Act("reading a picture", _read, _honest, _NEEDS)
BEGIN = Act(
    "opening to colour", _begin, _honest, (*_NEEDS, "napari_colorgan.inference.files")
)
INFO = Act(
    "colorgan info of a picture",
    lambda path: command("info", str(path)),
    _honest,
    (*_NEEDS, "napari_colorgan.cli"),
)
PALETTE = Act(
    "a palette",
    _palette,
    _honest,
    (*_NEEDS, "torch", "napari_colorgan.inference.palettes"),
)


def cases() -> Iterator[Case]:
    """Every picture, opened by everything that opens pictures."""
    for act, (name, make) in itertools.product((READ, BEGIN, INFO), pictures()):
        yield Case(name, make, act)
    for name, (file, content) in _OTHERS.items():
        yield Case(name, partial(_file, file, content), PALETTE)
