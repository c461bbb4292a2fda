"""Fixtures for all tests, and a display for them on a Linux machine without one."""

import ctypes
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import settings
from npe2 import PluginManifest
from numpy.typing import NDArray
from PIL import Image
from skimage import color, data

sys.path.append(str(Path(__file__).parents[1]))  # as for `python -m tests.soak`

from tests.display import has_display, start_xvfb

# a busy machine is no failure, and no file is left beside the tests
settings.register_profile("ours", deadline=None, database=None)
settings.load_profile("ours")

MANIFEST = Path(__file__).parents[1] / "napari_colorgan" / "napari.yaml"

# What Qt 6 and OpenGL load at run time: the package of Debian and Ubuntu for each.
LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
}


def missing_packages() -> list[str]:
    """Names of the apt packages without which no window can be opened here."""
    if not sys.platform.startswith("linux"):
        return []
    missing = [] if has_display() or shutil.which("Xvfb") else ["xvfb"]
    for library, package in LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    return missing


MISSING = missing_packages()

# `-p no:napari` in the options keeps napari's fixtures from being loaded before this
# file: without the libraries that fails with a traceback instead of an answer.
pytest_plugins = [] if MISSING else ["napari.utils._testsupport"]


@pytest.hookimpl(tryfirst=True)  # before pytest-qt, which loads Qt
def pytest_configure() -> None:
    if MISSING:
        raise pytest.UsageError(
            "The tests open windows, for which this machine lacks packages: "
            f"sudo apt-get install {' '.join(MISSING)}"
        )
    if sys.platform.startswith("linux") and not has_display():
        try:
            start_xvfb()
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from None
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # a shell's background jobs start so, and the programs we stop would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def torch_alone(tmp_path_factory):
    """No engine is timed, but where a test asks for it; programs share a cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setattr(
            "napari_colorgan.inference.engines.possible_engines", lambda _: ["torch"]
        )
        yield


@pytest.fixture
def plugin(plugin_settings, npe2pm) -> PluginManifest:
    """Our manifest as the only plugin; preferences live in a temporary folder."""
    manifest = PluginManifest.from_file(MANIFEST)
    npe2pm.register(manifest)
    return manifest


@pytest.fixture
def user_folders(tmp_path, monkeypatch) -> Path:
    """An empty folder that holds the user's models, trainings and last settings."""
    from napari_colorgan.checkpoints import zoo
    from napari_colorgan.training import runs
    from napari_colorgan.widgets.parts import settings as dock_settings

    (tmp_path / "models").mkdir()
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path / "training")
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    return tmp_path


@pytest.fixture
def home(user_folders, listening) -> Path:
    """The user's folders, with a model that listens to hints and palettes."""
    from napari_colorgan import save

    name = listening.metadata.name
    save(listening, user_folders / "models" / f"{name}.safetensors")
    return user_folders


@pytest.fixture
def viewer(make_napari_viewer, plugin, qtbot):
    """A viewer that is not shown; what docks still do is waited for at the end."""
    from superqt.utils._qthreading import WorkerBase

    viewer = make_napari_viewer()
    yield viewer
    qtbot.waitUntil(lambda: not WorkerBase._worker_set, timeout=60_000)


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """A colour photograph with a face: (256, 320, 3) uint8."""
    return data.astronaut()[:256, 60:380]


@pytest.fixture(scope="session")
def gray(photo) -> NDArray[np.uint8]:
    """The same photograph without its colour: (256, 320) uint8."""
    return np.rint(color.rgb2gray(photo) * 255).astype(np.uint8)


@pytest.fixture(scope="session")
def camera() -> NDArray[np.uint8]:
    """A part of a gray photograph: (128, 150) uint8."""
    return np.ascontiguousarray(data.camera()[100:228, 150:300])


@pytest.fixture(scope="session")
def make_checkpoint():
    """Make checkpoints of small seeded generators whose colours are strong.

    Called with a generator's name, its options (default: small), a seed, and metadata.
    """
    import torch  # not at import: tests of files and menus need none of it

    from napari_colorgan.checkpoints.metadata import Metadata
    from napari_colorgan.checkpoints.store import Checkpoint
    from napari_colorgan.models import GeneratorSpec, build

    small = {
        "unet": {"depth": 5, "width": 8, "dropout": False},
        "resnet": {"blocks": 2, "width": 8, "dropout": False},
        "compact": {"widths": [16, 16, 16, 16]},
    }

    def make(generator="unet", options=None, *, seed=0, **metadata):
        options = small[generator] | (options or {})
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            network = build(GeneratorSpec(generator, options))
            for layer in network.modules():
                if isinstance(layer, torch.nn.BatchNorm2d):
                    layer.momentum = 1.0  # one picture decides
            noise = torch.rand(1, network.in_channels, 256, 256) * 2 - 1
            kinds = (torch.nn.Conv2d, torch.nn.ConvTranspose2d)
            *_, last = (m for m in network.modules() if isinstance(m, kinds))
            seen = []
            handle = last.register_forward_hook(lambda *_args: seen.append(_args[-1]))
            network.train()(noise)
            handle.remove()
            last.weight *= 0.5 / seen[0].std()  # half of the scale: vivid
        values = {"generator": generator, "options": options, "name": "test"}
        return Checkpoint(Metadata(**(values | metadata)), network.state_dict())

    return make


@pytest.fixture(scope="session")
def make_listening():
    """Make checkpoints whose answers follow from what they are told.

    Called with the deviation of their weights, options of `compact`, and metadata.
    """
    import torch

    from napari_colorgan.checkpoints.metadata import Metadata
    from napari_colorgan.checkpoints.store import Checkpoint
    from napari_colorgan.models.compact import Compact

    def make(std=0.2, options=None, **metadata):
        options = {"widths": [8, 8, 8, 8], "alternatives": True} | (options or {})
        torch.manual_seed(3)
        network = Compact(**options)
        for module in network.modules():
            for parameter in module.parameters(recurse=False):
                torch.nn.init.normal_(parameter, std=std)
        about = Metadata(generator="compact", options=options, **metadata)
        return Checkpoint(about, network.state_dict())

    return make


@pytest.fixture(scope="session")
def listening(make_listening):
    """A checkpoint that sees pictures whole and tells how sure colours are."""
    about = {"context": "whole", "working_size": 64, "name": "listening"}
    return make_listening(std=0.1, vividness=0.5, **about)


@pytest.fixture(scope="session")
def make_colorizer(make_checkpoint):
    """Make colorizers of such checkpoints, in windows so small that there are many."""
    import torch

    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.inference.tiling import Tiling

    def make(generator="unet", options=None, *, tiling=(192, 32, 32), **metadata):
        checkpoint = make_checkpoint(generator, options, **metadata)
        colorizer = Colorizer(checkpoint, torch.device("cpu"))
        colorizer.tiling = Tiling(*tiling)
        return colorizer

    return make


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    """A folder of six colour photographs in two formats, below two folders."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    for number, picture in enumerate((data.astronaut(), data.coffee(), data.chelsea())):
        Image.fromarray(picture[::4, ::4]).save(folder / f"{number}.png")
        Image.fromarray(picture[::5, ::-5]).save(folder / "more" / f"{number}.JPG")
    return folder


@pytest.fixture
def train_small(tmp_path, photos, monkeypatch):
    """Train a tiny generator from random weights on `photos`: checkpoint and events.

    Files are named after `name`; calling again with the same name goes on.
    """
    import torch

    from napari_colorgan.job import Control, finish
    from napari_colorgan.training import networks, train
    from napari_colorgan.training.events import StepDone
    from napari_colorgan.training.recipe import Recipe
    from napari_colorgan.training.settings import TrainConfig

    monkeypatch.setattr(networks, "load_imagenet_encoder", lambda generator: None)
    small = {"steps": 6, "decoder_steps": 3, "batch": 2, "crop": 32, "cache_side": 48}
    small |= {"validation": 0.0, "task": "colorization"}
    places = ("gray", "start", "minutes", "judged", "judge_every", "strict")

    def train_small(
        name="a",
        *,
        stop_at=None,
        options=(("widths", [8, 8, 8, 8]),),
        generator="compact",
        folders=(),
        **settings,
    ):
        events, control = [], Control()

        def listen(event):
            events.append(event)
            if isinstance(event, StepDone) and event.done == stop_at:
                control.request_stop()

        how = {key: settings.pop(key) for key in places if key in settings}
        config = TrainConfig(**(small | settings))
        spec = {"name": generator} | dict(options)
        job = train.train_job(
            folders or [photos],
            Recipe(config, {"name": name}, spec),
            tmp_path / f"{name}.safetensors",
            device=torch.device("cpu"),
            **how,
        )
        return finish(job, listen, control).best, events

    return train_small


@pytest.fixture
def messages():
    """Texts of the notifications shown during a test."""
    from napari.utils.notifications import notification_manager

    texts = []

    def note(event) -> None:
        texts.append(str(getattr(event, "value", event).message))

    notification_manager.notification_ready.connect(note)
    yield texts
    notification_manager.notification_ready.disconnect(note)


@pytest.fixture
def pair_folders(tmp_path):
    """Folders of 16-bit gray and colour pictures; gray is the square of green."""
    for kind in ("gray", "color"):
        (tmp_path / kind).mkdir()
    for name in ("coffee", "astronaut", "chelsea"):
        rgb = getattr(data, name)()[::4, ::4]
        Image.fromarray(rgb).save(tmp_path / "color" / f"{name}.png")
        gray = ((rgb[..., 1] / 255) ** 2 * 4095).astype(np.uint16)
        tifffile.imwrite(tmp_path / "gray" / f"{name}.tif", gray)
    return tmp_path / "color", tmp_path / "gray"
