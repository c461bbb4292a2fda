"""The ResNet generator of the pix2pix code, after Johnson et al. (arXiv 1603.08155)."""

from typing import Annotated, Literal

from torch import Tensor, nn

from napari_colorgan.models.norm import Norm, norm_layer
from napari_colorgan.models.options import Range, Width


class ResNet(nn.Module):
    """Halve the sides twice, refine in residual blocks, double them twice.

    Its parameters are those of the PyTorch pix2pix code, which has 6 or 9 blocks.

    Shapes
    ------
    source : (N, in_channels or 1, H, W) float32 in [-1, 1]; sides are multiples of 4
        px, 8 at least; one channel is repeated
    returns : (N, out_channels, H, W) float32 in [-1, 1]

    Parameters
    ----------
    blocks : number of residual blocks
    width : channels after the first convolution; 4 times as many inside
    norm : normalisation of all layers but the last
    dropout : drop half of the values inside the blocks
    """

    shows_features = False
    obsolete: tuple[str, ...] = ()
    knows_doubt = False
    alternatives = False
    stride = 4

    def __init__(
        self,
        in_channels: Literal[1, 3] = 1,
        out_channels: Literal[2, 3] = 2,
        blocks: Annotated[int, Range(1, 32)] = 9,
        width: Width = 64,
        norm: Norm = "batch",
        dropout: bool = True,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.halo = 8 * blocks + 12
        """Px of context to read around a window: all that is seen."""
        self.blend = 64
        """Px in which windows fade into each other."""
        bias = norm == "instance"  # batch norm has a bias of its own

        def conv(inside: int, out: int, kernel: int) -> nn.Conv2d:
            return nn.Conv2d(
                inside,
                out,
                kernel,
                padding=kernel // 2,
                padding_mode="reflect",
                bias=bias,
            )

        def halve(inside: int) -> nn.Conv2d:
            return nn.Conv2d(inside, 2 * inside, 3, stride=2, padding=1, bias=bias)

        def double(inside: int) -> nn.ConvTranspose2d:
            return nn.ConvTranspose2d(
                inside,
                inside // 2,
                3,
                stride=2,
                padding=1,
                output_padding=1,
                bias=bias,
            )

        def step(layer: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
            return nn.Sequential(
                layer, *norm_layer(norm, layer.out_channels), nn.ReLU(inplace=True)
            )

        inner = 4 * width
        self.down = nn.Sequential(
            step(conv(in_channels, width, 7)),
            step(halve(width)),
            step(halve(2 * width)),
        )
        self.blocks = nn.Sequential()
        for _ in range(blocks):
            first = step(conv(inner, inner, 3))
            if dropout:
                first.append(nn.Dropout(0.5))
            second = nn.Sequential(conv(inner, inner, 3), *norm_layer(norm, inner))
            self.blocks.append(_Residual(first, second))
        self.up = nn.Sequential(step(double(inner)), step(double(2 * width)))
        self.head = nn.Sequential(
            nn.Conv2d(width, out_channels, 7, padding=3, padding_mode="reflect"),
            nn.Tanh(),
        )

    def forward(self, source: Tensor) -> Tensor:
        """Translate `source`."""
        x = source.expand(-1, self.in_channels, -1, -1)
        x = self.up(self.blocks(self.down(x)))
        result: Tensor = self.head(x)
        return result


class _Residual(nn.Module):
    """Add to the input what two convolutions make of it."""

    def __init__(self, first: nn.Sequential, second: nn.Sequential) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(x))
        return x + y
