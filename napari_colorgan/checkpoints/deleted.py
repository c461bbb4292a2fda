"""Models of the user's that were deleted, and can be brought back for a while.

They are kept beside the models, not in the system's trash: a move within a folder works
on every system and in every container, and so does the way back.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.beside import make_one_file, repair
from napari_colorgan.checkpoints.changes import find_own, move_model
from napari_colorgan.errors import CheckpointError
from napari_colorgan.regular import is_regular

KEPT_DAYS = 30

_TIME = "%Y-%m-%d %H.%M.%S.%f"  # name of a deleted model's folder


@dataclass(frozen=True, slots=True)
class Deleted:
    """A model that can be brought back."""

    path: Path
    """Of its checkpoint."""

    @property
    def name(self) -> str:
        """The name it had, and will have."""
        return self.path.stem


def deleted_folder() -> Path:
    """Where deleted models are; it need not exist, and may be removed at any time."""
    return zoo.user_folder() / "deleted"


def delete(name: str) -> Deleted:
    """Delete a model of the user's.

    Those that were deleted more than `KEPT_DAYS` ago are removed from the disk.

    Raises
    ------
    UnknownModel, NotYours
        See `find_own`.
    CheckpointError
        The folder cannot be written; the model is still whole.
    """
    model = find_own(name)
    _remove_old()
    make_one_file(model.path)  # so that the rest takes no time
    path = _new_folder() / model.path.name
    try:
        move_model(model.path, path)
    except CheckpointError:
        with contextlib.suppress(OSError):
            path.parent.rmdir()
        raise
    return Deleted(path)


def restore(deleted: Deleted) -> zoo.Model:
    """Bring a model back.

    Raises
    ------
    NameTaken
        There is a new model of this name.
    CheckpointError
        It was removed meanwhile, or the folder cannot be written.
    """
    try:
        name = zoo.check_name(deleted.name)
    except zoo.NameTaken:
        raise zoo.NameTaken(
            deleted.name, "Rename that one, then bring the deleted one back."
        ) from None
    move_model(deleted.path, zoo.user_folder() / deleted.path.name)
    with contextlib.suppress(OSError):  # the user may have put something into it
        deleted.path.parent.rmdir()
    return zoo.find(name)


def deleted_models() -> list[Deleted]:
    """Return the models that can be brought back, the latest first."""
    _repair()
    return [
        Deleted(path)
        for _, folder in sorted(_folders(), reverse=True)
        for path in folder.glob("*.safetensors")
        if is_regular(path)
    ]


def _new_folder() -> Path:
    folder = deleted_folder() / datetime.now().strftime(_TIME)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise CheckpointError(
            f"'{folder}' cannot be made: {error.strerror or error}. Check the "
            "permissions of the folder of your models."
        ) from error
    return folder


def _remove_old() -> None:
    limit = datetime.now() - timedelta(days=KEPT_DAYS)
    for when, folder in _folders():
        if when < limit:
            shutil.rmtree(folder, ignore_errors=True)


def _repair() -> None:
    """Remove what killed processes have left."""
    for _, folder in _folders():
        repair(folder)
        with contextlib.suppress(OSError):  # it is not empty
            folder.rmdir()


def _folders() -> Iterator[tuple[datetime, Path]]:
    """Folders of deleted models, and when these were deleted."""
    for folder in deleted_folder().glob("*"):
        with contextlib.suppress(ValueError):  # not one of ours
            yield datetime.strptime(folder.name, _TIME), folder
