"""Model cards as they are read in napari."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from qtpy.QtCore import QEvent, QUrl
from qtpy.QtGui import QDesktopServices, QTextFormat, QTextTable
from qtpy.QtWidgets import QApplication, QWidget

from napari_colorgan.checkpoints import beside, zoo
from napari_colorgan.checkpoints.enclosed import Enclosed, enclose
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.pictures import decoded
from napari_colorgan.widgets.parts import settings as dock_settings
from napari_colorgan.widgets.parts.card_text import shortened
from napari_colorgan.widgets.parts.card_view import CardView
from napari_colorgan.widgets.parts.picture import read_picture

ENOUGH = 60_000  # ms
LONG = "# A model\n\n" + "A sentence of its card.\n\n" * 200
TABLE = "| pictures | gain |\n|---|---|\n| smears | **+7 dB** |\n"


@pytest.fixture
def view(qtbot):
    parent = QWidget()
    qtbot.addWidget(parent)
    yield CardView(parent)


@pytest.fixture
def make_model(tmp_path):
    """Make a model with a card; nothing reads its weights."""

    def make(card: str, name: str = "mine") -> zoo.Model:
        path = tmp_path / f"{name}.safetensors"
        path.with_suffix(".md").write_text(card, encoding="utf-8")
        return zoo.Model(name, path, Metadata(generator="compact"))

    return make


def links(view: CardView):
    """Formats of the links that are shown, by where they lead."""
    cursor = view.text.textCursor()
    found = {}
    for position in range(1, view.text.document().characterCount()):
        cursor.setPosition(position)
        if cursor.charFormat().isAnchor():
            found[cursor.charFormat().anchorHref()] = cursor.charFormat()
    return found


def test_markdown_is_rendered(view, make_model):
    view.set_model(make_model(f"# Größe\n\n{TABLE}"))
    text = view.text.toPlainText()
    assert "Größe" in text and "+7 dB" in text
    assert not set("#|*") & set(text)
    (table,) = view.text.document().rootFrame().childFrames()
    assert isinstance(table, QTextTable) and (table.rows(), table.columns()) == (2, 2)
    assert "mine" in view.windowTitle()


def test_a_long_card_scrolls_and_the_next_one_begins_at_its_top(view, make_model):
    view.set_model(make_model(LONG))
    view.show()
    bar = view.text.verticalScrollBar()
    assert bar.maximum() > 1000
    bar.setValue(bar.maximum())
    view.set_model(make_model(LONG, "another"))
    assert bar.value() == 0


@pytest.mark.parametrize("name", ["examples.jpg", "with blank.jpg"])
def test_pictures_are_found_beside_the_checkpoint(
    view, make_model, tmp_path, monkeypatch, name
):
    Image.fromarray(np.full((60, 60, 3), (230, 20, 20), np.uint8)).save(tmp_path / name)
    monkeypatch.chdir("/")
    view.set_model(make_model(f"![examples](<{name}>)"))
    view.show()
    page = view.text.grab().toImage()
    middle = page.pixelColor(40, 40)
    assert middle.red() > 200 and middle.green() < 60


def test_pictures_of_a_checkpoint_with_a_relative_path_are_found(
    view, make_model, tmp_path, monkeypatch
):
    Image.fromarray(np.full((60, 60, 3), (230, 20, 20), np.uint8)).save(
        tmp_path / "examples.jpg"
    )
    model = make_model("![examples](examples.jpg)")
    monkeypatch.chdir(tmp_path)
    relative = Path(model.path.name)
    view.set_model(zoo.Model("mine", relative, model.metadata))
    view.show()
    assert view.text.grab().toImage().pixelColor(40, 40).red() > 200


def test_links_have_the_colour_of_the_text_and_are_underlined(view, make_model):
    inside = "| a |\n|---|\n| [table](https://b.org) |\n"
    twins = "[a](https://a.org)[a](https://a.org), **[bold](https://c.org)**"
    view.set_model(make_model(f"{twins}\n\n- [item](https://d.org)\n\n{inside}"))
    found = links(view)
    assert set(found) == {f"https://{letter}.org" for letter in "abcd"}
    for form in found.values():
        assert form.fontUnderline()
        assert not form.hasProperty(QTextFormat.Property.ForegroundBrush)


def test_only_web_pages_are_opened(view, make_model, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    view.set_model(make_model(LONG))
    pages = ["https://napari.org/a?b#c", "http://example.org"]
    others = ["run.desktop", "file:///bin/sh", "smb://host/x", "#below", "ms-word:x"]
    for address in pages + others:
        view.text.anchorClicked.emit(QUrl(address))
    assert [url.toString() for url in opened] == pages
    assert "A sentence" in view.text.toPlainText()  # and the card is still there


def shows_red(view: CardView) -> bool:
    view.show()
    page = view.text.grab().toImage()
    points = [page.pixelColor(x, y) for x in range(0, 300, 9) for y in range(0, 300, 9)]
    return any(point.red() > 200 and point.green() < 60 for point in points)


@pytest.mark.parametrize(
    "where", ["/dev/zero", "file:///dev/zero", "zero.png", "pipe.png", "nothing.png"]
)
def test_what_is_no_picture_is_not_opened(view, make_model, tmp_path, where):
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.png")
    view.set_model(make_model(f"![z]({where}) the end"))  # or memory runs out
    view.show()
    view.text.grab()
    assert "the end" in view.text.toPlainText()


@pytest.mark.parametrize("how", ["absolute", "above", "link", "html", "svg", "endless"])
def test_pictures_of_elsewhere_or_of_other_kinds_are_left_out(
    view, make_model, tmp_path, how
):
    red = Image.new("RGB", (90, 90), (230, 20, 20))
    (tmp_path / "models").mkdir()
    model = make_model("", "models/mine")
    red.save(tmp_path / "red.png")
    red.save(tmp_path / "models" / "beside.png")
    (tmp_path / "models" / "link.png").symlink_to(tmp_path / "red.png")
    (tmp_path / "models" / "red.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90">'
        '<rect width="90" height="90" fill="red"/></svg>'
    )
    with (tmp_path / "models" / "endless.png").open("wb") as file:
        file.write((tmp_path / "red.png").read_bytes())
        file.truncate(9_000_000)
    markdown = {
        "absolute": f"![a]({tmp_path / 'red.png'})",
        "above": "![a](../red.png)",
        "link": "![a](link.png)",
        "html": '<img src="beside.png">',
        "svg": "![a](red.svg)",
        "endless": "![a](endless.png)",
    }
    model.path.with_suffix(".md").write_text(markdown[how])
    view.set_model(model)
    assert not shows_red(view)
    model.path.with_suffix(".md").write_text("![a](beside.png)")
    view.set_model(model)
    assert shows_red(view)


def test_a_picture_that_would_fill_the_memory_is_left_out(tmp_path):
    Image.new("1", (8000, 8000)).save(tmp_path / "bomb.png")
    assert (tmp_path / "bomb.png").stat().st_size < 100_000
    assert read_picture((tmp_path / "bomb.png").read_bytes()).isNull()


def test_a_jpeg_of_a_thousand_passes_is_left_out():
    file = io.BytesIO()
    Image.new("RGB", (300, 300), "red").save(file, "JPEG", progressive=True)
    content = file.getvalue()
    assert decoded(content) is not None
    last = content.rindex(b"\xff\xda")  # a pass may be there again and again
    assert decoded(content[:last] + content[last:-2] * 1000 + content[-2:]) is None


def test_a_card_names_pictures_without_end(view, make_model, tmp_path, monkeypatch):
    for number in range(30):
        Image.new("RGB", (9, 9)).save(tmp_path / f"{number}.png")
    asked, read = [], beside.read_beside

    def read_beside(path, *most):
        asked.extend([path.name] if path.suffix == ".png" else [])
        return read(path, *most)

    monkeypatch.setattr(beside, "read_beside", read_beside)
    names = "".join(f"![a]({n}.png)![a]({n}.png?{n})\n\n" for n in range(30))
    view.set_model(make_model(names))
    view.show()
    view.text.grab()
    assert len(asked) == len(set(asked)) == 12


def test_html_is_shown_as_it_is(view, make_model):
    view.set_model(make_model('<b>bold</b> <a href="https://a.org">link</a>'))
    assert "<b>bold</b>" in view.text.toPlainText() and not links(view)


@pytest.mark.parametrize("part", ["word ", "|a|b|\n|-|-|\n", "1\n", "- a\n", "w\n\n"])
def test_a_card_without_end_is_cut(view, make_model, part):
    table = "|1|\n|-|\n" if part == "1\n" else ""
    assert shortened(table + part * 20) == table + part * 20
    view.set_model(make_model(table + part * 30_000))
    document = view.text.document()
    assert document.toPlainText().endswith("open its file to read on.")
    # Qt's time grows with the square of the rows of tables and of the items of lists
    assert document.characterCount() < 17_000 and document.blockCount() < 600
    assert all(frame.rows() <= 120 for frame in document.rootFrame().childFrames())


def test_a_device_beside_a_model_is_no_card(make_model, tmp_path):
    model = make_model("")
    for suffix in (".md", ".jpg"):
        path = model.path.with_suffix(suffix)
        path.unlink(missing_ok=True)
        path.symlink_to("/dev/zero")
    assert model.own_card == "" and not model.picture


# -- in the dock


@pytest.fixture
def models(tmp_path, monkeypatch, make_checkpoint):
    """The user's folder with two models, and the settings file."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path / "models")
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    for name in ("first", "second"):
        zoo.install(make_checkpoint("compact"), name, f"# Card of the {name}\n")


def open_dock(viewer):
    _, widget = viewer.window.add_plugin_dock_widget("napari-colorgan", "Colorize")
    widget.show_preview.value = False
    widget.model.value = "first"
    return widget, widget.models._card


def delete_closed() -> None:
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def test_the_card_of_the_chosen_model_is_a_click_away(
    make_napari_viewer, plugin, models
):
    widget, card = open_dock(make_napari_viewer())
    assert not card.isVisible()
    widget.models.read_card.native.click()
    assert card.isVisible() and not card.isModal()
    assert "Card of the first" in card.text.toPlainText()
    widget.model.value = "second"
    assert "Card of the second" in card.text.toPlainText()
    enclose(zoo.find("second").path, Enclosed("# Made anew"))
    widget.choose_model("second")
    assert "Made anew" in card.text.toPlainText()


def test_the_card_closes_with_its_dock(make_napari_viewer, plugin, models):
    viewer = make_napari_viewer()
    widget, card = open_dock(viewer)
    widget.models.read_card.native.click()
    viewer.window.remove_dock_widget(widget)
    delete_closed()
    assert not card.isVisible()


def test_the_card_closes_with_the_viewer(make_napari_viewer, plugin, models):
    viewer = make_napari_viewer()
    widget, card = open_dock(viewer)
    widget.models.read_card.native.click()
    viewer.close()
    delete_closed()
    assert card not in QApplication.topLevelWidgets()


def test_a_model_without_a_file_has_no_card(make_napari_viewer, plugin, models):
    widget, card = open_dock(make_napari_viewer())
    widget.models.read_card.native.click()
    zoo.find("second").path.unlink()
    widget.model.value = "second"
    assert not card.isVisible() and not widget.models.read_card.enabled
    assert "no model or checkpoint file called 'second'" in widget.models.about.value
    widget.model.value = "first"
    assert widget.models.read_card.enabled
