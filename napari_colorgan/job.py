"""How long work reports progress, pauses and ends.

A *job* is a generator: it yields small frozen events, may receive `STOP` as the value
of a ``yield`` (finish early, return what there is) and returns its result. `drive` is
the only function that runs jobs, for Python, the command line and the widgets alike.
"""

import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar, final

from napari_colorgan.errors import ColorganError, JobFailed, OutOfMemory

R = TypeVar("R")

_MEMORY_WORDS = (
    "out of memory",  # CUDA, MPS
    "can't allocate memory",  # CPU
    "not enough memory",  # CPU on Windows
    "bad_alloc",
)


@final
class Stop:
    """Type of `STOP`."""

    def __repr__(self) -> str:
        return "STOP"


STOP: Final = Stop()
"""Sent into a job: finish early and return what you have."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Something was finished: `done` of `total` units of work."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Waiting(Progress):
    """The job cannot go on and loses nothing by waiting, such as for a full disk.

    `drive` pauses it; once it is resumed it tries again. On `STOP` it ends.
    """

    reason: str
    """A sentence."""
    tries: int
    """How often it was tried by now."""


Job: TypeAlias = Generator[Progress, Stop | None, R]
"""Yields events, may be sent `STOP`, returns its result."""


class Control:
    """Two wishes about a running job, safe to set from any thread or signal handler."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._go_on = threading.Event()
        self._go_on.set()

    @property
    def stop(self) -> bool:
        """Whether the job was asked to end early."""
        return self._stop.is_set()

    @property
    def pause(self) -> bool:
        """Whether the job was asked to wait."""
        return not self._go_on.is_set()

    def request_stop(self) -> None:
        """Ask the job to finish early and keep what it has; also ends a pause."""
        self._stop.set()
        self._go_on.set()

    def request_pause(self) -> None:
        """Ask the job to wait at its next event."""
        self._go_on.clear()
        if self.stop:  # looked at last: a stop may come from another thread just now
            self._go_on.set()

    def resume(self) -> None:
        """End a pause."""
        self._go_on.set()

    def wait_while_paused(self, seconds: float | None = None) -> None:
        """Block while a pause is wished for and no stop; so long at most."""
        self._go_on.wait(seconds)


def drive(job: Job[R], control: Control) -> Generator[Progress, None, R]:
    """Run `job` and forward its events, obeying `control`.

    `STOP` is sent at every yield once a stop was asked for, so that an outer job hears
    it after its inner one has ended. A job that is `Waiting` is paused.

    Raises
    ------
    JobFailed, OutOfMemory
        Instead of `RuntimeError` and `MemoryError`, whose text is no help to a user.
    """
    answer: Stop | None = None
    try:
        while True:
            event = job.send(answer)
            if isinstance(event, Waiting):
                control.request_pause()
            yield event
            control.wait_while_paused()
            answer = STOP if control.stop else None
    except StopIteration as end:
        result: R = end.value
        return result
    except (RuntimeError, MemoryError) as error:
        raise explain(error) from error
    finally:
        job.close()


def finish(
    job: Job[R],
    on_event: Callable[[Progress], object] | None = None,
    control: Control | None = None,
) -> R:
    """Run `job` to its end in this thread and return its result.

    Parameters
    ----------
    control : for others who stop, pause and resume it; without, nobody can, and a job
        that is `Waiting` is stopped
    """
    own = Control()
    driven = drive(job, control or own)
    try:
        while True:
            try:
                event = next(driven)
            except StopIteration as end:
                result: R = end.value
                return result
            if on_event is not None:
                on_event(event)
            if isinstance(event, Waiting):
                own.request_stop()
    finally:
        driven.close()  # where `on_event` raised, the job must not wait for a collector


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` means that memory ran out, on the CPU or on a GPU."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError)  # torch.OutOfMemoryError is one, too
        and any(words in text for words in _MEMORY_WORDS)
    )


def explain(error: RuntimeError | MemoryError) -> ColorganError:
    """Put an error of the numerical library into words a user can act on."""
    if is_out_of_memory(error):
        return OutOfMemory(
            "Memory ran out. Close other programs, choose a smaller tile (to train: "
            "smaller patches or batches), or use the CPU instead of the GPU, then try "
            "again."
        )
    first_line = str(error).strip().split("\n")[0]
    return JobFailed(
        f"The computation failed: {first_line} Try again on the CPU; if it fails there "
        "too, please report it with this message."
    )


def duration(seconds: float) -> str:
    """Seconds in words, as long as they matter."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
