"""Models by name: those shipped with the package and those in the user's folder.

Names, descriptions and cards are read without torch.
"""

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from napari_colorgan.checkpoints.beside import (
    enclosed_of,
    make_one_file,
    paths_beside,
    repair,
)
from napari_colorgan.checkpoints.cards import plain_card, retitled
from napari_colorgan.checkpoints.enclosed import Enclosed
from napari_colorgan.checkpoints.metadata import Metadata, read_metadata
from napari_colorgan.errors import (
    BadSetting,
    CheckpointError,
    ColorganError,
    ColorganWarning,
    UnknownModel,
)
from napari_colorgan.printable import one_line, printable
from napari_colorgan.regular import is_regular

if TYPE_CHECKING:
    from napari_colorgan.checkpoints.store import Checkpoint

DEFAULT = "natural"
"""The model that is used when none is named."""

SCRATCH = "scratch"
"""What training calls a generator with fresh weights; no model can have this name."""

Kind = Literal["colorization", "translation"]
Origin = Literal["shipped", "mine", "imported"]

_KINDS: dict[str, Kind] = {"lab": "colorization", "rgb": "translation"}
_IMPORTED = "Imported from "  # begins the provenance of what others have trained
_TUNED = re.compile(r"Trained by \S+ from (.+?) on pairs of the user: ")
_FRESH = "fresh weights"  # what such a provenance says where there was no model
SUFFIX = ".safetensors"
_LONGEST_NAME = 60  # of up to 4 bytes; with its suffix below 255, file systems' limit
_FORBIDDEN = frozenset('<>:"/\\|?*')  # in file names on Windows, or anywhere
_DEVICES = frozenset(  # Windows opens these whatever their suffix
    ["con", "prn", "aux", "nul"]
    + [f"{port}{n}" for port in ("com", "lpt") for n in range(10)]
)


class NameTaken(ColorganError):
    """The user's folder already has a model of this name."""

    def __init__(
        self,
        name: str,
        remedy: str = "Choose another name, or agree to replace it (in a terminal "
        "--replace, in Python replace=True).",
    ) -> None:
        super().__init__(f"You already have a model called '{name}'. {remedy}")


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint file with a name; in it, or beside it, its card and its picture."""

    name: str
    """That of the file."""
    path: Path
    metadata: Metadata
    """As it was stored; the model may have another name since."""
    shipped: bool = False

    @property
    def description(self) -> str:
        """One line for pickers and lists."""
        return self.metadata.description

    @property
    def kind(self) -> Kind:
        """Whether it keeps the lightness of the gray picture."""
        return _KINDS[self.metadata.codec]

    @property
    def origin(self) -> Origin:
        """Who has made it, as far as its metadata tells."""
        if self.shipped:
            return "shipped"
        imported = self.metadata.provenance.startswith(_IMPORTED)
        return "imported" if imported else "mine"

    @property
    def base(self) -> str | None:
        """Name of the model that it was fine-tuned from; None if there is none."""
        match = _TUNED.match(self.metadata.provenance)
        return match[1] if match and match[1] != _FRESH else None

    @property
    def size(self) -> int:
        """Bytes on disk, card and picture included."""
        return sum(map(_size, (self.path, *paths_beside(self.path))))

    @property
    def card(self) -> str:
        """Model card in Markdown; put together from the metadata if there is none."""
        return self.own_card or plain_card(self.metadata, self.name)

    @property
    def own_card(self) -> str:
        """Markdown that it came with; empty if there is none."""
        return self.enclosed.card

    @property
    def picture(self) -> bytes:
        """JPEG of examples side by side, the first of them square; empty without."""
        return self.enclosed.picture

    @property
    def enclosed(self) -> Enclosed:
        """Card, under the present name, and picture; of former versions those beside.

        Empty if they were changed: loading the model says so.
        """
        enclosed = enclosed_of(self.path)
        card = retitled(enclosed.card, self.metadata.name, self.name)
        return replace(enclosed, card=printable(card))


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file in the place of a model, and what is wrong with it."""

    path: Path
    error: str
    """As the user is told who asks for it by its path."""

    @property
    def name(self) -> str:
        """The name it would have as a model, printable."""
        return printable(self.path.stem)

    def __str__(self) -> str:
        """One line."""
        why = self.error.removeprefix(f"'{self.path}' ")
        reason = why.removeprefix("cannot be read: ")
        reason = f"it {why}" if reason == why else f"{reason[:1].lower()}{reason[1:]}"
        return one_line(f"'{self.name}' cannot be read, because {reason}")


def user_folder() -> Path:
    """Where the user's own models are kept; it need not exist yet."""
    from platformdirs import user_data_path  # only here: a GPU server may lack it

    return user_data_path("napari-colorgan", appauthor=False) / "models"


def look() -> tuple[list[Model], list[Unreadable]]:
    """Shipped models, then the user's, each by name; and what is none of them."""
    repair(user_folder())
    models: dict[str, Model] = {}
    unreadable: list[Unreadable] = []
    for folder, shipped in ((_shipped_folder(), True), (user_folder(), False)):
        for path in _checkpoint_files(folder):
            if path.stem in models:
                continue  # a shipped model cannot be hidden by a file of its name
            try:
                models[path.stem] = _model(path, shipped=shipped)
            except CheckpointError as error:
                unreadable.append(Unreadable(path, str(error)))
    return list(models.values()), unreadable


def list_models() -> list[Model]:
    """Shipped models, then the user's, each by name.

    Of a file that cannot be read there is a `ColorganWarning`, and no model.
    """
    models, unreadable = look()
    for file in unreadable:
        warnings.warn(str(file), ColorganWarning, stacklevel=2)
    return models


def find(name: str | Path) -> Model:
    """Return the model of this name, or the checkpoint file at this path.

    Raises
    ------
    UnknownModel
        There is neither.
    CheckpointError
        The file is not a checkpoint of ours.
    BadSetting
        It is neither a name nor a path.
    """
    if not isinstance(name, str | Path):
        expected = "a model's name or the path of a checkpoint"
        raise BadSetting("model", name, expected)
    for folder, shipped in ((_shipped_folder(), True), (user_folder(), False)):
        path = folder / f"{name}{SUFFIX}"
        if path.parent == folder and is_regular(path):
            return _model(path, shipped=shipped)
    path = Path(os.path.expanduser(name))  # Path.expanduser raises for unknown users
    if is_regular(path):
        return Model(printable(path.stem), path, read_metadata(path))
    raise UnknownModel(printable(str(name)), (model.name for model in look()[0]))


def _model(path: Path, *, shipped: bool) -> Model:
    """Read a model of a folder, where its file's name is its own."""
    if not path.stem.isprintable():  # nobody could type it, and no new one has it
        raise CheckpointError(
            f"'{path}' has a name with signs that cannot be shown. Rename the file."
        )
    return Model(path.stem, path, read_metadata(path), shipped)


def open_model(model: "str | Path | Checkpoint") -> "Checkpoint":
    """Load a model by its name or the path of its file; a checkpoint is one already.

    Raises
    ------
    UnknownModel, CheckpointError
        See `find` and `store.load`.
    """
    from napari_colorgan.checkpoints.store import Checkpoint, load  # torch

    if isinstance(model, Checkpoint):
        return model
    found = find(model)
    checkpoint = load(found.path)
    if found.path.parent != user_folder() or checkpoint.metadata.name == found.name:
        return checkpoint
    metadata = replace(checkpoint.metadata, name=found.name)  # it was renamed
    return replace(checkpoint, metadata=metadata)


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
    if not isinstance(name, str):
        raise BadSetting("name", name, "text")
    name = name.strip()
    if not (name[:1].isalnum() and name.isprintable()) or name.endswith("."):
        expected = "text that begins with a letter or digit and ends without a dot"
        raise BadSetting("name", name, expected)
    if forbidden := sorted(_FORBIDDEN & set(name)):
        raise BadSetting("name", name, f"without {' '.join(forbidden)}")
    if len(name) > _LONGEST_NAME:
        raise BadSetting("name", name, f"at most {_LONGEST_NAME} letters long")
    # file systems may not tell upper from lower case
    folded = name.casefold()
    if folded.split(".")[0] in _DEVICES or folded == SCRATCH:
        raise BadSetting("name", name, "another one, this name is reserved")
    if folded in _names(_shipped_folder()):
        raise BadSetting("name", name, "another one, a shipped model has this name")
    if folded in _names(user_folder()) and not taken_too:
        raise NameTaken(name)
    return name


def check_folder() -> None:
    """Raise `CheckpointError` unless a model could be stored, before it is made."""
    folder = user_folder()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise _not_writable(folder, f"'{there}' is no folder that you may write to")


def free_name(name: str, otherwise: str = "my model") -> str:
    """Return `name`, with a number if it is taken.

    Parameters
    ----------
    otherwise : what to begin with where `name` is none that a model may have
    """
    base, number = name, 1
    while True:
        try:
            return check_name(name)
        except NameTaken:
            number += 1
            name = f"{base} {number}"
        except BadSetting:
            name = base = otherwise


def install(
    checkpoint: "Checkpoint",
    name: str,
    card: str = "",
    *,
    picture: bytes = b"",
    replace_old: bool = False,
) -> Model:
    """Put a checkpoint, its card and its picture into the user's folder.

    Parameters
    ----------
    card : Markdown; default: none, `Model.card` tells what the metadata says
    picture : JPEG of examples, see `Model.picture`; default: none
    replace_old : whether an older model of this name may go

    Raises
    ------
    BadSetting, NameTaken
        See `check_name`.
    CheckpointError
        The folder cannot be written; an older model is still whole.
    """
    from napari_colorgan.checkpoints.store import save  # torch

    name = check_name(name, taken_too=replace_old)
    folder = user_folder()
    path = folder / f"{name}{SUFFIX}"
    metadata = replace(checkpoint.metadata, name=name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(folder, error.strerror or str(error)) from error
    with contextlib.suppress(CheckpointError):  # there is none, or it cannot be read
        make_one_file(path)
    save(replace(checkpoint, metadata=metadata), path, Enclosed(card, picture))
    return Model(name, path, metadata)


def copy_of_card(model: Model, name: str) -> str:
    """Card of a model for a copy of that name; empty if there is none."""
    return retitled(model.own_card, model.name, name)


def _not_writable(folder: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"'{folder}' cannot be written: {why}. Check its permissions or free some "
        "space."
    )


def _shipped_folder() -> Path:
    return Path(str(files("napari_colorgan"))) / "checkpoints" / "weights"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _names(folder: Path) -> set[str]:
    """Names of the models in a folder, without regard to case."""
    return {path.stem.casefold() for path in _checkpoint_files(folder)}


def _checkpoint_files(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.glob(f"*{SUFFIX}")))
