"""What a checkpoint that was trained says it was made from."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_colorgan.checkpoints.metadata import Metadata, storable
from napari_colorgan.checkpoints.store import Checkpoint
from napari_colorgan.errors import BadSetting
from napari_colorgan.training.pairs import Pair
from napari_colorgan.training.settings import FineTuneConfig


def describe_fine_tuned(
    metadata: Metadata,
    base: Checkpoint | None,
    trained: Sequence[Pair],
    config: FineTuneConfig,
    about: Mapping[str, str],
) -> Metadata:
    """Say that a model was made of `base` on pairs; what `about` says takes its place.

    Raises
    ------
    BadSetting
    """
    origin = "fresh weights" if base is None else base.metadata.name or "a checkpoint"
    names = ", ".join(pair.name for pair in trained)
    provenance = (
        f"Trained by {config.scheme} from {origin} on pairs of the user: {names}."
    )
    if base is not None and base.metadata.provenance:
        provenance += f" {origin}: {base.metadata.provenance}"
    texts: dict[str, Any] = {
        "name": f"{origin} fine-tuned",
        "description": f"Fine-tuned from {origin} on {len(trained)} pair(s).",
        "license": "" if base is None else base.metadata.license,
        "provenance": provenance,
    }
    if unknown := set(about) - set(texts):
        raise BadSetting("about", sorted(unknown)[0], f"one of {', '.join(texts)}")
    texts = {key: storable(text) for key, text in (texts | dict(about)).items()}
    return dataclasses.replace(metadata, **texts)


def describe_trained(
    metadata: Metadata, folders: Sequence[Path], start: Checkpoint | None
) -> Metadata:
    """Say that a model was made on pictures of folders, after what the recipe says."""
    names = ", ".join(f"'{folder.resolve().name}'" for folder in folders)
    sentences = [metadata.provenance, f"Trained on pictures of the folders {names}."]
    if start is not None:
        begun = f"Started from '{start.metadata.name}' ({start.digest[:12]})."
        sentences += [begun, start.metadata.provenance]
    elif metadata.generator == "compact":
        sentences.append(
            "Encoder initialised from EfficientNet-lite0 ImageNet weights (Apache-2.0)."
        )
    provenance = storable(" ".join(filter(None, sentences)))
    return dataclasses.replace(metadata, provenance=provenance)
