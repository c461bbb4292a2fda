"""The U-Net generator of pix2pix (Isola et al. 2017, arXiv 1611.07004, section 6.1)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn

from napari_colorgan.models.norm import Norm, norm_layer
from napari_colorgan.models.options import Epsilon, Range, Share, Width


class UNet(nn.Module):
    """Encoder-decoder with skip connections; every step halves or doubles the sides.

    With ``depth=8`` this is the paper's generator for 256 x 256 px, with ``depth=7``
    the one for 128 x 128; its parameters are those of the PyTorch pix2pix code.

    Shapes
    ------
    source : (N, in_channels or 1, H, W) float32 in [-1, 1]; sides are multiples of
        `stride`; one channel is repeated
    returns : (N, out_channels, H, W) float32 in [-1, 1]

    Parameters
    ----------
    depth : number of halvings; with 10, a window of 1024 px is a single px inside
    width : channels after the first convolution; at most 8 times as many inside
    norm : normalisation of the inner layers
    dropout : drop values in the inner steps of the decoder
    dropout_rate : share of the values that is dropped
    dropout_first : drop before the normalisation instead of after it
    norm_momentum, norm_eps : of the normalisation, as PyTorch means them
    """

    shows_features = False
    obsolete: tuple[str, ...] = ()
    knows_doubt = False
    alternatives = False

    def __init__(
        self,
        in_channels: Literal[1, 3] = 1,
        out_channels: Literal[2, 3] = 2,
        depth: Annotated[int, Range(5, 10)] = 8,
        width: Width = 64,
        norm: Norm = "batch",
        dropout: bool = True,
        dropout_rate: Share = 0.5,
        dropout_first: bool = False,
        norm_momentum: Share = 0.1,
        norm_eps: Epsilon = 1e-5,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.stride = 2**depth
        self.halo = max(128, min(5 * self.stride // 4, 320))
        """Px of context to read around a window; more is seen but hardly matters."""
        self.blend = 64
        """Px in which windows fade into each other."""
        channels = [min(2**step, 8) * width for step in range(depth)]
        bias = norm == "instance"  # batch norm has a bias of its own

        def normalised(channels: int) -> list[nn.Module]:
            return norm_layer(norm, channels, momentum=norm_momentum, eps=norm_eps)

        self.down = nn.ModuleList()
        for step, out in enumerate(channels):
            below = channels[step - 1] if step else in_channels
            self.down.append(
                nn.Sequential(
                    *([nn.LeakyReLU(0.2)] if step else []),
                    nn.Conv2d(below, out, 4, stride=2, padding=1, bias=bias),
                    # outermost: raw px; innermost: a single px, whose variance is 0
                    *(normalised(out) if 0 < step < depth - 1 else []),
                )
            )
        self.up = nn.ModuleList()
        for step in reversed(range(depth)):
            out = channels[step - 1] if step else out_channels
            inside = channels[step] * (1 if step == depth - 1 else 2)
            drops = dropout and 4 <= step < depth - 1
            after: list[nn.Module] = [nn.Tanh()] if step == 0 else normalised(out)
            if drops:
                after.insert(0 if dropout_first else 1, nn.Dropout(dropout_rate))
            self.up.append(
                nn.Sequential(
                    nn.ReLU(),
                    nn.ConvTranspose2d(
                        inside, out, 4, stride=2, padding=1, bias=bias or step == 0
                    ),
                    *after,
                )
            )

    def forward(self, source: Tensor) -> Tensor:
        """Translate `source`."""
        skips: list[Tensor] = []
        x = source.expand(-1, self.in_channels, -1, -1)
        for down in self.down:
            x = down(x)
            skips.append(x)
        skips.pop()
        for up in self.up:
            x = up(x)
            if skips:
                x = torch.cat([skips.pop(), x], dim=1)
        return x
