"""Folders are coloured from the dock: one sentence tells what became of them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QFileDialog
from skimage import data

from napari_colorgan.checkpoints.store import save
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.widgets.colorize.folder import FolderPanel
from napari_colorgan.widgets.parts import notices

ENOUGH = 60_000  # ms
GRAY = np.ascontiguousarray(data.camera()[40:104, 150:230])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a gray picture, a colour one and a file that is neither."""
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(GRAY).save(folder / "gray.png")
    Image.fromarray(data.astronaut()[:64, :64]).save(folder / "colour.png")
    (folder / "bad.png").write_bytes(b"no picture")
    return folder


@pytest.fixture
def panel(qtbot, tmp_path, make_checkpoint, messages, monkeypatch):
    monkeypatch.setattr(notices, "_SAID", set())
    save(make_checkpoint(context="local"), tmp_path / "small.safetensors")
    settings = ColorizerSettings(model=tmp_path / "small.safetensors", device="cpu")
    panel = FolderPanel(lambda: settings)
    qtbot.addWidget(panel.native)
    panel.show()
    yield panel
    panel.close_jobs()


def finish(panel, qtbot) -> str:
    """Wait for the end, and return what is said."""
    qtbot.waitUntil(lambda: not panel.jobs.busy, timeout=ENOUGH)
    return panel.status.value


def test_two_folders_are_asked_for_and_one_sentence_tells_the_result(
    panel, qtbot, folder, tmp_path, messages, monkeypatch
) -> None:
    answers = iter([str(folder), str(tmp_path / "out")])
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: next(answers))
    panel.start.native.click()
    assert not panel.start.enabled and panel.stop.visible
    told, *reasons = finish(panel, qtbot).splitlines()
    assert told == f"1 picture coloured into '{tmp_path / 'out'}', 2 could not be."
    assert messages == [told]
    assert ["bad.png" in reasons[0], "already has colour" in reasons[1]] == [True] * 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["gray.png"]
    assert panel.start.enabled and not panel.stop.visible


def test_colour_pictures_are_taken_if_wanted_and_results_stay(
    panel, qtbot, folder, tmp_path
) -> None:
    out = tmp_path / "out"
    panel.color_folder(folder, out)
    finish(panel, qtbot)
    before = (out / "gray.png").read_bytes()
    panel.from_color.value = True
    panel.color_folder(folder, out)
    told = finish(panel, qtbot)
    assert "1 picture coloured" in told and "of 1 a file was there already" in told
    assert sorted(path.name for path in out.iterdir()) == ["colour.png", "gray.png"]
    assert (out / "gray.png").read_bytes() == before
    (folder / "bad.png").unlink()
    panel.color_folder(folder, out)
    assert "all results already" in finish(panel, qtbot)


def test_sources_are_never_replaced(panel, qtbot, folder, messages) -> None:
    panel.color_folder(folder, folder)
    assert "would take the place of a picture" in finish(panel, qtbot)
    assert np.array_equal(np.asarray(Image.open(folder / "gray.png")), GRAY)


def test_stop_keeps_what_is_finished(panel, qtbot, tmp_path) -> None:
    source = tmp_path / "many"
    source.mkdir()
    for number in range(40):
        Image.fromarray(np.roll(GRAY, number)).save(source / f"{number:02}.png")
    out = tmp_path / "out"
    panel.color_folder(source, out)
    qtbot.waitUntil(lambda: (out / "01.png").exists(), timeout=ENOUGH)
    panel.stop.native.click()
    told = finish(panel, qtbot)
    done = len(list(out.iterdir()))
    assert 2 <= done < 40
    assert told.startswith(f"Stopped. {done} pictures coloured into")
