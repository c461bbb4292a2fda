"""Make a contact sheet: gray, ours, truth; without folders, of scikit-image's photos.

python tests/benchmarks/contact_sheet.py OUT [--model NAME] [--folder DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from napari_colorgan import colorizer_job, finish
from napari_colorgan.metrics import psnr
from napari_colorgan.training.evaluate import read_truth
from napari_colorgan.training.pairs import Pair, gray_of
from napari_colorgan.training.pictures import list_pictures
from napari_colorgan.training.scoring import color_pair, gray_rgb

SIDE = 200  # px of a picture on the sheet
GAP = 6  # px


def photographs() -> dict[str, np.ndarray]:
    """Public domain and CC0 pictures that come with scikit-image."""
    names = (
        "coffee",
        "chelsea",
        "astronaut",
        "rocket",
        "retina",
        "immunohistochemistry",
    )
    return {name: np.asarray(getattr(data, name)()) for name in names}


def resized(rgb: np.ndarray, side: int = 256) -> np.ndarray:
    """Shorter side 256 px, as in the evaluation."""
    image = Image.fromarray(rgb)
    factor = side / min(image.size)
    size = (round(image.width * factor), round(image.height * factor))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def square(rgb: np.ndarray) -> Image.Image:
    """The middle of a picture."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    image = Image.fromarray(rgb).crop((left, top, left + side, top + side))
    return image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="natural")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--most", type=int, default=12)
    options = parser.parse_args()
    colorizer = finish(colorizer_job(options.model))
    if options.folder is None:
        truths = {name: resized(rgb) for name, rgb in photographs().items()}
    else:
        paths = list_pictures(options.folder)
        paths = paths[:: max(1, len(paths) // options.most)][: options.most]
        truths = {path.stem: read_truth(path, 256) for path in paths}
    step = SIDE + GAP
    sheet = Image.new("RGB", (step * len(truths) - GAP, 3 * step - GAP), "white")
    for column, (name, truth) in enumerate(truths.items()):
        pair = Pair(name, gray_of(truth), truth)
        ours, gray = color_pair(pair, colorizer), gray_rgb(pair)
        for row, picture in enumerate((gray, ours, truth)):
            sheet.paste(square(picture), (column * step, row * step))
        gain = psnr(ours, truth) - psnr(gray, truth)
        print(f"{name}: {gain:+.2f} dB over gray")
    sheet.save(options.out, quality=88)


if __name__ == "__main__":
    main()
