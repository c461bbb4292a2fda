"""Make models of files the user's own, with a picture of what they do."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_colorgan.checkpoints import zoo
from napari_colorgan.checkpoints.formats import (
    check_source,
    is_address,
    name_after,
    read_job,
)
from napari_colorgan.checkpoints.metadata import Context, Statistics
from napari_colorgan.errors import ColorganWarning, Stopped
from napari_colorgan.inference.examples import sample_job
from napari_colorgan.job import STOP, Job, Progress, finish

if TYPE_CHECKING:  # torch
    from napari_colorgan.checkpoints.imports import Import


@dataclass(frozen=True, slots=True)
class ImportNoted(Progress):
    """There is something that whoever imports a file should know."""

    note: str

    def __str__(self) -> str:
        return self.note


def install_imported_job(
    model: "Import", name: str, *, replace_old: bool = False
) -> Job[zoo.Model]:
    """Make what was read a model of the user's.

    Without a picture beside its file it gets one: a sample that it has coloured.

    Raises
    ------
    BadSetting, NameTaken, CheckpointError, NoColors
        See `zoo.install`; the sample can show that it has no colours.
    Stopped
        On STOP; nothing is stored.
    """
    zoo.check_name(name, taken_too=replace_old)  # before the work
    yield Progress(0, 0)
    picture = model.picture or (yield from sample_job(model.checkpoint))
    if (yield Progress(0, 0)) is STOP:
        raise Stopped("The import was stopped; nothing was stored.")
    return model.install(name, picture=picture, replace_old=replace_old)


def import_job(
    source: str | Path,
    name: str | None = None,
    *,
    sha256: str = "",
    replace_old: bool = False,
    **usage: Any,
) -> Job[zoo.Model]:
    """Make a file, or what is at an address, a model of the user's.

    See `import_model`, `formats.read_job` and `install_imported_job`.
    """
    check_source(source)
    if name is None:
        name = name_after(source) if is_address(source) else Path(source).stem
    name = zoo.check_name(name, taken_too=replace_old)
    zoo.check_folder()
    model = yield from read_job(source, sha256=sha256, **usage)
    if model.note:
        yield ImportNoted(0, 0, model.note)
    return (yield from install_imported_job(model, name, replace_old=replace_old))


def import_model(
    source: str | Path,
    name: str | None = None,
    *,
    sha256: str = "",
    context: Context | None = None,
    statistics: Statistics | None = None,
    dropout: bool | None = None,
    license: str = "",
    replace: bool = False,
) -> zoo.Model:
    """Make a model file one of the user's models.

    A warning tells of a file without a checksum, see `sha256`.

    Parameters
    ----------
    source : path of a .safetensors file or package (.zip) of napari-colorgan, or of
        weights (.pth) of the PyTorch pix2pix code; or an address of such a file that
        begins with https:// or http://
    name : of the model; default: that of the file
    sha256 : of the file, 64 hexadecimal digits, and no other file is imported then; an
        address needs it, and old weights (.pth of torch before 1.6) hold no checksum of
        their own
    context, statistics, dropout, license : of weights of the pix2pix code, which do not
        tell how they are used: `whole` or `local`; `picture` (as its test program does)
        or `stored` (as its option --eval); whether a further training drops values
    replace : whether a model of the user's of this name may go

    Raises
    ------
    ColorganError
        One of its children, saying what was found, what was expected and what to do;
        nothing is stored then.
    """
    return finish(
        import_job(
            source,
            name,
            sha256=sha256,
            context=context,
            statistics=statistics,
            dropout=dropout,
            license=license,
            replace_old=replace,
        ),
        _warn,
    )


def _warn(event: Progress) -> None:
    if isinstance(event, ImportNoted):
        warnings.warn(str(event), ColorganWarning, stacklevel=4)
