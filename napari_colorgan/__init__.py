"""Colour gray images with pix2pix generators: in napari, Python and a terminal.

Names are imported when they are first used: importing the package costs nearly nothing.
Whoever wants progress, or to stop early, finds jobs and events in `jobs`.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

try:
    __version__ = version("napari-colorgan")
except PackageNotFoundError:  # a bare source tree
    __version__ = "0+unknown"

if TYPE_CHECKING:
    from napari_colorgan.checkpoints.formats import export_model as export_model
    from napari_colorgan.checkpoints.store import Checkpoint as Checkpoint
    from napari_colorgan.checkpoints.zoo import list_models as list_models
    from napari_colorgan.checkpoints.zoo import open_model as open_model
    from napari_colorgan.errors import ColorganError as ColorganError
    from napari_colorgan.inference.colorize import colorize as colorize
    from napari_colorgan.inference.colorize import colorize_region as colorize_region
    from napari_colorgan.inference.colorizer import Colorizer as Colorizer
    from napari_colorgan.inference.files import colorize_file as colorize_file
    from napari_colorgan.inference.hints import Hints as Hints
    from napari_colorgan.inference.install import import_model as import_model
    from napari_colorgan.inference.lazy import colorize_lazy as colorize_lazy
    from napari_colorgan.inference.palettes import Palette as Palette
    from napari_colorgan.inference.settings import (
        ColorizerSettings as ColorizerSettings,
    )
    from napari_colorgan.inference.source import Source as Source
    from napari_colorgan.inference.suggestions import suggest as suggest
    from napari_colorgan.training.evaluate import evaluate as evaluate
    from napari_colorgan.training.fine_tune import fine_tune as fine_tune
    from napari_colorgan.training.pairs import pairs_of as pairs_of

_HOMES = {
    "Checkpoint": "checkpoints.store",
    "ColorganError": "errors",
    "Colorizer": "inference.colorizer",
    "ColorizerSettings": "inference.settings",
    "Hints": "inference.hints",
    "Palette": "inference.palettes",
    "Source": "inference.source",
    "colorize": "inference.colorize",
    "colorize_file": "inference.files",
    "colorize_lazy": "inference.lazy",
    "colorize_region": "inference.colorize",
    "evaluate": "training.evaluate",
    "export_model": "checkpoints.formats",
    "fine_tune": "training.fine_tune",
    "import_model": "inference.install",
    "list_models": "checkpoints.zoo",
    "open_model": "checkpoints.zoo",
    "pairs_of": "training.pairs",
    "suggest": "inference.suggestions",
}
_FORMER = {  # names of earlier versions, for scripts that use them
    "Control": "job",
    "FineTuneConfig": "training.settings",
    "Metadata": "checkpoints.metadata",
    "colorize_job": "inference.colorize",
    "colorizer_job": "inference.colorize",
    "find": "checkpoints.zoo",
    "fine_tune_job": "training.fine_tune",
    "finish": "job",
    "load": "checkpoints.store",
    "save": "checkpoints.store",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    home = (_HOMES | _FORMER).get(name)
    if home is None:
        raise AttributeError(f"module 'napari_colorgan' has no attribute '{name}'")
    return getattr(import_module(f"napari_colorgan.{home}"), name)


def __dir__() -> list[str]:
    return __all__
