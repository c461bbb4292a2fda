"""Make the pictures of the shipped models: examples whose left half is still gray.

python tests/benchmarks/model_pictures.py

They are written beside the checkpoints, where the model picker looks for them. The
photographs are public domain or CC0 and come with scikit-image, the micrographs are
the package's own samples. No model was trained on them.
"""

import numpy as np
from PIL import Image
from skimage import data

from napari_colorgan import colorize
from napari_colorgan.checkpoints import zoo
from napari_colorgan.inference.examples import example, strip
from napari_colorgan.sample_data import micrograph, stack
from napari_colorgan.training.pairs import gray_of

NATURAL = {  # picture: top, left and side of the square that is shown, in px
    "astronaut": (0, 25, 400),
    "coffee": (0, 110, 400),
    "chelsea": (0, 75, 300),
    "rocket": (0, 105, 427),
}


def natural() -> list[Image.Image]:
    return [
        colored("natural", gray_of(getattr(data, name)()), square)
        for name, square in NATURAL.items()
    ]


def micro() -> list[Image.Image]:
    (smear, _, _), *_ = micrograph()
    (fields, _, _), *_ = stack()
    corner = (0, 0, 256)
    return [
        colored("micro", smear / 4095, (0, 80, 480)),
        colored("micro", fields[0] / 255, corner),
        colored("micro", fields[2] / 255, corner),
        colored("micro", fields[3] / 255, corner),
    ]


def colored(model: str, gray: np.ndarray, square: tuple[int, int, int]) -> Image.Image:
    """Colour gray (Y, X) in [0, 1]; a square of it, its left half left gray."""
    color = colorize(gray, model, limits=(0, 1), device="cpu")
    top, left, side = square
    part = np.s_[top : top + side, left : left + side]
    return example(gray[part], color[part])


def main() -> None:
    for model, examples in (("natural", natural()), ("micro", micro())):
        path = zoo.find(model).path.with_suffix(".jpg")
        path.write_bytes(strip(examples))
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
