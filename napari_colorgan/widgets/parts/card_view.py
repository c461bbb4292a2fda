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

from napari_colorgan.checkpoints import beside, zoo
from napari_colorgan.widgets.parts.card_text import shortened
from napari_colorgan.widgets.parts.picture import read_picture

_SIZE = (720, 640)  # px; a table of seven columns fits
_MARGIN = 14  # px
_MOST_PICTURES = 12  # that are looked for; ours name one
_MOST_PIXELS = 1 << 22  # of these; no further one is read
_FEATURES = QTextDocument.MarkdownFeature
_MARKDOWN = _FEATURES.MarkdownDialectGitHub | _FEATURES.MarkdownNoHTML


class _Page(QTextBrowser):
    """Shows Markdown from anywhere, with pictures of one folder and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path()
        self._read: dict[str, QImage] = {}  # pictures of this card

    def show_markdown(self, text: str, folder: Path) -> None:
        """Show a text, whose pictures are looked for in a folder."""
        self._folder = folder
        self._read = {}
        # made aside: in one that is shown, each link would be laid out anew
        document = QTextDocument(self)
        document.setDocumentMargin(_MARGIN)
        document.setMarkdown(shortened(text), _MARKDOWN)
        _underline_links(document)
        self.setDocument(document)  # deletes the one before
        self.verticalScrollBar().setValue(0)

    def loadResource(self, _: int, name: QUrl) -> Any:
        """Load a picture; never nothing, for Qt would then open what is named."""
        path = self._beside(name)
        if path is None:
            return _blank()
        if path.name not in self._read:
            self._read[path.name] = self._picture(path)
        return self._read[path.name]

    def _beside(self, name: QUrl) -> Path | None:
        """Return the path of a file of the folder; None for what is elsewhere."""
        if name.scheme() not in ("", "file") or name.host():
            return None
        path = self._folder / (name.toLocalFile() or name.path())
        try:
            inside = path.resolve().parent == self._folder.resolve()
        except (OSError, ValueError, RuntimeError):  # links in a circle
            return None
        return path if inside else None

    def _picture(self, path: Path) -> QImage:
        """Read a picture; none where it is no picture, or one too many."""
        pixels = sum(one.width() * one.height() for one in self._read.values())
        if pixels > _MOST_PIXELS or len(self._read) >= _MOST_PICTURES:
            return _blank()
        picture = read_picture(beside.read_beside(path))
        return _blank() if picture.isNull() else picture


def _blank() -> QImage:
    blank = QImage(1, 1, QImage.Format.Format_ARGB32)
    blank.fill(0)
    return blank


class CardView(QDialog):
    """Stays open beside its parent's window, which can be used meanwhile."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = _Page()
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

    def _on_link(self, url: QUrl) -> None:
        """Open a web page; a card may come from anywhere, other links could harm."""
        if url.scheme() in ("https", "http"):
            QDesktopServices.openUrl(url)


def _underline_links(document: QTextDocument) -> None:
    """Give links the colour of the text: Qt's dark blue is lost on a dark theme."""
    cursor = QTextCursor(document)
    cursor.beginEditBlock()
    for start, end, look in list(_links(document)):  # a change may join fragments
        look.clearForeground()
        look.setFontUnderline(True)
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        cursor.setCharFormat(look)
    cursor.endEditBlock()


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
