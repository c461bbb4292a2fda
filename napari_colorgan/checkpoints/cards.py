"""Model cards, in Markdown: of models that were trained, imported, or neither."""

from collections.abc import Mapping, Sequence
from typing import Any

from napari_colorgan.checkpoints.metadata import Metadata

_KINDS = {
    "lab": "Colorization: it invents a and b of Lab and keeps the picture's lightness.",
    "rgb": "Translation: it invents all of RGB from a gray picture.",
}
_CONTEXTS = {
    "whole": "each picture at once, its shorter side reduced to {} px",
    "local": "windows at full resolution",
}
_STATISTICS = {
    "picture": "mean and variance of each picture, as pix2pix's test program does",
    "stored": "what its weights say, and no picture's own mean and variance",
}

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


def trained_card(
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
        f"Trained on: {_listed(trained)}\n\nTested on: {_listed(held_out)}",
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
    return _joined(parts)


def imported_card(metadata: Metadata, name: str) -> str:
    """Markdown: what an imported model is, how it is used, and where it is from."""
    sees = _CONTEXTS[metadata.context].format(metadata.working_size)
    options = metadata.options
    parts = [
        f"# {name}",
        f"{metadata.description}\n{_KINDS[metadata.codec]}",
        "## How it is used",
        f"- it sees {sees}\n- it normalises by {_STATISTICS[metadata.statistics]}",
        "## Generator",
        "\n".join(f"- {key}: {options[key]}" for key in options),
        "## Training",
        "\n".join(f"- {key}: {value}" for key, value in metadata.training.items())
        or "Not stated: no options lay beside the weights.",
        "## Made from",
        metadata.provenance,
        "## Licence",
        metadata.license or "Not stated; ask who made it before you share it.",
    ]
    return _joined(parts)


def plain_card(metadata: Metadata, name: str) -> str:
    """Markdown: what the metadata tells of a model without a card of its own."""
    return (
        f"# {name}\n\n{metadata.description or 'No description.'}\n\n"
        f"- generator: {metadata.generator}, context: {metadata.context}\n"
        f"- licence: {metadata.license or 'not stated'}\n"
        f"- made from: {metadata.provenance or 'not stated'}\n"
    )


def retitled(card: str, old: str, new: str) -> str:
    """Put another name into the title of a card."""
    title, newline, rest = card.partition("\n")
    if title.strip() == f"# {old}":
        title = f"# {new}"
    return f"{title}{newline}{rest}"


def _joined(parts: Sequence[str]) -> str:
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
