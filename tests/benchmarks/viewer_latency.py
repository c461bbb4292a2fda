"""How long napari's window is blocked while a model is fine-tuned in its dock.

A timer of the window's own thread asks to be called every 5 ms; how much later it is
called is how long a click would have waited. Prints the median, 99 % and the longest of
these delays: with nothing running, while torch is imported for the first time (by a
job, as the dock does it), and during a training after its warm-up. Without a screen:

    xvfb-run -a -s "-screen 0 1400x1000x24" python tests/benchmarks/viewer_latency.py

`--pan` moves the picture ten times a second, as a user would who keeps working; drawing
it then is a part of the figures, which without a graphics card is most of them.
"""

import argparse
import importlib
import tempfile
import time
from pathlib import Path

import napari
import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication

from napari_colorgan.job import Progress
from napari_colorgan.sample_data import pair
from napari_colorgan.training import runs
from napari_colorgan.widgets import FineTuneWidget
from napari_colorgan.widgets.parts.worker import run_job

BEAT = 5  # ms
WARM_UP = 5.0  # s of training that are not counted


class Heartbeat:
    """Delays of a timer in the thread of the window, in ms."""

    def __init__(self) -> None:
        self.delays: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_beat)
        self._timer.start(BEAT)

    def _on_beat(self) -> None:
        now = time.perf_counter()
        self.delays.append(max(0.0, 1000 * (now - self._last) - BEAT))
        self._last = now

    def take(self) -> list[float]:
        """Return the delays since the last call."""
        delays, self.delays = self.delays, []
        return delays


def wait(seconds: float, until=lambda: False) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not until():
        QApplication.processEvents()
        time.sleep(0.0005)


def report(what: str, delays: list[float]) -> None:
    p50, p99 = np.percentile(delays, (50, 99))
    print(f"{what:<28} p50 {p50:6.1f}  p99 {p99:6.1f}  max {max(delays):6.1f} ms")


def import_torch():
    importlib.import_module("napari_colorgan.training.fine_tune")

    yield Progress(1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of training")
    parser.add_argument("--model", default="micro")
    parser.add_argument("--pan", action="store_true")
    choice = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs.training_folder = lambda: Path(folder)
        measure(choice)


def measure(choice: argparse.Namespace) -> None:
    viewer = napari.Viewer()
    for data, options, _ in pair():
        viewer.add_image(data, **options)
    dock = FineTuneWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Fine-tune")
    heartbeat = Heartbeat()
    wait(2)
    heartbeat.take()
    wait(3)
    report("nothing running", heartbeat.take())
    pan = QTimer()
    pan.timeout.connect(lambda: move(viewer))
    if choice.pan:
        pan.start(100)
        wait(5)
        report("nothing running, user pans", heartbeat.take())
        pan.stop()

    ended: list[bool] = []
    began = time.perf_counter()
    run_job(
        import_torch(),
        title="",
        on_event=lambda _: None,
        on_result=lambda _: None,
        on_end=lambda: ended.append(True),
    )
    wait(120, lambda: bool(ended))
    took = time.perf_counter() - began
    report(f"first import of torch, {took:.1f} s", heartbeat.take())

    dock.pairs.add.native.click()
    wait(120, lambda: dock.pairs.summary is not None)
    report("a pair is read and checked", heartbeat.take())
    dock.form.start.value = choice.model
    dock.form.minutes.value = 60
    dock.controls.start.native.click()
    wait(300, lambda: len(dock.training.plot.loss.curve) > 0)
    wait(WARM_UP)
    report("start and warm-up", heartbeat.take())

    if choice.pan:
        pan.start(100)
    wait(choice.seconds, lambda: not dock.busy)
    report("training, user pans" if choice.pan else "training", heartbeat.take())
    pan.stop()
    began = time.perf_counter()
    dock.controls.stop_best.native.click()
    wait(120, lambda: not dock.busy)
    took = time.perf_counter() - began
    report(f"stop and save, {took:.1f} s", heartbeat.take())
    print(dock.training.plan.value)
    viewer.close()


def move(viewer: napari.Viewer) -> None:
    camera = viewer.scene.camera
    camera.center = tuple(c + 2 * np.sin(time.time()) for c in camera.center)


if __name__ == "__main__":
    main()
