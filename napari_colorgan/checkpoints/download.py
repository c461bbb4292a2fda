"""A model from the internet: fetched, checked, then installed."""

import contextlib
import hashlib
import re
import secrets
import shutil
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from napari_colorgan.checkpoints import zoo
from napari_colorgan.errors import BadSetting, CheckpointError, ColorganError, Stopped
from napari_colorgan.job import STOP, Job, Progress

_MAX_FILE = 1 << 31  # bytes, as of checkpoints
_CHUNK = 1 << 16  # bytes
_PATIENCE = 15  # s without an answer of the server
_PACE = 0.1  # s between two events


class DownloadFailed(ColorganError):
    """A file cannot be fetched, or is another one than was meant."""


def download_job(
    url: str, sha256: str, name: str, *, replace_old: bool = False
) -> Job[zoo.Model]:
    """Fetch a model file and make it a model of the user's.

    Its events count bytes; their total is 0 where the server does not tell it.

    Parameters
    ----------
    url : of a checkpoint or package of ours, or of weights of the pix2pix code
    sha256 : of that file
    replace_old : whether an older model of this name may go

    Raises
    ------
    BadSetting, NameTaken
        See `check_url`, `check_sha256` and `zoo.check_name`.
    DownloadFailed
        There is no such file, it is another one, or the connection failed.
    CheckpointError
        The file is no model, or cannot be written.
    Stopped
        On STOP; nothing of it is kept.
    """
    url, sha256 = check_url(url), check_sha256(sha256)
    name = zoo.check_name(name, taken_too=replace_old)
    folder = zoo.user_folder() / f".{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise _not_writable(folder, error) from error
    path = folder / "download"
    target = _Target(url, path)
    # in a thread, for a server that says nothing must not delay a stop
    pool = ThreadPoolExecutor(1)
    future = pool.submit(target.fetch)
    pool.shutdown(wait=False)
    try:
        while not future.done():
            if (yield Progress(min(target.done, target.total), target.total)) is STOP:
                raise Stopped("The download was stopped; nothing of it is kept.")
            wait([future], _PACE)
        if (found := future.result()) != sha256:
            raise DownloadFailed(
                f"'{url}' is not the file that was meant: its SHA-256 begins with "
                f"{found[:12]}, expected {sha256[:12]}. Compare it with what the "
                "source of the model says."
            )
        return _install(path, url, name, replace_old)
    finally:
        target.stopped = True
        future.add_done_callback(lambda _: shutil.rmtree(folder, ignore_errors=True))


def check_url(url: str) -> str:
    """Return an address without blanks at its ends.

    Raises
    ------
    BadSetting
        It does not begin with http(s) and a server.
    """
    url = url.strip()
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname:
            return url
    raise BadSetting("address", url, "one that begins with https:// and a server")


def check_sha256(sha256: str) -> str:
    """Return a SHA-256 in small letters.

    Raises
    ------
    BadSetting
    """
    digits = sha256.strip().lower().removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise BadSetting("SHA-256", sha256, "64 hexadecimal digits")
    return digits


class _Target:
    """What pooch writes to: a file that is counted while it grows."""

    def __init__(self, url: str, path: Path) -> None:
        self._url = url
        self._path = path
        self._sha256 = hashlib.sha256()
        self._file: BinaryIO
        self.done = 0
        """Bytes that have arrived."""
        self.total = 0
        """Bytes that the server has announced; 0 if it has not."""
        self.stopped = False
        """Set by another thread: nobody wants the file any more."""

    def fetch(self) -> str:
        """Download the file; returns its SHA-256."""
        import pooch
        import requests

        try:
            with contextlib.ExitStack() as stack:

                def begin(response: requests.Response, **_: object) -> None:
                    stack.callback(response.close)  # pooch does not if it is cut short
                    self.total = int(response.headers.get("Content-Length", 0))
                    self._check_size(self.total)

                download = pooch.HTTPDownloader(
                    chunk_size=_CHUNK, timeout=_PATIENCE, hooks={"response": begin}
                )
                self._file = stack.enter_context(self._path.open("wb"))
                download(self._url, self, None)
        except requests.HTTPError as error:
            answer = error.response
            raise DownloadFailed(
                f"'{self._url}' cannot be downloaded: the server answers "
                f"{answer.status_code} ({answer.reason}). Check the address."
            ) from error
        except (requests.RequestException, ValueError) as error:  # of odd headers
            raise DownloadFailed(self._explain(error)) from error
        except OSError as error:
            raise _not_writable(self._path, error) from error
        return self._sha256.hexdigest()

    def _explain(self, error: Exception) -> str:
        import requests

        if self.done:
            total = f" of {self.total:,}" if self.total else ""
            return (
                f"The connection to '{self._url}' broke after {self.done:,}{total} "
                "bytes. Try again."
            )
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            return (
                f"The server of '{self._url}' cannot be reached. Check the address and "
                "your network, then try again."
            )
        return f"'{self._url}' cannot be downloaded ({error}). Check the address."

    def write(self, chunk: bytes) -> None:
        """Take what has arrived."""
        if self.stopped:
            raise Stopped("The download was stopped.")
        self._check_size(self.done + len(chunk))
        self._file.write(chunk)
        self._sha256.update(chunk)
        self.done += len(chunk)

    def flush(self) -> None:
        """Leave it to the end of the file; pooch asks for it after every chunk."""

    def _check_size(self, size: int) -> None:
        if size > _MAX_FILE:
            raise DownloadFailed(
                f"'{self._url}' has more than {_MAX_FILE >> 30} GB, which no model "
                "needs. Check the address."
            )


def _install(path: Path, url: str, name: str, replace_old: bool) -> zoo.Model:
    from napari_colorgan.checkpoints.imports import read_model  # torch

    try:
        found = read_model(path, url)
    except CheckpointError as error:  # which names a file that is gone in a moment
        raise CheckpointError(str(error).replace(str(path), url)) from error
    return found.install(name, replace_old=replace_old)


def _not_writable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(
        f"'{path}' cannot be written: {error.strerror or error}. Free some space or "
        "check the permissions of its folder."
    )
