"""No seams: a micrograph coloured in windows looks as if coloured at once.

With the shipped model `micro`, which was trained on crops, at the default tile; and
with networks of the pix2pix code, which normalise by the picture.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from napari_colorgan import Colorizer, Source, colorize
from napari_colorgan.checkpoints.pix2pix import read_pix2pix
from napari_colorgan.inference.tiling import Tiling, spans
from napari_colorgan.sample_data import micrograph

EDGE = 160  # px; near a picture's own border, reflection replaces what nobody knows


@pytest.fixture(scope="module")
def smear():
    """A real blood smear continued by mirroring to an odd size of several windows."""
    gray = micrograph()[0][0]
    rows = np.concatenate([gray, gray[::-1], gray])
    return np.concatenate([rows, rows[:, ::-1]], axis=1)[:1201, :1163]


@pytest.fixture(scope="module")
def results(smear):
    """The same picture in windows and at once, (Y, X, 3) int."""
    colorizer = Colorizer("micro", "cpu")
    assert colorizer.context == "local" and colorizer.tiling.window == 1152
    limits = Source.of(smear).limits
    tiled = colorize(smear, colorizer, limits=limits)
    colorizer.tiling = Tiling(window=4096)
    whole = colorize(smear, colorizer, limits=limits)
    return tiled.astype(int), whole.astype(int)


def borders(length: int) -> list[int]:
    """Where windows begin or end to count along a side."""
    colorizer = Colorizer("micro", "cpu")
    grid = spans(length, colorizer.tiling, colorizer.stride)
    assert len(grid) > 1
    inner = [(span.keep.start, span.final.stop) for span in grid]
    return sorted({p for pair in inner for p in pair} - {0, length})


def test_tiles_agree_with_the_untiled_picture(results):
    tiled, whole = results
    inside = np.s_[EDGE:-EDGE, EDGE:-EDGE]
    difference = np.abs(tiled - whole)[inside]
    assert np.median(difference) <= 1
    assert np.percentile(difference, 99) <= 4
    assert np.ptp(tiled, axis=-1).mean() > 10  # there is colour to agree about


def test_the_step_across_window_borders_is_like_any_other(results, smear):
    tiled, _ = results
    chroma = tiled - tiled.mean(axis=-1, keepdims=True)
    for axis in (0, 1):
        steps = np.abs(np.diff(chroma, axis=axis)).mean(axis=(1 - axis, 2))
        at_borders = [steps[p - 1] for p in borders(smear.shape[axis])]
        assert max(at_borders) <= np.percentile(steps, 99)


@pytest.mark.parametrize("name", ["resnet6_instance_3to3", "resnet9_instance_3to3"])
def test_tiles_of_a_resnet_are_the_untiled_picture(name):
    golden = Path(__file__).parent / "goldens" / f"{name}_net_G.pth"
    colorizer = Colorizer(read_pix2pix(golden), torch.device("cpu"), tile=384)
    tiled = colorize(data.camera(), colorizer).astype(int)
    colorizer.tiling = Tiling(window=4096)
    whole = colorize(data.camera(), colorizer)
    assert np.abs(tiled - whole).max() <= 1
