"""Palettes that come along have the colours that their names promise."""

import pytest

from napari_colorgan import Palette
from napari_colorgan.color_bins import BIN_CENTERS
from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.palettes import PRESETS


def share(name, where):
    """Part of the colours of a preset; `where` tells of (a, b) in units of Lab."""
    a, b = (BIN_CENTERS * 110).T.tolist()
    colors = Palette.preset(name).colors
    return sum(part for part, *ab in zip(colors, a, b, strict=True) if where(*ab))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_tell_of_all_colors_and_a_tint(name):
    palette = Palette.preset(name.upper(), 0.7)
    assert sum(palette.colors) == pytest.approx(1)
    assert palette.tensor().isfinite().all()
    again = Palette(**palette.record())  # what a result's record says
    assert (again.name, again.strength) == (name, 0.7)
    assert again.tint == pytest.approx(palette.tint, abs=1e-3)
    assert again.colors == pytest.approx(palette.colors, abs=1e-5)


def test_presets_have_the_colors_of_their_names():
    assert share("daylight", lambda a, b: b < -10) > 0.1  # sky
    assert share("daylight", lambda a, b: a < -4 and b > 4) > 0.05  # grass
    assert share("warm print", lambda a, b: b > 3) > 0.85
    assert share("H&E", lambda a, b: a > 15 and b < 0) > 0.6  # pink to purple
    assert share("DAB", lambda a, b: a > 4 and b > 15) > 0.2  # brown
    assert share("DAB", lambda a, b: b < -4) > 0.02  # nuclei, blue
    assert share("Giemsa", lambda a, b: a > 15 and b < -25) > 0.02  # nuclei, purple
    assert share("Giemsa", lambda a, b: abs(a) < 6 and abs(b) < 6) > 0.2  # glass


def test_an_unknown_preset_is_answered_by_those_there_are():
    with pytest.raises(BadSetting, match="one of warm print, daylight, H&E"):
        Palette.preset("sepia")
