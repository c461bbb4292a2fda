"""A file from the internet, fetched and checked."""

import contextlib
import hashlib
import re
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from urllib.parse import urlsplit

from napari_colorgan.errors import BadSetting, ColorganError, Stopped
from napari_colorgan.job import STOP, Job, Progress

_MAX_FILE = 1 << 30  # bytes, as of files that are imported
_CHUNK = 1 << 16  # bytes
_PATIENCE = 15  # s without an answer of the server
_PACE = 0.1  # s between two events


class DownloadFailed(ColorganError):
    """A file cannot be fetched, or is another one than was meant."""


def download_job(url: str, sha256: str) -> Job[bytes]:
    """Fetch a file; its events count bytes, of 0 where the server does not tell.

    Parameters
    ----------
    url : see `check_url`
    sha256 : of the file, see `check_sha256`

    Raises
    ------
    DownloadFailed
        There is no such file, it is another one, or the connection failed.
    Stopped
        On STOP; nothing of it is kept.
    """
    target = _Target(url)
    # in a thread, for a server that says nothing must not delay a stop
    pool = ThreadPoolExecutor(1)
    future = pool.submit(target.fetch)
    pool.shutdown(wait=False)
    try:
        while not future.done():
            if (yield Progress(min(target.done, target.total), target.total)) is STOP:
                raise Stopped("The download was stopped; nothing of it is kept.")
            wait([future], _PACE)
        content = future.result()
    finally:
        target.stopped = True
    check_content(content, sha256, url)
    return content


def check_content(content: bytes, sha256: str, source: str | Path) -> None:
    """Raise `DownloadFailed` unless a file is the one that was meant."""
    if (digest := hashlib.sha256(content).hexdigest()) != sha256:
        raise DownloadFailed(
            f"'{source}' is not the file that was meant: its SHA-256 begins with "
            f"{digest[:12]}, expected {sha256[:12]}. Compare it with what the source "
            "of the model says."
        )


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

    def __init__(self, url: str) -> None:
        self._url = url
        self._content = bytearray()
        self.total = 0
        """Bytes that the server has announced; 0 if it has not."""
        self.stopped = False
        """Set by another thread: nobody wants the file any more."""

    @property
    def done(self) -> int:
        """Bytes that have arrived."""
        return len(self._content)

    def fetch(self) -> bytes:
        """Download the file."""
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
                download(self._url, self, None)
        except requests.HTTPError as error:
            answer = error.response
            raise DownloadFailed(
                f"'{self._url}' cannot be downloaded: the server answers "
                f"{answer.status_code} ({answer.reason}). Check the address."
            ) from error
        except (requests.RequestException, ValueError) as error:  # of odd headers
            raise DownloadFailed(self._explain(error)) from error
        return bytes(self._content)

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
        self._content += chunk

    def flush(self) -> None:
        """Do nothing; pooch asks for it after every chunk."""

    def _check_size(self, size: int) -> None:
        if size > _MAX_FILE:
            raise DownloadFailed(
                f"'{self._url}' has more than {_MAX_FILE >> 30} GB, which no model "
                "needs. Check the address."
            )
