"""Write a checkpoint as a BioImage.IO package: for Fiji, ilastik and Python.

See https://bioimage.io and the Python package `bioimageio.spec`. What is read of a
package, and what never is, tells `checkpoints.package`.
"""

import contextlib
import io
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import napari_colorgan
from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.extras import BIOIMAGEIO, MissingExtra
from napari_colorgan.checkpoints.onnx import check_onnx, onnx_of
from napari_colorgan.checkpoints.package import ABOUT_PACKAGE, CARD, CHECKPOINT
from napari_colorgan.checkpoints.standalone import (
    Sizes,
    architecture_source,
    colored,
    left_out_of,
    quiet,
    sizes_of,
    standalone_of,
    tell,
)
from napari_colorgan.checkpoints.store import Checkpoint, to_bytes
from napari_colorgan.drafts import DraftFolder
from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.job import Job
from napari_colorgan.models.standalone import Standalone

_TEST_SIDE = 256  # px, at least
_COVER = (512, 256)  # px; twice as wide as high, as the format wants it


def export_bioimageio_job(
    checkpoint: Checkpoint,
    path: str | Path,
    *,
    picture: NDArray[np.float32],
    documentation: str,
    authors: Sequence[str],
    license: str = "",
    parent: str = "",
) -> Job[Path]:
    """Write a zip file with weights, test arrays, cover, documentation and checkpoint.

    The weights are a PyTorch state dict with its architecture as Python source, a
    TorchScript file and, where the extra `onnx` is installed, an ONNX file.

    Parameters
    ----------
    picture : (Y, X) in [0, 1]; its middle becomes test input and cover
    documentation : Markdown, such as the model's card
    authors : names of those who made the model
    license : SPDX identifier; default the checkpoint's own licence
    parent : id in the BioImage Model Zoo of the model that this one was made from

    Raises
    ------
    MissingExtra
        The extra `bioimageio` is not installed.
    BadSetting
        Nobody is named as author, or with an empty name.
    CheckpointError
        The checkpoint cannot be used, its licence is no SPDX identifier, or the file
        cannot be written.
    NoColors
        What it predicts for the picture is not finite.
    Stopped
        On STOP; nothing is written.
    """
    BIOIMAGEIO.require()
    from napari_colorgan.checkpoints.bioimageio_description import checked_license, pack

    path, about = Path(path), checkpoint.metadata
    expected = "one name or more (--author in a terminal)"
    if isinstance(authors, str):
        raise BadSetting("authors", authors, f"a list of {expected}")
    try:
        authors = [name.strip() for name in authors]
    except (TypeError, AttributeError):
        raise BadSetting("authors", authors, f"a list of {expected}") from None
    if not authors or "" in authors:
        raise BadSetting("authors", ", ".join(authors), expected)
    terms = checked_license(about, license)
    network = standalone_of(checkpoint)
    sizes = sizes_of(network, about)
    yield from tell(0, 4)
    gray = _middle(picture, _test_side(sizes))
    rgb = colored(network, gray, about)
    yield from tell(1, 4)
    files = {
        "weights.pt": _saved(network.state_dict()),
        "architecture.py": architecture_source().encode(),
        "weights-torchscript.pt": _torchscript_of(network, gray),
        "gray.npy": _npy(gray),
        "rgb.npy": _npy(rgb),
        "cover.png": _cover(gray, rgb),
        CHECKPOINT: to_bytes(checkpoint),
        CARD: _documentation(checkpoint, sizes, documentation).encode(),
    }
    yield from tell(2, 4)
    try:
        check_onnx()
    except MissingExtra:
        pass  # the other formats are enough
    else:
        files["weights.onnx"] = onnx_of(network, about)
    yield from tell(3, 4)
    with contextlib.ExitStack() as stack:
        place = Path(tempfile.gettempdir())
        try:
            folder = stack.enter_context(DraftFolder(place)).new
            for name, content in files.items():
                (folder / name).write_bytes(content)
            with quiet():  # its writer leaves files to the garbage collector
                package = pack(folder, checkpoint, sizes, authors, terms, parent)
        except OSError as error:
            raise CheckpointError(
                f"The package cannot be put together in '{place}': "
                f"{error.strerror or error}. Free some space there."
            ) from error
        with replacing(path) as target, package.open("rb") as source:
            shutil.copyfileobj(source, target)
    yield from tell(4, 4)
    return path


def _test_side(sizes: Sizes) -> int:
    steps = max(0, -(-(_TEST_SIDE - sizes.smallest) // sizes.step))
    return sizes.smallest + steps * sizes.step


def _middle(picture: NDArray[np.float32], side: int) -> Tensor:
    """Square of `side` px (1, 1, side, side); a small picture is reflected."""
    missing = [max(0, side - length) for length in picture.shape]
    picture = np.pad(picture, [(0, m) for m in missing], mode="reflect")
    y, x = ((length - side) // 2 for length in picture.shape)
    square = np.array(picture[y : y + side, x : x + side], np.float32)
    return torch.from_numpy(square)[None, None]


def _saved(weights: Mapping[str, Tensor]) -> bytes:
    content = io.BytesIO()  # torch reports a full disk as an error of its own
    torch.save(dict(weights), content)
    return content.getvalue()


def _torchscript_of(network: Standalone, gray: Tensor) -> bytes:
    content = io.BytesIO()
    with quiet(), torch.no_grad():
        traced = torch.jit.trace(network, gray, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, content)
    return content.getvalue()


def _npy(tensor: Tensor) -> bytes:
    content = io.BytesIO()
    np.save(content, tensor.numpy())
    return content.getvalue()


def _cover(gray: Tensor, rgb: Tensor) -> bytes:
    """PNG of gray and colour side by side."""
    both = torch.cat([gray.expand_as(rgb), rgb], dim=3)[0].permute(1, 2, 0)
    picture = Image.fromarray((both * 255).round().to(torch.uint8).numpy())
    content = io.BytesIO()
    picture.resize(_COVER, Image.Resampling.LANCZOS).save(content, "PNG")
    return content.getvalue()


def _documentation(checkpoint: Checkpoint, sizes: Sizes, card: str) -> str:
    """Card of the model, and how the package is used."""
    about = checkpoint.metadata
    if about.context == "whole":
        sees = (
            "It must see a picture as a whole, whose size may be any: tiles would each "
            "get colours of their own. Inside, the shorter side becomes about "
            f"{about.working_size} px to choose the colours; these are enlarged again."
        )
    else:
        sees = (
            "A large picture may be read in tiles whose sides are "
            f"{sizes.smallest} px or {sizes.step} px more, and so on; cut {sizes.halo} "
            "px off every side of the result that is not the picture's own border."
        )
    if about.statistics == "picture":
        sees += (
            " It normalises by the mean and variance of what it is given, so tiles may "
            "differ in tone."
        )
    limits = f"{sentence} " if (sentence := left_out_of(about)) else ""
    made_by = f"napari-colorgan {napari_colorgan.__version__}"
    return (
        f"{card.strip()}{ABOUT_PACKAGE}"
        "Gray in [0, 1] (sRGB-encoded, as 8-bit pictures divided by 255 are) becomes "
        f"red, green and blue in [0, 1]. {sees} {limits}Made by {made_by} from the "
        f"checkpoint with the SHA-256 {checkpoint.digest}.\n\n"
        "## Validation\n\n"
        "Colours are invented: plausible, not measured. Compare them with true ones of "
        "your own pictures before you rely on them; `colorgan evaluate --color FOLDER` "
        "does so.\n"
    )
