"""The samples open offline, look like what they claim, and stay small."""

from itertools import pairwise

import numpy as np
import pytest

from napari_colorgan import sample_data

KEYS = ("photograph", "micrograph", "stack")


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


def test_shipped_pictures_are_small_and_documented() -> None:
    files = list(sample_data.DATA.iterdir())
    assert sum(file.stat().st_size for file in files) <= 1_000_000
    provenance = (sample_data.DATA / "PROVENANCE.txt").read_text(encoding="utf-8")
    for picture in sample_data.DATA.glob("*.tif"):
        assert picture.name in provenance


@pytest.mark.parametrize("key", KEYS)
def test_sample_opens_in_napari(make_napari_viewer, plugin, key: str) -> None:
    viewer = make_napari_viewer()
    (layer,) = viewer.open_sample("napari-colorgan", key)
    assert layer in viewer.layers
    assert not layer.rgb


def test_every_sample_is_in_the_manifest(plugin) -> None:
    assert tuple(s.key for s in plugin.contributions.sample_data) == KEYS
