"""What a run of the dock would be in Python."""

from collections.abc import Iterable

from napari.layers import Image

from napari_colorgan.widgets._layers import LayerSource
from napari_colorgan.widgets._run import Choice


def python_code(pairs: Iterable[tuple[Image, LayerSource]], choice: Choice) -> str:
    """Python code for napari's console that colours layers as a run would."""
    calls = [_call(layer, taken, choice) for layer, taken in pairs]
    return "\n".join(["import napari_colorgan", "", *calls]) + "\n"


def _call(layer: Image, taken: LayerSource, choice: Choice) -> str:
    data = f"viewer.layers[{layer.name!r}].data" + "[0]" * layer.multiscale
    limits = taken.limits
    if taken.plane_only:
        data += f"[{', '.join(map(str, taken.index))}]"
        limits = limits or taken.source().limits  # measured on the whole array
    axes = taken.axes[-2:] if taken.plane_only else taken.axes
    arguments = [data, f"model={choice.model!r}", f"axes={axes!r}"]
    if limits is not None:
        given = (limits.low, limits.high, limits.gamma)
        arguments.append(f"limits={given[: 2 if limits.gamma == 1 else 3]!r}")
    if choice.context is not None:
        arguments.append(f"context={choice.context!r}")
    if choice.vividness is not None:
        arguments.append(f"vividness={choice.vividness!r}")
    arguments += [f"device={choice.device!r}", f"tile={choice.tile!r}"]
    body = "".join(f"    {argument},\n" for argument in arguments)
    return f"rgb = napari_colorgan.colorize(\n{body})\nviewer.add_image(rgb, rgb=True)"
