"""What a training writes: state, checkpoint, logs, judged pictures."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.job import Job
from napari_colorgan.training.judge import Judge
from napari_colorgan.training.state import write_state_job
from napari_colorgan.training.trainer import Trainer


class Output:
    """Writes what a training has come to, beside the checkpoint `out`.

    Parameters
    ----------
    offset : s, from the monotonic clock to the time of all runs together
    """

    def __init__(
        self,
        trainer: Trainer,
        metadata: Metadata,
        out: Path,
        judge: Judge,
        offset: float,
    ) -> None:
        self._trainer = trainer
        self._metadata = metadata
        self._out = out
        self._judge = judge
        self._offset = offset

    @property
    def _seconds(self) -> float:
        return time.monotonic() + self._offset

    def log_loss(self, loss: float) -> None:
        """Write a moving average of the loss down, with its step and time."""
        row = f"{self._trainer.done},{self._seconds:.0f},{loss:.5f}"
        _append(self._out.with_suffix(".csv"), "step,seconds,loss", [row])

    def save_job(self, *, judge: bool = True) -> Job[Checkpoint]:
        """Write state and checkpoint, then judge it; the time for this is not counted.

        On STOP it is not judged.
        """
        began = time.monotonic()
        trainer, seconds = self._trainer, self._seconds
        settings = self._metadata.training | dataclasses.asdict(trainer.config)
        state = trainer.state() | {"settings": settings, "seconds": seconds}
        yield from write_state_job(self._out.with_suffix(".state"), state)
        training = settings | {"steps_done": trainer.done, "hours": seconds / 3600}
        checkpoint = Checkpoint(
            dataclasses.replace(self._metadata, training=training),
            {k: _half(value) for k, value in trainer.average.items()},
        )
        save(checkpoint, self._out)
        judgement = None
        if judge:
            judgement = yield from self._judge.job(checkpoint, trainer.done)
        if judgement is not None:
            rows = [
                f"{trainer.done},{seconds:.0f},{name},{one.psnr - gray.psnr:.3f},"
                f"{one.ciede2000:.3f},{one.colorfulness:.3f}"
                for name, (one, gray) in judgement.figures.items()
            ]
            header = "step,seconds,folder,gain,ciede2000,colorfulness"
            _append(self._out.with_suffix(".scores.csv"), header, rows)
            judgement.sheet.save(self._out.with_suffix(".jpg"), quality=88)
        self._offset -= time.monotonic() - began
        return checkpoint


def _half(value: Tensor) -> Tensor:
    return value.half() if value.is_floating_point() else value.clone()


def _append(path: Path, header: str, rows: Sequence[str]) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write("\n".join([header] * new + [*rows, ""]))
