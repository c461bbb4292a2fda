"""Many pictures coloured into a folder by one model: a bad one stops no other."""

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from napari_colorgan.errors import BadImageFile, ColorganError, NoColors, Stopped, some
from napari_colorgan.inference.events import TileDone
from napari_colorgan.inference.files import Choices, FileOutcome, color_file_job
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.job import STOP, Job, Progress, explain

_PARTS = 100  # of a picture, by which the bar moves
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Item:
    """A picture to be coloured."""

    source: Path
    name: Path
    """Of the source within the folder that was given; the result's is like it."""


@dataclass(slots=True)
class BatchOutcome:
    """What became of the pictures."""

    count: int = 0
    """Of those that were to be coloured."""
    done: int = 0
    present: int = 0
    """Had results already, and were left out."""
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    colorizer: Any = None


@dataclass(frozen=True, slots=True)
class BatchProgress(Progress):
    """A picture, or a part of one, is coloured."""

    @property
    def finished(self) -> int:
        """Pictures that are coloured, or could not be."""
        return self.done // _PARTS

    @property
    def count(self) -> int:
        """Pictures that are to be coloured."""
        return self.total // _PARTS


def is_folder(path: Path) -> bool:
    """Whether a path is a folder of pictures: not a zarr store, which is one."""
    from napari_colorgan.image_io.ome_zarr import is_zarr

    return path.is_dir() and not is_zarr(path)


def expanded(sources: Sequence[Path]) -> list[Path]:
    """Replace patterns such as scans/*.tif by what they match, sorted.

    A shell may not have done so: on Windows, or where they are quoted.

    Raises
    ------
    BadImageFile
        One matches nothing.
    """
    paths: list[Path] = []
    for source in sources:
        if source.exists() or not glob.has_magic(str(source)):
            paths.append(source)
            continue
        matched = sorted(map(Path, glob.glob(str(source), recursive=True)))
        if not matched:
            raise BadImageFile(
                f"Nothing matches '{source}'. Give a pattern of files that are there, "
                "such as 'scans/*.tif' ('scans/**/*.tif' for all folders below)."
            )
        paths += matched
    return paths


def list_items(sources: Sequence[Path], out: Path) -> tuple[list[Item], list[str]]:
    """Pictures of files and folders, and notes about what is left out.

    Results in `out` are no sources, where this lies in a folder that is given.

    Raises
    ------
    BadImageFile
        A folder holds no pictures.
    """
    from napari_colorgan.image_io.folders import LARGE, SUFFIXES, find_pictures

    items: dict[Path, Item] = {}
    notes: list[str] = []
    for source in sources:
        if not is_folder(source):
            items.setdefault(source.absolute(), Item(source, Path(source.name)))
            continue
        listing = find_pictures(source, without=out, large=True)
        if not listing.files:
            raise BadImageFile(
                f"'{source}' holds no pictures. Give a folder with files of one of the "
                f"types {', '.join(SUFFIXES + LARGE)}."
            )
        notes += listing.notes
        for path in listing.files:
            items.setdefault(path.absolute(), Item(path, path.relative_to(source)))
    return _apart(list(items.values())), notes


def _apart(items: Sequence[Item]) -> list[Item]:
    """Name results that would be alike by their types, too: b.webp.png beside b.png."""
    from napari_colorgan.image_io import named_like

    results = Counter(named_like(item.name) for item in items)
    return [
        replace(item, name=item.name.with_name(f"{item.name.name}.png"))
        if results[result := named_like(item.name)] > 1 and result != item.name
        else item
        for item in items
    ]


def check_items(
    items: Sequence[Item], out: Path, *, force: bool, skip: bool = False
) -> list[Item]:
    """Make sure that no picture is lost, before any is computed.

    Parameters
    ----------
    skip : leave out those whose results exist, and are not only begun

    Returns
    -------
    What is to be coloured.

    Raises
    ------
    BadImageFile
        `out` is no folder; two results would have the same name; one exists, and not
        `force`; or one would take the place of a source.
    """
    from napari_colorgan.image_io import named_like
    from napari_colorgan.image_io.folders import LARGE, SUFFIXES
    from napari_colorgan.image_io.places import endangered

    named = out.suffix.lower() in SUFFIXES + LARGE
    if not is_folder(out) and (out.exists() or named):
        raise BadImageFile(
            f"'{out}' is no folder, but there are several pictures to be coloured. "
            "Give the name of a folder last, which is created if there is none."
        )
    results = [out / named_like(item.name) for item in items]
    if doubled := [str(name) for name, n in Counter(results).items() if n > 1]:
        raise BadImageFile(
            f"Several pictures would become {some(doubled, _NAMED)}. Colour these one "
            "by one, each under a name of its own."
        )
    present = [path for path in results if path.exists()]
    possible = [out / named_like(item.name, n) for item in items for n in (1, 2)]
    if lost := endangered(dict.fromkeys(possible), [item.source for item in items]):
        raise BadImageFile(
            f"{some(lost, _NAMED)} would take the place of a picture that is to be "
            "coloured, or hold one or lie in one. Give another folder."
        )
    if skip:
        return [
            item
            for item in items
            if not any(_is_there(out / named_like(item.name, n)) for n in (1, 2))
        ]
    if present and not force:
        raise BadImageFile(
            f"{len(present)} of {len(results)} results exist already: "
            f"{some(present, _NAMED)}. Give another folder, --force to replace "
            "them, or --skip-existing to go on with the others."
        )
    return list(items)


def _is_there(path: Path) -> bool:
    from napari_colorgan.image_io.begun import is_begun

    return path.exists() and not is_begun(path)


def color_many_job(
    sources: Sequence[Path],
    out: Path,
    settings: ColorizerSettings,
    choices: Choices,
    *,
    skip: bool = False,
) -> Job[BatchOutcome]:
    """Colour pictures of files and folders into `out`, which is made if there is none.

    Parameters
    ----------
    skip : leave out those whose results exist, and are not only begun

    Raises
    ------
    BadImageFile
        See `list_items` and `check_items`.
    NoColors
        See `color_all_job`.
    """
    yield Progress(0, 0)
    every, notes = list_items(sources, out)
    items = check_items(every, out, force=choices.force, skip=skip)
    outcome = BatchOutcome(notes=notes, present=len(every) - len(items))
    if items:
        yield from color_all_job(items, out, settings, choices, outcome)
    return outcome


def color_all_job(
    items: Sequence[Item],
    out: Path,
    settings: ColorizerSettings,
    choices: Choices,
    outcome: BatchOutcome,
) -> Job[None]:
    """Colour pictures into `out`, one after the other, and note it in `outcome`.

    What is wrong with a picture is put down, and the next one follows. On STOP the one
    that is being coloured is not written.

    Raises
    ------
    NoColors
        The model is to blame; what was coloured before is kept.
    """
    from napari_colorgan.inference.colorize import colorizer_job

    outcome.count = len(items)
    outcome.colorizer = yield from colorizer_job(settings)
    for number, item in enumerate(items):
        try:
            yield from _color_one_job(item, out, choices, outcome, number, len(items))
        except Stopped:
            break
        except NoColors:  # no other picture would fare better
            raise
        except ColorganError as error:
            outcome.failures.append(str(error))
        except (RuntimeError, MemoryError) as error:
            outcome.failures.append(f"'{item.source}': {explain(error)}")
        else:
            outcome.done += 1
        finished = BatchProgress(_PARTS * (number + 1), _PARTS * len(items))
        if (yield finished) is STOP:
            break


def _color_one_job(
    item: Item,
    out: Path,
    choices: Choices,
    outcome: BatchOutcome,
    number: int,
    count: int,
) -> Job[None]:
    from napari_colorgan.image_io import named_like
    from napari_colorgan.image_io.writing import make_folder

    def result(planes: int) -> Path:
        path = out / named_like(item.name, planes)
        make_folder(path.parent)
        return path

    job = color_file_job(item.source, result, outcome.colorizer, choices, of_many=True)
    answer, part = None, 0.0
    try:
        while True:
            event = job.send(answer)
            if isinstance(event, TileDone):
                part = event.done / event.total
            shown = BatchProgress(round(_PARTS * (number + part)), _PARTS * count)
            answer = yield shown
    except StopIteration as end:
        picture: FileOutcome = end.value
        outcome.notes += picture.image.notes
        known = len(picture.image.notes)
        outcome.notes += [f"'{item.source}': {note}" for note in picture.notes[known:]]
    finally:
        job.close()
