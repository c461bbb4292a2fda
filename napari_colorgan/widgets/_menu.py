"""What the entries in napari's Layers menu do."""

from napari.viewer import Viewer


def show_colorize(viewer: Viewer) -> None:
    """Open the Colorize dock, or bring it to the front."""
    dock, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    dock.show()
    dock.raise_()
    widget.choose_active()
