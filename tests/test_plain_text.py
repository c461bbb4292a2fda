"""Text of strangers is shown as it is: Qt takes what looks like HTML for HTML.

It would load the pictures that are named there: `<img src="/dev/zero">` in the
description of a model ended napari.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from magicgui.widgets import CheckBox
from napari.components import ViewerModel
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QListWidget, QWidget

import napari_colorgan.widgets
from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.store import save
from napari_colorgan.training import runs
from napari_colorgan.widgets import ColorizeWidget, FineTuneWidget, ModelManagerWidget
from napari_colorgan.widgets.colorize.planes_range import PlanesRange
from napari_colorgan.widgets.models.questions import ExportQuestion, NameQuestion
from napari_colorgan.widgets.parts import settings as dock_settings
from napari_colorgan.widgets.parts.models_changed import models_changed

EVIL = '<img src="nowhere">x'
NAME = "<b>evil"
WIDGETS = Path(napari_colorgan.widgets.__file__).parent
N = TypeVar("N", bound=ast.AST)

HOMES = {
    "QLabel": "parts/layout.py",
    "notifications.show_info": "parts/notices.py",
    "notifications.show_warning": "parts/notices.py",
    "notifications.show_error": "parts/notices.py",
    "QMessageBox.question": "parts/notices.py",
    "QMessageBox.warning": "parts/notices.py",
}
"""The one room where each of these is called as Qt or napari gives it."""


def in_room(path: Path) -> str:
    return path.relative_to(WIDGETS).as_posix()


@pytest.fixture
def evil(tmp_path, monkeypatch, make_checkpoint):
    """A model all of whose texts, and a file all of whose name, look like HTML."""
    monkeypatch.setattr(zoo, "user_folder", lambda: tmp_path)
    monkeypatch.setattr(dock_settings, "settings_file", lambda: tmp_path / "last.json")
    monkeypatch.setattr(runs, "training_folder", lambda: tmp_path / "training")
    made = make_checkpoint(
        "compact",
        description=EVIL,
        license=EVIL,
        provenance=f"Trained by fine-tune from {EVIL} on pairs of the user: {EVIL}.",
    )
    save(made, tmp_path / f"{NAME}.safetensors")
    (tmp_path / "<i>torn.safetensors").touch()
    return zoo.find(NAME)


@pytest.fixture
def docks(qtbot, evil, photo):
    """The three docks, with that model chosen and layers of such names."""
    viewer = ViewerModel()
    viewer.add_image(photo[..., 0], name=EVIL)
    viewer.add_image(photo, rgb=True, name=f"{EVIL} in colour")
    docks = [kind(viewer) for kind in (ColorizeWidget, FineTuneWidget)]
    docks.append(ModelManagerWidget(viewer))
    for dock in docks:
        qtbot.addWidget(dock)
    docks[0].show_preview.value = False
    docks[0].model.value = NAME
    docks[1].form.start.value = NAME
    yield docks
    models_changed.disconnect(docks[2]._on_models_changed)


def check(widget: QWidget) -> set[str]:
    """Fail for a text that Qt may take for HTML; return all texts of labels."""
    for part in (widget, *widget.findChildren(QWidget)):
        assert not Qt.mightBeRichText(part.toolTip()), part.toolTip()
    labels = widget.findChildren(QLabel)
    for label in labels:
        is_plain = label.textFormat() == Qt.TextFormat.PlainText
        assert is_plain or not Qt.mightBeRichText(label.text()), label.text()
    return {label.text() for label in labels}


def test_labels_and_tooltips_of_all_docks(docks, evil):
    colorize, fine_tune, manager = docks
    assert EVIL in check(colorize)
    check(fine_tune)
    models = manager.findChild(QListWidget)
    for row in range(models.count()):
        models.setCurrentRow(row)
        texts = check(manager)
        if row == 2:
            assert EVIL in texts
        assert not Qt.mightBeRichText(models.item(row).toolTip())
    assert "'<i>torn' cannot be read, because it is empty. Fetch it again." in texts


def test_axes_of_a_stack(qtbot):
    planes = PlanesRange(CheckBox())
    qtbot.addWidget(planes.native)
    planes.follow([(EVIL, 5)])
    assert len(check(planes.native)) == 2


def test_windows_that_ask(docks, evil, qtbot):
    for question in (
        ExportQuestion(docks[2], evil),
        NameQuestion(docks[2], f"Rename {EVIL}", EVIL, old=EVIL),
    ):
        check(question)


def test_labels_and_notices_are_made_in_one_room():
    for path, node in calls():
        name = ast.unparse(node.func)
        if name in HOMES:
            assert in_room(path) == HOMES[name], f"{in_room(path)}: {name}"


def test_tooltips_are_our_own_words_or_made_plain():
    for path, node in calls():
        texts = [pair.value for pair in node.keywords if pair.arg == "tooltip"]
        if isinstance(node.func, ast.Attribute) and node.func.attr == "setToolTip":
            texts.append(node.args[-1])
        for text in texts:
            assert is_safe(text), f"{in_room(path)}: {ast.unparse(node)}"
    for path, node in nodes(ast.Assign):
        if ast.unparse(node.targets[0]).endswith(".tooltip"):
            assert is_safe(node.value), f"{in_room(path)}: {ast.unparse(node)}"


def is_safe(node: ast.expr) -> bool:
    """Whether a text is a constant of ours, made plain, or one of several such."""
    if isinstance(node, ast.IfExp):
        return is_safe(node.body) and is_safe(node.orelse)
    if isinstance(node, ast.JoinedStr):  # a number, or a line of ours
        return all(
            isinstance(part, ast.Constant)
            or part.format_spec is not None
            or ast.unparse(part.value).startswith("install_line(")
            for part in node.values
        )
    constant = isinstance(node, ast.Constant) or ast.unparse(node).isupper()
    return constant or ast.unparse(node).startswith("plain(")


def calls() -> Iterator[tuple[Path, ast.Call]]:
    return nodes(ast.Call)


def nodes(kind: type[N]) -> Iterator[tuple[Path, N]]:
    """All nodes of a kind in all sources of widgets."""
    for path in sorted(WIDGETS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, kind):
                yield path, node
