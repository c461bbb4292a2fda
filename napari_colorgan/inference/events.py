"""What jobs that colour tell of; free of torch, for faces to look at."""

from dataclasses import dataclass

from napari_colorgan.arrays import Region
from napari_colorgan.inference.tiling import Tiling
from napari_colorgan.job import Progress


@dataclass(frozen=True, slots=True)
class EnginesTried(Progress):
    """What computes a model fastest on this machine is being found out, once."""

    name: str
    """Of the model."""

    def __str__(self) -> str:
        return f"Finding the fastest way to use '{self.name}' here, once..."


@dataclass(frozen=True, slots=True)
class ModelLoaded(Progress):
    """A model is ready on a device."""

    name: str
    device: str
    note: str
    """Why no GPU is used although any would do; empty otherwise."""


@dataclass(frozen=True, slots=True)
class PlaneGray(Progress):
    """One more plane of a result is there in gray."""


@dataclass(frozen=True, slots=True)
class TileDone(Progress):
    """A piece of a plane has its final colours."""

    index: tuple[int, ...]
    """Of the plane, along the leading axes."""
    region: Region
    """Px of the plane that are final now."""
    tiling: Tiling | None
    """Of the windows it was made in, smaller than those asked for once memory ran out;
    None in `whole` context."""


@dataclass(frozen=True, slots=True)
class InvalidPixels(Progress):
    """Some pixels could not be coloured; last event of a job that met any."""

    count: int

    def __str__(self) -> str:
        return (
            f"{self.count} pixels have no value (NaN, infinite, or marked as missing); "
            "they are black in the result."
        )
