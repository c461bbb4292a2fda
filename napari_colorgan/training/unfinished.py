"""Trainings that can go on, and what their folders tell of them; free of torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from napari_colorgan.errors import ColorganError, some
from napari_colorgan.training.pairs.files import read_names
from napari_colorgan.training.runs import RunFolder, unfinished
from napari_colorgan.training.state_index import read_index


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A training whose model was not put to use."""

    folder: RunFolder
    name: str
    """What it started from, and its pairs; as far as can be read."""
    step: int
    """The last that was saved; 0: none."""
    steps: int | None
    """How many there will be; None: it is not known."""
    psnr: float | None
    """The best score of the test part in dB; None: there is none."""
    size: int
    """Of all its files in bytes."""
    saved: datetime
    """When its files were last written."""


def list_unfinished() -> Sequence[Unfinished]:
    """Describe what can go on, the latest first.

    Raises
    ------
    TrainingBusy
    """
    return [_describe(folder) for folder in unfinished()]


def _describe(folder: RunFolder) -> Unfinished:
    step, steps, psnr = _progress(folder)
    files = [path.stat() for path in folder.path.iterdir()]
    return Unfinished(
        folder=folder,
        name=_name(folder),
        step=step,
        steps=steps,
        psnr=psnr,
        size=sum(file.st_size for file in files),
        saved=datetime.fromtimestamp(max(file.st_mtime for file in files)),
    )


def _name(folder: RunFolder) -> str:
    try:
        pairs = some(read_names(folder.pairs), most=1)
        return f"{Path(folder.settings().start).stem} on {pairs}"
    except ColorganError:
        return folder.name


def _progress(folder: RunFolder) -> tuple[int, int | None, float | None]:
    """Step, steps and best score that were saved; of a damaged state nothing."""
    try:
        state = read_index(folder.state)
        scores = [
            each["now"]["psnr"]
            for each in state["history"]["validations"]
            if each["best"]
        ]
        step, steps = state["trainer"]["done"], state["plan"]["steps"]
        return step, steps, scores[-1] if scores else None
    except Exception:  # damage shows in a dozen ways
        return 0, None, None
