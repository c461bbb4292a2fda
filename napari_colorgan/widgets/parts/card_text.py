"""As much of a model card as Qt can lay out in an instant.

What comes after is cut off: Qt's time grows with the square of the rows of a table and
of the items of a list, and of some texts without end.
"""

from collections.abc import Iterator

_MOST_LETTERS = 16_000  # ours have 5,000
_MOST_LINES = 500
_MOST_ROWS = 120  # of all tables
_MORE = "\n\nThe card is longer; open its file to read on."


def shortened(text: str) -> str:
    """Return Markdown, or its beginning and a sentence that says so."""
    kept = "\n".join(_beginning(text))
    return kept if len(kept) == len(text) else f"{kept.rstrip()}{_MORE}"


def _beginning(text: str) -> Iterator[str]:
    letters = rows = 0
    in_table = False
    # no other sign breaks a line of Markdown; none of the rest is looked at
    for line in text[: 2 * _MOST_LETTERS].split("\n")[:_MOST_LINES]:
        # a table ends with an empty line, and its rows need no bars
        in_table = "|" in line or (in_table and bool(line.strip()))
        rows += in_table
        letters += len(line) + 1
        if rows > _MOST_ROWS:
            return
        if letters > _MOST_LETTERS:
            yield line[: max(0, len(line) + 1 + _MOST_LETTERS - letters)]
            return
        yield line
