"""Model files that declare too much, lie, or run something; and servers of such."""

import contextlib
import functools
import hashlib
import io
import json
import os
import pickle
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.soak.case import Act, Case, marker
from tests.soak.damaged import compact, joined, pth, resigned, split, unet

_GIB = 1 << 30
_LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, 2)

Write = Callable[[Path], object]
"""Writes a hostile file to a path, whose folder is that of the case."""

# -- what is done


def _import(path: Path) -> None:
    from napari_colorgan.checkpoints.imports import read_model

    read_model(path)


def _colour(path: Path) -> None:
    import numpy as np

    from napari_colorgan import colorize

    colorize(np.zeros((24, 40), np.uint8), path, device="cpu", engine="torch")


def _download(path: Path) -> None:
    """Fetch from a server that does what the file says, at most for a second."""
    from napari_colorgan.checkpoints.formats import read_job
    from napari_colorgan.errors import Stopped
    from napari_colorgan.job import STOP

    # nobody ends it: it may be busy without end, and ends with this process
    server = ThreadingHTTPServer(("127.0.0.1", 0), _SERVERS[path.read_text()])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/model"
    job = read_job(url, sha256=hashlib.sha256(b"honest").hexdigest())
    for _ in range(10):
        next(job)
    with contextlib.suppress(Stopped):
        job.send(STOP)


def _honest_model(folder: Path) -> Path:
    path = folder / "honest.safetensors"
    path.write_bytes(resigned(unet()))
    return path


def _honest_pth(folder: Path) -> Path:
    path = folder / "latest_net_G.pth"
    path.write_bytes(pth(unet()))
    return path


def _honest_server(folder: Path) -> Path:
    return _told(folder, "silent")


def _told(folder: Path, what: str) -> Path:
    (folder / "server").write_text(what)
    return folder / "server"


_TORCH = (
    "napari_colorgan.checkpoints.imports",
    "napari_colorgan.inference.colorize",
    "requests",
)
IMPORT = Act("an import", _import, _honest_pth, _TORCH)
COLOUR = Act("colours of a file", _colour, _honest_model, _TORCH)
DOWNLOAD = Act("a download", _download, _honest_server, _TORCH)

# -- checkpoints


def _with_header(change: Callable[[dict[str, Any]], object], path: Path) -> None:
    header, tensors = split(resigned(unet()))
    change(header)
    path.write_bytes(joined(header, tensors))


def _with_metadata(changes: dict[str, Any], path: Path) -> None:
    path.write_bytes(resigned(unet(), **changes))


def _longer(content: bytes, path: Path) -> None:
    """Write a sparse file of 1 GiB."""
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(_GIB)


def _one_large(name: str, path: Path) -> None:
    """Declare 1 GiB, which is there, as a hole."""
    checkpoint = compact() if "_hints" in name else unet()
    header, tensors = split(resigned(checkpoint))
    rest = _GIB - len(tensors) - (1 << 20)
    offsets = [len(tensors), len(tensors) + rest]
    header[name] = {"dtype": "U8", "shape": [rest], "data_offsets": offsets}
    content = joined(header, tensors)
    path.write_bytes(content)
    with path.open("r+b") as file:
        file.truncate(len(content) + rest)


def _many(header: dict[str, Any]) -> None:
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header |= {f"w{number}": empty for number in range(4000)}


def _sides(header: dict[str, Any]) -> None:
    name = next(name for name in header if name != "__metadata__")
    header[name]["shape"] = [1] * 200_000


def _typed(kind: str, header: dict[str, Any]) -> None:
    name = next(name for name in header if name != "__metadata__")
    header[name]["dtype"] = kind


def _deep_header(path: Path) -> None:
    text = b'{"__metadata__":' + b"[" * 500_000
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def _broken(value: float, path: Path) -> None:
    checkpoint = unet()
    for weight in checkpoint.weights.values():
        if weight.is_floating_point():
            weight.fill_(value)
    path.write_bytes(resigned(checkpoint))


_CHECKPOINTS: dict[str, Write] = {
    "1 GiB after its end": lambda path: _longer(resigned(unet()), path),
    "1 GiB of a weight that nobody knows": partial(_one_large, "extra"),
    "1 GiB of a weight of former times": partial(_one_large, "a._hints.weight"),
    "4,000 empty weights": partial(_with_header, _many),
    "a weight of 200,000 sides": partial(_with_header, _sides),
    "lists in lists as a header": _deep_header,
    **{
        f"weights of type {kind}": partial(_with_header, partial(_typed, kind))
        for kind in ("F4", "F8_E4M3", "BOOL", "U64", "C64", "x")
    },
    **{
        f"weights of {value}": partial(_broken, value)
        for value in (float("nan"), float("inf"), 3e38, -3e38)
    },
}

_OPTIONS: dict[str, tuple[Any, ...]] = {
    "norm_momentum": ("x", None, -1, True),
    "norm_eps": (None, 0, -1e-5, float("nan"), "1"),
    "depth": (10**9, -5, 5.0, "5", [5], True),
    "width": (10**9, 0, 1.5, None, 1024),
    "dropout_rate": (2, -0.5, "0.5", float("inf")),
    "dropout": (1, "yes", None),
    "in_channels": (2, 0, 10**6, "3"),
    "out_channels": (1, 10**6, 3, None),
    "norm": ("layer", ["batch"], None),
    "self": (1,),
}

_METADATA: dict[str, dict[str, Any]] = {
    **{
        f"{name} of {json.dumps(value)[:20]}": {"options": {name: value}}
        for name, values in _OPTIONS.items()
        for value in values
    },
    "a working size of 10 million": {"working_size": 10**7},
    "a vividness that is no number": {"vividness": float("nan")},
    "another codec": {"codec": "rgb"},
    "lists in lists": {"training": json.loads("[" * 400 + "]" * 400)},
    "a text of half a million letters": {"license": "x" * 500_000},
    "a number of 400 digits": {"working_size": 10**400},
}

# -- archives and pickles


class _Run:
    """What a malicious pickle would do."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.place),)


def _zip(pickled: bytes, path: Path, packing: int = zipfile.ZIP_STORED) -> None:
    """Write a file in the layout of torch.save."""
    with zipfile.ZipFile(path, "w", packing) as archive:
        archive.writestr("net_G/data.pkl", pickled)
        archive.writestr("net_G/version", "3\n")
        archive.writestr("net_G/data/0", bytes(4))


def _with_hole(content: bytes, name: str, path: Path) -> None:
    """Add a part of 1 GiB to a ZIP file: a hole."""
    path.write_bytes(content)
    with zipfile.ZipFile(path, "a") as archive:
        assert archive.fp is not None
        part = zipfile.ZipInfo(name)
        part.CRC = 0
        part.file_size = part.compress_size = _GIB - (1 << 22)
        archive.fp.seek(archive.start_dir)
        part.header_offset = archive.start_dir
        archive.fp.write(part.FileHeader())
        archive.fp.seek(part.file_size, os.SEEK_CUR)
        archive.start_dir = archive.fp.tell()
        archive.filelist.append(part)
        archive.NameToInfo[name] = part
        archive._didModify = True


def _bomb(name: str, path: Path) -> None:
    path.write_bytes(pth(unet()))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(name, "w") as part:
            for _ in range(256):
                part.write(bytes(1 << 20))


def _directory(count: int, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        part = zipfile.ZipInfo("net_G/data/0")
        archive.writestr(part, b"")
        archive.filelist += [part] * count


def _nested_names(levels: int) -> bytes:
    """A pickle whose only name is a pair of a pair of a pair, twice each."""
    pairs = (
        b"K\x01" + b"q\x00h\x00\x86" * levels
    )  # BININT1 1; then BINPUT, BINGET, TUPLE2
    return b"\x80\x02}" + pairs + b"K\x01s."


def _package(path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", "config: {napari_colorgan: {}}\n")
        archive.writestr("checkpoint.safetensors", resigned(unet()))
    path.write_bytes(content.getvalue())


def _package_with_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rdf.yaml", "config: {napari_colorgan: {}}\n")
        with archive.open("checkpoint.safetensors", "w") as part:
            content = resigned(unet())
            part.write(content)
            for _ in range(128):
                part.write(bytes(1 << 20))


def _package_with_hole(path: Path) -> None:
    _package(path)
    _with_hole(path.read_bytes(), "weights.pt", path)


def _old(pickled: bytes) -> bytes:
    """What `torch.save` wrote before 1.6, with any pickle of weights."""
    return _LEGACY + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + pickled


_PICKLES: dict[str, Callable[[Path], bytes]] = {
    "a program": lambda path: pickle.dumps(_Run(marker(path.parent)), 2),
    "a program as a weight": lambda path: pickle.dumps(
        {"a": _Run(marker(path.parent))}, 2
    ),
    "a name of pairs of pairs": lambda _: _nested_names(60),
    "100,000 lists in lists": lambda _: (
        b"\x80\x02" + b"]" * 10**5 + b"a" * 99_999 + b"."
    ),
    "half a million steps": lambda _: b"\x80\x02" + b"N0" * 250_000 + b"N.",
    "a place in memory for a thousand million": lambda _: (
        b"\x80\x02}r\xff\xff\xff\x3f."
    ),
    "a number of 200,000 bytes": lambda _: (
        b"\x80\x02\x8b" + (200_000).to_bytes(4, "little") + b"\x7f" * 200_000 + b"."
    ),
}


def _zipped(make: Callable[[Path], bytes], path: Path) -> None:
    _zip(make(path), path)


def _in_old_way(make: Callable[[Path], bytes], path: Path) -> None:
    path.write_bytes(_old(make(path)))


_ARCHIVES: dict[str, Write] = {
    **{f"a .pth of {name}": partial(_zipped, make) for name, make in _PICKLES.items()},
    **{
        f"an old .pth of {name}": partial(_in_old_way, make)
        for name, make in _PICKLES.items()
    },
    "a pickle alone": lambda path: path.write_bytes(
        pickle.dumps(_Run(marker(path.parent)))
    ),
    "a .pth with 1 GiB after its end": lambda path: _longer(pth(unet()), path),
    "an old .pth with 1 GiB after its end": lambda path: _longer(
        pth(unet(), old=True), path
    ),
    "a .pth with a part of 1 GiB": lambda path: _with_hole(
        pth(unet()), "latest_net_G/data/999", path
    ),
    "a .pth that unpacks to 256 MiB": partial(_bomb, "latest_net_G/data/999"),
    "an archive of 500,000 parts": partial(_directory, 500_000),
    "an archive of 20,000 parts": partial(_directory, 20_000),
    "a package that unpacks to 128 MiB": _package_with_bomb,
    "a package with a part of 1 GiB": _package_with_hole,
    "a package and 1 GiB": lambda path: (
        _package(path),
        _longer(path.read_bytes(), path),
    ),
}

# -- servers


class _Server(BaseHTTPRequestHandler):
    """Says what its children send after the head of an answer."""

    head: tuple[tuple[str, str], ...] = ()
    status = 200
    body = b"PK\x03\x04"
    pace = 0.0
    """Seconds after each time that the body is sent."""

    def do_GET(self) -> None:
        self.send_response(self.status)
        for name, value in self.head:
            self.send_header(name, value)
        self.end_headers()
        forever = threading.Event()
        try:
            while not forever.wait(self.pace):
                self.wfile.write(self.body)
        except OSError:
            pass  # nobody listens any more

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _server(**about: Any) -> type[_Server]:
    return type("Answering", (_Server,), about)


_SERVERS: dict[str, type[_Server]] = {
    "silent": _server(pace=3600.0),
    "a byte now and then": _server(body=b"P", pace=0.05),
    "zeros without end": _server(body=bytes(1 << 16)),
    "a page without end": _server(body=b"<html>" + bytes(1 << 16)),
    "1 TiB announced": _server(head=(("Content-Length", str(1 << 40)),)),
    "a length that is no number": _server(head=(("Content-Length", "9" * 5000),)),
    "a length below 0": _server(head=(("Content-Length", "-5"),), pace=0.05),
    "to a file": _server(status=302, head=(("Location", "file:///etc/passwd"),)),
    "to itself": _server(status=302, head=(("Location", "/model"),)),
    "to nowhere": _server(status=302, head=(("Location", "http://["),)),
    "packed without end": _server(
        head=(("Content-Encoding", "gzip"),), body=b"\x1f\x8b" + bytes(1 << 16)
    ),
    "a head without end": _server(head=tuple(("X", "x" * 60) for _ in range(500))),
    "a failure": _server(status=500),
}


def _written(suffix: str, write: Write, folder: Path) -> Path:
    path = folder / f"odd{suffix}"
    write(path)
    return path


def cases() -> Iterator[Case]:
    """Every file where it is imported, a checkpoint also where it is used."""
    files = {
        name: functools.partial(_with_metadata, changes)
        for name, changes in _METADATA.items()
    }
    for name, write in (_CHECKPOINTS | files).items():
        for act in (IMPORT, COLOUR):
            yield Case(name, partial(_written, ".safetensors", write), act)
    for name, write in _ARCHIVES.items():
        yield Case(name, partial(_written, ".pth", write), IMPORT)
    for name in _SERVERS:
        yield Case(name, partial(_told, what=name), DOWNLOAD)
