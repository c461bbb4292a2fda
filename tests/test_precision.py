"""A precision that a device only emulates is never tried with whole networks."""

import pytest
import torch

from napari_colorgan.training import precision
from napari_colorgan.training.precision import (
    computes_bfloat16,
    precisions,
    untimed_precision,
)

CPU = torch.device("cpu")
BOTH = ("float32", "bfloat16")


@pytest.fixture
def device(monkeypatch):
    """Make the CPU one that takes some seconds in bfloat16, and one in float32."""

    def device(bfloat16):
        def seconds(_, dtype, size):
            took = {torch.float32: 1.0, torch.bfloat16: bfloat16}[dtype]
            if isinstance(took, Exception):
                raise took
            return took

        monkeypatch.setattr(precision, "_seconds", seconds)
        return CPU

    for found in (computes_bfloat16, untimed_precision):
        found.cache_clear()
    yield device
    for found in (computes_bfloat16, untimed_precision):
        found.cache_clear()


@pytest.mark.parametrize(
    ("bfloat16", "expected"),
    [
        (0.5, BOTH),
        (1.5, BOTH),  # as a small convolution says little, whole steps are timed
        (20.0, ("float32",)),
        (RuntimeError("bfloat16 is not supported on this device"), ("float32",)),
    ],
)
def test_a_device_that_emulates_bfloat16_has_float32_only(device, bfloat16, expected):
    assert precisions("auto", device(bfloat16)) == expected


@pytest.mark.parametrize("asked", BOTH)
def test_a_precision_that_is_asked_for_is_the_only_one(device, asked):
    assert precisions(asked, device(20.0)) == (asked,)


@pytest.mark.parametrize(
    ("bfloat16", "expected"),
    [(0.5, "bfloat16"), (1.0, "float32"), (2.0, "float32"), (20.0, "float32")],
)
def test_without_timing_steps_the_faster_one_is_taken(device, bfloat16, expected):
    assert untimed_precision(device(bfloat16)) == expected


def test_finding_out_is_done_once_and_draws_no_numbers():
    computes_bfloat16.cache_clear()
    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    assert computes_bfloat16(CPU) in (True, False)
    assert torch.equal(torch.rand(2), expected)
    computes_bfloat16(CPU)
    assert computes_bfloat16.cache_info().misses == 1
