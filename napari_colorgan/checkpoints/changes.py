"""Changes of the user's own models: each takes all files of a model along, or none."""

import contextlib
from dataclasses import replace
from pathlib import Path

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.atomic import replace_later
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
    card, picture = zoo.copy_of_card(model, new_name), zoo.copy_of_picture(model)
    return zoo.install(zoo.open_model(model.path), new_name, card, picture=picture)


def rename(name: str, new_name: str) -> zoo.Model:
    """Give a model of the user's another name; card and picture go with it.

    The checkpoint says its name and its digest covers that, so both are new.

    Raises
    ------
    UnknownModel, NotYours
        See `find_own`.
    BadSetting, NameTaken
        See `zoo.check_name`; another spelling of upper and lower case is possible.
    CheckpointError
        The model cannot be read, or the folder not be written; nothing has changed.
    """
    from napari_colorgan.checkpoints.store import load, save  # torch

    model = find_own(name)
    same = new_name.strip().casefold() == model.name.casefold()
    new_name = zoo.check_name(new_name, taken_too=same)
    path = model.path.with_name(f"{new_name}{model.path.suffix}")
    if path.exists() and not path.samefile(model.path):
        raise zoo.NameTaken(new_name)
    checkpoint = load(model.path)
    metadata = replace(checkpoint.metadata, name=new_name)
    card = zoo.copy_of_card(model, new_name)
    with contextlib.ExitStack() as stack:
        if card:
            replace_later(path.with_suffix(zoo.CARD), card.encode(), stack)
        move_files(model.path, path)
        try:
            save(replace(checkpoint, metadata=metadata), path)
        except CheckpointError:
            move_files(path, model.path)
            raise
    return zoo.Model(new_name, path, metadata)


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


def move_files(old: Path, new: Path) -> None:
    """Move a checkpoint, its card and its picture: all of them, or after an error none.

    Parameters
    ----------
    new : path that the checkpoint gets; cards and pictures beside it are replaced

    Raises
    ------
    CheckpointError
    """
    moved: list[tuple[Path, Path]] = []
    try:
        for suffix in zoo.SUFFIXES:
            source, target = old.with_suffix(suffix), new.with_suffix(suffix)
            if source == old or source.is_file():
                source.replace(target)
                moved.append((source, target))
            else:
                target.unlink(missing_ok=True)
    except OSError as error:
        for source, target in reversed(moved):
            with contextlib.suppress(OSError):
                target.replace(source)
        raise CheckpointError(
            f"'{old}' cannot be moved: {error.strerror or error}. Check that it still "
            "is there, that no other program uses it, and the permissions of its "
            "folder."
        ) from error
