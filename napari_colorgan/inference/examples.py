"""Pictures that show what a model does: examples whose left half is still gray."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from napari_colorgan.arrays import RGB, Gray
from napari_colorgan.inference.source import Source
from napari_colorgan.job import Job

if TYPE_CHECKING:  # torch, which the job imports when it runs
    import torch

    from napari_colorgan.checkpoints.store import Checkpoint

SIDE = 160  # px of an example; docks show them at half of that
_QUALITY = 88  # of JPEG
_MOST = 640  # px of a picture that is looked at


def examples_job(
    checkpoint: "Checkpoint",
    grays: Sequence[Gray],
    device: "str | torch.device" = "auto",
) -> Job[bytes]:
    """Colour the middle of each gray picture and make a strip of them.

    On STOP, what is not coloured yet stays gray.

    Parameters
    ----------
    grays : (Y, X) in [0, 1]

    Returns
    -------
    JPEG for `zoo.install`, see `strip`
    """
    from napari_colorgan.inference.colorize import colorize_job
    from napari_colorgan.inference.colorizer import Colorizer

    colorizer = Colorizer(checkpoint, device, engine="torch")
    examples = []
    for gray in grays:
        middle = _middle(gray)
        source = Source.of(middle, axes="YX", limits=(0, 1))
        color = yield from colorize_job(source, colorizer)
        examples.append(example(middle, color))
    return strip(examples)


def sample_job(checkpoint: "Checkpoint") -> Job[bytes]:
    """Make a strip of one of the package's samples, for a model without pictures."""
    from napari_colorgan.sample_data import picture_for

    sample = picture_for(checkpoint.metadata.context)
    return (yield from examples_job(checkpoint, [sample]))


def example(gray: Gray, color: RGB) -> Image.Image:
    """Put the left half of a gray square (Y, X) in [0, 1] over its colours."""
    left = np.rint(gray.clip(0, 1) * 255).astype(np.uint8)
    before, after = (
        Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        for picture in (left, color)
    )
    after.paste(before.crop((0, 0, SIDE // 2, SIDE)))
    return after


def strip(examples: Sequence[Image.Image]) -> bytes:
    """JPEG of examples side by side."""
    picture = Image.new("RGB", (SIDE * len(examples), SIDE))
    for number, square in enumerate(examples):
        picture.paste(square, (number * SIDE, 0))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=_QUALITY, optimize=True)
    return content.getvalue()


def _middle(gray: Gray) -> Gray:
    """Cut out the square in the middle."""
    side = min(*gray.shape, _MOST)
    y, x = ((length - side) // 2 for length in gray.shape)
    return gray[y : y + side, x : x + side]
