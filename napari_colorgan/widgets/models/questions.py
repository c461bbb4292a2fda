"""Small windows that ask for what a change of the models needs."""

import contextlib
import dataclasses
import re
from typing import TYPE_CHECKING, Any, get_args

from magicgui.widgets import ComboBox, Container, Label, LineEdit, Widget
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.download import check_sha256, check_url
from napari_colorgan.checkpoints.extras import install_line
from napari_colorgan.checkpoints.formats import (
    FORMATS,
    ExportAs,
    FileFormat,
    name_after,
)
from napari_colorgan.checkpoints.metadata import Context, Statistics
from napari_colorgan.errors import BadSetting
from napari_colorgan.widgets.parts.keyboard import name_controls
from napari_colorgan.widgets.parts.layout import say, wrap

if TYPE_CHECKING:  # torch; nothing here is read by a form
    from napari_colorgan.checkpoints.imports import Import

_WIDTH = 440  # px


class Question(QDialog):
    """Rows and what is wrong with them; OK once nothing is.

    It blocks its parent's window and nothing else: jobs and their slots go on.
    """

    def __init__(
        self, parent: QWidget, title: str, rows: list[Widget], text: str = ""
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.about = wrap(Label(value="", visible=False))
        self.about.native.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse  # it may name a command
        )
        self.reason = wrap(Label(value="", visible=False))
        self._rows: Container[Any] = Container(widgets=rows)
        self._rows.margins = (0, 0, 0, 0)
        choices = QDialogButtonBox.StandardButton
        buttons = QDialogButtonBox(choices.Ok | choices.Cancel)
        self.ok = buttons.button(choices.Ok)
        self.cancel = buttons.button(choices.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        for part in (self.about, self._rows, self.reason):
            layout.addWidget(part.native)
        layout.addWidget(buttons)
        name_controls(self)
        self.setFixedWidth(_WIDTH)
        say(self.about, text)
        self._rows.changed.connect(self._update)
        self._update()

    def problem(self) -> str:
        """Say what is wrong with the rows; empty if nothing is."""
        return ""

    def _update(self, *_: object) -> None:
        problem = self.problem()
        say(self.reason, problem)
        self.ok.setEnabled(not problem)
        self.adjustSize()  # rows and sentences come and go


class NameQuestion(Question):
    """Asks for a name.

    Parameters
    ----------
    old : the name that a model has now; another case of it is possible
    """

    def __init__(self, parent: QWidget, title: str, name: str, old: str = "") -> None:
        self.name = LineEdit(label="Name", value=name)
        self._old = old
        super().__init__(parent, title, [self.name])
        self.name.native.selectAll()

    def problem(self) -> str:
        """Say what is wrong with the name."""
        return _problem_of_name(self.name.value, self._old)


class DownloadQuestion(Question):
    """Asks for a file on the internet, and how the model is to be called."""

    def __init__(self, parent: QWidget) -> None:
        self.url = LineEdit(
            label="Address",
            tooltip="Of a .safetensors, .pth or .zip file, by https or http",
        )
        self.sha256 = LineEdit(
            label="SHA-256",
            tooltip="64 hexadecimal digits, which the source of the model tells: only "
            "that file is accepted",
        )
        self.name = LineEdit(label="Name")
        self._suggested = ""
        super().__init__(parent, "Download", [self.url, self.sha256, self.name])
        self.url.changed.connect(self._suggest_name)

    def problem(self) -> str:
        """Say what is wrong with address, digest or name."""
        if not self.url.value.strip():
            return "Where is the file? Paste its address."
        try:
            check_url(self.url.value)
            if not self.sha256.value.strip():
                return "Paste the SHA-256 of the file."
            check_sha256(self.sha256.value)
        except BadSetting as error:
            return str(error)
        return _problem_of_name(self.name.value)

    def _suggest_name(self, url: str) -> None:
        """Call it like the file, unless the user has named it."""
        if self.name.value != self._suggested:
            return
        with contextlib.suppress(ValueError):  # it is not an address yet
            self._suggested = name_after(url)
            self.name.value = self._suggested


class ImportQuestion(Question):
    """Asks what a file does not tell; defaults are what is most likely."""

    def __init__(self, parent: QWidget, imported: "Import", name: str) -> None:
        about = imported.metadata
        self._imported = imported
        self.name = LineEdit(label="Name", value=name)
        self.context = ComboBox(
            label="Context",
            choices=get_args(Context),
            value=about.context,
            tooltip="whole: the picture is seen at once, reduced (photographs, "
            "pictures that were resized to train); local: in windows at full "
            "resolution (micrographs)",
        )
        self.statistics = ComboBox(
            label="Statistics",
            choices=get_args(Statistics),
            value=about.statistics,
            tooltip="picture: normalise by the mean and variance of each picture, as "
            "the pix2pix code's test program does; stored: by those of the training, "
            "as its option --eval does",
        )
        self.license = LineEdit(
            label="Licence", value=about.license, tooltip="If you know it"
        )
        rows: list[Widget] = [self.name]
        if not imported.ours:
            rows.append(self.context)
            if about.options["norm"] == "batch":  # others have no choice
                rows.append(self.statistics)
            rows.append(self.license)
        kind = f"{imported.source.kind.capitalize()}. {about.description}"
        # a label breaks no line within 64 digits
        note = re.sub("[0-9a-f]{16}", r"\g<0> ", imported.note).strip()
        text = f"{kind}\n\n{note}".strip()
        super().__init__(parent, f"Import {imported.source.path.name}", rows, text)

    def answered(self) -> "Import":
        """Return the model as it is to be used."""
        if self._imported.ours:
            return self._imported
        return self._imported.using(
            dataclasses.replace(
                self._imported.metadata,
                context=self.context.value,
                statistics=self.statistics.value,
                license=self.license.value.strip(),
            )
        )

    def problem(self) -> str:
        """Say what is wrong with the name."""
        return _problem_of_name(self.name.value)


class ExportQuestion(Question):
    """Asks for the format, and what a package has to state."""

    def __init__(self, parent: QWidget, model: zoo.Model) -> None:
        self.format = ComboBox(
            label="Format",
            choices=[(_offer(each), name) for name, each in FORMATS.items()],
        )
        for row, each in enumerate(FORMATS.values()):
            self.format.native.model().item(row).setEnabled(each.installed)
        self.authors = LineEdit(
            label="Authors", tooltip="Who made the model; names with commas between"
        )
        self.license = LineEdit(
            label="Licence",
            value=model.metadata.license,
            tooltip="SPDX identifier, such as CC-BY-4.0",
        )
        rows: list[Widget] = [self.format, self.authors, self.license]
        everything = all(each.installed for each in FORMATS.values())
        about = "" if everything else f"For all formats, run: {install_line('all')}"
        super().__init__(parent, f"Export {model.name}", rows, about)

    def answered(self) -> ExportAs:
        """Return the format, and what a package states."""
        if self.format.value != "bioimageio":
            return ExportAs(format=self.format.value)
        authors = (author.strip() for author in self.authors.value.split(","))
        return ExportAs(
            format=self.format.value,
            authors=tuple(author for author in authors if author),
            license=self.license.value.strip(),
        )

    def problem(self) -> str:
        """Say what is missing for a package."""
        answered = self.answered()
        if answered.format != "bioimageio" or (answered.authors and answered.license):
            return ""
        return "A package names its authors and a licence, such as CC-BY-4.0."

    def _update(self, *_: object) -> None:
        for row in (self.authors, self.license):
            row.visible = self.format.value == "bioimageio"
        super()._update()


def _offer(format: FileFormat) -> str:
    known = f"{format.title} ({format.suffix})"
    return known if format.installed else f"{known}: not installed"


def _problem_of_name(name: str, old: str = "") -> str:
    same = name.strip().casefold() == old.casefold()
    try:
        zoo.check_name(name, taken_too=same)
    except zoo.NameTaken:
        return f"You already have a model called '{name.strip()}'."
    except BadSetting as error:
        return str(error)
    return ""
