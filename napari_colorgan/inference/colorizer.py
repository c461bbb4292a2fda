"""A generator and its codec on a device: what predicts colours and decodes them."""

import copy
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import CODECS, Codec, enliven
from napari_colorgan.errors import BadSetting, CheckpointError, NoColors
from napari_colorgan.inference.device import choose_device, why_no_gpu
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.palettes import Palette
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.statistics import Statistics, StatisticsMeter
from napari_colorgan.inference.tiling import Tiling
from napari_colorgan.models import channels_last
from napari_colorgan.models.compact import Compact

_WINDOWS_AT_ONCE = {"cpu": 1, "cuda": 4, "mps": 2}
_REMEMBERED = 1 << 21  # px of what predictions were made of: about 50 MB, 32 squares


class Colorizer:
    """A model on a device, ready to colour; safe to use from several threads at once.

    Parameters
    ----------
    model : a model's name, the path of a checkpoint, a checkpoint, or settings
    device : `auto`, `cpu`, `cuda`, `cuda:1`, ... or `mps`; default what the settings
        say, or else the fastest there is
    options : `context`, `tile`, `working_size` and `vividness`, see `ColorizerSettings`

    Attributes
    ----------
    settings : what is really used where it was left open
    note : why no GPU is used although any would do; empty otherwise
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
        channels = (generator.in_channels, generator.out_channels)
        if channels[0] not in (1, 3) or channels[1] != self.codec.out_channels:
            raise CheckpointError(
                f"This checkpoint's generator reads {channels[0]} channels and writes "
                f"{channels[1]} channels; the codec '{metadata.codec}' needs 1 or 3 "
                f"and {self.codec.out_channels}. Export the checkpoint again."
            )
        self.vividness = settings.vividness
        if generator.knows_doubt:
            if self.vividness is None:
                self.vividness = metadata.vividness or 0.0
        elif self.vividness is not None:
            raise BadSetting(
                "vividness",
                self.vividness,
                f"left out, for '{metadata.name}' does not tell how sure its colours "
                "are",
            )
        self.takes_hints = generator.shows_features and metadata.codec == "lab"
        self.takes_palette = generator.alternatives
        self._palette = self._told(settings.palette)
        self.context: Context = settings.context or metadata.context
        self.working_size = settings.working_size or metadata.working_size
        self.stride = generator.stride
        at_once = _WINDOWS_AT_ONCE.get(self.device.type, 1)
        self.tiling = Tiling(halo=generator.halo, at_once=at_once)
        if settings.tile is not None:
            self.tiling = replace(self.tiling, window=settings.tile)
        self.settings = replace(
            settings,
            context=self.context,
            device=str(self.device),
            tile=self.tiling.window if self.context == "local" else None,
            working_size=self.working_size if self.context == "whole" else None,
            vividness=self.vividness,
        )
        self._generator = channels_last(generator, self.device)
        self._lock = threading.Lock()
        self._meter = (
            StatisticsMeter(self._generator)
            if metadata.statistics == "picture"
            else None
        )
        self._remembered: tuple[tuple[Tensor, Tensor, Tensor], ...] = ()

    def with_palette(self, palette: Palette | None) -> "Colorizer":
        """Return one that asks for other colours; nothing is loaded again.

        Raises
        ------
        BadSetting
            The model takes no palette.
        """
        other = copy.copy(self)
        other._palette = self._told(palette)
        other.settings = replace(self.settings, palette=palette)
        other._remembered = ()
        return other

    @torch.inference_mode()
    def predict(self, gray: Tensor, statistics: Statistics | None) -> Tensor:
        """Prediction (N, 2 or 3, H, W) in [-1, 1], on the CPU, for gray in [0, 1].

        Sides are multiples of `stride`; `statistics` come from `measure`.

        Raises
        ------
        NoColors
            It is not finite, which is the model's fault: gray always is.
        """
        source = self._encoded(gray)
        if statistics is None:
            prediction = self._generator(source, *self._given(len(source)))
        else:
            here = {name: value.to(self.device) for name, value in statistics.items()}
            with self._lock:  # the call puts statistics into the one shared network
                prediction = torch.func.functional_call(self._generator, here, source)
        return self._finished(prediction)

    @torch.inference_mode()
    def look(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """Predict without statistics; and features, see `Compact.look`."""
        source = self._encoded(gray)
        assert isinstance(self._generator, Compact)
        prediction, features = self._generator.look(source, *self._given(len(source)))
        return self._finished(prediction), features.float().cpu()

    def look_once(self, gray: Tensor) -> tuple[Tensor, Tensor]:
        """Predict with statistics of `gray` itself, or remember having done so.

        With features, empty if the generator shows none. The latest pictures are known
        by their pixels, so that no change of an array goes unnoticed, and several
        regions of a plane, or other hints, cost one prediction.
        """
        for known, prediction, features in self._remembered:
            if torch.equal(known, gray):
                return prediction, features
        if self.takes_hints:
            prediction, features = self.look(gray)
        else:
            prediction = self.predict(gray, self.measure(lambda: gray))
            features = prediction[:, :0]
        most = max(1, _REMEMBERED // gray.numel())
        latest = (gray, prediction, features)
        # a new tuple, for other threads may be looking through the former
        self._remembered = (*self._remembered, latest)[-most:]
        return prediction, features

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
        answer = generator.answer(source, *self._given(len(source)))
        likelihoods = answer.logits.float().softmax(1).cpu()
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
        if hints is not None:
            if not self.takes_hints:
                expected = f"left out, for '{self.checkpoint.metadata.name}' takes none"
                raise BadSetting("hints", len(hints), expected)
            hints.check(shape)
        return hints

    def _encoded(self, gray: Tensor) -> Tensor:
        """Return what the generator sees of gray in [0, 1], on the device."""
        source = self.codec.encode(gray.to(self.device))
        return source.contiguous(memory_format=torch.channels_last)

    def _told(self, palette: Palette | None) -> Tensor | None:
        """Return what the generator reads of a palette."""
        if palette is None:
            return None
        if not self.takes_palette:
            expected = f"left out, for '{self.checkpoint.metadata.name}' takes none"
            raise BadSetting("palette", palette.name, expected)
        return palette.tensor().to(self.device)

    def _given(self, count: int) -> tuple[Tensor, ...]:
        """Return what a generator is told beside its source."""
        return () if self._palette is None else (self._palette.expand(count, -1),)

    def _finished(self, prediction: Tensor) -> Tensor:
        """Return a finite prediction on the CPU, as vivid as it should be."""
        result: Tensor = prediction.float().cpu()
        if not result.sum().isfinite():  # one pass; values are within -1 and 1
            raise NoColors(self.checkpoint.metadata.name)
        if self.vividness is None:
            return result
        palette = self.settings.palette
        # a palette that fits tells how vivid its colours are
        doubted = 1.0 if palette is None else 1 - palette.strength
        return enliven(result, doubted * self.vividness)

    @torch.inference_mode()
    def measure(self, sample: Callable[[], Tensor]) -> Statistics | None:
        """Statistics of the gray windows that `sample` reads; None if not needed."""
        if self._meter is None:
            return None
        measured = self._meter.measure(self.codec.encode(sample().to(self.device)))
        return {name: value.cpu() for name, value in measured.items()}

    @torch.inference_mode()
    def decode(self, gray: Tensor, prediction: Tensor) -> Tensor:
        """RGB (N, H, W, 3) uint8 from gray in [0, 1] and a prediction as large."""
        rgb = self.codec.decode(gray, prediction)
        return (rgb * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def used(self) -> dict[str, Any]:
        """Return the model and the settings that were really used, for metadata."""
        names = ("context", "device", "tile", "working_size", "vividness")
        values = {name: getattr(self.settings, name) for name in names}
        if self.settings.palette is not None:
            values["palette"] = self.settings.palette.record()
        return {
            "model": self.checkpoint.metadata.name,
            "digest": self.checkpoint.digest,
        } | {name: value for name, value in values.items() if value is not None}
