"""What is known about a model, beside its name."""

from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFormLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from napari_colorgan.checkpoints import zoo
from napari_colorgan.widgets.models.model_list import megabytes
from napari_colorgan.widgets.parts.layout import keep_low, text_label
from napari_colorgan.widgets.parts.notices import DESCRIPTION, cut
from napari_colorgan.widgets.parts.picture import Picture

_EXAMPLES = 340  # px
_MOST_DECIBELS = 1000  # of 8 bits there are less than 100
_CONTEXTS = {
    "whole": "the picture at once, reduced",
    "local": "windows at full resolution",
}


class ModelDetails(QWidget):
    """Examples, description and facts of one model."""

    def __init__(self) -> None:
        super().__init__()
        self._examples = Picture(_EXAMPLES)
        self.description = _text()
        self._facts = QFormLayout()
        self._facts.setFieldGrowthPolicy(
            QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow
        )
        self._facts.setVerticalSpacing(2)
        keep_low(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._examples)
        layout.addWidget(self.description)
        layout.addLayout(self._facts)

    def show_model(self, model: zoo.Model | None, problem: str = "") -> None:
        """Show another model; None: nothing but what is wrong with it."""
        self._examples.show_file(b"" if model is None else model.picture)
        said = problem if model is None else cut(model.description, DESCRIPTION)
        self.description.setText(cut(said))
        while self._facts.rowCount():
            self._facts.removeRow(0)
        for title, text in () if model is None else facts(model):
            self._facts.addRow(text_label(title), _text(text))


def facts(model: zoo.Model) -> Iterator[tuple[str, str]]:
    """Titles and texts, as far as they are known."""
    about = model.metadata
    yield "Kind", model.kind
    yield "Sees", _CONTEXTS[about.context]
    if model.base is not None:
        yield "Base model", model.base
    yield "Generator", about.generator
    yield "On disk", megabytes(model.size)
    yield "Licence", about.license or "not stated"
    scores = [
        f"{title} {psnr:.1f} dB"
        for key, title in (
            ("scores", "PSNR"),
            ("scores_before", "base"),
            ("scores_gray", "gray"),
        )
        if (psnr := _psnr(about.training, key)) is not None
    ]
    if scores:
        yield "Held-out part", ", ".join(scores)
    elif model.shipped:
        yield "Scores", "see its model card"


def _psnr(training: dict[str, Any], key: str) -> float | None:
    """Return a figure of a training; metadata come from anywhere, and say anything."""
    figures = training.get(key)
    psnr = figures.get("psnr") if isinstance(figures, dict) else None
    known = isinstance(psnr, float) and abs(psnr) < _MOST_DECIBELS
    return psnr if known else None


def _text(text: str = "") -> QLabel:
    """Make a label for a text of any origin."""
    label = text_label(text)
    label.setWordWrap(True)
    policy = label.sizePolicy()  # its longest word makes no dock wider than the screen
    policy.setHorizontalPolicy(QSizePolicy.Policy.Ignored)
    label.setSizePolicy(policy)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
