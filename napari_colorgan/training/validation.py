"""The part that is held out, and how close a model comes to it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_colorgan.arrays import RGB
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import STOP, Job, Progress, finish
from napari_colorgan.metrics import Figures, compare
from napari_colorgan.training.events import Previewed
from napari_colorgan.training.left_out import LeftOut, PictureRead
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.panels import contact_sheet
from napari_colorgan.training.pictures import PictureFile, read_pairs
from napari_colorgan.training.scoring import color_pair, gray_rgb, score

T = TypeVar("T")

HELD_OUT = "held out"
"""The folder, in a manner of speaking, that decides which weights are best."""

_PIXELS = 1 << 18  # that are scored, of all held-out pairs together
_PREVIEW = 192  # px
_FILES = 24  # of each folder that is judged
_PIXELS_OF_FILE = 256 * 256  # of each picture of these
_COLUMNS = 6  # of each folder on the contact sheet
_SHEET_SIDE = 128  # px of a picture there
_COLORFUL = 0.1  # deviation from the truth's colourfulness that costs nothing
_PRICE = 5.0  # dB for all of the truth's colourfulness beyond that


@dataclass(frozen=True, slots=True)
class Judged:
    """A pair to judge by, cut to size, and the figures of leaving it gray."""

    pair: Pair
    gray: Figures


@dataclass(frozen=True, slots=True)
class Judgement:
    """How close a model comes to what it does not learn from."""

    figures: Figures
    """Mean of what decides: of the held-out part, or if there is none, of all."""
    folders: Mapping[str, tuple[Figures, Figures]]
    """Means over each folder: coloured, and left gray."""
    columns: Sequence[Sequence[RGB]]
    """Some pictures in gray, coloured, and in truth."""

    def sheet(self) -> Image.Image:
        """Show the pictures side by side."""
        return contact_sheet(self.columns, _SHEET_SIDE)


class Validation:
    """Scores colorizers on pairs that are not learned from, always the same pixels.

    Parameters
    ----------
    folders : pairs by the name of their folder
    previewed : the pair that previews show
    before : figures and preview before the training; default those in gray
    """

    def __init__(
        self,
        folders: Mapping[str, Sequence[Judged]],
        previewed: Pair,
        before: tuple[Figures, RGB] | None = None,
    ) -> None:
        self._folders = folders
        self.decides = HELD_OUT in folders
        """Whether there is a held-out part, which may say what is best."""
        judged = self._deciding(folders)
        self.gray = Figures.mean([each.gray for each in judged])
        self._previewed = previewed
        self.before, self._before = before or (self.gray, gray_rgb(previewed))
        every = [each.pair.gray.size for of in folders.values() for each in of]
        self._is_quick = sum(every) <= _PIXELS

    @classmethod
    def of_pairs(
        cls, held_out: Sequence[Pair], context: Context, before: Colorizer
    ) -> Self:
        """Judge by held-out pairs, and compare with a colorizer.

        Of large pairs, `local` context is judged by the middle at native resolution,
        and `whole` by all of it reduced.
        """
        pixels = _PIXELS // len(held_out)
        pairs = [part_of(pair, context, pixels) for pair in held_out]
        scores = [score(pair, before) for pair in pairs]
        judged = [
            Judged(pair, scored.gray)
            for pair, scored in zip(pairs, scores, strict=True)
        ]
        previewed = part_of(held_out[0], context, _PREVIEW**2)
        figures = Figures.mean([scored.figures for scored in scores])
        return cls(
            {HELD_OUT: judged}, previewed, (figures, color_pair(previewed, before))
        )

    def job(
        self, colorizer: Colorizer, done: int = 0, total: int = 1
    ) -> Job[Judgement | None]:
        """Score a colorizer; None on STOP, unless it is a matter of a second.

        All events say `done` of `total`.
        """
        figures: dict[str, list[Figures]] = {}
        columns: list[list[RGB]] = []
        for name, judged in self._folders.items():
            figures[name] = []
            for number, each in enumerate(judged):
                pair = each.pair
                image = color_pair(pair, colorizer)
                figures[name].append(compare(image, pair.color, pair.mask))
                if number < _COLUMNS:
                    columns.append([gray_rgb(pair), image, pair.color])
                if (yield Progress(done, total)) is STOP and not self._is_quick:
                    return None
        folders = {
            name: (Figures.mean(figures[name]), Figures.mean([e.gray for e in judged]))
            for name, judged in self._folders.items()
        }
        return Judgement(Figures.mean(self._deciding(figures)), folders, columns)

    def figures(self, colorizer: Colorizer) -> Figures:
        """Mean figures over the held-out pairs."""
        judgement = finish(self.job(colorizer))
        assert judgement is not None  # nobody could stop it
        return judgement.figures

    def preview(self, colorizer: Colorizer, done: int = 0, total: int = 1) -> Previewed:
        """Colour a crop of the first held-out pair."""
        return Previewed(
            done,
            total,
            gray=gray_rgb(self._previewed),
            before=self._before,
            now=color_pair(self._previewed, colorizer),
            truth=self._previewed.color,
        )

    def _deciding(self, folders: Mapping[str, Sequence[T]]) -> list[T]:
        """Take what counts of all: what is held out, or if nothing is, everything."""
        if self.decides:
            return list(folders[HELD_OUT])
        return [each for of_folder in folders.values() for each in of_folder]


def read_validation_job(
    folders: Mapping[str, Sequence[PictureFile]], context: Context, left_out: LeftOut
) -> Job[Validation | None]:
    """Read some pictures of each folder, spread evenly over them; None without any.

    Raises
    ------
    BadImageFile, BadPair
        A folder holds no colour pictures, or too many files cannot be read.
    Stopped
        On STOP.
    """
    judged: dict[str, list[Judged]] = {}
    previewed: Pair | None = None
    for done, (name, files) in enumerate(folders.items()):
        judged[name] = []
        for file in files[:: max(1, len(files) // _FILES)]:
            with left_out.if_bad(str(file.color)):
                for pair in read_pairs(file):
                    part = part_of(pair, context, _PIXELS_OF_FILE)
                    gray = compare(gray_rgb(part), part.color, part.mask)
                    judged[name].append(Judged(part, gray))
                    previewed = previewed or part_of(pair, context, _PREVIEW**2)
            if (yield PictureRead(done, len(folders))) is STOP:
                raise Stopped("Stopped while reading pictures; nothing has changed.")
        if not judged[name]:
            raise BadImageFile(
                f"'{name}' holds no colour pictures to judge by. Give a folder of "
                "colour pictures, such as PNG or JPEG files."
            )
    return None if previewed is None else Validation(judged, previewed)


def goodness(figures: Figures) -> float:
    """PSNR in dB, less a price for being too pale or too vivid.

    PSNR alone prefers pale colours where a model is in doubt. So colourfulness beyond
    90 to 110 % of the truth's costs 0.05 dB per percent.
    """
    if math.isnan(figures.colorfulness):
        return figures.psnr
    excess = max(0.0, abs(figures.colorfulness - 1) - _COLORFUL)
    return figures.psnr - _PRICE * excess


def part_of(pair: Pair, context: Context, pixels: int) -> Pair:
    """Part of a pair with at most about `pixels` px, to judge by.

    All of it reduced for `whole` context, its middle at native resolution for `local`.
    """
    height, width = pair.shape
    if height * width <= pixels:
        return pair
    if context == "whole":
        factor = math.sqrt(pixels / (height * width))
        return _reduced(
            pair, (max(1, int(height * factor)), max(1, int(width * factor)))
        )
    side = math.isqrt(pixels)
    high = min(height, max(side, pixels // width))
    wide = min(width, pixels // high)
    centre = (height // 2, width // 2)
    if pair.mask is not None:  # or there might be nothing to judge
        rows, columns = np.nonzero(pair.mask)
        middle = len(rows) // 2
        centre = int(rows[middle]), int(columns[middle])
    top = min(max(0, centre[0] - high // 2), height - high)
    left = min(max(0, centre[1] - wide // 2), width - wide)
    return pair.cropped((slice(top, top + high), slice(left, left + wide)))


def _reduced(pair: Pair, shape: tuple[int, int]) -> Pair:
    def resized(samples: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        image = Image.fromarray(samples)
        return np.asarray(image.resize(shape[::-1], Image.Resampling.BOX))

    mask = pair.mask
    if mask is not None:
        mask = np.asarray(resized(mask.astype(np.float32)), np.float32) >= 0.5
        mask = mask if mask.any() else None
    gray = resized(pair.gray).clip(0, 1).astype(np.float32)
    return replace(
        pair, gray=gray, color=resized(pair.color).astype(np.uint8), mask=mask
    )
