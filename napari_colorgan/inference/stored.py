"""Results that are larger than memory: in a temporary store, chunk by chunk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_colorgan.arrays import RGB, Region
from napari_colorgan.errors import BadArray
from napari_colorgan.image_io.begun import check_growing, open_growing
from napari_colorgan.image_io.growing import CHUNK, Levels, level_shapes
from napari_colorgan.image_io.ome_zarr_levels import OmeZarrLevels
from napari_colorgan.image_io.temporary import TemporaryFolder
from napari_colorgan.inference.by_planes import ByPlanes
from napari_colorgan.inference.events import TileDone
from napari_colorgan.inference.hints import Hints
from napari_colorgan.job import STOP, Job, Progress

if TYPE_CHECKING:  # torch
    from napari_colorgan.inference.colorizer import Colorizer
    from napari_colorgan.inference.source import Source

_NAME = "result.zarr"
_LEADING = "TZ"  # letters of its axes before Y and X, whatever these are
_ROOM = 4  # bytes for a px, with its pyramid, where nothing can be compressed


class StoredArray(ByPlanes):
    """One size of a result in a store, which lives as long as somebody has it."""

    def __init__(
        self,
        folder: TemporaryFolder,
        levels: Levels,
        level: int,
        lengths: Sequence[int],
        order: Sequence[int],
    ) -> None:
        super().__init__(lengths, order)
        self.folder = folder
        self._levels, self._level = levels, level

    def part(self, index: tuple[int, ...], region: Region) -> RGB:
        """Return colours (y, x, 3) of a region of one plane; black where none are."""
        return self._levels.read(self._level, index, region)


@dataclass(frozen=True, slots=True)
class Stored:
    """A result, of which nothing is coloured yet."""

    folder: TemporaryFolder
    shape: tuple[int, ...]
    """Of the gray array, (..., Y, X)."""
    leading: str
    """Letters of the axes before Y and X."""

    @property
    def path(self) -> Path:
        """Of the store."""
        return self.folder.path / _NAME

    def arrays(self, order: Sequence[int]) -> list[StoredArray]:
        """All sizes, from full size to the smallest.

        Parameters
        ----------
        order : dimensions of the arrays as (leading..., Y, X)
        """
        levels = OmeZarrLevels(self.path, self.leading)
        return [
            StoredArray(self.folder, levels, n, (*self.shape[:-2], *plane), order)
            for n, plane in enumerate(level_shapes(self.shape[-2:]))
        ]


@dataclass(frozen=True, slots=True)
class StoreReady(Progress):
    """A store is there for a result, and black."""

    number: int
    """Of the layer among those chosen."""
    stored: Stored
    record: dict[str, Any]
    """How it is made."""


def stored_job(
    number: int,
    source: "Source",
    colorizer: "Colorizer",
    record: dict[str, Any],
    hints: Hints | None = None,
) -> Job[None]:
    """Colour a picture into a temporary store; on STOP what is finished is kept.

    Raises
    ------
    BadImageFile
        There is no room for it, or it has axes that a store cannot have.
    """
    from napari_colorgan.inference.filling import fill_job

    pixels = math.prod(source.shape)
    if len(source.leading) > len(_LEADING):
        raise BadArray(
            f"The result of {source.name} is larger than memory, and a store for it "
            f"has room for {len(_LEADING)} axes beside rows and columns, not for "
            f"{len(source.leading)}. Split the layer along one of its axes."
        )
    leading = _LEADING[len(_LEADING) - len(source.leading) :]
    stored = Stored(TemporaryFolder(_ROOM * pixels), source.shape, leading)
    check_growing(stored.path, leading)
    file = open_growing(stored.path, source.shape, leading, made=record)
    assert file is not None  # it is new
    file.remedy = (
        "What is coloured stays as long as its layer: save it elsewhere, or make room "
        "there and try again."
    )
    with file:
        if (yield StoreReady(0, 1, number, stored, record)) is STOP:
            return
        filling = fill_job(source, colorizer, file, hints)
        answer = None
        while True:
            try:
                event = filling.send(answer)
            except StopIteration:
                break
            answer = yield _in_chunks(event)
        if file.is_finished:
            file.complete(record | {"complete": True})


def _in_chunks(event: Progress) -> Progress:
    """Count chunks instead of px."""
    if not isinstance(event, TileDone):
        return event
    done, total = (-(-pixels // CHUNK**2) for pixels in (event.done, event.total))
    return replace(event, done=done, total=total)
