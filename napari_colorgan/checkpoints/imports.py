"""Model files of any origin: checkpoints and packages of ours, weights of pix2pix."""

import dataclasses
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.bounded import read_bounded
from napari_colorgan.checkpoints.cards import imported_card, retitled
from napari_colorgan.checkpoints.download import check_content
from napari_colorgan.checkpoints.enclosed import Enclosed, enclosed_in
from napari_colorgan.checkpoints.foreign import HEAD, LEGACY, ZIP
from napari_colorgan.checkpoints.metadata import (
    Context,
    Metadata,
    Statistics,
    header_in,
)
from napari_colorgan.checkpoints.package import check_package, read_package
from napari_colorgan.checkpoints.pictures import as_jpeg
from napari_colorgan.checkpoints.pix2pix import check_pix2pix, read_pix2pix
from napari_colorgan.checkpoints.store import Checkpoint, check_checkpoint, load
from napari_colorgan.errors import BadSetting, CheckpointError


@dataclass(frozen=True, slots=True)
class Import:
    """A model that was read from a file, and is not installed yet."""

    checkpoint: Checkpoint
    source: zoo.Model
    """The file, whose card and picture may lie beside it."""
    ours: bool
    """Whether napari-colorgan wrote the file, which then tells how it is to be used."""
    enclosed: Enclosed
    """What came in the file itself."""
    note: str = ""
    """What whoever imports it should know; may be empty."""

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
        """JPEG in the file or beside it, encoded anew; empty if none can be shown."""
        return as_jpeg(self.enclosed.picture or self.source.picture)

    def install(
        self, name: str, *, picture: bytes = b"", replace_old: bool = False
    ) -> zoo.Model:
        """Make it a model of the user's.

        Parameters
        ----------
        picture : JPEG of examples; default: that of the file, if any
        replace_old : whether an older model of this name may go

        Raises
        ------
        BadSetting, NameTaken, CheckpointError
            See `zoo.install`.
        """
        return zoo.install(
            self.checkpoint,
            name,
            self._card(name.strip()),
            picture=picture or self.picture,
            replace_old=replace_old,
        )

    def _card(self, name: str) -> str:
        if not self.ours:
            return imported_card(self.metadata, name)
        if self.enclosed.card:
            return retitled(self.enclosed.card, self.metadata.name, name)
        return zoo.copy_of_card(self.source, name)


def read_model(
    source: str | Path,
    content: bytes | None = None,
    *,
    sha256: str = "",
    context: Context | None = None,
    statistics: Statistics | None = None,
    dropout: bool | None = None,
    license: str = "",
) -> Import:
    """Read a model file of any kind that can be imported; its content tells the kind.

    Parameters
    ----------
    source : path of the file, or the address that `content` came from
    sha256 : of the file, in small letters; not checked if empty
    context, statistics, dropout, license : of weights of the pix2pix code, see
        `read_pix2pix`; a file of ours tells these itself

    Raises
    ------
    CheckpointError
        See `read_bounded`, `check_model`, `load`, `read_package` and
        `read_pix2pix`.
    BadSetting
        A setting is given that the file tells itself, or that its generator lacks.
    """
    settings: dict[str, Any] = {
        "context": context,
        "statistics": statistics,
        "dropout": dropout,
        "license": license,
    }
    path = Path(source)  # beside an address, there is nothing
    if content is None:
        content = read_bounded(path, check_model)
    digest = hashlib.sha256(content).hexdigest()
    if sha256:
        check_content(content, sha256, source)
    try:
        check_model(io.BytesIO(content), path)
        checkpoint, enclosed = _read_ours(content, path)
        ours = checkpoint is not None
        if checkpoint is None:
            checkpoint = read_pix2pix(path, content, **settings)
        else:
            _check_left_out(settings, path)
        # the generator is built so that what cannot be used is not installed
        checkpoint.generator()
    except CheckpointError as error:  # an address is no path
        raise CheckpointError(str(error).replace(str(path), str(source))) from error
    about = checkpoint.metadata
    name = path.name if isinstance(source, Path) else source
    provenance = f"Imported from '{name}' (SHA-256 {digest})."
    if ours:
        provenance = f"{provenance} {about.provenance}".strip()
    about = dataclasses.replace(about, provenance=provenance)
    checkpoint = dataclasses.replace(checkpoint, metadata=about)
    note = ""
    if content.startswith(LEGACY) and not sha256:
        note = (
            f"'{name}' is of an old kind of file without a checksum: if it was damaged "
            "or changed, nothing shows it. Compare its SHA-256 with what the source "
            f"of the model says: {digest}"
        )
    return Import(checkpoint, zoo.Model(path.stem, path, about), ours, enclosed, note)


def check_model(file: BinaryIO, path: Path) -> None:
    """Compare what a file of any kind declares with what its generator needs.

    Little of it is read.

    Raises
    ------
    CheckpointError
        See `read_model`.
    """
    head = file.read(HEAD)
    if head[8:9] == b"{":  # safetensors: the length of its header, then that
        check_checkpoint(file, path)
    elif not (head.startswith(ZIP) and check_package(file, path)):
        check_pix2pix(file, path)


def _read_ours(content: bytes, path: Path) -> tuple[Checkpoint | None, Enclosed]:
    """Read what napari-colorgan wrote; no checkpoint if the file is another."""
    if content[8:9] == b"{":
        checkpoint = load(path, content)
        enclosed = enclosed_in(header_in(io.BytesIO(content), path), path)
        return checkpoint, enclosed or Enclosed()
    package = read_package(content, path)
    return (None, Enclosed()) if package is None else (package[0], Enclosed(package[1]))


def _check_left_out(settings: Mapping[str, Any], path: Path) -> None:
    for name, value in settings.items():
        if value not in (None, ""):
            raise BadSetting(
                name,
                value,
                f"left out, for '{path.name}' was written by napari-colorgan and tells "
                "itself how it is used",
            )
