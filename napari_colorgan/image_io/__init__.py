"""Picture files to arrays and back, with the axes and pixel sizes that files know."""

from napari_colorgan.image_io.image_file import ImageFile
from napari_colorgan.image_io.pixel_size import PixelSize
from napari_colorgan.image_io.reading import read_image
from napari_colorgan.image_io.tags import Tags
from napari_colorgan.image_io.writing import ResultFile, check_output, named_like

__all__ = [
    "ImageFile",
    "PixelSize",
    "ResultFile",
    "Tags",
    "check_output",
    "named_like",
    "read_image",
]
