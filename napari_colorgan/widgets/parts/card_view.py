"""A window for a model's card."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import (
    QDesktopServices,
    QImage,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo
from napari_colorgan.widgets.parts.notices import cut
from napari_colorgan.widgets.parts.picture import read_picture

_SIZE = (720, 640)  # px; a table of seven columns fits
_MARGIN = 14  # px
_MOST = 64_000  # letters of a card; ours have 5,000
_FEATURES = QTextDocument.MarkdownFeature
_MARKDOWN = _FEATURES.MarkdownDialectGitHub | _FEATURES.MarkdownNoHTML


class _Page(QTextBrowser):
    """Shows Markdown from anywhere, with pictures of one folder and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path()

    def show_markdown(self, text: str, folder: Path) -> None:
        """Show a text, whose pictures are looked for in a folder."""
        self.folder = folder
        if len(text) > _MOST:
            text = (
                cut(text, _MOST) + "\n\nThe card is longer; open its file to read on."
            )
        self.document().setMarkdown(text, _MARKDOWN)

    def loadResource(self, _: int, name: QUrl) -> Any:
        """Load a picture; never nothing, for Qt would then open what is named."""
        picture = self._picture(name)
        if not picture.isNull():
            return picture
        blank = QImage(1, 1, QImage.Format.Format_ARGB32)
        blank.fill(0)
        return blank

    def _picture(self, name: QUrl) -> QImage:
        """Read a picture of the folder; null for files elsewhere, or none."""
        if name.scheme() not in ("", "file") or name.host():
            return QImage()
        path = self.folder / (name.toLocalFile() or name.path())
        try:
            inside = path.resolve().parent == self.folder.resolve()
        except (OSError, ValueError, RuntimeError):  # links in a circle
            return QImage()
        return read_picture(zoo.read_beside(path)) if inside else QImage()


class CardView(QDialog):
    """Stays open beside its parent's window, which can be used meanwhile."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = _Page()
        self.text.document().setDocumentMargin(_MARGIN)
        self.text.setOpenLinks(False)
        self.text.anchorClicked.connect(self._on_link)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        self.resize(*_SIZE)

    def set_model(self, model: zoo.Model) -> None:
        """Show the card of this model; its pictures are looked for beside its file."""
        self.setWindowTitle(f"Model card: {model.name}")
        self.text.show_markdown(model.card, model.path.parent)
        _underline_links(self.text.document())

    def _on_link(self, url: QUrl) -> None:
        """Open a web page; a card may come from anywhere, other links could harm."""
        if url.scheme() in ("https", "http"):
            QDesktopServices.openUrl(url)


def _underline_links(document: QTextDocument) -> None:
    """Give links the colour of the text: Qt's dark blue is lost on a dark theme."""
    cursor = QTextCursor(document)
    for start, end, look in list(_links(document)):  # a change may join fragments
        look.clearForeground()
        look.setFontUnderline(True)
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        cursor.setCharFormat(look)


def _links(document: QTextDocument) -> Iterator[tuple[int, int, QTextCharFormat]]:
    """Where links begin and end, and how they look."""
    block = document.begin()
    while block.isValid():
        fragments = block.begin()
        while not fragments.atEnd():
            fragment = fragments.fragment()
            if fragment.charFormat().isAnchor():
                end = fragment.position() + fragment.length()
                yield fragment.position(), end, fragment.charFormat()
            fragments += 1
        block = block.next()
