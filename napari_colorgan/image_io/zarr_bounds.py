"""Zarr stores of strangers: files alone are read, chunks unpack to what they hold."""

import bz2
import lzma
import math
import os
import stat
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.bounds import ROOM, too_long
from napari_colorgan.image_io.packed_sides import sides_of

_MOST_METADATA = 1 << 26  # bytes of a file
_SLACK = 1 << 16  # bytes; of headers, checksums and what codecs add
_PIECE = 1 << 20
_OBJECTS = frozenset(
    "pickle json2 msgpack2 categorize vlen-array vlen-bytes vlen-utf8".split()
)
"""Codecs of Python's objects, of which one runs what it reads."""
_SHARDS = "sharding_indexed"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def regular_store(path: Path) -> Any:
    """Return a store of zarr that reads files below a folder, and nothing else."""
    return _store_class()(path, read_only=True)


@cache
def _store_class() -> Any:
    from zarr.storage import LocalStore

    class RegularStore(LocalStore):
        """Refuses pipes, devices, and files that are larger than what they hold."""

        check: Callable[[Path, bytes, bool], None] | None = None
        most = _MOST_METADATA

        async def get(
            self, key: str, prototype: Any = None, byte_range: Any = None
        ) -> Any:
            path = Path(self.root) / key
            _check_file(path, self.most if byte_range is None else None)
            found = await super().get(key, prototype, byte_range)
            if found is not None and self.check is not None:
                self.check(path, found.to_bytes(), byte_range is not None)
            return found

    return RegularStore


def bound_chunks(path: Path, array: Any) -> None:
    """Refuse an array whose chunks cannot be, and chunks that are more than they hold.

    Parameters
    ----------
    path : of the store, for errors
    array : of zarr, whose store is a `regular_store` of its own

    Raises
    ------
    BadImageFile
    """
    codecs, inner = _codecs(array.metadata)
    names = [name for name, _ in (*codecs, *inner)]
    if found := sorted(_OBJECTS.intersection(names)):
        raise BadImageFile(
            f"'{path}' is packed with the codec '{found[0]}', which is for objects of "
            "Python, not for pixels. Save it anew with a codec such as zstd."
        )
    packing = [name for name in names if name in _UNPACKED]
    if len(packing) > 1:
        raise BadImageFile(
            f"'{path}' is packed more than once ({', '.join(packing)}), which cannot "
            "be read here. Save it anew with one codec such as zstd."
        )
    item = array.dtype.itemsize
    chunk = math.prod(array.chunks) * item
    stored = math.prod(array.shards or array.chunks) * item
    if max(chunk, stored) > max(ROOM, 4 * math.prod(array.shape) * item):
        raise BadImageFile(
            f"'{path}' has chunks that are far larger than the picture itself. It is "
            "damaged, or made to do harm: fetch it again."
        )
    store = array.store_path.store
    count = stored // max(chunk, 1)
    store.most = 2 * stored + 64 * count + _SLACK
    name = packing[0] if packing else ""
    limit = 2 * chunk + _SLACK

    def check(file: Path, content: bytes, is_part: bool) -> None:
        parts: Iterator[bytes] | list[bytes] = [content]
        if inner and not is_part:
            parts = _of_shard(content, count, array.metadata)
        for part in parts:
            if _unpacked(name, part, limit) > limit:
                raise too_long(file, chunk)

    if name or not _is_plain(names):
        store.check = check


def _check_file(path: Path, most: int | None) -> None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return  # which its reader tells, or takes for empty
    if stat.S_ISDIR(status.st_mode):
        return
    if not stat.S_ISREG(status.st_mode):
        raise BadImageFile(
            f"'{path}' is a pipe or a device, not a part of a picture. Copy the whole "
            "store again."
        )
    if most is not None and status.st_size > most:
        raise BadImageFile(
            f"'{path}' is larger than all that it can hold. Copy the whole store again."
        )


_Codecs = list[tuple[str, dict[str, Any]]]


def _codecs(metadata: Any) -> tuple[_Codecs, _Codecs]:
    """Names and options of an array's codecs, and of those within shards."""
    if metadata.zarr_format == 2:
        each = [*(metadata.filters or ()), metadata.compressor]
        return [(one.codec_id, {}) for one in each if one is not None], []
    codecs = [_named(codec.to_dict()) for codec in metadata.codecs]
    inner = [
        _named(codec)
        for name, options in codecs
        if name == _SHARDS
        for codec in options["codecs"]
    ]
    return codecs, inner


def _named(codec: Any) -> tuple[str, dict[str, Any]]:
    return codec["name"].removeprefix("numcodecs."), codec.get("configuration", {})


def _is_plain(names: list[str]) -> bool:
    """Whether codecs are known to give no more than they take."""
    return set(names) <= {"bytes", "transpose", "crc32c", _SHARDS, "delta", "shuffle"}


def _of_shard(content: bytes, count: int, metadata: Any) -> Iterator[bytes]:
    """Yield the chunks of a whole shard, by its index of starts and lengths."""
    options = next(o for name, o in _codecs(metadata)[0] if name == _SHARDS)
    sums = sum(4 for each in options["index_codecs"] if each["name"] == "crc32c")
    length = 16 * count
    at_end = str(options.get("index_location", "end")).endswith("end")
    index = content[-length - sums :][:length] if at_end else content[:length]
    for start, size in struct.iter_unpack("<QQ", index[: len(index) // 16 * 16]):
        if start < len(content):
            yield content[start : start + size]


def _unpacked(name: str, packed: bytes, limit: int) -> float:
    """How many bytes come out of a chunk, counted to just above the limit."""
    try:
        count = _UNPACKED.get(name)
        if count is not None:
            return count(packed, limit)
        sides = sides_of(packed)  # codecs of pictures, which others may have installed
        return 0 if sides is None else math.prod(sides)
    except (struct.error, IndexError, zlib.error, lzma.LZMAError, OSError, EOFError):
        return 0  # damaged, as its decoder will find


def _of_zlib(packed: bytes, limit: int) -> int:
    total = 0
    while packed and total <= limit:
        stream = zlib.decompressobj(wbits=47)  # of gzip or zlib
        while not stream.eof and total <= limit:
            piece = stream.decompress(packed, _PIECE)
            packed = stream.unconsumed_tail
            total += len(piece)
            if not piece and not packed:
                break
        packed = stream.unused_data
    return total


def _of_stream(begin: Callable[[], Any]) -> Callable[[bytes, int], int]:
    def count(packed: bytes, limit: int) -> int:
        total = 0
        while packed and total <= limit:  # streams behind each other count as one
            stream = begin()
            while not stream.eof and total <= limit:
                piece = stream.decompress(packed, _PIECE)
                packed = b""
                total += len(piece)
                if not piece and stream.needs_input:
                    break
            packed = stream.unused_data
        return total

    return count


def _of_zstd(packed: bytes, limit: int) -> float:
    """See RFC 8878, 3.1.1.1."""
    if not packed.startswith(_ZSTD_MAGIC):
        return 0
    head = packed[4]
    is_single, kind = bool(head & 32), head >> 6
    at = 5 + (not is_single) + (0, 1, 2, 4)[head & 3]
    if kind or is_single:
        size = (1, 2, 4, 8)[kind]
        stated = int.from_bytes(packed[at : at + size], "little")
        return stated + 256 if kind == 1 else stated
    import imagecodecs

    try:  # it does not say
        return len(imagecodecs.zstd_decode(packed, out=limit + 1))
    except imagecodecs.ZstdError as error:
        return math.inf if "too small" in str(error) else 0


_UNPACKED: dict[str, Callable[[bytes, int], float]] = {
    "gzip": _of_zlib,
    "zlib": _of_zlib,
    "bz2": _of_stream(bz2.BZ2Decompressor),
    "lzma": _of_stream(lambda: lzma.LZMADecompressor(memlimit=ROOM)),
    "zstd": _of_zstd,
    "blosc": lambda packed, _: struct.unpack_from("<L", packed, 4)[0],
    "lz4": lambda packed, _: struct.unpack_from("<L", packed, 0)[0],
}
"""How much comes out of what codecs have packed."""
