"""Colour gray images with pix2pix generators: in napari, Python and a terminal.

Names are imported when they are first used: importing the package costs nearly nothing.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

try:
    __version__ = version("napari-colorgan")
except PackageNotFoundError:  # a bare source tree
    __version__ = "0+unknown"

if TYPE_CHECKING:
    from napari_colorgan.checkpoints.metadata import Metadata
    from napari_colorgan.checkpoints.store import Checkpoint, load, save
    from napari_colorgan.checkpoints.zoo import find, list_models, open_model
    from napari_colorgan.errors import ColorganError
    from napari_colorgan.inference.colorize import (
        colorize,
        colorize_job,
        colorize_region,
        colorizer_job,
    )
    from napari_colorgan.inference.source import Source
    from napari_colorgan.job import Control, finish
    from napari_colorgan.training.fine_tune import fine_tune, fine_tune_job
    from napari_colorgan.training.pairs import pairs_of
    from napari_colorgan.training.settings import FineTuneConfig

_HOMES = {
    "Checkpoint": "checkpoints.store",
    "ColorganError": "errors",
    "Control": "job",
    "FineTuneConfig": "training.settings",
    "Metadata": "checkpoints.metadata",
    "Source": "inference.source",
    "colorize": "inference.colorize",
    "colorize_job": "inference.colorize",
    "colorize_region": "inference.colorize",
    "colorizer_job": "inference.colorize",
    "find": "checkpoints.zoo",
    "fine_tune": "training.fine_tune",
    "fine_tune_job": "training.fine_tune",
    "finish": "job",
    "list_models": "checkpoints.zoo",
    "load": "checkpoints.store",
    "open_model": "checkpoints.zoo",
    "pairs_of": "training.pairs",
    "save": "checkpoints.store",
}

__all__ = [
    "Checkpoint",
    "ColorganError",
    "Control",
    "FineTuneConfig",
    "Metadata",
    "Source",
    "__version__",
    "colorize",
    "colorize_job",
    "colorize_region",
    "colorizer_job",
    "find",
    "fine_tune",
    "fine_tune_job",
    "finish",
    "list_models",
    "load",
    "open_model",
    "pairs_of",
    "save",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'napari_colorgan' has no attribute '{name}'")
    return getattr(import_module(f"napari_colorgan.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
