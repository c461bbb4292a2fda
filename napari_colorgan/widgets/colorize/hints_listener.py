"""Hears what becomes of a layer of hints, keeps its table, and takes changes back."""

from collections.abc import Callable
from typing import Any

from napari.layers import Image, Layer, Points
from qtpy.QtCore import QObject, Signal

from napari_colorgan.widgets.colorize.hints_history import History
from napari_colorgan.widgets.colorize.hints_layer import selected_in
from napari_colorgan.widgets.colorize.hints_planes import HintsPlanes, follow_slider
from napari_colorgan.widgets.colorize.hints_table import adopt, describe

_PENDING = ("adding", "removing", "changing")
# names of napari's events
_PLACED = ("scale", "translate", "rotate", "affine")
_OF_POINTS = (
    "data",
    "face_color",
    "current_face_color",
    "size",
    "current_size",
    "features",
)


class HintsListener(QObject):
    """Of one layer at a time; Ctrl-Z in it takes back what was done last.

    Parameters
    ----------
    planes : says for which planes new points hold
    """

    changed = Signal(object)
    """The place where something changed: None, or a point along all dimensions."""

    def __init__(self, viewer: Any, planes: HintsPlanes) -> None:
        super().__init__()
        self._viewer = viewer
        self._planes = planes
        self.layer: Layer | None = None
        self._history: History | None = None
        planes.choice.changed.connect(self._on_planes)
        planes.around.changed.connect(self._on_planes)

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to take back."""
        return self._history is not None and self._history.can_undo

    def listen(self, layer: Layer | None, image: Image | None) -> None:
        """Hear the changes of a layer, and no longer those of the one before.

        Parameters
        ----------
        image : that it tells of
        """
        for emitter, slot in self._heard():
            emitter.disconnect(slot)
        self.layer, self._history = layer, None
        if isinstance(layer, Points):
            adopt(layer, image)
            self._history = History(layer)
            layer.bind_key("Control-Z", self.undo, overwrite=True)
            layer.bind_key("Control-Shift-Z", self.redo, overwrite=True)
        for emitter, slot in self._heard():
            emitter.connect(slot)

    def undo(self, *_: object) -> None:
        """Take back what was done last."""
        if self._history is not None:
            self._history.undo()
            self.changed.emit(None)

    def redo(self, *_: object) -> None:
        """Do again what was taken back last."""
        if self._history is not None:
            self._history.redo()
            self.changed.emit(None)

    def _heard(self) -> list[tuple[Any, Callable[..., None]]]:
        """Events of the layer, and what they lead to."""
        if self.layer is None:
            return []
        events = self.layer.events
        slots: dict[str, Callable[..., None]]
        slots = dict.fromkeys(_PLACED, self._on_region)
        if not isinstance(self.layer, Points):
            slots |= dict.fromkeys(("data", "set_data"), self._on_region)
            return [(getattr(events, name), slot) for name, slot in slots.items()]
        slots |= dict.fromkeys(_OF_POINTS, self._on_points)
        heard = [(getattr(events, name), slot) for name, slot in slots.items()]
        return [*heard, (self._viewer.dims.events.current_step, self._on_step)]

    def _on_region(self, *_: object) -> None:
        self.changed.emit(None)

    def _on_points(self, event: Any = None) -> None:
        """Note a change of the points, and tell of it."""
        layer, history = self.layer, self._history
        action = str(getattr(event, "action", ""))
        if not isinstance(layer, Points) or history is None:
            return
        if history.deaf or action in _PENDING:
            return
        with history.unheard():
            if described := describe(layer):
                self._planes.tell(layer, described, new=True)
        if history.note():
            # what is added is selected only later
            latest = [len(layer.data) - 1] if action == "added" else selected_in(layer)
            at = tuple(map(float, layer.data[latest[-1]])) if latest else None
            self.changed.emit(at)

    def _on_planes(self) -> None:
        """Let the hints that are selected hold for the planes that are chosen."""
        layer = self.layer
        if isinstance(layer, Points) and self._history is not None:
            if selected := selected_in(layer):
                with self._history.unheard():
                    self._planes.tell(layer, selected, new=False)
                self._on_points()
                self._on_step()

    def _on_step(self, *_: object) -> None:
        """Show hints that hold for several planes on each of these."""
        layer, history = self.layer, self._history
        if isinstance(layer, Points) and history is not None:
            with history.unheard():
                moved = follow_slider(layer, self._viewer.dims.point)
            if moved:
                history.forget_moves()
