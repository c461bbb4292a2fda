"""The dock widgets; the only folder that imports napari or Qt."""

from napari_colorgan.widgets.colorize import ColorizeWidget
from napari_colorgan.widgets.fine_tune import FineTuneWidget
from napari_colorgan.widgets.model_manager import ModelManagerWidget

__all__ = ["ColorizeWidget", "FineTuneWidget", "ModelManagerWidget"]
