"""Row: a training that is killed at any time goes on as if nothing had happened."""

import hashlib
import json
import os
import signal
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from PIL import Image

from napari_colorgan import drafts
from napari_colorgan.checkpoints import atomic, store
from napari_colorgan.checkpoints.metadata import Metadata
from napari_colorgan.checkpoints.store import Checkpoint, load, save
from napari_colorgan.job import finish
from napari_colorgan.models import GeneratorSpec, build, compact
from napari_colorgan.training import (
    logs,
    loop,
    reserving,
    run_files,
    runs,
    state,
    train,
)
from napari_colorgan.training.events import Trained
from napari_colorgan.training.fine_tune import fine_tune_job
from napari_colorgan.training.pairs import Pair, pairs_of
from napari_colorgan.training.recipe import Recipe
from napari_colorgan.training.run_jobs import begin_job, resume_job
from napari_colorgan.training.runs import RunFolder, RunSettings
from napari_colorgan.training.settings import FineTuneConfig, TrainConfig
from napari_colorgan.training.unfinished import list_unfinished
from tests.soak.row import Row, Trial

_OPTIONS = {"widths": [8, 8, 8, 8]}
_STEPS = {"steps": 6, "batch": 2, "discriminator_width": 4}
_PAIRS = {"patch": 32, "validations": 3, "precision": "float32"}
_FOLDERS = {"crop": 32, "cache_side": 48, "validation": 0.4, "task": "colorization"}
_LATEST = 1.1  # of the time, or the calls, of a whole training, when it is killed
_AGAIN = 0.4  # of those that go on are killed, too

_WRITERS = {
    str(module.__file__)
    for module in (
        atomic,
        drafts,
        logs,
        np.lib._format_impl,
        reserving,
        run_files,
        runs,
        state,
        store,
        zipfile,
    )
}
"""What writes and reads files: half of the trials end there, call by call."""

Start = Callable[[Path], Trained]
"""Train in a folder, or go on with what is there."""


@dataclass
class Kind:
    """A way to train, and what comes of it where nothing interrupts it."""

    start: Start
    end: Any = None
    seconds: float = 0.0
    calls: int = 0
    """Of what writes files."""


@dataclass(frozen=True)
class Death:
    """When a training is killed: after some time, or at a call of what writes files."""

    seconds: float | None = None
    call: int | None = None

    def __str__(self) -> str:
        return f"call {self.call}" if self.seconds is None else f"{self.seconds:.2f} s"


def _trials(random: np.random.Generator, folder: Path) -> Iterator[Trial]:
    torch.set_num_threads(1)  # before the first fork: a child has one thread
    kinds = _kinds(folder)
    number = 0
    (warm := folder / "warm").mkdir()
    next(iter(kinds.values())).start(warm)  # children find all of it loaded
    while True:
        for name, kind in kinds.items():
            number += 1
            place = folder / f"{number}"
            if kind.end is None:
                straight = folder / f"{number} straight"
                began = time.monotonic()
                kind.end = _ended(kind, straight, Death(call=0))  # counted, not killed
                kind.seconds = time.monotonic() - began
                kind.calls = kind.end.pop("calls")
            yield _trial(name, kind, place, random)


def _trial(name: str, kind: Kind, place: Path, random: np.random.Generator) -> Trial:
    """Kill a training once or several times, let it end, and compare the ends."""
    deaths = [_drawn(kind, random)]
    while random.random() < _AGAIN:
        deaths.append(_drawn(kind, random))
    kills = 0
    end: Any = None
    for death in [*deaths, Death()]:
        end = _ended(kind, place, death)
        if end is not None:
            break
        kills += 1
    fault = ""
    if any(end.get(key) != kind.end[key] for key in kind.end):
        differs = [key for key in kind.end if end.get(key) != kind.end[key]]
        when = ", ".join(map(str, deaths[:kills]))
        fault = f"{name}, killed at {when}: {end.get('error') or differs}"
    return Trial(fault, name, {"kills of a training": kills})


def _drawn(kind: Kind, random: np.random.Generator) -> Death:
    at = random.uniform(0, _LATEST)
    if random.random() < 0.5:
        return Death(seconds=at * kind.seconds)
    return Death(call=1 + int(at * kind.calls))


def _ended(kind: Kind, place: Path, death: Death) -> Any:
    """Train in a process that is killed, and say how it ended; None: it was killed."""
    place.mkdir(exist_ok=True)
    outcome = place.with_name(f"{place.name}.json")
    if (child := os.fork()) == 0:
        try:
            _run(kind.start, place, outcome, death)
        finally:
            os._exit(0)
    if death.seconds is not None:
        time.sleep(death.seconds)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return None if os.WIFSIGNALED(status) else json.loads(outcome.read_text())


def _run(start: Start, place: Path, outcome: Path, death: Death) -> None:
    """Train, and write down all of what must be the same."""
    calls = 0

    def count(frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        if frame.f_code.co_filename in _WRITERS and event in ("call", "c_call"):
            calls += 1
            if calls == death.call:
                os.kill(os.getpid(), signal.SIGKILL)

    try:
        if death.call is not None:
            sys.setprofile(count)
        trained = start(place)
        sys.setprofile(None)
        end = _described(trained, place) | {"calls": calls}
    except BaseException:
        end = {"error": traceback.format_exc()[-1500:]}
    outcome.write_text(json.dumps(end))


def _described(trained: Trained, place: Path) -> dict[str, Any]:
    (model,) = place.rglob("*.safetensors")
    validations = [
        [v.done, v.now.psnr, v.now.ssim] for v in trained.history.validations
    ]
    tables = {path.name: _table(path) for path in sorted(place.rglob("*.csv"))}
    return {
        "best": _digest(trained.best.weights),
        "last": _digest(trained.last.weights),
        "file": _digest(load(model).weights),
        "scores": validations,
        "losses": trained.history.losses,
        "tables": tables,
        "files": sorted(p.name for p in place.rglob("*") if p.is_file()),
    } | {"ended": trained.ended, "unsaved": trained.unsaved}


def _table(path: Path) -> list[list[str]]:
    """Rows without the seconds, in the second column."""
    rows = [line.split(",") for line in path.read_text().splitlines()]
    return [row[:1] + row[2:] for row in rows]


def _digest(weights: Mapping[str, torch.Tensor]) -> str:
    sha = hashlib.sha256()
    for name in sorted(weights):
        sha.update(name.encode() + weights[name].numpy().tobytes())
    return sha.hexdigest()


def _kinds(folder: Path) -> dict[str, Kind]:
    """Both openings, with pixel loss alone and with a GAN; and the dock's."""
    compact._STAGES = tuple(
        compact._Stage(kernel=3, stride=s.stride, expand=1, out=8, repeats=1)
        for s in compact._STAGES
    )  # a few thousand weights
    loop._LOG_EVERY = 1
    pictures = _pictures()
    photos = folder / "photos"
    photos.mkdir()
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(photos / f"{number}.png")
    pairs = [pair for n, p in enumerate(pictures) for pair in pairs_of(p, name=f"{n}")]
    torch.manual_seed(1)
    network = build(GeneratorSpec("compact", _OPTIONS))
    base = Checkpoint(
        Metadata(generator="compact", options=_OPTIONS), network.state_dict()
    )
    save(base, path := folder / "start.safetensors")
    kinds: dict[str, Kind] = {}
    for words, gan in (("a GAN", 0.5), ("pixel loss", 0.0)):
        on_pairs = FineTuneConfig(**(_STEPS | _PAIRS), gan_phase=gan)
        on_folders = TrainConfig(**(_STEPS | _FOLDERS), gan_phase=gan, decoder_steps=2)
        kinds |= {
            f"pairs, {words}": Kind(partial(_on_pairs, pairs, base, on_pairs)),
            f"folders, {words}": Kind(partial(_on_folders, photos, base, on_folders)),
            f"the dock, {words}": Kind(partial(_in_dock, pairs, path, on_pairs)),
        }
    return kinds


def _pictures() -> list[np.ndarray[Any, Any]]:
    y, x = np.mgrid[:48, :56] / 48
    shades = [[np.sin(n + 3 * x), np.cos(2 * n + 4 * y), x * y] for n in range(4)]
    return [np.uint8(255 * np.clip(np.dstack(s) / 2 + 0.4, 0, 1)) for s in shades]


def _on_pairs(
    pairs: list[Pair], base: Checkpoint, config: FineTuneConfig, place: Path
) -> Trained:
    out = place / "a.safetensors"
    resume = out.with_suffix(".state").exists()
    job = fine_tune_job(pairs, base, config, device="cpu", out=out, resume=resume)
    return finish(job)


def _on_folders(
    photos: Path, base: Checkpoint, config: TrainConfig, place: Path
) -> Trained:
    # measured, and on a busy machine anything: only the first time it may matter
    is_begun = (place / "a.state").exists()
    train.untimed_precision = lambda _: "bfloat16" if is_begun else "float32"
    job = train.train_job(
        [photos],
        Recipe(config, {"name": "a"}, {}),
        place / "a.safetensors",
        device=torch.device("cpu"),
        start=base,
        judge_every=2,
    )
    return finish(job)


def _in_dock(
    pairs: list[Pair], base: Path, config: FineTuneConfig, place: Path
) -> Trained:
    runs.training_folder = lambda: place
    settings = RunSettings(start=str(base), device="cpu", config=config)
    if unfinished := list_unfinished():
        return finish(resume_job(unfinished[0].folder)).result
    return finish(begin_job(RunFolder.new(), settings, pairs)).result


ROW = Row(
    what="SIGKILL in a tiny training",
    promise="It goes on, and ends as if it had not been interrupted, bit for bit",
    count=200,
    trials=_trials,
    share=1.5,
)
