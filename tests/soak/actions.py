"""A user does this and that in three docks; nothing breaks, hangs or stays behind.

Hypothesis chooses what is done, in a thread of its own: it imagines the user, and what
it chooses is done here, where Qt is, as one trial each. It does not shrink: work in
threads is never twice the same. A fault names the steps that led to it.
"""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.soak.row import Row, Trial
from tests.soak.user.deeds import DEEDS
from tests.soak.user.desk import Desk
from tests.soak.user.watch import told_of

_STEPS = 60  # of one walk, from open docks to closed ones
_LATEST = 25  # steps that a fault names
_WAITS = ("no", "no", "a moment", "until all rests")
_BEGIN, _END = "begin", "end"
_WALK = (  # number and share of each; the first trial, and the telling one
    ("choose_model", 0, 0.0),
    ("add_layer", 0, 0.0),
    ("add_layer", 1, 0.0),
    ("choose_layers", 1, 0.0),
    ("colorize", 0, 0.0),
    ("add_hint", 0, 0.0),
    ("add_hint", 5, 0.5),
    ("colorize", 0, 0.0),
    ("add_pair", 0, 0.0),
    ("remove_layer", 0, 0.0),
    ("start_training", 0, 0.0),
)


class _Over(BaseException):
    """Time is up; hypothesis lets it pass."""


@dataclass
class _Imagined:
    """From the thread of hypothesis to this one, a step at a time."""

    asked: "Queue[tuple[str, int, float, str] | None]" = field(default_factory=Queue)
    done: "Queue[None]" = field(default_factory=Queue)
    over: bool = False

    def do(self, *step: Any) -> None:
        """Wait until a step was done."""
        if not self.over:
            self.asked.put(step)
            self.done.get()
        if self.over:
            raise _Over


def _machine(imagined: _Imagined) -> type[RuleBasedStateMachine]:
    """A user who does anything at any time."""

    def deed(name: str) -> Any:
        def act(self: Any, n: int, x: float, wait: str) -> None:
            imagined.do(name, n, x, wait)

        return rule(
            n=st.integers(0, 999), x=st.floats(0, 1), wait=st.sampled_from(_WAITS)
        )(act)

    def begin(self: Any) -> None:
        imagined.do(_BEGIN, 0, 0.0, "no")

    def teardown(self: Any) -> None:
        imagined.do(_END, 0, 0.0, "no")

    deeds = {name.replace(" ", "_"): deed(name) for name in DEEDS}
    members = {"begin": initialize()(begin), "teardown": teardown}
    return type("User", (RuleBasedStateMachine,), deeds | members)


def _imagine(imagined: _Imagined, number: int) -> None:
    """Have hypothesis choose steps until it is told to end."""
    machine = seed(number)(_machine(imagined))
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=100_000,
                stateful_step_count=_STEPS,
                phases=[Phase.generate],
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    except _Over:
        pass
    finally:
        imagined.asked.put(None)


class _Session:
    """Does the steps, and keeps what was done lately."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._lately: deque[str] = deque(maxlen=_LATEST)

    def trial(self, name: str, n: int, x: float, wait: str) -> Trial | None:
        """One step; None where it could not be done."""
        if name == _BEGIN:
            self.begin()
            return None
        if name == _END:
            return self.end(rests=self.desk.random.random() < 0.5)
        late = ""
        try:
            told = DEEDS[name](self.desk, n, x)
        except Exception as error:
            told, late = f"try to {name} ({n}, {x})", told_of(error)
        if not told:
            return None
        print(told, f"({wait})" * (wait != "no"), flush=True)  # for when all is gone
        self._lately.append(told)
        if wait == "until all rests":
            late = late or self.desk.rest()
        else:
            self.desk.go_on(0.05 if wait == "a moment" else 0.0)
        return self._judged(name, late, resting=wait == "until all rests")

    def walk(self) -> Trial:
        """What most users do, one after the other."""
        self.begin()
        for name, n, x in _WALK:
            wait = "no" if name == "start_training" else "until all rests"
            step = self.trial(name, n, x, wait)
            if step is not None and step.fault:
                return step
        return Trial(self.end(rests=False).fault, "walk")

    def begin(self) -> None:
        """Open docks in an empty viewer."""
        self._lately.clear()
        self.desk.viewer.layers.clear()
        self.desk.viewer.dims.ndisplay = 2
        self.desk.open_docks()
        self.desk.go_on()

    def end(self, *, rests: bool) -> Trial:
        """Close the docks, whatever they do, or once all rests."""
        late, judged = "", Trial(kind="end")
        if rests:
            late = self.desk.rest()
            judged = self._judged("end", late, resting=True)
        self._lately.append("close all docks")
        self.desk.close_docks()
        late = late or self.desk.unstopped()
        late = late or self.desk.rest() or ", ".join(self.desk.left_over())
        return judged if judged.fault else self._judged("end", late, resting=True)

    def _judged(self, kind: str, late: str, *, resting: bool) -> Trial:
        faults = [late] if late else []
        faults += self.desk.faults(resting=resting and not late)
        if not faults:
            return Trial(kind=kind)
        steps = "; ".join(self._lately)
        return Trial(f"{' | '.join(faults)} -- after: {steps}", kind)


def trials(random: np.random.Generator, folder: Path) -> Iterator[Trial]:
    """Do what hypothesis imagines, after what most users do."""
    session = _Session(Desk(folder, random))
    imagined = _Imagined()
    number = int(random.integers(1 << 30))
    thread = threading.Thread(target=_imagine, args=(imagined, number))
    try:
        yield session.walk()
        thread.start()
        while (step := imagined.asked.get()) is not None:
            trial = session.trial(*step)
            if trial is not None:
                yield trial
            imagined.done.put(None)
    finally:
        imagined.over = True
        imagined.done.put(None)
        session.end(rests=True)
        session.desk.leave()


ROW = Row(
    what="random actions of a user in three docks of one viewer",
    promise="no exception, no stuck button, no thread left",
    count=2000,
    trials=trials,
    share=4.0,
)
