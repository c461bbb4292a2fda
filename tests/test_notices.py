"""Texts from anywhere are shown as they are: nothing in them is loaded or formatted."""

import pytest
from magicgui.widgets import Label, PushButton
from napari._qt.dialogs.qt_notification import NapariQtNotification
from napari.components import ViewerModel
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QMessageBox, QWidget

from napari_colorgan import save
from napari_colorgan.checkpoints import zoo
from napari_colorgan.training import runs
from napari_colorgan.widgets import ColorizeWidget, FineTuneWidget, ModelManagerWidget
from napari_colorgan.widgets.parts import settings as dock_settings
from napari_colorgan.widgets.parts.layout import explain, say, wrap
from napari_colorgan.widgets.parts.notices import once, plain

EVIL = '<img src="{}">x & <b>bold</b> &lt;'


@pytest.fixture
def evil(tmp_path) -> str:
    """A text that shows a large red picture where it is taken for HTML."""
    path = tmp_path / "red.png"
    Image.new("RGB", (300, 200), (255, 0, 0)).save(path)
    return EVIL.format(path)


def is_red(widget: QWidget) -> bool:
    """Whether any of a widget's pixels is red."""
    image = widget.grab().toImage()
    points = [
        image.pixelColor(x, y).getRgb()
        for y in range(0, image.height(), 20)
        for x in range(0, image.width(), 20)
    ]
    return any(red > 200 and green < 60 and blue < 60 for red, green, blue, _ in points)


def test_the_text_is_evil(qtbot, evil):
    label = QLabel(evil)  # as Qt shows texts unless it is told otherwise
    qtbot.addWidget(label)
    label.resize(400, 300)
    assert is_red(label)


@pytest.mark.parametrize(
    "text",
    [
        EVIL,
        "<b>",
        "a <i>b</i>",
        "x &lt; y",
        "\n <h1>x</h1>",
        "<!DOCTYPE html>",
        "<?xml?>",
    ],
)
def test_no_text_looks_like_html(text):
    assert not Qt.mightBeRichText(plain(text))


def test_what_is_read_stays_the_same(evil):
    assert plain(evil).replace("\N{WORD JOINER}", "") == evil
    assert plain("nothing special") == "nothing special"
    assert len(plain("x" * 10_000_000)) < 3000


def test_labels_and_tooltips(qtbot, evil):
    label, button = wrap(Label(value="")), PushButton(text="ok")
    for widget in (label.native, button.native):
        qtbot.addWidget(widget)
    say(label, evil)
    label.native.resize(400, 300)
    assert label.native.textFormat() == Qt.TextFormat.PlainText
    assert label.native.text() == evil and not is_red(label.native)
    explain(button, evil)
    tip = QLabel(button.native.toolTip())  # is made so by Qt
    qtbot.addWidget(tip)
    tip.resize(400, 300)
    assert not is_red(tip)


def test_notifications(qtbot, evil):
    shown = NapariQtNotification(plain(evil), "error")
    qtbot.addWidget(shown)
    shown.resize(500, 300)
    assert not is_red(shown.message)


@pytest.fixture
def named(tmp_path, monkeypatch, make_checkpoint, evil):
    """A model whose description is evil."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path / "training")
    (tmp_path / "models").mkdir()
    made = make_checkpoint("compact", description=evil, license=evil)
    save(made, tmp_path / "models" / "named.safetensors")
    return "named"


def texts(widget: QWidget) -> list[str]:
    """What Qt would take for HTML, if it looks like it."""
    return [part.toolTip() for part in widget.findChildren(QWidget)] + [
        label.text()
        for label in widget.findChildren(QLabel)
        if label.textFormat() != Qt.TextFormat.PlainText
    ]


@pytest.mark.parametrize("dock", [ColorizeWidget, FineTuneWidget, ModelManagerWidget])
def test_no_dock_takes_a_description_for_html(qtbot, named, evil, photo, dock):
    viewer = ViewerModel()
    viewer.add_image(photo, rgb=True, name=evil)
    widget = dock(viewer)
    native = getattr(widget, "native", widget)
    qtbot.addWidget(native)
    if dock is ColorizeWidget:
        widget.show_preview.value = False
        widget.choose_model(named)
        assert widget.models.about.value == evil
    elif dock is FineTuneWidget:
        widget.choose_start(named)
        assert "bold" in widget.form.start.tooltip
    else:
        widget.models.show_models(named)
        assert widget.details.description.text() == evil
    native.resize(400, 900)
    assert not is_red(native)
    for text in texts(native):
        assert "<img" not in text and "<b>" not in text


def test_questions(qtbot, monkeypatch, named, evil):
    asked = []

    def answer(_, title, question) -> QMessageBox.StandardButton:
        asked.append(question)
        return QMessageBox.StandardButton.No

    monkeypatch.setattr(QMessageBox, "question", answer)
    manager = ModelManagerWidget(ViewerModel())
    qtbot.addWidget(manager)
    assert not manager.upkeep.ask(f"Delete '{evil}'?")
    assert "<img" not in asked[0] and "bold" in asked[0]


def test_what_is_said_once_is_not_said_again():
    texts = ("There is no GPU.", "There is no GPU.", "It is full.", "There is no GPU.")
    assert [once(text) for text in texts] == [texts[0], "", "It is full.", ""]
