"""The card of a model that a user has made."""

from collections.abc import Mapping, Sequence
from typing import Any

from napari_colorgan.checkpoints.metadata import Metadata

_FIGURES = {  # as in `metrics.Figures`: heading and digits
    "psnr": ("PSNR (dB)", 1),
    "ssim": ("SSIM", 3),
    "ciede2000": ("CIEDE2000", 1),
    "colorfulness": ("colourfulness", 2),
}
_ROWS = {
    "scores_gray": "left gray",
    "scores_before": "before training",
    "scores": "this model",
}
_NO_SETTINGS = {*_ROWS, "pairs", "steps_done"}


def model_card(
    metadata: Metadata,
    name: str,
    *,
    start: str,
    trained: Sequence[str],
    held_out: Sequence[str],
) -> str:
    """Markdown: what a model is for, what it was made from, and how good it is.

    Parameters
    ----------
    metadata : of the checkpoint
    start : name of the model that it began from
    trained, held_out : names of pairs, or parts of one
    """
    training = metadata.training
    parts = [
        f"# {name}",
        metadata.description,
        "## On the held-out part",
        _table(training),
        "## Pairs",
        f"Learned from: {_listed(trained)}\n\nJudged by: {_listed(held_out)}",
        "## Training",
        f"Base model: {start}; steps: {training.get('steps_done', 'unknown')}; "
        f"context: {metadata.context}; generator: {metadata.generator}.",
        "\n".join(
            f"- {key}: {value}"
            for key, value in training.items()
            if key not in _NO_SETTINGS
        ),
        "## Licence",
        _license(metadata, start),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(training: Mapping[str, Any]) -> str:
    headings = [heading for heading, _ in _FIGURES.values()]
    lines = [f"| | {' | '.join(headings)} |", "|---" * (len(headings) + 1) + "|"]
    for key, title in _ROWS.items():
        figures = training.get(key, {})
        cells = [
            f"{figures[name]:.{digits}f}" if name in figures else "-"
            for name, (_, digits) in _FIGURES.items()
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _license(metadata: Metadata, start: str) -> str:
    terms = "the terms of the pictures it was trained on"
    if not metadata.license:
        return f"Not stated for '{start}'; and {terms}."
    return f"Inherits from '{start}': {metadata.license}; and {terms}."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "nothing"
