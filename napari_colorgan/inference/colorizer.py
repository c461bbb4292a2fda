"""A generator and its codec on a device: what predicts colours and decodes them."""

import copy
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import AB_SCALE, CODECS, WARM_LIGHT, Codec, enliven
from napari_colorgan.color_bins import shares_of
from napari_colorgan.color_bytes import lab_to_bytes
from napari_colorgan.errors import BadSetting, NoColors
from napari_colorgan.inference.device import (
    choose_device,
    why_no_gpu,
    windows_at_once,
)
from napari_colorgan.inference.engines import Engine, TorchEngine, choose_engine
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.memory import Memory, Said
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.statistics import Statistics, StatisticsMeter
from napari_colorgan.inference.tiling import Tiling
from napari_colorgan.models import channels_last
from napari_colorgan.models.compact import Compact

_NEUTRAL = {"saturation": 1.0, "warmth": 0.0, "steady": 0.0}
_WARM = torch.tensor(WARM_LIGHT).view(1, 2, 1, 1) / AB_SCALE


class Colorizer:
    """A model on a device, ready to colour; safe to use from several threads at once.

    Parameters
    ----------
    model : a model's name, the path of a checkpoint, a checkpoint, or settings
    device : `auto`, `cpu`, `cuda`, `cuda:1`, ... or `mps`; default what the settings
        say, or else the fastest there is
    options : the other settings, see `ColorizerSettings`

    Attributes
    ----------
    settings : what is really used where it was left open
    note : why no GPU is used although any would do; empty otherwise
    why_engine : clause on why `settings.engine` computes
    tiling : of `local` context, to begin with; smaller windows are made of it where
        memory runs out

    Raises
    ------
    UnknownModel, CheckpointError, BadSetting, TileTooSmall
    """

    def __init__(
        self,
        model: str | Path | Checkpoint | ColorizerSettings = zoo.DEFAULT,
        device: str | torch.device | None = None,
        **options: Any,
    ) -> None:
        if device is not None:
            options["device"] = str(device)
        settings = ColorizerSettings.of(model, **options)
        self.device = choose_device(settings.device)
        self.note = ""
        if settings.device == "auto" and self.device.type == "cpu":
            self.note = f"Computed on the CPU: {why_no_gpu()}."
        self.checkpoint = zoo.open_model(settings.model)
        metadata = self.checkpoint.metadata
        self.codec: Codec = CODECS[metadata.codec]()
        generator = self.checkpoint.generator()
        self.knows_doubt = generator.knows_doubt
        self.keeps_lightness = metadata.codec == "lab"
        self.takes_hints = generator.shows_features and self.keeps_lightness
        self.takes_palette = generator.alternatives
        self.context: Context = settings.context or metadata.context
        self.working_size = settings.working_size or metadata.working_size
        self.stride = generator.stride
        tiling = Tiling(halo=generator.halo, blend=generator.blend)
        if settings.tile is not None:
            tiling = replace(tiling, window=settings.tile)
        at_once = windows_at_once(self.device, tiling.window**2)
        self.tiling = replace(tiling, at_once=at_once)
        self._generator = channels_last(generator, self.device)
        self._engine, self.why_engine = self._choose_engine(settings.engine)
        self._use(
            replace(
                settings,
                context=self.context,
                device=str(self.device),
                engine=self._engine.name,
                tile=self.tiling.window if self.context == "local" else None,
                working_size=self.working_size if self.context == "whole" else None,
            )
        )
        self._lock = threading.Lock()
        self._meter = (
            StatisticsMeter(self._generator)
            if metadata.statistics == "picture"
            else None
        )
        self._memory = Memory()
        self._asks_all = False

    def asked_for(self, **changes: Any) -> "Colorizer":
        """Return one that shows other colours; nothing is loaded again.

        Parameters
        ----------
        changes : `vividness`, `palette`, `saturation`, `warmth` and `steady`, see
            `ColorizerSettings`

        Raises
        ------
        BadSetting
            A value is impossible, or the model has no use for it.
        """
        other = copy.copy(self)
        other._use(replace(self.settings, **changes))
        return other

    def remember(self, pixels: int) -> None:
        """Keep what is said of so many px of gray, about 36 bytes each.

        All of it is asked then, so that another vividness costs nothing.
        """
        self._memory.most = pixels
        self._asks_all = True

    @property
    def normalises_by_picture(self) -> bool:
        """Whether statistics of a plane decide what its windows look like."""
        return self._meter is not None

    def forgetful(self) -> "Colorizer":
        """Return one that keeps nothing of what is said of windows; see `remember`."""
        other = copy.copy(self)
        other._memory, other._asks_all = Memory(), False
        other._memory.most = 0
        return other

    @property
    def remembers_windows(self) -> bool:
        """Whether there is room for what is said of a picture's windows."""
        return self.takes_hints and self._memory.most >= self.tiling.window**2

    @torch.inference_mode()
    def predict(self, gray: Tensor, statistics: Statistics | None) -> Tensor:
        """Prediction (N, 2 or 3, H, W) in [-1, 1], on the device, for gray in [0, 1].

        Sides are multiples of `stride`; `statistics` come from `measure`.

        Raises
        ------
        NoColors
            It is not finite, which is the model's fault: gray always is.
        """
        return self._shown(self._predict(gray, statistics))

    def look(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """Predict without statistics; and unit features, see `Compact.look`."""
        raw, features = self._look(gray)
        return self._shown(raw), features

    def look_once(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """Predict with statistics of `gray` itself, or remember having done so.

        With features, empty if the generator shows none. The latest pictures are known
        by their pixels, so that no change of an array goes unnoticed, and several
        regions of a plane, other hints or another vividness cost one prediction.
        """
        palette, sure = self.settings.palette, self._asks_sureness
        said = self._memory.recall(gray, palette)
        if said is None or sure > said.sure:
            if self.takes_hints:
                raw, features = self._look(gray)
            else:
                raw = self._predict(gray, self.measure(lambda: gray))
                features = raw[:, :0]
            said = self._memory.keep(Said(gray, palette, raw, features, sure))
        return self._shown(said.prediction), said.features

    @torch.inference_mode()
    def likelihoods(self, gray: Tensor) -> Tensor:
        """How likely each colour of `color_bins` is, (N, Q, H / 4, W / 4), on the CPU.

        Raises
        ------
        BadSetting
            The model knows no alternatives.
        NoColors
            What it says is not finite.
        """
        generator, name = self._generator, self.checkpoint.metadata.name
        if not (isinstance(generator, Compact) and generator.alternatives):
            raise BadSetting("model", name, "one that knows how likely colours are")
        source = self._encoded(gray)
        answer = generator.answer(source, self._given(len(source)))
        likelihoods = shares_of(answer.logits).cpu()
        if not likelihoods.sum().isfinite():
            raise NoColors(name)
        return likelihoods

    def checked(self, hints: Hints | None, shape: Sequence[int]) -> Hints | None:
        """Return hints for an array of gray pictures (..., Y, X), if they can be used.

        Raises
        ------
        BadSetting
            The model takes no hints, or one is outside.
        """
        if hints is not None and not isinstance(hints, Hints):
            raise BadSetting("hints", hints, "Hints, with points and colors")
        if hints is not None:
            if not self.takes_hints:
                expected = f"left out, for '{self.checkpoint.metadata.name}' takes none"
                raise BadSetting("hints", len(hints), expected)
            hints.check(shape)
        return hints

    def _choose_engine(self, wish: str) -> tuple[Engine, str]:
        """Return what computes the generator, and why."""
        if self.checkpoint.metadata.statistics == "picture":
            if wish not in ("auto", "torch"):
                name = self.checkpoint.metadata.name
                expected = f"torch: '{name}' normalises by each picture"
                raise BadSetting("engine", wish, expected)
            return TorchEngine(self._generator), "the model normalises by each picture"
        if wish == "auto" and self.context == "whole":
            return TorchEngine(self._generator), "whole context sees little at once"
        if wish == "torch":  # no digest, which takes a while, of a model in training
            return TorchEngine(self._generator), "it was asked for"
        digest, channels = self.checkpoint.digest, self.codec.out_channels

        def shown(said: Tensor) -> Tensor:
            gray = torch.full_like(said[:, :1], 0.5)
            return self.decode(gray, said[:, :channels])

        return choose_engine(wish, self._generator, digest, self.device, shown)

    def _encoded(self, gray: Tensor) -> Tensor:
        """Return what the generator sees of gray in [0, 1], on the device."""
        source = self.codec.encode(self._sent(gray, self.device))
        return source.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def _sent(gray: Tensor, device: torch.device) -> Tensor:
        """Return gray on a device; a GPU copies it while the CPU goes on."""
        if device.type == "cuda" and gray.device.type == "cpu":
            gray = gray.contiguous().pin_memory()
        return gray.to(device, non_blocking=True)

    def _use(self, settings: ColorizerSettings) -> None:
        """Take over what can be changed at any time, if the model has a use for it."""
        name, unused = self.checkpoint.metadata.name, "left out, for '{}' {}"
        if settings.palette is not None and not self.takes_palette:
            expected = unused.format(name, "takes none")
            raise BadSetting("palette", settings.palette.name, expected)
        if settings.vividness is not None and not self.knows_doubt:
            expected = unused.format(name, "does not tell how sure its colours are")
            raise BadSetting("vividness", settings.vividness, expected)
        for setting, neutral in _NEUTRAL.items():
            value = getattr(settings, setting)
            if value != neutral and not self.keeps_lightness:
                expected = unused.format(name, "makes its own lightness")
                raise BadSetting(setting, value, expected)
        if settings.vividness is None and self.knows_doubt:
            vividness = self.checkpoint.metadata.vividness or 0.0
            settings = replace(settings, vividness=vividness)
        self.settings = settings
        palette = settings.palette
        self._palette = None if palette is None else palette.tensor().to(self.device)

    @torch.inference_mode()
    def _predict(self, gray: Tensor, statistics: Statistics | None) -> Tensor:
        source = self._encoded(gray)
        if statistics is None:
            return self._seen(source)[0]
        here = {name: value.to(self.device) for name, value in statistics.items()}
        with self._lock:  # the call puts statistics into the one shared network
            said: Tensor = torch.func.functional_call(self._generator, here, source)
        if not _are_finite(said):
            raise NoColors(self.checkpoint.metadata.name)
        return said.float()

    @torch.inference_mode()
    def _look(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        prediction, features = self._seen(self._encoded(gray))
        return prediction, F.normalize(features, dim=1, eps=1e-6)

    def _seen(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the engine says, and of how sure that is no more than is used.

        All of it is finite float32; features are empty if the generator shows none.
        """
        engines = [self._engine]
        if self._engine.name.endswith("-half"):  # above 65,504, a half is infinite
            engines.append(TorchEngine(self._generator))
        given = self._given(len(source))
        for engine in engines:
            said, features = engine.look(source, given, sure=self._asks_sureness)
            if features is None:
                features = said[:, :0]
            if _are_finite(said, features):
                return said.float(), features.float()
        raise NoColors(self.checkpoint.metadata.name)

    def _given(self, count: int) -> Tensor | None:
        """Return what a generator is told beside its source."""
        return None if self._palette is None else self._palette.expand(count, -1)

    @property
    def _asks_sureness(self) -> bool:
        return self._asks_all or self._vividness > 0

    @property
    def _vividness(self) -> float:
        """How much vivider than a mean colours become."""
        palette = self.settings.palette
        # a palette that fits tells how vivid its colours are
        doubted = 1.0 if palette is None else 1 - palette.strength
        return doubted * (self.settings.vividness or 0.0)

    def _shown(self, prediction: Tensor) -> Tensor:
        """Return a prediction as vivid, saturated and warm as it should be."""
        settings = self.settings
        if settings.vividness is not None:
            prediction = enliven(prediction, self._vividness)
        if settings.saturation != 1:
            prediction = prediction * settings.saturation
        if settings.warmth:
            prediction = prediction + settings.warmth * _WARM.to(prediction.device)
        return prediction

    @torch.inference_mode()
    def measure(self, sample: Callable[[], Tensor]) -> Statistics | None:
        """Statistics of the gray windows that `sample` reads; None if not needed."""
        if self._meter is None:
            return None
        measured = self._meter.measure(self.codec.encode(sample().to(self.device)))
        return {name: value.cpu() for name, value in measured.items()}

    @torch.inference_mode()
    def decode(self, gray: Tensor, prediction: Tensor) -> Tensor:
        """RGB (N, H, W, 3) uint8 from gray in [0, 1] and a prediction as large.

        Computed where the prediction is; only bytes come back to the CPU.
        """
        gray = self._sent(gray, prediction.device)
        if self.keeps_lightness:
            return lab_to_bytes(gray, prediction).cpu()
        rgb = self.codec.decode(gray, prediction)
        levels = (rgb * 255).round().clamp(0, 255).to(torch.uint8)
        return levels.permute(0, 2, 3, 1).cpu()

    def used(self) -> dict[str, Any]:
        """Return the model and the settings that were really used, for metadata."""
        names = ("context", "device", "engine", "tile", "working_size", "vividness")
        values = {name: getattr(self.settings, name) for name in names}
        if self.settings.palette is not None:
            values["palette"] = self.settings.palette.record()
        for name, neutral in _NEUTRAL.items():
            if (value := getattr(self.settings, name)) != neutral:
                values[name] = value
        return {
            "model": self.checkpoint.metadata.name,
            "digest": self.checkpoint.digest,
        } | {name: value for name, value in values.items() if value is not None}


def _are_finite(*tensors: Tensor) -> bool:
    """Whether all values are; one pass, and on a GPU one time to wait for it."""
    total = sum(tensor.sum(dtype=torch.float32) for tensor in tensors)
    return math.isfinite(total)
