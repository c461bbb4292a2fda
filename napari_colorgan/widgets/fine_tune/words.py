"""What a form, a table and a training say of the kinds there are, in the same words."""

from napari_colorgan.checkpoints.metadata import Context
from napari_colorgan.training.settings import Task

MAKES: dict[Task, str] = {"colorization": "colour", "translation": "picture"}
"""What pairs teach to make, in a word."""
ASKED: dict[Task, str] = {
    "colorization": "colour; the lightness of your pictures stays",
    "translation": "the whole picture, its lightness, too",
}
"""The same in a few."""
SEES: dict[Context, str] = {
    "local": "parts at full size",
    "whole": "whole pictures, reduced",
}
"""How a model looks at pictures."""
