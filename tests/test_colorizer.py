"""A colorizer is made of a model's name, a file or a checkpoint, and its settings."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

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


class Fetched(TorchFunctionMode):
    """Notes what is fetched from the device; here the CPU stands for it."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[tuple[torch.dtype, int]] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") == "cpu":
            self.kinds.append((args[0].dtype, args[0].numel()))
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("context", ["whole", "local"])
def test_only_bytes_come_back_from_a_device(gray, make_checkpoint, context):
    checkpoint = make_checkpoint("compact", context=context, working_size=64)
    colorizer = Colorizer(checkpoint, "cpu", tile=192, engine="torch")
    with Fetched() as fetched:
        rgb = colorize(gray, colorizer)
    assert sum(n for kind, n in fetched.kinds if kind == torch.uint8) == rgb.size
    others = [n for kind, n in fetched.kinds if kind != torch.uint8]
    whole = context == "whole"  # whose prediction is kept: small, for any device
    assert len(others) == whole and sum(others) <= 4 * 64 * 96


@pytest.mark.parametrize(
    "option",
    [
        {"vividness": "x"},
        {"vividness": math.nan},
        {"tile": 1e9},
        {"tile": True},
        {"tile": 10**400},
        {"working_size": 10**5000},
        {"device": None},
        {"device": np.zeros(3)},
        {"engine": ["torch"]},
        {"context": b"local"},
        {"palette": np.zeros((300, 300))},
        {"model": None},
        {"model": 7},
        {"saturation": 1j},
        {"steady": [0.5]},
        {"colour": "red"},
    ],
    ids=lambda option: next(iter(option)),
)
def test_settings_of_other_types_are_refused_in_a_sentence(option) -> None:
    with pytest.raises(BadSetting) as refused:
        ColorizerSettings.of(**({"model": "micro"} | option))
    text = str(refused.value)
    assert text.endswith(".") and "; it must be " in text
    assert len(text) < 400 and "\n" not in text


def test_numbers_of_numpy_are_settings() -> None:
    settings = ColorizerSettings(
        tile=np.int64(512), vividness=np.float32(0.5), warmth=np.float64(1)
    )
    assert settings == ColorizerSettings(tile=512, vividness=0.5, warmth=1.0)
    assert [type(settings.tile), type(settings.warmth)] == [int, float]
