"""The dock widgets; the only folder that imports napari or Qt."""

from napari_colorgan.widgets.colorize import ColorizeWidget

__all__ = ["ColorizeWidget"]
