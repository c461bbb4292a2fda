"""Jobs in a terminal: a progress bar, and signals as the wish to stop."""

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Any, Literal, Self, TypeVar

import typer

from napari_colorgan.errors import Stopped
from napari_colorgan.job import Control, Job, Progress, finish

R = TypeVar("R")


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
        if isinstance(error, Stopped):
            self.exit_if_stopped(str(error).rstrip("."))
        return False

    def finish(
        self, job: Job[R], on_event: Callable[[Progress], object] | None = None
    ) -> R:
        """Run a job to its end and show how far it is, if anybody is there to see."""
        with ExitStack() as stack:
            bar: Any = None

            def show(event: Progress) -> None:
                nonlocal bar
                if on_event is not None:
                    on_event(event)
                if not sys.stderr.isatty():
                    return
                if bar is None:
                    bar = stack.enter_context(
                        typer.progressbar(
                            length=event.total, label=self.label, file=sys.stderr
                        )
                    )
                bar.length, bar.label = event.total, self.label
                bar.update(max(0, event.done - bar.pos))

            return finish(job, show, self._control)

    def exit_if_stopped(self, what_is_kept: str) -> None:
        """End the command with the exit code of the signal, if there was one."""
        if self._signal is not None:
            typer.echo(f"Stopped: {what_is_kept}.", err=True)
            raise typer.Exit(128 + self._signal)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        self._control.request_stop()
        signal.signal(number, self._before[number])
