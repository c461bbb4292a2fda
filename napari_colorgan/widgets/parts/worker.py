"""Run a job in a thread; all answers arrive in the GUI thread."""

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from napari import current_viewer
from napari.qt.threading import GeneratorWorker, create_worker

from napari_colorgan.errors import ColorganError, Stopped
from napari_colorgan.job import Control, Job, drive
from napari_colorgan.widgets.parts.notices import show_error, show_info

Slot = Callable[[Any], object]

_WORK = "A job of napari-colorgan"

_log = logging.getLogger("napari_colorgan")


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
        """
        try:
            if not self._left:
                super().run()
                return
            self.finished.emit()
            self._finished.emit(self)
        except RuntimeError:
            if self._is_heard():
                raise

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


def _worker(job: Job[Any], control: Control, title: str) -> JobWorker:
    """Make a worker; napari knows those with a title."""
    if not title:
        return JobWorker(drive, job, control)
    named = _Named(drive, job, control)
    named.title = title
    worker: JobWorker = create_worker(
        named, _start_thread=False, _ignore_errors=True, _worker_class=JobWorker
    )
    return worker


def run_job(
    job: Job[Any],
    *,
    title: str,
    on_event: Slot,
    on_result: Slot,
    on_end: Callable[[], object],
    on_error: Slot | None = None,
) -> Control:
    """Run `job` in a thread; all slots are called in the GUI thread.

    Parameters
    ----------
    title : what is done, in words; napari asks before it closes a window meanwhile.
        Empty: nobody would miss it
    on_event : gets every event
    on_result : gets what the job returned
    on_end : called last, whatever happened
    on_error : gets the exception; default `show_failure`

    Returns
    -------
    The job's control, to stop or pause it.
    """
    control = Control()
    worker = _worker(job, control, title)
    worker.control = control
    in_order = _InOrder()
    worker.yielded.connect(in_order.slot(on_event))
    worker.returned.connect(in_order.slot(on_result))
    worker.errored.connect(in_order.slot(on_error or show_failure))
    worker.finished.connect(in_order.slot(on_end))
    worker.start()
    return control


class DockJobs:
    """What a dock or a part of it has done in threads, one job at a time.

    Once it is closed, what runs is asked to stop and slots are no longer called: what
    they would touch may be gone.

    Parameters
    ----------
    on_change : called when something begins, ends, or is asked to stop or pause
    """

    def __init__(self, on_change: Callable[[], object]) -> None:
        self._on_change = on_change
        self.control: Control | None = None
        """Of what runs; None if nothing does."""
        self.closed = False
        self._farewell = ""

    @property
    def busy(self) -> bool:
        """Whether something runs."""
        return self.control is not None

    @property
    def paused(self) -> bool:
        """Whether what runs was asked to wait."""
        return self.control is not None and self.control.pause

    @property
    def stopping(self) -> bool:
        """Whether what runs was asked to end."""
        return self.control is not None and self.control.stop

    def run(
        self,
        job: Job[Any],
        on_result: Slot,
        *,
        title: str = _WORK,
        kept: str = "",
        on_event: Slot = lambda _: None,
        on_error: Slot | None = None,
        on_end: Callable[[], object] = lambda: None,
        even_closed: bool = False,
    ) -> None:
        """Run a job, see `run_job`; `on_end` is called in any case.

        Parameters
        ----------
        kept : a sentence that the user is told, with the title, if the dock is closed
            meanwhile: what becomes of what was done
        even_closed : call the other slots, too, once the dock is closed
        """

        def unless_closed(slot: Slot) -> Slot:
            return lambda value: slot(value) if even_closed or not self.closed else None

        def end() -> None:
            self.control = None
            on_end()
            self._changed()

        self._farewell = (
            kept and f"{title} was stopped because its dock was closed. {kept}"
        )
        self.control = run_job(
            job,
            title=title,
            on_event=unless_closed(on_event),
            on_result=unless_closed(on_result),
            on_error=unless_closed(on_error or show_failure),
            on_end=end,
        )
        self._changed()

    def stop(self) -> bool:
        """Ask what runs to end early; whether there is anything."""
        if self.control is not None:
            self.control.request_stop()
            self._changed()
        return self.busy

    def pause_or_resume(self) -> None:
        """Ask what runs to wait, or to go on if it does."""
        if self.control is not None:
            if self.control.pause:
                self.control.resume()
            else:
                self.control.request_pause()
            self._changed()

    def close(self) -> None:
        """End what runs, and say so; from now on no slot is called."""
        self.closed = True
        if self.stop() and self._farewell and current_viewer() is not None:
            show_info(self._farewell)

    def _changed(self) -> None:
        if not self.closed:
            self._on_change()


def show_failure(error: BaseException) -> None:
    """Tell the user about an error in one sentence; a surprise also goes to the log."""
    if not isinstance(error, ColorganError):
        _log.error("Unexpected error in a job", exc_info=error)
    show = show_info if isinstance(error, Stopped) else show_error
    show(sentence(error))


def sentence(error: BaseException) -> str:
    """Say what went wrong."""
    if isinstance(error, ColorganError):
        return str(error)
    return (
        f"Something unexpected went wrong ({type(error).__name__}: {error}). Please "
        "report it; the log has the details."
    )


class _InOrder:
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


class LatestOnly:
    """Runs one job at a time; of several that arrive meanwhile, only the last is next.

    It supersedes the one that runs: that is stopped, and what it still says is dropped.
    """

    def __init__(
        self, on_result: Slot, on_error: Slot, on_event: Slot = lambda _: None
    ) -> None:
        self._on_result = on_result
        self._on_error = on_error
        self._on_event = on_event
        self._running: Control | None = None
        self._next: Callable[[], Job[Any]] | None = None

    def request(
        self, make_job: Callable[[], Job[Any]], *, supersede: bool = True
    ) -> None:
        """Run this job as soon as the one before it has ended.

        Parameters
        ----------
        supersede : whether that one is stopped; a slider being dragged lets it finish,
            or nothing would be seen until the hand rests
        """
        self._next = make_job
        if self._running is None:
            self._start()
        elif supersede:
            self._running.request_stop()

    def stop(self) -> None:
        """Forget what is waiting, and stop what runs."""
        self._next = None
        if self._running is not None:
            self._running.request_stop()

    def _start(self) -> None:
        if self._next is None:
            return
        job, self._next = self._next(), None
        self._running = run_job(
            job,
            title="",
            on_event=self._unless_stopped(self._on_event),
            on_result=self._unless_stopped(self._on_result),
            on_error=self._unless_stopped(self._on_error),
            on_end=self._on_end,
        )

    def _unless_stopped(self, slot: Slot) -> Slot:
        def guarded(value: Any) -> None:
            if self._running is not None and not self._running.stop:
                slot(value)

        return guarded

    def _on_end(self) -> None:
        self._running = None
        self._start()
