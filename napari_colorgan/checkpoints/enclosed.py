"""Card and picture of a model, enclosed in the file of its weights.

So a model is one file: it comes, goes and is renamed in one step, whatever happens to
the process meanwhile. They stand in the header, where other programs that read
safetensors skip them, as former versions of napari-colorgan do.
"""

import base64
import binascii
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.metadata import (
    DIGEST_KEY,
    MAX_HEADER,
    read_header,
    storable,
)
from napari_colorgan.checkpoints.pictures import as_jpeg
from napari_colorgan.errors import CheckpointError

CARD_KEY = "napari_colorgan_card"
"""Markdown."""
PICTURE_KEY = "napari_colorgan_picture"
"""JPEG in Base64."""
ENCLOSED_KEY = "napari_colorgan_enclosed_sha256"

_MOST_LETTERS = 64_000  # of a card; ours have 5,000
_MOST_BYTES = 300_000  # of a picture; ours have 25,000
_LARGEST = (1280, 320)  # px, of one that is made smaller


@dataclass(frozen=True, slots=True)
class Enclosed:
    """What a model's file holds beside the model."""

    card: str = ""
    """Markdown; empty if there is none."""
    picture: bytes = b""
    """JPEG of examples side by side, the first of them square; empty if none."""

    def fitting(self) -> "Enclosed":
        """Return what there is room for: long cards are cut, large pictures reduced."""
        card, picture = storable(self.card), self.picture
        if len(card) > _MOST_LETTERS:
            card = f"{card[:_MOST_LETTERS]}\n\n(The rest of this card is left out.)\n"
        if len(picture) > _MOST_BYTES:
            picture = as_jpeg(picture, _LARGEST)
        return Enclosed(card, picture)

    def entries(self, digest: str) -> dict[str, str]:
        """Entries of the header of a checkpoint that has this digest."""
        entries = {
            CARD_KEY: self.card,
            PICTURE_KEY: base64.b64encode(self.picture).decode(),
        }
        return entries | {ENCLOSED_KEY: _digest(digest, entries)}

    def less(self) -> Iterator["Enclosed"]:
        """All of it, then less and less of it, for headers that are long without."""
        yield from (self, Enclosed(card=self.card), Enclosed())


def encloses(header: Mapping[str, Any]) -> bool:
    """Whether card and picture, if a checkpoint has any, stand in its header."""
    keys = {CARD_KEY, PICTURE_KEY, ENCLOSED_KEY}  # one of them may be damaged
    return not keys.isdisjoint(header["__metadata__"])


def enclosed_in(header: Mapping[str, Any], path: Path) -> Enclosed | None:
    """Card and picture in the header of a checkpoint file, which `path` names.

    None where they would lie beside the file.

    Raises
    ------
    CheckpointError
        They are not what was enclosed.
    """
    if not encloses(header):
        return None
    entries = header["__metadata__"]
    try:
        if entries[ENCLOSED_KEY] != _digest(entries[DIGEST_KEY], entries):
            raise ValueError
        picture = base64.b64decode(entries[PICTURE_KEY], validate=True)
        return Enclosed(str(entries[CARD_KEY]), picture)
    except (KeyError, ValueError, TypeError, binascii.Error):
        raise CheckpointError(
            f"'{path}' was changed after it was written: its card or its picture is "
            "another one. Fetch or export it again."
        ) from None


def enclose(path: Path, enclosed: Enclosed) -> None:
    """Write a checkpoint file anew, with card and picture; its weights are copied.

    Raises
    ------
    CheckpointError
        It is no checkpoint, has no room, or cannot be written; then it is as it was.
    """
    header = read_header(path)
    ours = header["__metadata__"]
    for rest in enclosed.fitting().less():
        header["__metadata__"] = ours | rest.entries(ours[DIGEST_KEY])
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":"))
        head = text.encode("utf-8", "backslashreplace")
        head += b" " * (-len(head) % 8)  # the tensors are aligned
        if len(head) <= MAX_HEADER:
            break
    else:
        raise too_much_text(path.stem)
    with replacing(path) as file, path.open("rb") as source:
        source.seek(8 + int.from_bytes(source.read(8), "little"))
        file.write(len(head).to_bytes(8, "little") + head)
        shutil.copyfileobj(source, file, 1 << 20)


def too_much_text(name: str) -> CheckpointError:
    """Return the error of metadata that no checkpoint file has room for."""
    return CheckpointError(
        f"The texts of the model '{name}' (its metadata) fill more than the "
        f"{MAX_HEADER >> 20} MiB that a checkpoint has for them. Shorten its "
        "provenance or description where it is made."
    )


def _digest(digest: str, entries: Mapping[str, str]) -> str:
    """SHA-256 over card, picture and the digest of the model that they belong to."""
    text = json.dumps([digest, entries[CARD_KEY], entries[PICTURE_KEY]])
    return hashlib.sha256(text.encode()).hexdigest()
