"""How many crops and patches one core samples a second, all but reading included.

python tests/benchmarks/samplers.py [DEVICE]

In turns on one core of a busy machine, `natural` gave 1,500 crops a second where commit
a921cb5 gave 1,190 (1,130 on a quiet one), and `micro` 1,040 where that gave 720. Commit
0b26498, which cut one picture at a time, gave 140 to 180 of `natural`.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
from skimage import data

import napari_colorgan.training
from napari_colorgan.color import LabCodec
from napari_colorgan.job import finish
from napari_colorgan.training.pairs import pairs_of
from napari_colorgan.training.patch_sampler import PatchSampler
from napari_colorgan.training.picture_sampler import PictureSampler
from napari_colorgan.training.pictures import PictureFile, read_pictures_job
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.samplers import Sampler
from napari_colorgan.training.settings import FineTuneConfig

RECIPES = Path(napari_colorgan.training.__file__).parent / "recipes"
STEPS = 12
ROUNDS = 25
"""Other programs only ever add to a step's time: its least is what counts."""


def seconds(sampler: Sampler, step: int) -> float:
    """Processor time of a step, or time, where another device does a part of it."""
    clock = time.perf_counter if torch.cuda.is_initialized() else time.process_time
    began = clock()
    sampler.batch(step).source.sum().item()  # waits for a GPU
    return clock() - began


def rate(sampler: Sampler, batch: int) -> float:
    """Crops per second."""
    least = (
        min(seconds(sampler, step) for _ in range(ROUNDS)) for step in range(STEPS)
    )
    return STEPS * batch / sum(least)


def main() -> None:
    torch.set_num_threads(1)
    # a large tensor that is freed once, as every network has them: memory is kept
    torch.ones(7 << 20)  # 28 MB; the C library of Linux would not learn from 32
    device = torch.device(sys.argv[1] if sys.argv[1:] else "cpu")
    torch.zeros(1, device=device)
    names = ("astronaut", "coffee", "chelsea")
    folder = Path(data.__file__).parent
    paths = [folder / f"{name}.png" for name in names]
    files = [[PictureFile(path.name, path) for path in paths]]
    for name, as_lab in (("natural", True), ("natural", False), ("micro", True)):
        config = Recipe.from_toml(RECIPES / f"{name}.toml").config
        pictures = finish(
            read_pictures_job([folder], files, config.cache_side, as_lab=as_lab)
        )
        sampler = PictureSampler(pictures, config, LabCodec(), device, hints=True)
        kind = "" if as_lab else " from RGB"
        print(f"{name}{kind}: {rate(sampler, config.batch):.0f} crops/s", end="")
        print(f" of {config.crop} px")
    tuning = FineTuneConfig(context="local")
    pairs = pairs_of(np.asarray(data.astronaut()))
    patches = PatchSampler(pairs, tuning, LabCodec(), device, hints=True)
    print(f"pairs: {rate(patches, tuning.batch):.0f} patches/s of {tuning.patch} px")


if __name__ == "__main__":
    main()
