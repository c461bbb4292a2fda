"""Losses are the published ones, and what is not marked has no part in them."""

import math

import pytest
import torch
import torch.nn.functional as F

from napari_colorgan.color_bins import BIN_COUNT, bin_shares
from napari_colorgan.training.losses import (
    color_loss,
    feature_loss,
    gan_loss,
    hinge_loss,
    l1_loss,
    likelihood_loss,
)


def rand(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_color_loss_is_quadratic_for_20_units_of_ab_and_then_linear():
    target = torch.zeros(1, 2, 4, 4)

    def loss(units):
        return color_loss(target + units / 110, target).item()

    assert loss(20) == pytest.approx(0.5)
    assert loss(10) == pytest.approx(0.5 / 4)
    assert loss(40) - loss(30) == pytest.approx(0.5)
    assert loss(0) == 0


def test_a_small_knee_lets_faint_colors_count_more():
    target = torch.zeros(1, 2, 4, 4)

    def loss(units, knee):
        return color_loss(target + units / 110, target, knee=knee).item()

    assert loss(40, 2) - loss(30, 2) == pytest.approx(0.5)  # far off, all are alike
    assert loss(8, 2) / loss(4, 2) < 2.4 < loss(8, 20) / loss(4, 20)


@pytest.mark.parametrize("loss", [color_loss, l1_loss])
def test_pixels_that_are_not_marked_do_not_count(loss):
    prediction, target = rand(2, 3, 8, 8), rand(2, 3, 8, 8, seed=1)
    weight = torch.zeros(2, 1, 8, 8)
    weight[0, :, 2:5, 1:7] = 1
    inside = loss(prediction[:1, :, 2:5, 1:7], target[:1, :, 2:5, 1:7])
    assert torch.allclose(loss(prediction, target, weight), inside)
    disturbed = torch.where(weight == 1, target, 7.0)
    assert torch.allclose(loss(prediction, disturbed, weight), inside)
    assert torch.allclose(
        loss(prediction, target, torch.ones(2, 1, 8, 8)), loss(prediction, target)
    )


@pytest.mark.parametrize("loss", [color_loss, l1_loss])
def test_a_patch_without_any_marked_pixel_has_no_loss(loss):
    prediction = rand(1, 2, 8, 8).requires_grad_()
    value = loss(prediction, rand(1, 2, 8, 8, seed=1), torch.zeros(1, 1, 8, 8))
    value.backward()
    assert value.item() == 0
    assert not prediction.grad.any()


def test_the_gan_loss_is_the_cross_entropy():
    logits = rand(1, 1, 5, 5) * 4
    real = torch.sigmoid(logits)
    assert torch.allclose(gan_loss(logits, True), -real.log().mean())
    assert torch.allclose(gan_loss(logits, False), -(1 - real).log().mean())
    undecided = torch.zeros(1, 1, 3, 3)
    assert gan_loss(undecided, True).item() == pytest.approx(math.log(2))


def test_the_hinge_loss_is_content_beyond_its_margins():
    assert hinge_loss(torch.full((4,), 1.5), torch.full((4,), -1.5)).item() == 0
    assert hinge_loss(torch.zeros(4), torch.zeros(4)).item() == 1
    assert hinge_loss(torch.full((4,), -1.0), torch.full((4,), -2.0)).item() == 1


def test_features_are_compared_in_units_of_their_own_size():
    real, fake = (
        [rand(2, 4, 8, 8), rand(2, 8, 4, 4, seed=1)],
        [
            rand(2, 4, 8, 8, seed=2),
            rand(2, 8, 4, 4, seed=3),
        ],
    )
    value = feature_loss(real, fake)
    expected = sum(
        F.l1_loss(b, a) / a.abs().mean() for a, b in zip(real, fake, strict=True)
    )
    assert torch.allclose(value, expected / 2)
    scaled = feature_loss([real[0] * 50, real[1]], [fake[0] * 50, fake[1]])
    assert torch.allclose(value, scaled, rtol=1e-4)
    assert feature_loss(real, real).item() == 0
    dead = [torch.zeros(1, 2, 4, 4)]
    assert feature_loss(dead, dead).isfinite()


def test_what_a_prediction_says_of_its_doubts_is_left_aside():
    prediction, target = rand(2, 4, 8, 8), rand(2, 2, 8, 8, seed=1)
    assert torch.equal(
        color_loss(prediction, target), color_loss(prediction[:, :2], target)
    )


RED, BLUE = (60 / 110, 30 / 110), (10 / 110, -60 / 110)


def painted(*colors):
    """Pictures (1, 2, 8, 8) of stripes of scaled colours."""
    stripes = [torch.tensor(color).view(1, 2, 1, 1) for color in colors]
    width = 8 // len(colors)
    return torch.cat([stripe.expand(1, 2, 8, width) for stripe in stripes], dim=-1)


def saying(target, sure=8.0):
    """Logits at half the size, sure of the colours of a target."""
    bins, shares = bin_shares(target[..., ::2, ::2])
    logits = torch.zeros(1, BIN_COUNT, 4, 4)
    return logits.scatter_add_(1, bins, sure * shares)


def test_the_likelihood_loss_is_least_for_what_is_there():
    target = painted(RED, BLUE)
    right, wrong = saying(target), saying(painted(BLUE, RED))
    doubt = torch.zeros(1, BIN_COUNT, 4, 4)
    losses = [likelihood_loss(logits, target) for logits in (right, doubt, wrong)]
    assert losses[0] < losses[1] < losses[2]
    assert losses[1].item() == pytest.approx(math.log(BIN_COUNT), rel=1e-4)


def test_strong_colors_weigh_more_than_gray():
    target = painted((0.0, 0.0), RED)
    doubt = torch.zeros(1, BIN_COUNT, 4, 4)
    only_gray, only_red = doubt.clone(), doubt.clone()
    only_gray[..., :2] = saying(target)[..., :2]
    only_red[..., 2:] = saying(target)[..., 2:]
    assert likelihood_loss(only_red, target) < likelihood_loss(only_gray, target)


def test_likelihoods_are_learned_where_they_are_marked():
    target, logits = painted(RED, BLUE), saying(painted(RED, RED))
    left = torch.zeros(1, 1, 8, 8)
    left[..., :4] = 1
    inside = likelihood_loss(logits[..., :2], target[..., :4])
    assert torch.allclose(likelihood_loss(logits, target, left), inside)
    nothing = likelihood_loss(logits, target, torch.zeros(1, 1, 8, 8))
    assert nothing.item() == 0
