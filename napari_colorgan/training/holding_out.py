"""Which pictures of a training are held out: decided once, and kept in a file."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.errors import BadImageFile, CheckpointError
from napari_colorgan.image_io.folders import is_hidden, match_names
from napari_colorgan.training.pictures import PictureFile

Files = list[list[PictureFile]]


@dataclass(frozen=True, slots=True)
class Parts:
    """Pictures of each folder that are learned from, and those that are held out."""

    learned: Files
    held_out: Files
    apart: list[PictureFile]
    """Held out, and no copies of them are to be learned from."""


def hold_out(
    files: Sequence[Sequence[PictureFile]], share: float, seed: int, record: Path
) -> Parts:
    """Divide the pictures of each folder into those learned from and those held out.

    Where there is a `record` it is obeyed, so that no picture changes sides; pictures
    that were added since are learned from. So are copies of those held out if it was
    written when nobody looked for them: such a training goes on as it was.

    Raises
    ------
    BadImageFile
        Held-out pictures are no longer there, or nothing is left to learn from.
    CheckpointError
        `record` cannot be read, or is of other folders.
    """
    copies_apart = True
    if record.exists():
        names, copies_apart = _read(record, len(files))
    else:
        rng = np.random.default_rng(seed)
        names = [_choose(of_folder, share, rng) for of_folder in files]
    learned: Files = []
    held: Files = []
    for of_folder, out in zip(files, names, strict=True):
        here = match_names(out, [file.name for file in of_folder])
        wanted = set(here.values())
        learned.append([file for file in of_folder if file.name not in wanted])
        held.append([file for file in of_folder if file.name in wanted])
        missing = [n for n in out if n not in here and not is_hidden(Path(n))]
        if missing:
            raise BadImageFile(
                f"'{record}' holds out pictures that are no longer there: "
                f"{', '.join(missing[:3])}. Put them back, or use another output file."
            )
    apart = [file for of_folder in held for file in of_folder] if copies_apart else []
    return Parts(learned, held, apart)


def keep(held_out: Sequence[Sequence[PictureFile]], record: Path) -> None:
    """Write which pictures of each folder are held out.

    Raises
    ------
    CheckpointError
        `record` cannot be written.
    """
    names = [[file.name for file in of_folder] for of_folder in held_out]
    content = {"held_out": names, "copies_apart": True}
    with replacing(record) as file:
        file.write(json.dumps(content, indent=1).encode())


def _choose(
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
    numbers = rng.choice(len(files), count, replace=False)
    return sorted(files[number].name for number in numbers)


def _read(record: Path, folders: int) -> tuple[list[list[str]], bool]:
    """Names held out of each folder, and whether their copies are, too."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        names, copies_apart = content["held_out"], bool(content.get("copies_apart"))
        fits = len(names) == folders and all(
            type(name) is str for of_folder in names for name in of_folder
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"'{record}' cannot be read ({error}). Remove it together with the state "
            "beside it to start anew."
        ) from error
    if not fits:
        raise CheckpointError(
            f"'{record}' was made for other folders. Give the same folders to go on, "
            "or another output file."
        )
    return names, copies_apart
