"""Jobs in a terminal: a progress bar, and signals as the wish to stop."""

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Any, Literal, Self, TypeVar

import typer

from napari_colorgan.cli._terminal import say
from napari_colorgan.errors import Stopped
from napari_colorgan.job import Control, Job, Progress, Waiting, finish

R = TypeVar("R")

_TRY_AGAIN = 10.0  # s


def follow(job: Job[R]) -> R:
    """Run a job of a process that is not the first of its team, and stay silent.

    What Ctrl-C means is decided by the first one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return finish(job)


class Run:
    """Jobs of one command: a progress bar, and signals as the wish to stop.

    The first Ctrl-C or SIGTERM asks the job to keep what it has, a second one ends the
    process as it would without us.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self._control = Control()
        self._signal: int | None = None
        self._before: dict[int, Any] = {}
        self._bar: Any = None

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Literal[False]:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if isinstance(error, Stopped) and self._signal is not None:
            say(str(error), err=True)
            raise typer.Exit(128 + self._signal)
        return False

    def finish(
        self,
        job: Job[R],
        on_event: Callable[[Progress], object] | None = None,
        shown: type[Progress] = Progress,
    ) -> R:
        """Run a job to its end and show how far it is, if anybody is there to see.

        Parameters
        ----------
        shown : the events that say how far it is
        """
        with ExitStack() as stack:

            def show(event: Progress) -> None:
                if on_event is not None:
                    on_event(event)
                if isinstance(event, shown) and sys.stderr.isatty():
                    self._draw(event, stack)
                if isinstance(event, Waiting):
                    self._wait(event)

            try:
                return finish(job, show, self._control)
            finally:
                self._bar = None

    def say(self, text: str, *, err: bool = False) -> None:
        """Print a line in the place of the progress bar, which is drawn anew."""
        if self._bar is not None:
            typer.echo("\r\x1b[K", nl=False, err=True)
        say(text, err=err)

    def exit_if_stopped(self, what_is_kept: str) -> None:
        """End the command with the exit code of the signal, if there was one."""
        if self._signal is not None:
            say(f"Stopped: {what_is_kept}.", err=True)
            raise typer.Exit(128 + self._signal)

    def _wait(self, event: Waiting) -> None:
        """Say why the work waits, once, and let it try again after a while."""
        if event.tries == 1 and not self._control.stop:
            self.say(
                f"Waiting: {event.reason} Free some space, and it goes on: it is tried "
                f"again every {_TRY_AGAIN:.0f} s. Ctrl-C ends it.",
                err=True,
            )
        self._control.wait_while_paused(_TRY_AGAIN)
        self._control.resume()

    def _draw(self, event: Progress, stack: ExitStack) -> None:
        if self._bar is None or event.done < self._bar.pos:  # another part of the work
            stack.close()
            bar = typer.progressbar(
                length=event.total, label=self.label, file=sys.stderr
            )
            self._bar = stack.enter_context(bar)
        self._bar.length, self._bar.label = event.total, self.label
        self._bar.update(event.done - self._bar.pos)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        self._control.request_stop()
        signal.signal(number, self._before[number])
