"""`python -m tests.soak.mutants [MODULE ...]`: how many changes do the tests notice?

Each mutant, a module with one small change, meets the tests of that module in a process
of its own, forked from one in which everything but our own package is imported. Prints
the part of mutants that were noticed, and those that were not. Needs `fork`.
"""

import argparse
import importlib
import importlib.abc
import importlib.util
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from types import CodeType

from tests.soak.mutations import Mutant, mutants

ROOT = Path(__file__).parents[2]
TESTS = {
    "color": ["test_color.py"],
    "inference.tiling": ["test_tiling.py"],
    "inference.hints": ["test_hints.py"],
}
"""Modules of napari_colorgan, and the files of the tests that must notice."""

PATIENCE = 4.0  # times what the tests take of CPU without a change; then it hangs
OURS = ("napari_colorgan", "tests", "conftest", "test_", "_pytest", "pytest")


class Changed(importlib.abc.MetaPathFinder):
    """Finds one module in its changed form."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self.name, self.path, self.code = name, path, code

    def find_spec(self, name: str, path: object = None, target: object = None):
        """Tell of the changed module, and of no other."""
        if name != self.name:
            return None
        loader = importlib.machinery.SourceFileLoader(name, str(self.path))
        loader.get_code = lambda _: self.code  # type: ignore[method-assign]
        return importlib.util.spec_from_file_location(name, self.path, loader=loader)


def in_child(work: Callable[[], int], seconds: float) -> int:
    """Exit code of `work` in a forked process; negative if it had to be ended."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    code = 1
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        signal.alarm(int(20 * seconds) + 60)  # what waits takes no CPU
        silence = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(silence, number)
        code = work()
    finally:
        os._exit(code)


def run_tests(files: Sequence[str]) -> int:
    """Exit code of pytest, which stops at the first test that fails."""
    import pytest

    options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain"]
    options += ["--hypothesis-seed=0", "-p", "no:xdist", "-p", "no:randomly"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        options += ["--basetemp", f"{folder}/tests"]
        return int(pytest.main([*options, *(str(ROOT / "tests" / f) for f in files)]))


def warm(files: Sequence[str]) -> None:
    """Import what the tests import, but nothing that may hold on to our package."""
    with tempfile.NamedTemporaryFile() as file:

        def note() -> int:
            code = run_tests(files)
            Path(file.name).write_text(json.dumps(list(sys.modules)))
            return code

        code = in_child(note, 3600)
        if code:
            sys.exit(f"The tests {', '.join(files)} fail without any change ({code}).")
        for name in json.loads(Path(file.name).read_text()):
            if not name.startswith(OURS) and "pytest" not in name:
                with suppress(Exception):
                    importlib.import_module(name)


def noticed(module: str, mutant: Mutant, seconds: float) -> bool:
    """Whether any test of a module fails with a change of it."""
    name = f"napari_colorgan.{module}"
    path = path_of(module)

    def work() -> int:
        code = compile(mutant.tree, str(path), "exec")
        sys.meta_path.insert(0, Changed(name, path, code))
        return run_tests(TESTS[module])

    return in_child(work, seconds) != 0


def path_of(module: str) -> Path:
    """Source of a module of ours."""
    return ROOT.joinpath("napari_colorgan", *module.split(".")).with_suffix(".py")


def survivors(module: str, sample: int, jobs: int) -> Iterator[Mutant]:
    """Yield the mutants that no test notices, and print how many there are."""
    chosen = mutants(path_of(module).read_text(encoding="utf-8"))
    total = len(chosen)
    if sample and sample < total:
        numbers = sorted(random.Random(0).sample(range(total), sample))
        chosen = [chosen[number] for number in numbers]
    warm(TESTS[module])
    with measured() as took:
        if in_child(lambda: run_tests(TESTS[module]), 3600):
            sys.exit("The tests fail when they run again.")
    seconds = PATIENCE * took() + 5
    with ThreadPoolExecutor(jobs) as pool:
        answers = pool.map(lambda mutant: noticed(module, mutant, seconds), chosen)
        left = []
        for mutant, found in zip(chosen, answers, strict=True):
            if not found:
                left.append(mutant)
                yield mutant
    killed = len(chosen) - len(left)
    print(
        f"| {module} | {killed} of {len(chosen)} | {100 * killed / len(chosen):.1f} % |"
        f"  (of {total} in all; the tests take {took():.1f} s)",
        flush=True,
    )


@contextmanager
def measured() -> Iterator[Callable[[], float]]:
    """Give a function that tells the CPU time of children that ended meanwhile, s."""
    before = os.times()
    taken: list[float] = []
    yield lambda: taken[0]
    after = os.times()
    taken.append(
        after.children_user
        + after.children_system
        - before.children_user
        - before.children_system
    )


def main() -> None:
    """Read the options and do as they say."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak.mutants", description=__doc__
    )
    parser.add_argument("modules", nargs="*", choices=[[], *TESTS], default=[])
    parser.add_argument("--sample", type=int, default=0, help="mutants; 0: all")
    parser.add_argument("--jobs", type=int, default=1, help="side by side")
    options = parser.parse_args()
    start = time.monotonic()
    for module in options.modules or TESTS:
        for mutant in survivors(module, options.sample, options.jobs):
            print(f"survives in {module}, {mutant}", flush=True)
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
