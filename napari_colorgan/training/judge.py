"""How a training does on pictures that it does not learn from, and how these look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from napari_colorgan.arrays import RGB
from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import BadImageFile, Stopped
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.job import STOP, Job
from napari_colorgan.metrics import Figures
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.picture_files import LeftOut, PictureRead
from napari_colorgan.training.pictures import PictureFile, read_pairs
from napari_colorgan.training.scoring import Scored, gray_rgb, score_job
from napari_colorgan.training.validation import part_of

_JUDGED = 24  # pictures of each folder
_PIXELS = 256 * 256  # of each picture
_SHOWN = 6  # of these
_SHEET_SIDE = 128  # px of a picture on the contact sheet
_GAP = 4  # px


@dataclass(frozen=True, slots=True)
class Judgement:
    """Scores by folder, and the contact sheet."""

    figures: Mapping[str, tuple[Figures, Figures]]
    """Means over some pictures of each folder: coloured, and left gray."""
    sheet: Image.Image


class Judge:
    """Scores checkpoints on some pictures of each of some folders."""

    def __init__(
        self, folders: Mapping[str, Sequence[Pair]], device: torch.device
    ) -> None:
        self._folders = folders
        self._device = device

    def job(self, checkpoint: Checkpoint, done: int) -> Job[Judgement | None]:
        """Judge a checkpoint; None on STOP, or where there are no folders."""
        if not self._folders:
            return None
        colorizer = Colorizer(checkpoint, self._device)
        figures: dict[str, tuple[Figures, Figures]] = {}
        columns: list[list[RGB]] = []
        for name, pairs in self._folders.items():
            scores: list[Scored] = []
            for pair in pairs:
                scored = yield from score_job(pair, colorizer, done, done)
                if scored is None:
                    return None
                scores.append(scored)
            shown = zip(pairs[:_SHOWN], scores, strict=False)
            columns += [[gray_rgb(pair), one.image, pair.color] for pair, one in shown]
            figures[name] = (
                Figures.mean([one.figures for one in scores]),
                Figures.mean([one.gray for one in scores]),
            )
        return Judgement(figures, contact_sheet(columns, _SHEET_SIDE))


def read_judge_job(
    folders: Mapping[str, Sequence[PictureFile]],
    context: Context,
    device: torch.device,
    left_out: LeftOut,
) -> Job[Judge]:
    """Read some pictures of each folder, spread evenly over them.

    Raises
    ------
    BadImageFile, BadPair
        A folder holds no colour pictures, or too many files cannot be read.
    Stopped
        On STOP.
    """
    read: dict[str, list[Pair]] = {}
    for done, (name, files) in enumerate(folders.items()):
        read[name] = []
        for file in files[:: max(1, len(files) // _JUDGED)]:
            with left_out.if_bad(str(file.color)):
                pairs = read_pairs(file)
                read[name] += [part_of(pair, context, _PIXELS) for pair in pairs]
            if (yield PictureRead(done, len(folders))) is STOP:
                raise Stopped("Stopped while reading pictures; nothing has changed.")
        if not read[name]:
            raise BadImageFile(
                f"'{name}' holds no colour pictures to judge by. Give a folder of "
                "colour pictures, such as PNG or JPEG files."
            )
    return Judge(read, device)


def contact_sheet(columns: Sequence[Sequence[RGB]], side: int) -> Image.Image:
    """Pictures (Y, X, 3) in columns, the middle of each, `side` px large."""
    step = side + _GAP
    rows = max(map(len, columns))
    size = (step * len(columns) - _GAP, step * rows - _GAP)
    sheet = Image.new("RGB", size, "white")
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures):
            sheet.paste(_square(picture, side), (column * step, row * step))
    return sheet


def _square(rgb: RGB, side: int) -> Image.Image:
    height, width = rgb.shape[:2]
    part = min(height, width)
    left, top = (width - part) // 2, (height - part) // 2
    image = Image.fromarray(rgb).crop((left, top, left + part, top + part))
    return image.resize((side, side), Image.Resampling.LANCZOS)
