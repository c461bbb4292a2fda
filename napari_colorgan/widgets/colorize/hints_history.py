"""Undo and redo for a layer of points."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Points

_TOGETHER = 0.5  # s; points dragged in between are one change
_MOST = 200  # states


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    data: Any
    colors: Any
    sizes: Any
    features: Any

    @classmethod
    def of(cls, layer: Points) -> "_State":
        sizes = np.broadcast_to(np.asarray(layer.size, float), len(layer.data))
        return cls(
            np.array(layer.data, float),
            np.array(layer.face_color, float),
            sizes.copy(),
            layer.features.copy(),
        )

    def same(self, other: "_State") -> bool:
        return all(
            np.array_equal(a, b)
            for a, b in (
                (self.data, other.data),
                (self.colors, other.colors),
                (self.sizes, other.sizes),
            )
        ) and self.features.equals(other.features)

    def recolors_nothing(self, other: "_State") -> bool:
        """Whether as many points have the same colours, wherever they are."""
        return np.array_equal(self.colors, other.colors)


class History:
    """States of a layer, the latest last."""

    def __init__(
        self, layer: Points, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._layer = layer
        self._clock = clock
        self._states = [_State.of(layer)]
        self._undone: list[_State] = []
        self._noted = float("-inf")
        self.deaf = False
        """Whether what changes is no doing of the user's."""

    @contextmanager
    def unheard(self) -> Iterator[None]:
        """Change the layer without making it a state of its own."""
        before, self.deaf = self.deaf, True
        try:
            yield
        finally:
            self.deaf = before

    def note(self) -> bool:
        """Note what the layer has become; whether it has changed."""
        state, last = _State.of(self._layer), self._states[-1]
        if state.same(last):
            return False
        now = self._clock()
        if len(self._states) > 1 and state.recolors_nothing(last):
            described = np.array_equal(state.data, last.data)
            if described or now - self._noted < _TOGETHER:
                self._states.pop()
        self._states = [*self._states[1 - _MOST :], state]
        self._undone.clear()
        self._noted = now
        return True

    def forget_moves(self) -> None:
        """Take the layer as it is for the latest state."""
        self._states[-1] = _State.of(self._layer)

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return len(self._states) > 1

    def undo(self) -> None:
        """Go back to the state before."""
        if self.can_undo:
            self._undone.append(self._states.pop())
            self._restore(self._states[-1])

    def redo(self) -> None:
        """Take back what was undone last."""
        if self._undone:
            self._states.append(self._undone.pop())
            self._restore(self._states[-1])

    def _restore(self, state: _State) -> None:
        layer = self._layer
        self._noted = float("-inf")
        with self.unheard():
            layer.selected_data = set()
            layer.data = state.data
            if len(state.data):
                layer.face_color = state.colors
                layer.size = state.sizes
            layer.features = state.features
        layer.refresh()
