"""What napari is told of our work, and a user of work that ends with its dock."""

import pytest
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QApplication, QVBoxLayout, QWidget

from napari_colorgan.job import STOP, Control, Progress, drive
from napari_colorgan.widgets.parts.closing import on_close
from napari_colorgan.widgets.parts.threads import JobWorker
from napari_colorgan.widgets.parts.worker import DockJobs, LatestOnly


def until_stopped_job():
    """Work that ends when it is asked to."""
    while (yield Progress(0, 1)) is not STOP:
        pass


class Dock(QWidget):
    """A dock that works, as long as it is open."""

    def __init__(self) -> None:
        super().__init__()
        QVBoxLayout(self)
        self.jobs = DockJobs(lambda: None)
        self._closing = on_close(self, self.jobs.close)

    def work(self, **words: str) -> None:
        self.jobs.run(until_stopped_job(), lambda _: None, **words)


@pytest.fixture
def viewer(make_napari_viewer, qtbot):
    from superqt.utils._qthreading import WorkerBase

    yield make_napari_viewer()
    qtbot.waitUntil(lambda: not WorkerBase._worker_set)


@pytest.fixture
def dock(viewer) -> Dock:
    dock = Dock()
    viewer.window.add_dock_widget(dock)
    return dock


def listed(viewer) -> list[str]:
    """What napari shows when its window is to be closed."""
    return viewer.window._task_status_manager.get_status()


def test_napari_names_work_in_words(viewer, dock, qtbot) -> None:
    dock.work(title="Colorize: 'cells'")
    qtbot.waitUntil(lambda: "Executing Colorize: 'cells'" in listed(viewer)[0])
    dock.jobs.stop()
    qtbot.waitUntil(lambda: not listed(viewer))


def test_napari_does_not_ask_about_previews(viewer, qtbot) -> None:
    previews = LatestOnly(lambda _: None, lambda _: None)
    previews.request(until_stopped_job)
    assert listed(viewer) == []
    previews.stop()


def test_one_sentence_tells_what_becomes_of_the_work(viewer, dock, messages) -> None:
    dock.work(title="Colorize: 'cells'", kept="What was coloured is kept.")
    viewer.window.remove_dock_widget(dock)
    assert messages == [
        "Colorize: 'cells' was stopped because its dock was closed. What was coloured "
        "is kept."
    ]


def test_a_dock_without_work_closes_silently(viewer, dock, qtbot, messages) -> None:
    dock.work(kept="Nothing is kept.")
    dock.jobs.stop()
    qtbot.waitUntil(lambda: not dock.jobs.busy)
    viewer.window.remove_dock_widget(dock)
    assert messages == []


def test_a_viewer_that_closes_says_nothing(viewer, dock, messages) -> None:
    dock.work(kept="What was coloured is kept.")
    jobs = dock.jobs
    viewer.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert jobs.closed
    assert messages == []


def test_a_job_that_is_left_before_it_begins_never_does(qtbot):
    begun = []

    def job():
        begun.append(True)
        yield Progress(0, 1)

    control = Control()
    worker = JobWorker(drive, job(), control)
    worker.control = control
    with qtbot.waitSignal(worker.finished, timeout=10_000):
        worker.quit()  # as napari does when it closes
        worker.start()
    assert not begun and control.stop


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_a_job_that_nobody_hears_any_more_ends_quietly(qtbot, ends):
    """Qt's half goes first when the process ends; an exception would abort it."""
    control = Control()

    def job():
        worker.signals.deleteLater()
        QApplication.sendPostedEvents(worker.signals, QEvent.Type.DeferredDelete.value)
        yield Progress(0, 1)
        if ends == "badly":
            raise ValueError("nobody hears this")

    worker = JobWorker(drive, job(), control)
    worker.control = control
    worker.run()
    with pytest.raises(RuntimeError):
        worker.signals.objectName()


def test_what_a_process_that_ends_has_deleted_is_left_alone(qtbot):
    parts, called = [QTimer()], []

    def close():
        called.append(True)
        parts[0].stop()

    dock = QWidget()
    closing = on_close(dock, close)
    parts[0].deleteLater()
    QApplication.sendPostedEvents(parts[0], QEvent.Type.DeferredDelete.value)
    dock.deleteLater()
    QApplication.sendPostedEvents(dock, QEvent.Type.DeferredDelete.value)
    assert called and closing
