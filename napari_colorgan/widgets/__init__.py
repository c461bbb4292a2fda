"""The dock widgets; the only folder that imports napari or Qt."""

from napari_colorgan.widgets.colorize import ColorizeWidget
from napari_colorgan.widgets.fine_tune import FineTuneWidget

__all__ = ["ColorizeWidget", "FineTuneWidget"]
