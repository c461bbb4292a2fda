"""The tables of a quality report, as CSV."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from napari_colorgan.metrics import FIGURES
from napari_colorgan.training.events import History
from napari_colorgan.training.report.page import Row


def image_table(rows: Sequence[Row]) -> bytes:
    """Return a line for every picture."""
    return _table(_image_lines(rows))


def curve_table(history: History) -> bytes:
    """Return a line for every step at which a loss or a validation is known."""
    return _table(_curve_lines(history))


def _table(lines: Iterable[Mapping[str, object]]) -> bytes:
    """CSV of lines with the same names; what is not a number is left empty."""
    text = io.StringIO()
    writer: csv.DictWriter[str] | None = None
    for line in lines:
        if writer is None:
            writer = csv.DictWriter(text, list(line), lineterminator="\n")
            writer.writeheader()
        writer.writerow(
            {
                name: "" if isinstance(value, float) and math.isnan(value) else value
                for name, value in line.items()
            }
        )
    return text.getvalue().encode("utf-8", "backslashreplace")


def _image_lines(rows: Sequence[Row]) -> Iterator[Mapping[str, object]]:
    for row in rows:
        kinds = {"": row.result, "_gray": row.gray}
        if row.before is not None:
            kinds["_before"] = row.before
        yield {"name": row.name} | {
            f"{figure}{kind}": getattr(figures, figure)
            for kind, figures in kinds.items()
            for figure in FIGURES
        }


def _curve_lines(history: History) -> Iterator[Mapping[str, object]]:
    losses = dict(history.losses)
    scores = {event.done: event for event in history.validations}
    for step in sorted(losses | scores):
        event = scores.get(step)
        figures = {name: getattr(event.now, name) if event else "" for name in FIGURES}
        yield {
            "step": step,
            "loss": losses.get(step, ""),
            **figures,
            "psnr_gray": event.gray.psnr if event else "",
            "psnr_before": event.before.psnr if event else "",
            "best": int(event.best) if event else "",
        }
