"""For which planes of a stack hints hold; hints are shown on all of these."""

from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, Container, SpinBox
from napari.layers import Points

from napari_colorgan.inference.hints import ENDS
from napari_colorgan.widgets.colorize.hints_table import planes_of

_OWN, _AROUND, _ALL = "their plane", "planes around", "all planes"


class HintsPlanes(Container[Any]):
    """What holds for the hints that are selected, and for those to come."""

    def __init__(self) -> None:
        self.choice = ComboBox(label="Hold for", choices=(_OWN, _AROUND, _ALL))
        self.around = SpinBox(
            label="Planes",
            value=2,
            min=1,
            max=10_000,
            visible=False,
            tooltip="How many before, and as many after",
        )
        super().__init__(widgets=[self.choice, self.around])
        self.margins = (0, 0, 0, 0)
        self.choice.changed.connect(self._on_choice)

    def offer(self, *, stack: bool) -> None:
        """Show it for stacks alone."""
        self.visible = stack
        self._on_choice()

    def tell(self, layer: Points, which: list[int], *, new: bool) -> None:
        """Note in a layer's table for which planes some of its points hold.

        Parameters
        ----------
        new : whether they were just made; where all hold for their own plane alone,
            the table need not say so
        """
        table = {name: column.to_numpy() for name, column in layer.features.items()}
        known = f"{ENDS[0]}-0" in table
        if new and not known and self.choice.value == _OWN:
            return
        reach = {_OWN: 0.0, _AROUND: float(self.around.value), _ALL: np.inf}
        far = reach[str(self.choice.value)]
        for axis in range(layer.ndim - 2):
            own = np.rint(np.asarray(layer.data, float)[:, axis])
            for sign, end in zip((-1, 1), ENDS, strict=True):
                name = f"{end}-{axis}"
                column = np.array(table.get(name, own), float)
                column[which] = own[which] + sign * far
                table[name] = column
        layer.features = table

    def _on_choice(self, *_: object) -> None:
        self.around.visible = self.choice.value == _AROUND


def follow_slider(layer: Points, point: Any) -> bool:
    """Move hints that hold for several planes to the one that is displayed.

    Each goes as near to it as it holds, so that it is seen wherever it does.

    Parameters
    ----------
    point : of the sliders, in the world

    Returns
    -------
    Whether any was moved.
    """
    if f"{ENDS[0]}-0" not in layer.features or not len(layer.data):
        return False
    step = np.asarray(layer.world_to_data(point[-layer.ndim :]))
    data = np.array(layer.data, float)
    ends = planes_of(layer, data)
    for axis in range(layer.ndim - 2):
        first, last = ends[:, axis].T
        wide = first < last
        here = np.full(len(data), round(float(step[axis])))
        data[wide, axis] = np.clip(here, first, last)[wide]
    if np.array_equal(data, layer.data):
        return False
    selected = set(layer.selected_data)
    layer.data = data
    layer.selected_data = selected
    return True
