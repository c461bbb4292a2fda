"""Colour conversion agrees with scikit-image; colorization keeps the lightness."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage import color as skimage_color
from skimage import data

from napari_colorgan.color import (
    AB_SCALE,
    CODECS,
    WARM_LIGHT,
    LabCodec,
    RgbCodec,
    cube_root,
    decode_srgb,
    encode_srgb,
    enliven,
    fit_chroma,
    fit_every_chroma,
    gray_to_lightness,
    lab_to_rgb,
    lightness_to_gray,
    rgb_to_lab,
    spread,
    sureness,
)
from napari_colorgan.color_bytes import lab_to_bytes


def as_tensor(image):
    """(Y, X, C) of numbers to (1, C, Y, X) float32."""
    return torch.from_numpy(np.asarray(image, np.float32)).movedim(-1, 0)[None]


def as_image(tensor):
    return tensor[0].movedim(0, -1).double().numpy()


@pytest.fixture(scope="module")
def rgb_cube():
    """Every 5th level of R, G and B: (2704, 52, 3) in [0, 1]."""
    levels = np.linspace(0, 1, 52)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return grid.reshape(-1, 52, 3)


@pytest.fixture(scope="module")
def bold(photo):
    """A photograph's gray, and chroma far too strong for it."""
    gray = as_tensor(skimage_color.rgb2gray(photo)[..., None])
    random = torch.Generator().manual_seed(3)
    shape = (1, 2, *gray.shape[2:])
    return gray, torch.rand(shape, generator=random) * 2 - 1


def test_lab_equals_scikit_image(rgb_cube):
    lab = as_image(rgb_to_lab(as_tensor(rgb_cube)))
    assert np.abs(lab - skimage_color.rgb2lab(rgb_cube)).max() < 1e-3


def test_rgb_equals_scikit_image(rgb_cube):
    lab = skimage_color.rgb2lab(rgb_cube)
    assert np.abs(as_image(lab_to_rgb(as_tensor(lab))) - rgb_cube).max() < 1e-3
    # and for lightness and chroma of its own, not only for what RGB gave
    grid = np.stack(
        np.meshgrid(
            np.linspace(1, 99, 30), np.linspace(-9, 9, 9), np.linspace(-9, 9, 9)
        ),
        axis=-1,
    ).reshape(-1, 9, 3)
    reference = skimage_color.lab2rgb(grid)
    assert np.abs(as_image(lab_to_rgb(as_tensor(grid))) - reference).max() < 1e-3


def test_every_8_bit_color_survives_there_and_back():
    levels = np.arange(256, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels[::5], levels[::5]), axis=-1)
    image = cube.reshape(256, -1, 3)
    back = lab_to_rgb(rgb_to_lab(as_tensor(image / 255)))
    assert np.array_equal(np.rint(as_image(back) * 255), image)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_colors_keep_their_precision(photo, dtype):
    lab = rgb_to_lab(as_tensor(photo[:9] / 255).to(dtype))
    assert lab.dtype == lab_to_rgb(lab).dtype == fit_chroma(lab).dtype == dtype


def test_gray_survives_there_and_back():
    gray = torch.linspace(0, 1, 65536)
    assert torch.allclose(lightness_to_gray(gray_to_lightness(gray)), gray, atol=1e-5)


def test_lightness_of_gray_is_that_of_equal_channels():
    gray = torch.linspace(0, 1, 256).view(1, 1, 16, 16)
    lab = rgb_to_lab(gray.expand(1, 3, 16, 16))
    assert torch.allclose(gray_to_lightness(gray), lab[:, :1], atol=1e-3)
    assert lab[:, 1:].abs().max() < 0.01


@pytest.mark.parametrize("level", [0.0, 0.04045, 0.2, 0.5, 1.0])
def test_gradients_are_finite_at_black_white_and_gray(level):
    rgb = torch.full((1, 3, 4, 4), level, requires_grad=True)
    rgb_to_lab(rgb).pow(2).sum().backward()
    assert torch.isfinite(rgb.grad).all()
    assert rgb.grad.abs().max() > 0 or level == 0  # L is 0 there, and so is d(L^2)
    lab = rgb_to_lab(torch.full((1, 3, 4, 4), level)).requires_grad_()
    lab_to_rgb(lab).pow(2).sum().backward()
    assert torch.isfinite(lab.grad).all()


def test_gradients_are_finite_for_colors_outside_srgb():
    lab = torch.tensor(
        [[0, 90, 90], [100, -90, 90], [50, 110, -110]], dtype=torch.float
    )
    lab = lab.T.reshape(1, 3, 3, 1).requires_grad_()
    lab_to_rgb(lab).sum().backward()
    assert torch.isfinite(lab.grad).all()


def test_gradients_are_finite_beyond_black():
    """Where a curve is not used, it must not spoil the gradient of the other."""
    for curve in (decode_srgb, encode_srgb, cube_root):
        x = torch.tensor([-0.1, 0.0, 0.001], requires_grad=True)
        curve(x).sum().backward()
        assert x.grad.isfinite().all() and (x.grad > 0).all()


def test_bold_colors_keep_the_lightness(bold):
    gray, prediction = bold
    rgb = LabCodec().decode(gray, prediction)
    shift = (rgb_to_lab(rgb)[:, :1] - gray_to_lightness(gray)).abs()
    assert shift.max() <= 1
    assert shift.median() <= 0.25
    # the control: what clipping RGB would do to the same colours
    lab = torch.cat([gray_to_lightness(gray), prediction * AB_SCALE], 1)
    clipped = (rgb_to_lab(lab_to_rgb(lab))[:, :1] - lab[:, :1]).abs()
    assert clipped.max() > 10 * shift.max()


def test_bold_colors_keep_their_hue(bold):
    gray, prediction = bold
    lab = torch.cat([gray_to_lightness(gray), prediction * AB_SCALE], 1)
    a, b = fit_chroma(lab)[:, 1:].unbind(1)
    wished_a, wished_b = lab[:, 1:].unbind(1)
    chroma, wished = torch.hypot(a, b), torch.hypot(wished_a, wished_b)
    assert (chroma <= wished + 1e-4).all()
    # never more than a thousandth of its length beside the wished direction
    assert ((a * wished_b - b * wished_a).abs() <= 1e-3 * chroma * wished + 1e-3).all()
    # and no muted colour: 2 % more chroma would leave sRGB
    outside = chroma < wished - 1e-3
    assert outside.float().mean() > 0.3
    more = torch.stack([lab[:, 0], a * 1.02, b * 1.02], 1)
    visible = outside & (chroma > 5)
    pulled_back = (fit_chroma(more) - more).abs().amax(1)
    assert pulled_back[visible].min() > 0.01


def test_no_8_bit_color_is_taken_to_be_outside_srgb():
    levels = torch.arange(256) / 255
    for red in levels[::17]:
        green, blue = torch.meshgrid(levels, levels, indexing="ij")
        lab = rgb_to_lab(torch.stack([red.expand(256, 256), green, blue])[None])
        assert fit_chroma(lab) is lab


def test_colors_inside_srgb_are_not_touched(photo):
    lab = rgb_to_lab(as_tensor(photo / 255))
    assert fit_chroma(lab) is lab
    mixed = lab.clone()
    mixed[..., :10] *= torch.tensor([1.0, 5.0, 5.0]).view(1, 3, 1, 1)
    assert torch.equal(fit_chroma(mixed)[..., 10:], lab[..., 10:])


def test_black_and_white_take_no_color():
    gray = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    rgb = LabCodec().decode(gray, torch.ones(1, 2, 1, 2))
    assert torch.allclose(rgb, gray.expand(1, 3, 1, 2), atol=1e-4)


def test_a_batch_is_decoded_like_its_pictures(bold):
    gray, prediction = bold
    batch = torch.cat([gray, gray.flip(3)]), torch.cat([prediction, -prediction])
    codec = LabCodec()
    alone = [codec.decode(g[None], p[None]) for g, p in zip(*batch, strict=True)]
    assert torch.allclose(codec.decode(*batch), torch.cat(alone), atol=1e-6)


def test_lab_codec_gives_back_the_photograph_from_its_true_chroma(photo):
    rgb = as_tensor(photo / 255)
    gray = lightness_to_gray(rgb_to_lab(rgb)[:, :1])
    codec = LabCodec()
    assert codec.target(rgb).shape == (1, codec.out_channels, *photo.shape[:2])
    assert codec.target(rgb).abs().max() <= 1
    assert torch.allclose(codec.decode(gray, codec.target(rgb)), rgb, atol=2e-3)


def test_no_chroma_leaves_the_picture_gray(gray):
    tensor = as_tensor(gray[..., None] / 255)
    rgb = LabCodec().decode(tensor, torch.zeros(1, 2, *gray.shape))
    assert torch.allclose(rgb, tensor.expand_as(rgb), atol=1e-3)


def test_rgb_codec_gives_back_its_target(photo):
    rgb = as_tensor(photo / 255)
    codec = RgbCodec()
    prediction = codec.target(rgb)
    assert prediction.shape[1] == codec.out_channels
    assert torch.allclose(codec.decode(rgb[:, :1], prediction), rgb, atol=1e-6)
    assert codec.decode(rgb[:, :1], prediction * 9).max() <= 1


@pytest.mark.parametrize("name", CODECS)
def test_sources_of_every_codec_span_minus_one_to_one(name):
    codec = CODECS[name]()
    assert codec.name == name
    ends = codec.encode(torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)).flatten()
    assert ends.tolist() == pytest.approx([-1, 1], abs=1e-4)


def test_srgb_chroma_stays_inside_the_scale(rgb_cube):
    assert rgb_to_lab(as_tensor(rgb_cube))[:, 1:].abs().max() < AB_SCALE


def test_pictures_with_film_grain_and_deep_shadows_keep_their_lightness():
    coins = data.coins() // 8  # nearly black: sRGB holds next to no chroma there
    gray = as_tensor(coins[..., None] / 255)
    rgb = LabCodec().decode(gray, torch.ones(1, 2, *coins.shape))
    shift = (rgb_to_lab(rgb)[:, :1] - gray_to_lightness(gray)).abs()
    assert shift.max() <= 1


def test_what_generators_read_and_write_is_scaled_as_pix2pix_does(rgb_cube):
    """Weights were trained with it."""
    rgb = as_tensor(rgb_cube)
    lab = torch.from_numpy(skimage_color.rgb2lab(rgb_cube)).movedim(-1, 0)[None]
    assert torch.allclose(LabCodec().target(rgb), lab[:, 1:].float() / 110, atol=1e-5)
    gray = torch.linspace(0, 1, 64).view(1, 1, 8, 8)
    lightness = rgb_to_lab(gray.expand(1, 3, 8, 8))[:, :1]
    assert torch.allclose(LabCodec().encode(gray), lightness / 50 - 1, atol=1e-5)
    assert torch.allclose(RgbCodec().encode(gray), gray * 2 - 1)
    ends = RgbCodec().decode(gray[..., :1], torch.tensor([-3.0, 3.0]).view(1, 1, 1, 2))
    assert ends.unique().tolist() == [0, 1]


def test_warm_light_is_white_paper_in_the_light_of_5000_kelvin():
    white = torch.tensor([0.96422, 1.0, 0.82521]) / torch.tensor([0.95047, 1, 1.08883])
    x, y, z = white ** (1 / 3)
    ab = [float(500 * (x - y)), float(200 * (y - z))]
    assert ab == pytest.approx(WARM_LIGHT, abs=0.06)


def test_networks_fit_chroma_as_the_package_does(bold):
    gray, prediction = bold
    lab = torch.cat([gray_to_lightness(gray), prediction * AB_SCALE], 1)
    expected, every = fit_chroma(lab), fit_every_chroma(lab)
    outside = (expected != lab).any(1, keepdim=True).expand_as(lab)
    assert 0.1 < outside.float().mean() < 0.9
    assert torch.equal(every, expected)
    batch = fit_every_chroma(torch.cat([lab, lab.flip(3)]))
    assert torch.equal(batch, torch.cat([every, every.flip(3)]))
    points = fit_every_chroma(lab.flatten(2)[..., :99])
    assert torch.equal(points, every.flatten(2)[..., :99])


def doubts(sure, chroma=0.4, angle=0.7, n=5):
    """A prediction whose mean is `sure` times as long as its expected chroma."""
    mean = sure * chroma * torch.tensor([math.cos(angle), math.sin(angle)])
    return torch.cat([mean, torch.tensor([chroma])]).view(1, 3, 1, 1).expand(1, 3, n, n)


def length(ab):
    return torch.linalg.vector_norm(ab, dim=1)


def test_spread_pictures_do_not_show_how_faded_they_were():
    gray = torch.rand(2, 1, 9, 7, generator=torch.Generator().manual_seed(1))
    gray = (gray - gray.amin()) / (gray.amax() - gray.amin())
    once = spread(0.6 * gray + 0.2)
    assert torch.allclose(spread(0.3 * gray + 0.4), once, atol=1e-6)
    faded = spread(torch.tensor([0.6, 0.2]).view(2, 1, 1, 1) * gray + 0.3)
    for one in faded:
        assert (float(one.min()), float(one.max())) == pytest.approx((0.1, 0.9))


def test_spreading_is_linear_from_black_to_white():
    gray = torch.linspace(0.4, 0.6, 5).view(1, 1, 1, 5)
    ends = {(): (0.1, 0.9), (0.0, 1.0): (0.0, 1.0), (0.2, 0.7): (0.2, 0.7)}
    for asked, (black, white) in ends.items():
        expected = torch.linspace(black, white, 5).view_as(gray)
        assert torch.allclose(spread(gray, *asked), expected, atol=1e-6)
    ends = torch.rand(1000, 1, 1, 2, generator=torch.Generator().manual_seed(0))
    rounded = spread(ends, 0.0, 1.0)
    assert rounded.min() >= 0 and rounded.max() <= 1
    # from a tenth on: half of it is spread to half as much
    for width, reach in ((0.1, 0.8), (0.05, 0.4), (0.2, 0.8)):
        ends = spread(torch.tensor([0.5 - width / 2, 0.5 + width / 2]).view(1, 1, 2, 1))
        assert float(ends[0, 0, 1, 0] - ends[0, 0, 0, 0]) == pytest.approx(reach)


def test_what_has_black_and_white_is_not_spread():
    for low, high in ((0.05, 0.97), (0.0, 1.0), (0.0, 0.93), (0.07, 1.0)):
        gray = torch.linspace(low, high, 64).view(1, 1, 8, 8)
        assert torch.allclose(spread(gray), gray, atol=1e-6)
        assert 0 <= spread(gray).min() and spread(gray).max() <= 1  # not even by 1e-9


def test_an_even_picture_is_not_spread_to_noise():
    noise = 0.01 * torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    result = spread(0.85 + noise)
    assert float(result.max() - result.min()) < 0.11
    assert float(result.mean()) == pytest.approx(0.5, abs=0.06)
    assert torch.allclose(spread(torch.full((1, 1, 4, 4), 0.8)), torch.tensor(0.5))


def test_the_middle_is_the_mean_and_chroma_grows_with_vividness():
    random = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(enliven(random - 0.5, 0.5), random[:, :2] - 0.5)
    for sure in (0.1, 0.5, 0.9):
        lengths = [length(enliven(doubts(sure), v)).mean() for v in (0, 0.3, 0.7, 1)]
        assert all(a < b for a, b in pairwise(lengths))
        assert lengths[-1] <= 0.4 + 1e-6  # never beyond the expected chroma


def test_the_chroma_is_the_formula_of_the_docstring():
    for sure in (0.25, 0.6):
        for vividness in (0.0, 0.3, 0.5, 1.0):
            expected = 0.4 * sure ** (2 ** (1 - 2 * vividness))
            made = length(enliven(doubts(sure), vividness))
            assert torch.allclose(made, torch.tensor(expected), atol=1e-3)


def test_what_the_vivid_answer_adds_is_added_in_part():
    prediction = torch.rand(2, 4, 3, 5, generator=torch.Generator().manual_seed(1))
    mean, more = prediction[:, :2], prediction[:, 2:]
    for vividness in (0.0, 0.3, 1.0):
        expected = mean + vividness * more
        assert torch.allclose(enliven(prediction, vividness), expected, atol=1e-6)
    assert torch.equal(enliven(mean, 0.0), mean)


def test_sureness_is_the_length_of_the_mean_in_the_expected_chroma():
    mean = torch.tensor([[0.3, 0.4], [0.0, 0.0], [3.0, 4.0]]).view(3, 2, 1, 1)
    chroma = torch.tensor([2.0, 1.0, 1.0]).view(3, 1, 1, 1)
    sure = sureness(mean, chroma)
    assert sure.shape == chroma.shape
    assert sure.flatten().tolist() == pytest.approx([0.25, 0, 1], abs=2e-4)
    assert sureness(mean, 0 * chroma).isfinite().all()


def test_hue_is_kept_at_any_vividness():
    prediction = doubts(0.6, angle=2.1)
    for vividness in (0.0, 0.5, 1.0):
        ab = enliven(prediction, vividness)
        assert torch.allclose(torch.atan2(ab[:, 1], ab[:, 0]), torch.tensor(2.1))


def test_caution_mutes_what_is_unsure_and_leaves_what_is_sure():
    kept = []
    for sure in (0.95, 0.5, 0.1):
        cautious = length(enliven(doubts(sure), 0.0)) / (0.4 * sure)
        kept.append(float(cautious.mean()))
    assert kept == pytest.approx([0.95, 0.5, 0.1], abs=1e-3)
    assert not enliven(doubts(0.0), 0.0).any()
    assert not enliven(doubts(0.0), 1.0).any()  # without a hue, vivid stays gray


def test_a_mean_longer_than_the_expected_chroma_stays_as_it_is():
    prediction = doubts(1.5)
    assert torch.allclose(enliven(prediction, 1.0), prediction[:, :2])


def test_vividness_has_finite_gradients_at_gray():
    for vividness in (0.0, 0.5, 1.0):
        prediction = torch.zeros(1, 3, 4, 4, requires_grad=True)
        enliven(prediction, vividness).sum().backward()
        assert prediction.grad.isfinite().all()


@pytest.mark.parametrize("spread", [0.02, 0.3])
def test_bytes_are_those_of_the_codec(spread):
    gray = torch.linspace(0, 1, 64).expand(1, 1, 48, 64)
    ab = (
        torch.randn((1, 2, 48, 64), generator=torch.Generator().manual_seed(5)) * spread
    )
    exact = (LabCodec().decode(gray, ab) * 255).round().movedim(1, -1)
    difference = (lab_to_bytes(gray, ab).int() - exact.int()).abs()
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 0.01


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_black_and_white_stay_so_whatever_their_colours(level):
    gray = torch.full((1, 1, 256, 256), level)
    random = torch.Generator().manual_seed(0)
    for reach in (0.05, 0.3, 0.6, 1):
        ab = (2 * torch.rand((1, 2, 256, 256), generator=random) - 1) * reach
        assert (lab_to_bytes(gray, ab) == round(255 * level)).all()


def test_bytes_of_gray_are_its_own():
    gray = torch.arange(256).view(1, 1, 16, 16)
    levels = lab_to_bytes(gray / 255, torch.zeros(1, 2, 16, 16))
    assert torch.equal(levels, gray[0, 0, ..., None].expand(1, 16, 16, 3).byte())
