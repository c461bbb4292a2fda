"""What the README promises holds for some seconds of trying to break it.

`python -m tests.soak --minutes N` tries for longer, and prints a table.
"""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))  # as for `python -m`

from tests.soak.__main__ import NAMES, run

SECONDS = 2.0
"""Of trials for a row; its imports take as long again."""


@pytest.mark.parametrize("name", NAMES)
def test_a_promise_holds(name):
    tally = run(name, seed=1, seconds=SECONDS)
    assert tally.tried > 0 or tally.faults
    assert tally.faults == []
