"""A job in a thread of Qt's: it always ends, whatever it is ended by."""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from napari.qt.threading import GeneratorWorker, create_worker
from qtpy.QtCore import QThreadPool

from napari_colorgan.errors import JobFailed
from napari_colorgan.job import Control, Job, drive
from napari_colorgan.widgets.parts.notices import plain


class JobWorker(GeneratorWorker):
    """napari's worker, but `quit` (called when napari closes) asks the job to stop.

    The worker's own way drops the generator: nothing is kept, no `finally` runs.
    """

    control: Control
    _left = False

    def quit(self) -> None:
        """Ask the job to finish early."""
        self._left = True
        self.control.request_stop()

    def run(self) -> None:
        """Run in the thread, unless it was left before it began.

        Qt starts threads a moment later, and napari does not wait for those that have
        not begun, nor for those without a title: by the time they speak, Qt's half may
        be gone. An error that left this method would end the process.

        Jobs wait and train for hours: they take no thread from others, of which Qt has
        no more than the machine has cores.
        """
        pool = QThreadPool.globalInstance()
        assert pool is not None
        pool.releaseThread()
        try:
            if not self._left:
                super().run()
                return
            self.finished.emit()
            self._finished.emit(self)
        except RuntimeError:
            if self._is_heard():
                raise
        finally:
            pool.reserveThread()

    def work(self) -> Any:
        """Drive the job; what would end a program becomes an error like others.

        An array may raise what is no `Exception` (a cancelled task does), and of that
        the worker's own way tells nobody: not even that it has ended.
        """
        try:
            return super().work()
        except Exception:
            raise
        except BaseException as error:
            raise JobFailed(
                f"The work was broken off ({type(error).__name__}), by what it reads "
                "or by a library, not by you. Try again; if that does not help, open "
                "the picture anew."
            ) from error

    def _is_heard(self) -> bool:
        """Whether Qt's half, whose signals tell what is said, is still there."""
        try:
            self.signals.objectName()
        except RuntimeError:
            return False
        return True


class _Named(partial[Any]):
    """A function that is called by what it does: napari lists it when it closes."""

    title: str

    def __str__(self) -> str:
        return self.title


def make_worker(job: Job[Any], control: Control, title: str) -> JobWorker:
    """Make a worker; napari knows those with a title."""
    if not title:
        return JobWorker(drive, job, control)
    named = _Named(drive, job, control)
    named.title = plain(title)  # napari shows it in labels of its own
    worker: JobWorker = create_worker(
        named, _start_thread=False, _ignore_errors=True, _worker_class=JobWorker
    )
    return worker


class InOrder:
    """Slots that wait for each other.

    A slot may run Qt's event loop (napari's progress bars do), and what the thread says
    meanwhile would be handled in the middle of it.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()
        self._busy = False

    def slot(self, slot: Callable[..., object]) -> Callable[..., None]:
        """Wrap a slot."""

        def in_turn(*values: Any) -> None:
            self._waiting.append(partial(slot, *values))
            if self._busy:
                return
            self._busy = True
            try:
                while self._waiting:
                    self._waiting.popleft()()
            finally:
                self._busy = False

        return in_turn
