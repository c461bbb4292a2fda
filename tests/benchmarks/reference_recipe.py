"""The classic pix2pix recipe as a plain loop, to be compared with.

U-Net 256 (64 channels), 70 x 70 PatchGAN (64 channels), both with batch norm; Adam of
rate 2e-4 and beta1 0.5; GAN + 100 L1; batches of one crop of 256 px, flipped at random;
discriminator first. float32 throughout, no validation, no pauses.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from napari_colorgan.color import LabCodec, rgb_to_lab
from napari_colorgan.models.patchgan import PatchDiscriminator
from napari_colorgan.models.unet import UNet

SIDE = 256


class Reference:
    def __init__(self, pictures: list[np.ndarray], seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.random = np.random.default_rng(seed)
        self.pictures = pictures
        self.generator = UNet().train()
        self.discriminator = PatchDiscriminator().train()
        for network in (self.generator, self.discriminator):
            network.apply(draw)
        self.of_generator, self.of_discriminator = (
            torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
            for network in (self.generator, self.discriminator)
        )

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        picture = self.pictures[self.random.integers(len(self.pictures))]
        height, width = picture.shape[:2]
        y = self.random.integers(height - SIDE + 1)
        x = self.random.integers(width - SIDE + 1)
        crop = picture[y : y + SIDE, x : x + SIDE]
        if self.random.random() < 0.5:
            crop = crop[:, ::-1]
        rgb = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 255
        return rgb_to_lab(rgb)[:, :1] / 50 - 1, LabCodec().target(rgb)

    def step(self) -> None:
        source, target = self.batch()
        prediction = self.generator(source)
        fake = self.discriminator(source, prediction.detach())
        real = self.discriminator(source, target)
        self.of_discriminator.zero_grad()
        ((bce(fake, 0.0) + bce(real, 1.0)) * 0.5).backward()
        self.of_discriminator.step()
        for parameter in self.discriminator.parameters():
            parameter.requires_grad = False
        self.of_generator.zero_grad()
        fooled = bce(self.discriminator(source, prediction), 1.0)
        (fooled + 100 * F.l1_loss(prediction, target)).backward()
        self.of_generator.step()
        for parameter in self.discriminator.parameters():
            parameter.requires_grad = True

    def train(self, marks: list[float]) -> Iterator[tuple[float, dict]]:
        """Yield seconds trained and weights, at each of the `marks` (seconds)."""
        trained = 0.0
        for mark in marks:
            began = time.perf_counter()
            while trained + time.perf_counter() - began < mark:
                self.step()
            trained += time.perf_counter() - began
            yield trained, copied(self.generator.state_dict())


def copied(weights: dict) -> dict:
    return {k: v.half() if v.is_floating_point() else v for k, v in weights.items()}


def bce(logits: torch.Tensor, wanted: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, wanted))


def draw(layer: nn.Module) -> None:
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
