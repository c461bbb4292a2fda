"""Pictures of models show what they do to gray."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from napari_colorgan.inference.examples import SIDE, example, examples_job, strip
from napari_colorgan.job import finish

CPU = torch.device("cpu")


def opened(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.format == "JPEG"
        return np.asarray(picture.convert("RGB")).astype(int)


def chroma(rgb: np.ndarray) -> float:
    return float(np.ptp(rgb, axis=-1).mean())


@pytest.mark.parametrize("shape", [(64, 200), (300, 70), (1, 1), (900, 1000)])
def test_the_left_half_of_every_example_is_gray(make_checkpoint, shape):
    checkpoint = make_checkpoint(context="local")
    gray = np.random.default_rng(1).random(shape, np.float32)
    picture = opened(finish(examples_job(checkpoint, [gray, gray], CPU)))
    assert picture.shape == (SIDE, 2 * SIDE, 3)
    for one in (picture[:, :SIDE], picture[:, SIDE:]):
        # compression blurs colour over some px
        assert chroma(one[:, : SIDE // 2 - 8]) < 2


def test_the_right_half_has_the_colors():
    gray = np.full((40, 40), 0.5, np.float32)
    red = np.zeros((40, 40, 3), np.uint8) + np.array([200, 40, 40], np.uint8)
    picture = opened(strip([example(gray, red)]))
    assert np.abs(picture[:, : SIDE // 2 - 8] - 128).max() < 6
    assert np.abs(picture[:, SIDE // 2 + 8 :] - [200, 40, 40]).max() < 6
