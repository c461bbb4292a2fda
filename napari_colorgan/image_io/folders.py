"""Pictures below a folder, and which names of two folders belong together."""

import os
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_colorgan.errors import some
from napari_colorgan.image_io.ome_zarr import is_zarr

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif")

LARGE = (".zarr", ".svs")
"""Ends of the names of stores and slides, which are opened, not read."""

# Pictures that cannot be read, which is told; of a text beside pictures nothing is.
_OTHERS = frozenset(
    ".jp2 .j2k .jxl .jxr .avif .heic .heif .pgm .ppm .pnm .pbm .tga .exr .psd .svg "
    ".pdf .czi .nd2 .lif .lsm .oib .oif .vsi .svs .ndpi .scn .mrxs .ims .dm3 .dm4 "
    ".mrc .dcm .fits .dng .cr2 .cr3 .nef .arw .zip".split()
)

# folders that other programs fill with copies, thumbnails and waste; names that begin
# with a dot are theirs, too
_CACHES = {
    "#recycle",
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "lost+found",
    "system volume information",
    "thumbnails",
    "thumbs",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """Picture files below a folder."""

    files: tuple[Path, ...]
    """Sorted."""
    left_out: tuple[Path, ...]
    """Hidden, in a cache, or no files, such as links to nowhere."""
    unread: tuple[Path, ...] = ()
    """Pictures of types that cannot be read."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not used, in sentences; empty if there is nothing."""
        kinds = (
            ("hidden or cached entries", self.left_out),
            ("files of types that cannot be read", self.unread),
        )
        return tuple(
            f"{len(paths)} {kind} are left out: {some(paths)}."
            for kind, paths in kinds
            if paths
        )


def find_pictures(
    folder: Path, *, without: Path | None = None, large: bool = False
) -> Listing:
    """Find the picture files below `folder`, known by their suffixes.

    Parameters
    ----------
    without : a folder that is not searched, if it lies below `folder`
    large : find zarr stores and slides, too, which may be larger than memory
    """
    files: list[Path] = []
    left_out: list[Path] = []
    unread: list[Path] = []
    suffixes = SUFFIXES + LARGE if large else SUFFIXES
    for path in _pictures(folder, without):
        there = path.is_file() or (large and is_zarr(path))
        usable = not is_hidden(path.relative_to(folder)) and there
        if path.suffix.lower() in suffixes:
            (files if usable else left_out).append(path)
        elif usable:
            unread.append(path)
    return Listing(*(tuple(sorted(each)) for each in (files, left_out, unread)))


def list_pictures(folder: Path) -> list[Path]:
    """Picture files below `folder`, sorted, without hidden and cached ones."""
    return list(find_pictures(folder).files)


def is_hidden(path: Path) -> bool:
    """Whether a path, relative to what was searched, is hidden or in a cache."""
    return any(part[0] == "." or part.lower() in _CACHES for part in path.parts)


def match_names(names: Collection[str], others: Collection[str]) -> dict[str, str]:
    """Match each name to the one of `others` that means the same.

    That is the same name, or else the only one that differs from it in nothing but
    upper and lower case and in how accents are stored: macOS and Windows hold these for
    one name, and files wander. Names without such a partner are left out.
    """
    exact = set(names) & set(others)
    matched = {name: name for name in exact}
    alike = _by_meaning(set(others) - exact)
    for meaning, wanted in _by_meaning(set(names) - exact).items():
        if len(wanted) == len(alike.get(meaning, ())) == 1:
            matched[wanted[0]] = alike[meaning][0]
    return matched


def _by_meaning(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        meaning = unicodedata.normalize("NFC", name).casefold()
        groups.setdefault(meaning, []).append(name)
    return groups


def _pictures(folder: Path, without: Path | None) -> Iterator[Path]:
    """Whatever has the suffix of a picture of any kind, folders too."""
    for place, inner, names in os.walk(folder):
        root = Path(place)
        if without is not None:
            inner[:] = [name for name in inner if not _is_same(root / name, without)]
        stores = [name for name in inner if is_zarr(root / name)]
        inner[:] = [name for name in inner if name not in stores]
        for name in [*inner, *stores, *names]:
            suffix = Path(name).suffix.lower()
            if suffix in SUFFIXES + LARGE or suffix in _OTHERS:
                yield root / name


def _is_same(path: Path, other: Path) -> bool:
    return path.exists() and other.exists() and path.samefile(other)
