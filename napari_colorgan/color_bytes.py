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
_BISECTIONS = 12  # chroma to a four-thousandth, less than a grey level

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
    outside = _outside(rgb, light).nonzero()[:, 0]
    if len(outside):
        rgb[:, outside] = _fitted(root[outside], chroma[:, outside])
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


def _outside(rgb: Tensor, light: Tensor) -> Tensor:
    """Whether colours (3, K) are outside sRGB."""
    relative, absolute = GAMUT_TOLERANCE
    tolerance = relative * light + absolute
    return (rgb.amin(0) < -tolerance) | (rgb.amax(0) > 1 + tolerance)


def _fitted(root: Tensor, chroma: Tensor) -> Tensor:
    """Linear RGB (3, K) with as much of the chroma as sRGB holds, by bisection."""
    light = _cubes(root.clone())
    low, high = torch.zeros_like(root), torch.ones_like(root)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        outside = _outside(_linear(root, chroma * middle, light), light)
        low = torch.where(outside, low, middle)
        high = torch.where(outside, middle, high)
    return _linear(root, chroma * low, light)
