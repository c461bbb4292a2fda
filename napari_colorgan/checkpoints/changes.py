"""Changes of the user's own models, each made in one step.

A model is one file; former versions put its card and its picture beside it, and these
are enclosed first.
"""

from pathlib import Path

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.beside import make_one_file
from napari_colorgan.errors import CheckpointError, ColorganError


class NotYours(ColorganError):
    """A model that is not in the user's folder cannot be changed."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"'{name}' is not in your folder of models and stays as it is. Duplicate "
            "it to have a model of your own."
        )


def duplicate(name: str, new_name: str) -> zoo.Model:
    """Copy a model, its card and its picture into the user's folder.

    Raises
    ------
    UnknownModel, CheckpointError, BadSetting, NameTaken
        See `zoo.find` and `zoo.install`.
    """
    model = zoo.find(name)
    new_name = zoo.check_name(new_name)
    card, picture = zoo.copy_of_card(model, new_name), model.picture
    return zoo.install(zoo.open_model(model.path), new_name, card, picture=picture)


def rename(name: str, new_name: str) -> zoo.Model:
    """Give a model of the user's another name, which is that of its file.

    What it was called when it was stored still stands in it; nobody is told that.

    Raises
    ------
    UnknownModel, NotYours
        See `find_own`.
    BadSetting, NameTaken
        See `zoo.check_name`; another spelling of upper and lower case is possible.
    CheckpointError
        The model cannot be read, or the folder not be written; nothing has changed.
    """
    model = find_own(name)
    same = new_name.strip().casefold() == model.name.casefold()
    new_name = zoo.check_name(new_name, taken_too=same)
    path = model.path.with_name(f"{new_name}{model.path.suffix}")
    if path.exists() and not path.samefile(model.path):
        raise zoo.NameTaken(new_name)
    move_model(model.path, path)
    return zoo.Model(new_name, path, model.metadata)


def find_own(name: str) -> zoo.Model:
    """Return the model of the user's that has this name.

    Raises
    ------
    UnknownModel, CheckpointError
        See `zoo.find`.
    NotYours
        It is a shipped one, or a file elsewhere.
    """
    model = zoo.find(name)
    if model.shipped or model.path.parent != zoo.user_folder():
        raise NotYours(model.name)
    return model


def move_model(old: Path, new: Path) -> None:
    """Move a checkpoint with all that belongs to it.

    Raises
    ------
    CheckpointError
        It cannot be read or moved, and is still where it was.
    """
    try:
        old.stat()
        make_one_file(old)
        old.replace(new)
    except OSError as error:
        raise CheckpointError(
            f"'{old}' cannot be moved: {error.strerror or error}. Check that it still "
            "is there, that no other program uses it, and the permissions of its "
            "folder."
        ) from error
