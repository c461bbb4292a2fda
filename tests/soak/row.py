"""A row of the table: one promise, and trials that try to break it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Trial:
    """One attempt to break a promise.

    Attributes
    ----------
    fault : what was broken, and how to see it again, in one line; empty: it held
    kind : what was attempted, counted by its name
    figures : measured on the way; the table shows the largest of each name
    """

    fault: str = ""
    kind: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


Trials = Callable[[np.random.Generator, Path], Iterator[Trial]]
"""From a random generator and an empty folder: trials without end, or all there are.

Closed when time is up: clean up in `finally`. A trial lasts seconds at most.
"""


@dataclass(frozen=True)
class Row:
    """What is promised, and how it is tried.

    Attributes
    ----------
    what : first column of the table
    promise : what must hold, in the words of a user
    count : trials of a full run; fewer where time runs out
    share : of the time, relative to the other rows
    alone : whether it measures time, so that nothing may run beside it
    """

    what: str
    promise: str
    count: int
    trials: Trials
    share: float = 1.0
    alone: bool = False


@dataclass(frozen=True)
class Tally:
    """What came of a row; `asdict` and JSON carry it between processes."""

    tried: int
    seconds: float
    kinds: Mapping[str, int]
    figures: Mapping[str, float]
    faults: list[str]

    def as_dict(self) -> dict[str, Any]:
        """All of it as JSON can hold it."""
        return asdict(self)


def tally(row: Row, seed: int, folder: Path, seconds: float) -> Tally:
    """Run trials until there are enough, or time is up; at least one is run."""
    start = time.monotonic()
    tried = 0
    kinds: Counter[str] = Counter()
    figures: dict[str, float] = {}
    faults: list[str] = []
    trials = row.trials(np.random.default_rng(seed), folder)
    try:
        for trial in trials:
            tried += 1
            kinds[trial.kind] += 1
            for name, value in trial.figures.items():
                figures[name] = max(value, figures.get(name, value))
            if trial.fault:
                faults.append(trial.fault)
            if tried >= row.count or time.monotonic() - start >= seconds:
                break
    finally:
        trials.close()
    return Tally(tried, time.monotonic() - start, dict(kinds), figures, faults)
