"""A file of a stranger's, met by something that a user does; tried in a process alone.

What is said of each: it is refused in a sentence, or does no harm, in little time and
memory, and runs nothing.
"""

import contextlib
import importlib
import os
import resource
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from napari_colorgan.errors import ColorganError
from tests.soak.row import Trial

SECONDS = 1.0
"""Of CPU that a hostile file may take beyond an honest one."""
MEGABYTES = 256.0
"""Of memory that it may take beyond an honest one."""

_LONGEST = 30.0  # seconds that pass before it is said to hang; others compute, too
_MOST_CPU = 10  # seconds
_MOST_MORE = 4 << 30  # bytes of addresses beyond what the process has at first
_MOST_WRITTEN = 1 << 30  # bytes of a file


@dataclass(frozen=True)
class Act:
    """Something that a user does with a file, or with a folder that it lies in.

    Attributes
    ----------
    name : what is done, in a few words
    do : does it; a `ColorganError` is a refusal, any other error a fault, and so is an
        `AssertionError` of what must be so afterwards
    honest : prepares the same with an ordinary file, of which time and memory are
        not counted against the hostile one
    needs : modules that are imported before, so that nobody counts that
    """

    name: str
    do: Callable[[Path], object]
    honest: Callable[[Path], Path]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """A hostile file and where it is met.

    Attributes
    ----------
    name : which file, in a few words; with the name of the act it names the case
    prepare : makes it in an empty folder (see `models_folder`, `marker`), and returns
        the path that the act is given
    """

    name: str
    prepare: Callable[[Path], Path]
    act: Act


@dataclass(frozen=True)
class Outcome:
    """What became of an act."""

    fault: str
    refused: bool
    cpu: float
    megabytes: float


def marker(folder: Path) -> Path:
    """File that must never come to be: what a hostile file would run makes it."""
    return folder / "EXECUTED"


def models_folder(folder: Path) -> Path:
    """Folder of the user's models while a case in `folder` is tried."""
    models = folder / "data" / "napari-colorgan" / "models"
    models.mkdir(parents=True, exist_ok=True)
    return models


class Trying:
    """Tries cases, and remembers what each act costs with an honest file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._honest: dict[str, Outcome] = {}

    def attempt(self, case: Case) -> Trial:
        """Try one case in a process of its own."""
        act = case.act
        if act.name not in self._honest:
            for module in act.needs:
                importlib.import_module(module)
            for _ in range(2):  # the first one fills caches of files
                honest = self._in_a_process(act.honest, act.do)
            self._honest[act.name] = honest
        honest = self._honest[act.name]
        if honest.fault or honest.refused:
            return Trial(f"{act.name}, an honest file: {honest.fault or 'refused'}")
        found = self._in_a_process(case.prepare, act.do)
        cpu, more = found.cpu - honest.cpu, found.megabytes - honest.megabytes
        fault = found.fault
        if not fault and cpu > SECONDS:
            fault = f"takes {cpu:.1f} s of CPU"
        if not fault and more > MEGABYTES:
            fault = f"takes {more:.0f} MB"
        return Trial(
            f"{act.name}, {case.name}: {fault}" if fault else "",
            "broken" if fault else "refused" if found.refused else "harmless",
            {"CPU (s)": max(0.0, cpu), "memory (MB)": max(0.0, more)},
        )

    def _in_a_process(
        self, prepare: Callable[[Path], Path], do: Callable[[Path], object]
    ) -> Outcome:
        folder = self._folder / "case"
        folder.mkdir()
        try:
            return _outcome(folder, prepare(folder), do)
        finally:
            shutil.rmtree(folder, onerror=_make_removable)


def _outcome(folder: Path, path: Path, do: Callable[[Path], object]) -> Outcome:
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        os.close(reading)
        _act(folder, path, do, writing)  # does not return
    os.close(writing)
    with os.fdopen(reading, errors="replace") as pipe:
        before, _, said = pipe.read().partition("\n")
    _, status, used = os.wait4(process, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)  # what it may have started
    fault = "" if said in ("done", "refused") else said or _ended(status, folder)
    if marker(folder).exists():
        fault = "a program in it was run"
    megabytes = (used.ru_maxrss - int(before or 0)) / 1024
    return Outcome(fault, said == "refused", used.ru_utime + used.ru_stime, megabytes)


def _act(folder: Path, path: Path, do: Callable[[Path], object], pipe: int) -> None:
    """Do it in this process, which is limited, and end it."""
    os.setsid()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    os.write(pipe, f"{before}\n".encode())
    with open(folder / "said.txt", "wb") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    os.environ["XDG_DATA_HOME"] = str(folder / "data")
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    signal.setitimer(signal.ITIMER_REAL, _LONGEST)
    resource.setrlimit(resource.RLIMIT_CPU, (_MOST_CPU, _MOST_CPU))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + _MOST_MORE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MOST_WRITTEN, _MOST_WRITTEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    outcome = "done"
    try:
        do(path)
    except ColorganError as error:
        outcome = "refused" if str(error).strip() else "refused without a word"
    except BaseException as error:
        outcome = f"raises {type(error).__name__}: {str(error)[:300]}"
    os.write(pipe, outcome.encode(errors="backslashreplace"))
    os._exit(0)


def _ended(status: int, folder: Path) -> str:
    number = os.WTERMSIG(status)
    if number == signal.SIGALRM:
        return "hangs"
    if number == signal.SIGXCPU or number == signal.SIGKILL:
        return "computes without end, or fills the memory"
    said = (folder / "said.txt").read_text(errors="replace")[-300:]
    return f"ends the process (status {status}): {said}"


def _make_removable(remove: Callable[[str], object], path: str, _: object) -> None:
    os.chmod(os.path.dirname(path), 0o700)
    remove(path)
