"""A result coloured by the workers of an existing `dask.distributed` cluster."""

import logging
import math
import queue
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import Any

import numpy as np

from napari_colorgan import __version__
from napari_colorgan.arrays import RGB, Region
from napari_colorgan.checkpoints.extras import CLUSTER, install_line
from napari_colorgan.errors import BadSetting, ColorganError
from napari_colorgan.inference.colorizer import Colorizer
from napari_colorgan.inference.events import TileDone
from napari_colorgan.inference.hints import Hints
from napari_colorgan.inference.lazy import planned
from napari_colorgan.inference.lazy_graph import Graph, Key, Painted, Planner
from napari_colorgan.inference.planes import cut_out
from napari_colorgan.inference.settings import ColorizerSettings
from napari_colorgan.inference.source import Source
from napari_colorgan.inference.travelling import TravellingModel
from napari_colorgan.job import STOP, Job, Progress

_ADDRESS = "an address such as tcp://10.0.0.1:8786"
_ANSWER = 10  # s, in which a scheduler has to answer
_ALONE = 60  # s without a worker, after which nobody waits for another one
_HEARD = 0.4  # s; a stop is heard so soon
_SENT = 2048  # chunks at once: a scheduler holds some hundred thousand tasks with ease
_BYTES = 1 << 28  # of gray in memory, which is sent along
_WARNING = "distributed.admin.large-graph-warning-threshold"

Write = Callable[[tuple[int, ...], Region, RGB], None]
"""Takes the index of a plane, a region of it and its colours."""


class ClusterError(ColorganError):
    """A cluster cannot colour; the text says why, and what to do."""


def cluster_job(
    source: Source,
    settings: ColorizerSettings,
    address: str,
    write: Write,
    *,
    hints: Hints | None = None,
    sides: tuple[int, int] | None = None,
    missing: Callable[[tuple[int, ...], Region], bool] | None = None,
    first: Callable[[], Job[Any]] | None = None,
) -> Job[Colorizer]:
    """Colour chunks on the workers of a cluster, and write them as they come back.

    A worker that is lost is replaced by others. On STOP, what has come back is written,
    and the rest is left as it is.

    Parameters
    ----------
    address : of the scheduler, such as ``tcp://10.0.0.1:8786``
    write : called in this thread, with one chunk after the other, in any order
    sides : rows and columns of a chunk, px; see `colorize_lazy`
    missing : whether a chunk is still to be coloured; default all are
    first : a job that is done once the workers are found to be able to colour

    Returns
    -------
    A colorizer with the settings that were used; it did not compute.

    Raises
    ------
    MissingExtra, BadSetting, ClusterError
    CheckpointError
        A worker has not the same model.
    """
    CLUSTER.require()
    if settings.engine == "auto":
        settings = ColorizerSettings.of(settings, engine="torch")
    colorizer = Colorizer(settings)
    yield Progress(0, 0)
    hints = colorizer.checked(hints, source.shape)
    model = TravellingModel.of(settings, colorizer)
    plan = planned(source, model, colorizer, hints=hints, chunks=sides)
    left = [
        chunk
        for chunk in plan.painted()
        if missing is None or missing(chunk.index, chunk.region)
    ]
    with _client(address) as client:
        _check_workers(client, address, model)
        if first is not None:
            yield from first()
        in_memory = isinstance(cut_out(source).array, np.ndarray)
        yield from _colored_job(client, plan, left, write, in_memory=in_memory)
    return colorizer


def array_writer(out: Any) -> Write:
    """Return what writes into an array (..., Y, X, 3)."""

    def write(index: tuple[int, ...], region: Region, rgb: RGB) -> None:
        out[(*index, *region)] = rgb

    return write


def _at_once(plan: Planner, *, in_memory: bool) -> int:
    """How many chunks are sent at once."""
    bytes_each = math.prod(plan.sides) * plan.gray.array.dtype.itemsize
    return max(8, min(_SENT, _BYTES // bytes_each)) if in_memory else _SENT


def _colored_job(
    client: Any,
    plan: Planner,
    left: Sequence[Painted],
    write: Write,
    *,
    in_memory: bool,
) -> Job[None]:
    total, done = len(left), 0
    waiting = iter(left)
    sent: dict[Key, tuple[Painted, Any]] = {}
    back: queue.SimpleQueue[Key] = queue.SimpleQueue()
    alone = 0.0
    tiling = plan.colorizer.tiling if plan.colorizer.context == "local" else None
    most = _at_once(plan, in_memory=in_memory)
    try:
        while done < total:
            if len(sent) <= most // 4:
                sent |= _send(client, plan, list(islice(waiting, most)), back)
            try:
                key = back.get(timeout=_HEARD)
            except queue.Empty:
                alone = 0.0 if client.nthreads() else alone + _HEARD
                _check_alone(client, alone)
                if (yield Progress(done, total)) is STOP:
                    return
                continue
            chunk, future = sent.pop(key)
            rgb = _result(client, future)
            write(chunk.index, chunk.region, rgb.reshape(rgb.shape[-3:]))
            done += 1
            event = TileDone(done, total, chunk.index, chunk.region, tiling)
            if (yield event) is STOP:
                return
    finally:
        client.cancel([future for _, future in sent.values()])


def _send(
    client: Any,
    plan: Planner,
    chunks: Sequence[Painted],
    back: "queue.SimpleQueue[Key]",
) -> dict[Key, tuple[Painted, Any]]:
    """Let chunks be computed; their keys are put into a queue when they are."""
    import dask

    if not chunks:
        return {}
    graph = plan.graph(chunks)
    graph |= _inputs(plan, plan.inputs(graph))
    keys = [chunk.key for chunk in chunks]
    with dask.config.set({_WARNING: "10GB"}):  # it would tell to send it otherwise
        futures = client.get(graph, keys, sync=False)
    for key, future in zip(keys, futures, strict=True):
        future.add_done_callback(lambda _, key=key: back.put(key))
    sent = zip(chunks, futures, strict=True)
    return {chunk.key: (chunk, future) for chunk, future in sent}


def _inputs(plan: Planner, keys: set[Key]) -> Graph:
    """Return the tasks that read what is coloured, or what of it is in memory."""
    graph: Graph = {}
    for chunks in (plan.gray, plan.again):
        wanted = {key for key in keys if key[0] == chunks.array.name}
        graph |= dict(chunks.array.dask.cull(wanted)) if wanted else {}
    return graph


def _result(client: Any, future: Any) -> RGB:
    from distributed import CancelledError, KilledWorker

    try:
        rgb: RGB = future.result()
    except ColorganError:
        raise
    except KilledWorker as error:
        raise ClusterError(
            "Several workers died while they coloured the same chunk, most likely for "
            "want of memory. Start fewer on each machine, or choose a smaller tile. "
            "What was done before is kept."
        ) from error
    except CancelledError as error:
        raise ClusterError(
            "The scheduler is gone, or has dropped the work. What was done before is "
            "kept; start it again and go on."
        ) from error
    except ImportError as error:
        raise ClusterError(f"A worker lacks a library: {error}.") from error
    except Exception as error:  # of any library that reads on a worker
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise ClusterError(
            f"A worker failed: {reason.rstrip('.')}. Files must be readable by all "
            "workers, under the same path."
        ) from error
    return rgb


@contextmanager
def _client(address: str) -> Iterator[Any]:
    """Connect to a scheduler."""
    from distributed import Client

    if re.fullmatch(r"([a-z]+://)?[^/\s]+:\d+/?", address) is None:
        raise BadSetting("--scheduler", address, _ADDRESS)
    logger = logging.getLogger("distributed")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # what matters is raised, in our words
    try:
        try:
            connect: Any = Client  # untyped
            client = connect(address, timeout=_ANSWER, set_as_default=False)
        except ValueError as error:
            raise BadSetting("--scheduler", address, _ADDRESS) from error
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"The scheduler '{address}' does not answer within {_ANSWER} s. Check "
                "the address that `dask scheduler` printed, and that this machine may "
                "connect to it."
            ) from error
        with client:
            yield client
    finally:
        logger.setLevel(level)


def _check_workers(client: Any, address: str, model: TravellingModel) -> None:
    if not client.nthreads():
        raise ClusterError(
            f"The scheduler '{address}' has no workers. Start some: dask worker "
            f"{address} --nthreads 1"
        )
    packages = client.run(find_spec, "napari_colorgan", on_error="return")
    for worker, package in packages.items():
        if package is None or isinstance(package, BaseException):
            raise ClusterError(
                f"The worker '{worker}' has no napari-colorgan. Install version "
                f"{__version__} in its environment, then start it again: "
                f"{install_line(CLUSTER.name)}"
            )
    checks = client.run(check_here, model, __version__, on_error="return")
    for worker, complaint in checks.items():
        if isinstance(complaint, ColorganError):
            raise complaint
        if complaint is not None:
            raise ClusterError(f"The worker '{worker}' {complaint}.")


def check_here(model: TravellingModel, version: str) -> str | None:
    """Say what is wrong with this worker; None if it can colour.

    Raises
    ------
    CheckpointError, BadSetting
        See `TravellingModel.colorizer`.
    """
    if version != __version__:
        return f"has napari-colorgan {__version__}, this machine has {version}"
    model.colorizer()
    return None


def _check_alone(client: Any, seconds: float) -> None:
    if client.status != "running":
        raise ClusterError(
            "The connection to the scheduler is lost. What was done before is kept; "
            "start it again and go on."
        )
    if seconds > _ALONE:
        raise ClusterError(
            f"The cluster has had no worker for {_ALONE} s. What was done before is "
            "kept; start workers and go on."
        )
