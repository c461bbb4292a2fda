"""One viewer with our three docks, as a user has them before them."""

import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import napari
import numpy as np
from napari.utils.progress import progress
from qtpy.QtCore import QEvent, QThreadPool
from qtpy.QtGui import QColor, QDesktopServices
from qtpy.QtWidgets import QApplication, QColorDialog, QFileDialog, QMessageBox
from superqt.utils._qthreading import WorkerBase

from napari_colorgan.checkpoints import zoo
from napari_colorgan.inference import engines
from napari_colorgan.widgets.colorize.results import LAYER_KEY
from napari_colorgan.widgets.parts.threads import JobWorker
from tests.display import has_display, keep_programs, start_xvfb
from tests.soak.user.models import write_models
from tests.soak.user.watch import Watch, ours_at_work

DOCKS = ("Colorize", "Fine-tune", "Model manager")
_PATIENCE = 60.0  # s that tiny work may take on a busy machine


class Desk:
    """What a user sees, and answers to the questions that windows ask.

    Parameters
    ----------
    folder : where files of the user's are
    """

    def __init__(self, folder: Path, random: np.random.Generator) -> None:
        if not has_display():
            start_xvfb()
        keep_programs()
        self.folder, self.random = folder, random
        self.agrees = True
        """What the user says when asked whether they are sure."""
        self._numbers = itertools.count()
        self._watch = Watch()
        self._watch.begin()
        engines.possible_engines = lambda _: ["torch"]  # none is timed
        write_models(zoo.user_folder())
        self._answer_windows()
        self.viewer: Any = napari.Viewer()
        self.app: Any = QApplication.instance()
        self.docks: dict[str, Any] = {}

    # -- what a user sees

    @property
    def colorize(self) -> Any:
        return self.docks["Colorize"]

    @property
    def fine_tune(self) -> Any:
        return self.docks["Fine-tune"]

    @property
    def models(self) -> Any:
        return self.docks["Model manager"]

    def open_docks(self) -> None:
        """Open those that are not open."""
        for name in DOCKS:
            if name not in self.docks:
                window = self.viewer.window
                _, dock = window.add_plugin_dock_widget("napari-colorgan", name)
                self.docks[name] = dock

    def close_docks(self) -> None:
        """Close all docks, whatever they do."""
        for dock in self.docks.values():
            self.viewer.window.remove_dock_widget(dock)
        self.docks.clear()

    def leave(self) -> None:
        """Close the viewer."""
        self.viewer.close()
        self.go_on()
        self._watch.end()

    def go_on(self, seconds: float = 0.0) -> None:
        """Let Qt do what there is to do, and for some time more."""
        end = time.monotonic() + seconds
        while True:
            self.app.processEvents()
            QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            if time.monotonic() >= end:
                return
            time.sleep(0.002)

    def wait(self, until: Callable[[], bool]) -> bool:
        """Go on until something holds; whether it did in time."""
        end = time.monotonic() + _PATIENCE
        while not until():
            if time.monotonic() > end:
                return False
            self.go_on(0.005)
        return True

    def rest(self) -> str:
        """Wait until nothing is done any more; a fault if that never comes."""
        training = self.docks.get("Fine-tune")
        if training is not None and training._jobs.paused:
            training.controls.pause.native.click()
        if self.wait(lambda: not WorkerBase._worker_set):
            self.go_on()
            return ""
        return f"after {_PATIENCE:.0f} s there still works {sorted(ours_at_work())}"

    # -- what must never be seen

    def faults(self, *, resting: bool) -> list[str]:
        """Say what is wrong by now."""
        if not resting or WorkerBase._worker_set:
            return self._watch.taken()
        return [*self._watch.taken(), *filter(None, self._stuck())]

    def unstopped(self) -> str:
        """Say what was not asked to stop although all docks are closed.

        Layers that get colours where they are looked at go on doing so.
        """
        workers = [
            each for each in WorkerBase._worker_set if isinstance(each, JobWorker)
        ]
        frames = [each._gen.gi_frame for each in workers if not each.control.stop]
        jobs = [
            each.f_locals["job"].__qualname__ for each in frames if each is not None
        ]
        jobs = [job for job in jobs if "SeenColors" not in job]
        return f"closed docks go on with {jobs}" if jobs else ""

    def left_over(self) -> list[str]:
        """Say what still works although all docks are closed and at rest."""
        pool = QThreadPool.globalInstance()
        assert pool is not None
        self.wait(lambda: not pool.activeThreadCount())
        count = pool.activeThreadCount()
        found = [f"{count} threads of Qt's are left"] if count else []
        return found + [f"thread {name} is left" for name in ours_at_work()]

    def _stuck(self) -> Iterator[str]:
        """What should not be so where nothing works."""
        if self.docks:
            yield from self._stuck_colorize()
            yield from self._stuck_fine_tune()
            yield from self._stuck_models()
        bars = [bar.desc for bar in progress._all_instances if not bar.disable]
        yield f"bars of progress are left: {bars}" if bars else ""
        for layer in self.viewer.layers:
            record = layer.metadata.get(LAYER_KEY, {})
            if record.get("why") == "in progress":
                yield f"the record of '{layer.name}' says that it is in progress"

    def _stuck_colorize(self) -> Iterator[str]:
        dock = self.colorize
        missing, status = dock._missing(), dock.status.value
        usable = dock.run.enabled and dock.run.native.isVisibleTo(dock)
        yield "Colorize says that it is busy" if dock.busy else ""
        yield f"Colorize is {dock.run.enabled}, missing {missing!r}" * (
            usable == bool(missing)
        )
        yield "Colorize: Stop is enabled" if dock.stop.enabled else ""
        yield f"Colorize says {status!r}" if _unfinished(status) else ""
        shown = dock.running.progress.native.isVisibleTo(dock)
        yield "Colorize shows a bar" if shown else ""
        ask = dock.hints.alternatives.ask.text()
        yield f"Colorize: button {ask!r}" if _unfinished(ask) else ""
        preview = dock.preview.text
        yield f"preview says {preview!r}" if "Preparing" in preview else ""

    def _stuck_fine_tune(self) -> Iterator[str]:
        dock = self.fine_tune
        start, missing = dock.controls.start, dock.pairs.missing
        yield "Fine-tune says that it is busy" if dock.busy else ""
        yield f"Start is {start.enabled}, missing {missing!r}" * (
            start.enabled == bool(missing)
        )
        yield "Start is hidden" if not start.native.isVisibleTo(dock) else ""
        status = dock.training.status.value
        yield f"Fine-tune says {status!r}" if _unfinished(status) else ""
        panel = dock.outcome
        if panel.outcome is not None:
            yield "Discard is disabled" if not panel.discard.enabled else ""

    def _stuck_models(self) -> Iterator[str]:
        dock = self.models
        yield "Model manager says that it is busy" if dock.busy else ""
        status = dock.work.status.value
        yield f"Model manager says {status!r}" if _unfinished(status) else ""
        free = dock.buttons.import_.enabled
        yield "Import... is disabled" if not free else ""

    # -- answers

    def _answer_windows(self) -> None:
        """Answer at once what windows of their own would ask."""
        buttons = QMessageBox.StandardButton

        def place(_: Any, title: str, suggested: str = "", *more: Any) -> Any:
            name = Path(suggested).name or "saved"
            path = str(self.folder / f"{next(self._numbers)} {name}")
            return (path, more[-1] if more else "") if self.agrees else ("", "")

        def file(*_: Any) -> Any:
            files = sorted(map(str, self.folder.glob("*.*")))
            pick = self.random.integers(len(files) or 1)
            return (files[pick] if self.agrees and files else "", "")

        def folder(*_: Any) -> str:
            return str(self.folder) if self.agrees else ""

        QFileDialog.getSaveFileName = place
        QFileDialog.getOpenFileName = file
        QFileDialog.getExistingDirectory = folder
        QMessageBox.question = lambda *_: buttons.Yes if self.agrees else buttons.No
        QColorDialog.getColor = lambda *_: QColor(
            *self.random.integers(0, 256, 3).tolist()
        )
        QDesktopServices.openUrl = lambda _: True


def _unfinished(text: str) -> bool:
    """Whether a text says that something goes on."""
    return (text.endswith("...") and text[0].isupper()) or text.endswith(" left")
