"""One training at a time for an output, or each would undo what the other saves."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from napari_colorgan.checkpoints.atomic import unwritable
from napari_colorgan.errors import ColorganError


class OutputBusy(ColorganError):
    """Another training writes the same file."""

    def __init__(self, out: Path) -> None:
        super().__init__(
            f"Another training is writing '{out}'. Wait for its end or stop it, or use "
            "another output."
        )


@contextlib.contextmanager
def reserved(out: Path | None) -> Iterator[None]:
    """Keep every other training away from `out`, in this process and all others.

    Raises
    ------
    OutputBusy
    CheckpointError
        The folder cannot be written to.
    """
    if out is None:
        yield
        return
    path = out.with_name(f".{out.name}.in-use")
    lock = FileLock(path)  # free once its process has died
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputBusy(out) from None
    except NotImplementedError:  # some network drives know no locks
        yield
        return
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # on Windows it goes when it is let go
            path.unlink()
        lock.release()
