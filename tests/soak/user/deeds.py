"""What a user does; each deed makes of a number and a share what there is to choose."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from napari.layers import Image, Labels, Points
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QListWidget,
    QTreeWidget,
    QWidget,
)

from tests.soak.user.desk import Desk
from tests.soak.user.layers import KINDS
from tests.soak.user.models import TINY

Deed = Callable[[Desk, int, float], str]
"""Says what was done, in a line; nothing where it cannot be done now."""

T = TypeVar("T")

_NAMES = ("again", "Zellen & Kerne", "a/b", "", "<b>bold</b>", "x" * 90, TINY, "日本")
_MOST_LAYERS = 8
_LOCAL = "http://127.0.0.1:9/model.safetensors"  # where nothing answers


def pick(those: Sequence[T], n: int) -> T | None:
    """One of them; none where there is none."""
    return those[n % len(those)] if len(those) else None


def _layer(desk: Desk, n: int, kind: Any = None) -> Any:
    layers = [each for each in desk.viewer.layers if kind in (None, type(each))]
    return pick(layers, n)


# -- the viewer


def add_layer(desk: Desk, n: int, x: float) -> str:
    if len(desk.viewer.layers) >= _MOST_LAYERS:
        return ""
    add = KINDS[n % len(KINDS)]
    return f"open '{add(desk.viewer, desk.random).name}'"


def remove_layer(desk: Desk, n: int, x: float) -> str:
    layer = _layer(desk, n)
    if layer is None:
        return ""
    desk.viewer.layers.remove(layer)
    return f"remove '{layer.name}'"


def clear_layers(desk: Desk, n: int, x: float) -> str:
    if n % 5 or not len(desk.viewer.layers):
        return ""
    desk.viewer.layers.clear()
    return "remove all layers"


def rename_layer(desk: Desk, n: int, x: float) -> str:
    layer = _layer(desk, n)
    if layer is None:
        return ""
    before = layer.name
    layer.name = _NAMES[int(x * 7)] or "nameless"
    return f"rename '{before}' '{layer.name}'"


def move_layer(desk: Desk, n: int, x: float) -> str:
    count = len(desk.viewer.layers)
    if count < 2:
        return ""
    desk.viewer.layers.move(n % count, int(x * count))
    return f"move layer {n % count} to {int(x * count)}"


def hide_layer(desk: Desk, n: int, x: float) -> str:
    layer = _layer(desk, n)
    if layer is None:
        return ""
    layer.visible = not layer.visible
    return f"{'show' if layer.visible else 'hide'} '{layer.name}'"


def select_layers(desk: Desk, n: int, x: float) -> str:
    layers = list(desk.viewer.layers)
    chosen = [layer for k, layer in enumerate(layers) if (n >> k) & 1]
    if not layers:
        return ""
    if x < 0.8:
        desk.viewer.layers.selection.active = layers[n % len(layers)]
        return f"select '{layers[n % len(layers)].name}'"
    desk.viewer.layers.selection = set(chosen)
    return f"select {len(chosen)} layers"


def change_gray(desk: Desk, n: int, x: float) -> str:
    layer = _layer(desk, n, Image)
    if layer is None or layer.rgb:
        return ""
    if n % 3 == 0:
        layer.contrast_limits = (0, max(1e-3, x))
    elif n % 3 == 1:
        layer.gamma = 0.2 + x
    else:
        layer.colormap = ("gray", "gray_r", "green", "viridis")[int(x * 3.99)]
    return f"change contrast, gamma or colormap of '{layer.name}'"


def replace_data(desk: Desk, n: int, x: float) -> str:
    layer = _layer(desk, n, Image)
    if layer is None or layer.multiscale:
        return ""
    shape = list(layer.data.shape)
    if x > 0.5:
        shape[0] += 1
    layer.data = desk.random.integers(0, 2, shape).astype(layer.data.dtype)
    return f"replace the data of '{layer.name}', now {tuple(shape)}"


def step(desk: Desk, n: int, x: float) -> str:
    dims = desk.viewer.dims
    axis = pick([a for a in range(dims.ndim) if dims.nsteps[a] > 1], n)
    if axis is None or dims.ndim < 3:
        return ""
    dims.set_current_step(axis, int(x * (dims.nsteps[axis] - 1)))
    return f"slider of axis {axis} to {dims.current_step[axis]}"


def turn_view(desk: Desk, n: int, x: float) -> str:
    dims = desk.viewer.dims
    if n % 3 == 0:
        dims.ndisplay = 5 - dims.ndisplay
        return f"show in {dims.ndisplay}D"
    dims.roll() if n % 3 == 1 else dims.transpose()
    return f"turn the axes to {dims.order}"


def move_camera(desk: Desk, n: int, x: float) -> str:
    if n % 3 == 0:
        desk.viewer.reset_view()
        return "show all"
    camera = desk.viewer.camera
    camera.zoom, camera.center = 0.2 + 20 * x, (n % 50, 40 * x)
    return f"zoom {camera.zoom:.2f} at {camera.center[-2:]}"


def compare(desk: Desk, n: int, x: float) -> str:
    key = desk.viewer.keymap.get(coerce_keybinding("K"))
    if key is None:
        return ""
    key(desk.viewer)
    return "press K in the viewer"


# -- any control of a dock


def buttons(dock: QWidget) -> list[QAbstractButton]:
    """Those that can be pressed now."""
    those = dock.findChildren(QAbstractButton)
    return [each for each in those if each.isEnabled() and each.isVisibleTo(dock)]


def press(desk: Desk, dock: Any, n: int, x: float) -> str:
    desk.agrees = x < 0.8
    button = pick(buttons(dock), n)
    if button is None:
        return ""
    if dock is desk.fine_tune and button is dock.controls.start.native:
        return start_training(desk, n, x)
    name = button.text() or button.accessibleName()
    button.click()
    agreed = "" if desk.agrees else ", say no"
    return f"press '{name}'{agreed} in {type(dock).__name__}"


def _controls(dock: QWidget) -> list[Any]:
    kinds = (QComboBox, QAbstractSlider, QAbstractSpinBox, QLineEdit)
    kinds += (QListWidget, QTreeWidget)
    those = [
        each for each in dock.findChildren(QWidget) if isinstance(each, kinds)
    ]  # parts of controls and bars that scroll are none
    return [
        each
        for each in those
        if each.isEnabled()
        and each.isVisibleTo(dock)
        and not isinstance(each.parent(), (*kinds, QAbstractItemView))
        and type(each).__name__ != "QScrollBar"
    ]


def change(desk: Desk, dock: Any, n: int, x: float) -> str:
    control = pick(_controls(dock), n)
    if control is None:
        return ""
    label = control.accessibleName() or type(control).__name__
    match control:
        case QComboBox():
            control.setCurrentIndex(int(x * control.count() * 0.999))
            to: object = control.currentText()
        case QAbstractSlider():
            span = control.maximum() - control.minimum()
            control.setValue(type(control.value())(control.minimum() + x * span))
            to = control.value()
        case QAbstractSpinBox():
            control.stepBy(int(x * 10) - 5)
            to = control.text()
        case QLineEdit():
            to = _NAMES[int(x * 7)]
            control.setText(to)
            control.editingFinished.emit()
        case QListWidget():
            to = int(x * control.count() * 0.999)
            control.setCurrentRow(to)
        case _:
            to = int(x * control.topLevelItemCount() * 0.999)
            item = control.topLevelItem(to)
            if item is not None:
                control.setCurrentItem(item)
                item.setSelected(True)
    return f"set '{label}' of {type(dock).__name__} to {to!r}"


# -- Colorize


def colorize(desk: Desk, n: int, x: float) -> str:
    run = desk.colorize.run.native
    if not (run.isEnabled() and run.isVisibleTo(desk.colorize)):
        return ""
    run.click()
    return "press Colorize"


def stop_colorizing(desk: Desk, n: int, x: float) -> str:
    stop = desk.colorize.stop.native
    if not (stop.isEnabled() and stop.isVisibleTo(desk.colorize)):
        return ""
    stop.click()
    return "press Stop"


def choose_layers(desk: Desk, n: int, x: float) -> str:
    picker = desk.colorize.layers
    chosen = [each for k, each in enumerate(picker.choices) if (n >> k) & 1]
    chosen = chosen or list(picker.choices[: x < 0.9])
    picker.value = chosen
    return f"choose {[each.name for each in chosen]} to colour"


def choose_model(desk: Desk, n: int, x: float) -> str:
    name = TINY if x < 0.6 else pick(desk.colorize.model.choices, n)
    if name not in desk.colorize.model.choices:
        return ""
    desk.colorize.model.value = name
    return f"choose the model '{name}'"


def set_tint(desk: Desk, n: int, x: float) -> str:
    pad = desk.colorize.palette_panel.pad
    if not pad.isEnabled():
        return ""
    pad.set_value(None if n % 4 == 0 else (60 * x - 30, n % 60 - 30))
    return f"set the tint {pad.value}"


def add_hint(desk: Desk, n: int, x: float) -> str:
    panel = desk.colorize.hints
    if not panel.add.isEnabled():
        return ""
    layer = panel._listener.layer
    if not isinstance(layer, Points):
        panel.add.click()
        layer = panel._listener.layer
        return "add hints" if isinstance(layer, Points) else ""
    place = [float(n % 3)] * (layer.ndim - 2) + [x * 30, float(n % 40) - 5]
    layer.add(place)
    return f"add a hint at {place}"


def change_hint(desk: Desk, n: int, x: float) -> str:
    layer = _layer(desk, n, Points)
    if layer is None or not len(layer.data):
        return ""
    which = n % len(layer.data)
    layer.selected_data = {which}
    if x < 0.3:
        data = np.array(layer.data)
        data[which, -1] += 3
        layer.data = data
        return f"move point {which} of '{layer.name}'"
    if x < 0.6:
        layer.current_face_color = ("red", "#00ff0080", "blue")[n % 3]
        return f"colour point {which} of '{layer.name}'"
    if x < 0.8:
        layer.current_size = 1 + n % 9
        return f"resize point {which} of '{layer.name}'"
    layer.remove_selected()
    return f"remove point {which} of '{layer.name}'"


def undo_hint(desk: Desk, n: int, x: float) -> str:
    listener = desk.colorize.hints._listener
    if listener.layer is None:
        return ""
    listener.undo() if x < 0.6 else listener.redo()
    return "undo" if x < 0.6 else "redo"


def paint_labels(desk: Desk, n: int, x: float) -> str:
    layer = _layer(desk, n, Labels)
    if layer is None or layer.ndim != 2:
        return ""
    layer.paint((x * 30, n % 40), n % 5)
    return f"paint label {n % 5} into '{layer.name}'"


# -- Fine-tune


def start_training(desk: Desk, n: int, x: float) -> str:
    dock = desk.fine_tune
    start = dock.controls.start.native
    if not (start.isEnabled() and start.isVisibleTo(dock)):
        return ""
    form = dock.form
    starts = [each for each in form.start.choices if str(each).startswith(TINY)]
    starts = [*sorted(starts, key=len), "from scratch: compact"]
    form.start.value = starts[n % len(starts)]
    form.budget.value, form.steps.value = "steps", 2 + n % 3
    form.patch.value, form.batch.value, form.device.value = 32, 1, "cpu"
    start.click()
    return f"train {form.steps.value} steps from '{form.start.value}'"


def add_pair(desk: Desk, n: int, x: float) -> str:
    add = desk.fine_tune.pairs.add.native
    if not (add.isEnabled() and add.isVisibleTo(desk.fine_tune)):
        return ""
    add.click()
    return "press Add pair"


# -- Models


def answer_question(desk: Desk, n: int, x: float) -> str:
    question = desk.models.work.question
    if question is None:
        return ""
    fields = [name for name in ("name", "url", "authors") if hasattr(question, name)]
    if (field := pick(fields, n)) is not None and x < 0.7:
        text = _LOCAL if field == "url" else f"{_NAMES[n % 8]}{n % 3}"
        getattr(question, field).value = text
    if x > 0.9 or not question.ok.isEnabled():
        question.cancel.click()
        return f"cancel {question.windowTitle()!r}"
    question.ok.click()
    return f"answer {question.windowTitle()!r}"


# -- docks


def reopen_docks(desk: Desk, n: int, x: float) -> str:
    if n % 4:
        return ""
    desk.close_docks()
    if x < 0.5:
        desk.go_on(0.05)
    desk.open_docks()
    return "close the docks, and open them again"


def in_dock(deed: Callable[[Desk, Any, int, float], str], name: str) -> Deed:
    """Do something in one of the docks."""
    return lambda desk, n, x: deed(desk, desk.docks[name], n, x)


DEEDS: dict[str, Deed] = {
    each.__name__: each
    for each in (
        add_layer,
        remove_layer,
        clear_layers,
        rename_layer,
        move_layer,
        hide_layer,
        select_layers,
        change_gray,
        replace_data,
        step,
        turn_view,
        move_camera,
        compare,
        colorize,
        stop_colorizing,
        choose_layers,
        choose_model,
        set_tint,
        add_hint,
        change_hint,
        undo_hint,
        paint_labels,
        start_training,
        add_pair,
        answer_question,
        reopen_docks,
    )
} | {
    f"{deed.__name__} in {name}": in_dock(deed, name)
    for deed in (press, change)
    for name in ("Colorize", "Fine-tune", "Model manager")
}
"""All that users do here, by its name."""
