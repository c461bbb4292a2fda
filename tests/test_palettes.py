"""What users tell a generator, simulated from the truth."""

import numpy as np
import pytest
import torch

from napari_colorgan.color_bins import BIN_CENTERS, BIN_COUNT
from napari_colorgan.training.palettes import (
    draw_recoloring,
    draw_strength,
    recolor,
    simulate_palettes,
)


def palettes(references, strength=1.0, seed=1):
    strengths = torch.full((len(references),), strength)
    return simulate_palettes(references, strengths, np.random.default_rng(seed))


def test_a_palette_tells_about_the_colors_of_its_reference():
    references = torch.zeros(200, 2, 24, 24)
    references[:, 0, :12], references[:, 1, 12:] = 0.4, -0.3
    told = palettes(references)
    tint, flags = told[:, BIN_COUNT : BIN_COUNT + 3] / 4, told[:, -3:]
    assert flags[:, :2].sum(1).min() >= 1
    assert 0 < (flags[:, 0] == 0).float().mean() < 0.5
    assert 0 < (flags[:, 1] == 0).float().mean() < 0.5
    tinted = tint[flags[:, 1] == 1]
    assert tinted.mean(0).numpy() == pytest.approx([0.2, -0.15, 0.35], abs=0.02)
    assert 0.005 < tinted.std(0).min() < 0.1  # taken a little wrong
    shares = (told[:, :BIN_COUNT] / 3).square()[flags[:, 0] == 1]
    assert torch.allclose(shares.sum(1), torch.tensor(1.0), atol=1e-5)
    reds = (BIN_CENTERS[:, 0] > 0.2) & (BIN_CENTERS[:, 1].abs() < 0.1)
    assert shares[:, reds].sum(1).mean() == pytest.approx(0.5, abs=0.05)


def test_strength_says_how_often_a_palette_fits():
    rng = np.random.default_rng(2)
    drawn = np.array([draw_strength(rng) for _ in range(500)])
    assert drawn.min() >= 0 and drawn.max() == 1
    assert (drawn == 1).mean() == pytest.approx(0.3, abs=0.07)
    references = torch.rand(4, 2, 24, 24)
    assert palettes(references, strength=0.25)[:, -1].tolist() == [0.25] * 4


def test_recoloring_turns_all_colors_and_leaves_gray():
    rng = np.random.default_rng(9)
    ab = torch.rand(6, 2, 8, 8) - 0.5
    maps = [draw_recoloring(rng) for _ in range(5)] + [None]
    turned = recolor(ab, maps)
    assert torch.equal(turned[-1], ab[-1])
    assert ((turned[:5] - ab[:5]).norm(dim=1).mean((1, 2)) > 0.02).all()
    assert torch.allclose(turned - recolor(ab / 2, maps), turned / 2, atol=1e-6)
    assert not recolor(torch.zeros(6, 2, 1, 1), maps).any()
    lengths = np.linalg.svd(np.stack([draw_recoloring(rng) for _ in range(99)]))[1]
    assert 0.3 < lengths.min() and lengths.max() < 1.5
