"""The button that saves a result of ours as a picture file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from magicgui.widgets import PushButton
from napari.layers import Image
from napari.utils.history import get_save_history, update_save_history
from qtpy.QtWidgets import QFileDialog

from napari_colorgan.image_io.writing import SUFFIXES
from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.colorize.saving import free_path, safe_name, save_job
from napari_colorgan.widgets.colorize.saving_stores import SUFFIX
from napari_colorgan.widgets.parts.layers import is_color
from napari_colorgan.widgets.parts.notices import show_info
from napari_colorgan.widgets.parts.worker import DockJobs, sentence, show_failure

_TYPES = {
    ".tif": "TIFF (*.tif *.tiff)",
    ".ome.tif": "OME-TIFF (*.ome.tif *.ome.tiff)",
    ".png": "PNG (*.png)",
    ".jpg": "JPEG (*.jpg *.jpeg)",
    ".zarr": "OME-Zarr (*.zarr)",
}


class SaveButton(PushButton):
    """Asks for a file and saves the active result, or else the topmost one.

    Parameters
    ----------
    say : shows in the dock what became of it
    """

    def __init__(self, viewer: Any, say: Callable[[str], object]) -> None:
        super().__init__(text="Save result...")
        self._viewer = viewer
        self._say = say
        self._jobs = DockJobs(lambda: self.offer(busy=not self._may))
        self._may = True
        self.changed.connect(self._on_click)

    def offer(self, *, busy: bool) -> None:
        """Enable it if there is a result and none is being made."""
        self._may = not busy
        self.enabled = self._may and not self._jobs.busy and self._result() is not None
        self.tooltip = (
            "Save a coloured layer with its pixel size and how it was made"
            if self.enabled
            else "There is no finished result to save"
        )

    def close_jobs(self) -> None:
        """Stop; from now on nothing may touch this widget."""
        self._jobs.close()

    def _result(self) -> Image | None:
        layers = [layer for layer in reversed(self._viewer.layers) if _is_result(layer)]
        active = self._viewer.layers.selection.active
        return active if active in layers else next(iter(layers), None)

    def _on_click(self) -> None:
        layer = self._result()
        if layer is None or self._jobs.busy:
            return
        path = self._ask(layer)
        if path is None:
            return
        data, attributes, _ = layer.as_layer_data_tuple()
        job = save_job(path, data, attributes, self._read())
        self._say(f"Saving '{layer.name}'...")
        self._jobs.run(
            job,
            self._on_saved,
            title=f"Saving '{layer.name}'",
            kept=f"'{path}' was not saved.",
            on_error=self._on_error,
        )

    def _read(self) -> list[Any]:
        """Arrays of all layers, and files of gray ones, in memory or not."""
        read: list[Any] = []
        for layer in self._viewer.layers:
            if isinstance(layer, Image):
                read += list(layer.data) if layer.multiscale else [layer.data]
                if layer.source.path and not layer.rgb:
                    read.append(Path(layer.source.path).absolute())
        return read

    def _ask(self, layer: Image) -> Path | None:
        """Ask where to save; None if the user does not want to."""
        plain = layer.ndim == 2 and str(layer.units[-1]) == "pixel"
        suffix = ".png" if plain else ".tif"
        suggested = Path(get_save_history()[0]) / f"{safe_name(layer.name)}{suffix}"
        name, kind = QFileDialog.getSaveFileName(
            self.native,
            f"Save '{layer.name}'",
            str(suggested),
            ";;".join(_TYPES.values()),
            _TYPES[suffix],
        )
        if not name:
            return None
        path = Path(name)
        if path.suffix.lower() in (*SUFFIXES, SUFFIX):
            return path
        # what Qt asked about before it replaces a file was the name without this
        end = next((end for end, title in _TYPES.items() if title == kind), suffix)
        return free_path(path, end)

    def _on_saved(self, written: list[str]) -> None:
        for path in written:
            update_save_history(path)
            show_info(f"Saved as '{path}'.")
            self._say(f"Saved as '{path}'.")

    def _on_error(self, error: BaseException) -> None:
        self._say(sentence(error))
        show_failure(error)


def _is_result(layer: Any) -> bool:
    """Whether a layer has colours that a run made, and is no preview of a training."""
    record = layer.metadata.get(LAYER_KEY)
    preview = isinstance(record, dict) and "preview" in record
    return is_color(layer) and record is not None and not preview
