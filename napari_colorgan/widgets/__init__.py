"""The dock widgets; the only folder that imports napari or Qt."""

from napari_colorgan.widgets.colorize.dock import ColorizeWidget
from napari_colorgan.widgets.fine_tune.dock import FineTuneWidget
from napari_colorgan.widgets.models.dock import ModelManagerWidget

__all__ = ["ColorizeWidget", "FineTuneWidget", "ModelManagerWidget"]
