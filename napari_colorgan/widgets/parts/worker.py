"""Run a job in a thread; all answers arrive in the GUI thread."""

import logging
from collections.abc import Callable
from typing import Any

from napari import current_viewer

from napari_colorgan.errors import ColorganError, Stopped
from napari_colorgan.job import Control, Job
from napari_colorgan.widgets.parts.notices import show_error, show_info
from napari_colorgan.widgets.parts.threads import InOrder, make_worker

Slot = Callable[[Any], object]

_WORK = "A job of napari-colorgan"

_log = logging.getLogger("napari_colorgan")


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
    on_error : gets the exception, of the job or of a slot; default `show_failure`

    Returns
    -------
    The job's control, to stop or pause it.
    """
    control = Control()
    worker = make_worker(job, control, title)
    worker.control = control
    in_order = InOrder()
    slots = _Slots(control, on_error or show_failure)
    worker.yielded.connect(in_order.slot(slots.guarded(on_event)))
    worker.returned.connect(in_order.slot(slots.guarded(on_result)))
    worker.errored.connect(in_order.slot(slots.fail))
    worker.finished.connect(in_order.slot(_told(on_end)))
    worker.start()
    return control


class _Slots:
    """Slots of one job: the first that fails is the job's error, and its end."""

    def __init__(self, control: Control, on_error: Slot) -> None:
        self._control = control
        self._on_error = _told(on_error)
        self._failed = False

    def guarded(self, slot: Slot) -> Slot:
        """Wrap a slot; it hears nothing any more once one has failed."""

        def call(value: Any) -> None:
            if self._failed:
                return
            try:
                slot(value)
            except Exception as error:
                self._control.request_stop()
                self.fail(error)

        return call

    def fail(self, error: BaseException) -> None:
        """Tell an error, if it is the first."""
        if not self._failed:
            self._failed = True
            self._on_error(error)


def _told(slot: Callable[..., object]) -> Callable[..., None]:
    """Wrap a slot after which others must be called: if it fails, the user is told."""

    def call(*values: Any) -> None:
        try:
            slot(*values)
        except Exception as error:
            show_failure(error)

    return call


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
            try:
                on_end()
            finally:
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
