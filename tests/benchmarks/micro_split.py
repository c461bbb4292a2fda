"""Divide the micrographs into those that `micro` learns from and those it is judged by.

python tests/benchmarks/micro_split.py FOLDER OUT

FOLDER holds blood_smear, red_cells and stained_nuclei. OUT gets links to the pictures,
in the folders train and held_out. Every tenth picture by name is held out, and so are
the samples of napari-colorgan.
"""

import argparse
import re
from importlib.resources import files
from pathlib import Path

from napari_colorgan.image_io.folders import list_pictures

KINDS = ("blood_smear", "red_cells", "stained_nuclei")
SAMPLE = re.compile(r"BloodImage_\d+|[0-9a-f]{64}")  # how PROVENANCE.txt names them


def split(paths: list[Path], samples: set[str]) -> dict[str, list[Path]]:
    """Pictures to learn from and to hold out."""
    parts: dict[str, list[Path]] = {"train": [], "held_out": []}
    for number, path in enumerate(paths):
        # the collections come with a folder's name before the picture's own
        sample = path.stem.split("_", 1)[-1] in samples
        parts["held_out" if sample or number % 10 == 0 else "train"].append(path)
    return parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    text = files("napari_colorgan").joinpath("data/PROVENANCE.txt").read_text("utf-8")
    samples = set(SAMPLE.findall(text))
    for kind in KINDS:
        parts = split(list_pictures(options.folder / kind), samples)
        for part, paths in parts.items():
            folder = options.out / part / kind
            folder.mkdir(parents=True)
            for path in paths:
                (folder / path.name).symlink_to(path.resolve())
        counts = ", ".join(f"{len(paths)} {part}" for part, paths in parts.items())
        print(f"{kind}: {counts}")


if __name__ == "__main__":
    main()
