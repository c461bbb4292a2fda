"""A file from the internet, fetched and checked."""

import contextlib
import hashlib
import re
import threading
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit, urlunsplit

from napari_colorgan.checkpoints.foreign import HEAD, is_model, refusal
from napari_colorgan.errors import (
    BadSetting,
    CheckpointError,
    ColorganError,
    Stopped,
)
from napari_colorgan.job import STOP, Job, Progress

if TYPE_CHECKING:  # only here: with them, half of the internet is imported
    import requests

_MAX_FILE = 1 << 30  # bytes, as of files that are imported
_CHUNK = 1 << 16  # bytes
_ENOUGH = 1 << 20  # bytes after which a file should begin as a model
_PATIENCE = 15  # s without an answer of the server
_PACE = 0.1  # s between two events
_MOST_STEPS = 8  # from address to address


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
    CheckpointError
        It is large and begins as no model.
    Stopped
        On STOP; nothing of it is kept.
    """
    target = _Target(url)
    future: Future[bytes] = Future()
    # in a thread, for a server that says nothing must not delay a stop; and none that
    # the end of the program waits for
    threading.Thread(target=target.fetch_into, args=(future,), daemon=True).start()
    try:
        while not future.done():
            if (yield Progress(min(target.done, target.total), target.total)) is STOP:
                raise Stopped("The download was stopped; nothing of it is kept.")
            wait([future], _PACE)
        content = future.result()
    finally:
        target.stop()
    check_content(content, sha256, without_secrets(url))
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
        # to ask for a port is to check it
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return url
    expected = "one that begins with https:// and a server"
    raise BadSetting("address", without_secrets(url), expected)


def without_secrets(url: str) -> str:
    """Return an address as it may be stored and shown.

    User and password, which only the server is told, are left out, and so is what
    follows `?` or `#`, where tokens are.
    """
    url = re.sub(r"(//)[^/?#]*@", r"\1", url, count=1)
    return re.split("[?#]", url, maxsplit=1)[0]


def check_sha256(sha256: str) -> str:
    """Return a SHA-256 in small letters.

    Raises
    ------
    BadSetting
    """
    digits = "".join(str(sha256).lower().split()).removeprefix("sha256:")
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise BadSetting("SHA-256", sha256, "64 hexadecimal digits")
    return digits


class _Target:
    """A file that is counted while it grows."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._content = bytearray()
        self._response: requests.Response | None = None
        self._stopped = False
        self.total = 0
        """Bytes that the server has announced; 0 if it has not."""

    @property
    def done(self) -> int:
        """Bytes that have arrived."""
        return len(self._content)

    def stop(self) -> None:
        """Want the file no longer; called from another thread than that which reads."""
        self._stopped = True
        if self._response is not None:
            with contextlib.suppress(Exception):  # it has ended, or is another by now
                self._response.raw.shutdown()  # wakes who waits for the next byte

    def fetch_into(self, future: Future[bytes]) -> None:
        """Download the file; all that is raised goes into the future, too."""
        try:
            future.set_result(self._fetch())
        except BaseException as error:
            future.set_exception(error)

    def _fetch(self) -> bytes:
        import requests
        import urllib3

        try:
            with requests.Session() as session, self._opened(session) as response:
                if response.status_code != 200:
                    raise DownloadFailed(
                        f"'{self._shown}' cannot be downloaded: the server answers "
                        f"{response.status_code} ({response.reason}). Check the "
                        "address."
                    )
                self.total = max(0, int(response.headers.get("Content-Length", 0)))
                self._check_size(self.total)
                # as it is sent: what is packed may be endless when it is unpacked
                for chunk in response.raw.stream(_CHUNK, decode_content=False):
                    if self._stopped:
                        raise Stopped("The download was stopped.")
                    self._check_size(self.done + len(chunk))
                    self._content += chunk
                    if len(self._content) > _ENOUGH:
                        self._check_start()
        except (OSError, ValueError, urllib3.exceptions.HTTPError) as error:
            raise DownloadFailed(self._explain(error)) from error
        return bytes(self._content)

    def _opened(self, session: "requests.Session") -> "requests.Response":
        """Return the answer that the address leads to; what else comes is not read."""
        url = self._url
        # even if told not to follow, it would read all that comes with "moved"
        session.get_redirect_target = lambda _: None
        for _ in range(_MOST_STEPS):
            self._response = response = session.get(
                url,
                stream=True,
                timeout=_PATIENCE,
                allow_redirects=False,
                headers={"Accept-Encoding": "identity"},
            )
            if self._stopped:
                response.close()
                raise Stopped("The download was stopped.")
            if not response.is_redirect:
                return response
            response.close()
            url = self._led(url, response.headers["Location"])
        raise DownloadFailed(
            f"'{self._shown}' leads to more than {_MOST_STEPS} other addresses, and "
            "to no file. Check the address."
        )

    def _led(self, url: str, target: str) -> str:
        """Return the address that one leads to; the same server knows its user."""
        target = urljoin(url, target)
        here, there = urlsplit(url), urlsplit(target)
        if there.scheme not in ("https", here.scheme) or not there.hostname:
            raise DownloadFailed(
                f"'{self._shown}' leads to '{without_secrets(target)}', which is no "
                "address that is as safe. Ask the source of the model for another one."
            )
        origin = (here.scheme, here.hostname, here.port)
        if origin == (there.scheme, there.hostname, there.port):
            there = there._replace(netloc=here.netloc)
        return urlunsplit(there)

    @property
    def _shown(self) -> str:
        return without_secrets(self._url)

    def _explain(self, error: Exception) -> str:
        import requests

        if self.done:
            total = f" of {self.total:,}" if self.total else ""
            return (
                f"The connection to '{self._shown}' broke after {self.done:,}{total} "
                "bytes. Try again."
            )
        if isinstance(error, requests.ConnectionError | requests.Timeout):
            return (
                f"The server of '{self._shown}' cannot be reached. Check the address "
                "and your network, then try again."
            )
        kind = type(error).__name__  # its text may tell a password
        return f"'{self._shown}' cannot be downloaded ({kind}). Check the address."

    def _check_start(self) -> None:
        """Fetch nothing without end that begins as no model."""
        head = bytes(self._content[:HEAD])
        if not is_model(head):
            path = Path(self._shown)
            text = str(refusal(head, path)).replace(str(path), self._shown)
            raise CheckpointError(text)

    def _check_size(self, size: int) -> None:
        if size > _MAX_FILE:
            raise DownloadFailed(
                f"'{self._shown}' has more than {_MAX_FILE >> 30} GB, which no model "
                "needs. Check the address."
            )
