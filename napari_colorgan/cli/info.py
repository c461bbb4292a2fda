"""`colorgan info`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from napari_colorgan.cli._terminal import say
from napari_colorgan.errors import ColorganError

_LONGEST = 600  # characters of a text that are shown
_MOST = 40  # entries of a record
_TITLES = {
    "description": "Description",
    "artist": "Artist",
    "rights": "Copyright",
    "date": "Date",
    "make": "Made by",
    "camera": "Camera",
}

Line = tuple[str, str]


def info(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Pictures, or .safetensors files."),
    ],
) -> None:
    """Print what files say of themselves, and how they were coloured."""
    failed = False
    for path in files:
        try:
            lines = list(_of_model(path) if _is_model(path) else _of_picture(path))
        except ColorganError as error:
            if len(files) == 1:
                raise
            failed = True
            say(f"Error: {_line(str(error))}", err=True)
            continue
        say(f"{path}:")
        for title, text in lines:
            say(f"  {title}: {text}")
    if failed:
        raise typer.Exit(1)


def _line(text: str) -> str:
    """Text of a stranger as one line that is not too long."""
    line = " ".join(text[: 2 * _LONGEST].split())
    return line[:_LONGEST] + ("..." if len(line) > _LONGEST else "")


def _is_model(path: Path) -> bool:
    return path.suffix == ".safetensors"


def _of_model(path: Path) -> Iterator[Line]:
    from napari_colorgan.checkpoints.metadata import DIGEST_KEY, Metadata, read_header
    from napari_colorgan.checkpoints.metadata import METADATA_KEY as OURS

    header = read_header(path)["__metadata__"]
    about = Metadata.from_json(header[OURS], path)
    yield "Model", _line(about.name)
    yield "Generator", f"{_line(about.generator)}, {about.context} context"
    for title, text in (
        ("Description", about.description),
        ("Licence", about.license or "not stated"),
        ("Made from", about.provenance),
        ("SHA-256", header[DIGEST_KEY]),
    ):
        if text:
            yield title, _line(text)


def _of_picture(path: Path) -> Iterator[Line]:
    from napari_colorgan.image_io import read_image

    image = read_image(path, by_blocks=True)
    axes = image.axes.replace("S", "")
    lengths = [str(n) for n in image.array.shape[: len(axes)]]
    yield "Size", f"{' x '.join(lengths)} px ({axes})"
    kind = "colour" if "S" in image.axes else "gray"
    yield "Type", f"{kind}, {image.array.dtype}"
    if image.pixel_size is not None:
        yield "Pixel size", _size(image.pixel_size)
    for name, text in image.tags.words().items():
        yield _TITLES[name], _line(text)
    for note in image.notes:
        yield "Note", _line(note)
    if image.tags.made is not None:
        yield from _record(image.tags.made)


def _size(size: Any) -> str:
    lengths = {"x": size.x, "y": size.y, "z": size.z}
    parts = [
        f"{axis} {1 / length:.4g} dpi"
        if size.unit == "in"
        else f"{axis} {length:g} {_line(size.unit)}"
        for axis, length in lengths.items()
        if length is not None
    ]
    return ", ".join(parts + ([] if size.t is None else [f"t {size.t:g} s"]))


def _record(made: dict[str, Any] | str) -> Iterator[Line]:
    from napari_colorgan.image_io.tags import NOTE

    yield "Coloured", NOTE
    if isinstance(made, str):
        yield "  record, damaged", _line(made)
        return
    for key, value in list(made.items())[:_MOST]:
        if key != "note":
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"  {_line(key)}", _line(text)
