"""Row: damaged pictures, read and coloured into a file."""

import logging
import os
import resource
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
import zarr
from PIL import Image

from napari_colorgan import ColorganError, Colorizer
from napari_colorgan.image_io import read_image
from napari_colorgan.inference.files import colorize_file
from tests.soak.row import Row, Trial
from tests.soak.small_models import tiny

_SIDE = 40
_MOST_MORE = 640.0  # MB that the process may grow, whatever the pictures say
_RESULTS = ("out.tif", "out.zarr", "out.ome.tif", "out.png", "out.jpg")
_OF_STACKS = _RESULTS[:3]
_STACKS = ("a.gif", "stack.tif", "a.ome.tif", "zstd.tif", "imagej.tif")
Random = np.random.Generator
Bytes = npt.NDArray[np.uint8]


def _gray() -> Bytes:
    rows, columns = np.mgrid[:_SIDE, :_SIDE]
    waves = 127 + 60 * np.sin(rows / 5) + 60 * np.sin(columns / 7)
    return waves.astype(np.uint8)


def _by_pillow(kind: str, **options: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        Image.fromarray(_gray()).save(path, kind, **options)

    return write


def _gif(path: Path) -> None:
    frames = [Image.fromarray(np.roll(_gray(), n, 1)) for n in range(3)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])


def _tiff(planes: int = 1, **options: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        array = np.stack([np.roll(_gray(), n, 0) for n in range(planes)])
        tifffile.imwrite(path, array[0] if planes == 1 else array, **options)

    return write


def _zarr(version: int, codec: object) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        group = zarr.open_group(path, mode="w", zarr_format=version)
        stack = np.stack([_gray()] * 2)
        options = {"data": stack, "chunks": (1, 16, 16), "compressors": codec}
        group.create_array("0", **options)
        axes = [{"name": name, "type": "space"} for name in "zyx"]
        scale = {"type": "scale", "scale": [1.0, 0.5, 0.5]}
        levels = [{"path": "0", "coordinateTransformations": [scale]}]
        about = {"multiscales": [{"axes": axes, "datasets": levels}]}
        group.attrs.update(about if version == 2 else {"ome": about})

    return write


_KINDS: dict[str, Callable[[Path], None]] = {
    "a.png": _by_pillow("PNG"),
    "a.jpg": _by_pillow("JPEG", quality=80),
    "progressive.jpg": _by_pillow("JPEG", progressive=True),
    "a.tif": _tiff(),
    "a.zarr": _zarr(3, "auto"),
    "a.gif": _gif,
    "a.webp": _by_pillow("WEBP", lossless=True),
    "lossy.webp": _by_pillow("WEBP", quality=60),
    "stack.tif": _tiff(3, photometric="minisblack", compression="zlib"),
    "a.ome.tif": _tiff(3, ome=True, metadata={"axes": "ZYX"}),
    "tiles.tif": _tiff(1, tile=(16, 16), compression="lzw", predictor=True),
    "jpeg.tif": _tiff(1, tile=(16, 16), compression="jpeg"),
    "zstd.tif": _tiff(2, photometric="minisblack", compression="zstd"),
    "old.zarr": _zarr(2, "auto"),
    "bits.tif": _by_pillow("TIFF", compression="packbits"),
    "a.bmp": _by_pillow("BMP"),
    "imagej.tif": _tiff(3, imagej=True, metadata={"axes": "TYX"}),
}
"""Names of pictures, and what writes them; the telling ones first."""


def mutated(content: bytes, random: Random) -> bytes:
    """Change, cut, repeat or fill some bytes, most often near the start."""
    data = bytearray(content)
    for _ in range(int(random.integers(1, 4))):
        if not data:
            break
        reach = len(data) if random.random() < 0.5 else min(len(data), 300)
        at = int(random.integers(reach))
        match int(random.integers(6)):
            case 0:
                data[at] ^= 1 << int(random.integers(8))
            case 1:
                data[at] = int(random.choice([0, 1, 127, 128, 255]))
            case 2:  # a number of 32 bits
                values = (0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 65536, 1 << 24)
                data[at : at + 4] = int(random.choice(values)).to_bytes(4, "little")
            case 3:
                del data[at:]
            case 4:
                length = int(random.integers(1, 64))
                data[at : at + length] = random.bytes(length)
            case _:
                other = int(random.integers(len(data)))
                data[at:at] = data[other : other + 40]
    return bytes(data)


def _damage(path: Path, random: Random) -> None:
    """Damage a file, or one file of a store."""
    file = path
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        file = files[int(random.integers(len(files)))]
    file.write_bytes(mutated(file.read_bytes(), random))


def _fault(source: Path, result: Path, colorizer: Colorizer) -> tuple[str, str]:
    """Colour a picture; what was broken, and what came of it."""
    kind = "refused"
    try:
        colorize_file(source, result, colorizer, from_color=True)
        kind = "coloured"
    except ColorganError as error:
        text = str(error)
        if not text.endswith(".") or "Traceback" in text:
            return f"is refused with {text[:200]!r}", kind
    except BaseException as error:
        return f"raises {type(error).__name__}: {str(error)[:200]}", kind
    left = set(os.listdir(result.parent)) - {source.name}
    if kind == "refused":
        return (f"leaves {left}" if left else ""), kind
    if left != {result.name}:
        return f"leaves {left}", kind
    shape = read_image(result).array.shape
    return ("" if shape[-1] == 3 else f"gives the shape {shape}"), kind


def _megabytes() -> float:
    """Return the most that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # what `getrusage` tells begins with the parent's
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _trials(random: Random, folder: Path) -> Iterator[Trial]:
    warnings.simplefilter("ignore")  # of codecs, about what is damaged
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    colorizer = Colorizer(tiny(), device="cpu")
    honest = folder / "honest"
    honest.mkdir()
    for name, write in _KINDS.items():
        write(honest / name)
    start = _megabytes()
    number = 0
    while True:
        name = list(_KINDS)[number % len(_KINDS)]
        place = folder / str(number)
        place.mkdir()
        source = place / name
        _copy(honest / name, source)
        if number >= len(_KINDS):  # each is tried undamaged first
            _damage(source, random)
        is_stack = name in _STACKS or name.endswith(".zarr")
        results = _OF_STACKS if is_stack else _RESULTS
        result = place / results[number % len(results)]
        fault, kind = _fault(source, result, colorizer)
        if number < len(_KINDS) and not fault and kind == "refused":
            fault = "is refused although it is whole"
        grown = _megabytes() - start
        if not fault and grown > _MOST_MORE:
            fault = f"makes the process grow by {grown:.0f} MB"
        yield Trial(
            f"picture {number}, {name} to {result.name}: {fault}" if fault else "",
            kind,
            {"memory (MB)": grown},
        )
        shutil.rmtree(place)
        number += 1


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        target.write_bytes(source.read_bytes())


ROW = Row(
    "damaged pictures",
    "each is coloured or refused in a sentence; no part of a result is left",
    count=3000,
    trials=_trials,
)
