"""A cluster colours as one machine does, also where a worker dies."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import dask.array
import numpy as np
import pytest
import zarr
from distributed import LocalCluster
from PIL import Image
from typer.testing import CliRunner

from napari_colorgan import ColorizerSettings, Source, cli, colorize
from napari_colorgan.checkpoints.store import save
from napari_colorgan.errors import BadSetting, CheckpointError
from napari_colorgan.image_io import growing, read_image
from napari_colorgan.inference import cluster
from napari_colorgan.inference.cluster import ClusterError, array_writer, cluster_job
from napari_colorgan.inference.events import TileDone
from napari_colorgan.inference.files import Choices, color_file_job
from napari_colorgan.job import Control, finish


@pytest.fixture(scope="module")
def workers():
    """Two processes, and the scheduler they work for."""
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
    ) as both:
        yield both


@pytest.fixture(scope="module")
def settings(make_checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    save(make_checkpoint("compact"), path)
    return ColorizerSettings(model=path, context="local", tile=256)


def test_a_worker_that_dies_changes_nothing(workers, settings, gray):
    stack = np.stack([gray, gray[::-1]])
    source = Source.of(dask.array.from_array(stack, (2, 100, 300)))
    out = np.zeros((*stack.shape, 3), np.uint8)
    into, written = array_writer(out), []

    def write(index, region, rgb):
        if len(written) == 3:
            victim = next(iter(workers.workers.values()))
            os.kill(victim.pid, signal.SIGKILL)
        written.append((index, region))
        into(index, region, rgb)

    address = workers.scheduler_address
    finish(cluster_job(source, settings, address, write, sides=(64, 64)))
    assert len(set(map(str, written))) == len(written) == 2 * 4 * 5
    expected = colorize(stack, settings)
    assert np.abs(out.astype(int) - expected).max() <= 1


def test_a_stop_keeps_what_has_come_back(workers, settings, gray):
    out, control, events = np.zeros((*gray.shape, 3), np.uint8), Control(), []

    def stop(event):
        events.append(event)
        if isinstance(event, TileDone):
            control.request_stop()

    address = workers.scheduler_address
    some = {"sides": (64, 64), "missing": lambda _, region: region[0].start >= 64}
    source = Source.of(gray)
    write = array_writer(out)
    finish(cluster_job(source, settings, address, write, **some), stop, control)
    assert events[-1].done == 1 and events[-1].total == 3 * 5
    assert 0 < (out.any(-1)).sum() <= 64 * 64 and not out[:64].any()
    colorizer = finish(cluster_job(source, settings, address, write, **some))
    expected = colorize(gray, settings)
    assert np.abs(out[64:].astype(int) - expected[64:]).max() <= 1
    assert colorizer.used()["engine"] == "torch"


def test_what_a_worker_lacks_is_said(workers, settings, gray, monkeypatch):
    address, write = workers.scheduler_address, array_writer(np.zeros((*gray.shape, 3)))
    with monkeypatch.context() as patch:
        patch.setattr(cluster, "__version__", "0.0.0")
        with pytest.raises(ClusterError, match=r"has napari-colorgan .*has 0\.0\.0"):
            finish(cluster_job(Source.of(gray), settings, address, write))
    other = cluster.TravellingModel("/gone", "0", replace(settings, model="gone"))
    monkeypatch.setattr(cluster.TravellingModel, "of", lambda *_: other)
    with pytest.raises(CheckpointError, match="has no such model"):
        finish(cluster_job(Source.of(gray), settings, address, write))


def test_a_scheduler_that_does_not_answer_is_named(settings, gray, monkeypatch):
    monkeypatch.setattr(cluster, "_ANSWER", 0.5)
    write = array_writer(np.zeros((*gray.shape, 3)))
    with pytest.raises(ClusterError, match=r"'tcp://127.0.0.1:9' does not answer"):
        finish(cluster_job(Source.of(gray), settings, "tcp://127.0.0.1:9", write))
    for address in ("over there", "banana", "tcp://there"):
        with pytest.raises(BadSetting, match="an address such as"):
            finish(cluster_job(Source.of(gray), settings, address, write))


def test_a_command_colors_on_a_cluster(workers, settings, gray, tmp_path):
    Image.fromarray(gray).save(tmp_path / "in.png")
    arguments = [tmp_path / "in.png", tmp_path / "out.png", "--model", settings.model]
    arguments += ["--scheduler", workers.scheduler_address, "--context", "whole"]
    run = CliRunner().invoke(cli.app, ["colorize", *map(str, arguments)])
    assert run.exit_code == 0, run.output
    expected = colorize(gray, replace(settings, context="whole", tile=None))
    made = np.asarray(Image.open(tmp_path / "out.png"))
    assert np.abs(made.astype(int) - expected).max() <= 1


def test_a_cluster_fills_a_store(workers, settings, gray, tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "CHUNK", 64)
    monkeypatch.chdir(tmp_path)
    zarr.create_array("in.zarr", data=gray, chunks=(64, 64))
    arguments = ["in.zarr", "out.zarr", "--model", str(settings.model), "--resume"]
    arguments += ["--scheduler", workers.scheduler_address, "--context", "whole"]
    run = CliRunner().invoke(cli.app, ["colorize", *arguments])
    assert run.exit_code == 0, run.output
    expected = colorize(gray, replace(settings, context="whole", tile=None))
    made = read_image(tmp_path / "out.zarr")
    assert made.tags.made["complete"]
    assert np.abs(made.array.astype(int) - expected).max() <= 1


def test_a_killed_run_goes_on_with_what_is_missing(workers, settings, gray, tmp_path):
    settings = replace(settings, tile=640)
    picture = np.tile(gray, (5, 4))
    zarr.create_array(tmp_path / "in.zarr", data=picture, chunks=(300, 500))
    result = tmp_path / "out.zarr"
    program = [
        sys.executable,
        "-m",
        "napari_colorgan",
        "colorize",
        tmp_path / "in.zarr",
    ]
    program += [result, "--model", settings.model, "--tile", "640"]
    program += ["--context", "local", "--scheduler", workers.scheduler_address]
    first = subprocess.Popen(list(map(str, program)))
    record = tmp_path / ".out.zarr.progress"
    while first.poll() is None and not (record.exists() and len(lines(record)) > 1):
        time.sleep(0.02)
    first.kill()
    assert first.wait() == -signal.SIGKILL
    begun = lines(record)
    events = []
    choices = Choices(resume=True)
    job = color_file_job(
        tmp_path / "in.zarr",
        result,
        settings,
        choices,
        scheduler=workers.scheduler_address,
    )
    outcome = finish(job, events.append)
    assert outcome.is_complete and len(begun) > 1
    tiles = [event for event in events if isinstance(event, TileDone)]
    assert 0 < len(tiles) == tiles[-1].total < 2 * 2
    made = np.asarray(read_image(result).array)
    assert np.abs(made.astype(int) - colorize(picture, settings)).max() <= 1


def lines(record):
    return record.read_bytes().splitlines()
