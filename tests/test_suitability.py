"""Whoever shows a model what it was not made for is told so."""

import numpy as np
import pytest
from skimage import data

from napari_colorgan.inference.source import Source
from napari_colorgan.inference.suitability import doubt_about
from napari_colorgan.sample_data import micrograph, stack


def plane_of(array):
    return Source.of(array, from_color=True).plane()


PHOTOGRAPHS = {
    "camera": data.camera,
    "astronaut": data.astronaut,
    "rocket": data.rocket,
    "clock": data.clock,
}
MICROGRAPHS = {
    "blood, 16 bits": lambda: micrograph()[0][0],
    "tissue": lambda: stack()[0][0][1],
}
UNCLEAR = {
    "cat, close": data.chelsea,
    "brown stain": data.immunohistochemistry,
    "blank": lambda: np.full((200, 300), 128, np.uint8),
    "tiny": lambda: data.camera()[:40, :40],
}


@pytest.fixture(scope="module")
def models(make_colorizer):
    """Models that know nothing but what they were made for."""
    return {
        name: make_colorizer("compact", name=name)
        for name in ("natural", "micro", "my stain")
    }


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_micro_is_not_for_photographs(models, name):
    plane = plane_of(PHOTOGRAPHS[name]())
    said = doubt_about(plane, models["micro"])
    assert "the micrographs that 'micro' was made for" in said
    assert said.endswith("if it is a photograph, 'natural' does better.")
    assert doubt_about(plane, models["natural"]) == ""


@pytest.mark.parametrize("name", MICROGRAPHS)
def test_natural_is_not_for_micrographs(models, name):
    plane = plane_of(MICROGRAPHS[name]())
    said = doubt_about(plane, models["natural"])
    assert said.endswith("if it is a micrograph, 'micro' does better.")
    assert doubt_about(plane, models["micro"]) == ""


@pytest.mark.parametrize("name", UNCLEAR)
def test_nothing_is_said_where_it_is_unclear(models, name):
    plane = plane_of(UNCLEAR[name]())
    assert [doubt_about(plane, model) for model in models.values()] == [""] * 3


@pytest.mark.parametrize("array", [data.camera, lambda: micrograph()[0][0]])
def test_nobody_knows_what_a_model_of_the_user_is_for(models, array):
    assert doubt_about(plane_of(array()), models["my stain"]) == ""


def test_faded_and_enlarged_pictures_are_judged_alike(models):
    photograph = data.camera()
    large = np.kron(photograph, np.ones((5, 5), np.uint8))
    for array in (photograph // 4 + 90, large):
        assert doubt_about(plane_of(array), models["micro"])
        assert not doubt_about(plane_of(array), models["natural"])
