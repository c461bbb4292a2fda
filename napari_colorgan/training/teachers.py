"""Models that a training learns from, beside the true colours."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.color import LabCodec
from napari_colorgan.errors import BadSetting
from napari_colorgan.models import channels_last
from napari_colorgan.training.precision import autocast, untimed_precision

_SIDES = (0.75, 1.5)  # of what a teacher sees, as parts of the crop's


class Teachers:
    """What the mean of some models says of a crop, seen at several sizes.

    Several models, or one that sees a picture at several sizes and mirrored, disagree
    where they do not know, so that their mean is nearer to the truth than each of them.
    A single model can learn that mean (Hinton et al. 2015, arXiv 1503.02531). Every
    step asks one of them about one size, drawn at random, for where the loss is
    quadratic, its minimum is the mean all the same. Teacher and learner see the same
    crop (Beyer et al. 2022, arXiv 2106.05237), the teacher before its gray side is
    changed.

    Parameters
    ----------
    checkpoints : models that predict ab and chroma
    device : where they run

    Raises
    ------
    BadSetting
        A model predicts something else.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], device: torch.device) -> None:
        self._device = device
        self._precision = untimed_precision(device)
        self._teachers = []
        for checkpoint in checkpoints:
            generator = checkpoint.generator()
            if not generator.predicts_chroma:
                expected = "a model that tells how sure it is, like 'natural'"
                raise BadSetting("teacher", checkpoint.metadata.name, expected)
            self._teachers.append(channels_last(generator, device))
        self._codec = LabCodec()

    @torch.no_grad()
    def answer(self, gray: Tensor, rng: np.random.Generator) -> Tensor:
        """Prediction (N, 3, H, W), ab and chroma, for crops (N, 1, H, W) in [0, 1]."""
        generator = self._teachers[int(rng.integers(len(self._teachers)))]
        shape, stride = gray.shape[-2:], generator.stride
        factor = rng.uniform(*_SIDES)
        size = [max(1, round(factor * side / stride)) * stride for side in shape]
        mirrored = rng.random() < 0.5
        seen = gray.to(self._device)
        seen = F.interpolate(seen, size, mode="bilinear", antialias=True).clamp(0, 1)
        if mirrored:
            seen = seen.flip(-1)
        with autocast(self._device, self._precision):
            prediction = generator(self._codec.encode(seen))
        prediction = prediction.float().cpu()
        if mirrored:
            prediction = prediction.flip(-1)
        return F.interpolate(prediction, shape, mode="bilinear", antialias=True)


def softened(truth: Tensor, answer: Tensor, share: float | Tensor) -> Tensor:
    """Truth (N, 2, H, W) and a teacher's answer (N, 3, H, W), mixed.

    Parameters
    ----------
    share : of the answer, from 0 to 1; or one for each crop, (N, 1, 1, 1)

    Returns
    -------
    (N, 3, H, W): ab and chroma, scaled as they were
    """
    chroma = torch.linalg.vector_norm(truth, dim=1, keepdim=True)
    return torch.lerp(torch.cat([truth, chroma], dim=1), answer, share)
