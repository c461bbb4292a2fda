"""Row: files of models and trainings, changed by chance or on purpose."""

import contextlib
import functools
import inspect
import io
import json
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_colorgan.checkpoints.cards import plain_card
from napari_colorgan.checkpoints.enclosed import Enclosed
from napari_colorgan.checkpoints.imports import read_model
from napari_colorgan.checkpoints.metadata import DIGEST_KEY, METADATA_KEY, Metadata
from napari_colorgan.checkpoints.pix2pix import write_pix2pix
from napari_colorgan.checkpoints.store import Checkpoint, to_bytes
from napari_colorgan.errors import ColorganError
from napari_colorgan.inference.colorize import colorize
from napari_colorgan.models import GENERATORS, GeneratorSpec, build
from tests.soak import damaged_trainings
from tests.soak.row import Row, Trial

SECONDS = 5.0
"""Of CPU for one file; more is a fault."""

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 3, 5, 10**9, 10**400, 0.5, -0.5, 1e-30, 1e300),
    *(float("nan"), float("inf"), "", "x", "batch", "instance", "none", "lab", "rgb"),
    *(
        "whole",
        "picture",
        "spread",
        [],
        {},
        [1],
        [16] * 4,
        {"a": 1},
        "\ud800",
        "\x1b[1m",
    ),
)
"""What may stand in JSON."""
_NESTED = "lists in lists"  # stands for them: Python's own JSON writes few


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes
    ----------
    content : of an intact one
    read : uses it as a user would, and returns what must not have changed unnoticed;
        None where other content is as good as this, and need only be usable
    change : makes another content of it
    """

    content: bytes
    read: Callable[[bytes], object]
    change: Callable[[np.random.Generator, bytes], bytes]


@dataclass(frozen=True)
class Said:
    """What was read together with a word that nothing shows whether it was changed."""

    what: object


def kinds() -> dict[str, Kind]:
    """Every kind, by its name."""
    checkpoint, listening = unet(), compact()
    ours = to_bytes(checkpoint, Enclosed("# A card\n"))
    pickled = pth(checkpoint)
    return {
        "checkpoint": Kind(ours, _read, damaged),
        "metadata signed anew": Kind(
            to_bytes(listening), _use, functools.partial(_signed_anew, listening)
        ),
        "metadata of a U-Net signed anew": Kind(
            ours, _use, functools.partial(_signed_anew, checkpoint)
        ),
        ".pth": Kind(pickled, _read, damaged),
        ".pth of torch before 1.6": Kind(pth(checkpoint, old=True), _read, damaged),
        ".pth sealed anew": Kind(pickled, _use, _sealed_anew),
        "package": Kind(_package(ours), _read_weights, damaged),
    } | _of_trainings()


def _of_trainings() -> dict[str, Kind]:
    """Files from which a training goes on."""
    files = damaged_trainings.files()
    anew = damaged_trainings.sealed_anew(damaged)
    near = damaged_trainings.or_in_headers(damaged)
    changed = {name: Kind(*file, near) for name, file in files.items()}
    return changed | {
        f"{name} sealed anew": Kind(content, damaged_trainings.usable(read), anew)
        for name, (content, read) in files.items()
    }


def damaged(random: np.random.Generator, content: bytes) -> bytes:
    """Change some bytes, most of them where names and sizes are: at both ends."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 5))):
        near = min(len(changed), 1 << int(random.integers(4, 16)))
        place = int(random.integers(near))
        if random.integers(2):
            place = len(changed) - 1 - place
        match random.integers(12):
            case 0:
                del changed[place:]
            case 1:
                del changed[place : place + int(random.integers(1, 64))]
            case 2:
                changed[place:place] = random.bytes(int(random.integers(1, 64)))
            case 3:
                changed[place:place] = changed[place : place + 64]
            case 4 | 5 | 6 | 7:
                changed[place] ^= 1 << int(random.integers(8))
            case _:
                changed[place] = int(random.integers(256))
        if not changed:
            break
    return bytes(changed)


def _made(generator: str, options: dict[str, Any]) -> Checkpoint:
    torch.manual_seed(0)
    weights = build(GeneratorSpec(generator, options)).state_dict()
    about = Metadata(generator=generator, options=options, training={"steps": 3})
    return Checkpoint(replace(about, name="small", license="CC0-1.0"), weights)


def unet() -> Checkpoint:
    """Return a small one."""
    options = {"depth": 5, "width": 1, "norm": "batch", "dropout": False}
    return _made("unet", options)


def compact() -> Checkpoint:
    """Return a small one."""
    options = {"widths": [4] * 4, "alternatives": True, "attention": 1}
    return _made("compact", options)


def pth(checkpoint: Checkpoint, old: bool = False) -> bytes:
    """Content of a file of weights, of today or of torch before 1.6."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latest_net_G.pth"
        write_pix2pix(checkpoint, path)
        if not old:
            return path.read_bytes()
        weights = torch.load(path, weights_only=True)
    content = io.BytesIO()
    torch.save(weights, content, _use_new_zipfile_serialization=False)
    return content.getvalue()


def resigned(checkpoint: Checkpoint, **changes: Any) -> bytes:
    """Content of a file whose metadata say something else; its digest is of that."""
    header, tensors = split(to_bytes(checkpoint))
    values = json.loads(header["__metadata__"][METADATA_KEY])
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(values.get(name), dict)
        values[name] = values[name] | value if both else value
    return _signed(checkpoint, header, json.dumps(values), tensors)


def _signed(
    checkpoint: Checkpoint, header: dict[str, Any], text: str, tensors: bytes
) -> bytes:
    metadata = checkpoint.metadata
    with contextlib.suppress(ColorganError):  # whoever reads it will say so, too
        metadata = Metadata.from_json(text, Path("anew"))
    digest = Checkpoint(metadata, checkpoint.weights).digest
    header["__metadata__"] = {METADATA_KEY: text, DIGEST_KEY: digest}
    return joined(header, tensors)


def _package(checkpoint: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", "config: {napari_colorgan: {}}\n")
        archive.writestr("checkpoint.safetensors", checkpoint)
        archive.writestr("README.md", "# A card\n")
    return content.getvalue()


def _signed_anew(
    checkpoint: Checkpoint, random: np.random.Generator, content: bytes
) -> bytes:
    """Change what the metadata say; the digest is that of the change."""
    header, tensors = split(content)
    values = json.loads(header["__metadata__"][METADATA_KEY])
    for _ in range(random.choice((1, 1, 2))):
        within: Any = values
        if random.integers(3):
            within = values.get(str(random.choice(("options", "options", "training"))))
            if not isinstance(within, dict):
                continue
        known = [*within, *_options(values.get("generator")), "vividness", "levels"]
        name = str(random.choice(known))
        value = _ODD[random.integers(len(_ODD))]
        if random.integers(8) == 0:
            value = _NESTED
        if random.integers(10) == 0:
            within.pop(name, None)
        else:
            within[name] = value
    levels = int(random.integers(1, 1200))
    nested = "[" * levels + "]" * levels
    text = json.dumps(values).replace(json.dumps(_NESTED), nested)
    return _signed(checkpoint, header, text, tensors)


def _options(generator: object) -> list[str]:
    """Names of options of a generator."""
    kind = GENERATORS.get(str(generator))
    return [] if kind is None else list(inspect.signature(kind).parameters)


def _sealed_anew(random: np.random.Generator, content: bytes) -> bytes:
    """Change the pickle in a ZIP file; its checksum is that of the change."""
    result = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(result, "w") as new,
    ):
        for entry in old.infolist():
            part = old.read(entry)
            if entry.filename.endswith("data.pkl"):
                part = damaged(random, part)
            new.writestr(entry.filename, part)
    return result.getvalue()


def split(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensors of a checkpoint."""
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def joined(header: object, tensors: bytes) -> bytes:
    """Content of a checkpoint of this header."""
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


def _read(content: bytes) -> object:
    """Import it; return all that must be as it was."""
    read = read_model(Path("latest_net_G.pth"), content)
    about = replace(read.metadata, provenance="")
    what = (Checkpoint(about, read.checkpoint.weights).digest, read.enclosed)
    read.checkpoint.generator()
    return Said(what) if read.note else what


def _read_weights(content: bytes) -> object:
    """Return the same without the card, which in a package is for readers alone."""
    what = _read(content)
    assert isinstance(what, tuple)
    return what[0]


def _use(content: bytes) -> None:
    """Import it, show it and colour with it."""
    read = read_model(Path("latest_net_G.pth"), content)
    plain_card(read.metadata.printable(), "small")
    read.metadata.to_json()
    gray = np.arange(24 * 40, dtype=np.uint8).reshape(24, 40)
    result = colorize(gray, read.checkpoint, device="cpu", engine="torch")
    assert result.shape == (24, 40, 3)


def attempt(
    name: str, kind: Kind, intact: object, random: np.random.Generator
) -> Trial:
    """Change a file and read it."""
    content = kind.change(random, kind.content)
    began = time.process_time()
    try:
        found = kind.read(content)
    except ColorganError:
        outcome = "refused"
    except BaseException as error:
        return Trial(f"{name}: {type(error).__name__}: {str(error)[:200]}", name)
    else:
        if found == intact:
            outcome = "as it was" if intact is not None else "usable"
        elif isinstance(found, Said):
            outcome = "said"
        else:
            return Trial(f"{name}: accepted with other content", name)
    if (took := time.process_time() - began) > SECONDS:
        return Trial(f"{name}: takes {took:.1f} s of CPU", name)
    return Trial("", f"{name} {outcome}", {"CPU (s)": took})


def _trials(random: np.random.Generator, _: Path) -> Iterator[Trial]:
    torch.set_num_threads(1)
    every = {name: (kind, kind.read(kind.content)) for name, kind in kinds().items()}
    for name in cycle(every):
        yield attempt(name, *every[name], random)


ROW = Row(
    "mutated files of models and trainings",
    "no other error than a sentence; none accepted with other weights, or said",
    count=30_000,
    trials=_trials,
    share=4.0,
)
