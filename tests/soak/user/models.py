"""Models that answer in a moment, whatever they are told."""

from pathlib import Path

import torch

from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, save
from napari_colorgan.models import GeneratorSpec, build

_WIDTHS = {"widths": [8, 8, 8, 8]}
TINY = "tiny"
TRANSLATION = "tiny translation"
_MODELS = {
    TINY: Metadata(
        generator="compact",
        options=_WIDTHS | {"alternatives": True},
        context="local",
        vividness=0.4,
        license="CC0-1.0",
    ),
    "tiny whole": Metadata(
        generator="compact", options=_WIDTHS, context="whole", working_size=64
    ),
    TRANSLATION: Metadata(
        generator="unet",
        options={"depth": 5, "width": 4, "out_channels": 3},
        codec="rgb",
    ),
}


def write_models(folder: Path) -> None:
    """Write seeded models whose colours are strong, by their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, about) in enumerate(_MODELS.items()):
        torch.manual_seed(seed)
        network = build(GeneratorSpec(about.generator, about.options))
        for parameter in network.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.2)
        save(Checkpoint(about, network.state_dict()), folder / f"{name}.safetensors")
