"""Lightness and colours to 8 bits: what `color.LabCodec` decodes, four times as fast.

Powers are looked up, cubes are cubes, and only the pixels that need it are looked at
again: those too dark for a cube, and those whose colour sRGB does not hold.
"""

from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from napari_colorgan.color import (
    AB_SCALE,
    CUBE_ABOVE,
    GAMUT_TOLERANCE,
    LINE_SLOPE,
    RGB_OF_WHITES,
    cube_line,
    cube_root,
    decode_srgb,
    encode_srgb,
)

_STEPS = 1 << 16  # of a table: in the dark, where sRGB is steepest, 20 for a grey level
_MOST_STEPS = 12  # of fitting; six do but for a few pixels
_CLOSE = 1e-4  # of linear light, by which the last step moves any channel

_RAMP = torch.linspace(0, 1, _STEPS)
_ROOTS = cube_root(decode_srgb(_RAMP))
_BYTES = (encode_srgb(_RAMP) * 255).round().to(torch.uint8)
_PARTS = AB_SCALE * torch.tensor([[1 / 500], [-1 / 200]])  # of f(X) and f(Z), CIE Lab


@cache
def _tables(device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return `_ROOTS`, `_BYTES` and `_PARTS` where they are needed."""
    return _ROOTS.to(device), _BYTES.to(device), _PARTS.to(device)


def lab_to_bytes(gray: Tensor, ab: Tensor) -> Tensor:
    """Colours (N, H, W, 3) uint8, sRGB, of the lightness of gray.

    Colours outside sRGB lose chroma at constant lightness and hue until they fit. All
    is computed on the device of both.

    Parameters
    ----------
    gray : (N, 1, H, W), sRGB-encoded in [0, 1]
    ab : (N, 2, H, W), scaled by `AB_SCALE`
    """
    roots, table, parts = _tables(gray.device)
    root = _look_up(roots, gray).flatten()
    chroma = ab.movedim(1, 0).flatten(1) * parts
    light = _cubes(root.clone())
    rgb = _linear(root, chroma, light)
    excess = _excess(rgb, light)
    outside = (excess > 0).nonzero()[:, 0]
    if len(outside):
        few = (root[outside], chroma[:, outside], light[outside], excess[outside])
        rgb[:, outside] = _fitted(*few)
    levels = _look_up(table, rgb.clamp_(0, 1))
    n, _, h, w = gray.shape
    return levels.T.reshape(n, h, w, 3)


def _look_up(table: Tensor, values: Tensor) -> Tensor:
    """Return what a table of [0, 1] says of values."""
    numbers = (values * (_STEPS - 1)).round_().int()
    return table.index_select(0, numbers.flatten()).view(values.shape)


def _linear(root: Tensor, chroma: Tensor, light: Tensor) -> Tensor:
    """Linear RGB (3, K) of the root of Y (K,), what chroma adds to it, and Y itself."""
    x, z = _cubes(root + chroma)
    return _mixed(x, light, z)


def _mixed(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
    """Linear RGB (3, K) of XYZ, in parts of white's."""
    rows = [
        torch.mul(x, r).add_(y, alpha=g).add_(z, alpha=b) for r, g, b in RGB_OF_WHITES
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
    return _beyond((rgb - 0.5).abs_().amax(0), light)


def _beyond(farthest: Tensor, light: Tensor) -> Tensor:
    """Return the excess of colours whose farthest channel is so far from the middle."""
    relative, absolute = GAMUT_TOLERANCE
    return farthest.sub(light, alpha=relative).sub_(0.5 + absolute)


def _fitted(root: Tensor, chroma: Tensor, light: Tensor, excess: Tensor) -> Tensor:
    """Linear RGB (3, K) with as much of the chroma as sRGB holds.

    By Newton's method within a bracket (Press et al., Numerical Recipes, 9.4): linear
    RGB is made of cubes, so that three steps do for nearly all.
    """
    low, high = torch.zeros_like(root), torch.ones_like(root)
    below = _excess(light.expand(3, -1), light)
    part = below / (below - excess)
    parts, left = part, torch.arange(len(root), device=root.device)
    told = [root, *chroma, light]
    for _ in range(_MOST_STEPS):
        excess, slope, pace = _excess_and_slope(told, part)
        outside = excess > 0
        low, high = torch.where(outside, low, part), torch.where(outside, part, high)
        move = excess / slope
        step = part - move
        far = ~(move.abs() * pace < _CLOSE)  # also where it is no number
        instead = torch.where(far, (low + high) / 2, part)
        part = torch.where((low < step) & (step < high), step, instead)
        parts = parts.index_copy(0, left, part)
        going = far.nonzero()[:, 0]
        if not len(going):
            break
        left, part, low, high = (
            each.index_select(0, going) for each in (left, part, low, high)
        )
        told = [each.index_select(0, going) for each in told]
    return _linear(root, chroma * parts, light)


def _excess_and_slope(
    told: Sequence[Tensor], part: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Excess (K,) with a part of the chroma, and how fast it grows with that.

    The last one is how fast the channel changes that does so most.
    `told` are the root, what chroma adds to it for X and Z, and the light.
    """
    root, *added, light = told
    chroma = torch.stack(added)
    roots = chroma * part + root
    steep = torch.where(roots > CUBE_ABOVE, 3 * roots**2, 1 / LINE_SLOPE)
    dx, dz = steep * chroma
    x, z = _cubes(roots)
    rgb = _mixed(x, light, z)
    growth = torch.stack([dx * r + dz * b for r, _, b in RGB_OF_WHITES])
    rgb -= 0.5  # what is farthest from the middle leaves [0, 1] first
    pace = growth.abs().amax(0)
    growth *= rgb.sign()
    far, grows = rgb.abs_()[0], growth[0]
    for channel in (1, 2):
        farther = rgb[channel] > far
        far = torch.where(farther, rgb[channel], far)
        grows = torch.where(farther, growth[channel], grows)
    return _beyond(far, light), grows, pace
