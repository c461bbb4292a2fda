"""Pictures that are left out of a training: who they are, and why."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_colorgan.arrays import RGB
from napari_colorgan.errors import BadImageFile, BadPair, some
from napari_colorgan.image_io.folders import find_pictures
from napari_colorgan.job import Progress

_GRAY_BELOW = 4.0  # 8-bit levels: mean spread of RGB below which a picture is gray
_NAMED = 5  # pictures that a sentence names


@dataclass(frozen=True, slots=True)
class PictureRead(Progress):
    """One more picture is decoded; nothing is trained yet."""


@dataclass(frozen=True, slots=True)
class PicturesLeftOut(Progress):
    """All pictures are read, and some of them are not used."""

    notes: tuple[str, ...]
    """Sentences that say which, and why."""


class LeftOut:
    """Pictures of some folders that are not used, and why.

    Bad ones are left out as long as they are no more than half of all.

    Parameters
    ----------
    strict : raise the error of the first bad picture instead
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self._of = 0
        self._of_folders: list[str] = []
        self._bad: dict[str, str] = {}
        self._gray: dict[str, None] = {}  # ordered: a picture may be read twice
        self._copies: dict[str, None] = {}

    def find(self, folder: Path, *, without: Path | None = None) -> list[Path]:
        """Find the pictures below a folder, as `find_pictures`."""
        listing = find_pictures(folder, without=without)
        self._of_folders += listing.notes
        return list(listing.files)

    def expect(self, pictures: int) -> None:
        """Count pictures that are to be used."""
        self._of += pictures

    @contextmanager
    def if_bad(self, name: str) -> Iterator[None]:
        """Leave out the picture that is read in the block, if it cannot be used.

        Raises
        ------
        BadImageFile
            These are more than half by now.
        BadImageFile, BadPair
            That of the block, if `strict`, or if there is no other picture.
        """
        try:
            yield
        except (BadImageFile, BadPair) as error:
            if self.strict or self._of <= 1:
                raise
            self.add_bad(name, str(error))

    def add_bad(self, name: str, why: str) -> None:
        """Leave out a picture for the reason given in a sentence.

        Raises
        ------
        BadImageFile
            These are more than half by now.
        """
        self._bad[name] = why
        if 2 * len(self._bad) > self._of:
            raise BadImageFile(
                f"More than half of {self._of} pictures cannot be used: "
                f"{self._reasons()} Repair these, or give other folders."
            )

    def add_gray(self, name: str) -> None:
        """Leave out a picture without colour, which is not bad."""
        self._gray[name] = None

    def add_copy(self, name: str) -> None:
        """Leave out a picture with the pixels of one that is held out."""
        self._copies[name] = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of pictures that are left out."""
        return (*self._gray, *self._bad, *self._copies)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, in sentences; empty if nothing is left out."""
        bad = f"{len(self._bad)} of {self._of} pictures cannot be used and are left out"
        gray = (
            f"{len(self._gray)} of {self._of} pictures have no colour and are left out"
        )
        copies = (
            f"{len(self._copies)} pictures equal ones that are held out and are not "
            "learned from"
        )
        notes = (
            f"{bad}: {self._reasons()}" if self._bad else "",
            f"{gray}: {some(self._gray)}." if self._gray else "",
            f"{copies}: {some(self._copies)}." if self._copies else "",
            *self._of_folders,
        )
        return tuple(note for note in notes if note)

    def events(self) -> Iterator[PicturesLeftOut]:
        """Tell of what was left out, if anything was."""
        if self.notes:
            yield PicturesLeftOut(self._of, self._of, self.notes)

    def _reasons(self) -> str:
        more = len(self._bad) - _NAMED
        reasons = list(self._bad.values())[:_NAMED]
        return " ".join([*reasons, *([f"And {more} more."] if more > 0 else [])])


def is_color(rgb: RGB) -> bool:
    """Whether a picture (Y, X, 3) has colour worth learning from."""
    red, green, blue = (rgb[..., channel] for channel in range(3))
    high = np.maximum(np.maximum(red, green), blue)
    spread = high - np.minimum(np.minimum(red, green), blue)
    return float(spread.mean()) >= _GRAY_BELOW
