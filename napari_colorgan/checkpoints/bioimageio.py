"""Write a checkpoint as a BioImage.IO package: for Fiji, ilastik and Python.

See https://bioimage.io and the Python package `bioimageio.spec`. Packages are written
here and never read: theirs may bring Python code.
"""

import io
import shutil
import string
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import napari_colorgan
from napari_colorgan import sample_data
from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.onnx import OPSET, check_onnx, onnx_of
from napari_colorgan.checkpoints.standalone import (
    MissingExtra,
    architecture_source,
    arguments_of,
    quiet,
    require,
    standalone_of,
    tell,
)
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.job import Job
from napari_colorgan.models.standalone import Standalone

if TYPE_CHECKING:
    from bioimageio.spec.model import v0_5

_SMALLEST_WHOLE = 32  # px; side below which there is nothing to see
_TEST_SIDE = 256  # px, at least
_COVER = (512, 256)  # px; twice as wide as high, as the format wants it
_NAME_LETTERS = frozenset(string.ascii_letters + string.digits + "_+- ()")
_LONGEST = {"name": 50, "description": 500}  # characters the format takes gladly
_CITATION = (
    "Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial "
    "Networks. CVPR 2017."
)
_CITATION_DOI = "10.48550/arXiv.1611.07004"


def export_bioimageio_job(
    checkpoint: Checkpoint,
    path: str | Path,
    *,
    picture: NDArray[np.float32],
    documentation: str,
    authors: Sequence[str],
    license: str = "",  # noqa: A002, the name of the metadata's field
    parent: str = "",
) -> Job[Path]:
    """Write a zip file with weights, test arrays, cover and documentation.

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
        Nobody is named as author.
    CheckpointError
        The checkpoint cannot be used, its licence is no SPDX identifier, or the file
        cannot be written.
    Stopped
        On STOP; nothing is written.
    """
    require("bioimageio.spec", "A BioImage.IO package", "bioimageio")
    path, about = Path(path), checkpoint.metadata
    if not authors:
        raise BadSetting("authors", [], "at least one name (--author in a terminal)")
    terms = _checked_license(about, license)
    network = standalone_of(checkpoint)
    yield from tell(0, 4)
    gray = _middle(picture, _test_side(network, about))
    with torch.no_grad():
        rgb = network(gray)
    yield from tell(1, 4)
    files = {
        "weights.pt": _saved(network.state_dict()),
        "architecture.py": architecture_source().encode(),
        "weights-torchscript.pt": _torchscript_of(network, gray),
        "gray.npy": _npy(gray),
        "rgb.npy": _npy(rgb),
        "cover.png": _cover(gray, rgb),
        "README.md": _documentation(checkpoint, network, documentation).encode(),
    }
    yield from tell(2, 4)
    try:
        check_onnx()
    except MissingExtra:
        pass  # the other formats are enough
    else:
        files["weights.onnx"] = onnx_of(network, about)
    yield from tell(3, 4)
    with tempfile.TemporaryDirectory(prefix="colorgan-") as temporary:
        folder = Path(temporary)
        try:
            for name, content in files.items():
                (folder / name).write_bytes(content)
            with quiet():  # its writer leaves files to the garbage collector
                package = _packed(folder, checkpoint, network, authors, terms, parent)
        except OSError as error:
            raise CheckpointError(
                f"The package cannot be put together in '{folder}': "
                f"{error.strerror or error}. Free some space there."
            ) from error
        with replacing(path) as target, package.open("rb") as source:
            shutil.copyfileobj(source, target)
    yield from tell(4, 4)
    return path


def sample_for(metadata: Metadata) -> NDArray[np.float32]:
    """Return a public-domain picture to show a model on: (Y, X) in [0, 1]."""
    if metadata.context == "whole":
        [(picture, _, _)] = sample_data.photograph()
    else:
        [(stack, _, _)] = sample_data.stack()
        picture = stack[0]
    return np.asarray(picture / 255, np.float32)


def _checked_license(metadata: Metadata, given: str) -> "v0_5.LicenseId":
    from bioimageio.spec.model import v0_5

    text = given or metadata.license
    try:
        return v0_5.LicenseId(text)
    except ValueError:
        found = f"'{text}', which is none" if text else "not stated"
        raise CheckpointError(
            "A BioImage.IO package needs the SPDX identifier of a licence, such as "
            f"CC-BY-4.0, but that of '{metadata.name}' is {found}. Give one: "
            "--license on the command line, license= in Python."
        ) from None


def _step(network: Standalone, metadata: Metadata) -> tuple[int, int]:
    """Smallest side in px that the package promises to take, and the next ones' step.

    A window of `local` context must have something left when its halo is cut off, and
    begin where the strides of its neighbours do.
    """
    if metadata.context == "whole":
        return _SMALLEST_WHOLE, 1
    stride, halo = network.stride, network.generator.halo
    return (2 * halo // stride + 1) * stride, stride


def _test_side(network: Standalone, metadata: Metadata) -> int:
    smallest, step = _step(network, metadata)
    return smallest + max(0, -(-(_TEST_SIDE - smallest) // step)) * step


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


def _documentation(checkpoint: Checkpoint, network: Standalone, card: str) -> str:
    """Card of the model, and how the package is used."""
    about = checkpoint.metadata
    if about.context == "whole":
        sees = (
            "It must see a picture as a whole, whose size may be any: tiles would each "
            f"get colours of their own. Inside, the shorter side becomes about "
            f"{about.working_size} px to choose the colours; these are enlarged again."
        )
    else:
        smallest, step = _step(network, about)
        sees = (
            f"A large picture may be read in tiles whose sides are {smallest} px or "
            f"{step} px more, and so on; cut {network.generator.halo} px off every "
            "side of the result that is not the picture's own border."
        )
    if about.statistics == "picture":
        sees += (
            " It normalises by the mean and variance of what it is given, so tiles may "
            "differ in tone."
        )
    made_by = f"napari-colorgan {napari_colorgan.__version__}"
    return (
        f"{card.strip()}\n\n## This package\n\n"
        "Gray in [0, 1] (sRGB-encoded, as 8-bit pictures divided by 255 are) becomes "
        f"red, green and blue in [0, 1]. {sees} Made by {made_by} from the checkpoint "
        f"with the SHA-256 {checkpoint.digest}.\n\n"
        "## Validation\n\n"
        "Colours are invented: plausible, not measured. Compare them with true ones of "
        "your own pictures before you rely on them; `colorgan evaluate --color FOLDER` "
        "does so.\n"
    )


def _packed(
    folder: Path,
    checkpoint: Checkpoint,
    network: Standalone,
    authors: Sequence[str],
    license_id: "v0_5.LicenseId",
    parent: str,
) -> Path:
    """Zip the files of `folder` with their description."""
    from bioimageio.spec import save_bioimageio_package
    from bioimageio.spec.model import v0_5

    about = checkpoint.metadata
    name = "".join(c if c in _NAME_LETTERS else "-" for c in about.name)
    kind = "colorization" if about.codec == "lab" else "image-translation"
    description = v0_5.ModelDescr(
        name=f"colorgan {name}"[: _LONGEST["name"]],
        description=about.description[: _LONGEST["description"]]
        or f"Gray to RGB: {kind}.",
        authors=[v0_5.Author(name=author) for author in authors],
        license=license_id,
        cite=[v0_5.CiteEntry(text=_CITATION, doi=v0_5.Doi(_CITATION_DOI))],
        documentation=v0_5.FileDescr(source=folder / "README.md"),
        covers=[v0_5.FileDescr(source=folder / "cover.png")],
        tags=["2d", "pytorch", "pix2pix", "gan", kind],
        parent=v0_5.LinkedModel(id=v0_5.ModelId(parent)) if parent else None,
        inputs=[_input(folder, *_step(network, about))],
        outputs=[_output(folder, network, about)],
        weights=_weights(folder, arguments_of(about)),
        config=v0_5.Config.model_validate(
            {
                "napari_colorgan": {
                    "version": napari_colorgan.__version__,
                    "digest": checkpoint.digest,
                }
            }
        ),
    )
    return save_bioimageio_package(description, output_path=folder / "package.zip")


def _input(folder: Path, smallest: int, step: int) -> "v0_5.InputTensorDescr":
    from bioimageio.spec.model import v0_5

    size = v0_5.ParameterizedSize(min=smallest, step=step)
    return v0_5.InputTensorDescr(
        id=v0_5.TensorId("gray"),
        description="sRGB-encoded gray in [0, 1].",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=[v0_5.Identifier("gray")]),
            v0_5.SpaceInputAxis(id=v0_5.AxisId("y"), size=size),
            v0_5.SpaceInputAxis(id=v0_5.AxisId("x"), size=size),
        ],
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0, 1)),
        preprocessing=[
            v0_5.EnsureDtypeDescr(kwargs=v0_5.EnsureDtypeKwargs(dtype="float32")),
            v0_5.ClipDescr(kwargs=v0_5.ClipKwargs(min=0, max=1)),
        ],
        test_tensor=v0_5.FileDescr(source=folder / "gray.npy"),
    )


def _output(
    folder: Path, network: Standalone, metadata: Metadata
) -> "v0_5.OutputTensorDescr":
    from bioimageio.spec.model import v0_5

    def side(name: str) -> "v0_5.SpaceOutputAxis | v0_5.SpaceOutputAxisWithHalo":
        axis = v0_5.AxisId(name)
        size = v0_5.SizeReference(tensor_id=v0_5.TensorId("gray"), axis_id=axis)
        if metadata.context == "whole":
            return v0_5.SpaceOutputAxis(id=axis, size=size)
        halo = network.generator.halo
        return v0_5.SpaceOutputAxisWithHalo(id=axis, size=size, halo=halo)

    colors: list[str] = [v0_5.Identifier(name) for name in ("red", "green", "blue")]
    return v0_5.OutputTensorDescr(
        id=v0_5.TensorId("rgb"),
        description="sRGB in [0, 1].",
        axes=[
            v0_5.BatchAxis(),
            v0_5.ChannelAxis(channel_names=colors),
            side("y"),
            side("x"),
        ],
        data=v0_5.IntervalOrRatioDataDescr(type="float32", range=(0, 1)),
        postprocessing=[
            v0_5.EnsureDtypeDescr(kwargs=v0_5.EnsureDtypeKwargs(dtype="float32"))
        ],
        test_tensor=v0_5.FileDescr(source=folder / "rgb.npy"),
    )


def _weights(folder: Path, arguments: dict[str, Any]) -> "v0_5.WeightsDescr":
    from bioimageio.spec.model import v0_5

    version = v0_5.Version(torch.__version__.split("+")[0])
    onnx = folder / "weights.onnx"
    return v0_5.WeightsDescr(
        pytorch_state_dict=v0_5.PytorchStateDictWeightsDescr(
            source=folder / "weights.pt",
            pytorch_version=version,
            architecture=v0_5.ArchitectureFromFileDescr(
                callable=v0_5.Identifier("build_standalone"),
                source=folder / "architecture.py",
                kwargs=arguments,
            ),
        ),
        torchscript=v0_5.TorchscriptWeightsDescr(
            source=folder / "weights-torchscript.pt",
            pytorch_version=version,
            parent="pytorch_state_dict",
        ),
        onnx=v0_5.OnnxWeightsDescr(
            source=onnx, opset_version=OPSET, parent="pytorch_state_dict"
        )
        if onnx.exists()
        else None,
    )
