"""Before and after with one key."""

import contextlib
from typing import Any

from napari.utils.key_bindings import coerce_keybinding

from napari_colorgan.widgets.colorize.results import LAYER_KEY, Results

KEY = "K"


class Comparison:
    """While the viewer has the focus, the key hides all results, or shows them."""

    def __init__(self, viewer: Any, results: Results) -> None:
        self._viewer = viewer
        self._results = results
        with contextlib.suppress(ValueError):  # the user has bound it
            viewer.bind_key(KEY, self._on_key, overwrite=False)

    def close(self) -> None:
        """Leave the key to others."""
        if self._viewer.keymap.get(coerce_keybinding(KEY)) == self._on_key:
            self._viewer.bind_key(KEY, None)

    def _on_key(self, _: Any) -> None:
        made = [each for each in self._viewer.layers if LAYER_KEY in each.metadata]
        shown = any(layer.visible for layer in made)
        for layer in made:
            layer.visible = not shown
