"""How large a pixel is: what picture files say of it, and how they are told."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import tifffile

_INCH, _CENTIMETER = 2, 3  # values of the TIFF tag ResolutionUnit
_NAMES = {
    "um": "µm",
    "\u03bcm": "µm",  # the Greek letter
    "micron": "µm",
    "microns": "µm",
    "micrometer": "µm",
    "\\u00B5m": "µm",
    "\u212b": "Å",  # the unit's own sign
    "inch": "in",
    "sec": "s",
    "\u03bcs": "µs",
    "us": "µs",
    "msec": "ms",
}
_IN_CM = {
    "pm": 1e-10,
    "Å": 1e-8,
    "nm": 1e-7,
    "µm": 1e-4,
    "mm": 0.1,
    "cm": 1.0,
    "dm": 10.0,
    "m": 100.0,
    "km": 1e5,
    "in": 2.54,
    "ft": 30.48,
}
_IN_WORDS = {  # units as UDUNITS-2 and with it OME-Zarr spell them
    "picometer": "pm",
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "kilometer": "km",
    "inch": "in",
    "foot": "ft",
    "nanosecond": "ns",
    "microsecond": "µs",
    "millisecond": "ms",
    "second": "s",
    "minute": "min",
    "hour": "h",
    "day": "d",
}
_IN_SECONDS = {
    "ns": 1e-9,
    "µs": 1e-6,
    "ms": 1e-3,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelSize:
    """Distance between pixels, planes and time points, as far as a file tells."""

    y: float | None = None
    x: float | None = None
    """Known whenever `y` is."""
    unit: str = ""
    """Of `y`, `x` and `z`: nm, µm, mm, cm, m, in, or whatever the file says."""
    z: float | None = None
    t: float | None = None
    """Seconds."""

    def turned(self) -> "PixelSize":
        """Return the size of a pixel of the picture on its side."""
        return replace(self, y=self.x, x=self.y)


def of_tiff(tiff: Any, series: Any) -> PixelSize | None:
    """Read it for a series of a `tifffile.TiffFile`: OME, ImageJ, Aperio or tags."""
    if tiff.is_ome:
        return _of_ome(tiff.ome_metadata, tiff.series.index(series))
    page = series.keyframe
    if tiff.is_svs and (size := _of_aperio(page.description)) is not None:
        return size
    tags = [page.tags.get(name) for name in ("YResolution", "XResolution")]
    try:
        y, x = (tag.value[1] / tag.value[0] for tag in tags)
    except (AttributeError, TypeError, ZeroDivisionError):
        y = x = None
    imagej = tiff.imagej_metadata or {}
    units = {_INCH: "in", _CENTIMETER: "cm"}
    unit = str(imagej.get("unit") or units.get(page.resolutionunit, ""))
    return _checked(
        (y, str(imagej.get("yunit") or unit)),
        (x, unit),
        (imagej.get("spacing"), str(imagej.get("zunit") or unit)),
        (imagej.get("finterval"), str(imagej.get("tunit") or "s")),
    )


def of_dpi(dpi: Any) -> PixelSize | None:
    """Pixel size from dots per inch (x, y), as Pillow has them."""
    try:
        return _checked((1 / float(dpi[1]), "in"), (1 / float(dpi[0]), "in"))
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None


def of_ome_zarr(
    axes: Sequence[dict[str, Any]], scale: Sequence[float]
) -> PixelSize | None:
    """Pixel size from the axes and the scale of an image; axes without unit have none.

    Parameters
    ----------
    axes : each with a name and perhaps a unit, as OME-Zarr has them
    """
    claims: dict[str, _Claim] = {}
    for axis, distance in zip(axes, scale, strict=True):
        unit = str(axis.get("unit") or "")
        claims[str(axis.get("name")).lower()] = distance, _IN_WORDS.get(unit, unit)
    y, x, z, t = (claims.get(name, (None, "")) for name in "yxzt")
    return _checked(y, x, z, t)


def for_ome_zarr(
    size: PixelSize | None, letters: str
) -> tuple[list[dict[str, str]], list[float]]:
    """Axes of OME-Zarr 0.5 for letters among TCZYX, and distances along them."""
    words = {short: word for word, short in _IN_WORDS.items()}
    lengths = size or PixelSize()
    kinds = {"T": "time", "C": "channel"}
    known = {"T": lengths.t, "Z": lengths.z, "Y": lengths.y, "X": lengths.x}
    axes, scale = [], []
    for letter in letters:
        axis = {"name": letter.lower(), "type": kinds.get(letter, "space")}
        distance = known.get(letter)
        unit = "second" if letter == "T" else words.get(lengths.unit)
        if distance is not None and unit is not None:
            axis["unit"] = unit
        axes.append(axis)
        scale.append(1.0 if distance is None else distance)
    return axes, scale


def for_ome(size: PixelSize) -> dict[str, Any]:
    """Attributes of an OME image; a unit that OME does not know is left out."""
    metadata: dict[str, Any] = {}
    if size.unit in _IN_CM:
        for axis, length in zip("XYZ", (size.x, size.y, size.z), strict=True):
            if length is not None:
                metadata[f"PhysicalSize{axis}"] = length
                metadata[f"PhysicalSize{axis}Unit"] = size.unit
    if size.t is not None:
        metadata |= {"TimeIncrement": size.t, "TimeIncrementUnit": "s"}
    return metadata


def for_imagej(size: PixelSize) -> dict[str, Any]:
    """Metadata of ImageJ that goes beside the tags of `for_tags`."""
    unit = {"µm": "um", "Å": "angstrom"}.get(size.unit, size.unit)  # it has ASCII only
    unit = unit.encode("ascii", "ignore").decode()
    metadata: dict[str, Any] = {"unit": unit} if unit else {}
    metadata |= {} if size.z is None else {"spacing": size.z}
    return metadata | ({} if size.t is None else {"finterval": size.t})


def for_tags(size: PixelSize, *, convert: bool) -> dict[str, Any]:
    """Resolution for tifffile; `convert` to one of the two units that TIFF knows."""
    if size.y is None or size.x is None:
        return {}
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
    if size.unit not in _IN_CM or size.y is None or size.x is None:
        return None
    inches = _IN_CM[size.unit] / _IN_CM["in"]
    dpi = (1 / (size.x * inches), 1 / (size.y * inches))
    return dpi if 1 <= min(dpi) and max(dpi) < 1 << 16 else None


def _of_ome(xml: str, number: int) -> PixelSize | None:
    try:
        images = tifffile.xml2dict(xml)["OME"]["Image"]
        images = images if isinstance(images, list) else [images]
        pixels = images[number if number < len(images) else 0]["Pixels"]
        y, x, z = (
            (pixels.get(f"PhysicalSize{c}"), pixels.get(f"PhysicalSize{c}Unit", "µm"))
            for c in "YXZ"
        )
        t = (pixels.get("TimeIncrement"), pixels.get("TimeIncrementUnit", "s"))
        return _checked(y, x, z, t)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, SyntaxError):
        return None  # the picture is good without


def _of_aperio(text: str) -> PixelSize | None:
    try:
        distance = tifffile.tifffile.svs_description_metadata(text).get("MPP")
    except ValueError:
        return None
    return _checked((distance, "µm"), (distance, "µm"))


_Claim = tuple[object, str]  # a distance and its unit, of whatever type and name


def _checked(
    y: _Claim, x: _Claim, z: _Claim = (None, ""), t: _Claim = (None, "")
) -> PixelSize | None:
    """Pixel size of what a file claims, in one unit; None if nothing of it is one."""
    claims = [(_positive(value), _NAMES.get(name, name)) for value, name in (x, y, z)]
    units = [unit for length, unit in claims if length is not None and unit]
    unit = units[0] if units else ""
    width, height, depth = (_in_unit(length, name, unit) for length, name in claims)
    if width is None or height is None:
        width = height = None
    interval, name = _positive(t[0]), _NAMES.get(t[1], t[1])
    if interval is not None:
        seconds = _IN_SECONDS.get(name)
        interval = None if seconds is None else interval * seconds
    if width is None and depth is None:
        return None if interval is None else PixelSize(t=interval)
    return PixelSize(y=height, x=width, unit=unit, z=depth, t=interval)


def _in_unit(length: float | None, name: str, unit: str) -> float | None:
    """Convert a length; None if it is none, or in another kind of unit."""
    if length is None or not name or name == unit:
        return length if name else None
    if name not in _IN_CM or unit not in _IN_CM:
        return None
    # rounded: 0.5 µm are 500 nm, not 499.99999999999994
    return float(f"{length * _IN_CM[name] / _IN_CM[unit]:.12g}")


def _positive(value: object) -> float | None:
    number = float(value) if isinstance(value, int | float) else 0.0
    return number if math.isfinite(number) and number > 0 else None
