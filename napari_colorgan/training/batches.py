"""What every step of a training on pictures learns from."""

import numpy as np
import torch

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.color import CODECS, lightness_to_gray, rgb_to_lab
from napari_colorgan.training.augment import Augmentation, simulate_hints
from napari_colorgan.training.patches import Batch
from napari_colorgan.training.pictures import PictureCache
from napari_colorgan.training.settings import TrainConfig


class PictureBatches:
    """Batches of crops; each follows from the seed and the number of its step.

    Parameters
    ----------
    pictures : colour pictures, some with gray ones of their own
    config : how crops are drawn and their gray sides changed
    metadata : of what is trained; says its codec and whether it takes hints
    """

    def __init__(
        self, pictures: PictureCache, config: TrainConfig, metadata: Metadata
    ) -> None:
        self._pictures = pictures
        self._config = config
        self._codec = CODECS[metadata.codec]()
        self._augmentation = Augmentation(config, metadata.codec)
        takes_hints = metadata.generator == "compact" and metadata.codec == "lab"
        self._hints = config.hints if takes_hints else 0.0
        self.per_epoch = max(1, round(len(pictures) / config.batch))

    def batch(self, step: int) -> Batch:
        """Return what one step learns from."""
        config, codec = self._config, self._codec
        rng = np.random.default_rng([config.seed, step])
        random = torch.Generator().manual_seed(int(rng.integers(2**62)))
        crops = self._pictures.sample(
            config.batch,
            config.crop,
            rng,
            min_scale=config.min_scale if config.context == "whole" else None,
            magnification=self._augmentation.magnification,
            squeeze=config.scheme == "notebook",
        )
        gray = crops.gray
        if gray is None:
            gray = lightness_to_gray(rgb_to_lab(crops.rgb)[:, :1]).clamp(0, 1)
        target = codec.target(crops.rgb)
        source = codec.encode(self._augmentation.of_gray(gray, random))
        hints = None
        if self._hints:
            hints = simulate_hints(target, self._hints, random)
        return Batch(source, target, hints)
