"""Docks opened from napari's Plugins menu share a place instead of stacking up."""

import os
import subprocess
import sys

import pytest

from napari_colorgan.checkpoints import zoo
from napari_colorgan.training import runs


@pytest.fixture
def window(make_napari_viewer, plugin, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path)
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path)
    return make_napari_viewer(show=True).window


def opened(window, name: str):
    """Choose a dock in the Plugins menu, and return its frame."""
    menu = window.plugins_menu
    menu.aboutToShow.emit()
    ours = next(a.menu() for a in menu.actions() if a.text() == "napari-colorgan")
    next(a for a in ours.actions() if a.text().startswith(name)).trigger()
    return window._wrapped_dock_widgets[f"{name} (napari-colorgan)"]


def is_seen(frame) -> bool:
    return not frame.visibleRegion().isEmpty()


def test_the_dock_opened_last_is_the_tab_in_front(window, qtbot) -> None:
    first = opened(window, "Fine-tune")
    second = opened(window, "Model manager")
    qtbot.waitUntil(lambda: is_seen(second) and not is_seen(first))
    assert window._qt_window.tabifiedDockWidgets(first) == [second]


def test_a_dock_shown_again_comes_to_the_front(window, qtbot) -> None:
    first = opened(window, "Fine-tune")
    second = opened(window, "Model manager")
    qtbot.waitUntil(lambda: is_seen(second) and not is_seen(first))
    opened(window, "Fine-tune")  # napari hides what is chosen once more
    assert first.isHidden()
    opened(window, "Fine-tune")
    qtbot.waitUntil(lambda: is_seen(first) and not is_seen(second))


def test_a_dock_that_floats_stays_where_it_is(window, qtbot) -> None:
    floating = opened(window, "Fine-tune")
    floating.setFloating(True)
    place = floating.pos()
    other = opened(window, "Model manager")
    qtbot.waitUntil(lambda: is_seen(other))
    assert window._qt_window.tabifiedDockWidgets(other) == []
    assert floating.isFloating() and floating.pos() == place and is_seen(floating)


def test_opening_the_docks_imports_no_torch(tmp_path):
    code = """
import sys
import numpy
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication
from napari_colorgan.widgets.colorize.dock import ColorizeWidget
from napari_colorgan.widgets.fine_tune.dock import FineTuneWidget
from napari_colorgan.widgets.models.dock import ModelManagerWidget
from napari_colorgan.widgets.parts.threads import JobWorker

JobWorker.start = lambda _: None  # a preview begins at once, and needs torch
app = QApplication([])
viewer = ViewerModel()
manager = ModelManagerWidget(viewer)
assert manager.models.count() >= 2
manager.show()
manager.buttons.download.native.click()
viewer.add_image(numpy.zeros((40, 40)))
viewer.add_image(numpy.zeros((40, 40, 3), numpy.uint8), rgb=True)
fine_tune = FineTuneWidget(viewer)
assert fine_tune.pairs.add.enabled
colorize = ColorizeWidget(viewer)
assert colorize.run.enabled, colorize.running.reason.value
slow = {"torch", "matplotlib", "pooch", "requests", "zarr"}
print(slow & set(sys.modules) or "none of them")
# as a window that closes does: PyQt's own end may crash on what is left
for widget in (colorize, fine_tune, manager):
    widget.deleteLater()
app.sendPostedEvents(None, 52)
"""
    own = {f"XDG_{each}_HOME": str(tmp_path) for each in ("DATA", "CONFIG")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | own | {"QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "none of them"
