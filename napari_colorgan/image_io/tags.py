"""What picture files say in words: who made them, when, and how they were coloured.

The record of a colouring is a small dictionary. It stands as JSON in the comment of a
PNG (iTXt), in EXIF (UserComment) of PNG and JPEG, in an annotation of OME, in ImageJ's
description and, for its users to see, its Info; in other TIFFs in tifffile's own JSON.
"""

import json
import unicodedata
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import napari_colorgan

Record = dict[str, Any]
TiffKind = Literal["ome", "imagej", "plain"]

NOTE = "The colours of this picture are invented by a model."

_NAME = "napari-colorgan"
_KEY = "colorgan"
_SOFTWARE, _EXIF, _TAKEN, _COMMENT = 305, 34665, 36867, 37510
# tags of TIFF and EXIF; keywords of PNG, which has none for the camera but EXIF, too
_CODES = {
    "description": 270,
    "make": 271,
    "camera": 272,
    "date": 306,
    "artist": 315,
    "rights": 33432,
}
_KEYWORDS = {
    "description": "Description",
    "date": "Creation Time",
    "artist": "Author",
    "rights": "Copyright",
}
_ASCII = b"ASCII\0\0\0"  # how a UserComment says its characters
_MARK = f"Coloured by {_NAME}: "
_LONGEST = 1 << 16  # characters of a text that are read; some hold a whole log
_LONGEST_IN_EXIF = 1 << 12  # bytes; all of EXIF has to fit into 64 kB of a JPEG
_LONGEST_RECORD = 1 << 14
_ROOM = "." * (1 << 12)  # kept for the record in a TIFF, which is known last


@dataclass(frozen=True, slots=True, kw_only=True)
class Tags:
    """Words of a picture file about itself, as they stand there; empty if it has none.

    They are as trustworthy as the file: bounded in length and free of control
    characters, but not made for a terminal.
    """

    description: str = ""
    artist: str = ""
    rights: str = ""
    """Copyright."""
    date: str = ""
    """When it was taken, or else made; mostly YYYY:MM:DD HH:MM:SS."""
    make: str = ""
    """Maker of the camera or microscope."""
    camera: str = ""
    made: Record | str | None = None
    """How it was coloured; text if that is damaged, None if nothing says that it was.
    Not written back: a new picture is made in a new way."""

    def words(self) -> dict[str, str]:
        """All but how it was coloured, if it is not empty."""
        return {k: v for k, v in asdict(self).items() if k != "made" and v}


def of_pillow(image: Image.Image) -> Tags:
    """Read EXIF and, after its pixels were read, the texts of a PNG."""
    try:
        exif = image.getexif()
        details = exif.get_ifd(_EXIF)
        words = {name: _text(exif.get(code)) for name, code in _CODES.items()}
        words["date"] = _text(details.get(_TAKEN)) or words["date"]
        comment = _text(details.get(_COMMENT))
    except Exception:  # its parser raises whatever the bytes lead to
        words, comment = {}, ""
    for name, keyword in _KEYWORDS.items():
        words[name] = _text(image.info.get(keyword)) or words.get(name, "")
    made = _record(_text(image.info.get("Comment"))) or _record(comment)
    return Tags(**words, made=made)


def of_tiff(tiff: Any, page: Any) -> Tags:
    """Read the tags of a page of a `tifffile.TiffFile`, or what stands for them."""
    try:
        words = {name: _text(page.tags.valueof(code)) for name, code in _CODES.items()}
        details = page.tags.valueof(_EXIF) or {}
        words["date"] = _text(details.get("DateTimeOriginal")) or words["date"]
        made: Any = None
        if tiff.is_ome:
            words["description"], date, made = _of_ome(tiff.ome_metadata)
            words["date"] = words["date"] or date
        elif tiff.is_imagej:
            imagej = tiff.imagej_metadata
            info = _text(imagej.get("Info"))
            words["description"] = info.partition(_MARK)[0].strip()
            made = imagej.get(_KEY)
        elif tiff.is_shaped:
            shaped = tiff.shaped_metadata[0]
            words["description"] = _text(shaped.get("description"))
            made = shaped.get(_KEY)
    except Exception:  # of damaged tags; the picture is good without
        return Tags()
    return Tags(**words, made=made if isinstance(made, dict) else _record(_text(made)))


def for_png(tags: Tags, made: Record | None) -> PngInfo:
    """Texts of a PNG."""
    info = PngInfo()
    words = tags.words()
    for name, keyword in _KEYWORDS.items():
        if name in words:
            info.add_itxt(keyword, words[name])
    if made is not None:
        info.add_itxt("Software", _software())
        info.add_itxt("Comment", _json(made))
    return info


def for_exif(tags: Tags, made: Record | None) -> Image.Exif:
    """EXIF of a PNG or JPEG."""
    exif = Image.Exif()
    for name, text in tags.words().items():
        exif[_CODES[name]] = _bytes(text)
    details = exif.get_ifd(_EXIF)
    if tags.date:
        details[_TAKEN] = _bytes(tags.date)
    if made is not None:
        exif[_SOFTWARE] = _software()
        details[_COMMENT] = _ASCII + _json(made).encode()
    return exif


def for_tiff(
    tags: Tags, made: Record | None, kind: TiffKind
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Metadata and further arguments for tifffile; room for a record, not the record.

    `fill_in` writes that, once it is known.
    """
    words = tags.words()
    description = words.pop("description", "")
    more: dict[str, Any] = {
        "extratags": [
            (_CODES[name], 2, 0, text.encode() + b"\0", True)
            for name, text in words.items()
        ]
    }
    if made is not None:
        more["software"] = _software()
    key = {"ome": "Description", "imagej": "Info", "plain": "description"}[kind]
    metadata: dict[str, Any] = {key: description} if description else {}
    if made is not None and kind == "ome":
        metadata["CommentAnnotation"] = {"Namespace": _NAME, "Value": _ROOM}
    elif made is not None:
        metadata[_KEY] = _ROOM
    if made is not None and kind == "imagej":
        metadata["Info"] = _info(description, _ROOM)
    return metadata, more


def fill_in(path: Path, tags: Tags, made: Record) -> None:
    """Write the record into the room that a TIFF has for it."""
    text = _json(made)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        page = tiff.pages[0]
        description = page.description
        if tiff.is_ome:
            description = description.replace(_ROOM, escape(text))
        elif tiff.is_imagej:
            description = description.replace(_ROOM, text)
            readable = json.dumps(json.loads(text), indent=1)
            info = _info(tags.description, readable)
            for code, _, _, value, _ in tifffile.tifffile.imagej_metadata_tag(
                {"Info": info}, tiff.byteorder
            ):
                page.tags[code].overwrite(value)
        else:
            description = description.replace(f'"{_ROOM}"', text)
        page.tags[_CODES["description"]].overwrite(description.encode())


def _info(description: str, record: str) -> str:
    """Return what ImageJ shows of a picture: its description, and the record."""
    return "\n\n".join(part for part in (description, _MARK + record) if part)


def _of_ome(xml: str) -> tuple[str, str, Any]:
    """Return description, date and record of the first image."""
    root = tifffile.xml2dict(xml)["OME"]
    image = _list(root["Image"])[0]
    notes = _list((root.get("StructuredAnnotations") or {}).get("CommentAnnotation"))
    made = [note.get("Value") for note in notes if note.get("Namespace") == _NAME]
    description, date = (
        _text(image.get(name)) for name in ("Description", "AcquisitionDate")
    )
    return description, date, made[0] if made else None


def _list(value: Any) -> list[Any]:
    """Return what xml2dict has found of an element that may be there more than once."""
    return value if isinstance(value, list) else [value] if value else []


def _record(text: str) -> Record | str | None:
    """Parse a record; None if the text is another one, the text if it is damaged."""
    if _NAME not in text:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return values if isinstance(values, dict) else text


def _json(made: Record) -> str:
    """ASCII, for ImageJ's description and EXIF know nothing else."""
    known = {"software": _software(), "note": NOTE}
    text = json.dumps(known | made, default=str)
    if len(text) > _LONGEST_RECORD:  # somebody has put other things into a layer's
        text = json.dumps(known | {"record": text[: _LONGEST_RECORD // 2]})
    return text


def _software() -> str:
    return f"{_NAME} {napari_colorgan.__version__}"


def _bytes(text: str) -> bytes:
    return text.encode()[:_LONGEST_IN_EXIF].decode(errors="ignore").encode()


def _text(value: object) -> str:
    """Text of a tag, whatever its type; empty if there is none."""
    if isinstance(value, bytes):
        value = value.removeprefix(_ASCII).decode("utf-8", "replace")
    elif isinstance(value, str):
        # Pillow takes EXIF for Latin-1, most programs write UTF-8
        try:
            value = value.encode("latin-1").decode()
        except UnicodeError:
            pass
    elif value is None or isinstance(value, tuple | list | dict):
        return ""
    # what XML and UTF-8 cannot hold is left out
    letters = (c for c in str(value)[:_LONGEST] if c in "\n\t" or _is_text(c))
    return "".join(letters).strip()


def _is_text(letter: str) -> bool:
    return unicodedata.category(letter) not in ("Cc", "Cs", "Cn")
