"""How long napari's window does not answer while a large picture is coloured.

A timer of the window's own thread asks to be called every 5 ms; how much later it is
called is how long a click would have waited.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.soak.desk import LISTENS, Desk, open_desk
from tests.soak.row import Row, Trial

SIDE = 8000  # px
BEAT = 5  # ms
GROSS = 1000.0  # ms of work between two beats: broken on any machine
LOOKED = 4.0  # s of a run that are looked at
SETTLED = 0.4  # s after an action, of which its drawing is a part

Action = Callable[[Desk], Callable[[], object]]
"""Does something as a user would; returns what tells that it has ended."""


class Beats:
    """Delays of a timer in the thread of the window, and what it worked between, ms."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self.worked: list[float] = []
        self._last = time.perf_counter(), time.thread_time()

    def beat(self) -> None:
        """Note how late this is."""
        now = time.perf_counter(), time.thread_time()
        passed, worked = (1000 * (a - b) for a, b in zip(now, self._last, strict=True))
        self.delays.append(max(0.0, passed - BEAT))
        self.worked.append(worked)
        self._last = now


def watched(begin: Callable[[], Callable[[], object]], seconds: float) -> Beats:
    """Do something in Qt's own loop, and count beats until it is over and drawn."""
    from qtpy.QtCore import QEventLoop, Qt, QTimer

    loop, beats = QEventLoop(), Beats()
    ended: list[Callable[[], object]] = []
    last = [time.perf_counter() + seconds]

    def on_beat() -> None:
        beats.beat()
        now = time.perf_counter()
        if ended and ended[0]():
            ended[0] = lambda: False
            last[0] = min(last[0], now + SETTLED)
        if now > last[0]:
            loop.quit()

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(on_beat)
    timer.start(BEAT)
    QTimer.singleShot(0, lambda: ended.append(begin()))
    loop.exec()
    timer.stop()
    return beats


def pick(desk: Desk) -> Callable[[], object]:
    """Choose the large layer in the dock."""
    desk.colorize.layers.value = [desk.viewer.layers["large"]]
    return lambda: True


def preview(desk: Desk) -> Callable[[], object]:
    """Switch the preview on."""
    desk.colorize.show_preview.value = True
    return lambda: desk.colorize.preview.has_picture


def lightness(desk: Desk) -> Callable[[], object]:
    """Take the lightness of a colour layer."""
    desk.viewer.layers.selection.active = desk.viewer.layers["colour"]
    desk.colorize.picker.lightness.native.click()
    return lambda: not desk.colorize.busy


def visible(desk: Desk) -> Callable[[], object]:
    """Colour what is seen, of a part of the picture."""
    desk.viewer.scene.camera.zoom *= 8
    desk.colorize.form.context.value = "local"
    desk.colorize.visible.native.click()
    return lambda: not desk.colorize.busy


def run(context: str) -> Action:
    """Make an action: press Colorize."""

    def action(desk: Desk) -> Callable[[], object]:
        dock = desk.colorize
        dock.form.context.value = context
        dock.layers.value = [desk.viewer.layers["large"]]
        dock.run.native.click()
        return lambda: not dock.busy

    action.__name__ = context
    return action


def stop(desk: Desk) -> Callable[[], object]:
    """Press Stop."""
    desk.colorize.stop.native.click()
    return lambda: not desk.colorize.busy


def compare(desk: Desk) -> Callable[[], object]:
    """Hide all results and show them again."""
    for _ in range(2):
        desk.colorize.comparison._on_key(None)
    return lambda: True


def pan(desk: Desk) -> Callable[[], object]:
    """Move over a result, and out to all of it."""
    camera = desk.viewer.scene.camera
    camera.center = tuple(c + 300 for c in camera.center)
    camera.zoom /= 8
    return lambda: True


def save(desk: Desk) -> Callable[[], object]:
    """Save the result."""
    from tests.soak.fault_runs import asked_for

    button = desk.colorize.save
    with asked_for(desk.folder / "large.tif"):
        button.native.click()
    return lambda: not button._jobs.busy


def plain(desk: Desk) -> Callable[[], object]:
    """Add a layer of 64 x 64 px, which is napari's own part in all results."""
    desk.viewer.add_image(np.zeros((64, 64, 3), np.uint8), name="plain")
    return lambda: True


def remove(desk: Desk) -> Callable[[], object]:
    """Remove the topmost layer; all that takes is that napari collects garbage."""
    desk.viewer.layers.remove(desk.viewer.layers[-1])
    return lambda: True


ACTIONS: tuple[Action, ...] = (
    *(plain, pick, preview, lightness, run("whole"), stop, compare, run("local"), stop),
    *(visible, pan, save, stop, remove),
)
_NAPARIS_OWN = (plain, remove)


def trials(rng: np.random.Generator, folder: Path) -> Iterator[Trial]:
    """Look at one action after the other, with a layer of 64 megapixels."""
    with open_desk(folder) as desk:
        dock: Any = desk.colorize
        dock.form.choose_model(LISTENS)
        side = rng.integers(0, 255, (500, 500), dtype=np.uint8)
        large = np.tile(side, (SIDE // 500, SIDE // 500))
        desk.viewer.add_image(large[:3000, :3000, None] // (1, 2, 3), name="colour")
        desk.viewer.add_image(large, name="large")
        while True:
            delays: list[float] = []  # of all actions but those that napari does alone
            for action in ACTIONS:
                desk.rest(0.3)
                beats = watched(lambda act=action: act(desk), LOOKED)
                name, most = action.__name__, max(beats.delays)
                figures = {f"{name} ms": most}
                if action not in _NAPARIS_OWN:
                    delays += beats.delays
                    figures["max ms"] = most
                elif action is ACTIONS[-1]:
                    figures["p99 ms"] = float(np.percentile(delays, 99))
                worked = max(beats.worked)
                broken = f"{name}: {worked:.0f} ms" if worked > GROSS else ""
                yield Trial(broken, name, figures)


ROW = Row(
    what="napari's window, while 8,000 x 8,000 px are chosen, coloured and compared",
    promise="never blocked for 1 s (goals: 99 % within 30 ms, all within 150 ms)",
    count=3 * len(ACTIONS),
    trials=trials,
    alone=True,
    share=0.5,
)
