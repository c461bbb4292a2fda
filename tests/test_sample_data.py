"""The samples open offline, look like what they claim, and stay small."""

from itertools import pairwise

import numpy as np
import pytest
from skimage.color import gray2rgb, rgb2lab

from napari_colorgan import colorize, sample_data
from napari_colorgan.training.pairs import check, decide_task, pairs_of

GRAY_KEYS = ("photograph", "micrograph", "stack")


@pytest.mark.parametrize(
    ("key", "shape", "dtype"),
    [
        ("photograph", (512, 512), np.uint8),
        ("micrograph", (480, 640), np.uint16),
        ("stack", (4, 256, 320), np.uint8),
    ],
)
def test_sample_is_a_gray_picture(key: str, shape: tuple[int, ...], dtype) -> None:
    ((picture, meta, kind),) = getattr(sample_data, key)()
    assert (kind, picture.shape, picture.dtype) == ("image", shape, dtype)
    assert meta["name"]
    assert picture.std() > 0.05 * np.ptp(picture)  # not blank
    steps = np.abs(np.diff(picture.astype(int), axis=-1))
    assert steps.mean() < 0.05 * np.ptp(picture)  # and no noise: neighbours agree


def test_planes_of_the_stack_differ() -> None:
    planes = sample_data.stack()[0][0].astype(int)
    assert all(np.abs(a - b).mean() > 5 for a, b in pairwise(planes))


def test_the_stack_gets_colours_everywhere() -> None:
    [(fields, meta, _)] = sample_data.stack()
    rgb = colorize(fields[:, ::2, ::2], meta["metadata"][sample_data.MODEL])
    chroma = np.linalg.norm(rgb2lab(rgb)[..., 1:], axis=-1)
    parts = chroma.reshape(4, 4, 32, 5, 32).mean((2, 4))
    assert parts.min() > 8  # a vessel of an earlier one stayed gray: 2


def test_shipped_pictures_are_small_and_documented() -> None:
    files = list(sample_data.DATA.iterdir())
    assert sum(file.stat().st_size for file in files) <= 500_000
    provenance = (sample_data.DATA / "PROVENANCE.txt").read_text(encoding="utf-8")
    for picture in sample_data.DATA.glob("*.tif"):
        assert picture.name in provenance


def test_the_pair_shows_the_same_pixels_in_gray_and_in_colour() -> None:
    (gray, gray_meta, _), (color, color_meta, kind) = sample_data.pair()
    assert (gray.shape, gray.dtype) == ((4, 240, 240), np.uint8)
    assert (color.shape, color.dtype, kind) == ((*gray.shape, 3), np.uint8, "image")
    assert (gray_meta["name"], color_meta["name"]) == (
        "tissue (gray)",
        "tissue (colour)",
    )
    assert np.abs(rgb2lab(color)[..., 0] - rgb2lab(gray2rgb(gray))[..., 0]).max() < 0.5
    pairs = pairs_of(color, gray, name="tissue")
    assert [check(pair).warnings for pair in pairs] == [()] * 4
    assert all(check(pair).shift is None for pair in pairs)
    assert decide_task(pairs) == "colorization"


@pytest.mark.parametrize("key", GRAY_KEYS)
def test_sample_opens_in_napari(make_napari_viewer, plugin, key: str) -> None:
    viewer = make_napari_viewer()
    (layer,) = viewer.open_sample("napari-colorgan", key)
    assert layer in viewer.layers
    assert not layer.rgb


def test_the_pair_opens_as_two_layers(make_napari_viewer, plugin) -> None:
    viewer = make_napari_viewer()
    gray, color = viewer.open_sample("napari-colorgan", "pair")
    assert (gray.rgb, color.rgb) == (False, True)
    assert gray.data.shape == color.data.shape[:-1]


def test_every_sample_is_in_the_manifest(plugin) -> None:
    keys = tuple(sample.key for sample in plugin.contributions.sample_data)
    assert keys == (*GRAY_KEYS, "pair")
