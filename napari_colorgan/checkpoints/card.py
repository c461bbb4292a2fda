"""The card of a model that was imported."""

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
    return "\n\n".join(parts) + "\n"
