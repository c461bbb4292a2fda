"""Nothing is connected to, and nothing listens, unless the user wishes it.

Each trial is a use in processes of its own, that are heard by audit hooks of Python
from their beginning; where `strace` can be used, what libraries do without Python is
heard, too. Some uses are wishes: what is not heard of them shows deafness.
"""

import functools
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from PIL import Image

from tests.display import has_display, start_xvfb
from tests.soak.row import Row, Trial

_PATIENCE = 300.0  # s that a use may take on a busy machine; exports are slow
_HERE = Path(__file__).parent
_PYTHON = """
import napari_colorgan as c, numpy as np
from pathlib import Path
from napari_colorgan.checkpoints.store import save
gray = np.random.default_rng(0).integers(0, 256, (40, 56), np.uint8)
print([model.name for model in c.list_models()])
model = c.open_model("natural")
rgb = c.colorize(gray, model, engine="torch", palette=c.Palette.of(
    np.stack([gray, gray[::-1], gray], -1), 0.5, "a picture"))
c.colorize(np.stack([gray, gray]), model, axes="ZYX", engine="torch",
    hints=c.Hints([[5, 5]], [(200, 0, 0)]))
save(model, Path("own.safetensors"))
c.import_model("own.safetensors", "mine")
"""
_EXPORTS = """
import napari_colorgan as c
from napari_colorgan.checkpoints import zoo
from tests.soak.user.models import TRANSLATION, write_models
write_models(zoo.user_folder())
c.export_model(TRANSLATION, "out.zip", authors=["A. Person"], license="CC0-1.0")
for end in ("safetensors", "pth", "onnx"):
    c.export_model(TRANSLATION, f"out.{end}")
c.import_model("out.zip", "back")
"""
_DOCKS = """
import numpy as np
from pathlib import Path
from tests.soak.actions import _Session
from tests.soak.user.desk import Desk
session = _Session(Desk(Path("."), np.random.default_rng(0)))
print(session.walk())
session.begin()
for name, n, x in (("add_layer", 1, 0.0), ("add_pair", 0, 0.0),
                   ("start_training", 0, 0.0)):
    print(session.trial(name, n, x, "until all rests"))
session.end(rests=True)
session.desk.leave()
"""
_CLUSTER = """
import sys
from distributed import LocalCluster
from napari_colorgan.cli import main
if __name__ == "__main__":
    cluster = LocalCluster(n_workers=1, processes=False, protocol="tcp://",
                           dashboard_address=None)
    address = cluster.scheduler_address
    sys.argv[1:] = ["colorize", "scan.png", "cluster.png", "--scheduler", address]
    main()
"""
_TRAIN = ("train", "photos", "--recipe", "micro", "--steps", "2", "--device", "cpu")
_TEAM = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def _colorgan(*words: str) -> tuple[str, ...]:
    return ("-m", "napari_colorgan", *words)


_USES: dict[str, tuple[str, ...]] = {
    "Python: import, list, colorize, save, import a model": ("-c", _PYTHON),
    "colorgan models": _colorgan("models"),
    "colorgan info": _colorgan("info", "scan.png"),
    "colorgan colorize, a file": _colorgan("colorize", "scan.png", "out.png"),
    "colorgan colorize, with the fastest engine": _colorgan(
        *("colorize", "scan.png", "micro.png", "--model", "micro")
    ),
    "colorgan colorize, a folder": _colorgan(
        *("colorize", "photos", "out", "--from-color")
    ),
    "colorgan evaluate": _colorgan("evaluate", "--color", "photos", "--limit", "2"),
    "colorgan fine-tune": _colorgan(
        *("fine-tune", "--color", "photos", "--name", "ours", "--steps", "2")
    ),
    "colorgan train": _colorgan(*_TRAIN, "--out", "first.safetensors"),
    "Python: export in all formats": ("-c", _EXPORTS),
    "the docks in napari": ("-c", _DOCKS),
}
"""Arguments of Python; none of these is a wish to connect."""

_CALLS = "trace=connect,bind,sendto"
_NATIVE = re.compile(
    r"(connect|bind|sendto)\(.*sin6?_port=htons\((\d+)\).*?\"([^\"]+)\""
)


def _pictures(folder: Path) -> None:
    """Write what is coloured and learned from."""
    random = np.random.default_rng(0)
    (folder / "photos").mkdir(exist_ok=True)
    Image.fromarray(random.integers(0, 256, (64, 64), np.uint8)).save(
        folder / "scan.png"
    )
    for number in range(6):
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((300, 300)).save(folder / "photos" / f"{number}.png")


class _Uses:
    """Starts uses, and tells what was heard of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        _pictures(folder)
        self._trace = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", _CALLS, "-o"]
        if (
            shutil.which("strace") is None
            or subprocess.run(
                [*self._trace, os.devnull, "true"], capture_output=True
            ).returncode
        ):
            self._trace = []

    def run(self, arguments: Sequence[str]) -> tuple[list[str], str]:
        """Use Python so; what was connected to, and why it failed, if it did."""
        heard, traced = self._folder / "heard.txt", self._folder / "traced.txt"
        for file in (heard, traced):
            file.write_text("")
        home = self._folder / "home"
        paths = (_HERE / "ears", _HERE.parents[1], os.environ.get("PYTHONPATH", ""))
        command = [sys.executable, *arguments]
        if self._trace:
            command = [*self._trace, str(traced), *command]
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=os.environ
            | dict.fromkeys(("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"), str(home))
            | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
            | {"SOAK_EARS": str(heard)},
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        found = [
            f"{event} {address} at {' < '.join(places)}"
            for event, address, places in map(
                json.loads, heard.read_text().splitlines()
            )
        ]
        found += [
            f"native {call} {address} port {port}"
            for call, port, address in _NATIVE.findall(traced.read_text())
        ]
        failed = f"{done.stdout}{done.stderr}"[-1500:] if done.returncode else ""
        return found, failed


def _unwished(name: str, uses: _Uses) -> Trial:
    heard, failed = uses.run(_USES[name])
    fault = " | ".join(dict.fromkeys(heard))
    fault = f"connects unasked: {fault}" if fault else failed and f"fails: {failed}"
    return Trial(f"{name} {fault}" if fault else "", name)


def _wished(name: str, arguments: Sequence[str], uses: _Uses) -> Trial:
    """A wish is heard, and goes nowhere but to this computer."""
    heard, failed = uses.run(arguments)
    far = [each for each in heard if not _is_here(each)]
    fault = f"fails: {failed}" if failed else ""
    fault = fault or ("" if heard else "is not heard: these ears are deaf")
    fault = fault or (f"connects elsewhere: {' | '.join(far)}" if far else "")
    return Trial(f"{name} {fault}" if fault else "", name)


def _is_here(heard: str) -> bool:
    """Whether an address is one of this computer's; `torchrun` asks for its name."""
    here = ("127.", "::1", "localhost", "no address yet", "this computer", "None")
    here += ("0.0.0.0", "('', ", "('::', ", "native bind ::", socket.gethostname())
    own = socket.gethostbyname_ex(socket.gethostname())[2]
    address = heard.partition(" at ")[0]
    asks = address.startswith("native") and address.endswith(" port 53")
    return asks or any(word in address for word in (*here, *own))


def _download(uses: _Uses, folder: Path) -> Trial:
    """A model by its address: that of a server of ours."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    digest = hashlib.sha256((folder / "own.safetensors").read_bytes()).hexdigest()
    handler = functools.partial(Silent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/own.safetensors"
        wish = _colorgan("import", url, "--name", "fetched", "--sha256", digest)
        trial = _wished("wish: a model by its address", wish, uses)
        server.shutdown()
    return trial


def trials(_: np.random.Generator, folder: Path) -> Iterator[Trial]:
    """Use everything once; and wish what connects."""
    if not has_display():
        start_xvfb()
    uses = _Uses(folder)
    for number, name in enumerate(_USES):
        yield _unwished(name, uses)
        if not number:
            yield _download(uses, folder)
    yield _wished("wish: a cluster", ("-c", _CLUSTER), uses)
    words = ("-m", "--", "napari_colorgan", *_TRAIN, "--out", "team.safetensors")
    yield _wished("wish: a team of processes", (*_TEAM, *words), uses)


ROW = Row(
    what="uses in Python, the command line and napari, heard from their beginning",
    promise="no socket without a wish of the user's",
    count=1_000,
    trials=trials,
)
