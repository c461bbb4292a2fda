"""What a model shows of itself: texts, cards and pictures of a stranger's."""

import io
import os
import socket
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.enclosed import (
    CARD_KEY,
    ENCLOSED_KEY,
    PICTURE_KEY,
    Enclosed,
)
from tests.soak.case import Act, Case, marker
from tests.soak.hostile_cards import (
    CARD,
    DIGEST,
    LIST,
    MODELS,
    ODD,
    checkpoint,
    put_model,
)

_QT = (
    "qtpy.QtWidgets",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "napari_colorgan.widgets.models.details",
    "napari_colorgan.widgets.parts.card_view",
)

# -- what is done


def _show_card(_: Path) -> None:
    """Read a card in its window, and click on all of its links."""
    from qtpy.QtCore import QUrl
    from qtpy.QtGui import QDesktopServices
    from qtpy.QtWidgets import QApplication, QWidget

    from napari_colorgan.widgets.parts.card_view import CardView

    opened: list[str] = []
    QDesktopServices.openUrl = lambda url: opened.append(url.scheme())
    app = QApplication([])
    window = QWidget()
    view = CardView(window)
    with socket.create_server(("127.0.0.1", 8765)) as server:
        view.set_model(zoo.find("odd"))
        view.show()
        app.processEvents()
        view.text.grab()
        for form in view.text.document().allFormats():
            if (look := form.toCharFormat()).isAnchor():
                view.text.anchorClicked.emit(QUrl(look.anchorHref()))
        app.processEvents()
        server.setblocking(False)
        try:
            server.accept()
        except BlockingIOError:
            pass
        else:
            raise AssertionError("a server is asked for something")
    assert set(opened) <= {"http", "https"}, f"{opened} is opened"


def _show_model(_: Path) -> None:
    """Choose a model in the Model manager's list, and look at what is said of it."""
    from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

    from napari_colorgan.widgets.models.details import ModelDetails
    from napari_colorgan.widgets.models.model_list import ModelList

    app = QApplication([])
    window = QWidget()
    models, details = ModelList(), ModelDetails()
    layout = QVBoxLayout(window)
    layout.addWidget(models)
    layout.addWidget(details)
    models.show_models("honest")
    assert models.name == "honest", "the others are gone"
    for row in range(models.count()):
        models.setCurrentRow(row)
        details.show_model(models.model, models.problem)
        window.resize(400, 900)
        window.show()
        app.processEvents()
        window.grab()


def _honest(folder: Path) -> Path:
    put_model(folder)
    return put_model(folder, "odd")


SHOW_CARD = Act("the card in its window", _show_card, _honest, _QT)
SHOW_MODEL = Act("the list in the dock", _show_model, _honest, _QT)

# -- texts of metadata

TEXTS = {
    "HTML with /dev/zero": '<img src="/dev/zero">x',
    "HTML with a FIFO": '<img src="pipe.png">x',
    "HTML with a style": '<style>@import url("/dev/zero")</style><table><tr><td>x',
    "HTML a megabyte deep": "<table><tr><td>" * 20_000,
    "escape sequences": "\x1b]0;title\x07\x1b[2J\x1b[31mx\x9b5n",
    "text turned round": "\u202egnp.x\u2066\u2067",
    "half a letter": "\ud800x\udfff",
    "10,000 lines": "x\n" * 10_000,
    "500,000 letters": "x" * 500_000,
    "accents on accents": "x" + "\u0301" * 100_000,
    "NUL": "x\0y",
}


def _with_text(field: str, text: str, folder: Path) -> Path:
    put_model(folder)
    value = {text: [text, {"a": text}]} if field == "training" else text
    path = put_model(folder, "odd", **{field: value})
    path.with_suffix(".md").unlink()
    os.mkfifo(path.with_name("pipe.png"))
    return path


# -- cards

CARDS: dict[str, str] = {
    "a table of 6,000 rows": "|a|b|c|\n|-|-|-|\n" + "| 1 | 2 | 3 |\n" * 6000,
    "rows without bars": "|a|\n|-|\n" + "1\n" * 40_000,
    "a table of 10,000 columns": "\n".join(
        "|" + cell * 10_000 for cell in ("a|", "-|", "1|")
    ),
    "5,000 tables": "|a|\n|-|\n|1|\n\n" * 5000,
    "quotes in quotes": ">" * 90_000,
    "quotes line by line": (">" * 200 + " a\n\n") * 400,
    "lists in lists": "- " * 40_000,
    "a list of 20,000": "- a\n" * 20_000,
    "lists going in and out": "".join("  " * (i % 60) + "- a\n" for i in range(2000)),
    "tasks": "- [ ] a\n" * 10_000,
    "stars": "*a **a " * 13_000,
    "nothing but stars": "*" * 90_000,
    "open brackets": "[" * 90_000,
    "10,000 links": "[a](b) " * 10_000,
    "10,000 addresses": "www.a.b " * 10_000,
    "references": "".join(f"[{i}]: x\n" for i in range(9000)) + "[a][b]" * 100,
    "headings": "# a\n" * 20_000,
    "ticks": "".join("`" * (i % 300) + " " for i in range(900)),
    "fences": "```\na\n```\n" * 9000,
    "entities": "&amp;" * 20_000,
    "one word": "a" * 900_000,
    "accents": "a" + "\u0301" * 90_000,
    "right to left": "\u0627 a " * 20_000,
    "strikes": "~a~" * 30_000,
    "smileys": "\U0001f600" * 40_000,
    "a device as picture": "![z](/dev/zero)",
    "a device by its address": "![z](file:///dev/zero)",
    "a device, linked": "![z](zero.png)",
    "a FIFO as picture": "![z](pipe.png)",
    "a socket as picture": "![z](socket.png)",
    "a folder as picture": "![z](.)",
    "a picture of a server": "![z](http://127.0.0.1:8765/a.png)",
    "a picture in the card": "![z](data:image/svg+xml;base64,PHN2Zy8+)",
    "a picture of Qt's": "![z](qrc:/qt-project.org/qmessagebox/images/qtlogo-64.png)",
    "a picture above": "![z](../../../../../etc/passwd)",
    "SVG that uses itself": "![z](bomb.svg)",
    "SVG with the name of a PNG": "![z](bomb.png)",
    "3,000 pictures": "".join(f"![z](red.png?{i})![z]({i}.png) " for i in range(3000)),
    "30 large pictures": "".join(f"![z](large{i}.png)\n\n" for i in range(30)),
    "HTML": '<img src="/dev/zero"><script>x</script><iframe src="/dev/zero">',
    "HTML that asks a server": '<img src="http://127.0.0.1:8765/a.png">',
    "a style": '<link rel="stylesheet" href="http://127.0.0.1:8765/a.css">',
    "links to programs": "[a](run.desktop) [b](file:///bin/sh) [c](smb://h/x) "
    "[d](javascript:x) [e](ms-word:x) <ssh://-oProxyCommand=x>",
}
"""Cards by what is odd about them."""


def svg_bomb() -> bytes:
    """An SVG in which 10 shapes are used 10 times, and so on, 12 times."""
    uses = "".join(
        f'<g id="g{level + 1}">' + f'<use href="#g{level}"/>' * 10 + "</g>"
        for level in range(12)
    )
    head = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">'
    return f'{head}<rect id="g0" width="9" height="9"/>{uses}</svg>'.encode()


def _with_card(text: str, folder: Path) -> Path:
    put_model(folder)
    path = put_model(folder, "odd")
    path.with_suffix(".md").write_text(text, encoding="utf-8")
    for name, odd in (("zero", "a link to /dev/zero"), ("pipe", "a FIFO")):
        ODD[odd](path.with_name(f"{name}.png"))
    ODD["a socket"](path.with_name("socket.png"))
    for name in ("bomb.svg", "bomb.png"):
        path.with_name(name).write_bytes(svg_bomb())
    path.with_name("red.png").write_bytes(encoded("PNG"))
    if "large" in text:
        content = encoded("PNG", (2000, 2000))
        for number in range(30):
            path.with_name(f"large{number}.png").write_bytes(content)
    program = f"[Desktop Entry]\nType=Application\nExec=touch {marker(folder)}\n"
    path.with_name("run.desktop").write_text(program)
    path.with_name("run.desktop").chmod(0o755)
    return path


# -- pictures


def encoded(kind: str, size: tuple[int, int] = (64, 64), **options: object) -> bytes:
    """A red picture as a file of this kind."""
    content = io.BytesIO()
    Image.new("RGB", size, (220, 30, 30)).save(content, kind, **options)
    return content.getvalue()


def _claiming(width: int, height: int) -> bytes:
    """A JPEG that claims another size than it has."""
    content = bytearray(encoded("JPEG"))
    at = content.index(b"\xff\xc0") + 5
    content[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(content)


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)


def _png(*chunks: bytes, size: tuple[int, int] = (64, 64)) -> bytes:
    """A PNG with more chunks than its picture, which is missing if it is large."""
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    rows = zlib.compress(bytes(min(size[1], 9000) * (1 + 3 * min(size[0], 9000))))
    parts = (head, *chunks, _chunk(b"IDAT", rows), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _many_passes() -> bytes:
    content = encoded("JPEG", (1500, 1500), progressive=True)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * 500 + content[-2:]


def _text_bomb(kind: bytes, head: bytes) -> bytes:
    packed = zlib.compress(bytes(7 << 20), 9)
    return _png(*[_chunk(kind, head + packed)] * 600)


PICTURES: dict[str, Callable[[], bytes]] = {
    "SVG that uses itself": svg_bomb,
    "a GIF": lambda: encoded("GIF"),
    "a TIFF": lambda: encoded("TIFF"),
    "a WebP": lambda: encoded("WEBP"),
    "a BMP": lambda: encoded("BMP"),
    "a PNG": lambda: encoded("PNG"),
    "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n{}loop\n",
    "a JPEG of 60,000 x 60,000 px": lambda: _claiming(60_000, 60_000),
    "a JPEG of 65,500 x 1 px": lambda: _claiming(65_500, 1),
    "a JPEG of no size": lambda: _claiming(0, 0),
    "a JPEG of 8,000 x 8,000 px": lambda: encoded("JPEG", (8000, 8000)),
    "half a JPEG": lambda: encoded("JPEG")[:400],
    "a JPEG of 500 passes": _many_passes,
    "a JPEG with a tail": lambda: encoded("JPEG") + bytes(9 << 20),
    "a JPEG in CMYK": lambda: _cmyk(),
    "a PNG of 60,000 x 60,000 px": lambda: _png(size=(60_000, 60_000)),
    "a PNG of 9,000 x 9,000 px": lambda: _png(size=(9000, 9000)),
    "a PNG with 4 GB of text": lambda: _text_bomb(b"zTXt", b"a\0\0"),
    "a PNG with 4 GB of notes": lambda: _text_bomb(b"iTXt", b"a\0\1\0\0\0"),
    "a PNG with 4 GB of colours": lambda: _text_bomb(b"iCCP", b"a\0\0"),
    "a pickle": lambda: b"\x80\x04cos\nsystem\n(S'touch EXECUTED'\ntR.",
}
"""Content of what is called .jpg."""


def _cmyk() -> bytes:
    content = io.BytesIO()
    Image.new("CMYK", (64, 64)).save(content, "JPEG")
    return content.getvalue()


def _with_picture(make: Callable[[], bytes], folder: Path) -> Path:
    put_model(folder)
    path = put_model(folder, "odd")
    path.with_suffix(".jpg").write_bytes(make())
    path.with_suffix(".md").write_text("# odd\n\n![a](odd.jpg)\n")
    return path


def _with_picture_inside(make: Callable[[], bytes], folder: Path) -> Path:
    path = _with_picture(make, folder)
    beside = path.with_suffix(".jpg")
    content = beside.read_bytes()[:700_000]  # what a header has room for
    beside.unlink()
    path.write_bytes(checkpoint(entries=Enclosed("# odd\n", content).entries(DIGEST)))
    return path


ENCLOSED: dict[str, dict[str, object]] = {
    "the picture is no Base64": {PICTURE_KEY: "\x00\x00"},
    "the picture is a number": {PICTURE_KEY: 7},
    "the picture is a list": {PICTURE_KEY: [[]]},
    "the card is a number": {CARD_KEY: 7},
    "the card is missing": {CARD_KEY: None},
    "the card is half a letter": {CARD_KEY: "\ud800"},
    "the card is another one": {CARD_KEY: "# odd\n\nAnother.\n"},
    "the sum is a list": {ENCLOSED_KEY: []},
    "the sum is empty": {ENCLOSED_KEY: ""},
}


def _with_changed(change: dict[str, object], folder: Path) -> Path:
    put_model(folder)
    path = put_model(folder, "odd")
    entries = Enclosed("# odd\n", encoded("JPEG")).entries(DIGEST) | change
    path.write_bytes(checkpoint(entries=entries))
    return path


def _import_picture(path: Path) -> None:
    """Take the picture beside a model that is imported."""
    from napari_colorgan.checkpoints.pictures import as_jpeg

    content = as_jpeg(zoo.find(path).picture)
    assert len(content) < 1 << 20, "it is stored as it is"


IMPORT_PICTURE = Act(
    "import of a picture",
    _import_picture,
    _honest,
    ("PIL.JpegImagePlugin", "PIL.PngImagePlugin"),
)

# -- all of them


def cases() -> Iterator[Case]:
    """Texts in all fields, cards, and pictures, each where it is shown."""
    for name, text in TEXTS.items():
        for field in ("description", "license", "provenance", "training"):
            prepare = partial(_with_text, field, text)
            acts = (LIST, MODELS, CARD, SHOW_CARD, SHOW_MODEL)
            for act in acts if field == "description" else acts[2:]:
                yield Case(f"{field} is {name}", prepare, act)
    for name, text in CARDS.items():
        for act in (CARD, SHOW_CARD):
            yield Case(f"a card of {name}", partial(_with_card, text), act)
    for name, make in PICTURES.items():
        for act in (SHOW_MODEL, SHOW_CARD, IMPORT_PICTURE):
            yield Case(f"its picture is {name}", partial(_with_picture, make), act)
        prepare = partial(_with_picture_inside, make)
        yield Case(f"the picture in its file is {name}", prepare, SHOW_MODEL)
    for name, change in ENCLOSED.items():
        for act in (LIST, CARD, SHOW_MODEL):
            yield Case(f"in its file {name}", partial(_with_changed, change), act)
