"""From which plane to which a stack is coloured."""

from collections.abc import Sequence
from typing import Any

from magicgui.widgets import Container, SpinBox, Widget

from napari_colorgan.widgets.parts.keyboard import name_controls, reach_after
from napari_colorgan.widgets.parts.notices import plain

Row = tuple[SpinBox, SpinBox]


class PlanesRange(Container[Any]):
    """The first and the last plane along each axis that is stepped through.

    Parameters
    ----------
    after : the control that these stand below
    """

    def __init__(self, after: Widget) -> None:
        super().__init__(labels=False)
        self._after = after
        self.margins = (0, 0, 0, 0)
        self.rows: list[Row] = []
        self._axes: list[tuple[str, int]] = []

    def follow(self, axes: Sequence[tuple[str, int]]) -> None:
        """Offer the planes of a layer: the names of its axes, and their lengths.

        What was chosen stays where there is such a plane.
        """
        if list(axes) == self._axes:
            return
        chosen, self._axes = self.between(), list(axes)
        with self.changed.blocked():
            self.clear()
            self.rows = []
            for number, (name, length) in enumerate(axes):
                known = chosen[number] if number < len(chosen) else (0, length - 1)
                self._add(name, length, *known)
        name_controls(self.native)
        ends = [end.native for row in self.rows for end in row]
        reach_after(self._after.native, ends)
        self.changed.emit(self)

    def between(self) -> tuple[tuple[int, int], ...]:
        """Return the first and the last plane along each axis."""
        return tuple((int(first.value), int(last.value)) for first, last in self.rows)

    def _add(self, name: str, length: int, first: int, last: int) -> None:
        most, name = length - 1, plain(name)  # of a file's axis, from anywhere
        about = (
            f"Of the planes along {name}, counted from 0 as by the slider; the last "
            "one is coloured, too"
        )
        row = [
            SpinBox(
                label=label,
                value=min(value, most),
                min=0,
                max=most,
                tooltip=plain(about),
            )
            for label, value in ((f"{name} from", first), ("to", last))
        ]
        start, stop = row
        start.changed.connect(lambda at: _keep(stop, at, at > stop.value))
        stop.changed.connect(lambda at: _keep(start, at, at < start.value))
        line: Container[Any] = Container(widgets=row, layout="horizontal")
        line.margins = (0, 0, 0, 0)
        self.append(line)
        self.rows.append((start, stop))


def _keep(other: SpinBox, at: int, passed: bool) -> None:
    """Let the other end of a range go along with the one that passed it."""
    if passed:
        other.value = at
