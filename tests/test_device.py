"""Devices are chosen by name, and a GPU that is not there is explained."""

import pytest
import torch

from napari_colorgan.errors import BadSetting
from napari_colorgan.inference.device import choose_device, why_no_gpu, windows_at_once
from napari_colorgan.inference.settings import DEVICES


@pytest.fixture
def gpus(monkeypatch):
    """Pretend which kinds of GPU there are."""

    def pretend(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


def test_the_fastest_device_is_chosen(gpus):
    gpus()
    assert choose_device().type == "cpu"
    gpus(mps=True)
    assert choose_device().type == "mps"
    gpus(cuda=1)
    assert choose_device("auto").type == "cuda"


def test_a_device_that_is_there_can_be_named(gpus):
    gpus(cuda=2)
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(BadSetting, match=r"'cuda:2'; it must be cuda:0 to cuda:1"):
        choose_device("cuda:2")


@pytest.mark.parametrize("wish", ["", "gpu", "CPU", "meta", "cuda0", ":"])
def test_an_unknown_device_lists_the_known_ones(wish):
    with pytest.raises(BadSetting, match="one of auto, cpu, cuda, mps"):
        choose_device(wish)


@pytest.mark.parametrize("wish", ["cuda", "cuda:0", "mps"])
def test_a_missing_gpu_is_explained(gpus, wish):
    gpus()
    with pytest.raises(
        BadSetting, match=rf"'{wish}'; it must be 'cpu' or 'auto' here:"
    ):
        choose_device(wish)


@pytest.mark.parametrize("wish", ["cpu:x", "cpu:", "cpu:1:2", "cuda:-1"])
def test_a_malformed_number_is_explained(gpus, wish):
    gpus(cuda=1)
    with pytest.raises(BadSetting, match="device is"):
        choose_device(wish)


def test_why_there_is_no_gpu(gpus, monkeypatch):
    gpus()
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: False)
    assert "built without GPU support" in why_no_gpu()
    monkeypatch.setattr(torch.backends.cuda, "is_built", lambda: True)
    assert "no GPU with a working driver" in why_no_gpu()
    gpus(cuda=1)
    assert why_no_gpu() == ""


def test_choices_are_what_can_be_chosen(gpus):
    gpus(cuda=1, mps=True)
    assert [choose_device(c).type for c in DEVICES[1:]] == ["cpu", "cuda", "mps"]


def test_windows_are_predicted_together_as_memory_allows(gpus, monkeypatch):
    gpus(cuda=1)
    pixels, free = 1152**2, []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free[-1], 80 << 30))
    counts = []
    for gigabytes in (1, 8, 16, 64):
        free.append(gigabytes << 30)
        counts.append(windows_at_once(torch.device("cuda"), pixels))
    assert counts == sorted(counts) and counts[0] == 1 < counts[1] and counts[-1] <= 16
    assert windows_at_once(torch.device("cpu"), pixels) == 1
