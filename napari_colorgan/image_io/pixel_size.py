"""How large a pixel is: what picture files say of it, and how they are told."""

import math
from dataclasses import dataclass
from typing import Any

import tifffile

_INCH, _CENTIMETER = 2, 3  # values of the TIFF tag ResolutionUnit
_NAMES = {"um": "µm", "micron": "µm", "microns": "µm", "\\u00B5m": "µm", "inch": "in"}
_IN_CM = {"nm": 1e-7, "µm": 1e-4, "mm": 0.1, "cm": 1.0, "m": 100.0, "in": 2.54}


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelSize:
    """Distance between pixels, planes and time points, as far as a file tells."""

    y: float
    x: float
    unit: str
    """Of `y`, `x` and `z`: nm, µm, mm, cm, m, in, or whatever the file says."""
    z: float | None = None
    t: float | None = None
    """Seconds."""


def of_tiff(tiff: Any) -> PixelSize | None:
    """Read it from the OME or ImageJ metadata or the tags of a `tifffile.TiffFile`."""
    if tiff.is_ome:
        return _of_ome(tiff.ome_metadata)
    page = tiff.pages[0]
    tags = [page.tags.get(name) for name in ("YResolution", "XResolution")]
    try:
        y, x = (tag.value[1] / tag.value[0] for tag in tags)
    except (AttributeError, TypeError, ZeroDivisionError):
        return None
    imagej = tiff.imagej_metadata or {}
    units = {_INCH: "in", _CENTIMETER: "cm"}
    unit = str(imagej.get("unit") or units.get(page.resolutionunit, ""))
    return _checked(y, x, unit, imagej.get("spacing"), imagej.get("finterval"))


def of_dpi(dpi: Any) -> PixelSize | None:
    """Pixel size from dots per inch (x, y), as Pillow has them."""
    try:
        return _checked(1 / float(dpi[1]), 1 / float(dpi[0]), "in")
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None


def for_ome(size: PixelSize) -> dict[str, Any]:
    """Attributes of an OME image; a unit that OME does not know is left out."""
    metadata: dict[str, Any] = {}
    if size.unit in _IN_CM:
        metadata = {"PhysicalSizeX": size.x, "PhysicalSizeXUnit": size.unit}
        metadata |= {"PhysicalSizeY": size.y, "PhysicalSizeYUnit": size.unit}
        if size.z is not None:
            metadata |= {"PhysicalSizeZ": size.z, "PhysicalSizeZUnit": size.unit}
    if size.t is not None:
        metadata |= {"TimeIncrement": size.t, "TimeIncrementUnit": "s"}
    return metadata


def for_imagej(size: PixelSize) -> dict[str, Any]:
    """Metadata of ImageJ that goes beside the tags of `for_tags`."""
    unit = "um" if size.unit == "µm" else size.unit  # the format has no µ
    metadata: dict[str, Any] = {"unit": unit.encode("ascii", "ignore").decode()}
    metadata |= {} if size.z is None else {"spacing": size.z}
    return metadata | ({} if size.t is None else {"finterval": size.t})


def for_tags(size: PixelSize, *, convert: bool) -> dict[str, Any]:
    """Resolution for tifffile; `convert` to one of the two units that TIFF knows."""
    unit = {"in": _INCH, "cm": _CENTIMETER}.get(size.unit, 1)  # 1: said elsewhere
    factor = 1.0
    if convert and unit == 1:
        if size.unit not in _IN_CM:
            return {}
        unit, factor = _CENTIMETER, _IN_CM[size.unit]
    resolution = (1 / (size.x * factor), 1 / (size.y * factor))
    return {"resolution": resolution, "resolutionunit": unit}


def for_dpi(size: PixelSize) -> tuple[float, float] | None:
    """Dots per inch (x, y); None if it is not what PNG and JPEG can say."""
    if size.unit not in _IN_CM:
        return None
    inches = _IN_CM[size.unit] / _IN_CM["in"]
    dpi = (1 / (size.x * inches), 1 / (size.y * inches))
    return dpi if 1 <= min(dpi) and max(dpi) < 1 << 16 else None


def _of_ome(xml: str) -> PixelSize | None:
    try:
        image = tifffile.xml2dict(xml)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        unit = pixels.get("PhysicalSizeXUnit", "µm")
        depth = pixels.get("PhysicalSizeZUnit", "µm") == unit
        time = pixels.get("TimeIncrementUnit", "s") == "s"
        return _checked(
            pixels["PhysicalSizeY"],
            pixels["PhysicalSizeX"],
            unit,
            pixels.get("PhysicalSizeZ") if depth else None,
            pixels.get("TimeIncrement") if time else None,
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, SyntaxError):
        return None  # the picture is good without


def _checked(
    y: object, x: object, unit: str, z: object = None, t: object = None
) -> PixelSize | None:
    """Pixel size of what a file claims; None if that is no size."""
    height, width = _positive(y), _positive(x)
    if height is None or width is None or not unit:
        return None
    unit = _NAMES.get(unit, unit)
    return PixelSize(y=height, x=width, unit=unit, z=_positive(z), t=_positive(t))


def _positive(value: object) -> float | None:
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if math.isfinite(number) and number > 0 else None
