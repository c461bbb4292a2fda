"""How long it takes from a click to its colours.

One hint after the other is put, each in a new place, after a first one that is not
counted. Prints the median and 95 % of the times: to the preview, to the first piece of
the picture (around the click) and to the last one; and what ten hints cost over none.
Then the same in a window: from a point being added to its layer until the result shows
other colours, and until all of it does. Without a screen:

    xvfb-run -a -s "-screen 0 1400x1000x24" python tests/benchmarks/live.py

All load beside it makes it slower, and so do fewer threads: they are printed.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage import data
from skimage.color import rgb2gray

from napari_colorgan.arrays import Gray
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.live import (
    LIVE_MEMORY,
    LivePlane,
    PiecePainted,
    PreviewReady,
    live_job,
)
from napari_colorgan.inference.source import Source
from napari_colorgan.job import Progress, finish

SIDES = (512, 2000)  # px
PREVIEW = 320  # px, as in the dock
MORE = 10  # hints, beside none
PATIENCE = 120.0  # s
RADIUS = 6.0  # px


def gray_picture(context: str, side: int) -> Gray:
    """A photograph or a micrograph, (side, side) uint8, of scikit-image."""
    if context == "whole":
        gray = data.camera()
    else:
        gray = (rgb2gray(data.immunohistochemistry()) * 255).round().astype(np.uint8)
    size = (side, side)
    return np.asarray(Image.fromarray(gray).resize(size, Image.Resampling.BICUBIC))


def clicks(count: int, side: int, seed: int = 1) -> Hints:
    rng = np.random.default_rng(seed)
    points = rng.integers(0, side, (count, 2))
    colors = rng.integers(0, 256, (count, 3), dtype=np.uint8)
    return Hints(points, colors, RADIUS)


def first(hints: Hints, count: int) -> Hints | None:
    return hints.only(np.arange(len(hints)) < count) if count else None


def timed(
    plane: LivePlane, colorizer: Colorizer, hints: Hints | None
) -> dict[str, float]:
    """Ms until each event of a request for all of a plane, changed at its last hint."""
    at: dict[str, float] = {}
    place = None if hints is None else tuple(map(int, hints.points[-1]))
    began = time.perf_counter()

    def note(event: Progress) -> None:
        passed = 1000 * (time.perf_counter() - began)
        if isinstance(event, PreviewReady):
            at["preview"] = passed
        elif isinstance(event, PiecePainted):
            at.setdefault("first piece", passed)
            at["last piece"] = passed

    job = live_job(
        plane, colorizer, hints, side=PREVIEW, place=place, region=plane.whole
    )
    finish(job, note)
    return at


def measure_core(model: str, context: str, side: int, count: int) -> None:
    """Print the times of a job, without a window."""
    colorizer = Colorizer(model, "cpu", context=context)
    colorizer.remember(LIVE_MEMORY)
    plane = LivePlane(Source.of(gray_picture(context, side)), ())
    hints = clicks(count + 1, side)
    timed(plane, colorizer, first(hints, 1))
    times = [
        timed(plane, colorizer, first(hints, number + 1))
        for number in range(1, count + 1)
    ]
    title = f"{context}, {side} x {side} px"
    for what in times[0]:
        report(f"{title}, {what}", [each[what] for each in times])
    print(f"{title}, {MORE} hints: {cost_of_more(plane, colorizer, hints, count):+.0f}")


def cost_of_more(
    plane: LivePlane, colorizer: Colorizer, hints: Hints, count: int
) -> float:
    """Ms that hints add to the last piece, in turns with none: medians."""
    few = first(hints, min(MORE, len(hints)))
    last = [
        [timed(plane, colorizer, told)["last piece"] for told in (None, few)]
        for _ in range(max(3, count // 3))
    ]
    none, more = np.median(last[1:], axis=0)
    return float(more - none)


def report(what: str, times: Sequence[float]) -> None:
    p50, p95 = np.percentile(times, (50, 95))
    print(f"{what:<40} p50 {p50:7.0f}  p95 {p95:7.0f} ms", flush=True)


def wait(until: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Let the window live until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + seconds
    while not until():
        if time.perf_counter() > end:
            raise SystemExit(f"Nothing happened in {seconds:.0f} s.")
        QApplication.processEvents()
        time.sleep(0.0005)


def rest(seconds: float) -> None:
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() > end, 2 * seconds)


def measure_window(model: str, side: int, count: int) -> None:
    """Print the times in the dock of a viewer: a point is added, a layer changes."""
    import napari

    from napari_colorgan.widgets.colorize.dock import ColorizeWidget

    viewer = napari.Viewer()
    gray = gray_picture("whole", side)
    viewer.add_image(gray, name="picture")
    dock = ColorizeWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Colorize")
    choose(dock, model)
    dock.run.native.click()
    wait(lambda: not dock.busy and dock.running.done)
    rest(1)
    dock.hints.add.click()
    result = viewer.layers["picture colorized"]
    hints = clicks(count + 1, side)
    seen, done = zip(*times_in_window(dock, result, hints), strict=True)
    report(f"window, {side} x {side} px, first change", seen[1:])
    report(f"window, {side} x {side} px, last change", done[1:])
    viewer.close()


def choose(dock: Any, model: str) -> None:
    if Path(model).is_file():
        dock.models.add(Path(model))
    else:
        dock.choose_model(model)


def times_in_window(
    dock: Any, result: Any, hints: Hints
) -> Iterator[tuple[float, float]]:
    """Ms from a hint to the first change of a result, and to when all is painted.

    The changes are heard of: comparing pixels all the time would take a core's time.
    """
    pieces = noted(dock.results, "paint")
    ends = noted(dock.results, "finish")
    for point, color in zip(hints.points, hints.colors, strict=True):
        before = result.data.copy()
        pieces.clear()
        ends.clear()
        began = time.perf_counter()
        dock.hints.add_hint(point, tuple(color.tolist()))
        wait(lambda: bool(ends))
        if np.array_equal(result.data, before):
            raise SystemExit("A hint changed nothing: nothing was measured.")
        yield 1000 * (pieces[0] - began), 1000 * (ends[-1] - began)
        rest(0.1)


def noted(thing: Any, name: str) -> list[float]:
    """Return a list that gets the times at which calls of a method end."""
    method, times = getattr(thing, name), []

    def called(*given: Any) -> None:
        method(*given)
        times.append(time.perf_counter())

    setattr(thing, name, called)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--whole", default="natural", help="model of whole context")
    parser.add_argument("--local", default="micro", help="model of local context")
    parser.add_argument("--count", type=int, default=30, help="clicks that are counted")
    parser.add_argument("--no-window", action="store_true")
    choice = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"{torch.get_num_threads()} threads of torch; load before: {load:.1f}. Other "
        "load makes all of it slower."
    )
    for context, model in (("whole", choice.whole), ("local", choice.local)):
        for side in SIDES:
            measure_core(model, context, side, choice.count)
    if not choice.no_window:
        with tempfile.TemporaryDirectory() as folder:  # the user's settings stay
            os.environ |= {f"XDG_{each}_HOME": folder for each in ("DATA", "CONFIG")}
            os.environ["NAPARI_CONFIG"] = str(Path(folder) / "napari.yaml")
            measure_window(choice.whole, SIDES[0], choice.count)


if __name__ == "__main__":
    main()
