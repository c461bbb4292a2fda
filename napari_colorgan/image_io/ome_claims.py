"""What the XML of an OME-TIFF claims, looked at before any of it is believed."""

import math
import re
from pathlib import Path

from napari_colorgan.errors import BadImageFile
from napari_colorgan.image_io.tiff_directories import check_directories
from napari_colorgan.regular import is_regular

_MOST_PLANES = 1 << 22
_MOST_FILES = 10_000
_NUMBERS = re.compile(r"""\b(?:NumPlanes|PlaneCount|First[A-Z]|IFD)\s*=\s*["'](\d+)""")
_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^>]*>")
_SIZES = re.compile(r"""\bSize[A-WZ]\s*=\s*["'](\d+)""")  # without X and Y
_FILES = re.compile(r"""\bFileName\s*=\s*["']([^"']*)""")
_ALONG = re.compile(r"<[^>]*\bEnd\s*=[^>]*>")
_STEPS = {
    name: re.compile(rf"""\b{name}\s*=\s*["']([^"']*)""")
    for name in ("Start", "End", "Step")
}


def check_ome(path: Path, xml: str) -> None:
    """Refuse planes that cannot be, and parts in what is no file.

    Raises
    ------
    BadImageFile
    """
    counts = [_whole(number) for number in _NUMBERS.findall(xml)]
    for pixels in _PIXELS.findall(xml):
        counts.append(math.prod(map(_whole, _SIZES.findall(pixels))))
    counts += map(_steps, _ALONG.findall(xml))
    if max(counts, default=0) > _MOST_PLANES:
        raise BadImageFile(
            f"'{path}' claims to have more than {_MOST_PLANES} planes, which no "
            "microscope takes. It is damaged, or made to do harm: fetch it again."
        )
    names = set(_FILES.findall(xml))
    if len(names) > _MOST_FILES:
        raise BadImageFile(
            f"'{path}' is a part of a picture in {len(names)} files. Save it as one "
            f"file, or in at most {_MOST_FILES}."
        )
    for name in names - {path.name}:
        other = path.parent / name
        try:
            if is_regular(other):
                check_directories(other)
            elif other.exists():
                raise BadImageFile(
                    f"'{path}' names '{name}' as a part of it, which is no file. Copy "
                    "the whole picture again."
                )
        except (OSError, ValueError) as error:
            if isinstance(error, BadImageFile):
                raise  # of others nothing is read, as if they were not there


def _whole(digits: str) -> float:
    """Return a number; what is too long for one is infinite."""
    return int(digits) if len(digits) < 20 else math.inf


def _steps(tag: str) -> float:
    """How many steps lie between the start and the end of what a tag tells."""
    try:
        start, end, step = (
            float(found.group(1)) if (found := each.search(tag)) else default
            for each, default in zip(_STEPS.values(), (0.0, 0.0, 1.0), strict=True)
        )
        return abs((end - start) / step)
    except (ValueError, ZeroDivisionError):
        return 0.0
