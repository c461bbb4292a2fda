"""What the directories of a TIFF claim, looked at before any of it is believed.

A directory lists the tags of a page, and says where the next one is; see TIFF 6.0,
section 2, and BigTIFF. Libraries read tags of any length, and follow any number of
directories, in circles, too.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from napari_colorgan.errors import BadImageFile

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SIZES |= {13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type."""
_OF_BYTES = (1, 2, 6, 7)
_SUB_IFDS, _LSM = 330, 34412
# tags that tell how pixels are stored, by which libraries know pages of one picture
_KIND = (254, 256, 257, 258, 259, 262, 277, 284, 317, 322, 323, 339)

_LONGEST = 64 << 20  # bytes of a text; OME-XML of 60,000 planes has 12 MB
_MOST_NUMBERS = 1 << 22  # of a tag; tiles of 256 px of a picture of 500,000 x 500,000
_MOST_TAGS = 4096  # of a directory
_TAGS_IN_ALL = 256 << 20  # bytes, or as many as the file has: some tell of every page
_FEW_PAGES = 8192
_PAGE = 1024  # bytes that a page has on average where there are more
_MOST_KINDS = 4096  # pages of a file in which their kinds change


_Entry = tuple[int, int, int, bytes]
"""A tag: its code, type and count, and its value or where that is."""


class _Form(NamedTuple):
    """Sizes of a directory's parts, as `struct` writes them."""

    number: struct.Struct
    entry: struct.Struct
    link: struct.Struct
    inline: int
    """Bytes of values that stand in the entry itself."""


@dataclass(slots=True)
class _Claims:
    """What was found so far."""

    pages: int = 0
    bytes_of_tags: int = 0
    changes: int = 0
    """How often a page is of another kind than the one before."""
    is_lsm: bool = False
    kind: object = None
    below: list[int] = field(default_factory=list)
    """Where directories below others are."""


def check_directories(path: Path) -> None:
    """Refuse a TIFF whose directories no camera or program would have made.

    Of what is merely damaged nothing is said here.

    Raises
    ------
    BadImageFile
    OSError
        It cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        form, start = _begin(file.read(16), path)
        claims = _Claims()
        seen: set[int] = set()
        starts = [start]
        while starts:
            chain: set[int] = set()
            for entries in _chain(path, file, form, starts.pop(), seen, chain):
                _note(path, file, form, entries, claims)
                _check(path, claims, size)
            seen |= chain
            starts += claims.below
            claims.below.clear()


def _begin(header: bytes, path: Path) -> tuple[_Form, int]:
    """How directories are written, and where the first one is; 0: nowhere."""
    order = "<" if header[:2] == b"II" else ">"
    if header[2:4] in (b"+\0", b"\0+"):
        form, start = _form(f"{order}Q", f"{order}HHQ8s", f"{order}Q"), 8
    else:
        # Hamamatsu's have links of 64 bits in a file that says 32
        wide = path.name.lower().endswith("ndpi")
        letter = "Q" if wide else "L"
        form, start = _form(f"{order}H", f"{order}HHL4s", f"{order}{letter}"), 4
    link = header[start : start + form.link.size]
    return form, form.link.unpack(link)[0] if len(link) == form.link.size else 0


def _form(count: str, entry: str, link: str) -> _Form:
    parts = struct.Struct(count), struct.Struct(entry), struct.Struct(link)
    return _Form(*parts, 8 if parts[1].size == 20 else 4)


def _chain(
    path: Path,
    file: BinaryIO,
    form: _Form,
    offset: int,
    seen: set[int],
    here: set[int],
) -> Iterator[list[_Entry]]:
    """Follow directories from one to the next, as far as they can be read."""
    # pages below one may be a chain, and be listed, too
    while offset and offset not in seen:
        if offset in here:
            raise BadImageFile(
                f"The pages of '{path}' follow each other in a circle, which is no "
                "TIFF. It is damaged, or made to do harm: fetch it again."
            )
        here.add(offset)
        file.seek(offset)
        number = file.read(form.number.size)
        if len(number) < form.number.size:
            return
        count = form.number.unpack(number)[0]
        if count > _MOST_TAGS:
            return
        length = count * form.entry.size
        content = file.read(length + form.link.size)
        yield list(
            form.entry.iter_unpack(
                content[
                    : min(length, len(content)) // form.entry.size * form.entry.size
                ]
            )
        )
        link = content[length:]
        offset = form.link.unpack(link)[0] if len(link) == form.link.size else 0


def _note(
    path: Path,
    file: BinaryIO,
    form: _Form,
    entries: list[_Entry],
    claims: _Claims,
) -> None:
    kind = []
    for code, kind_of_value, count, value in entries:
        size = count * _SIZES.get(kind_of_value, 1)
        if code in _KIND:
            kind.append((code, count, value if size <= form.inline else b""))
        if size <= form.inline and code != _SUB_IFDS:
            continue
        most = _LONGEST if kind_of_value in _OF_BYTES else _MOST_NUMBERS
        if count > most:
            raise BadImageFile(
                f"'{path}' has a tag ({code}) of {count} values, more than any picture "
                "needs. It is damaged, or made to do harm: fetch it again."
            )
        claims.bytes_of_tags += size
        if code == _SUB_IFDS:
            claims.below += _offsets(file, form, kind_of_value, count, value)
        claims.is_lsm |= code == _LSM
    claims.changes += kind != claims.kind
    claims.kind = kind
    claims.pages += 1


def _offsets(
    file: BinaryIO, form: _Form, kind: int, count: int, value: bytes
) -> list[int]:
    """Where the directories below one begin."""
    order = form.link.format[0]
    letter = {4: "L", 13: "L", 16: "Q", 18: "Q"}.get(kind)
    if letter is None or count > _MOST_TAGS:
        return []
    numbers = struct.Struct(f"{order}{count}{letter}")
    content = value[: numbers.size]
    if numbers.size > form.inline:
        file.seek(struct.unpack(f"{order}{'Q' if form.inline == 8 else 'L'}", value)[0])
        content = file.read(numbers.size)
    return list(numbers.unpack(content)) if len(content) == numbers.size else []


def _check(path: Path, claims: _Claims, size: int) -> None:
    if claims.bytes_of_tags > max(_TAGS_IN_ALL, size):
        raise BadImageFile(
            f"'{path}' has tags of more bytes than the file itself. It is damaged, or "
            "made to do harm: fetch it again."
        )
    if claims.pages > _FEW_PAGES and claims.pages * _PAGE > size:
        raise BadImageFile(
            f"'{path}' has more than {_FEW_PAGES} pages, each of less than {_PAGE} "
            "bytes, which are no pictures. Save those that you need in a file of "
            "their own."
        )
    if claims.pages > _MOST_KINDS and claims.changes > 2 and not claims.is_lsm:
        raise BadImageFile(
            f"'{path}' has more than {_MOST_KINDS} pages, and these are of different "
            "sizes or kinds. Save those that you need in a file of their own."
        )
