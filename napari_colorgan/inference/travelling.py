"""A model that travels to other processes by its name and path; weights stay at home.

Each process opens it once, checks that it is the one that was meant, and keeps it.
"""

import contextlib
import multiprocessing
import platform
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import torch

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import BadSetting, CheckpointError, ColorganError
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.settings import ColorizerSettings

_MOST_KEPT = 2
_ASKED = ("vividness", "palette", "saturation", "warmth")  # change without loading

# What a process keeps from one task to the next has no other home: a task is a plain
# function, and a scheduler that knows nothing of models calls it in any thread.
_kept: OrderedDict[tuple[str, ColorizerSettings], Colorizer] = OrderedDict()
_lock = threading.Lock()
_computing = threading.Lock()


@dataclass(frozen=True, slots=True)
class TravellingModel:
    """How a process comes by a colorizer; small, picklable and comparable."""

    path: str
    """Of the checkpoint on the machine that sends it."""
    digest: str
    """Of the checkpoint, see `Checkpoint.digest`."""
    settings: ColorizerSettings
    """With the name of the model, or a path."""

    @classmethod
    def of(cls, settings: ColorizerSettings, colorizer: Colorizer) -> Self:
        """Let the model of a colorizer travel.

        Parameters
        ----------
        settings : what the user has said; devices and engines are chosen where it works

        Raises
        ------
        BadSetting
            The model is a checkpoint in memory, which has no path.
        """
        if isinstance(settings.model, Checkpoint):
            raise BadSetting(
                "model",
                "a checkpoint in memory",
                "a model's name or the path of a checkpoint here, for weights do not "
                "travel: save it first",
            )
        path = zoo.find(settings.model).path.absolute()
        settings = replace(
            settings,
            model=str(settings.model),
            context=colorizer.context,
            engine="torch" if settings.engine == "auto" else settings.engine,
            tile=colorizer.settings.tile,
            working_size=colorizer.settings.working_size,
        )
        return cls(str(path), colorizer.checkpoint.digest, settings)

    def colorizer(self) -> Colorizer:
        """Return the colorizer of this process, which is made by the first call.

        Raises
        ------
        CheckpointError
            This machine has no such model, or another one of its name.
        BadSetting
            This machine lacks the device or the engine.
        """
        neutral = ColorizerSettings()
        base = replace(
            self.settings, **{name: getattr(neutral, name) for name in _ASKED}
        )
        key = (self.digest, base)
        with _lock:  # others wait for the one that loads
            if key not in _kept:
                if _is_worker():
                    torch.set_num_threads(1)  # there is a process for every core
                _kept[key] = Colorizer(replace(base, model=self._checkpoint()))
                while len(_kept) > _MOST_KEPT:
                    _kept.popitem(last=False)
            _kept.move_to_end(key)
            colorizer = _kept[key]
        asked = {name: getattr(self.settings, name) for name in _ASKED}
        return colorizer.asked_for(**asked)

    def _checkpoint(self) -> Checkpoint:
        other = False
        for place in (Path(self.path), self.settings.model):
            try:
                checkpoint = zoo.open_model(place)
            except (ColorganError, OSError):
                continue
            if checkpoint.digest == self.digest:
                return checkpoint
            other = True
        name, here = self.settings.model, platform.node()
        what = "another model of this name" if other else "no such model"
        raise CheckpointError(
            f"'{name}' cannot be used on '{here}', which has {what}. Install the same "
            f"version of napari-colorgan there, or make '{self.path}' readable there."
        )


def computing() -> contextlib.AbstractContextManager[object]:
    """Let no two threads compute networks at once, for torch itself uses all cores.

    In a process that was started to work, torch has one thread, and nobody waits.
    """
    return contextlib.nullcontext() if _is_worker() else _computing


def _is_worker() -> bool:
    return multiprocessing.parent_process() is not None
