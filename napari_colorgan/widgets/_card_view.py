"""A window for a model's card."""

from collections.abc import Iterator

from qtpy.QtCore import QUrl
from qtpy.QtGui import (
    QDesktopServices,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
)
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo

_SIZE = (720, 640)  # px; a table of seven columns fits
_MARGIN = 14  # px


class CardView(QDialog):
    """Stays open beside its parent's window, which can be used meanwhile."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.text = QTextBrowser()
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
        document = self.text.document()
        document.setBaseUrl(QUrl.fromLocalFile(f"{model.path.parent}/"))
        self.text.setMarkdown(model.card)
        _underline_links(document)

    def _on_link(self, url: QUrl) -> None:
        """Open a web page; a card may come from anywhere, other links could harm."""
        if url.scheme() in ("https", "http"):
            QDesktopServices.openUrl(url)


def _underline_links(document: QTextDocument) -> None:
    """Give links the colour of the text: Qt's dark blue is lost on a dark theme."""
    cursor = QTextCursor(document)
    for start, end, form in list(_links(document)):  # a change may join fragments
        form.clearForeground()
        form.setFontUnderline(True)
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        cursor.setCharFormat(form)


def _links(document: QTextDocument) -> Iterator[tuple[int, int, QTextCharFormat]]:
    """Where links begin and end, and how they look."""
    block = document.begin()
    while block.isValid():
        fragments = block.begin()
        while not fragments.atEnd():
            one = fragments.fragment()
            if one.charFormat().isAnchor():
                end = one.position() + one.length()
                yield one.position(), end, one.charFormat()
            fragments += 1
        block = block.next()
