"""Faults in a real viewer: what a user sees of them, and what they leave behind."""

import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.soak.desk import open_desk
from tests.soak.fault_docks import DOCKS
from tests.soak.fault_runs import LAST, RUNS
from tests.soak.row import Row, Trial

FAULTS = (*RUNS, *DOCKS, *LAST)


def trials(rng: np.random.Generator, folder: Path) -> Iterator[Trial]:
    """Drive each fault in one process, one after the other, with the same docks."""
    del rng
    with open_desk(folder) as desk:
        for fault in FAULTS:
            broken = ""
            try:
                fault(desk)
                desk.wait(desk.quiet)
                desk.rest()
                expected = [text for text in desk.trouble if "broken off" in text]
                broken = "; ".join(t for t in desk.trouble if t not in expected)
            except Exception:
                broken = f"{traceback.format_exc()[-900:]}; {desk.state()}"
            yield Trial(f"{fault.__name__}: {broken}" if broken else "", "driven")
            desk.clear()


ROW = Row(
    what="faults in napari: layers, files, values and memory go wrong during a run",
    promise="a sentence in the dock, its buttons work, no exception, no thread left",
    count=len(FAULTS),
    trials=trials,
)
