"""Model files of any origin: checkpoints of ours, and weights of the pix2pix code."""

import dataclasses
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.card import imported_card
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.pix2pix import read_pix2pix
from napari_colorgan.checkpoints.pth import read_bounded
from napari_colorgan.checkpoints.store import Checkpoint, load


@dataclass(frozen=True, slots=True)
class Import:
    """A model that was read from a file, and is not installed yet."""

    checkpoint: Checkpoint
    source: zoo.Model
    """The file, whose card and picture may lie beside it."""
    ours: bool
    """Whether napari-colorgan wrote the file, which then tells how it is to be used."""

    @property
    def metadata(self) -> Metadata:
        """Metadata of the checkpoint."""
        return self.checkpoint.metadata

    def using(self, metadata: Metadata) -> "Import":
        """Return the same weights with other metadata."""
        checkpoint = dataclasses.replace(self.checkpoint, metadata=metadata)
        return dataclasses.replace(self, checkpoint=checkpoint)

    @property
    def picture(self) -> bytes:
        """Content of the picture beside the file; empty if there is none."""
        return zoo.copy_of_picture(self.source)

    def install(
        self, name: str, *, picture: bytes = b"", replace_old: bool = False
    ) -> zoo.Model:
        """Make it a model of the user's.

        Parameters
        ----------
        picture : JPEG of examples; default: the one beside the file, if any
        replace_old : whether an older model of this name may go

        Raises
        ------
        BadSetting, NameTaken, CheckpointError
            See `zoo.install`.
        """
        card = (
            zoo.copy_of_card(self.source, name.strip())
            if self.ours
            else imported_card(self.metadata, name.strip())
        )
        return zoo.install(
            self.checkpoint,
            name,
            card,
            picture=picture or self.picture,
            replace_old=replace_old,
        )


def read_model(path: Path, where: str = "") -> Import:
    """Read a model file of any kind that can be imported.

    Parameters
    ----------
    where : what its provenance calls the file; default: its name

    Raises
    ------
    CheckpointError
        See `read_bounded`, `load` and `read_pix2pix`.
    """
    content = read_bounded(path)
    # a safetensors file begins with the length of its header
    ours = path.suffix.lower() == ".safetensors" or content[8:9] == b"{"
    checkpoint = load(path, content) if ours else read_pix2pix(path, content)
    # the generator is built so that what cannot be used is not installed
    checkpoint.generator()
    about = checkpoint.metadata
    sha256 = hashlib.sha256(content).hexdigest()
    provenance = f"Imported from '{where or path.name}' (SHA-256 {sha256})."
    if ours:
        provenance = f"{provenance} {about.provenance}".strip()
    about = dataclasses.replace(about, provenance=provenance)
    source = zoo.Model(path.stem, path, about)
    return Import(dataclasses.replace(checkpoint, metadata=about), source, ours)


def suggest_name(path: Path) -> str:
    """Suggest a name for the model in a file.

    The pix2pix code calls its files `latest_net_G.pth`, `200_net_G.pth` and the like,
    and their folder by the name of the training.
    """
    of_training = re.fullmatch(r"(latest|\d+)_net_\w+", path.stem)
    return zoo.free_name(path.parent.name if of_training else path.stem)
