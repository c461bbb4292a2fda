"""`python -m tests.soak --minutes N`: the table of promises and what was tried.

Each row runs in a process of its own, so that a crash is a fault of that row alone.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from tests.soak.row import Row, Tally, tally

NAMES: tuple[str, ...] = (
    "hostile",
    "pictures",
    "inputs",
    "damaged",
    "kills",
    "actions",
    "faults",
    "blocks",
    "trainings",
    "sockets",
)
"""Modules of this package that hold a `ROW`, in the order of the table."""

_HOMES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
"""What is set to an empty folder, for the user's own models are not to be tried."""

_GRACE = 120.0  # seconds that the last trial and the way out may take


def row(name: str) -> Row:
    """Import a row; what it needs is imported with it."""
    found = import_module(f"tests.soak.{name}").ROW
    assert isinstance(found, Row)
    return found


def run(name: str, seed: int, seconds: float) -> Tally:
    """Run a row in a process of its own; what ends or hangs it is a fault, too."""
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        outcome = Path(folder) / "outcome.json"
        command = [sys.executable, "-m", "tests.soak", "--only", name]
        command += ["--seed", str(seed), "--seconds", str(seconds)]
        process = subprocess.Popen(
            [*command, "--outcome", str(outcome)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=Path(__file__).parents[2],
            env=os.environ | dict.fromkeys(_HOMES, folder),
            start_new_session=True,  # so that all of its processes can be ended
        )
        try:
            output, _ = process.communicate(timeout=seconds + _GRACE)
            fault = f"ended with {process.returncode}: {_end_of(output)}"
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            fault = f"hangs: {_end_of(output)}"
        if outcome.exists() and process.returncode == 0:
            return Tally(**json.loads(outcome.read_text()))
    return Tally(0, seconds, {}, {}, [fault])


def _end_of(output: str) -> str:
    """Last words of a process, without the modules that a crash lists."""
    said = (line for line in output.splitlines() if "Extension modules:" not in line)
    return "\n".join(said)[-4000:]


def line(row: Row, tally: Tally) -> str:
    """Row of the printed table, in Markdown."""
    figures = ", ".join(f"{k} {v:.3g}" for k, v in sorted(tally.figures.items()))
    cells = (row.what, row.promise, f"{tally.tried:,}", str(len(tally.faults)), figures)
    return f"| {' | '.join(cells)} |"


def table(names: Sequence[str], seed: int, minutes: float, jobs: int) -> int:
    """Run rows, print the table and each fault; return how many faults there are."""
    rows = {name: row(name) for name in names}
    shares = sum(one.share for one in rows.values())
    lone = sum(one.share for one in rows.values() if one.alone)
    unit = minutes * 60 / (lone + (shares - lone) / jobs)

    def of(name: str) -> Tally:
        return run(name, seed, unit * rows[name].share)

    tallies = {name: of(name) for name in names if rows[name].alone}
    with ThreadPoolExecutor(jobs) as pool:
        others = [name for name in names if name not in tallies]
        tallies.update(zip(others, pool.map(of, others), strict=True))
    print("| what is tried | what must hold | trials | broken | largest |")
    print("|---|---|---|---|---|")
    for name in names:
        print(line(rows[name], tallies[name]))
    for name in names:
        kinds = tallies[name].kinds
        counted = ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds) if kind)
        print(f"\n{name}: {tallies[name].seconds:.0f} s. {counted}")
        for fault in tallies[name].faults:
            print(f"  broken: {fault}")
    return sum(len(one.faults) for one in tallies.values())


def main() -> int:
    """Read the options and do as they say."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of all rows")
    parser.add_argument("--only", nargs="*", choices=NAMES, help="these rows")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="rows side by side")
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--outcome", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.only or NAMES
    if options.outcome is None:
        return int(table(names, options.seed, options.minutes, options.jobs) > 0)
    work = options.outcome.parent / "work"
    work.mkdir()
    result = tally(row(names[0]), options.seed, work, options.seconds)
    options.outcome.write_text(json.dumps(result.as_dict()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
