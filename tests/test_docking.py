"""Docks opened from napari's Plugins menu share a place instead of stacking up."""

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
