"""Checkpoints on disk: safetensors with JSON metadata and a digest."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from napari_colorgan.checkpoints.atomic import replacing
from napari_colorgan.checkpoints.bounded import read_bounded
from napari_colorgan.checkpoints.enclosed import Enclosed, enclosed_in, too_much_text
from napari_colorgan.checkpoints.metadata import (
    DIGEST_KEY,
    MAX_HEADER,
    METADATA_KEY,
    Metadata,
    header_in,
)
from napari_colorgan.color import CODECS
from napari_colorgan.errors import BadSetting, CheckpointError, some
from napari_colorgan.models import Generator, GeneratorSpec, build
from napari_colorgan.models.norm import hold_statistics

_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
}
"""Of weights, as safetensors call them."""

_MOST_SIDES = 8  # of a tensor
_MOST_UNUSED = 1 << 20  # numbers of layers that there are no longer


@dataclass(frozen=True)
class Checkpoint:
    """Weights, and the metadata that rebuilds their generator."""

    metadata: Metadata
    weights: Mapping[str, Tensor] = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names, types, shapes and values of the weights, and metadata."""
        sha = hashlib.sha256(self.metadata.to_json().encode())
        for name in sorted(self.weights):
            tensor = self.weights[name].detach().cpu().contiguous()
            sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            sha.update(tensor.view(-1).view(torch.uint8).numpy().tobytes())
        return sha.hexdigest()

    def generator(self) -> Generator:
        """Build the generator in float32 and eval mode, on the CPU.

        Batch normalisation uses the stored statistics, as the pix2pix code's option
        --eval does; instance normalisation those of its input, unless the metadata says
        that they are stored, too.

        Raises
        ------
        CheckpointError
            Name or options are unknown, they do not fit the codec, or weights are
            missing, left over, misshapen or no finite numbers.
        """
        network = self.check_declared()
        weights = {
            name: tensor.float().clone()
            if tensor.is_floating_point()
            else tensor.clone()
            for name, tensor in self._used_by(network).items()
        }
        for name, tensor in weights.items():
            if not tensor.isfinite().all():
                raise CheckpointError(
                    f"Weight '{name}' holds values that are not finite: the training "
                    "that made it went wrong. Use another checkpoint."
                )
        network.load_state_dict(weights, assign=True)
        if self.metadata.statistics == "stored":
            hold_statistics(network)
        return network.eval()

    def check_declared(self) -> Generator:
        """Compare names, types and shapes of the weights with what is needed.

        Weights on the device `meta`, without values, will do.

        Returns
        -------
        The generator on the device `meta`.

        Raises
        ------
        CheckpointError
            See `generator`.
        """
        metadata = self.metadata
        try:
            with torch.device("meta"):  # costs nothing, whatever the options claim
                network = build(GeneratorSpec(metadata.generator, metadata.options))
        except BadSetting as error:
            raise CheckpointError(
                f"This checkpoint asks for a generator that cannot be built: {error} "
                "Update napari-colorgan or export the checkpoint again."
            ) from error
        codec = CODECS[metadata.codec]
        if network.out_channels != codec.out_channels:
            raise CheckpointError(
                f"This checkpoint's generator writes {network.out_channels} channels; "
                f"its codec '{codec.name}' needs {codec.out_channels}. Export the "
                "checkpoint again."
            )
        given = self._used_by(network)
        self._check_shapes(given, network.state_dict())
        unused = sum(v.numel() for k, v in self.weights.items() if k not in given)
        if unused > _MOST_UNUSED:
            raise CheckpointError(
                f"This checkpoint holds {unused:,} numbers that nothing uses. Export "
                "it again."
            )
        return network

    def _used_by(self, network: Generator) -> dict[str, Tensor]:
        unused = network.obsolete
        return {k: v for k, v in self.weights.items() if not k.endswith(unused)}

    def _check_shapes(
        self, given: Mapping[str, Tensor], expected: Mapping[str, Tensor]
    ) -> None:
        missing = sorted(set(expected) - set(given))
        unknown = sorted(set(given) - set(expected))
        if missing or unknown:
            raise CheckpointError(
                f"The weights do not fit the generator '{self.metadata.generator}': "
                f"{len(missing)} are missing ({some(missing, 3)}), {len(unknown)} are "
                f"unknown ({some(unknown, 3)}). Export the checkpoint again."
            )
        for name, tensor in expected.items():
            dtype = given[name].dtype
            if tensor.is_floating_point() != dtype.is_floating_point or (
                dtype.is_complex or dtype == torch.bool
            ):
                kind = "real" if tensor.is_floating_point() else "whole"
                raise CheckpointError(
                    f"Weight '{name}' holds {dtype}, expected {kind} numbers. Export "
                    "the checkpoint again."
                )
            if tensor.shape != given[name].shape:
                raise CheckpointError(
                    f"Weight '{name}' has the shape {tuple(given[name].shape)}, "
                    f"expected {tuple(tensor.shape)}. Export the checkpoint again."
                )


def save(
    checkpoint: Checkpoint, path: str | Path, enclosed: Enclosed | None = None
) -> None:
    """Write a checkpoint; an older file at `path` stays whole until the new one is.

    Parameters
    ----------
    enclosed : card and picture; without, those that lie beside the file are its own

    Raises
    ------
    CheckpointError
        The file cannot be written.
    """
    with replacing(Path(path)) as file:
        file.write(to_bytes(checkpoint, enclosed))


def to_bytes(checkpoint: Checkpoint, enclosed: Enclosed | None = None) -> bytes:
    """Content of a checkpoint file.

    Raises
    ------
    CheckpointError
        Its metadata are too long for one.
    """
    tensors = {k: v.detach().cpu().contiguous() for k, v in checkpoint.weights.items()}
    metadata = {
        METADATA_KEY: checkpoint.metadata.to_json(),
        DIGEST_KEY: checkpoint.digest,
    }
    besides: list[dict[str, str]] = [{}]
    if enclosed is not None:
        less = enclosed.fitting().less()
        besides = [part.entries(checkpoint.digest) for part in less]
    for entries in besides:
        content = safetensors.torch.save(tensors, metadata | entries)
        if int.from_bytes(content[:8], "little") <= MAX_HEADER:
            return content
    raise too_much_text(checkpoint.metadata.name)


def load(path: str | Path, content: bytes | None = None) -> Checkpoint:
    """Read a checkpoint and check its digest.

    The file is read, not mapped: it may change afterwards without harm. All texts of
    its metadata are printable.

    Parameters
    ----------
    content : of the file, where it has been read

    Raises
    ------
    CheckpointError
        The file is missing, foreign, truncated, changed, or of another schema.
    """
    path = Path(path)
    if path.name == str(path) and not path.suffix and not path.exists():
        raise CheckpointError(
            f"There is no file '{path}' here. To load a model by its name, use "
            f"open_model('{path}')."
        )
    if content is None:
        content = read_bounded(path, check_checkpoint)
    else:
        check_checkpoint(io.BytesIO(content), path)
    header = header_in(io.BytesIO(content), path)
    metadata = Metadata.from_json(header["__metadata__"][METADATA_KEY], path)
    enclosed_in(header, path)  # what is shown of a model is what was written, too
    try:
        weights = safetensors.torch.load(content)
    except Exception as error:  # the format's readers raise a dozen types on damage
        raise CheckpointError(
            f"'{path}' is damaged: {error}. Fetch or export it again."
        ) from error
    checkpoint = Checkpoint(metadata, weights)
    if checkpoint.digest != header["__metadata__"][DIGEST_KEY]:
        raise CheckpointError(
            f"'{path}' was changed after it was written: its SHA-256 is "
            f"{checkpoint.digest[:12]}..., it should be "
            f"{header['__metadata__'][DIGEST_KEY][:12]}.... Fetch or export it again."
        )
    shown = metadata.printable()
    return checkpoint if shown == metadata else replace(checkpoint, metadata=shown)


def check_checkpoint(file: BinaryIO, path: Path, size: int | None = None) -> None:
    """Compare what a file declares with what its generator needs, and with its size.

    Parameters
    ----------
    size : in bytes, where no more than the beginning of the file is given

    Raises
    ------
    CheckpointError
        See `header_in`, `Metadata.from_json` and `Checkpoint.check_declared`; or it is
        shorter or longer than it declares.
    """
    header = header_in(file, path)
    metadata = Metadata.from_json(header["__metadata__"][METADATA_KEY], path)
    tensors = {name: each for name, each in header.items() if name != "__metadata__"}
    try:
        if any(len(each["shape"]) > _MOST_SIDES for each in tensors.values()):
            raise ValueError("too many sides")
        declared = {
            name: torch.empty(each["shape"], dtype=_TYPES[each["dtype"]], device="meta")
            for name, each in tensors.items()
        }
    except Exception as error:  # anything may stand there
        raise CheckpointError(
            f"'{path}' is damaged: it declares weights of an impossible shape or type. "
            "Fetch or export it again."
        ) from error
    try:
        Checkpoint(metadata, declared).check_declared()
    except CheckpointError as error:
        raise CheckpointError(f"'{path}' cannot be used. {error}") from error
    size = file.seek(0, io.SEEK_END) if size is None else size
    file.seek(0)
    needed = 8 + int.from_bytes(file.read(8), "little")
    needed += sum(tensor.nbytes for tensor in declared.values())
    if size != needed:
        raise CheckpointError(
            f"'{path}' is damaged: it has {size:,} bytes, expected {needed:,}. Fetch "
            "or export it again."
        )
