"""Models by name: those shipped with the package and those in the user's folder.

Names, descriptions and cards are read without torch.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_data_path

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.metadata import Metadata, read_metadata
from napari_colorgan.errors import (
    BadSetting,
    CheckpointError,
    ColorganError,
    UnknownModel,
)

if TYPE_CHECKING:
    from napari_colorgan.checkpoints.store import Checkpoint

DEFAULT = "natural"
"""The model that is used when none is named."""

SCRATCH = "scratch"
"""What training calls a generator with fresh weights; no model can have this name."""

_SUFFIX = ".safetensors"
_CARD, _PICTURE = ".md", ".jpg"  # of the files beside it
_LONGEST_NAME = 60  # of up to 4 bytes; with its suffix below 255, file systems' limit
_FORBIDDEN = frozenset('<>:"/\\|?*')  # in file names on Windows, or anywhere
_DEVICES = frozenset(  # Windows opens these whatever their suffix
    ["con", "prn", "aux", "nul"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in range(10)]
)


class NameTaken(ColorganError):
    """The user's folder already has a model of this name."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"You already have a model called '{name}'. Choose another name, or agree "
            "to replace it."
        )


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint file with a name; beside it its card and its picture, if any."""

    name: str
    path: Path
    metadata: Metadata
    shipped: bool = False

    @property
    def description(self) -> str:
        """One line for pickers and lists."""
        return self.metadata.description

    @property
    def card(self) -> str:
        """Model card in Markdown; put together from the metadata if there is none."""
        try:
            card = self.path.with_suffix(_CARD)
            return card.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return _card_of(self)

    @property
    def picture(self) -> Path | None:
        """JPEG of examples side by side, the first of them square; None without."""
        picture = self.path.with_suffix(_PICTURE)
        return picture if _is_file(picture) else None


def user_folder() -> Path:
    """Where the user's own models are kept; it need not exist yet."""
    return user_data_path("napari-colorgan", appauthor=False) / "models"


def list_models() -> list[Model]:
    """Shipped models, then the user's, each by name; unreadable files are left out."""
    found: dict[str, Model] = {}
    for folder, shipped in ((_shipped_folder(), True), (user_folder(), False)):
        for path in _checkpoint_files(folder):
            if path.stem in found:
                continue  # a shipped model cannot be hidden by a file of its name
            try:
                found[path.stem] = Model(path.stem, path, read_metadata(path), shipped)
            except CheckpointError:
                continue  # `find` says what is wrong with it when it is asked for
    return list(found.values())


def find(name: str | Path) -> Model:
    """Return the model of this name, or the checkpoint file at this path.

    Raises
    ------
    UnknownModel
        There is neither.
    CheckpointError
        The file is not a checkpoint of ours.
    """
    for folder, shipped in ((_shipped_folder(), True), (user_folder(), False)):
        path = folder / f"{name}{_SUFFIX}"
        if path.parent == folder and _is_file(path):
            return Model(str(name), path, read_metadata(path), shipped)
    path = Path(os.path.expanduser(name))  # Path.expanduser raises for unknown users
    if _is_file(path):
        return Model(path.stem, path, read_metadata(path))
    raise UnknownModel(str(name), (model.name for model in list_models()))


def check_name(name: str, *, taken_too: bool = False) -> str:
    """Return `name` as a new model of the user's may have it, blanks at its ends off.

    Parameters
    ----------
    taken_too : whether a model of the user's own may have it already

    Raises
    ------
    BadSetting
        It is no file name on some system, or belongs to a shipped model.
    NameTaken
        It belongs to a model of the user's.
    """
    name = name.strip()
    if not (name[:1].isalnum() and name.isprintable()) or name.endswith("."):
        expected = "text that begins with a letter or digit and ends without a dot"
        raise BadSetting("name", name, expected)
    if found := sorted(_FORBIDDEN & set(name)):
        raise BadSetting("name", name, f"without {' '.join(found)}")
    if len(name) > _LONGEST_NAME:
        raise BadSetting("name", name, f"at most {_LONGEST_NAME} letters long")
    # file systems may not tell upper from lower case
    folded = name.casefold()
    if folded.split(".")[0] in _DEVICES or folded == SCRATCH:
        raise BadSetting("name", name, "another one, this name is reserved")
    if folded in (
        path.stem.casefold() for path in _checkpoint_files(_shipped_folder())
    ):
        raise BadSetting("name", name, "another one, a shipped model has this name")
    taken = {path.stem.casefold() for path in _checkpoint_files(user_folder())}
    if folded in taken and not taken_too:
        raise NameTaken(name)
    return name


def install(
    checkpoint: "Checkpoint", name: str, card: str, *, replace_old: bool = False
) -> Model:
    """Put a checkpoint and its card (Markdown) into the user's folder.

    Parameters
    ----------
    replace_old : whether an older model of this name may go

    Raises
    ------
    BadSetting, NameTaken
        See `check_name`.
    CheckpointError
        The folder cannot be written.
    """
    from napari_colorgan.checkpoints.store import save  # torch

    name = check_name(name, taken_too=replace_old)
    folder = user_folder()
    path = folder / f"{name}{_SUFFIX}"
    metadata = replace(checkpoint.metadata, name=name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix in (_CARD, _PICTURE):  # of an older model
            path.with_suffix(suffix).unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"'{folder}' cannot be written: {error.strerror or error}. Check its "
            "permissions or free some space."
        ) from error
    save(replace(checkpoint, metadata=metadata), path)
    with replacing(path.with_suffix(_CARD)) as file:
        file.write(card.encode())
    return Model(name, path, metadata)


def _shipped_folder() -> Path:
    return Path(str(files("napari_colorgan"))) / "checkpoints" / "weights"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long for the file system
        return False


def _names(folder: Path) -> set[str]:
    """Names of the models in a folder, without regard to case."""
    return {path.stem.casefold() for path in _checkpoint_files(folder)}


def _checkpoint_files(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob(f"*{_SUFFIX}")))


def _card_of(model: Model) -> str:
    metadata = model.metadata
    return (
        f"# {model.name}\n\n{metadata.description or 'No description.'}\n\n"
        f"- generator: {metadata.generator}, context: {metadata.context}\n"
        f"- licence: {metadata.license or 'not stated'}\n"
        f"- made from: {metadata.provenance or 'not stated'}\n"
    )
