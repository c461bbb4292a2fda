"""Where a training keeps its pairs, settings and state until its model is used."""

import contextlib
import dataclasses
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout
from platformdirs import user_data_path

from napari_colorgan.checkpoints import zoo
from napari_colorgan.drafts import remove_folder, sweep, sweep_own, write_whole
from napari_colorgan.errors import ColorganError
from napari_colorgan.training.settings import FineTuneConfig

_LOCK = "training.lock"
_USED = "used"
"""A file of this name: the model was put to use, the folder may go."""
_STAMP = "%Y-%m-%d %H.%M.%S"
_STAMPED = re.compile(r"\d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d( \(\d+\))?")


class TrainingBusy(ColorganError):
    """One training at a time."""

    def __init__(self) -> None:
        super().__init__(
            "Another training is in progress, here or in another window. Wait for its "
            "end or stop it, then start again; your pairs are kept."
        )


class NameBusy(ColorganError):
    """One training at a time for a name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Another training of the '{name}' is in progress. Wait for its end or "
            "stop it, or give another name."
        )


class BadRun(ColorganError):
    """A run folder cannot be written or read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """All that a training is made with, beside its pairs."""

    start: str
    """A model's name, the path of a checkpoint, or "scratch"."""
    device: str
    config: FineTuneConfig

    def to_json(self) -> str:
        """Serialise."""
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse what `to_json` wrote.

        Raises
        ------
        BadRun
        """
        try:
            values: dict[str, Any] = json.loads(text)
            config = FineTuneConfig(**values.pop("config"))
            return cls(config=config, **values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRun(
                f"The settings of this training cannot be read ({error}). Discard it "
                "and start again."
            ) from error


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One training on disk."""

    path: Path

    @classmethod
    def new(cls) -> Self:
        """Name a folder by the time; it does not exist yet."""
        stamp = datetime.now().strftime(_STAMP)
        path = training_folder() / stamp
        number = 1
        while path.exists():
            number += 1
            path = training_folder() / f"{stamp} ({number})"
        return cls(path)

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the folder of the training that makes a model of this name."""
        return cls(training_folder() / f"{zoo.check_name(name, taken_too=True)} model")

    @contextlib.contextmanager
    def reserved(self) -> Iterator[None]:
        """Keep every other training out of this folder, which need not exist yet.

        Raises
        ------
        NameBusy, BadRun
        """
        with _locked(f"{self.name}.lock", NameBusy(self.name)):
            yield

    @property
    def name(self) -> str:
        """When it was started."""
        return self.path.name

    @property
    def pairs(self) -> Path:
        """The copies that are trained on."""
        return self.path / "pairs.npz"

    @property
    def model(self) -> Path:
        """Where the best weights are kept."""
        return self.path / "model.safetensors"

    @property
    def state(self) -> Path:
        """From what the training can go on."""
        return self.model.with_suffix(".state")

    @property
    def used(self) -> bool:
        """Whether the model was put to use."""
        return (self.path / _USED).exists()

    def create(self, settings: RunSettings | None = None) -> None:
        """Make the folder and write the settings, if it has any of its own.

        Raises
        ------
        BadRun
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if settings is not None:
                write_whole(self._settings, settings.to_json().encode())
        except OSError as error:
            raise BadRun(
                f"'{self.path}' cannot be written: {error.strerror or error}. Free "
                "some space or check its permissions, then start again."
            ) from error

    def settings(self) -> RunSettings:
        """Read the settings.

        Raises
        ------
        BadRun
        """
        try:
            return RunSettings.from_json(self._settings.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadRun(
                f"'{self._settings}' cannot be read: {error.strerror or error}. "
                "Discard this training and start again."
            ) from error

    def mark_used(self) -> None:
        """Say that the model was put to use; the folder goes with the next clean-up."""
        with contextlib.suppress(OSError):
            (self.path / _USED).touch()

    def discard(self) -> None:
        """Remove the folder and all that is in it."""
        try:
            remove_folder(self.path)  # nothing of it is left where this is interrupted
        except OSError:  # there is none, or on Windows a file of it is open
            shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _settings(self) -> Path:
        return self.path / "settings.json"


def training_folder() -> Path:
    """Where all run folders are; it need not exist yet."""
    return user_data_path("napari-colorgan", appauthor=False) / "training"


def unfinished() -> Sequence[RunFolder]:
    """Find runs whose model was not used, the latest first.

    Raises
    ------
    TrainingBusy
        One trains, or is being saved.
    """
    try:
        with exclusive():
            sweep(training_folder())
            folders = _all_runs()
            for folder in folders:
                sweep_own(folder.path)
                if folder.used or not folder.pairs.exists():
                    folder.discard()
            return [folder for folder in folders if folder.path.exists()]
    except BadRun:
        return []


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Keep every other training out, in this process and all others.

    Raises
    ------
    TrainingBusy, BadRun
    """
    with _locked(_LOCK, TrainingBusy()):
        yield


@contextlib.contextmanager
def _locked(name: str, busy: ColorganError) -> Iterator[None]:
    """Hold a lock of all trainings; raises `busy` where somebody else does."""
    try:
        training_folder().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRun(
            f"'{training_folder()}' cannot be made: {error.strerror or error}. Check "
            "its permissions, then start again."
        ) from error
    lock = FileLock(training_folder() / name)  # free once its process has died
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise busy from None
    try:
        yield
    finally:
        lock.release()


def _all_runs() -> list[RunFolder]:
    """Find runs of the dock, also those that were interrupted before they began."""
    paths = {path.parent for path in training_folder().glob("*/settings.json")}
    paths |= {
        path for path in training_folder().iterdir() if _STAMPED.fullmatch(path.name)
    }
    return [RunFolder(path) for path in sorted(paths, reverse=True)]
