"""Models by name: those shipped with the package and those in the user's folder.

Names, descriptions and cards are read without torch.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from platformdirs import user_data_path

from napari_colorgan.checkpoints.metadata import Metadata, read_metadata
from napari_colorgan.errors import CheckpointError, UnknownModel

DEFAULT = "natural"
"""The model that is used when none is named."""

_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint file with a name; its card is a Markdown file beside it."""

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
            card = self.path.with_suffix(".md")
            return card.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return _card_of(self)


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


def _shipped_folder() -> Path:
    return Path(str(files("napari_colorgan"))) / "checkpoints" / "weights"


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long for the file system
        return False


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
