"""However a run ends, its panel says so once and the result's record agrees."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QThreadPool

from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import STOP, Progress
from napari_colorgan.widgets.colorize import run as run_module
from napari_colorgan.widgets.colorize.results import Results
from napari_colorgan.widgets.colorize.run import Wish
from napari_colorgan.widgets.colorize.run_panel import RunPanel
from napari_colorgan.widgets.parts.layers import read_source
from napari_colorgan.widgets.parts.worker import DockJobs, run_job
from napari_colorgan.widgets.parts.world import View

ENOUGH = 60_000  # ms


class Planes:
    """Planes that are read one by one; the last cannot be read for a second time."""

    def __init__(self, values, error=None):
        self.values, self.error = values, error
        self.shape, self.dtype, self.ndim = values.shape, values.dtype, values.ndim
        self.read = False

    def __getitem__(self, part):
        first = part[0] if isinstance(part, tuple) else part
        if self.error is not None and first == len(self.values) - 1:
            if self.read:
                raise self.error
            self.read = True
        return self.values[part]


@pytest.fixture
def layers(gray):
    return np.stack([gray[:64, :64]] * 4)


class Panel:
    """A panel beside a viewer without a window, and the layer that it colours."""

    def __init__(self, checkpoint, layers):
        self.viewer = ViewerModel()
        self.layer = self.viewer.add_image(layers, name="scan", contrast_limits=[0, 9])
        self.running = RunPanel(
            self.viewer, Results(self.viewer), (), lambda: self.on_change()
        )
        self.on_change = lambda: None
        self.wish = Wish(ColorizerSettings(model=checkpoint, device="cpu"))

    def start(self, error=None):
        source = read_source(
            self.layer, View.of(self.viewer), "full range", "whole stack"
        )
        source = replace(source, array=Planes(self.layer.data, error))
        self.running.run([self.layer], [source], self.wish)

    @property
    def status(self):
        return self.running.status.value

    @property
    def record(self):
        return self.viewer.layers[-1].metadata["colorgan"]


@pytest.fixture
def panel(qtbot, make_checkpoint, layers):
    panel = Panel(make_checkpoint("compact", context="local"), layers)
    yield panel
    panel.running.stop.native.click()
    qtbot.waitUntil(lambda: not panel.running.jobs.busy, timeout=ENOUGH)


def wait(panel, qtbot):
    qtbot.waitUntil(lambda: not panel.running.jobs.busy, timeout=ENOUGH)


def test_what_is_done_is_complete_until_its_data_are_replaced(panel, qtbot):
    panel.start()
    wait(panel, qtbot)
    assert panel.status.startswith("Done in ")
    assert panel.record["complete"] and not panel.record["why"]
    result = panel.viewer.layers[-1]
    result.data = np.zeros_like(result.data)
    assert not panel.record["complete"]
    assert panel.record["why"] == "its data were replaced"


@pytest.mark.parametrize(
    "error", [OSError("gone"), KeyboardInterrupt(), asyncio.CancelledError()]
)
def test_a_second_run_that_fails_says_why_and_so_does_its_result(panel, qtbot, error):
    panel.start()
    wait(panel, qtbot)
    panel.start(error)
    wait(panel, qtbot)
    why = "cannot be read: gone" if isinstance(error, OSError) else "was broken off"
    assert why in panel.status and not panel.running.done
    assert panel.record["why"] == panel.status and not panel.record["complete"]
    assert not panel.running.progress.visible


def test_what_cannot_be_shown_ends_the_run_in_a_sentence(panel, qtbot, monkeypatch):
    def fail(*_):
        raise ValueError("no more layers")

    monkeypatch.setattr(run_module, "Refresher", fail)
    panel.start()
    wait(panel, qtbot)
    assert "no more layers" in panel.status
    assert panel.record["why"] == panel.status and not panel.record["complete"]


def test_data_replaced_at_the_last_moment_are_not_complete(panel, qtbot, monkeypatch):
    def replace_data(self, event):
        if event.done == event.total == 4:
            result = panel.viewer.layers[-1]
            result.data = np.zeros_like(result.data)
        return "working"

    monkeypatch.setattr(run_module.LayerRun, "describe", replace_data)
    panel.start()
    wait(panel, qtbot)
    assert panel.record["why"] == "its data were replaced"
    assert not panel.record["complete"]
    assert panel.status == "Stopped: its data were replaced."


def test_what_ends_for_another_reason_says_that_it_failed_or_was_stopped(panel, qtbot):
    def failing_job():
        yield Progress(0, 1)
        raise OSError("no room")

    def waiting_job():
        while (yield Progress(0, 1)) is not STOP:
            pass

    for job, said in ((failing_job(), "no room"), (waiting_job(), "Stopped.")):
        panel.running.run_other(job, lambda _: None, title="Other", doing="Working...")
        assert panel.status == "Working..."
        panel.running.stop.native.click() if said == "Stopped." else None
        wait(panel, qtbot)
        assert said in panel.status


@pytest.mark.parametrize(
    "error",
    [KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError(), GeneratorExit()],
)
def test_what_ends_programs_is_an_error_of_the_job(qtbot, error):
    heard = []

    def job():
        yield Progress(0, 1)
        raise error

    run_job(
        job(),
        title="",
        on_event=lambda _: None,
        on_result=lambda _: None,
        on_error=lambda error: heard.append(str(error)),
        on_end=lambda: heard.append("end"),
    )
    qtbot.waitUntil(lambda: "end" in heard, timeout=ENOUGH)
    assert type(error).__name__ in heard[0] and heard[1:] == ["end"]


def test_a_slot_that_fails_ends_its_job_and_is_told_once(qtbot, messages):
    states = []
    jobs = DockJobs(lambda: states.append(jobs.busy))

    def job():
        while (yield Progress(0, 1)) is not STOP:
            pass

    def fail(_=None):
        raise ValueError("odd")

    jobs.run(job(), fail, on_event=fail, on_end=fail)
    qtbot.waitUntil(lambda: not jobs.busy, timeout=ENOUGH)
    assert states[-1] is False
    assert len(messages) == 2 and all("odd" in text for text in messages)


def test_jobs_that_wait_leave_threads_to_others(qtbot):
    pool = QThreadPool.globalInstance()
    most = pool.maxThreadCount()
    pool.setMaxThreadCount(1)
    first, second = DockJobs(lambda: None), DockJobs(lambda: None)

    def waiting_job():
        while (yield Progress(0, 1)) is not STOP:
            pass

    def short_job():
        yield Progress(0, 1)
        return 3

    results = []
    try:
        first.run(waiting_job(), results.append)
        first.pause_or_resume()
        second.run(short_job(), results.append)
        qtbot.waitUntil(lambda: not second.busy, timeout=ENOUGH)
        assert results == [3] and first.busy
    finally:
        first.stop()
        pool.setMaxThreadCount(most)
    qtbot.waitUntil(lambda: not first.busy, timeout=ENOUGH)
    assert pool.waitForDone(10_000) and pool.activeThreadCount() == 0
