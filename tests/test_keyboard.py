"""All that a dock offers is reached, seen, named and pressed by keys alone."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QApplication,
    QLabel,
    QScrollBar,
    QWidget,
)
from superqt import QCollapsible
from superqt.utils._qthreading import WorkerBase

from napari_colorgan.inference.suggestions import Suggestion
from napari_colorgan.widgets.models.questions import NameQuestion
from napari_colorgan.widgets.parts.keyboard import CONTROLS
from napari_colorgan.widgets.parts.split_picture import SplitPicture
from napari_colorgan.widgets.parts.swatches import SwatchRow
from napari_colorgan.widgets.parts.tint_pad import TintPad

MODEL = "listening"
DOCKS = ("Model manager", "Fine-tune", "Colorize")
ENOUGH = 60_000  # ms; for what takes a second on an idle machine
RED, BLUE = (200, 60, 40), (40, 60, 200)


@pytest.fixture
def docks(home, viewer, camera, qtbot):
    """All docks as tabs of a small window, with as many controls as they may have."""
    viewer.show()
    window = viewer.window._qt_window
    window.resize(1280, 720)
    viewer.add_image(np.stack([camera] * 3), name="stack")
    viewer.add_image(
        np.stack([np.stack([camera] * 3)] * 3, -1), name="colour", rgb=True
    )
    viewer.layers.selection.active = viewer.layers["stack"]
    opened = {}
    for name in DOCKS:
        _, dock = viewer.window.add_plugin_dock_widget("napari-colorgan", name)
        opened[name] = dock
    color = opened["Colorize"]
    color.model.value = MODEL
    color.form.planes.value = "range of planes"
    color.hints.add_hint((0, 60, 80), RED)
    for folded in window.findChildren(QCollapsible):
        folded.expand(animate=False)
    qtbot.waitUntil(lambda: not WorkerBase._worker_set, timeout=ENOUGH)
    color.hints.show_suggestions([Suggestion(BLUE, 0.5)] * 5, {}, (0, 60, 80))
    color.hints.use_color(BLUE)
    pictures = [(np.zeros((60, 60, 3), np.uint8), "5%")] * 2
    color.hints.alternatives.found.show_pictures(pictures, lambda _: None)
    with qtbot.waitActive(window):
        window.activateWindow()
    yield opened
    qtbot.waitUntil(lambda: not WorkerBase._worker_set, timeout=ENOUGH)


def controls_of(dock, *, every=False) -> list[QWidget]:
    """What of a dock can be used now; or what may be at some time."""
    kinds = (*CONTROLS, QAbstractButton, TintPad, SplitPicture)
    return [
        part
        for part in dock.findChildren(QWidget)
        if isinstance(part, kinds)
        and not isinstance(part, QScrollBar)
        and not is_inner(part)
        and (every or (part.isVisibleTo(dock) and part.isEnabled()))
    ]


def is_inner(control) -> bool:
    """Whether it is a part of another control, such as a picker's list."""
    above = control.parent()
    while above is not None and not isinstance(above, CONTROLS):
        above = above.parent()
    return above is not None


def name_of(control) -> str:
    """What a screen reader says of it."""
    if control.accessibleName():
        return control.accessibleName()
    if isinstance(control, QAbstractButton):
        return control.text()
    labels = control.window().findChildren(QLabel)
    return next((label.text() for label in labels if label.buddy() is control), "")


def walked(dock, first) -> list[QWidget]:
    """Press Tab until the focus leaves a dock; what had it."""
    first.setFocus(Qt.FocusReason.TabFocusReason)
    stops = []
    while (at := QApplication.focusWidget()) not in stops and dock.isAncestorOf(at):
        stops.append(at)
        QApplication.processEvents()
        assert not at.visibleRegion().isEmpty(), name_of(at)
        QTest.keyClick(at, Qt.Key.Key_Tab)
    return stops


def test_every_control_is_reached_seen_and_named(docks):
    for title, dock in docks.items():
        controls = controls_of(dock)
        assert len(controls) > 6
        stops = walked(dock, controls[0])  # which brings the dock to the front
        missed = [name_of(each) or each for each in controls if each not in stops]
        assert not missed, title
        places = [each.mapTo(dock, each.rect().topLeft()).y() for each in stops]
        assert all(b > a - 20 for a, b in pairwise(places)), title  # downwards
        every = controls_of(dock, every=True)
        later = [each for each in every if isinstance(each, CONTROLS)]
        unnamed = [each for each in [*controls, *later] if not name_of(each).strip()]
        assert not unnamed, title


def test_letters_of_a_dock_are_unique(docks):
    for title, dock in docks.items():
        texts = [each.text() for each in dock.findChildren(QAbstractButton)]
        letters = [
            found[1].upper() for text in texts if (found := re.search("&(.)", text))
        ]
        assert max(Counter(letters).values(), default=1) == 1, title


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Space])
def test_a_swatch_is_pressed_and_left_by_keys(qtbot, key):
    taken = []
    row = SwatchRow("Likely here", 3, taken.append)
    qtbot.addWidget(row)
    row.show_colors([(RED, None, "50%"), (BLUE, None, "20%")])
    with qtbot.waitActive(row):
        row.show()
        row.activateWindow()
    first, second, _ = row.swatches
    first.setFocus(Qt.FocusReason.TabFocusReason)
    QTest.keyClick(first, Qt.Key.Key_Right)
    assert second.hasFocus()
    QTest.keyClick(second, key)
    assert taken == [BLUE]
    assert name_of(second) == "Likely here 2: #283cc8, 20%"


def test_fields_of_questions_have_names(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    question = NameQuestion(parent, "Rename", "mine")
    assert name_of(question.name.native) == "Name"
