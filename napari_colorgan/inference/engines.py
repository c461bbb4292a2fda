"""What computes a generator: torch, or what a measurement finds to be faster here.

The measurement takes a second or two, once per model and machine; what it finds, and
what OpenVINO has made of a model, is kept in the user's cache folder.
"""

import contextlib
import json
import platform
import threading
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.extras import FAST, install_line
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.drafts import DraftFolder
from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.inference.device import choose_device
from napari_colorgan.inference.openvino_alone import import_openvino
from napari_colorgan.inference.settings import ENGINES, ColorizerSettings
from napari_colorgan.models import Generator
from napari_colorgan.models.compact import Compact
from napari_colorgan.models.palette import palette_length

_SIDE = 256  # px of the picture that is timed
_TIMED = 3  # after one to warm up
_GAIN = 0.9  # of torch's time: what gains less is not worth another rounding
_FAR, _MOST_FAR = 1, 1e-3  # grey levels, and the share of pixels that may be farther
_KEPT = "engines"

Decode = Callable[[Tensor], Tensor]


class Engine(Protocol):
    """Computes one generator on one device; safe to use from several threads."""

    @property
    def name(self) -> str:
        """One of `settings.ENGINES`."""

    def look(
        self, source: Tensor, palette: Tensor | None, *, sure: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Prediction, and features if the generator shows any; see `Compact.look`."""


@dataclass(frozen=True)
class TorchEngine:
    """Torch, eager, in float32 or where it may in half of that."""

    generator: Generator
    half: torch.dtype | None = None

    @property
    def name(self) -> str:
        """Return what settings call it."""
        return "torch" if self.half is None else "torch-half"

    @torch.inference_mode()
    def look(
        self, source: Tensor, palette: Tensor | None, *, sure: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Prediction, and features if the generator shows any."""
        kind = source.device.type
        with torch.autocast(kind, self.half, enabled=self.half is not None):
            return _told(_looked(self.generator, source, palette, sure))


class OpenVinoEngine:
    """OpenVINO on the CPU; networks are converted once, and kept in files.

    Parameters
    ----------
    name : of the files, in the folder of what is kept
    half : compute in bfloat16
    """

    def __init__(self, generator: Generator, name: str, half: bool = False) -> None:
        self._generator = generator
        self._name = name
        self._half = half
        self._requests: dict[bool, Any] = {}
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Return what settings call it."""
        return "openvino-half" if self._half else "openvino"

    def look(
        self, source: Tensor, palette: Tensor | None, *, sure: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Prediction, and features if the generator shows any."""
        given = [source.contiguous().numpy()]
        if _has_alternatives(self._generator):
            if palette is None:  # zeros tell nothing
                palette = source.new_zeros((len(source), palette_length()))
            given.append(palette.contiguous().numpy())
        else:
            sure = True
        with self._lock:  # its results lie in the request's own memory
            if sure not in self._requests:
                self._requests[sure] = self._loaded(sure).create_infer_request()
            request = self._requests[sure]
            said = request.infer(given, share_inputs=True, share_outputs=True)
            results = [torch.from_numpy(each.copy()) for each in said.to_tuple()]
        return _told(results)

    def _loaded(self, sure: bool) -> Any:
        """Return a compiled network, which is converted if there is none."""
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self._name}-{'sure' if sure else 'mean'}.xml"
        if path.exists():
            with contextlib.suppress(RuntimeError):  # damaged
                return _compiled(path, self._half)
        _convert(self._generator, sure, path)
        return _compiled(path, self._half)


class _Looking(nn.Module):
    """A generator whose only method returns all that is asked of it."""

    def __init__(self, generator: Generator, sure: bool) -> None:
        super().__init__()
        self.generator = generator
        self.sure = sure

    def forward(
        self, source: Tensor, palette: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        return _looked(self.generator, source, palette, self.sure)


def _looked(
    generator: Generator, source: Tensor, palette: Tensor | None, sure: bool
) -> tuple[Tensor, ...]:
    """Prediction, and features if there are any."""
    if isinstance(generator, Compact):
        return generator.look(source, palette, sure=sure)
    return (generator(source),)


def _has_alternatives(generator: Generator) -> bool:
    return isinstance(generator, Compact) and generator.alternatives


def _compiled(network: Path, half: bool) -> Any:
    core = import_openvino().Core()
    core.set_property({"CACHE_DIR": str(network.parent)})
    options = {
        "INFERENCE_PRECISION_HINT": "bf16" if half else "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    return core.compile_model(str(network), "CPU", options)


def _told(results: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    return results[0], results[1] if len(results) > 1 else None


def choose_engine(
    wish: str, generator: Generator, digest: str, device: torch.device, decode: Decode
) -> tuple[Engine, str]:
    """Return the engine that was asked for or is the fastest, and why it is this one.

    Parameters
    ----------
    wish : one of `ENGINES`
    generator : on the device
    digest : of its checkpoint; results of measurements are kept by it
    decode : colours as they are shown, uint8, of a prediction

    Raises
    ------
    BadSetting
        It cannot be used here.
    """
    if wish != "auto":
        if wish not in possible_engines(device):
            raise BadSetting("engine", wish, f"{_listed(device)} here{_remedy(wish)}")
        return _made(wish, generator, digest, device), "it was asked for"
    names = possible_engines(device)
    if len(names) == 1:
        return TorchEngine(generator), "there is no other here"
    kept = _known(digest, device)
    if kept is None:
        kept = _measured(names, generator, digest, device, decode)
        _keep(digest, device, kept)
    try:
        return _made(kept["engine"], generator, digest, device), kept["why"]
    except Exception as error:
        return TorchEngine(generator), _failed(kept["engine"], error)


def to_be_measured(settings: ColorizerSettings) -> Metadata | None:
    """Say of which model a `Colorizer` of these settings has to time engines.

    None if there is no choice, or if it was made before.

    Raises
    ------
    UnknownModel, CheckpointError, BadSetting
    """
    device = choose_device(settings.device)
    if settings.engine != "auto" or len(possible_engines(device)) == 1:
        return None
    checkpoint = zoo.open_model(settings.model)
    context = settings.context or checkpoint.metadata.context
    if context == "whole" or _known(checkpoint.digest, device) is not None:
        return None
    return checkpoint.metadata


def possible_engines(device: torch.device) -> list[str]:
    """Engines that could be used for a device, torch first."""
    if device.type != "cpu":
        return ["torch", "torch-half"]
    names = ["torch"]
    # a processor without instructions for it takes longer for it
    if getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)():
        names.append("torch-half")
    if FAST.installed:
        names += ["openvino", "openvino-half"]
    return names


def _made(name: str, generator: Generator, digest: str, device: torch.device) -> Engine:
    half = name.endswith("-half")
    if name.startswith("openvino"):
        return OpenVinoEngine(generator, _key(digest), half)
    kind = torch.bfloat16 if device.type == "cpu" else torch.float16
    return TorchEngine(generator, kind if half else None)


def _measured(
    names: list[str],
    generator: Generator,
    digest: str,
    device: torch.device,
    decode: Decode,
) -> dict[str, str]:
    """Return the fastest engine whose colours are torch's, and why it is this one."""
    source = _texture().to(device).contiguous(memory_format=torch.channels_last)
    exact = TorchEngine(generator)
    truth, usual = decode(exact.look(source, None, sure=False)[0].float().cpu()), 0.0
    best, least, why = "torch", float("inf"), "it is the fastest here"
    failures = []
    for name in names:
        try:
            engine = _made(name, generator, digest, device)
            levels = decode(engine.look(source, None, sure=False)[0].float().cpu())
            seconds = _seconds(engine, source)
        except Exception as error:  # drivers and libraries raise what they like
            failures.append(_failed(name, error))
            continue
        if name == "torch":
            least = usual = seconds
            continue
        far = (levels.int() - truth.int()).abs().amax(-1) > _FAR
        if far.float().mean() <= _MOST_FAR and seconds < min(least, _GAIN * usual):
            best, least = name, seconds
            why = f"it takes {seconds / usual:.0%} of torch's time here"
    return {"engine": best, "why": "; ".join([why, *failures])}


def _seconds(engine: Engine, source: Tensor) -> float:
    took = []
    for _ in range(_TIMED):
        began = time.perf_counter()
        engine.look(source, None, sure=False)[0].sum().item()  # waits for a GPU
        took.append(time.perf_counter() - began)
    return min(took)


def _texture() -> Tensor:
    """Something like a picture, (1, 1, H, W) in [-1, 1]: noise at all scales."""
    random = torch.Generator().manual_seed(0)
    picture = torch.zeros(1, 1, _SIDE, _SIDE)
    for side in (4, 16, 64, _SIDE):
        noise = torch.randn(1, 1, side, side, generator=random) * side**-0.5
        picture += F.interpolate(noise, (_SIDE, _SIDE), mode="bilinear")
    return picture.clamp(-1, 1)


def _convert(generator: Generator, sure: bool, network: Path) -> None:
    """Write what OpenVINO makes of a generator, whole or not at all."""
    openvino = import_openvino()
    examples: tuple[Tensor, ...] = (torch.zeros(1, 1, *2 * [2 * generator.stride]),)
    if _has_alternatives(generator):
        examples += (torch.zeros(1, palette_length()),)
    looking = _Looking(generator, sure).eval()
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of branches that have the same way always
        trace = torch.jit.trace  # torch has no types for it
        traced = trace(looking, examples, check_trace=False)  # type: ignore[no-untyped-call]
        converted = openvino.convert_model(traced, example_input=examples)
    with DraftFolder(network.parent) as draft:
        new = draft.new / network.name
        openvino.save_model(converted, str(new), compress_to_fp16=False)
        new.with_suffix(".bin").replace(network.with_suffix(".bin"))
        new.replace(network)  # last: with it, all is there


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("napari-colorgan", appauthor=False) / _KEPT


def _key(digest: str) -> str:
    """Name of what is kept of a checkpoint: other versions convert it anew."""
    return f"{digest[:16]}-{_version('openvino')}-{_version('napari-colorgan')}"


def _machine(device: torch.device) -> dict[str, Any]:
    """Return what a measurement is true for."""
    return {
        "device": str(device),
        "computer": platform.node(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "engines": possible_engines(device),
    }


def _known(digest: str, device: torch.device) -> Mapping[str, str] | None:
    """Return what was measured before, on this machine as it is."""
    try:
        kept = json.loads((_folder() / f"{_key(digest)}.json").read_text())
        same = kept["machine"] == _machine(device)
        found = {name: str(kept[name]) for name in ("engine", "why")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if same and found["engine"] in possible_engines(device) else None


def _keep(digest: str, device: torch.device, found: Mapping[str, str]) -> None:
    folder = _folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / f"{_key(digest)}.json") as file:
            file.write(json.dumps({"machine": _machine(device), **found}).encode())
    except (OSError, CheckpointError):
        return  # it is measured again the next time


def _failed(name: str, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    return f"{name} fails on this machine ({reason.rstrip('.')})"


def _listed(device: torch.device) -> str:
    return f"auto, {', '.join(possible_engines(device))}"


def _remedy(wish: str) -> str:
    if not wish.startswith("openvino") or wish not in ENGINES or FAST.installed:
        return ""
    return f"; for OpenVINO run: {install_line(FAST.name)}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
