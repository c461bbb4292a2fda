"""Row: files of strangers, each in each place where a user may meet it."""

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np

from tests.soak.case import Case, Trying
from tests.soak.row import Row, Trial

_SOURCES: tuple[str, ...] = (
    "hostile_cards",
    "hostile_shown",
    "hostile_pictures",
    "hostile_models",
)
"""Modules of this package with a function `cases`."""


_FIRST = 100  # cases


def all_cases() -> list[Case]:
    """Every case; those that import least come first."""
    cases = [
        case
        for name in _SOURCES
        for case in import_module(f"tests.soak.{name}").cases()
    ]
    names = [f"{case.act.name}, {case.name}" for case in cases]
    assert len(set(names)) == len(names), "two cases of one name"
    return sorted(cases, key=lambda case: len(case.act.needs))


def _in_order(random: np.random.Generator) -> list[Case]:
    """Some that import little, for those who have no time, then the others as drawn."""
    cases = all_cases()
    least = len(cases[0].act.needs)
    random.shuffle(cases)
    first = [case for case in cases if len(case.act.needs) == least][:_FIRST]
    names = {(case.act.name, case.name) for case in first}
    return first + [c for c in cases if (c.act.name, c.name) not in names]


def _trials(random: np.random.Generator, folder: Path) -> Iterator[Trial]:
    if not sys.platform.startswith("linux"):
        yield Trial(kind="not tried: it needs limits that only Linux has")
        return
    trying = Trying(folder)
    for case in _in_order(random):
        yield trying.attempt(case)


ROW = Row(
    "hostile files",
    "each is refused within 1 s of CPU and 256 MB, or harmless; nothing is run",
    count=2000,  # all there are
    trials=_trials,
    share=4.0,
)
