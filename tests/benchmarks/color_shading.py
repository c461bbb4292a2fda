"""What a model could gain if it knew how lamp and camera tint the field of view.

python tests/benchmarks/color_shading.py MODEL TRAIN JUDGED

A camera may tint one corner of all its pictures, whatever they show. No window of a
picture tells that, and a model should not learn it. The shading is what MODEL misses at
each place of the field, as a mean over the pictures of TRAIN, which have one size. The
last line is the gain on JUDGED with it added to the colours of MODEL.
"""

import argparse
import statistics
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from collection import Collection
from torch import Tensor

from napari_colorgan import colorizer_job, finish
from napari_colorgan.color import fit_chroma, lab_to_rgb, rgb_to_lab
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.metrics import psnr
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.scoring import color_pair, gray_rgb

CELLS = (15, 20)  # of the field: smoother than any cell of a picture

RGB = npt.NDArray[np.uint8]


def missed(pair: Pair, colorizer: Colorizer) -> Tensor:
    """Mean of true minus predicted ab in each of `CELLS`, (2, 15, 20)."""
    truth, ours = (lab(rgb) for rgb in (pair.color, color_pair(pair, colorizer)))
    return F.adaptive_avg_pool2d((truth - ours)[0, 1:], CELLS)


def shading_of(pairs: Iterable[Pair], colorizer: Colorizer) -> Tensor:
    """Mean of what is missed, (2, 15, 20) in units of ab."""
    return torch.stack([missed(pair, colorizer) for pair in pairs]).mean(0)


def shaded(rgb: RGB, shading: Tensor) -> RGB:
    """Add the shading to a picture (Y, X, 3), at its lightness."""
    picture = lab(rgb)
    field = F.interpolate(shading[None], rgb.shape[:2], mode="bilinear")
    picture[:, 1:] += field
    result = lab_to_rgb(fit_chroma(picture))[0].permute(1, 2, 0)
    return (result * 255).round().to(torch.uint8).numpy()


def lab(rgb: RGB) -> Tensor:
    """Lab (1, 3, Y, X) of a picture (Y, X, 3)."""
    return rgb_to_lab(torch.tensor(rgb).permute(2, 0, 1)[None] / 255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("train", type=Collection.parse)
    parser.add_argument("judged", type=Collection.parse)
    given = parser.parse_args()
    colorizer = finish(colorizer_job(given.model, device="cpu"))
    shading = shading_of(given.train.pairs(side=None), colorizer)
    a, b = shading.square().mean((1, 2)).sqrt().tolist()
    print(f"shading, root of its mean square: {a:.1f} of a, {b:.1f} of b")
    gains: dict[str, list[float]] = {"as it is": [], "with the shading": []}
    for pair in given.judged.pairs(side=None):
        left_gray = psnr(gray_rgb(pair), pair.color)
        ours = color_pair(pair, colorizer)
        for name, image in (
            ("as it is", ours),
            ("with the shading", shaded(ours, shading)),
        ):
            gains[name].append(psnr(image, pair.color) - left_gray)
    for name, each in gains.items():
        print(f"{name}: {statistics.fmean(each):+.2f} dB ({len(each)} pictures)")


if __name__ == "__main__":
    main()
