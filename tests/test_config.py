"""Settings of a fine-tuning are checked where they are made."""

import dataclasses
import math
from itertools import pairwise

import pytest

from napari_colorgan.errors import BadSetting
from napari_colorgan.training.schemes import scheme_of
from napari_colorgan.training.settings import FineTuneConfig


@pytest.mark.parametrize(
    ("name", "values"),
    {
        "scheme": ["pix2pix", "", None],
        "task": ["color", "Auto", 3],
        "context": ["window", ""],
        "precision": ["float16", "bf16"],
        "minutes": [0, -1.0, math.inf, math.nan, "5", None, True],
        "steps": [0, -3, 2.5, "many", True],
        "patch": [0, 31, 33, 100, 64.0, "64", -64],
        "batch": [0, -1, 1.5, True],
        "learning_rate": [-1e-9, math.inf, math.nan, "high", None],
        "encoder_rate": [-1.0, math.nan],
        "discriminator_rate": [-1.0, math.inf],
        "weight_decay": [-0.1, math.nan],
        "pixel_weight": [-1.0, math.nan],
        "gan_weight": [-1.0, math.inf, [1.0]],
        "feature_weight": [-1.0],
        "rate_floor": [-0.1, 1.1, math.nan],
        "gan_phase": [-0.1, 1.1, "late"],
        "gray_augmentation": [-0.1, 1.1],
        "aging": [-0.1, 1.1],
        "display": [-0.1, 1.1, "half"],
        "min_magnification": [0, 1.1, math.nan],
        "max_magnification": [0.9, 8.1, math.nan],
        "palettes": [-0.1, 1.1, math.nan],
        "recolor": [-0.1, 1.1, math.nan],
        "ema": [-0.1, 1.0, math.nan, "high"],
        "validation": [0, 0.0, 0.91, math.nan, "a fifth"],
        "validations": [0, 2.5],
        "patience": [-1, 1.5],
        "seed": [-1, 0.5, "one"],
        "discriminator_width": [0, 8.0],
    }.items(),
)
def test_impossible_values_are_named(name, values):
    for value in values:
        with pytest.raises(BadSetting, match=rf"^{name} is .*; it must be"):
            FineTuneConfig(**{name: value})


def test_every_setting_has_a_range():
    # a new one must be added above
    parameters = test_impossible_values_are_named.pytestmark[0].args[1]
    tested = {name for name, _ in parameters}
    assert tested == {field.name for field in dataclasses.fields(FineTuneConfig)}


@pytest.mark.parametrize(
    "settings",
    [
        {"minutes": 1, "learning_rate": 0, "gan_phase": 1, "palettes": 1, "ema": 0},
        {"steps": None, "patch": 32, "batch": 1, "patience": 0, "seed": 0},
        {"validation": 0.9, "rate_floor": 1, "gan_phase": 0, "steps": 1},
    ],
)
def test_the_limits_themselves_are_possible(settings):
    config = FineTuneConfig(**settings)
    assert all(getattr(config, name) == value for name, value in settings.items())


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FineTuneConfig().steps = 3


# -- presets


@pytest.mark.parametrize("scheme", ["fine-tune", "paper", "notebook"])
def test_a_preset_takes_other_settings(scheme):
    config = FineTuneConfig.preset(scheme, steps=7, seed=3)
    assert (config.scheme, config.steps, config.seed) == (scheme, 7, 3)
    again = FineTuneConfig(**dataclasses.asdict(config))
    assert again == config


def test_the_published_recipes():
    paper = FineTuneConfig.preset("paper")
    assert (paper.learning_rate, paper.discriminator_rate) == (2e-4, 2e-4)
    assert (paper.batch, paper.patch, paper.pixel_weight) == (1, 256, 100)
    assert (paper.ema, paper.gray_augmentation) == (0, 0)
    assert paper.discriminator_width == 64
    notebook = FineTuneConfig.preset("notebook")
    assert (notebook.learning_rate, notebook.discriminator_rate) == (2e-4, 2e-4)
    assert (notebook.batch, notebook.patch, notebook.pixel_weight) == (16, 256, 100)
    assert (notebook.context, notebook.task) == ("whole", "translation")


def test_unknown_schemes_and_settings_are_named():
    with pytest.raises(BadSetting, match=r"scheme is 'gan'; .*paper, notebook"):
        FineTuneConfig.preset("gan")
    with pytest.raises(BadSetting, match=r"setting is 'epochs'; .*minutes"):
        FineTuneConfig.preset("paper", epochs=3)


# -- schedules


def rates(config, steps):
    return [
        scheme_of(config).rates(step, steps)[0] / config.learning_rate
        for step in range(steps)
    ]


def test_fine_tuning_warms_up_and_falls_to_the_floor():
    config = FineTuneConfig(rate_floor=0.1)
    found = rates(config, 400)
    assert found[0] == pytest.approx(0.05, rel=0.01)
    assert max(found) == found[19] > 0.99
    assert all(a >= b for a, b in pairwise(found[19:]))
    assert found[-1] == pytest.approx(0.1, rel=0.01)
    ratio = config.encoder_rate / config.learning_rate
    for step in (0, 30, 399):
        a, b = scheme_of(config).rates(step, 400)
        assert b == pytest.approx(ratio * a)


@pytest.mark.parametrize("scheme", ["paper", "notebook"])
def test_the_published_rates_stay_and_then_fall_in_a_line(scheme):
    found = rates(FineTuneConfig.preset(scheme), 100)
    assert found[:51] == [1.0] * 51
    assert found[75] == pytest.approx(0.5)
    assert found[-1] == pytest.approx(0.02)


@pytest.mark.parametrize("scheme", ["fine-tune", "paper"])
@pytest.mark.parametrize("steps", [1, 2, 19])
def test_short_runs_have_rates_too(scheme, steps):
    for step in range(steps):
        decoder, encoder = scheme_of(FineTuneConfig.preset(scheme)).rates(step, steps)
        assert 0 < decoder < 1 and 0 < encoder < 1


@pytest.mark.parametrize(
    ("phase", "steps", "expected"),
    [(0.0, 100, 100), (0.25, 100, 75), (1.0, 100, 0), (0.15, 1, 1), (0.5, 3, 1)],
)
def test_the_gan_phase_is_the_end_of_the_steps(phase, steps, expected):
    assert scheme_of(FineTuneConfig(gan_phase=phase)).gan_start(steps) == expected
    paper = FineTuneConfig.preset("paper", gan_phase=phase)
    assert scheme_of(paper).gan_start(steps) == 0
