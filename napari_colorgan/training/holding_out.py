"""Which pictures of a training are held out: decided once, and kept in a file."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.errors import BadImageFile, CheckpointError
from napari_colorgan.training.pictures import PictureFile

Files = list[list[PictureFile]]


def hold_out(
    files: Sequence[Sequence[PictureFile]], share: float, seed: int, record: Path
) -> tuple[Files, Files]:
    """Divide the pictures of each folder into those learned from and those held out.

    Where there is a `record` it is obeyed, so that no picture changes sides; pictures
    that were added since are learned from.

    Raises
    ------
    BadImageFile
        Held-out pictures are no longer there, or nothing is left to learn from.
    CheckpointError
        `record` cannot be read, or is of other folders.
    """
    if record.exists():
        names = _read(record, len(files))
    else:
        rng = np.random.default_rng(seed)
        names = [_chosen(of_folder, share, rng) for of_folder in files]
    learned: Files = []
    held: Files = []
    for of_folder, out in zip(files, names, strict=True):
        chosen = set(out)
        learned.append([file for file in of_folder if file.name not in chosen])
        held.append([file for file in of_folder if file.name in chosen])
        if missing := sorted(chosen - {file.name for file in held[-1]}):
            raise BadImageFile(
                f"'{record}' holds out pictures that are no longer there: "
                f"{', '.join(missing[:3])}. Put them back, or use another output file."
            )
    return learned, held


def keep(held_out: Sequence[Sequence[PictureFile]], record: Path) -> None:
    """Write which pictures of each folder are held out.

    Raises
    ------
    CheckpointError
        `record` cannot be written.
    """
    names = [[file.name for file in of_folder] for of_folder in held_out]
    with replacing(record) as file:
        file.write(json.dumps({"held_out": names}, indent=1).encode())


def _chosen(
    files: Sequence[PictureFile], share: float, rng: np.random.Generator
) -> list[str]:
    if not share or not files:
        return []
    if len(files) == 1:
        raise BadImageFile(
            f"'{files[0].color}' is the only picture, so none can be held out to judge "
            "by. Give more, or hold out none (validation 0)."
        )
    count = min(len(files) - 1, max(1, round(share * len(files))))
    chosen = rng.choice(len(files), count, replace=False)
    return sorted(files[number].name for number in chosen)


def _read(record: Path, folders: int) -> list[list[str]]:
    try:
        names = json.loads(record.read_text(encoding="utf-8"))["held_out"]
        fits = len(names) == folders and all(
            type(name) is str for of_folder in names for name in of_folder
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"'{record}' cannot be read ({error}). Remove it together with the state "
            "beside it to start anew."
        ) from error
    if not fits:
        raise CheckpointError(
            f"'{record}' was made for other folders. Give the same folders to go on, "
            "or another output file."
        )
    result: list[list[str]] = names
    return result
