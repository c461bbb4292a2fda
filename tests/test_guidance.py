"""What users tell a generator, simulated from the truth."""

import numpy as np
import pytest
import torch

from napari_colorgan.color_bins import BIN_CENTERS, BIN_COUNT
from napari_colorgan.training.guidance import (
    MOST_HINTS,
    draw_recoloring,
    draw_strength,
    recolor,
    simulate_hints,
    simulate_palettes,
)


def test_hints_tell_the_true_color_where_their_mask_is():
    target = torch.rand(60, 2, 32, 32) * 2 - 1
    hints = simulate_hints(target, 0.5, np.random.default_rng(3))
    mask = hints[:, 2]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    given = mask.flatten(1).any(1)
    assert given.float().mean() == pytest.approx(0.5, abs=0.2)
    assert not hints[:, :2][(mask == 0)[:, None].expand(-1, 2, -1, -1)].any()
    flat = target.mean((2, 3), keepdim=True).expand_as(target)
    exact = simulate_hints(flat, 1.0, np.random.default_rng(3))
    error = (exact[:, :2] - flat)[(exact[:, 2:] == 1).expand(-1, 2, -1, -1)]
    assert error.abs().max() < 1e-5
    assert simulate_hints(target, 0.0, np.random.default_rng(1)) is None


def test_of_hints_that_overlap_the_last_is_seen_with_one_color():
    target = torch.rand(20, 2, 12, 12) * 2 - 1
    hints = simulate_hints(target, 1.0, np.random.default_rng(4))
    again = simulate_hints(target, 1.0, np.random.default_rng(4))
    assert torch.equal(hints, again)
    mask = hints[:, 2].bool()
    assert mask.flatten(1).any(1).all()
    for picture, painted in zip(hints, mask, strict=True):
        colors = picture[:2, painted]
        assert len(torch.unique(colors, dim=1).T) <= MOST_HINTS


def test_things_that_stand_out_get_more_hints_than_their_share():
    target = torch.zeros(80, 2, 64, 64)
    target[..., 24:40, 24:40] = 0.5
    hints = simulate_hints(target, 1.0, np.random.default_rng(5))
    given = hints[:, 2].sum()
    assert hints[..., 24:40, 24:40][:, 2].sum() / given > 1.5 * 16**2 / 64**2
    assert hints[:, 2].amax() == 1


def test_hints_are_few_or_many():
    target = torch.zeros(400, 2, 128, 128)
    hints = simulate_hints(target, 1.0, np.random.default_rng(6))
    covered = hints[:, 2].mean((1, 2))
    assert covered.quantile(0.2) < 0.02
    assert covered.quantile(0.95) > 0.04
    assert covered.max() <= MOST_HINTS * 9**2 / 128**2


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
