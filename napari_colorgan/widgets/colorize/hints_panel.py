"""Colours at places: a layer of hints, and colours to choose from."""

from collections.abc import Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, Container, Label, SpinBox
from napari.layers import Image, Layer, Points
from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QColor, QIcon, QImage, QPixmap
from qtpy.QtWidgets import (
    QColorDialog,
    QHBoxLayout,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_colorgan.inference.axes import indices
from napari_colorgan.inference.hints import ENDS, Hints
from napari_colorgan.widgets.colorize.hints_history import History
from napari_colorgan.widgets.colorize.hints_layer import (
    Told,
    add_points,
    adopt,
    hint_layers,
    paint_with,
    told_by,
)
from napari_colorgan.widgets.parts.canvas_pick import PickButton
from napari_colorgan.widgets.parts.layers import is_color
from napari_colorgan.widgets.parts.layout import say, shorten, wrap
from napari_colorgan.widgets.parts.swatches import Color, Swatch, SwatchRow
from napari_colorgan.widgets.parts.world import PlaneAxes

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.alternatives import Alternative
    from napari_colorgan.inference.suggestions import Suggestion

_NONE = "none"
_FIRST: Color = (192, 64, 32)
_OWN, _AROUND, _ALL = "their plane", "planes around", "all planes"
_PART = 40  # of the shorter side of an image: size of a new hint
_RECENT = 6
_THUMBNAIL = 72  # px
_PENDING = ("adding", "removing", "changing")


class HintsPanel(QWidget):
    """One layer of hints at a time; Ctrl-Z in it takes back what was done last."""

    changed = Signal(object)
    """The place where something changed, in px of the layer's image: None, or a point
    along all of its dimensions."""
    alternatives_asked = Signal()

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self._viewer = viewer
        self._image: Image | None = None
        self._axes: PlaneAxes | None = None
        self._followed: Layer | None = None
        self._history: History | None = None
        self._recent: list[Color] = []
        self._at: Sequence[float] | None = None
        """Where a suggested colour would go, in px of the image."""
        self.layer = ComboBox(
            label="Hints",
            choices=self._choices,
            tooltip="Points, labels or shapes whose colours are those of the places "
            "where they are",
        )
        shorten(self.layer)
        self.add = QPushButton("&Add hints")
        self.add.setToolTip(
            "Then click on the picture: the place, and what is like it, gets the colour"
        )
        self.color = Swatch("Colour of the next hint")
        self.color.show_color(_FIRST)
        self.pick = PickButton(
            viewer,
            "Pick...",
            "Take a colour from an RGB layer: click on it",
            self._on_pick,
        )
        self.undo = QPushButton("Undo")
        self.undo.setToolTip("Take back the last change of the hints (Ctrl-Z)")
        self.suggestions = SwatchRow("Likely here", 5, self.use_color)
        self.recent = SwatchRow("Recent", _RECENT, self.use_color)
        self.planes = ComboBox(label="Hold for", choices=(_OWN, _AROUND, _ALL))
        self.around = SpinBox(label="Planes", value=2, min=1, max=10_000)
        self.ask = QPushButton("Show a&lternatives")
        self.ask.setToolTip("Other colours that the model finds likely, as pictures")
        self.missing = wrap(Label(value="", visible=False))
        self.note = wrap(Label(value="", visible=False))
        self._thumbnails = QWidget()
        self._lay_out()
        self._connect()

    # -- what is said

    def told(self, index: tuple[int, ...]) -> Told:
        """Return what is told of the image; labels and shapes tell of one plane.

        Raises
        ------
        BadSetting
        """
        layer = self._chosen()
        if layer is None or self._image is None or self._axes is None:
            return Told(None)
        told = told_by(layer, self._image, self._axes, index)
        say(self.note, told.note)
        return told

    def told_everywhere(self, leading: tuple[int, ...]) -> Hints | None:
        """Return what is told of all planes of the image.

        Parameters
        ----------
        leading : how many there are along each axis before Y and X

        Raises
        ------
        BadSetting
        """
        if isinstance(self._chosen(), Points | None):
            return self.told((0,) * len(leading)).hints
        parts = (self.told(index).hints for index in indices(leading))
        told = [hints for hints in parts if hints is not None]
        return reduce(Hints.and_also, told) if told else None

    def follow(self, image: Image | None, axes: PlaneAxes | None) -> None:
        """Hear which image is told of."""
        self._image, self._axes = image, axes
        stack = image is not None and image.ndim > 2
        self._more.visible = stack
        self.around.visible = self.planes.value == _AROUND

    def offer(self, missing: str) -> None:
        """Enable it, or say why it is of no use."""
        for part in self._parts:
            part.setEnabled(not missing)
        self._offer_undo()
        say(self.missing, missing)

    def reset_choices(self) -> None:
        """Look for layers anew; what is chosen stays, under another name, too."""
        with self.layer.changed.blocked():
            self.layer.reset_choices()
            known = self._followed
            self.layer.value = (
                known.name
                if known is not None and known in self._viewer.layers
                else _NONE
            )
        if known is not None and self.layer.value == _NONE:
            self._on_layer()

    def use_color(self, color: Color) -> None:
        """Give a colour to the hints that are selected, and to those to come.

        One that was suggested for a place without a hint becomes one.
        """
        self._remember(color)
        layer = self._chosen()
        if isinstance(layer, Points):
            paint_with(layer, color)
            if self._at is not None and not layer.selected_data:
                self.add_hint(self._at, color)

    def add_hint(
        self, point: Sequence[float], color: Color, radius: float | None = None
    ) -> None:
        """Add a hint at a point of the image, in a layer that is made if need be."""
        layer = self._points()
        if layer is None:
            return
        self._remember(color)
        layer.selected_data = set()
        paint_with(layer, color, None if radius is None else max(2 * radius, 1.0))
        layer.add(np.asarray(point, float))

    def show_suggestions(
        self, suggestions: "Sequence[Suggestion]", place: Sequence[float] | None
    ) -> None:
        """Show the likeliest colours of a place."""
        self._at = place
        self.suggestions.show_colors(
            [(each.rgb, None, f"{each.likelihood:.0%}") for each in suggestions]
        )

    def show_alternatives(self, found: "Sequence[Alternative]", in_image: Any) -> None:
        """Show other colourings; a click takes one.

        Parameters
        ----------
        in_image : makes a point of the image of a place in its displayed plane
        """
        for button in self._thumbnails.findChildren(QToolButton):
            button.deleteLater()
        for number, each in enumerate(found, 1):
            button = QToolButton()
            button.setIcon(_icon(each.rgb))
            button.setIconSize(QSize(_THUMBNAIL, _THUMBNAIL))
            name = f"Alternative {number}, {each.suggestion.likelihood:.0%}"
            button.setAccessibleName(name)
            button.setToolTip(name)
            point = in_image(each.place)
            button.clicked.connect(
                lambda _=False, it=each, at=point: self.add_hint(
                    at, it.suggestion.rgb, it.radius
                )
            )
            self._thumbnails.layout().addWidget(button)
        self._thumbnails.setVisible(bool(found))

    def close_jobs(self) -> None:
        """Hear no layer any more."""
        self.pick.cancel()
        self._listen(None)

    # -- slots

    def _on_add(self) -> None:
        layer = self._points()
        if layer is not None:
            self._viewer.layers.selection.active = layer
            layer.mode = "add"

    def _on_layer(self) -> None:
        self._listen(self._chosen())
        self.changed.emit(None)

    def _on_points(self, event: Any = None) -> None:
        """Note a change of the points, and tell of it."""
        layer, history = self._followed, self._history
        if not isinstance(layer, Points) or history is None or history.restoring:
            return
        if str(getattr(event, "action", "")) in _PENDING:
            return
        history.restoring = True
        try:
            self._describe(layer)
        finally:
            history.restoring = False
        if history.note():
            self._offer_undo()
            # what is added is selected only later
            added = str(getattr(event, "action", "")) == "added"
            latest = [len(layer.data) - 1] if added else sorted(layer.selected_data)
            at = layer.data[latest[-1]] if latest else None
            self.changed.emit(None if at is None else tuple(map(float, at)))

    def _on_region(self, *_: object) -> None:
        self.changed.emit(None)

    def _on_undo(self, *_: object) -> None:
        self._go(History.undo)

    def _on_redo(self, *_: object) -> None:
        self._go(History.redo)

    def _on_color(self) -> None:
        color = QColorDialog.getColor(
            QColor(*self.color.color), self, "Colour of hints"
        )
        if color.isValid():
            self.use_color((color.red(), color.green(), color.blue()))

    def _on_pick(self, position: Any) -> None:
        for layer in reversed(self._viewer.layers):
            if not (is_color(layer) and layer.visible):
                continue
            value = layer.get_value(position, world=True)
            value = value[1] if isinstance(value, tuple) else value
            if value is not None:
                levels = np.asarray(value)[:3]
                if levels.dtype != np.uint8:
                    top = (
                        1.0 if levels.dtype.kind == "f" else np.iinfo(levels.dtype).max
                    )
                    levels = np.clip(levels / top * 255, 0, 255).astype(np.uint8)
                red, green, blue = levels.tolist()
                self.use_color((red, green, blue))
                return
        say(self.note, "There is no RGB layer where you clicked.")

    def _on_planes(self) -> None:
        self.around.visible = self.planes.value == _AROUND
        layer = self._followed
        if isinstance(layer, Points) and self._history is not None:
            selected = sorted(layer.selected_data)
            if selected:
                self._set_planes(layer, selected)
                self._on_points()
                self._on_step()

    def _on_step(self, *_: object) -> None:
        """Show hints that hold for several planes on each of these."""
        layer, history = self._followed, self._history
        names = [] if layer is None else list(layer.features)
        if (
            history is None
            or not isinstance(layer, Points)
            or f"{ENDS[0]}-0" not in names
        ):
            return
        step = np.asarray(layer.world_to_data(self._viewer.dims.point[-layer.ndim :]))
        data = np.array(layer.data, float)
        for axis in range(layer.ndim - 2):
            first, last = (layer.features[f"{e}-{axis}"].to_numpy(float) for e in ENDS)
            wide = first < last
            data[wide, axis] = np.clip(round(float(step[axis])), first, last)[wide]
        if not np.array_equal(data, layer.data):
            history.restoring, selected = True, set(layer.selected_data)
            try:
                layer.data = data
                layer.selected_data = selected
            finally:
                history.restoring = False
            history.forget_moves()

    # -- the layer

    def _choices(self, _: Any) -> list[str]:
        return [_NONE, *(layer.name for layer in hint_layers(self._viewer.layers))]

    def _chosen(self) -> Layer | None:
        name = str(self.layer.value)
        layers = hint_layers(self._viewer.layers)
        return next((layer for layer in layers if layer.name == name), None)

    def _points(self) -> Points | None:
        """Return the layer of points, made if there is none."""
        layer = self._chosen()
        if isinstance(layer, Points):
            return layer
        image = self._image
        if image is None:
            return None
        sides = sorted(image.extent.data[1] - image.extent.data[0] + 1)[-2:]
        size = max(2.0, float(min(sides)) / _PART)
        layer = add_points(self._viewer, image, self.color.color, size)
        with self.layer.changed.blocked():
            self.layer.reset_choices()
            self.layer.value = layer.name
        self._listen(layer)
        return layer

    def _listen(self, layer: Layer | None) -> None:
        """Hear the changes of a layer, and no longer those of the one before."""
        for emitter, slot in self._heard(self._followed):
            emitter.disconnect(slot)
        self._followed, self._history = layer, None
        if isinstance(layer, Points):
            adopt(layer, self._image)
            self._history = History(layer)
            layer.bind_key("Control-Z", self._on_undo, overwrite=True)
            layer.bind_key("Control-Shift-Z", self._on_redo, overwrite=True)
        for emitter, slot in self._heard(layer):
            emitter.connect(slot)
        self._offer_undo()

    def _heard(self, layer: Layer | None) -> list[tuple[Any, Any]]:
        if layer is None:
            return []
        events = layer.events
        placed = (events.scale, events.translate, events.rotate, events.affine)
        heard = [(each, self._on_region) for each in placed]
        if not isinstance(layer, Points):
            return [
                *heard,
                (events.data, self._on_region),
                (events.set_data, self._on_region),
            ]
        changes = (
            events.data,
            events.face_color,
            events.current_face_color,
            events.size,
            events.current_size,
            events.features,
        )
        steps = self._viewer.dims.events.current_step
        return [
            *heard,
            *((each, self._on_points) for each in changes),
            (steps, self._on_step),
        ]

    def _describe(self, layer: Points) -> None:
        """Keep the table of features, which napari saves, and the colour shown."""
        table = layer.features
        count = len(layer.data)
        if not count:
            return
        known = (
            table["color"].notna().to_numpy() if "color" in table else np.zeros(count)
        )
        rgb = np.rint(np.asarray(layer.face_color)[:, :3] * 255).astype(np.uint8)
        sizes = np.broadcast_to(np.asarray(layer.size, float), count)
        described: dict[str, Any] = {
            "color": ["#" + bytes(color).hex() for color in rgb],
            "radius": np.round(sizes / 2, 2),
        }
        for name in table:
            if name not in described:
                described[name] = table[name].to_numpy()
        layer.features = described
        new = np.flatnonzero(~known.astype(bool)).tolist()
        if new and (self.planes.value != _OWN or f"{ENDS[0]}-0" in described):
            self._set_planes(layer, new)
        if layer.selected_data:
            color = rgb[max(layer.selected_data)].tolist()
            self._remember((color[0], color[1], color[2]))

    def _set_planes(self, layer: Points, which: list[int]) -> None:
        """Note for which planes points hold, as the panel says."""
        table = {name: column.to_numpy() for name, column in layer.features.items()}
        reach = {_OWN: 0.0, _AROUND: float(self.around.value), _ALL: np.inf}
        far = reach[str(self.planes.value)]
        for axis in range(layer.ndim - 2):
            own = np.rint(np.asarray(layer.data, float)[:, axis])
            for sign, end in zip((-1, 1), ENDS, strict=True):
                name = f"{end}-{axis}"
                if name not in table:
                    table[name] = own
                column = np.array(table[name], float)
                column[which] = own[which] + sign * far
                table[name] = column
        layer.features = table

    def _go(self, way: Any) -> None:
        if self._history is not None:
            way(self._history)
            self._offer_undo()
            self.changed.emit(None)

    def _offer_undo(self) -> None:
        known = self._history is not None and self._history.can_undo
        self.undo.setEnabled(self.add.isEnabled() and known)

    def _remember(self, color: Color) -> None:
        before = self.color.color
        if color != before:
            rest = [each for each in self._recent if each not in (color, before)]
            self._recent = [before, *rest][:_RECENT]
            self.color.show_color(color)
        self.recent.show_colors([(each, None, "") for each in self._recent])

    # -- making it

    def _lay_out(self) -> None:
        chosen: Container[Any] = Container(widgets=[self.layer])
        self._more: Container[Any] = Container(widgets=[self.planes, self.around])
        for part in (chosen, self._more):
            part.margins = (0, 0, 0, 0)
        self._rows = chosen  # not owned by Qt alone
        self._more.visible = False
        buttons = QHBoxLayout()
        for button in (self.add, self.color, self.pick, self.undo):
            buttons.addWidget(button)
        thumbnails = QHBoxLayout(self._thumbnails)
        thumbnails.setContentsMargins(0, 0, 0, 0)
        self._thumbnails.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.missing.native)
        layout.addWidget(chosen.native)
        layout.addLayout(buttons)
        layout.addWidget(self.note.native)
        layout.addWidget(self._more.native)
        layout.addWidget(self.suggestions)
        layout.addWidget(self.recent)
        layout.addWidget(self.ask)
        layout.addWidget(self._thumbnails)
        self._parts = (
            chosen.native,
            self.add,
            self.color,
            self.pick,
            self._more.native,
            self.suggestions,
            self.recent,
            self.ask,
        )

    def _connect(self) -> None:
        self.add.clicked.connect(self._on_add)
        self.color.clicked.connect(self._on_color)
        self.undo.clicked.connect(self._on_undo)
        self.ask.clicked.connect(self.alternatives_asked)
        self.layer.changed.connect(self._on_layer)
        self.planes.changed.connect(self._on_planes)
        self.around.changed.connect(self._on_planes)


def _icon(rgb: Any) -> QIcon:
    rgb = np.ascontiguousarray(rgb)
    height, width = rgb.shape[:2]
    image = QImage(rgb.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QIcon(QPixmap.fromImage(image.copy()))
