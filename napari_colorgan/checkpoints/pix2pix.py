"""Generators of the PyTorch pix2pix code: their `.pth` files, read and written.

Such a file holds weights and nothing else. The architecture follows from their names
and shapes; `train_opt.txt`, where it lies beside them, tells how they were trained.
"""

import hashlib
import io
import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.bounded import read_bounded
from napari_colorgan.checkpoints.metadata import Context, Metadata, Statistics
from napari_colorgan.checkpoints.pix2pix_names import (
    recognise,
    unprefixed,
    weight_names,
    without_statistics,
)
from napari_colorgan.checkpoints.pth import declared_in, few, weights_of
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.models import Generator, GeneratorSpec, build
from napari_colorgan.regular import read_regular

_OPTION_FILES = ("test_opt.txt", "train_opt.txt")  # the later one knows better
_OPTION = re.compile(r"^ *(\w{1,40}): (\S{1,40})", re.MULTILINE)
_KEPT_OPTIONS = ("model", "direction", "preprocess", "load_size", "crop_size")
_EPSILON = 1e-5  # of its normalisations


def read_pix2pix(
    path: str | Path,
    content: bytes | None = None,
    *,
    context: Context | None = None,
    statistics: Statistics | None = None,
    dropout: bool | None = None,
    license: str = "",
) -> Checkpoint:
    """Read the weights of a U-Net or ResNet, such as `latest_net_G.pth`.

    Parameters
    ----------
    content : of the file, where it has been read
    context : default `whole` for colorization of pictures that were resized, according
        to the options beside the file, else `local`
    statistics : default `picture`, as the pix2pix code's own test program; batch
        normalisation has `stored` ones, too
    dropout : whether a further training drops values; default as before, in a U-Net
        without options beside it True

    Raises
    ------
    CheckpointError
        The file is damaged, malicious, or no such generator.
    BadSetting
        The generator has no stored statistics.
    """
    path = Path(path)
    if content is None:
        content = read_bounded(path, check_pix2pix)
    spec = check_pix2pix(io.BytesIO(content), path)
    weights = unprefixed(weights_of(content, path))
    known = spec.options
    if known["norm"] == "instance":
        if statistics == "stored":
            raise BadSetting(
                "statistics",
                statistics,
                "'picture': this generator's instance normalisation stored none",
            )
        weights = without_statistics(weights)
    converted = _converted(weights, spec, path)
    options = _read_options(path.parent, known)
    if dropout is None:
        dropout = known["dropout"] and options.get("no_dropout") != "True"
    resized = re.search("resize|scale", options.get("preprocess", "")) is not None
    colorizes = known["out_channels"] == 2
    sha256 = hashlib.sha256(content).hexdigest()
    metadata = Metadata(
        generator=spec.name,
        options=known | {"dropout": dropout},
        codec="lab" if colorizes else "rgb",
        context=context or ("whole" if colorizes and resized else "local"),
        working_size=_working_size(options),
        statistics=statistics or ("stored" if known["norm"] == "none" else "picture"),
        name=path.stem,
        description=_description(spec),
        license=license,
        provenance=f"Imported from '{path.name}' (SHA-256 {sha256}).",
        training={k: options[k] for k in _KEPT_OPTIONS if k in options},
    )
    return Checkpoint(metadata, converted)


def write_pix2pix(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write the weights of a U-Net or ResNet as the pix2pix code saves them.

    Raises
    ------
    CheckpointError
        It is another generator, or the file cannot be written.
    """
    about = checkpoint.metadata
    if about.generator not in ("unet", "resnet"):
        raise CheckpointError(
            f"'{about.name}' is a {about.generator} generator, but the pix2pix code "
            "has only U-Nets and ResNets. Export it in another format."
        )
    if (epsilon := about.options.get("norm_eps", _EPSILON)) != _EPSILON:
        raise CheckpointError(
            f"'{about.name}' normalises with epsilon {epsilon}, but the pix2pix code "
            f"with {_EPSILON}: its colours would be others. Export it in another "
            "format."
        )
    network = checkpoint.generator()
    state = network.state_dict()
    weights = OrderedDict(
        (new, state[name]) for new, name in weight_names(network).items()
    )
    content = io.BytesIO()  # torch reports a full disk as an error of its own
    torch.save(weights, content)
    with replacing(Path(path)) as file:
        file.write(content.getbuffer())


def check_pix2pix(file: BinaryIO, path: Path) -> GeneratorSpec:
    """Tell a generator by what a file declares, all of which it must need.

    Raises
    ------
    CheckpointError
        See `declared_in` and `recognise`; or names or shapes are not those of such a
        generator.
    """
    weights = unprefixed(declared_in(file, path))
    spec = recognise(weights, path)
    if spec.options["norm"] == "instance":
        weights = without_statistics(weights)
    network = _empty(spec, path)
    names, expected = weight_names(network), network.state_dict()
    # counts are unknown to files of torch 0.4 and older
    missing = [n for n in names if n not in weights and not n.endswith("_tracked")]
    unknown = [n for n in weights if n not in names]
    if missing or unknown:
        raise CheckpointError(
            f"'{path}' looks like a {spec.name} of the PyTorch pix2pix code, but of "
            f"its weights {len(missing)} are missing ({few(missing)}) and "
            f"{len(unknown)} are unknown ({few(unknown)}): the code that made it was "
            "changed. Choose another file."
        )
    for theirs, tensor in weights.items():
        shape = expected[names[theirs]].shape
        if tensor.shape != shape:
            raise CheckpointError(
                f"Weight '{theirs}' in '{path}' has the shape {tuple(tensor.shape)}, "
                f"expected {tuple(shape)}. Choose another file."
            )
    return spec


def _empty(spec: GeneratorSpec, path: Path) -> Generator:
    """Build the generator without values."""
    try:
        with torch.device("meta"):
            return build(spec)
    except BadSetting as error:
        raise CheckpointError(
            f"'{path}' holds a {spec.name} that cannot be rebuilt: {error} Choose "
            "another file."
        ) from error


def _converted(
    weights: Mapping[str, Tensor], spec: GeneratorSpec, path: Path
) -> dict[str, Tensor]:
    """Weights by the names that they have here, with checked values."""
    network = _empty(spec, path)
    names = weight_names(network)
    result: dict[str, Tensor] = {}
    for name, empty in network.state_dict().items():
        start = torch.ones if name.endswith("running_var") else torch.zeros
        result[name] = start(empty.shape, dtype=empty.dtype, device="cpu")
    for theirs, name in names.items():
        if (tensor := weights.get(theirs)) is None:
            continue
        expected = result[name]
        if (
            tensor.is_floating_point() != expected.is_floating_point()
            or not tensor.isfinite().all()
        ):
            raise CheckpointError(
                f"Weight '{theirs}' in '{path}' holds values that are no finite "
                "numbers: the training that made it went wrong. Choose another file."
            )
        result[name] = tensor.to(expected.dtype).clone(
            memory_format=torch.contiguous_format
        )
    return result


def _read_options(folder: Path, known: Mapping[str, Any]) -> dict[str, str]:
    """Options of the training, as far as the files beside the weights tell them."""
    options: dict[str, str] = {}
    for name in _OPTION_FILES:
        try:
            text = read_regular(folder / name, 1 << 16)
        except OSError:
            continue
        options |= dict(_OPTION.findall(text.decode(errors="replace")))
    same = {"input_nc": "in_channels", "output_nc": "out_channels", "ngf": "width"}
    if any(options.get(k, str(known[v])) != str(known[v]) for k, v in same.items()):
        return {}  # they are of another model
    return options


def _working_size(options: Mapping[str, str]) -> int:
    """Side in px to which the pix2pix code's test program resizes pictures."""
    size = options.get("crop_size", "")
    if size.isdecimal() and 32 <= int(size) <= 4096:
        return int(size)
    return 256


def _description(spec: GeneratorSpec) -> str:
    options = spec.options
    size = (
        f"U-Net of {options['depth']} halvings"
        if spec.name == "unet"
        else f"ResNet of {options['blocks']} blocks"
    )
    return f"{size}, imported from the PyTorch pix2pix code."
