"""What a BioImage.IO package says of itself; needs the extra `bioimageio`."""

import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from bioimageio.spec import save_bioimageio_package
from bioimageio.spec.model import v0_5

import napari_colorgan
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.onnx import OPSET
from napari_colorgan.checkpoints.package import CARD, CHECKPOINT
from napari_colorgan.checkpoints.standalone import Sizes, arguments_of
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import CheckpointError

_NAME_LETTERS = frozenset(string.ascii_letters + string.digits + "_+- ()")
_LONGEST = {"name": 50, "description": 500}  # characters the format takes gladly
_CITATION = (
    "Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial "
    "Networks. CVPR 2017."
)
_CITATION_DOI = "10.48550/arXiv.1611.07004"


def checked_license(metadata: Metadata, given: str) -> v0_5.LicenseId:
    """Return the identifier that was given, else that of the checkpoint's licence.

    Raises
    ------
    CheckpointError
        It is no SPDX identifier.
    """
    text = given or metadata.license
    try:
        return v0_5.LicenseId(text)
    except ValueError:
        stated = f"'{text}', which is none" if text else "not stated"
        raise CheckpointError(
            "A BioImage.IO package needs the SPDX identifier of a licence, such as "
            f"CC-BY-4.0, but that of '{metadata.name}' is {stated}. Give one: "
            "--license on the command line, license= in Python."
        ) from None


def pack(
    folder: Path,
    checkpoint: Checkpoint,
    sizes: Sizes,
    authors: Sequence[str],
    license_id: v0_5.LicenseId,
    parent: str,
) -> Path:
    """Zip the files of `folder` with their description."""
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
        documentation=v0_5.FileDescr(source=folder / CARD),
        attachments=[v0_5.FileDescr(source=folder / CHECKPOINT)],
        covers=[v0_5.FileDescr(source=folder / "cover.png")],
        tags=["2d", "pytorch", "pix2pix", "gan", kind],
        parent=v0_5.LinkedModel(id=v0_5.ModelId(parent)) if parent else None,
        inputs=[_input(folder, sizes)],
        outputs=[_output(folder, sizes)],
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


def _input(folder: Path, sizes: Sizes) -> v0_5.InputTensorDescr:
    size = v0_5.ParameterizedSize(min=sizes.smallest, step=sizes.step)
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


def _output(folder: Path, sizes: Sizes) -> v0_5.OutputTensorDescr:
    def side(name: str) -> v0_5.SpaceOutputAxis | v0_5.SpaceOutputAxisWithHalo:
        axis = v0_5.AxisId(name)
        size = v0_5.SizeReference(tensor_id=v0_5.TensorId("gray"), axis_id=axis)
        if sizes.halo:
            return v0_5.SpaceOutputAxisWithHalo(id=axis, size=size, halo=sizes.halo)
        return v0_5.SpaceOutputAxis(id=axis, size=size)

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


def _weights(folder: Path, arguments: dict[str, Any]) -> v0_5.WeightsDescr:
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
