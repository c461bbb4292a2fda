"""Settings of a training from folders are checked where they are made."""

import pytest

from napari_colorgan.errors import (
    BadSetting,
)
from napari_colorgan.training.schemes import scheme_of
from napari_colorgan.training.settings import TrainConfig


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("batch", 0),
        ("cache_side", 0),
        ("crop", 0),
        ("crop", 100),
        ("min_scale", 0),
        ("min_scale", 1.5),
        ("min_magnification", 0),
        ("min_magnification", 1.5),
        ("max_magnification", 0.5),
        ("max_magnification", float("inf")),
        ("knee", 0),
        ("seed", -1),
        ("knee", float("inf")),
        ("palettes", -0.1),
        ("gray_augmentation", 2),
        ("ema", 1.0),
        ("context", "global"),
        ("learning_rate", -1.0),
        ("learning_rate", float("nan")),
        ("weight_decay", float("inf")),
        ("scheme", "fast"),
        ("gan_phase", 1.1),
        ("vividness", -0.1),
        ("aging", 2),
        ("gan_weight", -1.0),
        ("discriminator_width", 0),
    ],
)
def test_impossible_settings_are_refused(name, value):
    with pytest.raises(BadSetting, match=f"^{name} is"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"speed": 3}, r"'speed'; it must be one of addition_steps, aging, .*steps"),
        (
            {"steps": "many"},
            r"steps is 'many'; it must be a whole number of at least 1",
        ),
        ({"steps": 2.5}, "a whole number"),
        ({"steps": True}, "a whole number"),
        ({"ema": "high"}, "from 0 to below 1"),
    ],
)
def test_unknown_settings_and_wrong_types_are_refused(values, message):
    with pytest.raises(BadSetting, match=message):
        TrainConfig.from_dict(values)


def test_a_whole_number_is_a_real_number_too():
    assert TrainConfig.from_dict({"palettes": 1}).palettes == 1


def test_the_paper_keeps_its_rate_for_half_of_the_steps():
    settings = TrainConfig(scheme="paper", learning_rate=2e-4)
    rates = [scheme_of(settings).rates(step, 100)[0] for step in (0, 50, 75, 100)]
    assert rates == pytest.approx([2e-4, 2e-4, 1e-4, 0])
    assert scheme_of(settings).gan_start(100) == 0
