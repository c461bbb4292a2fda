"""Layers that are trained on as they were, while the user may change them."""

from collections.abc import Iterable

from napari.layers import Layer
from napari.utils.events import Event

from napari_colorgan.widgets.parts.notices import show_info


class WatchedLayers:
    """Says once of each layer that it is no longer what is trained on."""

    def __init__(self) -> None:
        self._layers: list[Layer] = []
        """Those that are still unchanged."""

    def watch(self, layers: Iterable[Layer]) -> None:
        """Watch these layers instead of others."""
        for layer in self._layers:
            layer.events.data.disconnect(self._on_changed)
        self._layers = list(layers)
        for layer in self._layers:
            layer.events.data.connect(self._on_changed)

    def removed(self, layer: Layer) -> None:
        """Hear that a layer, watched or not, has left the viewer."""
        self._tell(layer, "was removed")

    def _on_changed(self, event: Event) -> None:
        self._tell(event.source, "was changed")

    def _tell(self, layer: Layer, what: str) -> None:
        if layer in self._layers:
            self.watch([each for each in self._layers if each != layer])
            show_info(
                f"The layer '{layer.name}' {what}; training goes on with the copy that "
                "was made when the pair was added."
            )
