"""Pack folders of colour pictures into archives that `colorgan train` reads.

One archive for each folder, or several where it would be larger than `--most`. Pictures
are reduced and written as WebP, but small JPEG files are taken as they are; those
without colour are left out. The same pictures give the same archives.
"""

import io
import random
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from collection import Collection
from PIL import Image

from napari_colorgan.errors import ColorganError
from napari_colorgan.image_io.folders import list_pictures
from napari_colorgan.training.left_out import is_color
from napari_colorgan.training.pairs import read_color_file
from napari_colorgan.training.pictures import shrunk


def main(
    out: Annotated[Path, typer.Argument(help="Folder for the archives.")],
    folders: Annotated[
        list[Collection],
        typer.Argument(parser=Collection.parse, metavar="[NAME=]FOLDER..."),
    ],
    side: Annotated[int, typer.Option(help="Shorter side of a picture, px.")] = 160,
    quality: Annotated[int, typer.Option(min=1, max=100)] = 80,
    limit: Annotated[
        int | None, typer.Option(help="Pictures of a folder, drawn by chance.")
    ] = None,
    most: Annotated[
        float | None, typer.Option(help="MiB of an archive; default: any.")
    ] = None,
) -> None:
    """Write NAME.zip for each folder (NAME-1.zip, NAME-2.zip, ... with --most)."""
    out.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        paths = sorted(list_pictures(folder.folder))
        if limit is not None and len(paths) > limit:
            paths = sorted(random.Random(1).sample(paths, limit))
        with ProcessPoolExecutor() as pool:
            encode = partial(encoded, side=side, quality=quality)
            contents = pool.map(encode, paths, chunksize=32)
            files = (
                (
                    path.relative_to(folder.folder).with_suffix(file[0]).as_posix(),
                    file[1],
                )
                for path, file in zip(paths, contents, strict=True)
                if file is not None
            )
            count = write(out, folder.name, files, most)
        print(f"{folder.name}: {count} of {len(paths)} pictures", flush=True)


def write(
    out: Path, name: str, files: Iterator[tuple[str, bytes]], most: float | None
) -> int:
    """Write files into one archive or several; returns how many files."""
    count, number, size = 0, 1, 0
    archive: zipfile.ZipFile | None = None
    for path, content in files:
        if archive is not None and most and size + len(content) > most * 2**20:
            archive.close()
            archive, number, size = None, number + 1, 0
        if archive is None:
            ending = f"-{number}" if most else ""
            archive = zipfile.ZipFile(out / f"{name}{ending}.zip", "w")
        archive.writestr(zipfile.ZipInfo(path), content)
        count, size = count + 1, size + len(content) + 2 * len(path) + 100
    if archive is not None:
        archive.close()
    return count


def encoded(path: Path, side: int, quality: int) -> tuple[str, bytes] | None:
    """Suffix and content of a reduced picture; None without colour, or unreadable."""
    try:
        planes = read_color_file(path.name, path)
    except ColorganError:
        return None
    if not planes or not is_color(planes[0][1]):
        return None
    color = planes[0][1]
    if min(color.shape[:2]) <= side and path.suffix.lower() in (".jpg", ".jpeg"):
        return ".jpg", path.read_bytes()
    content = io.BytesIO()
    rgb = np.ascontiguousarray(shrunk(color, side))
    Image.fromarray(rgb).save(content, "webp", quality=quality)
    return ".webp", content.getvalue()


if __name__ == "__main__":
    typer.run(main)
