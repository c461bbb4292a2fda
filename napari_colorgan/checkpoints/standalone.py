"""A checkpoint as one network from gray to RGB, for programs that do not know us."""

import ast
import contextlib
import inspect
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import NoColors, Stopped
from napari_colorgan.job import STOP, Job, Progress
from napari_colorgan.models.standalone import Standalone

_SMALLEST_WHOLE = 32  # px; side below which there is nothing to see
_ARCHITECTURE = "napari_colorgan.models.standalone"
_HEADER = '''\
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026, the napari-colorgan developers
"""Networks of napari-colorgan in one file that needs nothing but PyTorch.

It was put together from the package's own modules; `build_standalone` is the entry.
"""
'''


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sides in px that a network is good for."""

    smallest: int
    step: int
    """Between one possible side and the next."""
    halo: int
    """Px to cut off the result of a tile; 0 where there must not be any tiles."""


def standalone_of(checkpoint: Checkpoint) -> Standalone:
    """Return the checkpoint's network from gray to RGB, in eval mode, on the CPU.

    Raises
    ------
    CheckpointError
        See `Checkpoint.generator`.
    """
    settings = _settings_of(checkpoint.metadata)
    return Standalone(checkpoint.generator(), **settings).eval()


def colored(network: Standalone, gray: Tensor, metadata: Metadata) -> Tensor:
    """RGB (N, 3, H, W) of `gray`, from which an export is known to work.

    Raises
    ------
    NoColors
        It is not finite.
    """
    with torch.no_grad():
        rgb: Tensor = network(gray)
    if not rgb.isfinite().all():
        raise NoColors(metadata.name)
    return rgb


def sizes_of(network: Standalone, metadata: Metadata) -> Sizes:
    """Sides of pictures, in `local` context also of tiles, that can be relied on.

    A tile must have something left without its halo, and begin where the strides of its
    neighbours do.
    """
    if metadata.context == "whole":
        return Sizes(smallest=_SMALLEST_WHOLE, step=1, halo=0)
    stride, halo = network.stride, network.generator.halo
    return Sizes(smallest=(2 * halo // stride + 1) * stride, step=stride, halo=halo)


def arguments_of(metadata: Metadata) -> dict[str, Any]:
    """Arguments of `models.standalone.build_standalone` that build that network."""
    spec = {"generator": metadata.generator, "options": metadata.options}
    return spec | _settings_of(metadata)


def left_out_of(metadata: Metadata) -> str:
    """Sentence on what the network from gray to RGB cannot be told; may be empty."""
    if metadata.codec != "lab" or metadata.generator != "compact":
        return ""
    palette = " and no palette" if metadata.options.get("alternatives") else ""
    at = (
        ""
        if metadata.vividness is None
        else f"; its vividness is {metadata.vividness:g}"
    )
    return f"This export takes no colour hints{palette}{at}."


def architecture_source() -> str:
    """Python source of `models.standalone` and all of ours that it needs, in one file.

    Modules stand whole, each after those that it imports; no two of them may give one
    name to different things.
    """
    sources: dict[str, str] = {}
    _collect(_ARCHITECTURE, sources)
    return "\n\n".join([_HEADER, *sources.values()])


def tell(done: int, total: int) -> Job[None]:
    """Report what is done of an export, which keeps nothing when it is stopped."""
    if (yield Progress(done, total)) is STOP and done < total:
        raise Stopped("Stopped; nothing was written.")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep from the user what exporters of torch tell its own developers."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _settings_of(metadata: Metadata) -> dict[str, Any]:
    names = ("codec", "context", "working_size", "statistics", "vividness", "levels")
    return {name: getattr(metadata, name) for name in names}


def _collect(name: str, sources: dict[str, str]) -> None:
    """Add the source of a module of ours, after those of the modules it imports."""
    text = inspect.getsource(import_module(name))
    lines = text.splitlines()
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(
            "napari_colorgan"
        ):
            if node.module not in sources:
                _collect(str(node.module), sources)
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = ""
    sources[name] = "\n".join(lines).strip() + "\n"
