"""Folders of colour pictures, as the benchmarks of the default models take them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import finish
from napari_colorgan.training.evaluate import (
    WHOLE_SIDE,
    Scores,
    evaluate_job,
    pair_readers,
)
from napari_colorgan.training.pairs import Pair


@dataclass(frozen=True)
class Collection:
    """A folder of colour pictures, and what tables call it."""

    name: str
    folder: Path

    @classmethod
    def parse(cls, text: str) -> "Collection":
        """From NAME=FOLDER, or FOLDER alone."""
        name, _, folder = text.rpartition("=")
        return cls(name or Path(folder).name, Path(folder))

    def scores(
        self, colorizer: Colorizer, *, limit: int | None = None, side: int | None = None
    ) -> Scores:
        """Compare with the truth as `colorgan evaluate` does."""
        return finish(evaluate_job(self.folder, colorizer, limit=limit, side=side))

    def pairs(
        self, limit: int | None = None, side: int | None = WHOLE_SIDE
    ) -> Iterator[Pair]:
        """Of `limit` pictures, evenly spread, those that have colour."""
        for _, read in pair_readers(self.folder, limit=limit, side=side):
            yield from read()
