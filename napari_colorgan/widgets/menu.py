"""What the entries in napari's Layers menu do."""

from typing import Any

from napari.viewer import Viewer


def show_colorize(viewer: Viewer) -> None:
    """Open the Colorize dock, or bring it to the front, for the active layer."""
    show_dock(viewer, "Colorize").choose_active()


def show_fine_tune(viewer: Viewer) -> None:
    """Open the Fine-tune dock, or bring it to the front, for the active layer."""
    show_dock(viewer, "Fine-tune").choose_active()


def show_models(viewer: Viewer) -> None:
    """Open the Model manager dock, or bring it to the front."""
    show_dock(viewer, "Model manager")


def show_dock(viewer: Viewer, name: str) -> Any:
    """Open a dock of ours, or bring it to the front; returns its widget."""
    dock, widget = viewer.window.add_plugin_dock_widget(
        "napari-colorgan", name, tabify=True
    )
    dock.show()
    dock.raise_()
    return widget
