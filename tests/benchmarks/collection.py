"""Folders of colour pictures, as the benchmarks of the default models take them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_colorgan import finish
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.training.evaluate import (
    WHOLE_SIDE,
    Scores,
    evaluate_job,
    read_truth,
)
from napari_colorgan.training.pairs import Pair, gray_of
from napari_colorgan.training.pictures import is_color, list_pictures


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
        paths = list_pictures(self.folder)
        count = min(limit or len(paths), len(paths))
        for number in range(count):
            path = paths[number * len(paths) // count]
            truth = read_truth(path, side)
            if is_color(truth):
                yield Pair(path.name, gray_of(truth), truth, from_color=True)
