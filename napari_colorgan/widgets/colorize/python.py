"""What a run of the dock would be in Python."""

from collections.abc import Iterable, Iterator

from napari.layers import Image

from napari_colorgan.inference.intensity import Limits
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.widgets.parts.layers import GEOMETRY, LayerSource, result_options

_LIMITS = f"from {Limits.__module__} import Limits"


def python_code(
    pairs: Iterable[tuple[Image, LayerSource]], settings: ColorizerSettings
) -> str:
    """Python code for napari's console that makes the layers that a run would make."""
    calls = [_call(layer, source, settings) for layer, source in pairs]
    imports = ["import napari_colorgan"]
    imports += [_LIMITS] * any("Limits(" in call for call in calls)
    return "\n".join([*imports, *calls])


def _call(layer: Image, source: LayerSource, settings: ColorizerSettings) -> str:
    name = f"{layer.name} colorized"
    back = source.axes.back
    turned = f".transpose{(*back, len(back))}" if list(back) != sorted(back) else ""
    lines = [
        "",
        f"layer = viewer.layers[{layer.name!r}]",
        "rgb = napari_colorgan.colorize(",
        *(f"    {argument}," for argument in _arguments(layer, source, settings)),
        f"){turned}",
        "viewer.add_image(",
        *(f"    {argument}," for argument in ("rgb", "rgb=True", f"name={name!r}")),
        *(f"    {option}," for option in _geometry(layer, source)),
        ")",
    ]
    return "\n".join(lines) + "\n"


def _arguments(
    layer: Image, source: LayerSource, settings: ColorizerSettings
) -> Iterator[str]:
    limits = source.limits
    data = "layer.data" + "[0]" * layer.multiscale
    if source.plane_only:
        data += _plane(source)
        limits = limits or source.source().limits  # measured on the whole array
    yield data
    yield f"model={settings.model!r}"
    yield f"axes={source.letters!r}"
    if limits is not None and limits.inverted:
        yield f"limits={limits!r}"
    elif limits is not None:
        given = (limits.low, limits.high, limits.gamma)
        yield f"limits={given[: 2 if limits.gamma == 1 else 3]!r}"
    for name in ("context", "vividness", "device", "tile"):
        if (value := getattr(settings, name)) is not None:
            yield f"{name}={value!r}"


def _plane(source: LayerSource) -> str:
    """Return the index of the plane within the layer's data, which keeps all axes."""
    parts = [":"] * source.axes.ndim
    for axis, i in zip(source.axes.leading, source.index, strict=True):
        parts[axis] = f"{i}:{i + 1}"
    return f"[{', '.join(parts)}]"


def _geometry(layer: Image, source: LayerSource) -> Iterator[str]:
    """Options of the new layer: those of its source, but a plane has its own place."""
    for name in GEOMETRY:
        if name == "translate" and source.plane_only:
            place = result_options(layer, source)[name]
            yield f"translate={tuple(map(float, place))!r}"
        else:
            yield f"{name}=layer.{name}"
