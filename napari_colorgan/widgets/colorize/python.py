"""What a run of the dock would be in Python."""

from collections.abc import Iterable, Iterator

from napari.layers import Image

from napari_colorgan.inference.intensity import Limits
from napari_colorgan.inference.palettes import read_palette
from napari_colorgan.widgets.colorize.run import Wish
from napari_colorgan.widgets.parts.layers import GEOMETRY, LayerSource, result_options

_IMPORTS = {
    "replace(": "from dataclasses import replace",
    "Path(": "from pathlib import Path",
    "Palette.": "from napari_colorgan import Palette",
    "Hints.": "from napari_colorgan import Hints",
    "read_palette(": f"from {read_palette.__module__} import read_palette",
    "Limits(": f"from {Limits.__module__} import Limits",
}
"""What a word in the code needs."""


def python_code(pairs: Iterable[tuple[Image, LayerSource]], wish: Wish) -> str:
    """Python code for napari's console that makes the layers that a run would make."""
    pairs = list(pairs)
    told = list(_told(pairs[0][1], wish)) if pairs else []
    calls = [
        _call(layer, source, wish, hinted=number == 0)
        for number, (layer, source) in enumerate(pairs)
    ]
    text = "\n".join([*told, *calls])
    imports = ["import napari_colorgan"]
    imports += [line for word, line in _IMPORTS.items() if word in text]
    return "\n".join([*imports, text])


def _told(first: LayerSource, wish: Wish) -> Iterator[str]:
    """Lines that make the palette and the hints."""
    if wish.palette is not None:
        yield from ("", *wish.palette.as_python())
    if wish.hints_of(first) is not None and wish.hints is not None:
        yield from ("", f'hints = Hints.from_csv("""\\\n{wish.hints.to_csv()}""")')


def _call(layer: Image, source: LayerSource, wish: Wish, *, hinted: bool) -> str:
    name = f"{layer.name} colorized"
    back = source.axes.back
    turned = f".transpose{(*back, len(back))}" if list(back) != sorted(back) else ""
    arguments = list(_arguments(layer, source, wish))
    if hinted and wish.hints_of(source) is not None:
        arguments.append("hints=hints")
    lines = [
        "",
        f"layer = viewer.layers[{layer.name!r}]",
        "rgb = napari_colorgan.colorize(",
        *(f"    {argument}," for argument in arguments),
        f"){turned}",
        "viewer.add_image(",
        *(f"    {argument}," for argument in ("rgb", "rgb=True", f"name={name!r}")),
        *(f"    {option}," for option in _geometry(layer, source)),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _arguments(layer: Image, source: LayerSource, wish: Wish) -> Iterator[str]:
    limits, settings = source.limits, wish.settings
    yield "layer.data" + "[0]" * layer.multiscale + "[..., 0]" * layer.rgb
    yield f"model={settings.model!r}"
    yield f"axes={source.letters!r}"
    if source.is_part:
        yield f"planes={source.planes!r}"
    if limits is not None and limits.inverted:
        yield f"limits={limits!r}"
    elif limits is not None:
        given = (limits.low, limits.high, limits.gamma)
        yield f"limits={given[: 2 if limits.gamma == 1 else 3]!r}"
    for name in ("context", "vividness", "device", "engine", "tile"):
        if (value := getattr(settings, name)) is not None:
            yield f"{name}={value!r}"
    for name, neutral in (("saturation", 1.0), ("warmth", 0.0), ("steady", 0.0)):
        if (value := getattr(settings, name)) != neutral:
            yield f"{name}={value!r}"
    if wish.palette is not None:
        yield "palette=palette"


def _geometry(layer: Image, source: LayerSource) -> Iterator[str]:
    """Options of the new layer: its source's, but its first plane has its own place."""
    for name in GEOMETRY:
        if name == "translate" and any(source.starts):
            place = result_options(layer, source)[name]
            yield f"translate={tuple(map(float, place))!r}"
        else:
            yield f"{name}=layer.{name}"
