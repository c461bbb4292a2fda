"""How large a picture is that stands packed within another file, told by its header.

Decoders of pictures make room for whatever a header says, whoever asks them.
"""

import io
import struct
import warnings
from collections.abc import Callable

from PIL import Image

Sides = tuple[int, int]
"""Rows and columns."""

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of JPEG that tell rows and columns."""
_ALONE = frozenset([0x01, *range(0xD0, 0xD9)])
"""Markers of JPEG without a length."""
_SCAN, _END = 0xDA, 0xD9
_LERC_WITH_SUM = 3  # version of Lerc2 from which a checksum comes before the sides
_JXR_SIDES = (0xBC81, 0xBC80)
_JXL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_JXL_BITS = (9, 13, 18, 30)


def sides_of(packed: bytes) -> Sides | None:
    """Return what a picture's header says; None of kinds that are not known here."""
    for start, sides in _KINDS:
        if packed.startswith(start):
            try:
                return sides(packed)
            except (struct.error, IndexError, ValueError, OSError, SyntaxError):
                return None  # damaged, as its decoder will find
    return None


def _jpeg(packed: bytes) -> Sides | None:
    at = 2
    while packed[at] == 0xFF:
        marker = packed[at + 1]
        if marker in _FRAMES:
            rows, columns = struct.unpack_from(">HH", packed, at + 5)
            return rows, columns
        if marker in (_SCAN, _END):
            return None
        if marker == 0xFF:  # padding
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", packed, at + 2)[0]
    return None


def _png(packed: bytes) -> Sides:
    columns, rows = struct.unpack_from(">LL", packed, 16)
    return rows, columns


def _by_pillow(packed: bytes) -> Sides:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(packed), formats=("WEBP", "JPEG2000")) as image:
                return image.height, image.width
        except Image.DecompressionBombError:
            return 1 << 16, 1 << 16  # more than anybody may unpack


def _lerc(packed: bytes) -> Sides:
    version = struct.unpack_from("<l", packed, 6)[0]
    at = 14 if version >= _LERC_WITH_SUM else 10
    rows, columns = struct.unpack_from("<ll", packed, at)
    return rows, columns


def _jxr(packed: bytes) -> Sides:
    at = struct.unpack_from("<L", packed, 4)[0]
    count = struct.unpack_from("<H", packed, at)[0]
    values = {}
    for number in range(count):
        code, kind, _ = struct.unpack_from("<HHL", packed, at + 2 + 12 * number)
        letter = {1: "<B", 3: "<H"}.get(kind, "<L")
        values[code] = struct.unpack_from(letter, packed, at + 10 + 12 * number)[0]
    rows, columns = (values.get(code, 0) for code in _JXR_SIDES)
    return rows, columns


def _jxl(packed: bytes) -> Sides:
    """Of a bare codestream; ISO/IEC 18181-1, D.2."""
    bits = int.from_bytes(packed[2:14], "little")

    def taken(count: int) -> int:
        nonlocal bits
        value = bits & ((1 << count) - 1)
        bits >>= count
        return value

    small = taken(1)

    def side() -> int:
        return 8 * (taken(5) + 1) if small else taken(_JXL_BITS[taken(2)]) + 1

    rows = side()
    if not (ratio := taken(3)):
        return rows, side()
    across, down = _JXL_RATIOS[ratio - 1]
    return rows, rows * across // down


def _jxl_in_boxes(packed: bytes) -> Sides | None:
    place = packed.find(b"\xff\x0a", packed.find(b"jxlc"))
    return _jxl(packed[place:]) if place > 0 else None


_KINDS: tuple[tuple[bytes, Callable[[bytes], Sides | None]], ...] = (
    (b"\xff\xd8", _jpeg),
    (b"\x89PNG", _png),
    (b"RIFF", _by_pillow),
    (b"\xff\x4f\xff\x51", _by_pillow),  # a codestream of JPEG 2000
    (b"\0\0\0\x0cjP  ", _by_pillow),
    (b"Lerc2 ", _lerc),
    (b"II\xbc", _jxr),
    (b"\xff\x0a", _jxl),
    (b"\0\0\0\x0cJXL ", _jxl_in_boxes),
)
