"""Pictures that came with a model, from anywhere: decoded within bounds, or not at all.

Nothing but JPEG and PNG is decoded, whatever a file is called: decoders of SVG and of a
dozen other kinds would read other files, or compute without end.
"""

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"  # first bytes
_SCAN = b"\xff\xda"  # begins a pass over a JPEG; in what is coded, ff is followed by 0
_MOST_PIXELS = 1 << 22  # ours have 0.1 million
_MOST_WORK = 1 << 24  # pixels, times the passes over them: a JPEG may have thousands
_LARGEST = (2048, 2048)  # px of a picture that is stored
_QUALITY = 90


def decoded(content: bytes) -> "Image | None":
    """Decode a JPEG or PNG, as RGB or RGBA; None for what is neither, or too large."""
    from PIL import JpegImagePlugin, PngImagePlugin  # a list of names needs neither

    jpeg = content.startswith(_JPEG)
    if not jpeg and not content.startswith(_PNG):
        return None
    read = JpegImagePlugin.JpegImageFile if jpeg else PngImagePlugin.PngImageFile
    passes = content.count(_SCAN) if jpeg else 1
    try:
        with read(io.BytesIO(content)) as picture:
            pixels = picture.width * picture.height
            if pixels > _MOST_PIXELS or pixels * passes > _MOST_WORK:
                return None
            clear = picture.mode in ("RGBA", "LA") or "transparency" in picture.info
            return picture.convert("RGBA" if clear else "RGB")
    except Exception:  # Pillow raises a dozen types on damage
        return None


def as_jpeg(content: bytes, largest: tuple[int, int] = _LARGEST) -> bytes:
    """Encode a JPEG anew, so that nothing of its file is kept but what is seen.

    It is reduced to be no wider and no higher than `largest` px.

    Empty for what is no JPEG, or too large.
    """
    picture = decoded(content) if content.startswith(_JPEG) else None
    if picture is None:
        return b""
    picture.info.clear()  # a comment would be stored, too
    picture.thumbnail(largest)
    result = io.BytesIO()
    picture.convert("RGB").save(result, "JPEG", quality=_QUALITY)
    return result.getvalue()
