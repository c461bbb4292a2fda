"""`python -m napari_colorgan` is `colorgan`."""

from napari_colorgan.cli import main

main()
