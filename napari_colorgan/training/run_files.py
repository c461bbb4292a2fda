"""What a run keeps on the disk: a full one is waited for, so that nothing is lost."""

import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.errors import CheckpointError
from napari_colorgan.job import STOP, Job, Stop, Waiting
from napari_colorgan.training.logs import Logs
from napari_colorgan.training.state import write_state_job

_FULL = {
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EFBIG")
    if hasattr(errno, name)  # Windows has no quotas
}


class RunFiles:
    """The checkpoint `out`, and its state and logs beside it.

    Parameters
    ----------
    out : None: nothing is kept
    kept : step of the state that is there; None: there is none
    steps : of the whole run
    """

    def __init__(self, out: Path | None, kept: int | None, steps: int) -> None:
        self._out = out
        self._kept = kept
        self._steps = steps
        self._unsaved = ""
        """Why what was to be written last is not, in a few words."""
        self.logs = None if out is None else Logs(out, kept or 0)
        self.done = 0
        """Steps of what was to be written last."""

    def save_job(
        self, done: int, state: Mapping[str, Any], best: Checkpoint
    ) -> Job[bool]:
        """Write a state of `done` steps and then the checkpoint; whether they are."""
        if (out := self._out) is None:
            return False

        def write() -> Job[None]:
            yield from write_state_job(out.with_suffix(".state"), dict(state))
            self._kept = done
            save(best, out)

        return (yield from self._insist(write, out, done))

    def keep_job(self, done: int, best: Checkpoint) -> Job[bool]:
        """Write the checkpoint alone; whether it is."""
        if (out := self._out) is None:
            return False

        def write() -> Job[None]:
            save(best, out)
            yield from ()

        return (yield from self._insist(write, out, done))

    @property
    def unsaved(self) -> str:
        """What is not on the disk, though it was to be; empty if all of it is."""
        if not self._unsaved or self._out is None:
            return ""
        place = f"in '{self._out.parent}' ({self._unsaved})"
        if self._kept is None:
            return f"the state of {self.done} steps could not be saved {place}"
        return f"step {self._kept} of {self.done} is the last that is saved {place}"

    def _insist(
        self, write: Callable[[], Job[None]], out: Path, done: int
    ) -> Job[bool]:
        """Write files, and where that fails, wait until it is possible, or for STOP.

        What has worked before may work again, whatever the reason. Otherwise only a
        full disk is waited for.

        Raises
        ------
        CheckpointError
            They cannot be written, now or later.
        """
        answer: Stop | None = None
        tries = 0
        self.done = done
        while True:
            try:
                yield from write()
                if self._kept == done:  # a checkpoint alone is not all
                    self._unsaved = ""
                return True
            except CheckpointError as error:
                cause = error.__cause__
                if not isinstance(cause, OSError):
                    raise
                if self._kept is None and cause.errno not in _FULL:
                    raise
                self._unsaved = cause.strerror or str(cause)
            if answer is STOP:
                return False
            tries += 1
            reason = f"'{out}' cannot be written: {self._unsaved}."
            answer = yield Waiting(done, self._steps, reason, tries)
