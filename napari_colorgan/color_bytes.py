"""Lightness and colours to 8 bits: what `color.LabCodec` decodes, four times as fast.

Powers are looked up, cubes are cubes, and only the pixels that need it are looked at
again: those too dark for a cube, and those whose colour sRGB does not hold.
"""

import torch
from torch import Tensor

from napari_colorgan.color import (
    AB_SCALE,
    CUBE_ABOVE,
    GAMUT_TOLERANCE,
    RGB_OF_WHITES,
    cube_line,
    cube_root,
    decode_srgb,
    encode_srgb,
)

_STEPS = 1 << 16  # of a table: in the dark, where sRGB is steepest, 20 for a grey level
_MOST_STEPS = 12  # of fitting; 6 do but for extreme chroma
_CLOSE = 2e-5  # of linear light: half a grey level, strong chroma in the dark too

_RAMP = torch.linspace(0, 1, _STEPS)
_ROOTS = cube_root(decode_srgb(_RAMP))
_BYTES = (encode_srgb(_RAMP) * 255).round().to(torch.uint8)
_PARTS = AB_SCALE * torch.tensor([[1 / 500], [-1 / 200]])  # of f(X) and f(Z), CIE Lab


def lab_to_bytes(gray: Tensor, ab: Tensor) -> Tensor:
    """Colours (N, H, W, 3) uint8, sRGB, of the lightness of gray.

    Colours outside sRGB lose chroma at constant lightness and hue until they fit.

    Parameters
    ----------
    gray : (N, 1, H, W), sRGB-encoded in [0, 1]
    ab : (N, 2, H, W), scaled by `AB_SCALE`
    """
    root = _look_up(_ROOTS, gray).flatten()
    chroma = ab.movedim(1, 0).flatten(1) * _PARTS
    light = _cubes(root.clone())
    rgb = _linear(root, chroma, light)
    excess = _excess(rgb, light)
    outside = (excess > 0).nonzero()[:, 0]
    if len(outside):
        few = (root[outside], chroma[:, outside], light[outside], excess[outside])
        rgb[:, outside] = _fitted(*few)
    levels = _look_up(_BYTES, rgb.clamp_(0, 1))
    n, _, h, w = gray.shape
    return levels.T.reshape(n, h, w, 3)


def _look_up(table: Tensor, values: Tensor) -> Tensor:
    """Return what a table of [0, 1] says of values."""
    numbers = (values * (_STEPS - 1)).round_().int()
    return table.index_select(0, numbers.flatten()).view(values.shape)


def _linear(root: Tensor, chroma: Tensor, light: Tensor) -> Tensor:
    """Linear RGB (3, K) of the root of Y (K,), what chroma adds to it, and Y itself."""
    x, z = _cubes(root + chroma)
    rows = [
        torch.mul(x, r).add_(light, alpha=g).add_(z, alpha=b)
        for r, g, b in RGB_OF_WHITES
    ]
    return torch.stack(rows)


def _cubes(roots: Tensor) -> Tensor:
    """Undo `color.cube_root`; what is given is overwritten."""
    dark = (roots <= CUBE_ABOVE).nonzero(as_tuple=True)
    lines = cube_line(roots[dark])
    cubes = roots.pow_(3)
    cubes[dark] = lines
    return cubes


def _excess(rgb: Tensor, light: Tensor) -> Tensor:
    """How far colours (3, K) are beyond sRGB, (K,); negative inside."""
    relative, absolute = GAMUT_TOLERANCE
    beyond = torch.maximum(rgb.amax(0) - 1, rgb.amin(0).neg_())
    return beyond.sub_(light, alpha=relative).sub_(absolute)


def _fitted(root: Tensor, chroma: Tensor, light: Tensor, excess: Tensor) -> Tensor:
    """Linear RGB (3, K) with as much of the chroma as sRGB holds.

    By the Illinois variant of regula falsi (Dowell & Jarratt 1971): linear RGB hardly
    bends, so that it takes half of the steps of a bisection.
    """
    result = torch.empty(3, len(root))
    left = torch.arange(len(root))
    low, high = torch.zeros_like(root), torch.ones_like(root)
    below, above = _excess(light.expand(3, -1), light), excess
    for step in range(_MOST_STEPS):
        part = low - below * (high - low) / (above - below)
        rgb = _linear(root, chroma * part, light)
        excess = _excess(rgb, light)
        result[:, left] = rgb
        going = excess.abs() >= _CLOSE
        if step + 1 == _MOST_STEPS or not going.any():
            break
        outside = excess > 0
        # the end that stays counts half, or it would stay for ever
        below = torch.where(outside, below / 2, excess)[going]
        above = torch.where(outside, excess, above / 2)[going]
        low = torch.where(outside, low, part)[going]
        high = torch.where(outside, part, high)[going]
        left, root, light = left[going], root[going], light[going]
        chroma = chroma[:, going]
    return result
