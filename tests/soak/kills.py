"""Processes are killed while they write; afterwards all is whole, consistent and clean.

Each trial forks a process that does one thing again and again, with two versions in
turn, and kills it within one of them. What must hold is checked after what the next
process does at its start: it lists the models, and uses the folders.
"""

import os
import shutil
import signal
import time
import traceback
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import numpy as np
import torch

from napari_colorgan.checkpoints import zoo
from tests.soak import kills_files as files
from tests.soak import kills_models as models
from tests.soak.killing import Action, Place
from tests.soak.row import Row, Trial

_LONGEST: Final = 10.0  # s of an action

ACTIONS: Final = (
    models.INSTALL,
    models.RENAME,
    models.DELETE,
    models.OLDER[0],
    files.PNG,
    files.STORE,
    files.STATE,
    files.TIFF,
    files.REPORT,
    files.SAVE,
    *models.OLDER[1:],
    *files.BEGUN,
)


def trials(rng: np.random.Generator, folder: Path) -> Iterator[Trial]:
    """Kill each kind of action in turn."""
    torch.set_num_threads(1)  # others would not be there after a fork
    for number in count():
        action = ACTIONS[number % len(ACTIONS)]
        place = Place(folder / str(number))
        place.folder.mkdir()
        _clear(zoo.user_folder())
        action.prepare(place)
        try:
            fault = _kill(action, place, rng.random()) or action.fault(place)
        except Exception as error:  # whatever cannot be read is torn
            fault = f"torn: {type(error).__name__}: {error}"
        yield Trial(f"{action.kind}: {fault}" if fault else "", action.kind)
        _clear(place.folder)


def _kill(action: Action, place: Place, share: float) -> str:
    """Do something in another process, and kill it within the second time or third."""
    reader, writer = os.pipe()
    if not (pid := os.fork()):
        try:
            for number in range(action.most):
                action.do(place, number)
                os.write(writer, b".")
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writer)
    start = time.monotonic()
    if os.read(reader, 1):  # it was done once
        took = min(time.monotonic() - start, _LONGEST)
        time.sleep(took * share * min(2, action.most - 1))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    os.close(reader)
    return "" if status in (0, signal.SIGKILL) else f"ended with {status}"


def _clear(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)


ROW = Row(
    "processes killed while they save, install, rename, delete or write results",
    "nothing is torn, nothing of two versions, no stray file after the next start",
    1000,
    trials,
    share=2.0,
)
