"""Write a checkpoint as ONNX, for any program that runs such networks."""

from pathlib import Path

import torch
from torch import Tensor

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.extras import ONNX
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.standalone import (
    colored,
    left_out_of,
    quiet,
    standalone_of,
    tell,
)
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.job import Job
from napari_colorgan.models.standalone import Standalone

OPSET = 18
"""Version of ONNX's operators: the oldest that torch writes, for older runtimes."""

_EXAMPLE_SIDE = 256  # px; nothing depends on it


def export_onnx_job(checkpoint: Checkpoint, path: str | Path) -> Job[Path]:
    """Write a network that turns `gray` into `rgb`; batch and sides may vary.

    `gray` is (N, 1, H, W) float32 in [0, 1] with sides of 8 px or more, `rgb`
    (N, 3, H, W) float32 in [0, 1]. Nothing is read in windows: where the context is
    `local`, a large picture needs much memory.

    Raises
    ------
    MissingExtra
        The extra `onnx` is not installed.
    CheckpointError
        The checkpoint cannot be used, or the file not be written.
    NoColors
        What it predicts is not finite.
    Stopped
        On STOP; nothing is written.
    """
    check_onnx()
    network = standalone_of(checkpoint)
    yield from tell(0, 2)
    colored(network, _example(network), checkpoint.metadata)
    content = onnx_of(network, checkpoint.metadata)
    yield from tell(1, 2)
    path = Path(path)
    with replacing(path) as file:
        file.write(content)
    yield from tell(2, 2)
    return path


def check_onnx() -> None:
    """Raise `MissingExtra` unless ONNX can be written."""
    ONNX.require()


def onnx_of(network: Standalone, metadata: Metadata) -> bytes:
    """Content of an ONNX file with name, description and licence; takes a minute."""
    vary = torch.export.Dim.DYNAMIC
    example = _example(network)
    with quiet():
        program = torch.onnx.export(
            network,
            (example,),
            input_names=["gray"],
            output_names=["rgb"],
            dynamic_shapes={"gray": {0: vary, 2: vary, 3: vary}},
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None  # only the older exporter returns None
    for name in ("name", "description", "license"):
        program.model.metadata_props[name] = getattr(metadata, name)
    if limits := left_out_of(metadata):
        program.model.metadata_props["limits"] = limits
    content: bytes = program.model_proto.SerializeToString()
    return content


def _example(network: Standalone) -> Tensor:
    """Noise (2, 1, H, W), of different sides: in a trace, equal ones stay equal."""
    side = max(_EXAMPLE_SIDE, 2 * network.stride)
    return torch.rand(2, 1, side, side + network.stride)
