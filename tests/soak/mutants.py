"""`python -m tests.soak.mutants [MODULE ...]`: how many changes do the tests notice?

Each mutant, a module with one small change, meets the tests of that module in a process
of its own, forked from one that has imported and collected all of them. Prints the part
of mutants that were noticed, and those that were not. Needs `fork`.
"""

import argparse
import ast
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import CodeType, ModuleType

import pytest
from hypothesis import Phase, settings

from tests.soak.mutations import mutants

ROOT = Path(__file__).parents[2]
OURS = (str(ROOT / "napari_colorgan"), str(ROOT / "tests"))
TESTS = {
    "color": ["test_color.py"],
    "inference.tiling": ["test_tiling.py"],
    "inference.hints": ["test_hint_values.py", "test_hints.py"],
    "checkpoints.store": ["test_checkpoints.py", "test_formats.py"],
    "checkpoints.atomic": ["test_checkpoints.py"],
    "checkpoints.formats": ["test_formats.py"],
}
"""Modules of napari_colorgan, and the files of the tests that must notice."""

OPTIONS = ["-q", "-s", "--assert=plain", "--hypothesis-seed=0", "--tb=no"]
OPTIONS += ["-p", "no:cacheprovider", "--timeout=0", "-p", "no:faulthandler"]
PATIENCE = 4.0  # times the CPU that the tests take without a change; then it hangs
MEMORY = 8 << 30  # bytes; who wants more has noticed


def path_of(module: str) -> Path:
    """Source of a module of ours."""
    return ROOT.joinpath("napari_colorgan", *module.split(".")).with_suffix(".py")


def in_child(work: Callable[[], bool], seconds: float) -> bool:
    """Answer of `work` in a forked process; False if it had to be ended."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    good = False
    try:
        limit = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        silence = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(silence, number)
        good = work()
    finally:
        os._exit(not good)


def exchange(module: ModuleType, code: CodeType) -> None:
    """Put a module's changed form in its place, wherever its names are known."""
    other = ModuleType(module.__name__)
    other.__dict__.update(
        {k: v for k, v in vars(module).items() if k.startswith("__") and k != "__all__"}
    )
    sys.modules[module.__name__] = other
    exec(code, vars(other))  # what it imports is there, unchanged
    changes = {
        name: (old, getattr(other, name, None))
        for name, old in vars(module).items()
        if not (name.startswith("__") or isinstance(old, ModuleType))
    }
    changes[module.__name__.rpartition(".")[2]] = (module, other)
    for user in list(sys.modules.values()):
        if user is module or not str(getattr(user, "__file__", "")).startswith(OURS):
            continue
        for name, (old, new) in changes.items():
            if vars(user).get(name) is old:
                setattr(user, name, new)


class Trials:
    """In the place of pytest's loop: all mutants of a module, one after the other."""

    def __init__(
        self, module: str, sample: int, lines: list[int], folder: Path
    ) -> None:
        self.module, self.sample, self.folder = module, sample, folder
        self.lines = lines
        self.name = f"napari_colorgan.{module}"
        self.path = path_of(module)

    def pytest_collection(self) -> None:
        """Look for no smaller example where one has failed."""
        phases = (Phase.explicit, Phase.generate)
        settings.register_profile("mutants", settings(), phases=phases)
        settings.load_profile("mutants")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try all, or a sample."""
        source = self.path.read_text(encoding="utf-8")
        every = mutants(source)
        if self.lines:
            every = [mutant for mutant in every if mutant.line in self.lines]
        chosen = every
        if 0 < self.sample < len(every):
            numbers = random.Random(0).sample(range(len(every)), self.sample)
            chosen = [every[number] for number in sorted(numbers)]
        # `exchange` alone must not be noticed; and short tests come first
        unchanged = ast.parse(source)
        note = self.folder / "note.json"
        for _ in range(2):
            before = os.times().children_user
            if not in_child(lambda: self.passes(session, unchanged, note), 3600):
                raise pytest.UsageError(f"Tests of {self.module} fail unchanged.")
            needed = os.times().children_user - before
            noted = json.loads(note.read_text())
            session.items.sort(key=lambda item: noted["took"][item.nodeid])
            for name in noted["modules"]:
                with suppress(Exception):
                    import_module(name)
        survived = 0
        for mutant in chosen:
            seconds = PATIENCE * needed + 5
            if in_child(lambda m=mutant: self.passes(session, m.tree()), seconds):
                survived += 1
                print(f"\nsurvives in {self.module}, {mutant}", flush=True)
        killed = len(chosen) - survived
        part = 100 * killed / max(1, len(chosen))
        print(f"\n| {self.module} | {killed} of {len(chosen)} | {part:.1f} % |")
        return True

    def passes(
        self, session: pytest.Session, tree: ast.Module, note: Path | None = None
    ) -> bool:
        """Whether all tests pass with a change; if so, note times and imports."""
        code = compile(tree, str(self.path), "exec")
        exchange(sys.modules[self.name], code)
        took = {}
        for item, following in zip(
            session.items, [*session.items[1:], None], strict=True
        ):
            start = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                return False
            took[item.nodeid] = time.process_time() - start
        if note:
            note.write_text(json.dumps({"took": took, "modules": list(sys.modules)}))
        return True


def main() -> int:
    """Read the options and do as they say."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak.mutants", description=__doc__
    )
    parser.add_argument("modules", nargs="*", choices=[[], *TESTS], default=[])
    parser.add_argument("--sample", type=int, default=0, help="mutants; 0: all")
    parser.add_argument("--lines", type=int, nargs="*", default=[], help="only these")
    options = parser.parse_args()
    return max(
        try_one(name, options.sample, options.lines)
        for name in options.modules or TESTS
    )


def try_one(module: str, sample: int, lines: list[int]) -> int:
    """Try mutants of one module in a process of its own: its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        with tempfile.TemporaryDirectory() as folder:
            files = [str(ROOT / "tests" / name) for name in TESTS[module]]
            command = [*OPTIONS, "--basetemp", f"{folder}/tests", *files]
            trials = Trials(module, sample, lines, Path(folder))
            code = int(pytest.main(command, plugins=[trials]))
            sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
