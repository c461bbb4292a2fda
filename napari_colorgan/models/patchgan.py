"""The PatchGAN discriminator of pix2pix (arXiv 1611.07004, 3.2.2 and 6.1.2)."""

import torch
from torch import Tensor, nn

from napari_colorgan.models.norm import Norm, check_norm, norm_layer


class PatchDiscriminator(nn.Module):
    """Judge every 70 x 70 px patch of a (source, color) pair as real or not.

    Shapes
    ------
    source : (N, 1, H, W) float32 in [-1, 1]
    color : (N, 2 or 3, H, W) float32 in [-1, 1]
    returns : (N, 1, H // 8 - 2, W // 8 - 2) float32 logits, positive means real
    """

    def __init__(
        self,
        in_channels: int = 3,
        width: int = 64,
        norm: Norm = "batch",
        norm_momentum: float = 0.1,
        norm_eps: float = 1e-5,
    ) -> None:
        super().__init__()
        check_norm(norm)

        def block(inside: int, out: int, stride: int) -> list[nn.Module]:
            bias = norm != "batch"  # batch norm has a bias of its own
            return [
                nn.Conv2d(inside, out, 4, stride=stride, padding=1, bias=bias),
                *norm_layer(norm, out, momentum=norm_momentum, eps=norm_eps),
                nn.LeakyReLU(0.2),
            ]

        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, width, 4, stride=2, padding=1),  # no norm: raw px
            nn.LeakyReLU(0.2),
            *block(width, 2 * width, stride=2),
            *block(2 * width, 4 * width, stride=2),
            *block(4 * width, 8 * width, stride=1),
            nn.Conv2d(8 * width, 1, 4, stride=1, padding=1),
        )

    def forward(self, source: Tensor, color: Tensor) -> Tensor:
        """Logits of all patches."""
        logits: Tensor = self.layers(torch.cat([source, color], dim=1))
        return logits

    def features(self, source: Tensor, color: Tensor) -> list[Tensor]:
        """Return what the layers see, after each activation; last, the logits."""
        x = torch.cat([source, color], dim=1)
        features = []
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.LeakyReLU):
                features.append(x)
        return [*features, x]
