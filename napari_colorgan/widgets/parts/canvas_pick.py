"""One click into the canvas that means something else than usual."""

from collections.abc import Callable, Generator
from typing import Any

from napari.layers import Points
from qtpy.QtWidgets import QPushButton

from napari_colorgan.widgets.parts.notices import plain

_CLICK = "Click there..."


class PickButton(QPushButton):
    """While it is down, the next click into the canvas is told to a slot.

    Parameters
    ----------
    on_pick : gets the world's coordinates of the click
    """

    def __init__(
        self, viewer: Any, text: str, tooltip: str, on_pick: Callable[[Any], object]
    ) -> None:
        super().__init__(text)
        self._text = text
        self._viewer = viewer
        self._on_pick = on_pick
        self._paused: tuple[Points, str] | None = None
        self.setCheckable(True)
        self.setToolTip(plain(tooltip))
        self.toggled.connect(self._on_toggled)

    def cancel(self) -> None:
        """Wait for no click any more."""
        self.setChecked(False)

    def _on_toggled(self, down: bool) -> None:
        callbacks = self._viewer.mouse_drag_callbacks
        self.setText(_CLICK if down else self._text)
        if down:
            callbacks.append(self._on_click)
            active = self._viewer.layers.selection.active
            if isinstance(active, Points) and str(active.mode) != "pan_zoom":
                self._paused = active, str(active.mode)
                active.mode = "pan_zoom"  # or the click would add a point
            return
        if self._on_click in callbacks:
            callbacks.remove(self._on_click)
        if self._paused is not None:
            layer, mode = self._paused
            self._paused = None
            if layer in self._viewer.layers:
                layer.mode = mode

    def _on_click(self, _: Any, event: Any) -> Generator[None, None, None]:
        position = event.position
        moved = False
        yield
        while event.type == "mouse_move":
            moved = True
            yield
        if not moved:  # the view was dragged
            self.setChecked(False)
            self._on_pick(position)
