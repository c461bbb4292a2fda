"""What is written down beside a checkpoint while it is trained."""

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path

from napari_colorgan.drafts import write_whole
from napari_colorgan.training.validation import Judgement


class Logs:
    """Tables that grow beside `out`, and a picture that is replaced.

    A training does not end because they cannot be written: rows wait for the next time.

    Parameters
    ----------
    done : steps of the training that goes on; later rows are of steps that were lost
    """

    def __init__(self, out: Path, done: int) -> None:
        self._losses = _Table(out.with_suffix(".csv"), "step,seconds,loss", done)
        self._scores = _Table(
            out.with_suffix(".scores.csv"),
            "step,seconds,folder,gain,ciede2000,colorfulness",
            done,
        )
        self._picture = out.with_suffix(".jpg")

    def add_loss(self, step: int, seconds: float, loss: float) -> None:
        """Add a moving average of the loss to `out`.csv."""
        self._losses.add([f"{step},{seconds:.0f},{loss:.5f}"])

    def add_judgement(self, step: int, seconds: float, judgement: Judgement) -> None:
        """Add scores to `out`.scores.csv, and show the pictures in `out`.jpg."""
        self._scores.add(
            [
                f"{step},{seconds:.0f},{name},{now.psnr - gray.psnr:.3f},"
                f"{now.ciede2000:.3f},{now.colorfulness:.3f}"
                for name, (now, gray) in judgement.folders.items()
            ]
        )
        content = io.BytesIO()
        judgement.sheet().save(content, "JPEG", quality=88)
        with contextlib.suppress(OSError):
            write_whole(self._picture, content.getvalue())


class _Table:
    """Rows of a file that begin with a step."""

    def __init__(self, path: Path, header: str, done: int) -> None:
        self._path = path
        self._waiting: list[str] = []
        if path.exists():
            with contextlib.suppress(OSError):
                self._mend(header, done)
        else:
            self._waiting = [header]

    def _mend(self, header: str, done: int) -> None:
        """Leave out rows of later steps, and one that was not written to its end."""
        before = self._path.read_bytes()
        lines = before.split(b"\n")[1:-1]
        kept = [line for line in lines if _step(line) <= done]
        content = b"\n".join([header.encode(), *kept, b""])
        if content != before:
            write_whole(self._path, content)

    def add(self, rows: Sequence[str]) -> None:
        """Write rows below the others, or keep them until that is possible."""
        self._waiting += rows
        text = "\n".join([*self._waiting, ""])
        with contextlib.suppress(OSError), self._path.open("ab", buffering=0) as file:
            place, content = file.tell(), text.encode("utf-8", "backslashreplace")
            if file.write(content) == len(content):
                self._waiting = []
            else:  # the disk is full
                file.truncate(place)


def _step(line: bytes) -> float:
    try:
        return int(line.partition(b",")[0])
    except ValueError:
        return float("inf")
