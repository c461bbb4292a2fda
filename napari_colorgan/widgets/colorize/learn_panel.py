"""What to do where a result has not the user's colours: a model can learn them."""

from typing import Any

from napari.layers import Image
from qtpy.QtWidgets import QPushButton, QVBoxLayout, QWidget

from napari_colorgan.widgets.colorize.results import Results
from napari_colorgan.widgets.menu import show_dock
from napari_colorgan.widgets.parts.layout import text_label


class LearnPanel(QWidget):
    """Shown once a result is there."""

    def __init__(self, viewer: Any, results: Results) -> None:
        super().__init__()
        self._viewer = viewer
        self._results = results
        self._gray: Image | None = None
        self._model = ""
        text = text_label(
            "Not your colours? Say above what they are like, put hints, or give the "
            "model a few examples to learn from."
        )
        text.setWordWrap(True)
        self.examples = QPushButton("Learn from e&xamples...")
        self.examples.setToolTip("Open the Fine-tune dock with this layer")
        self.corrections = QPushButton("Learn from my corrections...")
        self.corrections.setToolTip(
            "Add this layer and its result to the pairs of the Fine-tune dock"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for part in (text, self.examples, self.corrections):
            layout.addWidget(part)
        self.examples.clicked.connect(self._on_examples)
        self.corrections.clicked.connect(self._on_corrections)
        self.setVisible(False)

    def offer(
        self, gray: Image | None, model: str, *, done: bool, corrected: bool
    ) -> None:
        """Show it for a layer that has a result.

        Parameters
        ----------
        model : that made it
        corrected : whether the user has put hints
        """
        self._gray, self._model = gray, model
        result = None if gray is None else self._results.of(gray)
        self.setVisible(done and result is not None)
        self.corrections.setVisible(corrected)

    def _on_examples(self) -> None:
        if self._gray is not None:
            self._fine_tune().pairs.choose_gray(self._gray)

    def _on_corrections(self) -> None:
        result = None if self._gray is None else self._results.of(self._gray)
        if self._gray is not None and result is not None:
            self._fine_tune().pairs.add_layers(self._gray, result.layer)

    def _fine_tune(self) -> Any:
        """Open the dock, to go on from the model that made the result."""
        dock = show_dock(self._viewer, "Fine-tune")
        if self._model in dock.form.start.choices:  # and so no file from elsewhere
            dock.choose_start(self._model)
        return dock
