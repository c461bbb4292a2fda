"""A colorizer is made of a model's name, a file or a checkpoint, and its settings."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_colorgan import Colorizer, ColorizerSettings, colorize, colorize_region
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import BadSetting, UnknownModel


@pytest.fixture(scope="module")
def checkpoint(make_checkpoint):
    return make_checkpoint("unet", context="local", working_size=96)


def test_a_colorizer_needs_no_job(gray, checkpoint, tmp_path):
    save(checkpoint, tmp_path / "mine.safetensors")
    region = np.s_[20:60, 30:90]
    for model in (checkpoint, tmp_path / "mine.safetensors"):
        for device in ("cpu", torch.device("cpu")):
            colorizer = Colorizer(model, device, context="whole")
            rgb = colorize(gray, colorizer)
            assert np.array_equal(rgb, colorize(gray, checkpoint, context="whole"))
            alone = colorize_region(gray, colorizer, region)
            assert np.array_equal(alone, rgb[region])
    assert Colorizer("micro", device="cpu").used()["model"] == "micro"
    with pytest.raises(UnknownModel):
        Colorizer("moon")


def test_settings_say_what_was_really_used(checkpoint):
    local = Colorizer(checkpoint, "cpu")
    assert local.settings == ColorizerSettings(
        model=checkpoint, context="local", device="cpu", engine="torch", tile=1152
    )
    whole = Colorizer(replace(local.settings, context="whole", tile=None))
    assert whole.used() == {
        "model": "test",
        "digest": checkpoint.digest,
        "context": "whole",
        "device": "cpu",
        "engine": "torch",
        "working_size": 96,
    }
    assert Colorizer(local.settings, tile=512).used()["tile"] == 512


def test_settings_travel(gray):
    settings = Colorizer("natural", device="cpu", vividness=0.7).settings
    sent = pickle.dumps(settings)
    assert len(sent) < 1000
    assert pickle.loads(sent) == settings
    assert Colorizer(pickle.loads(sent)).used() == Colorizer(settings).used()


@pytest.mark.parametrize(
    "options",
    [{"context": "global"}, {"vividness": 2}, {"working_size": 0}],
)
def test_impossible_settings_are_refused_before_a_model_is_loaded(options):
    with pytest.raises(BadSetting, match=next(iter(options))):
        ColorizerSettings(model="moon", **options)
