"""What a checkpoint file says of itself; readable without torch or its weights.

A checkpoint is a safetensors file: 8 bytes of header length, a JSON header that names
tensors and holds our metadata, the tensors. Header sizes are bounded before anything is
read, since the format itself promises nothing about time or memory.
"""

import dataclasses
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

from napari_colorgan.checkpoints.foreign import HEAD, ZIP, refusal, unreadable
from napari_colorgan.errors import CheckpointError, shown, some
from napari_colorgan.printable import all_printable, one_line, printable
from napari_colorgan.regular import open_regular

SCHEMA = 1
"""Version of the metadata below; raised when an older reader would misread a file."""

METADATA_KEY = "napari_colorgan"
DIGEST_KEY = "napari_colorgan_sha256"

MAX_HEADER = 1 << 20
"""Bytes of a header; ours have 20 kB, and card and picture."""

_MAX_TENSORS = 4096
_MAX_FILE = 1 << 31  # bytes
_DEEPEST = 16  # lists and dictionaries in each other; ours have 4

CodecName = Literal["lab", "rgb"]
Context = Literal["whole", "local"]
Statistics = Literal["stored", "picture"]
Levels = Literal["spread"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """All that is needed to rebuild a generator and use it as it was trained."""

    generator: str
    """Name of the generator in `models.GENERATORS`."""
    options: dict[str, Any] = field(default_factory=dict)
    """Options of the generator."""
    codec: CodecName = "lab"
    """`lab`: ab for a kept L; `rgb`: all of RGB."""
    context: Context = "local"
    """`whole`: sees the plane resized once; `local`: windows at native resolution."""
    working_size: int = 256
    """Shorter side in px to which `whole` resizes a plane."""
    vividness: float | None = None
    """At which a generator that predicts chroma is meant to be used, 0 (cautious) to 1
    (vivid); None for all others."""
    levels: Levels | None = None
    """`spread`: what `whole` sees of a plane reaches from near black to near white,
    however faded the plane is; None: it sees the gray values as they are."""
    statistics: Statistics = "stored"
    """Where normalisation layers get mean and variance: training, or each picture."""
    name: str = ""
    description: str = ""
    """One line for the model picker."""
    license: str = ""
    provenance: str = ""
    """Data and weights it was made from, and their terms."""
    training: dict[str, Any] = field(default_factory=dict)
    """Settings and scores of the training that made it."""

    @property
    def takes_hints(self) -> bool:
        """Whether its colours can be told at places."""
        return self.generator == "compact" and self.codec == "lab"

    @property
    def takes_palette(self) -> bool:
        """Whether it can be told which colours there are."""
        return self.takes_hints and bool(self.options.get("alternatives"))

    def printable(self) -> Self:
        """Return the same with texts that may be shown; titles and the like in a line.

        A file from elsewhere says what it likes, and its digest covers that.
        """
        return dataclasses.replace(
            self,
            generator=one_line(self.generator),
            name=one_line(self.name),
            description=one_line(self.description),
            license=one_line(self.license),
            provenance=printable(self.provenance),
            options=all_printable(self.options),
            training=all_printable(self.training),
        )

    def to_json(self) -> str:
        """Serialise, with the schema version; what is None is left out.

        The digest of a checkpoint covers this text, so a field that is added to the
        schema is None by default: older files keep their digest.
        """
        known = {k: v for k, v in dataclasses.asdict(self).items() if v is not None}
        return json.dumps({"schema": SCHEMA} | known, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: Path) -> Self:
        """Parse and check; `where` is named in errors.

        Raises
        ------
        CheckpointError
        """
        try:
            values = json.loads(text)
            schema = values.pop("schema")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            raise CheckpointError(
                f"'{where}' holds unreadable metadata. Download or export it again."
            ) from None
        if type(schema) is not int or schema != SCHEMA:
            raise CheckpointError(
                f"'{where}' has metadata of version {shown(schema)}, this "
                f"napari-colorgan reads version {SCHEMA}. Update napari-colorgan."
            )
        if not _is_shallow(values, _DEEPEST):
            raise CheckpointError(
                f"'{where}' has metadata of more than {_DEEPEST} levels, which no "
                "napari-colorgan writes. Download or export it again."
            )
        known = {f.name: f for f in dataclasses.fields(cls)}
        if unknown := sorted(set(values) - set(known)):
            raise CheckpointError(
                f"'{where}' has unknown metadata: "
                f"{some(name[:60] for name in unknown)}. Update napari-colorgan or "
                "export the file again."
            )
        choices = {
            "codec": ("lab", "rgb"),
            "context": ("whole", "local"),
            "statistics": ("stored", "picture"),
            "levels": ("spread",),
        }
        types = {"options": dict, "training": dict, "working_size": int}
        if not _is_vividness(values.get("vividness")):
            raise CheckpointError(
                f"'{where}' says vividness is {shown(values['vividness'])}, which is "
                "not possible. Download or export it again."
            )
        for name, value in values.items():
            if name == "vividness":
                continue
            wanted = types.get(name, str)
            if type(value) is not wanted or value not in choices.get(name, (value,)):
                raise CheckpointError(
                    f"'{where}' says {name} is {shown(value)}, which is not possible. "
                    "Download or export it again."
                )
        if (
            "generator" not in values
            or not 32 <= values.get("working_size", 256) <= 4096
        ):
            raise CheckpointError(
                f"'{where}' names no generator, or a working size outside 32 to 4096 "
                "px. Download or export it again."
            )
        return cls(**values)


def storable(text: str) -> str:
    """Text that any program can read; names of files may hold bytes of no text."""
    return text.encode("utf-8", "backslashreplace").decode()


def _is_shallow(value: object, levels: int) -> bool:
    """Whether lists and dictionaries are in each other at most so often."""
    if not isinstance(value, dict | list):
        return True
    parts = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in parts)


def _is_vividness(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 1


def read_metadata(path: Path) -> Metadata:
    """Read the metadata of a checkpoint file, not its weights; all texts are printable.

    Raises
    ------
    CheckpointError
        The file cannot be read, is no checkpoint of ours, or has another schema.
    """
    header = read_header(path)
    return Metadata.from_json(header["__metadata__"][METADATA_KEY], path).printable()


def read_header(path: Path) -> dict[str, Any]:
    """JSON header of a checkpoint file, its size and layout checked."""
    try:
        with open_regular(path) as file:
            return header_in(file, path)
    except OSError as error:
        raise unreadable(path, error) from error


def header_in(file: BinaryIO, path: Path) -> dict[str, Any]:
    """Return the same of an open file; `path` is named in errors."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(HEAD)
    length = int.from_bytes(head[:8], "little")
    if 2 <= length <= MAX_HEADER:
        head += file.read(max(0, 8 + length - len(head)))
    return _checked_header(head, size, path)


def _checked_header(head: bytes, size: int, path: Path) -> dict[str, Any]:
    # as torch.save begins; the length of a header may begin so, too
    if head.startswith((ZIP, b"\x80")) and head[8:9] != b"{":
        raise CheckpointError(
            f"'{path}' is not a checkpoint of napari-colorgan. If it is a package of "
            "it, or weights of the PyTorch pix2pix code, import it first: colorgan "
            "import FILE, or Import... in the Model manager."
        )
    length = int.from_bytes(head[:8], "little")
    text = head[8 : 8 + length] if 2 <= length <= MAX_HEADER else b""
    try:
        header = json.loads(text)
        ours = header["__metadata__"]
        is_ours = isinstance(ours[METADATA_KEY], str) and isinstance(
            ours[DIGEST_KEY], str
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        is_ours = False
    if not is_ours or len(header) > _MAX_TENSORS or size > _MAX_FILE:
        raise refusal(head, path)
    result: dict[str, Any] = header
    return result
