"""What is said in windows that are not ours: as it is, whatever it contains.

Qt takes texts that look like HTML for HTML, and loads the pictures these name.
"""

import re

from napari.utils import notifications
from qtpy.QtWidgets import QMessageBox, QWidget

_MOST = 2000  # letters; nobody reads more in a dock
DESCRIPTION = 300
"""Letters of what a model says of itself in a dock; its card has room for more."""
_SAID: set[str] = set()  # by `once`, in all viewers of this process
_NOT_A_TAG = "\N{WORD JOINER}"  # behind < or &: of no width, and neither tag nor entity


def plain(text: object) -> str:
    """Return a text that Qt shows as it is, cut where it is endless."""
    return re.sub("<|&(?=lt;)", rf"\g<0>{_NOT_A_TAG}", cut(str(text)))


def cut(text: str, most: int = _MOST) -> str:
    """Return a text, or its beginning."""
    return text if len(text) <= most else f"{text[:most]}..."


def ask(parent: QWidget, title: str, question: str) -> bool:
    """Ask the user; whether the answer is yes."""
    answer = QMessageBox.question(parent, title, plain(question))
    return bool(answer == QMessageBox.StandardButton.Yes)


def show_info(text: object) -> None:
    """Tell the user something."""
    notifications.show_info(plain(text))


def show_warning(text: object) -> None:
    """Tell the user what may be wrong."""
    notifications.show_warning(plain(text))


def show_error(text: object) -> None:
    """Tell the user what went wrong."""
    notifications.show_error(plain(text))


def once(text: str) -> str:
    """Return a text that is new to this session; empty where it was said before."""
    new = "" if text in _SAID else text
    _SAID.add(text)
    return new
