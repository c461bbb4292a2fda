"""Colour spaces in torch: sRGB <-> CIE Lab (D65, 2 degree observer); two codecs.

A codec says what a generator sees of a gray picture and how its output becomes RGB.
Tensors are (N, C, H, W) float32; gray and RGB are sRGB-encoded in [0, 1]; L is in
[0, 100], a and b are in about [-110, 110].
"""

from collections.abc import Callable
from typing import Literal, Protocol

import torch
from torch import Tensor

# sRGB primaries (IEC 61966-2-1) to CIE XYZ and the D65 white point of the 2 degree
# observer (ASTM E308), with the digits that scikit-image uses.
XYZ_OF_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = (0.95047, 1.0, 1.08883)
# from XYZ as parts of the white point; inverted in float64, for the float32 inverse is
# off by more than 8 bits can hide, and here, for ONNX knows no inverse of a matrix
RGB_OF_WHITES = (
    torch.tensor(XYZ_OF_RGB, dtype=torch.float64).inverse()
    * torch.tensor(WHITE, dtype=torch.float64)
).tolist()
_LINEAR_BELOW = 0.008856  # (6/29)^3: below it the CIE cube root is a straight line
CUBE_ABOVE = 0.2068966  # 6 / 29, its root
LINE_SLOPE = 7.787
_LINEAR_OFFSET = 16 / 116

AB_SCALE = 110.0
"""ab is divided by this for generators; over the sRGB cube |ab| stays below 108."""

WARM_LIGHT = (2.4, 17.7)
"""(a, b) of white in the light of CIE D50, 5000 K, seen by an eye used to D65."""

# linear RGB, as a part of Y and beyond it: white is off by 8e-5 with the digits above,
# and black must stay black
GAMUT_TOLERANCE = (1e-4, 1e-7)
# of gray, see `spread`: the first two leave alone what is not faded; 0 and 1 instead
# cost 0.1 dB on scenes of other collections
_BLACK, _WHITE_POINT = 0.1, 0.9
_LEAST_RANGE = 0.1
_TINY = 1e-4  # of scaled ab, far below a gray level: keeps gradients finite at gray
# chroma to a millionth, so that two programs that round otherwise see no difference
_BISECTIONS = 20


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB in [0, 1] to Lab; shape (N, 3, H, W), differentiable everywhere."""
    linear = decode_srgb(rgb)
    xyz = _mix(linear, torch.tensor(XYZ_OF_RGB)) / _column(WHITE, rgb)
    x, y, z = cube_root(xyz).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert Lab to sRGB, clipped to [0, 1]; shape (N, 3, H, W).

    Clipping changes the lightness of colours outside sRGB; `fit_chroma` avoids that.
    """
    return encode_srgb(_linear_rgb(lab).clamp(0, 1))


def gray_to_lightness(gray: Tensor) -> Tensor:
    """L in [0, 100] of sRGB-encoded gray in [0, 1], any shape."""
    return 116 * cube_root(decode_srgb(gray)) - 16


def lightness_to_gray(lightness: Tensor) -> Tensor:
    """Sample-wise inverse of `gray_to_lightness`, any shape."""
    return encode_srgb(_cube((lightness + 16) / 116))


def fit_chroma(lab: Tensor) -> Tensor:
    """Pull colours outside sRGB towards gray, at constant L and hue, until they fit.

    Bisection on the pixels concerned only; all others are returned as they are.
    """
    pixels = lab.movedim(1, 0).flatten(1)  # (3, N * H * W)
    outside = ~_fitting(pixels[None])(1.0)[0, 0]
    if not outside.any():
        return lab
    pixels = pixels.clone()
    pixels[:, outside] = fit_every_chroma(pixels[None, :, outside])[0]
    n, c, h, w = lab.shape
    return pixels.view(c, n, h, w).movedim(0, 1)


def fit_every_chroma(lab: Tensor) -> Tensor:
    """Do the same for Lab (N, 3, ...) by bisection on all pixels, without a branch.

    Networks that leave the package can do no other; those of sRGB begin at their end.
    """
    fits = _fitting(lab)
    high = torch.ones_like(lab[:, :1])
    low = fits(1.0).to(lab)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        inside = fits(middle)
        low = torch.where(inside, middle, low)
        high = torch.where(inside, high, middle)
    return torch.cat([lab[:, :1], lab[:, 1:] * low], dim=1)


def spread(gray: Tensor, black: float = _BLACK, white: float = _WHITE_POINT) -> Tensor:
    """Spread the gray values of each picture (N, 1, H, W) at least from black to white.

    A faded print has neither black nor white, and its colours are hard to tell before
    it has. One that has both stays as it is. Where all values are within a tenth, it
    is noise, and hardly spread. All values are in [0, 1].
    """
    low, high = gray.amin((2, 3), keepdim=True), gray.amax((2, 3), keepdim=True)
    to_low, to_high = low.clamp(max=black), high.clamp(min=white)
    part = (to_high - to_low) / (high - low).clamp(min=_LEAST_RANGE)
    spread_out = (gray - (low + high) / 2) * part + (to_low + to_high) / 2
    return spread_out.clamp(0, 1)  # rounding


def enliven(prediction: Tensor, vividness: float) -> Tensor:
    """Colours between the safest and the liveliest that a prediction allows.

    Generators tell in one of two ways how sure colours are. In four channels, the mean
    (a, b) and what the most vivid answer adds to it: `vividness` is the part of that
    which is added. In three, the mean and the expected chroma: the length of a
    mean as a part of it is 1 where all colours that a place may have are of one hue and
    0 where they cancel out, the mean resultant length of directional statistics (Mardia
    & Jupp 2000, 2.3) weighted by chroma. The result then has the hue of the mean and
    the chroma

        expected chroma * sure ^ 2 ^ (1 - 2 * vividness)

    so that 0 mutes what is unsure (sure ^ 2), 0.5 is the mean itself, and 1 draws it
    out towards the expected chroma (its root).

    Parameters
    ----------
    prediction : (N, 3 or 4, H, W), all scaled alike; or 2, if vividness is 0
    vividness : 0 (cautious) to 1 (vivid)

    Returns
    -------
    (N, 2, H, W), scaled as they were
    """
    mean = prediction[:, :2]
    if prediction.shape[1] == 2:
        return mean
    if prediction.shape[1] == 4:
        return mean.add(prediction[:, 2:], alpha=vividness) if vividness else mean
    return mean * sureness(mean, prediction[:, 2:]) ** (2 ** (1 - 2 * vividness) - 1)


def sureness(mean: Tensor, expected: Tensor) -> Tensor:
    """How much colours agree, 0 to 1, from their mean (a, b) and their mean chroma.

    Mean (N, 2, H, W), chroma (N, 1, H, W); see `enliven`.
    """
    length = mean.square().sum(1, keepdim=True).add(_TINY**2).sqrt()
    return (length / expected.clamp(min=_TINY)).clamp(max=1)


class Codec(Protocol):
    """Between gray pictures and what a generator reads and writes."""

    name: Literal["lab", "rgb"]
    out_channels: int

    def encode(self, gray: Tensor) -> Tensor:
        """Source of the generator, (N, 1, H, W) in [-1, 1], from gray in [0, 1]."""

    def target(self, rgb: Tensor) -> Tensor:
        """Return what the generator should produce for RGB; scaled to [-1, 1]."""

    def decode(self, gray: Tensor, prediction: Tensor) -> Tensor:
        """RGB (N, 3, H, W) in [0, 1] from the gray picture and the prediction."""


class LabCodec:
    """Colorization: the generator invents ab, the gray picture's own L is kept.

    The scaling is that of the PyTorch pix2pix code: L / 50 - 1 and ab / 110.
    """

    name: Literal["lab", "rgb"] = "lab"
    out_channels = 2

    def encode(self, gray: Tensor) -> Tensor:
        """L scaled to [-1, 1]."""
        return gray_to_lightness(gray) / 50 - 1

    def target(self, rgb: Tensor) -> Tensor:
        """Scale ab to about [-1, 1]."""
        return rgb_to_lab(rgb)[:, 1:] / AB_SCALE

    def decode(self, gray: Tensor, prediction: Tensor) -> Tensor:
        """RGB with the L of `gray` and as much of the chroma as sRGB holds."""
        lab = torch.cat([gray_to_lightness(gray), prediction * AB_SCALE], dim=1)
        return lab_to_rgb(fit_chroma(lab))


class RgbCodec:
    """Translation: the generator invents all three channels, as in virtual staining."""

    name: Literal["lab", "rgb"] = "rgb"
    out_channels = 3

    def encode(self, gray: Tensor) -> Tensor:
        """Gray scaled to [-1, 1]."""
        return gray * 2 - 1

    def target(self, rgb: Tensor) -> Tensor:
        """RGB scaled to [-1, 1]."""
        return rgb * 2 - 1

    def decode(self, gray: Tensor, prediction: Tensor) -> Tensor:
        """RGB of the prediction alone."""
        return (prediction.clamp(-1, 1) + 1) / 2


CODECS: dict[str, type[LabCodec] | type[RgbCodec]] = {"lab": LabCodec, "rgb": RgbCodec}
"""Codecs by the name that a checkpoint's metadata holds."""


def decode_srgb(x: Tensor) -> Tensor:
    """Linear light of sRGB-encoded values in [0, 1], any shape."""
    # clamp inside the power: its branch must have a finite gradient where it is unused
    power = ((x.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(x > 0.04045, power, x / 12.92)


def encode_srgb(x: Tensor) -> Tensor:
    """Undo `decode_srgb`."""
    power = 1.055 * x.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(x > 0.0031308, power, x * 12.92)


def cube_root(t: Tensor) -> Tensor:
    """Return the function f of CIE Lab: a cube root, and a straight line near 0."""
    root = t.clamp(min=_LINEAR_BELOW) ** (1 / 3)
    return torch.where(t > _LINEAR_BELOW, root, LINE_SLOPE * t + _LINEAR_OFFSET)


def _cube(t: Tensor) -> Tensor:
    return torch.where(t > CUBE_ABOVE, t**3, cube_line(t))


def cube_line(t: Tensor) -> Tensor:
    """Undo `cube_root` where it is a straight line, up to `CUBE_ABOVE`."""
    return (t - _LINEAR_OFFSET) / LINE_SLOPE


def _linear_rgb(lab: Tensor) -> Tensor:
    """Lab (N, 3, ...) to linear RGB, unclipped."""
    y, chroma = _cube_roots(lab)
    return _mix(_cube(y + chroma), torch.tensor(RGB_OF_WHITES))


def _cube_roots(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Cube root of Y (N, 1, ...), and what chroma adds to it in X, Y, Z (N, 3, ...)."""
    lightness, a, b = lab[:, :1], lab[:, 1:2], lab[:, 2:]
    added = torch.cat([a / 500, torch.zeros_like(a), b / -200], dim=1)
    return (lightness + 16) / 116, added


def _mix(channels: Tensor, matrix: Tensor) -> Tensor:
    columns = matrix.to(channels).view(3, 3, *[1] * (channels.ndim - 2))
    a, b, c = (channels[:, i : i + 1] * columns[:, i] for i in range(3))
    return a + b + c


def _column(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values).to(like).view(1, 3, *[1] * (like.ndim - 2))


def _fitting(lab: Tensor) -> Callable[[Tensor | float], Tensor]:
    """Test which pixels (N, 1, ...) are in sRGB with a part of their chroma."""
    y, chroma = _cube_roots(lab)
    matrix = torch.tensor(RGB_OF_WHITES)
    relative, absolute = GAMUT_TOLERANCE
    tolerance = relative * _cube(y) + absolute

    def fits(part: Tensor | float) -> Tensor:
        rgb = _mix(_cube(y + chroma * part), matrix)
        low, high = rgb.amin(1, keepdim=True), rgb.amax(1, keepdim=True)
        return (low >= -tolerance) & (high <= 1 + tolerance)

    return fits
