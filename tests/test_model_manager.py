"""The Model manager dock, used as a user would: click, answer, look at all pickers."""

import functools
import hashlib
import io
import re
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDesktopServices, QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import (
    QApplication,
    QFileDialog,
    QLabel,
    QMessageBox,
    QScrollArea,
)

from napari_colorgan import fine_tune
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.changes import duplicate, rename
from napari_colorgan.checkpoints.deleted import delete, deleted_folder, deleted_models
from napari_colorgan.checkpoints.formats import FORMATS, ExportAs, name_after
from napari_colorgan.checkpoints.pictures import as_jpeg
from napari_colorgan.checkpoints.pix2pix import read_pix2pix, write_pix2pix
from napari_colorgan.checkpoints.store import load, save
from napari_colorgan.errors import Stopped
from napari_colorgan.job import STOP, Progress
from napari_colorgan.training import runs
from napari_colorgan.widgets import ModelManagerWidget
from napari_colorgan.widgets.models import transfer
from napari_colorgan.widgets.models.details import facts
from napari_colorgan.widgets.parts import settings as dock_settings
from napari_colorgan.widgets.parts.models_changed import models_changed

ENOUGH = 60_000  # ms; for what takes a second on an idle machine


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch, make_checkpoint):
    """The user's folders, with one model."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path / "training")
    zoo.install(make_checkpoint(), "mine", "# mine\n", picture=b"no picture")
    return tmp_path


@pytest.fixture
def pth(home, make_checkpoint) -> Path:
    """Weights as the pix2pix code saves them, with the options of their training."""
    folder = home / "facades_label2photo"
    folder.mkdir()
    options = {"depth": 5, "width": 8, "in_channels": 3, "out_channels": 3}
    theirs = make_checkpoint(options=options, codec="rgb")
    write_pix2pix(theirs, folder / "latest_net_G.pth")
    (folder / "train_opt.txt").write_text("       preprocess: resize_and_crop \n")
    return folder / "latest_net_G.pth"


@pytest.fixture
def viewer(make_napari_viewer, plugin, qtbot):
    viewer = make_napari_viewer()
    yield viewer
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


@pytest.fixture
def manager(qtbot):
    """The dock's widget outside of a viewer's window: it takes no second to open."""
    widget = ModelManagerWidget(ViewerModel())
    qtbot.addWidget(widget)
    choose(widget, "mine")
    yield widget
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)
    models_changed.disconnect(widget._on_models_changed)


def no_jobs() -> bool:
    from superqt.utils._qthreading import WorkerBase

    return not WorkerBase._worker_set


def open_dock(viewer, name="Model manager"):
    return viewer.window.add_plugin_dock_widget("napari-colorgan", name)[1]


def listed(manager) -> list[str]:
    """Names in the list, without what stands below them."""
    items = (manager.models.item(row) for row in range(manager.models.count()))
    return [item.text().splitlines()[0] for item in items]


def choose(manager, name: str) -> None:
    manager.models.setCurrentRow(listed(manager).index(name))


def finish(manager, qtbot) -> None:
    qtbot.waitUntil(lambda: not manager.busy, timeout=ENOUGH)


def answer(manager, qtbot, **values) -> None:
    """Fill in the question that is asked, press OK, and wait for what follows."""
    question = asked(manager)
    for name, value in values.items():
        getattr(question, name).value = value
    question.ok.click()
    assert asked(manager) is None
    finish(manager, qtbot)


def asked(manager):
    """The question in a window of its own; None where nothing is asked."""
    return manager.work.question


def import_file(manager, qtbot, path: Path) -> None:
    manager.transfer.read(path)
    finish(manager, qtbot)


def agree(manager, monkeypatch, answer=True) -> list[str]:
    """Answer questions; returns a list that they are added to."""
    asked = []
    monkeypatch.setattr(
        manager.upkeep, "ask", lambda text: bool(asked.append(text)) or answer
    )
    return asked


def visible(part, manager) -> bool:
    return bool(part.native.isVisibleTo(manager))


# -- what is shown


def test_all_models_are_listed_with_what_is_known(manager, make_checkpoint):
    assert listed(manager) == ["micro", "natural", "mine"]
    item = manager.models.item(2)
    assert (
        item.text() == f"mine\nmine, colorization, {zoo.find('mine').size / 1e6:.1f} MB"
    )
    assert "shipped" in manager.models.item(0).text()
    assert manager.models.name == "mine"


def test_what_cannot_be_read_is_a_line_that_says_why(manager, home):
    (home / "models" / "<b>torn.safetensors").touch()
    manager.models.show_models("mine")
    assert listed(manager) == ["micro", "natural", "mine", "<b>torn"]
    choose(manager, "<b>torn")
    said = "'<b>torn' cannot be read, because it is empty. Fetch it again."
    assert manager.details.description.text() == said
    assert manager.models.model is None and not manager.buttons.rename.enabled
    choose(manager, "mine")
    assert manager.models.model is not None and manager.buttons.rename.enabled


def test_facts_come_from_the_metadata(make_checkpoint):
    model = zoo.install(
        make_checkpoint(
            context="local",
            license="CC0-1.0",
            provenance="Trained by fine-tune from micro on pairs of the user: a.",
            training={"scores": {"psnr": 25.04}, "scores_gray": {"psnr": 20.0}},
        ),
        "tuned",
    )
    found = dict(facts(model))
    assert found["Base model"] == "micro" and found["Licence"] == "CC0-1.0"
    assert found["Sees"] == "windows at full resolution"
    assert found["Held-out part"] == "PSNR 25.0 dB, gray 20.0 dB"
    assert dict(facts(zoo.find("natural")))["Scores"] == "see its model card"


def test_a_training_tells_its_base_and_its_scores(make_checkpoint, photo):
    zoo.install(make_checkpoint("compact", context="local"), "my base, v1.2")
    settings = {"steps": 1, "patch": 32, "batch": 1, "device": "cpu"}
    made = fine_tune([photo[60:156, 100:228]], "my base, v1.2", **settings)
    model = zoo.install(made.best, "tuned")
    found = dict(facts(model))
    assert found["Base model"] == "my base, v1.2" and model.origin == "mine"
    scored = r"PSNR \d+\.\d dB, base \d+\.\d dB, gray \d+\.\d dB"
    assert re.fullmatch(scored, found["Held-out part"])


@pytest.mark.parametrize(
    "scores",
    [None, "good", {"psnr": "good"}, {"psnr": None}, [], {"psnr": 1e300}],
)
def test_odd_metadata_is_left_out(make_checkpoint, scores):
    odd = zoo.install(make_checkpoint(training={"scores": scores}), "odd")
    assert "Held-out part" not in dict(facts(odd))


def test_long_words_and_names_make_the_dock_no_wider(manager, make_checkpoint):
    inside = manager.findChild(QScrollArea).widget()
    word, name = 400 * "W", 60 * "n"
    zoo.install(make_checkpoint(description=word, license=word), name)
    models_changed.emit("", name)
    choose(manager, name)
    assert manager.details.description.text() == f"{word[:300]}..."
    delete(name)
    manager.buttons.offer(None, deleted_models()[0], busy=False)
    assert inside.minimumSizeHint().width() <= 330  # px


def test_texts_of_any_origin_are_shown_as_they_are(manager, make_checkpoint):
    text = "<b>Bold</b> <img src='http://example.org/x.png'>"
    zoo.install(make_checkpoint(description=text, license=text), "odd")
    models_changed.emit("", "odd")
    choose(manager, "odd")
    shown = [label for label in manager.details.findChildren(QLabel) if label.text()]
    formats = {label.textFormat() for label in shown if text in label.text()}
    assert formats == {Qt.TextFormat.PlainText}


def test_the_card_is_that_of_the_chosen_model(manager, qtbot):
    manager.buttons.card.native.click()
    view = manager._card_view
    assert view.isVisible() and "mine" in view.text.toPlainText()
    choose(manager, "natural")
    assert view.text.toPlainText().startswith("natural")
    view.close()


def test_shipped_models_stay_as_they_are(manager):
    choose(manager, "natural")
    for button in (manager.buttons.rename, manager.buttons.delete):
        assert not button.enabled and "duplicate" in button.tooltip
    assert manager.buttons.duplicate.enabled and manager.buttons.export.enabled
    choose(manager, "mine")
    assert manager.buttons.rename.enabled and manager.buttons.delete.enabled
    assert not manager.buttons.rename.tooltip


def test_the_folder_is_shown(manager, monkeypatch, home):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    manager.buttons.show_folder.native.click()
    assert [Path(url.toLocalFile()) for url in opened] == [home / "models"]


def test_what_other_programs_did_is_seen_when_the_dock_is_shown(manager):
    manager.show()
    manager.hide()
    duplicate("mine", "of another program")
    manager.show()
    assert "of another program" in listed(manager) and manager.models.name == "mine"


# -- rename, duplicate, delete


def test_rename(manager, qtbot, home):
    manager.buttons.rename.native.click()
    assert asked(manager).name.value == "mine"
    answer(manager, qtbot, name=" My tissue ")
    assert listed(manager) == ["micro", "natural", "My tissue"]
    assert manager.models.name == "My tissue"
    assert zoo.find("My tissue").card == "# My tissue\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("natural", "a shipped model has this name"), ("a/b", "without /"),
     ("OTHER", "already have a model called 'OTHER'"), ("", "begins with a letter")],
)  # fmt: skip
def test_a_name_that_cannot_be_is_not_accepted(manager, qtbot, name, reason):
    duplicate("mine", "other")
    for button in (manager.buttons.rename, manager.buttons.duplicate):
        button.native.click()
        question = asked(manager)
        question.name.value = name
        assert not question.ok.isEnabled() and reason in question.reason.value
        question.name.value = "fine"
        assert question.ok.isEnabled() and not question.reason.value
        question.cancel.click()
        assert asked(manager) is None and not manager.busy
    assert {model.name for model in zoo.list_models()} >= {"mine", "other"}


def test_the_case_of_a_name_may_change_but_not_for_a_copy(manager, qtbot):
    manager.buttons.duplicate.native.click()
    asked(manager).name.value = "Mine"
    assert not asked(manager).ok.isEnabled()
    asked(manager).cancel.click()
    manager.buttons.rename.native.click()
    answer(manager, qtbot, name="Mine")
    assert listed(manager)[-1] == "Mine"


def test_duplicate(manager, qtbot):
    choose(manager, "micro")
    manager.buttons.duplicate.native.click()
    assert asked(manager).name.value == "micro copy"
    answer(manager, qtbot)
    assert manager.models.name == "micro copy" and "micro" in listed(manager)
    assert manager.buttons.rename.enabled
    manager.buttons.duplicate.native.click()
    assert asked(manager).name.value == "micro copy copy"
    asked(manager).cancel.click()


def test_delete_and_undo(manager, qtbot, monkeypatch, home):
    before = {path.name: path.read_bytes() for path in (home / "models").iterdir()}
    assert len(before) == 1 and not visible(manager.buttons.undo, manager)
    asked = agree(manager, monkeypatch, False)
    manager.buttons.delete.native.click()
    assert "'mine'" in asked[0] and "30 days" in asked[0] and not manager.busy
    agree(manager, monkeypatch)
    manager.buttons.delete.native.click()
    finish(manager, qtbot)
    assert listed(manager) == ["micro", "natural"]
    assert manager.models.name == "natural"  # which is now in its place
    assert (
        visible(manager.buttons.undo, manager) and "'mine'" in manager.buttons.undo.text
    )
    manager.buttons.undo.native.click()
    finish(manager, qtbot)
    assert manager.models.name == "mine" and not visible(manager.buttons.undo, manager)
    files = (path for path in (home / "models").iterdir() if path.is_file())
    assert {path.name: path.read_bytes() for path in files} == before


def test_undo_names_any_model(manager, qtbot, monkeypatch):
    rename("mine", "H&E")
    models_changed.emit("mine", "H&E")
    agree(manager, monkeypatch)
    manager.buttons.delete.native.click()
    finish(manager, qtbot)
    assert "'H&&E'" in manager.buttons.undo.text  # of which Qt shows one


def test_undo_is_offered_by_the_next_session(manager, qtbot, monkeypatch):
    agree(manager, monkeypatch)
    manager.buttons.delete.native.click()
    finish(manager, qtbot)
    later = ModelManagerWidget(ViewerModel())
    qtbot.addWidget(later)
    assert "'mine'" in later.buttons.undo.text
    later.buttons.undo.native.click()
    finish(later, qtbot)
    assert listed(manager) == listed(later) == ["micro", "natural", "mine"]
    assert not visible(manager.buttons.undo, manager)
    models_changed.disconnect(later._on_models_changed)


def test_an_undo_that_cannot_be_says_why(manager, qtbot, monkeypatch, messages):
    agree(manager, monkeypatch)
    manager.buttons.delete.native.click()
    finish(manager, qtbot)
    duplicate("micro", "mine")
    manager.buttons.undo.native.click()
    finish(manager, qtbot)
    assert any("Rename that one" in text for text in messages)
    assert visible(manager.buttons.undo, manager)


def test_a_model_that_vanished_gives_a_sentence(
    manager, qtbot, monkeypatch, messages, home
):
    agree(manager, monkeypatch)
    (home / "models" / "mine.safetensors").unlink()
    manager.buttons.delete.native.click()
    finish(manager, qtbot)
    assert any("no model or checkpoint file called 'mine'" in t for t in messages)
    assert not deleted_folder().exists()


def test_the_question_is_a_question(manager, monkeypatch):
    buttons = QMessageBox.StandardButton
    for answered in (buttons.Yes, buttons.No):
        monkeypatch.setattr(QMessageBox, "question", lambda *_, a=answered: a)
        assert manager.upkeep.ask("Sure?") is (answered == buttons.Yes)


# -- all pickers


def test_all_pickers_of_all_viewers_follow(
    make_napari_viewer, plugin, qtbot, monkeypatch
):
    viewers = [make_napari_viewer(), make_napari_viewer()]
    manager, other = (open_dock(viewer) for viewer in viewers)
    colorize = [open_dock(viewer, "Colorize") for viewer in viewers]
    fine_tune = [open_dock(viewer, "Fine-tune") for viewer in viewers]
    pickers = [dock.model for dock in colorize]
    pickers += [dock.form.start for dock in fine_tune]
    for picker in pickers:
        picker.value = "mine"
    choose(manager, "mine")
    choose(other, "mine")
    manager.buttons.rename.native.click()
    answer(manager, qtbot, name="renamed")
    for picker in pickers:
        assert "mine" not in picker.choices and picker.value == "renamed"
    assert other.models.name == "renamed"
    assert colorize[1].models.model == zoo.find("renamed")

    manager.buttons.duplicate.native.click()
    answer(manager, qtbot, name="copy")
    for picker in pickers:
        assert "copy" in picker.choices and picker.value == "renamed"
    assert manager.models.name == "copy" and other.models.name == "renamed"

    choose(manager, "renamed")
    agree(manager, monkeypatch)
    manager.buttons.delete.native.click()
    finish(manager, qtbot)
    for picker in pickers:
        assert "renamed" not in picker.choices and picker.value is not None
    assert listed(other) == ["micro", "natural", "copy"]
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


def test_a_model_that_was_trained_is_listed(viewer, qtbot):
    manager = open_dock(viewer)
    fine_tune = open_dock(viewer, "Fine-tune")
    duplicate("mine", "trained")
    fine_tune.outcome.used.emit("trained")
    assert "trained" in listed(manager) and "trained" in fine_tune.form.start.choices
    assert open_dock(viewer, "Colorize").model.value == "trained"


def test_a_model_that_is_made_anew_is_shown_anew(viewer, make_checkpoint):
    colorize = open_dock(viewer, "Colorize")
    colorize.model.value = "mine"
    made = make_checkpoint(description="Made anew.")
    zoo.install(made, "mine", replace_old=True)
    models_changed.emit("", "mine")
    assert colorize.model.value == "mine"
    assert colorize.models.about.value == "Made anew."


@pytest.mark.parametrize("dock", ["Model manager", "Colorize", "Fine-tune"])
def test_a_closed_dock_hears_nothing(viewer, dock):
    before = len(models_changed)
    widget = open_dock(viewer, dock)
    assert len(models_changed) == before + 1
    viewer.window.remove_dock_widget(getattr(widget, "native", widget))
    assert len(models_changed) == before
    models_changed.emit("mine", "")


def test_docks_of_a_closed_viewer_hear_nothing(make_napari_viewer, plugin, qtbot):
    viewer = make_napari_viewer()
    before = len(models_changed)
    for dock in ("Model manager", "Colorize", "Fine-tune"):
        open_dock(viewer, dock)
    viewer.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert len(models_changed) == before
    models_changed.emit("mine", "")
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)


def test_a_model_is_used_in_the_other_docks(viewer, qtbot, gray):
    viewer.add_image(gray)
    manager = open_dock(viewer)
    choose(manager, "mine")
    manager.buttons.colorize.native.click()
    manager.buttons.fine_tune.native.click()
    assert open_dock(viewer, "Colorize").model.value == "mine"
    assert open_dock(viewer, "Fine-tune").form.start.value == "mine"


# -- import


def test_weights_without_a_checksum_are_called_so(manager, qtbot, pth):
    weights = torch.load(pth, weights_only=True)
    torch.save(weights, pth, _use_new_zipfile_serialization=False)
    import_file(manager, qtbot, pth)
    question = asked(manager)
    digits = hashlib.sha256(pth.read_bytes()).hexdigest()
    assert "without a checksum" in question.about.value
    assert question.about.value.replace(" ", "").endswith(digits)
    question.close()


def test_weights_of_pix2pix_are_asked_about(manager, qtbot, pth):
    import_file(manager, qtbot, pth)
    question = asked(manager)
    assert question.name.value == "facades_label2photo"
    assert "checksum" not in question.about.value
    assert "Translation" in question.about.value and "U-Net" in question.about.value
    assert (question.context.value, question.statistics.value) == ("local", "picture")
    answer(
        manager,
        qtbot,
        name="facades",
        context="whole",
        statistics="stored",
        license=" CC0-1.0 ",
    )
    model = zoo.find("facades")
    assert manager.models.name == "facades" and model.origin == "imported"
    about = load(model.path).metadata
    chosen = read_pix2pix(pth, context="whole", statistics="stored", license="CC0-1.0")
    assert (about.context, about.statistics) == ("whole", "stored")
    assert about.options == chosen.metadata.options
    assert about.license == "CC0-1.0" and "CC0-1.0" in model.card
    assert about.provenance == chosen.metadata.provenance
    assert model.card.startswith("# facades\n")
    assert model.picture  # of what it does to a sample


def test_only_what_can_be_chosen_is_asked(manager, qtbot, home, make_checkpoint):
    options = {"depth": 5, "width": 8, "norm": "instance"}
    write_pix2pix(make_checkpoint(options=options), home / "instance.pth")
    import_file(manager, qtbot, home / "instance.pth")
    question = asked(manager)
    assert question.name.value == "instance"
    assert (
        question.context.native.isVisible()
        and not question.statistics.native.isVisible()
    )
    question.cancel.click()
    save(make_checkpoint(), home / "ours.safetensors")
    import_file(manager, qtbot, home / "ours.safetensors")
    assert not asked(manager).context.native.isVisible()
    answer(manager, qtbot)
    assert zoo.find("ours").origin == "imported"


def test_a_checkpoint_comes_with_its_card_and_its_picture(
    manager, qtbot, home, make_checkpoint
):
    made = make_checkpoint(provenance="Seeded.", context="whole")
    save(made, home / "mine.safetensors")
    (home / "mine.md").write_text("# mine\n\nOf a colleague.\n")
    examples = io.BytesIO()
    Image.new("RGB", (160, 160)).save(examples, "JPEG")
    (home / "mine.jpg").write_bytes(examples.getvalue())
    import_file(manager, qtbot, home / "mine.safetensors")
    assert asked(manager).name.value == "mine 2"
    answer(manager, qtbot)
    model = zoo.find("mine 2")
    assert model.card == "# mine 2\n\nOf a colleague.\n"
    assert model.picture == as_jpeg(examples.getvalue())
    about = model.metadata
    sha256 = hashlib.sha256((home / "mine.safetensors").read_bytes()).hexdigest()
    provenance = f"Imported from 'mine.safetensors' (SHA-256 {sha256}). Seeded."
    assert (about.context, about.provenance) == ("whole", provenance)


@pytest.mark.parametrize("name", ["foreign.pth", "foreign.safetensors", "gone.pth"])
def test_a_file_that_is_no_model_is_refused_in_a_sentence(
    manager, qtbot, home, messages, name
):
    if "gone" not in name:
        (home / name).write_bytes(b"nothing of ours")
    import_file(manager, qtbot, home / name)
    (message,) = messages
    assert name in message and "unexpected" not in message
    assert asked(manager) is None and listed(manager) == [
        "micro",
        "natural",
        "mine",
    ]


def test_import_begins_with_a_file_dialog(manager, qtbot, pth, monkeypatch):
    for path in ("", str(pth)):
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_, p=path: (p, ""))
        manager.buttons.import_.native.click()
        assert manager.busy is bool(path)
    finish(manager, qtbot)
    asked(manager).cancel.click()
    assert "facades_label2photo" not in listed(manager)


def drop(manager, *paths: Path) -> bool:
    """Drag files over the list and let them go; whether they were taken."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    rest = (
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    enter = QDragEnterEvent(QPoint(9, 9), *rest)
    # Qt looks for the innermost widget that takes drops
    inner = manager.models.viewport()
    while not inner.acceptDrops():
        inner = inner.parentWidget()
    assert inner is manager
    enter.ignore()
    QApplication.sendEvent(inner, enter)
    if enter.isAccepted():
        QApplication.sendEvent(inner, QDropEvent(QPointF(9, 9), *rest))
    return enter.isAccepted()


def test_a_model_file_is_dropped(manager, qtbot, pth, home):
    (home / "notes.txt").write_text("no model")
    assert not drop(manager, home / "notes.txt")
    assert not drop(manager, pth, pth)
    assert not manager.busy
    assert drop(manager, pth)
    assert manager.busy and not drop(manager, pth)
    finish(manager, qtbot)
    assert not drop(manager, pth)  # the first one is asked about
    answer(manager, qtbot)
    assert "facades_label2photo" in listed(manager)


# -- export


@pytest.mark.parametrize("format", ["checkpoint", "pix2pix", "bioimageio"])
def test_what_is_exported_can_be_imported(
    manager, qtbot, home, messages, format, monkeypatch
):
    monkeypatch.setitem(sys.modules, "onnxscript", None)  # which takes long
    path = home / f"exported{FORMATS[format].suffix}"
    choice = ExportAs(format=format, authors=("Ada L.",), license="CC0-1.0")
    manager.transfer.write(zoo.find("mine"), path, choice)
    finish(manager, qtbot)
    assert any("was written" in text for text in messages)
    assert drop(manager, path)
    finish(manager, qtbot)
    answer(manager, qtbot)
    weights, before = (load(zoo.find(n).path).weights for n in ("exported", "mine"))
    assert all((weights[name] == value).all() for name, value in before.items())


def test_a_format_that_is_not_installed_cannot_be_chosen(manager, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    choose(manager, "mine")
    manager.buttons.export.native.click()
    question = asked(manager)
    formats = question.format.native
    enabled = {
        name: formats.model().item(row).isEnabled() for row, name in enumerate(FORMATS)
    }
    assert enabled == {name: name != "onnx" for name in FORMATS}
    assert "not installed" in formats.itemText(list(FORMATS).index("onnx"))
    assert "pip install 'napari-colorgan[all]'" in question.about.value
    question.close()


@pytest.mark.parametrize("path", ["exported", "exported.pth"])
def test_it_is_asked_as_what_and_where(manager, qtbot, home, monkeypatch, path):
    chosen = []

    def dialog(_, title, suggestion, filters):
        chosen.append((suggestion, filters))
        return str(home / path), filters

    monkeypatch.setattr(QFileDialog, "getSaveFileName", dialog)
    manager.buttons.export.native.click()
    answer(manager, qtbot, format="pix2pix")
    assert chosen == [("mine.pth", "PyTorch pix2pix (*.pth)")]
    assert (home / "exported.pth").is_file()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    manager.buttons.export.native.click()
    asked(manager).ok.click()
    assert not manager.busy


def test_a_package_states_authors_and_licence(manager, qtbot, home, monkeypatch):
    chosen = []
    place = str(home / "mine"), ""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: place)
    monkeypatch.setattr(
        manager.transfer, "write", lambda *choice: chosen.append(choice)
    )
    manager.buttons.export.native.click()
    question = asked(manager)
    assert question.ok.isEnabled() and not question.authors.native.isVisible()
    question.format.value = "bioimageio"
    assert question.authors.native.isVisible() and question.license.native.isVisible()
    assert (
        not question.ok.isEnabled() and "authors and a licence" in question.reason.value
    )
    question.authors.value = " Ada L., , Grace H. "
    assert not question.ok.isEnabled()
    answer(manager, qtbot, license=" CC-BY-4.0 ")
    ((model, path, choice),) = chosen
    assert model.name == "mine" and path == home / "mine.zip"
    assert choice.authors == ("Ada L.", "Grace H.") and choice.license == "CC-BY-4.0"


def test_what_cannot_be_exported_gives_a_sentence(
    manager, qtbot, home, messages, monkeypatch
):
    natural = zoo.find("natural")
    manager.transfer.write(natural, home / "natural.pth", ExportAs(format="pix2pix"))
    finish(manager, qtbot)
    assert any("is a compact generator" in text for text in messages)
    manager.transfer.write(
        natural, home / "no folder" / "a.safetensors", ExportAs(format="checkpoint")
    )
    finish(manager, qtbot)
    assert any("cannot be written" in text for text in messages)
    assert not list(home.glob("*.pth"))


def test_a_missing_extra_gives_a_sentence(manager, qtbot, home, messages, monkeypatch):
    def missing(name):
        raise ImportError(name)

    place = "napari_colorgan.checkpoints.extras.import_module"
    monkeypatch.setattr(place, missing)
    manager.transfer.write(
        zoo.find("mine"), home / "mine.onnx", ExportAs(format="onnx")
    )
    finish(manager, qtbot)
    assert any("pip install 'napari-colorgan[onnx]'" in text for text in messages)
    assert not (home / "mine.onnx").exists()


# -- download


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_) -> None:
        """Say nothing."""


@pytest.fixture
def server(home, monkeypatch):
    """Serve the user's home on the loopback; gives the address."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = functools.partial(Quiet, directory=str(home))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_download(manager, qtbot, pth, server, messages):
    manager.buttons.download.native.click()
    question = asked(manager)
    assert not question.ok.isEnabled() and "Paste its address" in question.reason.value
    question.url.value = "ftp://127.0.0.1/a.pth"
    assert not question.ok.isEnabled() and "https://" in question.reason.value
    question.url.value = f"{server}/{pth.parent.name}/{pth.name}?version=2"
    assert question.name.value == "facades_label2photo"
    assert not question.ok.isEnabled() and "Paste the SHA-256" in question.reason.value
    question.sha256.value = "12ab"
    assert not question.ok.isEnabled() and "64 hexadecimal" in question.reason.value
    question.name.value = "mine"
    question.sha256.value = hashlib.sha256(pth.read_bytes()).hexdigest()
    assert not question.ok.isEnabled() and "already have" in question.reason.value
    answer(manager, qtbot, name="facades")
    assert manager.models.name == "facades" and not messages
    assert f"{server}/{pth.parent.name}" in manager.models.model.card


def test_a_download_that_fails_gives_a_sentence(manager, qtbot, server, messages):
    manager.buttons.download.native.click()
    url = f"{server}/nothing%20here.pth"
    answer(manager, qtbot, url=url, sha256="0" * 64)
    assert any("404" in text and url in text for text in messages)
    assert listed(manager) == ["micro", "natural", "mine"]


def test_a_name_of_the_users_is_not_overwritten_by_a_suggestion(manager):
    manager.buttons.download.native.click()
    question = asked(manager)
    question.url.value = "http://["  # no address at all
    assert not question.name.value and not question.ok.isEnabled()
    question.url.value = "https://example.org/one.pth"
    assert question.name.value == "one"
    question.url.value = "https://example.org/two%20words.pth"
    assert question.name.value == "two words"
    question.name.value = "facades"
    question.url.value = "https://example.org/three.pth"
    assert question.name.value == "facades"
    question.cancel.click()


@pytest.mark.parametrize(
    ("path", "name"),
    [("facades/latest_net_G.pth", "facades"), ("facades/200_net_G_A.pth", "facades"),
     ("goldens/unet_net_G.pth", "unet_net_G"), ("a/natural.pth", "my model")],
)  # fmt: skip
def test_weights_are_called_like_their_training(path, name):
    assert name_after(Path(path)) == name


# -- running


@pytest.fixture
def endless(monkeypatch):
    """A download that ends only by Stop."""

    def job(*_, **__):
        while (yield Progress(3_000_000, 8_000_000)) is not STOP:
            pass
        raise Stopped("The download was stopped.")

    monkeypatch.setattr(transfer, "import_job", job)


def start_download(manager, qtbot) -> None:
    manager.buttons.download.native.click()
    question = asked(manager)
    question.url.value, question.sha256.value = "https://example.org/a.pth", "0" * 64
    question.ok.click()
    qtbot.waitUntil(
        lambda: manager.work.progress.native.value() == 3000, timeout=ENOUGH
    )
    assert manager.busy


def test_progress_and_stop(manager, qtbot, endless, messages):
    start_download(manager, qtbot)
    assert manager.work.progress.native.maximum() == 8000
    assert visible(manager.work.progress, manager) and visible(
        manager.work.stop, manager
    )
    assert "Downloading 'a'" in manager.work.status.value
    for button in (
        manager.buttons.import_,
        manager.buttons.rename,
        manager.buttons.export,
        manager.buttons.undo,
    ):
        assert not button.enabled
    manager.work.stop.native.click()
    finish(manager, qtbot)
    assert messages == ["The download was stopped."]
    assert not visible(manager.work.progress, manager) and not visible(
        manager.work.stop, manager
    )
    assert manager.work.status.value == messages[0]
    assert manager.buttons.rename.enabled


def test_an_import_is_stopped(manager, qtbot, pth, messages):
    manager.transfer.read(pth)
    manager.work.stop.native.click()
    finish(manager, qtbot)
    assert any("nothing was stored" in text for text in messages)
    assert asked(manager) is None


def test_closing_the_dock_ends_what_runs(viewer, qtbot, endless):
    manager = open_dock(viewer)
    start_download(manager, qtbot)
    manager.buttons.card.native.click()
    control = manager.work.jobs.control
    viewer.window.remove_dock_widget(manager)
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)
    assert control.stop and not manager._card_view.isVisible()


def test_others_hear_of_a_change_that_ends_after_its_dock_was_closed(viewer, qtbot):
    manager = open_dock(viewer)
    colorize = open_dock(viewer, "Colorize")
    choose(manager, "mine")
    manager.buttons.rename.native.click()
    asked(manager).name.value = "renamed"
    asked(manager).ok.click()
    viewer.window.remove_dock_widget(manager)
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)
    qtbot.waitUntil(lambda: "renamed" in colorize.model.choices, timeout=ENOUGH)
    assert "mine" not in colorize.model.choices


def test_one_sentence_tells_what_ended_with_the_dock(viewer, qtbot, messages):
    def stoppable_job():
        while (yield Progress(0, 1)) is not STOP:
            pass
        raise Stopped("The export was stopped; nothing was written.")

    manager = open_dock(viewer)
    manager.work.run("Exporting 'mine'...", stoppable_job(), lambda _: None)
    listed_by_napari = viewer.window._task_status_manager.get_status
    qtbot.waitUntil(lambda: "Executing" in str(listed_by_napari()))
    assert "Model manager: exporting 'mine'" in listed_by_napari()[0]
    viewer.window.remove_dock_widget(manager)
    qtbot.waitUntil(no_jobs, timeout=ENOUGH)
    assert messages == [
        "The export was stopped; nothing was written. The Model manager dock was "
        "closed."
    ]


def test_closing_the_dock_closes_what_it_asks(viewer, qtbot):
    manager = open_dock(viewer)
    manager.buttons.download.native.click()
    question = asked(manager)
    assert question.isVisible()
    viewer.window.remove_dock_widget(manager)
    assert not question.isVisible()


def test_an_imported_model_colours(viewer, qtbot, pth, gray):
    viewer.add_image(gray)
    manager = open_dock(viewer)
    import_file(manager, qtbot, pth)
    answer(manager, qtbot)
    manager.buttons.colorize.native.click()
    colorize = open_dock(viewer, "Colorize")
    colorize.show_preview.value = False
    colorize.run.native.click()
    qtbot.waitUntil(lambda: not colorize.busy, timeout=ENOUGH)
    assert np.ptp(viewer.layers[-1].data, axis=-1).any()
    made = viewer.layers[-1].metadata["colorgan"]
    assert made["model"] == "facades_label2photo"
