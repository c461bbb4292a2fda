"""Aged, varied and displayed grays."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_colorgan.training.augment import (
    age_gray,
    display_gray,
    vary_gray,
)


def changed(change, gray, *settings):
    """A copy of gray pictures that is changed in place."""
    copy = gray.clone(memory_format=torch.contiguous_format)
    change(copy, *settings)
    return copy


def test_only_the_chosen_share_of_grays_is_aged():
    gray = torch.rand(200, 1, 32, 32)
    aged = changed(age_gray, gray, 0.3, np.random.default_rng(1))
    share = (aged != gray).flatten(1).any(1).float().mean()
    assert share == pytest.approx(0.3, abs=0.1)
    assert torch.equal(changed(age_gray, gray, 0.0, np.random.default_rng(1)), gray)


def test_aged_grays_show_the_scene_with_the_marks_of_age(gray):
    crop = torch.from_numpy(gray[64:192, 64:192] / 255).float().expand(24, 1, -1, -1)
    aged = changed(age_gray, crop, 1.0, np.random.default_rng(2))
    alike = []
    for picture in aged:
        both = torch.stack([picture.flatten(), crop[0].flatten()])
        alike.append(torch.corrcoef(both)[0, 1])
    assert min(alike) > 0.6 and np.median(alike) > 0.85
    black, white = aged.amin((1, 2, 3)), aged.amax((1, 2, 3))
    assert aged.min() >= 0 and aged.max() <= 1
    assert black.max() > 0.15 and white.min() < 0.85  # faded, each in its own way
    flat = torch.full((24, 1, 128, 128), 0.5)
    marks = changed(age_gray, flat, 1.0, np.random.default_rng(3))
    deviation = (marks - F.avg_pool2d(marks, 9, 1, 4, count_include_pad=False)).abs()
    assert (deviation.flatten(1).mean(1) > 0.01).float().mean() > 0.5  # grain
    extreme = (marks == marks.amin((2, 3), keepdim=True)).flatten(1).sum(1)
    assert (extreme >= 128).any()  # a scratch from top to bottom


def test_only_the_chosen_share_of_grays_varies():
    gray = torch.rand(200, 1, 8, 8)
    rng = np.random.default_rng(1)
    varied = changed(vary_gray, gray, 0.3, rng)
    share = (varied != gray).flatten(1).any(1).float().mean()
    assert share == pytest.approx(0.3, abs=0.1)
    assert varied.min() >= 0 and varied.max() <= 1
    assert torch.equal(changed(vary_gray, gray, 0.0, rng), gray)


def test_varied_grays_still_show_the_scene(gray):
    crop = torch.from_numpy(gray[64:192, 64:192] / 255).float().expand(8, 1, -1, -1)
    varied = changed(vary_gray, crop, 1.0, np.random.default_rng(2))
    for picture in varied:
        both = torch.stack([picture.flatten(), crop[0].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.9


def test_only_the_chosen_share_of_grays_is_displayed():
    gray = 0.3 + 0.4 * torch.rand(200, 1, 8, 8)
    shown = changed(display_gray, gray, 0.3, np.random.default_rng(1))
    share = (shown != gray).flatten(1).any(1).float().mean()
    assert share == pytest.approx(0.3, abs=0.1)
    assert torch.equal(changed(display_gray, gray, 0.0, np.random.default_rng(1)), gray)


def test_displayed_grays_fill_more_of_the_range_and_lose_nothing(gray):
    crop = torch.from_numpy(gray[64:192, 64:192] / 255).float()
    crop = (0.4 + 0.3 * crop).expand(40, 1, -1, -1)
    shown = changed(display_gray, crop, 1.0, np.random.default_rng(2))
    ranges = shown.amax((1, 2, 3)) - shown.amin((1, 2, 3))
    assert (ranges >= crop.max() - crop.min() - 1e-6).all()
    assert (ranges > 0.999).float().mean() == pytest.approx(0.5, abs=0.2)
    for picture in shown:
        both = torch.stack([picture.flatten(), crop[0].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.999
    flat = changed(
        display_gray, torch.full((8, 1, 4, 4), 0.5), 1.0, np.random.default_rng(1)
    )
    assert flat.isfinite().all()
