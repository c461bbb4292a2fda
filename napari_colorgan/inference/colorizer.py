"""A generator and its codec on a device, ready to colour planes."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from napari_colorgan.checkpoints.metadata import Context, Metadata
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import CODECS, Codec, enliven
from napari_colorgan.errors import BadSetting, CheckpointError, NoColors
from napari_colorgan.inference.source import Plane, Source
from napari_colorgan.inference.statistics import Statistics, StatisticsMeter
from napari_colorgan.inference.tiling import Tiling
from napari_colorgan.inference.views import LocalView, View, WholeView
from napari_colorgan.models import channels_last

_WINDOWS_AT_ONCE = {"cpu": 1, "cuda": 4, "mps": 2}


class Colorizer:
    """What a checkpoint needs to colour planes; safe to use from several threads.

    Parameters
    ----------
    checkpoint : weights and metadata
    device : where the generator runs
    context : `whole` or `local`; default what the checkpoint was trained for
    tile : side of a `local` window in px, halo included; default 1024. Networks of
        strides above 128 px read larger ones, or most of each would be halo
    working_size : shorter side in px for `whole`; default the checkpoint's
    vividness : 0 (cautious: pale where in doubt) to 1 (vivid), for generators that
        predict chroma; default the checkpoint's

    Raises
    ------
    CheckpointError, BadSetting, TileTooSmall
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        device: torch.device,
        *,
        context: Context | None = None,
        tile: int | None = None,
        working_size: int | None = None,
        vividness: float | None = None,
    ) -> None:
        metadata = checkpoint.metadata
        if context not in (None, "whole", "local"):
            raise BadSetting("context", context, "'whole' or 'local'")
        self.checkpoint = checkpoint
        self.device = device
        self.context: Context = context or metadata.context
        self.working_size = working_size or metadata.working_size
        self.codec: Codec = CODECS[metadata.codec]()
        generator = checkpoint.generator()
        channels = (generator.in_channels, generator.out_channels)
        if channels[0] not in (1, 3) or channels[1] != self.codec.out_channels:
            raise CheckpointError(
                f"This checkpoint's generator reads {channels[0]} channels and writes "
                f"{channels[1]} channels; the codec '{metadata.codec}' needs 1 or 3 "
                f"and {self.codec.out_channels}. Export the checkpoint again."
            )
        self.vividness = _vividness(vividness, metadata, generator.predicts_chroma)
        self.stride = generator.stride
        self._generator = channels_last(generator, device)
        self._lock = threading.Lock()
        self._meter = (
            StatisticsMeter(self._generator)
            if metadata.statistics == "picture"
            else None
        )
        self.tiling = Tiling(halo=generator.halo)
        if tile is not None:
            self.tiling = replace(self.tiling, window=tile)
        self.windows_at_once = _WINDOWS_AT_ONCE.get(device.type, 1)

    def view(self, plane: Plane) -> View:
        """Prepare a plane: what all of it decides is computed once, when needed."""
        return (
            WholeView(self, plane)
            if self.context == "whole"
            else LocalView(self, plane)
        )

    @torch.inference_mode()
    def predict(self, gray: Tensor, statistics: Statistics | None) -> Tensor:
        """Prediction (N, 2 or 3, H, W) in [-1, 1], on the CPU, for gray in [0, 1].

        Sides are multiples of `stride`; `statistics` come from `measure`.

        Raises
        ------
        NoColors
            It is not finite, which is the model's fault: gray always is.
        """
        source = self.codec.encode(gray.to(self.device))
        source = source.contiguous(memory_format=torch.channels_last)
        if statistics is None:
            prediction = self._generator(source)
        else:
            with self._lock:  # the call puts statistics into the one shared network
                prediction = torch.func.functional_call(
                    self._generator, statistics, source
                )
        result: Tensor = prediction.float().cpu()
        if not result.sum().isfinite():  # one pass; values are within -1 and 1
            raise NoColors(self.checkpoint.metadata.name)
        return result if self.vividness is None else enliven(result, self.vividness)

    @torch.inference_mode()
    def measure(self, sample: Callable[[], Tensor]) -> Statistics | None:
        """Statistics of the gray windows that `sample` reads; None if not needed."""
        if self._meter is None:
            return None
        return self._meter.measure(self.codec.encode(sample().to(self.device)))

    @torch.inference_mode()
    def decode(self, gray: Tensor, prediction: Tensor) -> Tensor:
        """RGB (N, H, W, 3) uint8 from gray in [0, 1] and a prediction as large."""
        rgb = self.codec.decode(gray, prediction)
        return (rgb * 255).round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def shrink(self) -> bool:
        """Ask for less memory at once; False if it cannot be less."""
        if self.windows_at_once > 1:
            self.windows_at_once = 1
            return True
        smaller = self.tiling.shrunk()
        if smaller is None or self.context == "whole":
            return False
        self.tiling = smaller
        return True

    def settings(self) -> dict[str, Any]:
        """Return what was used to colour, for metadata of results."""
        local = {"tile": self.tiling.window}
        whole = {"working_size": self.working_size}
        vivid = {} if self.vividness is None else {"vividness": self.vividness}
        return (
            {
                "model": self.checkpoint.metadata.name,
                "digest": self.checkpoint.digest,
                "context": self.context,
                "device": str(self.device),
            }
            | (whole if self.context == "whole" else local)
            | vivid
        )

    def record(self, source: Source, name: str, *, complete: bool) -> dict[str, Any]:
        """Return how a result was made, for its file.

        Parameters
        ----------
        name : of what was coloured
        complete : whether all of it was
        """
        used = "lightness" if source.channels == "color" else "gray values"
        return self.settings() | {
            "source": name,
            "used": used,
            "limits": [source.limits.low, source.limits.high],
            "gamma": source.limits.gamma,
            "inverted": source.limits.inverted,
            "complete": complete,
        }


def _vividness(
    value: float | None, metadata: Metadata, predicts_chroma: bool
) -> float | None:
    if not predicts_chroma:
        if value is None:
            return None
        raise BadSetting(
            "vividness",
            value,
            f"left out, for '{metadata.name}' does not tell how sure its colours are",
        )
    chosen = metadata.vividness if value is None else value
    if chosen is None:
        return 0.0
    if not 0 <= chosen <= 1:
        raise BadSetting("vividness", chosen, "from 0 (cautious) to 1 (vivid)")
    return float(chosen)
